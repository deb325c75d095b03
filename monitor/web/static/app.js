// The frame: which view is shown, how current it is, keys, theme, pause.
import { accountsView } from './accounts.js';
import { accountView } from './account.js';
import { correlationView } from './correlation.js';
import { deskView } from './desk.js';
import { text } from './dom.js';
import { age, count, day, tenth, word } from './format.js';
import { marketView } from './market.js';
import { listen, load, pause, store, take, tell } from './store.js';
import { Stream, onToken } from './stream.js';

const STALE_S = 5;
const ANNOUNCE_MS = 10000;
const byId = (id) => document.getElementById(id);
const main = byId('view');
const VIEWS = { '': deskView, accounts: accountsView, account: accountView, market: marketView, correlation: correlationView };
const NAMES = { '': 'Desk', accounts: 'Accounts', account: 'Account', market: 'Market', correlation: 'Correlation' };
let shown = null;

// --- views ----------------------------------------------------------------------------------------

function show(focus) {
  const [path, query = ''] = location.hash.replace(/^#\//, '').replace(/^#/, '').split('?');
  const [name, ...rest] = path.split('/');
  const known = name in VIEWS ? name : '';
  const argument = decodeURIComponent(rest.join('/'));
  shown?.end?.();
  shown = VIEWS[known](argument, new URLSearchParams(query));
  main.replaceChildren(...shown.content);
  document.title = `${argument || NAMES[known]} · liqmon`;
  for (const link of document.querySelectorAll('nav a')) {
    const here = link.dataset.view === (known || 'desk') || (known === 'account' && link.dataset.view === 'accounts');
    if (here) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (focus) {
    const title = main.querySelector('h1');
    title.tabIndex = -1;
    title.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  shown.refresh?.('shown');
}

addEventListener('hashchange', () => show(true));

listen((what) => {
  if (what === 'pulse' || what === 'paused' || what === 'connection' || what === 'waiting') current();
  if (!store.paused || what === 'paused' || what === 'loaded' || what === 'answers') shown?.refresh?.(what);
});

// --- how current it is ----------------------------------------------------------------------------

function whose(told) {
  const ours = told.partitions.length;
  if (told.reading !== 'live') return told.reading === 'starting' ? `reading the topics (${count(told.behind)} messages to go)` : told.reading;
  const all = ours === told.of;
  const figures = told.own ? `, figures of ${count(told.own)} from this worker, at most ${age(told.figures_age_s)} old` : '';
  return `accounts of all ${told.of} partitions as published${figures}${all ? '' : `; this worker has ${ours} of ${told.of}`}`;
}

function current() {
  const told = store.pulse;
  const since = (performance.now() - store.pulseAt) / 1000;
  const bad = [];
  const warn = [];
  const well = [];
  if (store.connection === 'broken') bad.push(`No connection: ${store.reason}. What is shown is ${told ? `${age(since)} old` : 'nothing yet'}; trying again.`);
  if (told) {
    const { readiness } = told;
    for (const one of readiness.reasons) bad.push(`Worker not ready: ${one.name.replaceAll('_', ' ')}, ${one.reason}.`);
    if (told.seen_s !== null && told.seen_s > STALE_S) bad.push(`The worker's state was looked at ${age(told.seen_s)} ago.`);
    if (told.heard_s !== null && told.heard_s > STALE_S) warn.push(`Last market record ${age(told.heard_s)} ago.`);
    else if (told.heard_s !== null) well.push(`last market record ${age(told.heard_s)} ago`);
    if (told.lag_s > 2) warn.push(`The worker is ${age(told.lag_s)} of market time behind.`);
    if (told.indices_held.length) warn.push(`Index held: ${told.indices_held.join(', ')}.`);
    if (told.shown.reading !== 'live') warn.push(`${whose(told.shown)}.`);
    else well.push(whose(told.shown));
    if (told.shown.unreadable) warn.push(`${count(told.shown.unreadable)} messages could not be read.`);
    if (readiness.ready) well.unshift(readiness.idle ? 'worker ready, without a partition' : 'worker ready');
  }
  const state = bad.length ? 'bad' : store.paused ? 'paused' : warn.length || !told ? 'warn' : 'live';
  byId('health').dataset.state = state;
  byId('lamp').dataset.state = state;
  const paused = store.paused ? [`Paused: the views stand still${store.waiting ? `, ${count(store.waiting)} events wait` : ''}.`] : [];
  const start = told ? (state === 'live' ? ['Live:'] : []) : ['Connecting to the worker.'];
  const rest = well.join(' · ');
  text(byId('health-text'), [...paused, ...bad, ...warn, ...start, rest && state !== 'live' ? rest[0].toUpperCase() + rest.slice(1) : rest].filter(Boolean).join(' '));
  if (told) {
    const time = byId('market-time');
    text(time, told.market_time_us ? `${day(told.market_time_us)} ${tenth(told.market_time_us).slice(0, 8)}` : '--:--:--');
  }
  const label = store.paused ? `Go on${store.waiting ? ` (${count(store.waiting)} waiting)` : ''}` : 'Pause';
  text(byId('pause'), label);
  byId('pause').setAttribute('aria-pressed', String(store.paused));
}

setInterval(current, 500);

// What happened, in few words and seldom: a screen reader is not to read two thousand events a second.
let told = 0;
const since = new Map();
listen((what) => {
  if (what !== 'events' || !store.loaded) return;
  for (const row of store.events.slice(0, Math.min(store.seen - told, store.events.length))) since.set(row.kind, (since.get(row.kind) ?? 0) + 1);
  told = store.seen;
});
setInterval(() => {
  if (!since.size) return;
  const words = [...since].map(([kind, number]) => `${number} ${word(kind)}`).join(', ');
  since.clear();
  text(byId('announce'), `New: ${words}.`);
}, ANNOUNCE_MS);

// --- pause, theme, keys ---------------------------------------------------------------------------

byId('pause').addEventListener('click', () => pause(!store.paused));

const THEMES = ['system', 'dark', 'light'];
let theme = THEMES.includes(localStorage.getItem('theme')) ? localStorage.getItem('theme') : 'system';

function paint() {
  if (theme === 'system') document.documentElement.removeAttribute('data-theme');
  else document.documentElement.dataset.theme = theme;
  text(byId('theme'), `Theme: ${theme}`);
}

byId('theme').addEventListener('click', () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  localStorage.setItem('theme', theme);
  paint();
});
paint();

const keysOn = byId('keys-on');
keysOn.checked = localStorage.getItem('keys') !== 'off';
keysOn.addEventListener('change', () => localStorage.setItem('keys', keysOn.checked ? 'on' : 'off'));
byId('help').addEventListener('click', () => byId('keys').showModal());

addEventListener('keydown', (event) => {
  const typing = event.target instanceof Element && event.target.closest('input:not([type="checkbox"]), select, textarea, dialog');
  if (typing || !keysOn.checked || event.ctrlKey || event.metaKey || event.altKey) return;
  const places = { 1: '#/', 2: '#/accounts', 3: '#/market', 4: '#/correlation' };
  if (places[event.key]) location.hash = places[event.key];
  else if (event.key === 'p') pause(!store.paused);
  else if (event.key === '?') byId('keys').showModal();
  else if (event.key === '/') main.querySelector('input[type="search"]')?.focus();
  else return;
  event.preventDefault();
});

let asking = null;
onToken((refused) => {
  asking ??= new Promise((done) => {
    text(byId('token-error'), refused ? 'That token is refused.' : '');
    byId('token').showModal();
    byId('token-form').onsubmit = (event) => {
      event.preventDefault();
      const value = byId('token-value').value.trim();
      byId('token').close();
      asking = null;
      done(value);
    };
  });
  return asking;
});
byId('token').addEventListener('cancel', (event) => event.preventDefault());

// --- start ----------------------------------------------------------------------------------------

let instance = '';
const stream = new Stream({
  events: take,
  pulse(pulse) {
    store.pulse = pulse;
    store.pulseAt = performance.now();
    const live = instance && instance !== pulse.instance;
    instance = pulse.instance;
    if (store.connection !== 'live') {
      store.connection = 'live';
      tell('connection');
    }
    if (live || (!store.loaded && pulse.shown.reading === 'live')) load().catch(() => {});
    tell('pulse');
  },
  reload() {
    store.reloads = (store.reloads ?? 0) + 1;
    load().catch(() => {});
  },
  state(state, reason) {
    store.connection = state;
    store.reason = reason;
    tell('connection');
  },
});
if (new URLSearchParams(location.search).has('probe')) globalThis.liqmon = { stream, store };
show(false);
stream.run();
