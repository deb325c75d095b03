// One account: what it has, what it needs and why, how far it is, and what would help.
import { fill, flag, h, panel, row, scroller, sign, table, text, used } from './dom.js';
import { age, change, count, exact, moment, percent, price, quantity, signed, usd, word } from './format.js';
import { attribution, block, overTime } from './charts.js';
import { EVENT_COLUMNS, eventMark, eventRow } from './desk.js';
import { store } from './store.js';
import { get } from './stream.js';

const EVERY_MS = { explain: 4000, distance: 20000, plan: 20000 };
const AGAIN_MS = 1500; // the process that answers starts with the first question

export function accountView(name) {
  const facts = h('dl', { class: 'facts' });
  const where = h('p', { class: 'note' });
  const over = overTime(`Equity and requirements of ${name}, USD`);
  const events = table(`Events of ${name}, the newest first`, EVENT_COLUMNS);
  const noEvents = h('p', { class: 'empty' }, 'No event is kept here.');
  const said = (label) => h('p', { class: 'empty' }, `${label} is being computed beside the worker.`);
  const why = h('div', {}, said('The explanation'));
  const greeks = h('div', {}, said('The split by underlying'));
  const scenarios = h('div', { class: 'pad' }, said('The block'));
  const parts = h('div', { class: 'pad' }, said('The attribution'));
  const paths = h('div', {}, said('The distance'));
  const surface = h('div', { class: 'pad' }, said('The surface'));
  const plan = h('div', {}, said('The plan'));
  const stamps = { explain: h('span', { class: 'note' }), distance: h('span', { class: 'note' }), plan: h('span', { class: 'note' }) };
  const next = { explain: 0, distance: 0, plan: 0 };
  let asking = false;
  let ended = false;

  async function figures() {
    const told = await get(`/api/v1/accounts/${encodeURIComponent(name)}`);
    const one = told.account;
    const old = Math.max(0, (told.market_time_us - one.time_us) / 1e6);
    const items = [['status', [sign(one.status), one.data_hold ? [' ', sign('data_hold', 'held')] : []]], ['equity, USD', usd(one.equity_usd)], ['initial requirement, USD', usd(one.im_requirement_usd)],
      ['maintenance, USD', usd(one.mm_requirement_usd)], ['IM / equity', one.u === null ? '–' : percent(one.v)], ['MM / equity', used(one.u, one.status)], ['model', one.model]];
    const mark = JSON.stringify(one);
    if (facts.mark !== mark) {
      facts.mark = mark;
      facts.replaceChildren(...items.map(([label, value]) => h('div', {}, h('dt', {}, label), h('dd', {}, value))));
    }
    text(where, `partition ${told.partition}, ${told.here ? 'evaluated by this worker' : 'of another worker'}; figures of ${moment(one.time_us)} UTC${told.market_time_us && old >= 1 ? `, ${age(old)} ago` : ''}`);
    over.show(told.history);
    noEvents.hidden = told.events.length > 0;
    fill(events.body, told.events, (event) => event.id, (event) => eventRow(event), eventMark);
    return told.here;
  }

  // One question after the other: the worker computes one at a time.
  async function questions() {
    if (asking || ended) return;
    asking = true;
    try {
      for (const [kind, draw] of [['explain', explain], ['distance', distance], ['plan', planned]]) {
        if (ended || store.paused || performance.now() < next[kind]) continue;
        next[kind] = performance.now() + EVERY_MS[kind];
        try {
          const told = await get(`/v1/accounts/${encodeURIComponent(name)}/${kind}`);
          if (ended) return;
          draw(told);
          text(stamps[kind], `as of ${moment(told.market_time_us)} UTC`);
        } catch (error) {
          next[kind] = performance.now() + (error.status === 503 ? AGAIN_MS : EVERY_MS[kind]);
          refused(kind, error);
        }
      }
    } finally {
      asking = false;
    }
  }

  function refused(kind, error) {
    const label = error.status === 503 ? `Not yet: ${error.message}. Asking again.` : error.status === 404 ? `Only its own worker can say: ${error.message}.` : error.message;
    text(stamps[kind], label);
    for (const one of { explain: [why, greeks, scenarios, parts], distance: [paths, surface], plan: [plan] }[kind]) {
      const empty = one.querySelector(':scope > .empty');
      if (empty) text(empty, label);
    }
  }

  function explain(told) {
    const columns = [['position'], ['quantity', 'n'], ['mark', 'n'], ['value, USD', 'n'], ['IM part, USD', 'n'], ['without it, USD', 'n'], ['delta, USD', 'n'], ['gamma, USD per 1 %', 'n'], ['vega, USD per point', 'n'], ['theta, USD per day', 'n']];
    const positions = table(`Positions of ${name}`, columns);
    const four = (one) => (one ? [usd(one.delta_usd), usd(one.gamma_usd_per_pct), usd(one.vega_usd_per_point), usd(one.theta_usd_per_day)] : ['–', '–', '–', '–']);
    fill(positions.body, told.positions, (one) => one.instrument, (one) => row(columns, [one.instrument, quantity(one.quantity), price(one.mark_price), usd(one.value_usd), usd(one.requirement_usd), usd(one.without_usd), ...four(one.greeks)]));
    const flags = told.data_quality.map((one) => [flag(one.replaceAll('_', ' ')), ' ']);
    why.replaceChildren(scroller('Positions', positions.table), flags.length ? h('p', { class: 'pad' }, 'Data: ', flags) : '');
    const byColumns = [['underlying'], ['index, USD', 'n'], ['value, USD', 'n'], ['IM part, USD', 'n'], ['delta, coins', 'n'], ['delta, USD', 'n'], ['gamma, USD per 1 %', 'n'], ['vega, USD per point', 'n'], ['theta, USD per day', 'n']];
    const by = table(`Greeks and requirement of ${name} by underlying`, byColumns);
    fill(by.body, told.underlyings, (one) => one.underlying, (one) => row(byColumns, [one.underlying, price(one.index_price), usd(one.value_usd), usd(one.requirement_usd), quantity(one.delta_coins), ...four(one.greeks)]));
    greeks.replaceChildren(scroller('Greeks by underlying', by.table));
    const names = [...new Set(told.scenarios.map((one) => one.underlying))];
    scenarios.replaceChildren(...(names.length ? names.map((one) => block(one, told.scenarios.filter((part) => part.underlying === one))) : [h('p', { class: 'note' }, 'This model tells no scenarios, or something has no price.')]));
    if (told.change) {
      const { before_usd: before, after_usd: after, groups } = told.change;
      parts.replaceChildren(h('p', {}, `Since ${moment(told.change_since_us)} UTC: ${exact(before)} to ${exact(after)} USD, ${signed(after - before)}`),
        attribution(groups.map((one) => ({ name: one.group, usd: one.sequential_usd }))));
    } else parts.replaceChildren(h('p', { class: 'note' }, 'There is nothing to count from: no event, or figures that cannot be computed.'));
  }

  function distance(told) {
    const columns = [['along'], ['what'], ['now', 'n'], ['below', 'n'], ['move', 'n'], ['in 1 h', 'n'], ['in 1 d', 'n'], ['above', 'n'], ['move', 'n'], ['in 1 h', 'n'], ['in 1 d', 'n']];
    const made = table(`First crossings of ${told.target} along each path`, columns);
    const level = (kind, x) => (kind === 'vol' ? `${signed(100 * x)} points` : price(x));
    const side = (one, kind) => (one ? [level(kind, one.level), kind === 'vol' || kind === 'correlation' ? '\u2013' : change(one.move, 2), percent(one.probability['1h'] ?? null, 2), percent(one.probability['1d'] ?? null, 2)] : ['–', '–', '–', '–']);
    fill(made.body, told.directions, (one) => `${one.kind} ${one.underlying}`, (one) => row(columns, [one.kind, one.underlying || (one.kind === 'correlation' ? 'k' : ''), level(one.kind, one.now), ...side(one.below, one.kind), ...side(one.above, one.kind)]));
    paths.replaceChildren(h('p', { class: 'pad' }, 'Stands at ', sign(told.standing), ' by its figures; first crossings of ', sign(told.target), told.standing === told.target ? ' (the way out of it).' : '.'), scroller('First crossings', made.table));
    if (!told.surface) {
      surface.replaceChildren(h('p', { class: 'note' }, 'There is no surface for this account.'));
      return;
    }
    const { moves, vols, standings, u, underlying } = told.surface;
    const head = h('tr', {}, h('td', {}), moves.map((move) => h('th', { scope: 'col' }, change(move, 0))));
    const rows = vols.map((vol, k) => h('tr', {}, h('th', { scope: 'row' }, vols.length > 1 ? `vol ${signed(100 * vol).replace('.00', '')} points` : 'vol as it is'), moves.map((_, i) => {
      const cell = h('td', {}, h('span', { class: `s-${standings[i][k]}` }, sign(standings[i][k], percent(u[i][k], 0))), h('span', { class: 'sr' }, ` ${word(standings[i][k])}`));
      return cell;
    })));
    surface.replaceChildren(h('p', { class: 'note' }, `MM / equity under moves of ${underlying === 'market' ? 'the whole market, each coin by its beta' : underlying} and shifts of volatility; the sign is the standing.`),
      scroller('Distance surface', h('table', { class: 'heat' }, h('caption', { class: 'sr' }, 'Standing and MM over equity by move of the price and shift of volatility'), h('thead', {}, head), h('tbody', {}, rows))));
  }

  function planned(told) {
    const columns = [['trade'], ['quantity', 'n'], ['of held', 'n'], ['mark, USD', 'n'], ['expected, USD', 'n'], ['cost, USD', 'n']];
    const made = table(`Plan for ${name}`, columns);
    fill(made.body, told.orders, (one) => one.instrument, (one) => row(columns, [one.instrument, `${one.quantity > 0 ? 'buy' : 'sell'} ${quantity(Math.abs(one.quantity))}`, quantity(one.held), price(one.mark_usd), price(one.expected_price_usd), exact(one.cost_usd)]));
    const words = { reduce: 'To be reduced.', nothing: 'Nothing to do: it is inside its target.', infeasible: 'No trades bring it inside its target.' };
    const gain = told.orders.length ? `${count(told.orders.length)} trades for ${exact(told.cost_usd)} USD set free ${exact(told.release_usd)} USD; then IM ${usd(told.im_after_usd)} of equity ${usd(told.equity_after_usd)} USD.` : '';
    const instead = typeof told.deposit_usd === 'number' && told.deposit_usd > 0 ? ` Or a deposit of ${exact(told.deposit_usd)} USD.` : '';
    plan.replaceChildren(h('p', { class: 'pad' }, `${words[told.outcome] ?? `Outcome: ${told.outcome.replaceAll('_', ' ')}.`} ${gain}${instead} A proposal: nothing is sent.`), told.orders.length ? scroller('Plan', made.table) : '');
  }

  async function refresh() {
    try {
      await figures();
    } catch (error) {
      if (error.status === 404) text(where, error.message);
    }
    await questions();
  }

  return {
    content: [h('div', { class: 'title' }, h('h1', {}, name), where), h('section', { class: 'panel', 'aria-label': 'Figures' }, facts),
      h('div', { class: 'grid' },
        panel('Over time, USD', { class: 'w8 mid', head: [over.legend, over.moment] }, over.chart),
        panel('What changed the requirement', { class: 'w4 mid', head: [] }, scroller('What changed the requirement', parts)),
        panel('Positions', { class: 'w12', head: [stamps.explain] }, why),
        panel('Greeks by underlying', { class: 'w12' }, greeks),
        panel('Block by scenario', { class: 'w12', head: [h('span', { class: 'note' }, 'P&L, USD; outlined cells make the requirement')] }, scenarios),
        panel('How far', { class: 'w12', head: [stamps.distance] }, paths),
        panel('Distance surface', { class: 'w12' }, surface),
        panel('Plan', { class: 'w12', head: [stamps.plan] }, plan),
        panel('Events', { class: 'w12' }, scroller('Events', events.table), noEvents))],
    refresh: (what) => (what === 'pulse' || what === 'shown' || what === 'answers') && refresh().catch(() => {}),
    end: () => { ended = true; },
  };
}
