// The matrices that netting rests on, and the regime that decides how much.
import { fill, h, panel, row, scroller, sign, table } from './dom.js';
import { moment, number, percent } from './format.js';
import { matrix } from './charts.js';
import { get } from './stream.js';

const WHICH = [['fast', 'fast'], ['slow', 'slow'], ['difference', 'fast less slow']];

export function correlationView() {
  let which = 'fast';
  let told = null;
  let mark = '';
  const facts = h('dl', { class: 'facts' });
  const holder = h('div', { class: 'pad' });
  const columns = [['time, UTC'], ['from'], ['to'], ['because of']];
  const changes = table('Changes of regime, the newest first', columns);
  const none = h('p', { class: 'empty' }, 'No change of regime so far.');
  const choose = h('fieldset', {}, h('legend', { class: 'sr' }, 'Matrix'), WHICH.map(([value, label]) => h('label', { class: 'chip' },
    h('input', { type: 'radio', name: 'which', value, checked: value === which, onchange: () => { which = value; draw(); } }), h('span', {}, label))));

  function draw() {
    const found = told?.correlation;
    const now = JSON.stringify([which, found]);
    if (!found || now === mark) return;
    mark = now;
    facts.replaceChildren(...[['regime', sign('regime', found.regime)], ['since', found.regime_since_us ? moment(found.regime_since_us) : 'the beginning'],
      ['absorption ratio', percent(found.absorption_ratio, 1)], ['its rise in an hour', percent(found.rise, 1)], ['distance of fast and slow', number(found.distance, 3)], ['version', String(found.version)]]
      .map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
    const { underlyings, fast, slow } = found;
    if (!underlyings.length) {
      holder.replaceChildren(h('p', { class: 'empty' }, 'No matrix is published before the market has run for a while. Until then coins are netted with the floor correlation of the parameter set.'));
      return;
    }
    const values = which === 'slow' ? slow : which === 'fast' ? fast : fast.map((line, i) => line.map((value, k) => value - slow[i][k]));
    const notes = [found.quiet.length ? `Taken as uncorrelated, because they hardly move: ${found.quiet.join(', ')}.` : '', found.stale.length ? `Without a return at the last minute, because their index is held: ${found.stale.join(', ')}.` : ''].filter(Boolean);
    holder.replaceChildren(scroller('Correlation matrix', matrix(underlyings, values, `Correlations, ${which}, published ${moment(found.time_us)} UTC`)),
      h('p', { class: 'note' }, `Published ${moment(found.time_us)} UTC. Blue: together; orange: against each other; the number says how much. `, notes.join(' ')));
  }

  async function refresh() {
    told = await get('/api/v1/correlation');
    draw();
    none.hidden = told.changes.length > 0;
    fill(changes.body, told.changes, (one) => one.id, (one) => row(columns, [moment(one.event_time_us), one.state_from || '–', sign('regime', one.state_to), one.reason.replaceAll('_', ' ')]));
  }

  return {
    content: [h('div', { class: 'title' }, h('h1', {}, 'Correlation')), h('section', { class: 'panel', 'aria-label': 'Regime' }, facts),
      h('div', { class: 'grid' }, panel('Matrix', { class: 'w7', headClass: 'one', head: [choose] }, holder), panel('Changes of regime', { class: 'w5' }, scroller('Changes of regime', changes.table, none)))],
    refresh: (what) => (what === 'pulse' || what === 'shown') && refresh().catch(() => {}),
  };
}
