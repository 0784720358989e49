// The host's screens.
import { act, campaignTag, clock, h, mine, poll, show, state, toast, yuan } from './core.js';
import { did, progressBar, seats, track, watch } from './demo.js';

const minute = 60_000, hour = 60 * minute;
const stamp = (t) => new Date(t).toISOString();

export async function campaigns() {
  const { campaigns: list } = await mine('GET', '/v1/host/campaigns?limit=50');
  const order = ['open', 'scheduled', 'draft', 'closed', 'settled', 'failed', 'cancelled'];
  list.sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || (a.starts_at < b.starts_at ? 1 : -1));
  show(h('h2', {}, '我的接龙'), list.map((c) => h('div.card', {},
    h('div.row.between', {}, h('b', {}, c.title), campaignTag(c)),
    h('span.grey', {}, `${clock(c.starts_at)} – ${clock(c.ends_at)} · ${c.progress.seats} 人次 · ${yuan(c.progress.amount_fen)}`),
    h('div.row.wrap', {}, h('a', { href: '#/host/c/' + c.id }, '名单与订单 ›'),
      c.state === 'draft' && publish(c),
      ['settled', 'failed', 'cancelled', 'closed'].includes(c.state) && h('button.small', { class: 'again', onclick: act(() => again(c)) }, '再开一次')))));
}

// again re-opens an earlier campaign: the same goods and words, from now on for a day.
async function again(c) {
  const now = Date.now();
  const copy = await mine('POST', `/v1/host/campaigns/${c.id}/copy`, { starts_at: stamp(now), ends_at: stamp(now + 24 * hour) });
  toast('已复制为草稿，看一眼就可以发布');
  location.hash = '#/host/c/' + copy.id;
}

const publish = (c, after) => h('button.main.small', { class: 'publish', onclick: act(async () => {
  await mine('POST', `/v1/host/campaigns/${c.id}/publish`);
  did('again');
  toast('发布了');
  if (after) after(); else if (location.hash === '#/host') await campaigns();
}) }, '发布');

export async function campaign(id) {
  did('host');
  let list = [];
  const fresh = async () => { list = (await mine('GET', `/v1/host/campaigns/${id}/orders?limit=100`)).orders; };
  const p = poll(state.person, '/v1/host/campaigns/' + id, async (c) => {
    await fresh();
    if (c.state !== 'draft') watch(c);
    draw(c, list, async () => { await fresh(); p.now(); draw(c, list, () => p.now()); });
  });
  track(p);
}

function draw(c, list, refresh) {
  const ready = list.filter((o) => o.state === 'confirmed');
  const move = (path, body, words) => act(async () => { await mine('POST', path, body); toast(words); await refresh(); });
  const share = act(async () => {
    const made = await mine('POST', '/v1/shares', { kind: 'campaign', target: c.id });
    const link = `${location.origin}/#/share/${made.id}`;
    await navigator.clipboard?.writeText(link).catch(() => {});
    toast('分享已生成（链接已复制）：换成一位购物者再打开 ' + link);
  });
  show(h('div', {}, h('div.row.between', {}, h('h2', {}, c.title), campaignTag(c)), h('p', {}, c.words), h('p.grey', {}, `${clock(c.starts_at)} – ${clock(c.ends_at)}`)),
    c.state !== 'draft' && h('div.card', {}, progressBar(c)),
    h('div.row.wrap', {},
      c.state === 'draft' && publish(c, refresh),
      c.state !== 'draft' && h('button.small', { onclick: share }, '转发'),
      c.state === 'open' && h('button.small', { onclick: move(`/v1/host/campaigns/${c.id}/close`, undefined, '已提前截止') }, '提前截止'),
      ['open', 'scheduled', 'closed'].includes(c.state) && h('button.small.warn', { onclick: move(`/v1/host/campaigns/${c.id}/cancel`, { reason: '这次先不团了，全额退款' }, '已取消，全部退款') }, '取消并退款'),
      ready.length > 0 && h('button.main.small', { id: 'ship-all', onclick: act(async () => {
        for (const o of ready) await mine('POST', `/v1/host/orders/${o.id}/ship`, { kind: 'pickup' });
        toast(`${ready.length} 单已到自提点`);
        await refresh();
      }) }, `全部到货（${ready.length}）`)),
    h('div.card', {}, h('h3', {}, '商品'), c.items.map((i) => h('div.row.between', {}, h('span', {}, i.name), h('span', {}, h('span.price', {}, yuan(i.price_fen)), h('span.grey', {}, ` 剩 ${i.left}`))))),
    c.newest_seats.length > 0 && h('div.card', {}, h('h3', {}, '最近接龙'), seats(c.newest_seats)),
    list.length > 0 && h('div.card', {}, h('h3', {}, `订单 ${list.length}`), list.map((o) => orderRow(o, move))));
}

function orderRow(o, move) {
  const asked = (o.refunds || []).filter((r) => r.stage === 'requested');
  const path = '/v1/host/orders/' + o.id;
  return h('div.item', {}, h('div.row.between', {}, h('b', {}, (o.seat ? `#${o.seat} ` : '') + o.buyer.nickname), h('span.tag', {}, o.state_text)),
    h('p.grey', {}, o.lines.map((l) => `${l.name}×${l.units}`).join('，') + ` · ${yuan(o.amount_fen)}` + (o.pickup_name ? ` · ${o.pickup_name}` : '')),
    o.note && h('p.grey', {}, '备注：' + o.note),
    h('div.row.wrap', {},
      o.state === 'confirmed' && h('button.small', { onclick: move(path + '/ship', { kind: 'pickup' }, '已通知自提') }, '到货'),
      o.state === 'shipped' && !o.tracking && h('button.small', { onclick: move(path + '/collect', undefined, '已交给购物者') }, '当面交付'),
      asked.map((r) => [h('span.grey', {}, `要求退 ${yuan(r.amount_fen)}：${r.reason}`),
        h('button.small', { onclick: move(`${path}/refunds/${r.number}/approve`, undefined, '已同意退款') }, '同意'),
        h('button.small.warn', { onclick: move(`${path}/refunds/${r.number}/refuse`, { words: '核对过照片，品相正常' }, '已回复') }, '不同意')])));
}
