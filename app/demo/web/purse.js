// The purse: four amounts, what can be withdrawn and why not more, withdrawals, and every line with its reason.
import { act, call, clock, face, h, key, mine, phoneMessages, poll, show, signed, state, tapReceive, tapSubscribe, toast, yuan } from './core.js';
import { did, track } from './demo.js';

const pots = [['pending_fen', '待结算'], ['available_fen', '可提现'], ['withdrawing_fen', '提现中'], ['withdrawn_fen', '已提现']];
const open = ['asked', 'held', 'approved', 'sent', 'waiting'];
const tags = { paid: 'tag', held: 'tag.wait', waiting: 'tag.hot', asked: 'tag.wait', approved: 'tag.wait', sent: 'tag.wait' };

// purseCard is a person's purse with its newest lines, kept fresh; put is called with the card.
export function purseCard(person, title, put) {
  let was = null;
  const explained = new Set();
  return poll(person, '/v1/purse', (p) => {
    const moved = was && pots.some(([pot]) => was[pot] !== p[pot]);
    const fresh = was ? p.newest[0]?.no : null;
    put(h('div.card', {}, title && h('div.row', {}, face(title.split(' · ')[0]), h('h3', {}, title)), money(p, moved, 2),
      p.newest.slice(0, 6).map((l) => line(person, l, explained, moved && l.no === fresh)), !p.newest.length && h('p.grey', {}, '还没有变动')));
    was = p;
  });
}

const money = (p, moved, few) => h('div.money', { class: moved ? 'flash' : '' }, pots.slice(0, few).map(([pot, text]) =>
  h('div', {}, h('span.grey', {}, text), h('b', { 'data-pot': pot }, yuan(p[pot])))));

// line is one line of a statement; "why" opens the derivation, and who doubts it can say so.
function line(person, l, explained, fresh) {
  const box = h('div');
  const explain = async () => {
    const e = (await call(person, 'GET', '/v1/purse/explain?entry=' + encodeURIComponent(l.entry))).json;
    box.replaceChildren(h('div.why', {}, h('b', {}, e.sentence), h('ol', {}, e.steps.map((s) => h('li', {}, s))), e.not_yet && h('p', {}, e.not_yet),
      h('p.grey', {}, [e.policy && `政策第 ${e.policy} 版`, e.seal && `封存于第 ${e.seal} 号账页`].filter(Boolean).join(' · ')),
      person === state.person && doubt(l)));
  };
  if (explained.has(l.no)) explain().catch(() => {});
  const sums = pots.filter(([pot]) => l[pot]).map(([pot, text]) => h('span.sum', { class: l[pot] > 0 ? 'plus' : 'minus' }, `${text} ${signed(l[pot])} `));
  return h('div.line', { class: fresh ? 'flash' : '' }, h('div.row.between', {}, h('span', {}, sums),
    h('button.link', { class: 'why-link', onclick: act(async () => { explained.add(l.no); await explain(); did('why'); }) }, '为什么')), h('span', {}, l.reason), h('span.grey', {}, clock(l.at)), box);
}

function doubt(l) {
  const words = h('input', { type: 'text', maxlength: 1000, placeholder: '哪里不对？', 'aria-label': '哪里不对' });
  const ask = h('button.small', { class: 'dispute', onclick: act(async () => {
    const d = await mine('POST', '/v1/purse/disputes', { entry: l.entry, words: words.value || '这一笔和我算的不一样，请核对' });
    toast(`已提交，附上了账上的说明和 ${d.evidence.length} 条依据，由品牌答复`);
    await drawDisputes();
  }) }, '有疑问');
  return h('div.row', {}, h('div.grow', {}, words), ask);
}

// ---- the purse of who holds the phone ----

let slots = {}, wanted = '', watched = ''; // wanted: the amount typed; watched: the withdrawal under way

export function purse() {
  slots = Object.fromEntries(['pots', 'ask', 'phone', 'list', 'told', 'lines', 'disputes', 'months', 'bond'].map((name) => [name, h('div', { id: 'my-' + name })]));
  wanted = '';
  show(h('h2', {}, '我的钱包'), Object.values(slots));
  const explained = new Set();
  let was = null;
  track(poll(state.person, '/v1/purse', async (p) => {
    const moved = was && pots.some(([pot]) => was[pot] !== p[pot]);
    slots.pots.replaceChildren(h('div.card', {}, money(p, moved, 4)));
    was = p;
    await Promise.all([document.activeElement?.id !== 'amount' && drawAsk(), drawLines(explained)]); // nobody is disturbed while typing
  }));
  track(poll(state.person, '/v1/me/notices?limit=5', drawNotices, 1500));
  drawDisputes().catch(() => {});
  drawMonths();
  mine('GET', '/v1/me/bond').then((b) => slots.bond.replaceChildren(h('div.card', {}, h('h3', {}, '我的消费记在谁名下'), h('p', {}, b.summary), b.lines.map((l) => h('p.grey', {}, `${clock(l.at)} ${l.text}`))))).catch(() => {});
}

