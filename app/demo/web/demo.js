// The shopper's screens, the ledger beside them and the guide.
import { $, act, call, campaignTag, clock, face, h, isHost, key, loadWorld, login, mine, personOf, poll, show, state, tapPay, toast, yuan } from './core.js';
import * as host from './host.js';
import { purse, purseCard } from './purse.js';

let polls = []; // of the screen that is shown
let cart = {}, pickup = '', shareID = '', opened = null; // opened: the share the shopper came by
const guideSteps = [
  ['person', '选一个人，拿起 TA 的手机'], ['open', '打开朋友的分享：谁推荐、多少钱、谁在里面'], ['place', '选好数量，参加接龙'],
  ['paid', '付款，看接龙号、库存和右边的钱包'], ['why', '点一笔佣金，看“为什么是这个数”'], ['refund', '退一件，看佣金按比例扣回'],
  ['host', '换成团长：名单、发货、截止'], ['again', '把上周的接龙再开一次，发布'],
  ['withdraw', '打开团长的钱包，申请提现'], ['receive', '在微信里确认收款，可提现变少，已提现变多'],
];

export function did(step) {
  if (step) state.done.add(step);
  sessionStorage.setItem('done', JSON.stringify([...state.done]));
  const next = guideSteps.findIndex(([s]) => !state.done.has(s));
  $('guide').replaceChildren(h('h2', {}, '走一遍：第一单，第一次提现'), h('ol', {}, guideSteps.map(([s, text], i) =>
    h('li', { class: state.done.has(s) ? 'done' : i === next ? 'next' : '', 'data-n': state.done.has(s) ? '✓' : i + 1 }, text))));
}

// ---- who holds the phone ----

function who() {
  const options = [h('option', { value: '' }, '— 选一个人 —')];
  options.push(h('optgroup', { label: '团长' }, state.world.people.filter((p) => p.host).map((p) => h('option', { value: p.person, selected: p.person === state.person }, p.nickname))));
  for (const c of state.world.communities) {
    options.push(h('optgroup', { label: c.name }, state.world.people.filter((p) => p.community === c.id).map((p) =>
      h('option', { value: p.person, selected: p.person === state.person }, p.nickname + (p.words ? ' · ' + p.words : '')))));
  }
  if (state.person.startsWith('guest-')) options.push(h('option', { value: state.person, selected: true }, state.nick[state.person] || '新朋友'));
  const name = nickname();
  $('who').replaceChildren(state.person ? face(name) : h('span.grey', {}, '我是'),
    h('select', { id: 'person', 'aria-label': '选择人物', onchange: (e) => become(e.target.value, '#/') }, options));
  const tabs = !state.person ? [] : isHost() ? [['#/host', '我的接龙'], ['#/feed', '逛逛'], ['#/purse', '钱包']]
    : [['#/feed', '逛逛'], ['#/orders', '我的订单'], ['#/purse', '钱包']];
  $('tabs').replaceChildren(...tabs.map(([to, text]) => h('a', { href: to, class: location.hash.startsWith(to) ? 'on' : '' }, text)));
}

const nickname = () => state.world.people.find((p) => p.person === state.person)?.nickname || state.nick[state.person] || '';

async function become(person, to) {
  state.person = person;
  sessionStorage.setItem('person', person);
  cart = {};
  if (person) { await login(person); did('person'); }
  if (location.hash === to) route(); else location.hash = to;
}

async function guest() {
  const person = 'guest-' + key().slice(5, 15);
  state.nick[person] = '新朋友' + person.slice(-3);
  sessionStorage.setItem('nick', JSON.stringify(state.nick));
  await login(person);
  await call(person, 'PATCH', '/v1/me', { nickname: state.nick[person] });
  return person;
}

