// The first view: how many accounts are where, what happens now, who is closest, and the whole over time.
import { accountLink, chips, fill, h, panel, row, scroller, sign, table, text, used } from './dom.js';
import { clock, count, day, exact, percent, tenth, word } from './format.js';
import { answerMark, eventAnswer, openAlerts, whyNot } from './answers.js';
import { matrix, overTime } from './charts.js';
import { store } from './store.js';
import { get } from './stream.js';

const STATUSES = ['healthy', 'warning', 'margin_call', 'liquidation', 'bankrupt', 'recovered'];
export const KINDS = ['warning', 'margin_call', 'liquidation', 'bankrupt', 'data_hold', 'recovered', 'resolved'];
const ROWS = 120;
const PAINT_MS = 250;
const HISTORY_MS = 3500; // a point comes every two seconds
const chosen = new Set(['margin_call', 'liquidation', 'bankrupt', 'data_hold']);
let search = '';
let whole = false;

export function tiles() {
  const made = {};
  const list = h('ul', { class: 'tiles', 'aria-label': 'Accounts by status' }, [...STATUSES, 'data_hold'].map((name) => {
    const number = h('span', { class: 'count' }, '–');
    const share = h('span', { class: 'share' }, '\u00a0');
    made[name] = { number, share };
    const href = name === 'data_hold' ? '#/accounts?held=1' : `#/accounts?status=${name}`;
    return h('li', {}, h('a', { href }, h('span', { class: 'name' }, sign(name, word(name).replace('data hold', 'on data hold'))), number, share));
  }));
  return {
    list,
    show(pulse) {
      const all = Math.max(1, pulse.totals.accounts);
      for (const name of STATUSES) {
        text(made[name].number, count(pulse.counts[name]));
        text(made[name].share, `${percent(pulse.counts[name] / all)} of ${count(pulse.totals.accounts)}`);
      }
      text(made.data_hold.number, count(pulse.held));
      text(made.data_hold.share, 'beside their status');
    },
  };
}

export const EVENT_COLUMNS = [['time, UTC'], ['event'], ['account'], ['MM / equity', 'n'], ['short, USD', 'n'], ['answer'], ['reason', 'why']];
export const eventMark = (one) => `${one.id} ${answerMark(one.id)}`;

// The reason without its first words, which repeat the kind of the event.
function said(reason) {
  const found = /^[A-Z][^:.]{0,60}: (.+)$/s.exec(reason);
  return found ? found[1] : reason;
}

export function eventRow(one, columns = EVENT_COLUMNS, fresh = false) {
  const share = one.equity_usd > 0 ? percent(one.mm_requirement_usd / one.equity_usd) : 'no equity';
  const kind = one.kind === 'data_hold' ? sign('data_hold', one.data_hold ? 'data hold' : 'hold released') : sign(one.kind, one.jump ? `${word(one.kind)}, uncalled` : word(one.kind));
  const made = row(columns, [h('time', { datetime: new Date(one.event_time_us / 1000).toISOString(), title: `${day(one.event_time_us)} ${clock(one.event_time_us)}` }, tenth(one.event_time_us)),
    kind, accountLink(one.account), share, exact(one.shortfall_usd), eventAnswer(one), h('span', { title: one.reason }, said(one.reason))]);
  if (fresh) made.classList.add('new');
  return made;
}