// drawAsk shows what can be withdrawn and what is under way, and watches what is.
async function drawAsk() {
  const [o, { withdrawals }] = await Promise.all([mine('GET', '/v1/purse/outlook'), mine('GET', '/v1/purse/withdrawals?limit=20')]);
  const going = withdrawals.find((w) => open.includes(w.state));
  slots.ask.replaceChildren(going ? sheet(going) : form(o));
  slots.list.replaceChildren(...(withdrawals.length ? [h('div.card', {}, h('h3', {}, '提现记录'), withdrawals.map(record))] : []));
  if (going && going.number !== watched) {
    const person = state.person;
    watched = going.number;
    const watch = poll(person, '/v1/purse/withdrawals/' + going.number, (w) => {
      if (w.state === going.state) return;
      watch.stop();
      watched = '';
      if (w.state === 'paid') did('receive');
      if (person === state.person) drawAsk().catch(() => {});
    });
    track({ stop() { watch.stop(); watched = ''; }, now() { watch.now(); } });
  }
}

function form(o) {
  const amount = h('input', { id: 'amount', type: 'number', min: o.min_fen / 100, step: '0.01', value: wanted || (o.now_fen / 100).toFixed(2), 'aria-label': '提现金额（元）', oninput: () => { wanted = amount.value; } });
  const notify = h('input', { id: 'notify', type: 'checkbox', checked: true });
  notify.style.width = 'auto';
  let tried = { key: key(), value: '' }; // the same amount tried again is the same request
  return h('div.card', { id: 'outlook' }, h('div.row.between', {}, h('h3', {}, '现在最多可提'), h('b.big', {}, yuan(o.now_fen))),
    o.reasons.map((r) => h('p.grey', { class: 'reason' }, '· ' + r)),
    h('p.grey', {}, `单笔至少 ${yuan(o.min_fen)}；今天还可申请 ${o.left_times} 次、${yuan(o.left_today_fen)}，本月 ${yuan(o.left_month_fen)}`),
    h('div.row', {}, h('span', {}, '¥'), h('div.grow', {}, amount), h('button.main', { id: 'withdraw', onclick: act(async () => {
      if (tried.value && tried.value !== amount.value) tried = { key: key(), value: '' };
      tried.value = amount.value;
      if (notify.checked) await subscribe().catch(() => {}); // who cannot be told may withdraw all the same
      const w = await mine('POST', '/v1/purse/withdrawals', { amount_fen: fen(amount.value) }, { key: tried.key });
      did('withdraw');
      wanted = '';
      toast(w.state_text);
      await drawAsk();
    }) }, '申请提现')),
    h('label.row', {}, notify, h('span.grey', {}, '结果用微信通知我：订阅消息，同意一次发一条')));
}

// subscribe stands for wx.requestSubscribeMessage in the tap: it asks for what has run out, and reports what was answered.
async function subscribe() {
  const { subscriptions } = await mine('GET', '/v1/me/subscriptions');
  const wanted = [...new Set(subscriptions.filter((s) => !s.credits && s.answer !== 'ban').map((s) => s.template))].slice(0, 3);
  const answers = [];
  for (const template of wanted) answers.push({ template, answer: await tapSubscribe(state.person, template) });
  if (answers.length) await mine('POST', '/v1/me/subscriptions', { answers });
}

// drawNotices shows what there was to tell, and what of it the phone shows.
async function drawNotices({ notices }) {
  slots.told.replaceChildren(...(notices.length ? [h('div.card', {}, h('h3', {}, '我的通知'), notices.map((n) => h('div.item', { 'data-topic': n.topic, 'data-state': n.state },
    h('div.row.between', {}, h('b', {}, n.title), h('span.' + (n.state === 'sent' ? 'tag' : 'tag.off'), {}, n.state_text)), h('p', {}, n.text), h('p.grey', {}, clock(n.at)))))] : []));
  const messages = (await phoneMessages(state.person)).slice(0, 2);
  slots.phone.replaceChildren(...(messages.length ? [h('div.card', {}, h('h3', {}, '微信 · 服务通知（沙箱）'), messages.map((m) => h('div.item', {},
    Object.keys(m.data).sort().map((k) => h('div', {}, m.data[k])), h('p.grey', {}, clock(m.at)))))] : []));
}