async function home() {
  state.world = await loadWorld();
  const live = state.world.scenes.some((s) => !s.over);
  show(h('h2', {}, live ? '微信群里有人转了一个接龙…' : '样例接龙都结束了'), !live && h('p.grey', {}, '当一回团长，把上周的接龙再开一次；或用 --reset 重新生成样例。'),
    state.world.scenes.map((s) => {
      const sharer = state.world.people.find((p) => p.person === s.sharer), buyer = state.world.people.find((p) => p.person === s.buyer);
      const open = async (person) => become(person, '#/share/' + s.share);
      return h('div.card', {}, h('div.row', {}, face(sharer.nickname), h('div.grow', {}, h('h3', {}, s.title), h('p.grey', {}, sharer.nickname + ' 转发')), h(s.over ? 'span.tag.off' : 'span.tag.hot', {}, s.words)),
        h('div.row.wrap', {}, h('button.main.small', { onclick: act(() => open(s.buyer)) }, `以 ${buyer.nickname} 打开`), h('button.small', { onclick: act(async () => open(await guest())) }, '以新朋友打开')));
    }),
    h('h2', {}, '或者，当一回团长'),
    state.world.people.filter((p) => p.host).map((p) => h('div.card', {}, h('div.row', {}, face(p.nickname), h('div.grow', {}, h('h3', {}, p.nickname), h('p.grey', {}, p.words)),
      h('button.small', { onclick: act(() => become(p.person, '#/host')) }, '当团长')))),
    h('h2', {}, '打开一个钱包'),
    state.world.purses.map((p) => { const owner = state.world.people.find((o) => o.person === p.person);
      return h('div.card', {}, h('div.row', {}, face(owner.nickname), h('div.grow', {}, h('h3', {}, owner.nickname), h('p.grey', {}, p.words)),
        h('button.small', { class: 'open-purse', 'data-state': p.state, onclick: act(() => become(p.person, '#/purse')) }, '看钱包'))); }),
    h('h2', {}, '品牌的员工'),
    h('div.card', {}, h('p', {}, '管理台目前是接口：', h('a', { href: '/console/docs' }, '接口文档'), '。先 POST /console/api/login，经办人和复核人不能是同一个人。'),
      state.world.operators.map((o) => h('div.item', {}, h('div.row.between', {}, h('b', {}, o.name), h('code', {}, `${o.login} / ${o.password}`)), h('p.grey', {}, o.words)))));
}

// ---- a share and the campaign behind it ----

async function share(id) {
  shareID = id;
  opened = await mine('POST', `/v1/shares/${id}/open`, { scene: 1007 });
  did('open');
  location.replace(opened.share.kind === 'campaign' ? '#/c/' + opened.share.target : '#/feed');
}

function campaign(id) {
  let points = [];
  polls.push(poll(state.person, '/v1/campaigns/' + id, async (c) => {
    if (!points.length && c.pickup?.length) {
      points = (await mine('GET', '/v1/communities/' + c.community)).pickup_points.filter((p) => c.pickup.includes(p.id));
      if (!points.some((p) => p.id === pickup)) pickup = points[0]?.id || '';
    }
    watch(c);
    drawCampaign(c, points);
  }));
}

export function progressBar(c) {
  const p = c.progress, target = c.min_seats || 0;
  const fill = h('i');
  fill.style.width = Math.min(100, target ? p.seats / target * 100 : p.seats ? 100 : 0) + '%';
  return [h('div.row.between', {}, h('span', {}, `已接龙 ${p.seats} 人次 · ${p.units} 件`), h('span.grey', {}, p.formed ? '已成团' : target ? `满 ${target} 成团，还差 ${Math.max(0, target - p.seats)}` : '')), h('div.bar', {}, fill)];
}

