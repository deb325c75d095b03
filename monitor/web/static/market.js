// The market as the worker has folded it; what is stale or held says so in words.
import { fill, flag, h, panel, row, scroller, sign, table, text } from './dom.js';
import { age, change, count, day, percent, price, word } from './format.js';
import { store } from './store.js';
import { get } from './stream.js';

const QUIET_S = 10;
const SILENT_S = 5; // as the line at the top warns
const SLICE_S = 300;
const RESTS = { mark: 'fresh mark', average: 'average of prices', none: 'index alone' };

export function marketView() {
  let search = '';
  let stale = false;
  let told = null;
  const indexColumns = [['underlying'], ['index, USD', 'n'], ['state'], ['fresh sources', 'n'], ['unchanged for', 'n'], ['volatility, year', 'n'], ['price range', 'n'], ['options', 'n'], ['expiries', 'n'], ['oldest slice', 'n']];
  const contractColumns = [['contract'], ['type'], ['expiry'], ['mark, USD', 'n'], ['basis', 'n'], ['mark rests on'], ['funding, 8 h', 'n'], ['state']];
  const indices = table('Composite indices', indexColumns);
  const contracts = table('Perpetuals and futures', contractColumns);
  const note = h('span', { class: 'note' });
  const input = h('input', { type: 'search', placeholder: 'Underlying or contract', 'aria-label': 'Search the market', oninput: (event) => { search = event.target.value; draw(); } });
  const only = h('label', { class: 'chip' }, h('input', { type: 'checkbox', onchange: (event) => { stale = event.target.checked; draw(); } }), h('span', {}, 'stale or held only'));
  const left = h('p', { class: 'note' });

  // Nothing in the market ages while no record comes: then nothing in it may be called good.
  const good = () => (store.pulse?.heard_s > SILENT_S ? flag('silent') : sign('healthy', 'good'));
  const quiet = (one) => one.quiet_s > QUIET_S;
  const index = (one) => [one.underlying, price(one.price_usd), h('span', {}, one.held ? sign('data_hold', 'held') : good(), one.flags.map((name) => [' ', flag(word(name))])),
    `${one.fresh_sources} of ${one.sources}`, quiet(one) ? flag(age(one.quiet_s)) : age(one.quiet_s), percent(one.annual_vol), percent(one.price_range), count(one.options),
    one.without_slice ? h('span', {}, `${one.expiries} `, flag(`${one.without_slice} without a slice`)) : count(one.expiries), one.slice_age_s > SLICE_S ? flag(age(one.slice_age_s)) : age(one.slice_age_s)];
  const contract = (one) => [one.instrument, one.type, one.expiry_us ? day(one.expiry_us) : '–', price(one.mark_usd), change(one.basis, 3), one.rests_on === 'none' ? flag(RESTS.none) : RESTS[one.rests_on],
    one.funding_stale ? flag('stale') : one.funding_rate_8h === null ? '–' : change(one.funding_rate_8h, 4), one.stale ? flag('stale') : good()];

  function draw() {
    if (!told) return;
    const wanted = search.trim().toLowerCase();
    const silent = store.pulse?.heard_s > SILENT_S;
    const rounded = (one) => ({ ...one, quiet_s: Math.round(one.quiet_s * 10) / 10, silent });
    fill(indices.body, told.indices.filter((one) => one.underlying.toLowerCase().includes(wanted) && (!stale || one.held || one.flags.length || quiet(one))).map(rounded), (one) => one.underlying, (one) => row(indexColumns, index(one)));
    const fits = told.contracts.filter((one) => one.instrument.toLowerCase().includes(wanted) && (!stale || one.stale || one.funding_stale || store.pulse?.heard_s > SILENT_S));
    fill(contracts.body, fits.map((one) => ({ ...one, silent })), (one) => one.instrument, (one) => row(contractColumns, contract(one)));
    const held = told.indices.filter((one) => one.held).length;
    text(note, `${held} of ${told.indices.length} indices held`);
    text(left, `${count(fits.length)} contracts shown${told.left_out ? `, ${count(told.left_out)} left out` : ''}`);
  }

  async function refresh() {
    told = (await get('/api/v1/market')).market;
    draw();
    if (!told) text(left, 'The worker has not looked at its market yet.');
  }

  return {
    content: [h('div', { class: 'title' }, h('h1', {}, 'Market'), h('div', { class: 'controls' }, input, only)),
      panel('Indices', { head: [note] }, scroller('Indices', indices.table)),
      panel('Perpetuals and futures', {}, scroller('Perpetuals and futures', contracts.table), h('div', { class: 'foot' }, left))],
    refresh: (what) => (what === 'pulse' || what === 'shown') && refresh().catch(() => {}),
  };
}