export function deskView() {
  const counts = tiles();
  const events = table('Calls and liquidations, the newest first', EVENT_COLUMNS, { class: 'short' });
  const rate = h('span', { class: 'note' });
  const input = h('input', { type: 'search', placeholder: 'Account or reason', 'aria-label': 'Search events', value: search, oninput: (event) => { search = event.target.value; older = null; paint(); } });
  const wrap = h('input', { type: 'checkbox', checked: whole, onchange: (event) => { whole = event.target.checked; events.table.classList.toggle('short', !whole); } });
  events.table.classList.toggle('short', !whole);
  const foot = h('p', { class: 'note' });
  const closed = h('p', { class: 'note' });
  const open = openAlerts();
  const more = h('button', { type: 'button', onclick: () => find() }, 'Search all that are kept');
  const list = panel('Calls and liquidations', { class: 'w8 tall', head: [input, rate, chips('Kinds of events', KINDS, chosen, () => { older = null; paint(); })] },
    scroller('Calls and liquidations', events.table),
    h('div', { class: 'foot' }, foot, more, closed, h('label', { class: 'check' }, wrap, 'whole reasons')));
  const top = table('Accounts with the highest utilisation', [['account'], ['status'], ['IM / equity', 'n'], ['MM / equity', 'n']]);
  const highest = panel('Highest utilisation', { class: 'w4 tall', head: [h('a', { href: '#/accounts', class: 'note' }, 'all accounts')] }, scroller('Highest utilisation', top.table));
  const book = overTime('Equity and requirements of all accounts, USD');
  const partial = h('span', { class: 'note' });
  const history = panel('All accounts over time, USD', { class: 'w8 mid', head: [book.legend, partial, book.moment] }, book.chart);
  const regime = h('div', { class: 'pad scroll', tabindex: '0', role: 'region', 'aria-label': 'Regime and correlations' });
  const correlation = panel('Correlation', { class: 'w4 mid', head: [h('a', { href: '#/correlation', class: 'note' }, 'whole matrix')] }, regime);
  let timer = 0;
  let drawn = new Set();
  let older = null;
  let lastRate = [performance.now(), store.seen];
  let version = '';
  let historyDue = 0;

  const fits = (one) => (!chosen.size || chosen.has(one.kind)) && (!search || `${one.account}\n${one.reason}`.toLowerCase().includes(search.toLowerCase()));

  function paint() {
    clearTimeout(timer);
    timer = 0;
    const rows = (older ?? store.events).filter(fits).slice(0, ROWS);
    const first = drawn.size === 0;
    const fresh = new Set(rows.map((one) => one.id));
    fill(events.body, rows, (one) => one.id, (one) => eventRow(one, EVENT_COLUMNS, !first && !drawn.has(one.id) && rows.length - drawn.size < 30), eventMark);
    drawn = fresh;
    const kept = older ? 'found' : 'kept here';
    text(closed, whyNot());
    text(foot, rows.length ? `${count(rows.length)} shown of ${count((older ?? store.events).filter(fits).length)} ${kept}; ${count(store.pulse?.events)} read` : store.loaded ? 'No such event so far.' : 'Reading the events.');
  }

  async function find() {
    const query = new URLSearchParams({ limit: '500' });
    if (search) query.set('q', search);
    if (chosen.size) query.set('kind', [...chosen].join(','));
    older = (await get(`/api/v1/events?${query}`)).events;
    paint();
  }

  async function figures() {
    const due = performance.now() > historyDue;
    if (due) historyDue = performance.now() + HISTORY_MS;
    const [ranked, points, told] = await Promise.all([get('/api/v1/accounts?limit=40'), due ? get('/api/v1/history') : null, get('/api/v1/correlation')]);
    fill(top.body, ranked.accounts, (one) => one.account, (one) => row(top.columns, [accountLink(one.account), sign(one.data_hold ? 'data_hold' : one.status, one.data_hold ? `${word(one.status)}, held` : word(one.status)), percent(one.v), used(one.u, one.status)]));
    if (points) {
      book.show(points.points);
      text(partial, points.points.length || !store.pulse ? '' : 'begins when every account of this worker was evaluated once');
    }
    if (!told.correlation || `${told.correlation.version} ${told.correlation.regime}` === version) return;
    version = `${told.correlation.version} ${told.correlation.regime}`;
    const { underlyings, fast, regime: name, absorption_ratio: absorbed } = told.correlation;
    regime.replaceChildren(h('p', {}, sign('regime', `regime: ${name}`), '\u2002', h('span', { class: 'note' }, underlyings.length ? `absorption ratio ${percent(absorbed, 0)}` : '')),
      underlyings.length ? matrix(underlyings.slice(0, 7), fast, 'Fast correlations', true) : h('p', { class: 'note' }, 'No matrix is published before the market has run for a while; netting rests on the floor until then.'));
  }

  return {
    content: [h('h1', { class: 'sr' }, 'Desk'), counts.list, open.box, h('div', { class: 'grid' }, list, highest, history, correlation)],
    refresh(what) {
      if (what === 'answers' || what === 'shown') {
        open.show();
        paint();
      }
      if (store.pulse && what !== 'events') {
        counts.show(store.pulse);
        const now = performance.now();
        if (now - lastRate[0] > 900) {
          text(rate, `${((1000 * (store.seen - lastRate[1])) / (now - lastRate[0])).toFixed(0)} a second`);
          lastRate = [now, store.seen];
        }
      }
      if (what === 'events' || what === 'loaded' || what === 'shown') timer ||= setTimeout(paint, what === 'events' ? PAINT_MS : 0);
      if (what === 'pulse' || what === 'shown' || what === 'loaded') figures().catch(() => {});
    },
    end() {
      clearTimeout(timer);
    },
  };
}