function drawCampaign(c, points) {
  const total = c.items.reduce((sum, i) => sum + i.price_fen * (cart[i.sku] || 0), 0);
  const redraw = () => drawCampaign(c, points);
  const by = opened?.share.target === c.id ? opened.share.sharer : null;
  show(h('div.bubble', {}, face(by?.nickname || c.host.nickname), h('div', {}, h('b', {}, by ? `${by.nickname} 推荐给你` : `${c.host.nickname} 推荐`), h('p.grey', {}, `团长 ${c.host.nickname}`))),
    h('div', {}, h('div.row.between', {}, h('h2', {}, c.title), campaignTag(c)), h('p', {}, c.words), h('p.grey', {}, c.state === 'scheduled' ? `${clock(c.starts_at)} 开始` : `${clock(c.ends_at)} 截止`)),
    h('div.card', {}, progressBar(c)),
    h('div', {}, c.items.map((i) => h('div.item.row', {},
      h('div.grow', {}, h('div', {}, i.name), h('div', {}, h('span.price', {}, yuan(i.price_fen)), ' ', h('span.grey', {}, i.sold_out ? '已售罄' : `剩 ${i.left} 件${i.per_person ? ` · 每人限 ${i.per_person}` : ''}`))),
      h('div.count', {}, h('button', { 'aria-label': '少一件', disabled: !cart[i.sku], onclick: () => { cart[i.sku]--; redraw(); } }, '−'), h('b', {}, String(cart[i.sku] || 0)),
        h('button', { 'aria-label': '多一件 ' + i.name, 'data-sku': i.sku, disabled: i.sold_out || c.state !== 'open', onclick: () => { cart[i.sku] = (cart[i.sku] || 0) + 1; redraw(); } }, '+'))))),
    points.length > 0 && h('label.row', {}, h('span.grey', {}, '自提点'), h('select', { onchange: (e) => { pickup = e.target.value; } }, points.map((p) => h('option', { value: p.id, selected: p.id === pickup }, `${p.name}（${p.hours || ''}）`)))),
    c.newest_seats.length > 0 && h('div.card', {}, h('h3', {}, '谁在里面'), seats(c.newest_seats)),
    h('button.link', { onclick: act(() => forward(c)) }, '转发给朋友 ›'),
    h('div.pay', {}, h('span', {}, '合计 ', h('b.price', {}, yuan(total))), h('button.main', { id: 'join', disabled: !total || c.state !== 'open', onclick: act(() => place(c)) }, c.state === 'open' ? '参加接龙' : c.state_text)));
}

export const seats = (list) => h('div.seats', {}, list.map((s) => h('div.row', {}, h('span.no', {}, '#' + s.number), face(s.nickname, true), h('span.grow', { class: s.left ? 'left' : '' }, s.nickname), h('span.grey', {}, `${s.units} 件 · ${clock(s.at)}`))));

async function forward(c) {
  const made = await mine('POST', '/v1/shares', { kind: 'campaign', target: c.id }, { key: `share-${c.id}-${state.members[state.person]}`.slice(0, 80) });
  const friend = await guest();
  toast(`${nickname()} 转发给了 ${state.nick[friend]}，现在手机在 TA 手里`);
  await become(friend, '#/share/' + made.id);
}

async function place(c) {
  const lines = Object.entries(cart).filter(([sku, n]) => n > 0 && c.items.some((i) => i.sku === sku)).map(([sku, units]) => ({ sku, units }));
  const body = { campaign: c.id, lines };
  if (c.pickup?.length && pickup) body.pickup = pickup;
  if (shareID && opened?.share.target === c.id) body.share = shareID;
  const order = await mine('POST', '/v1/orders', body);
  cart = {};
  did('place');
  location.hash = '#/o/' + order.id;
}

// ---- an order ----

function order(id) {
  polls.push(poll(state.person, '/v1/orders/' + id, async (o) => {
    if (state.watch?.campaign !== o.campaign) watch((await call(state.person, 'GET', '/v1/campaigns/' + o.campaign)).json);
    if (o.paid_at) did('paid');
    if (o.refunded_fen > 0) did('refund');
    drawOrder(o);
  }));
}

