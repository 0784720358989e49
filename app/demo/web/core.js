// What every view needs: requests, the people and their sessions, the DOM, polling.

export const state = { world: null, person: '', tokens: {}, members: {}, nick: {}, done: new Set(), watch: null };

export const $ = (id) => document.getElementById(id);

// h makes an element; text is always text, so nothing a person wrote can become markup.
export function h(tag, props, ...children) {
  const [name, ...classes] = tag.split('.');
  const el = document.createElement(name || 'div');
  if (classes.length) el.className = classes.join(' ');
  for (const [k, v] of Object.entries(props || {})) {
    if (k.startsWith('on')) el.addEventListener(k.slice(2), v);
    else if (k === 'class') el.className += ' ' + v;
    else if (v === true) el.setAttribute(k, '');
    else if (v !== false && v != null) el.setAttribute(k, v);
  }
  for (const c of children.flat(Infinity)) if (c != null && c !== false) el.append(c);
  return el;
}

export function show(...nodes) { $('screen').replaceChildren(...nodes.flat(Infinity).filter(Boolean)); }

let hiding;
export function toast(text) {
  $('toast').textContent = text;
  $('toast').classList.add('on');
  clearTimeout(hiding);
  hiding = setTimeout(() => $('toast').classList.remove('on'), 3500);
}

export const yuan = (fen) => (fen < 0 ? '-' : '') + '¥' + (Math.abs(fen) / 100).toFixed(2);
export const signed = (fen) => (fen > 0 ? '+' : '') + yuan(fen).replace('-¥', '−¥');
// Business times are Shanghai's, wherever the browser is.
const shanghai = new Intl.DateTimeFormat('zh-CN', { timeZone: 'Asia/Shanghai', month: 'numeric', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const parts = (t) => Object.fromEntries(shanghai.formatToParts(t).map((p) => [p.type, p.value]));
export function clock(text) {
  const t = parts(new Date(text)), now = parts(new Date());
  const day = t.month === now.month && t.day === now.day ? '' : `${t.month}月${t.day}日 `;
  return `${day}${t.hour}:${t.minute}`;
}

export function key() {
  const raw = crypto.getRandomValues(new Uint8Array(12));
  return 'page-' + Array.from(raw, (b) => b.toString(16).padStart(2, '0')).join('');
}

export class Refusal extends Error {
  constructor(status, body) { super((body && body.title) || '网络不通，请重试'); this.status = status; this.code = body && body.code; this.fields = (body && body.fields) || []; }
}

async function send(method, path, headers, body) {
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: 'no-store' });
  const text = await answer.text();
  const json = text && answer.headers.get('Content-Type')?.includes('json') ? JSON.parse(text) : null;
  if (!answer.ok && answer.status !== 304) throw new Refusal(answer.status, json);
  return { json, status: answer.status, etag: answer.headers.get('ETag') };
}

// login takes somebody's phone in hand: the demo asks the sandbox for wx.login, the rest is the real login.
export async function login(person) {
  const { json } = await send('POST', '/demo/login', {}, { person });
  state.tokens[person] = json.token;
  state.members[person] = json.member;
  sessionStorage.setItem('tokens', JSON.stringify([state.tokens, state.members]));
  return json;
}

// call is one request of a person. A write keeps its key when the network fails and is tried once more.
export async function call(person, method, path, body, options = {}) {
  const headers = {};
  if (method !== 'GET') headers['Idempotency-Key'] = options.key || key();
  if (options.etag) headers['If-None-Match'] = options.etag;
  for (let attempt = 0; ; attempt++) {
    if (!state.tokens[person]) await login(person);
    headers.Authorization = 'Bearer ' + state.tokens[person];
    try {
      return await send(method, path, { ...headers }, body);
    } catch (err) {
      if (attempt > 0 || err.code === undefined && err instanceof Refusal) throw err;
      if (err.status === 401) { delete state.tokens[person]; continue; }
      if (err instanceof Refusal) throw err;
      await new Promise((r) => setTimeout(r, 700)); // the network failed: the same key may be sent again
    }
  }
}

export const mine = async (method, path, body, options) => (await call(state.person, method, path, body, options)).json;
export const tapPay = async (person, params) => (await send('POST', '/demo/pay', {}, { person, ...params })).json;
export const tapReceive = async (person, params) => (await send('POST', '/demo/receive', {}, { person, ...params })).json;
// What a person does with the phone when wx.requestSubscribeMessage asks, and what the phone shows under service notifications.
export const tapSubscribe = async (person, template) => (await send('POST', '/demo/sandbox/subscribe', {}, { person, template_id: template })).json[template];
export const phoneMessages = async (person) => (await send('POST', '/demo/sandbox/messages', {}, { person })).json.messages;
export const loadWorld = async () => (await send('GET', '/demo/world', {})).json;

// act runs what a tap does: the button rests meanwhile, a refusal is shown in the server's words.
export function act(fn) {
  return async (e) => {
    const button = e.currentTarget;
    button.disabled = true;
    try { await fn(e); } catch (err) {
      const why = (err.fields || []).map((f) => f.why).filter(Boolean).join('；');
      toast((err instanceof Refusal ? err.message : '网络不通，请重试') + (why ? `（${why}）` : ''));
      if (!(err instanceof Refusal)) console.error(err);
    } finally { button.disabled = false; }
  };
}

// poll asks again every second with the ETag and calls back when something changed. It ends with stop().
export function poll(person, path, changed, pace = 1000) {
  let etag = '', timer, live = true;
  const turn = async () => {
    if (!live) return;
    if (!document.hidden) {
      try {
        const answer = await call(person, 'GET', path, undefined, { etag });
        if (live && answer.status !== 304) { etag = answer.etag || ''; changed(answer.json); }
      } catch { /* the next turn tries again */ }
    }
    if (live) timer = setTimeout(turn, pace);
  };
  turn();
  return { stop() { live = false; clearTimeout(timer); }, now() { clearTimeout(timer); turn(); } };
}

const colours = ['#3b8f6b', '#c0653a', '#5776b5', '#a3568a', '#8a7a2e', '#4a8c97', '#b0504a', '#6b6fa8'];
export function face(name, tiny) {
  const el = h(tiny ? 'span.face.tiny' : 'span.face', { 'aria-hidden': 'true' }, Array.from(name || '?')[0]);
  let sum = 0;
  for (const c of name || '') sum = (sum * 31 + c.codePointAt(0)) % 997;
  el.style.background = colours[sum % colours.length];
  return el;
}

export function personOf(member) {
  const known = state.world.people.find((p) => p.member === member);
  if (known) return known;
  const guest = Object.entries(state.members).find(([, m]) => m === member);
  return guest ? { person: guest[0], member, nickname: state.nick[guest[0]] || '新朋友' } : null;
}

export const isHost = () => !!state.world.people.find((p) => p.person === state.person)?.host;

const stateTags = { open: 'tag', scheduled: 'tag.wait', draft: 'tag.off', failed: 'tag.hot', cancelled: 'tag.off', closed: 'tag.wait', settled: 'tag.off' };
export const campaignTag = (c) => h('span.' + (stateTags[c.state] || 'tag'), {}, c.state_text);