// fen reads yuan without a float in between.
function fen(text) {
  const [yuans, part = ''] = text.trim().split('.');
  return +yuans * 100 + +(part + '00').slice(0, 2);
}

// sheet is a withdrawal under way. Receiving stands for what WeChat shows on wx.requestMerchantTransfer.
function sheet(w) {
  return h('div.sheet', { id: 'under-way' }, h('span.grey', {}, w.state === 'waiting' ? '微信：商家转账（沙箱）' : '提现'), h('span.big', {}, yuan(w.net_fen || w.amount_fen)),
    h('span', {}, w.state_text), w.confirm_by && h('span.grey', {}, `${clock(w.confirm_by)} 前未确认会退回可提现`), steps(w),
    w.confirm && h('button.main', { id: 'receive', onclick: act(async () => {
      await tapReceive(state.person, w.confirm);
      toast('微信：已收款，正在等商户收到通知…');
    }) }, '在微信里确认收款'),
    w.state === 'held' && h('span.grey', {}, '品牌员工在管理台审核（首页有账号），命令见启动时的说明'),
    w.can_cancel && h('button.small.warn', { id: 'cancel-withdrawal', onclick: act(async () => {
      toast((await mine('POST', `/v1/purse/withdrawals/${w.number}/cancel`)).state_text);
      await drawAsk();
    }) }, '撤销'));
}

const steps = (w) => w.tax_steps?.length > 0 && h('details.grey', {}, h('summary', {}, `代扣个税 ${yuan(w.tax_fen)}，怎么算的`), h('ol', {}, w.tax_steps.map((s) => h('li', {}, s))));

const record = (w) => h('div.item', { 'data-state': w.state }, h('div.row.between', {}, h('b', {}, yuan(w.amount_fen)), h('span.' + (tags[w.state] || 'tag.off'), {}, w.state_text)),
  h('p.grey', {}, `${clock(w.asked_at)} 申请${w.ended_at ? ` · ${clock(w.ended_at)} 结束` : ''}${w.state === 'paid' ? ` · 到账 ${yuan(w.net_fen)}` : ''}`), w.why && h('p.grey', {}, w.why), !open.includes(w.state) && steps(w));

async function drawLines(explained) {
  const first = await mine('GET', '/v1/purse/statement?limit=10');
  const list = h('div');
  const add = (page) => {
    list.append(...page.lines.map((l) => line(state.person, l, explained)));
    if (page.next) list.append(h('button.link', { onclick: act(async (e) => { const more = e.currentTarget; add(await mine('GET', '/v1/purse/statement?limit=20&cursor=' + encodeURIComponent(page.next))); more.remove(); }) }, '更早的 ›'));
  };
  add(first);
  slots.lines.replaceChildren(h('div.card', {}, h('h3', {}, '明细'), first.lines.length ? list : h('p.grey', {}, '还没有变动')));
}

async function drawDisputes() {
  const { disputes } = await mine('GET', '/v1/purse/disputes?limit=20');
  slots.disputes.replaceChildren(...(disputes.length ? [h('div.card', {}, h('h3', {}, '我的疑问'), disputes.map((d) => h('div.item', {},
    h('div.row.between', {}, h('span', {}, d.words), h('span.' + (d.state === 'open' ? 'tag.wait' : 'tag'), {}, d.state_text)), h('p.grey', {}, d.sentence), d.answer && h('p', {}, '答复：' + d.answer))))] : []));
}

function drawMonths() {
  const months = state.world.months || [];
  if (!months.length) return;
  const box = h('div');
  const read = (month) => act(async () => {
    const m = await mine('GET', '/v1/purse/months/' + month);
    const row = (title, b) => h('div.row.between', {}, h('span', {}, title), h('span.grey', {}, pots.filter(([pot]) => b[pot]).map(([pot, text]) => `${text} ${yuan(b[pot])}`).join(' · ') || '¥0.00'));
    box.replaceChildren(row('期初', m.opening), ...m.kinds.map((k) => row(`${kinds[k.kind] || k.kind} ${k.count} 笔`, k.change)), row('期末', m.closing));
  });
  slots.months.replaceChildren(h('div.card', {}, h('div.row.between', {}, h('h3', {}, '月度对账单'), h('span', {}, months.map((m) => h('button.small', { class: 'month', onclick: read(m) }, m)))), box));
}

const kinds = { accrue: '佣金', settle: '结算', clawback: '退款扣回', withdraw: '申请提现', confirm: '到账', fail: '退回', tax: '代扣税', return: '到账后退回', adjust: '更正' };