function drawOrder(o) {
  const again = () => polls.forEach((p) => p.now());
  const refund = (line, units) => act(async () => {
    await mine('POST', `/v1/orders/${o.id}/refunds`, { reason: units ? '少要一些' : '不要了', ...(units ? { lines: [{ line, units }] } : {}) });
    toast('已申请退款');
    again();
  });
  const taken = (line) => (o.refunds || []).filter((r) => !['refused', 'closed'].includes(r.stage)).flatMap((r) => r.lines).filter((l) => l.line === line).reduce((n, l) => n + l.units, 0);
  const refundable = ['paid', 'confirmed', 'shipped', 'received'].includes(o.state);
  show(o.seat ? h('div.seatno', {}, '接龙号', h('b', {}, String(o.seat)), h('span', {}, o.state_text)) : h('div.card', {}, h('div.row.between', {}, h('h2', {}, o.state_text), o.state === 'placed' && h('span.grey', {}, `${clock(o.expires_at)} 前付款`))),
    o.state === 'placed' && paySheet(o, again),
    h('div.card', {}, o.lines.map((l) => {
      const left = l.units - taken(l.line), half = Math.max(1, Math.floor(left / 2));
      return h('div.item', {}, h('div.row.between', {}, h('span', {}, `${l.name} × ${l.units}`), h('span.price', {}, yuan(l.paid_fen))),
        h('div.row.between', {}, h('span.grey', {}, l.refunded_fen ? `已退 ${yuan(l.refunded_fen)}` : ''), refundable && left > 0 && h('button.small', { onclick: refund(l.line, half) }, half === left ? '退这件' : `退一半（${half} 件）`)));
    }), h('div.row.between', {}, h('b', {}, '合计'), h('b', {}, yuan(o.amount_fen))), o.pickup_name && h('p.grey', {}, '自提：' + o.pickup_name), o.note && h('p.grey', {}, '备注：' + o.note)),
    (o.refunds || []).map((r) => h('div.card', {}, h('div.row.between', {}, h('span', {}, `退款 ${yuan(r.amount_fen)}`), h('span.tag.wait', {}, r.stage_text)), h('p.grey', {}, `${r.reason} · ${clock(r.asked_at)}`))),
    h('div.row.wrap', {},
      o.state === 'shipped' && h('button.main', { onclick: act(async () => { await mine('POST', `/v1/orders/${o.id}/receive`); again(); }) }, '确认收货'),
      refundable && h('button.warn', { onclick: refund() }, '整单退款'),
      o.state === 'placed' && h('button', { onclick: act(async () => { await mine('POST', `/v1/orders/${o.id}/cancel`); again(); }) }, '取消订单'),
      h('a', { href: '#/c/' + o.campaign }, '回到接龙页 ›')));
}

// paySheet stands for the sheet WeChat opens on wx.requestPayment.
function paySheet(o, again) {
  return h('div.sheet', {}, h('span.grey', {}, '微信支付（沙箱）'), h('span.big', {}, yuan(o.amount_fen)), h('button.main', { id: 'pay', onclick: act(async () => {
    const params = await mine('POST', `/v1/orders/${o.id}/prepay`);
    try { await tapPay(state.person, params); toast('微信：支付成功，正在等商户收到通知…'); } catch (err) { toast(err.message); }
    setTimeout(again, 250);
    setTimeout(async () => { // the notification may be lost: the mini-program asks, the merchant queries WeChat
      try { if ((await mine('GET', '/v1/orders/' + o.id)).state === 'placed') await mine('POST', `/v1/orders/${o.id}/paid`); } catch { /* the sweep heals it */ }
    }, 2000);
  }) }, '付款'));
}

async function orders() {
  const { orders } = await mine('GET', '/v1/orders?limit=50');
  show(h('h2', {}, '我的订单'), orders.length ? orders.map((o) => h('a.card', { href: '#/o/' + o.id }, h('div.row.between', {}, h('b', {}, o.lines.map((l) => l.name).join('、')), h('span.tag', {}, o.state_text)),
    h('span.grey', {}, `${clock(o.placed_at)} · ${yuan(o.amount_fen)}${o.seat ? ' · 接龙号 ' + o.seat : ''}`))) : h('p.empty', {}, '还没有订单。去逛逛？'));
}

async function feed() {
  const { communities } = await mine('GET', '/v1/communities?limit=20');
  const parts = await Promise.all(communities.map(async (c) => [c, (await mine('GET', `/v1/communities/${c.id}/feed`)).campaigns, (await mine('GET', `/v1/communities/${c.id}/shelf`)).picks]));
  show(parts.length ? parts.map(([c, list, picks]) => [h('div', {}, h('h2', {}, c.name), h('p.grey', {}, `${c.members} 人 · 团长 ${c.host.nickname}`), c.notice && h('p.bubble', {}, '公告：' + c.notice)),
    list.map((k) => h('a.card', { href: '#/c/' + k.id, onclick: () => { opened = null; shareID = ''; } }, h('div.row.between', {}, h('b', {}, k.title), campaignTag(k)), h('span.grey', {}, `${yuan(k.from_fen)} 起 · ${k.items} 种 · 已接龙 ${k.progress.seats} 人次`))),
    picks.length > 0 && h('div.card', {}, h('h3', {}, '团长选品'), picks.map((p) => h('div.item', {}, h('div.row.between', {}, h('b', {}, p.name), h('span.price', {}, yuan(p.skus[0].price_fen))), h('p.grey', {}, `“${p.reason}”`))))])
    : h('p.empty', {}, '你还没有加入社群。打开朋友的分享就会加入。'));
}

// ---- the ledger beside the phone ----

export function watch(c) {
  if (state.watch?.campaign === c.id) { drawStock(c); return; }
  stopWatching();
  const w = state.watch = { campaign: c.id, polls: [] };
  $('ledger').replaceChildren(h('h2', {}, '账本实况', h('small', {}, '每秒刷新；每一分钱都有原因')), h('div.card', { id: 'stock' }), h('div.purses', { id: 'purses' }), h('div.card', { id: 'bond' }));
  drawStock(c);
  w.polls.push(poll(state.person, '/v1/campaigns/' + c.id, drawStock));
  const add = (member, role) => {
    const p = personOf(member);
    if (!p || $('purse-' + p.person)) return;
    const slot = h('div', { id: 'purse-' + p.person });
    $('purses').append(slot);
    w.polls.push(purseCard(p.person, `${p.nickname} · ${role}`, (card) => slot.replaceChildren(card)));
  };
  mine('GET', '/v1/me/bond').then((b) => {
    if (state.watch !== w) return;
    if (b.bond) add(b.bond.by.id, b.bond.by.id === c.host.id ? '团长，也是分享人' : '分享人');
    add(c.host.id, '团长');
    $('bond').replaceChildren(h('h3', {}, '这一单记在谁名下？'), h('p', {}, b.summary), ...b.lines.map((l) => h('p.grey', {}, `${clock(l.at)} ${l.text}`)));
  }).catch(() => add(c.host.id, '团长'));
}

function stopWatching() {
  state.watch?.polls.forEach((p) => p.stop());
  state.watch = null;
}

let lastStock = {};
function drawStock(c) {
  const was = lastStock[c.id];
  lastStock[c.id] = c;
  const at = $('stock');
  if (!at) return;
  at.replaceChildren(h('div.row.between', {}, h('h3', {}, c.title), campaignTag(c)), ...progressBar(c),
    ...c.items.map((i, n) => h('div.row.between', { class: was && was.items[n]?.left !== i.left ? 'flash' : '' }, h('span', {}, i.name), h('span.grey', {}, `库存 ${i.left}`))),
    h('div.row.between', { class: was && was.progress.amount_fen !== c.progress.amount_fen ? 'flash' : '' }, h('b', {}, '成交'), h('b', {}, yuan(c.progress.amount_fen))));
}

// ---- routes ----

const routes = [
  [/^#\/share\/([\w-]+)$/, share], [/^#\/c\/([\w-]+)$/, campaign], [/^#\/o\/([\w-]+)$/, order], [/^#\/orders$/, orders], [/^#\/feed$/, feed],
  [/^#\/purse$/, () => purse()], [/^#\/host$/, (...a) => host.campaigns(...a)], [/^#\/host\/c\/([\w-]+)$/, (...a) => host.campaign(...a)],
];

export function track(p) { polls.push(p); }

async function route() {
  polls.forEach((p) => p.stop());
  polls = [];
  $('screen').scrollTop = 0;
  who();
  const hash = location.hash || '#/';
  for (const [pattern, view] of routes) {
    const m = hash.match(pattern);
    if (!m) continue;
    if (!state.person) break;
    try { await view(...m.slice(1)); } catch (err) {
      show(h('p.empty', {}, err.message || '打不开这一页'), h('a', { href: '#/' }, '回到首页'));
    }
    return;
  }
  stopWatching();
  $('ledger').replaceChildren(h('h2', {}, '账本实况', h('small', {}, '打开一个接龙后，这里实时显示库存、接龙号和两个人的钱包')));
  await home();
}

async function start() {
  try {
    [state.tokens, state.members] = JSON.parse(sessionStorage.getItem('tokens') || '[{},{}]');
    state.nick = JSON.parse(sessionStorage.getItem('nick') || '{}');
    state.person = sessionStorage.getItem('person') || '';
    state.done = new Set(JSON.parse(sessionStorage.getItem('done') || '[]'));
  } catch { sessionStorage.clear(); }
  did('');
  state.world = await loadWorld();
  addEventListener('hashchange', route);
  await route();
}

start().catch((err) => show(h('p.empty', {}, '演示还没有准备好：' + err.message)));
