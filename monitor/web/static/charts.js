// The few charts that are needed, as SVG and as tables. Each says in words what it shows.
import { h, s, scroller } from './dom.js';
import { brief, clock, exact, moment, usd } from './format.js';

const LINES = [['equity', 'equity', 1], ['im', 'IM', 2], ['mm', 'MM', 3]];
const PAD = { left: 58, right: 14, top: 12, bottom: 24 };

function ticks(least, most, wanted) {
  const rough = (most - least || Math.abs(most) || 1) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const found = [];
  for (let at = Math.ceil(least / step) * step; at <= most + step * 1e-9; at += step) found.push(at);
  return found;
}

// Equity and requirements over market time. `show(points)` draws [time_us, equity, im, mm] rows.
export function overTime(name) {
  const svg = s('svg', { role: 'img', 'aria-label': name });
  const holder = h('div', { class: 'chart' }, svg);
  const values = {};
  const legend = h('div', { class: 'legend' }, LINES.map(([key, label]) => {
    const line = s('svg', { viewBox: '0 0 24 8', 'aria-hidden': 'true' }, s('line', { class: key, x1: 0, x2: 24, y1: 4, y2: 4 }));
    values[key] = h('b', { class: 'n' }, '–');
    return h('span', {}, line, label, values[key]);
  }));
  const moment_ = h('span', { class: 'note' });
  let points = [];
  let scale = null;
  const hair = s('line', { class: 'hair', y1: PAD.top, visibility: 'hidden' });

  function say(point) {
    for (const [key, , i] of LINES) values[key].textContent = point ? usd(point[i]) : '–';
    moment_.textContent = point ? `${clock(point[0])} UTC` : '';
  }

  function draw() {
    const { width, height } = holder.getBoundingClientRect();
    if (!width || !height) return;
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    svg.replaceChildren();
    scale = null;
    if (!points.length) {
      svg.append(s('text', { x: PAD.left, y: height / 2 }, 'No figures yet.'));
      svg.setAttribute('aria-label', `${name}: no figures yet`);
      say(null);
      return;
    }
    const all = points.flatMap((one) => one.slice(1));
    let least = Math.min(...all);
    let most = Math.max(...all);
    const room = (most - least || Math.abs(most) || 1) * 0.06;
    least -= room;
    most += room;
    const from = points[0][0];
    const to = Math.max(points.at(-1)[0], from + 1);
    const x = (us) => PAD.left + ((us - from) / (to - from)) * (width - PAD.left - PAD.right);
    const y = (value) => height - PAD.bottom - ((value - least) / (most - least)) * (height - PAD.top - PAD.bottom);
    for (const at of ticks(least, most, 5)) {
      svg.append(s('line', { class: 'grid-line', x1: PAD.left, x2: width - PAD.right, y1: y(at), y2: y(at) }));
      svg.append(s('text', { x: PAD.left - 8, y: y(at) + 4, 'text-anchor': 'end' }, brief(at)));
    }
    const times = points.length > 1 ? 5 : 1;
    for (let i = 0; i < times; i += 1) {
      const at = from + ((to - from) * i) / Math.max(1, times - 1);
      const anchor = i === 0 ? 'start' : i === times - 1 ? 'end' : 'middle';
      svg.append(s('text', { x: x(at), y: height - 7, 'text-anchor': anchor }, clock(at)));
    }
    svg.append(s('line', { class: 'axis', x1: PAD.left, x2: width - PAD.right, y1: height - PAD.bottom, y2: height - PAD.bottom }));
    for (const [key, , i] of LINES) {
      const d = points.map((one, k) => `${k ? 'L' : 'M'}${x(one[0]).toFixed(1)} ${y(one[i]).toFixed(1)}`).join('');
      svg.append(s('path', { class: key, d: points.length > 1 ? d : `${d}h3` }));
    }
    hair.setAttribute('y2', height - PAD.bottom);
    svg.append(hair);
    scale = { from, to, width };
    const last = points.at(-1);
    say(last);
    svg.setAttribute('aria-label', `${name}, ${moment(from)} to ${moment(last[0])} UTC. Now: ${LINES.map(([, label, i]) => `${label} ${usd(last[i])} USD`).join(', ')}.`);
  }

  holder.addEventListener('pointermove', (event) => {
    if (!scale) return;
    const at = event.clientX - holder.getBoundingClientRect().left;
    const us = scale.from + ((at - PAD.left) / (scale.width - PAD.left - PAD.right)) * (scale.to - scale.from);
    const near = points.reduce((best, one) => (Math.abs(one[0] - us) < Math.abs(best[0] - us) ? one : best), points[0]);
    const x = PAD.left + ((near[0] - scale.from) / (scale.to - scale.from)) * (scale.width - PAD.left - PAD.right);
    for (const end of ['x1', 'x2']) hair.setAttribute(end, x);
    hair.setAttribute('visibility', 'visible');
    say(near);
  });
  holder.addEventListener('pointerleave', () => {
    hair.setAttribute('visibility', 'hidden');
    say(points.at(-1));
  });
  new ResizeObserver(draw).observe(holder);
  return {
    chart: holder, legend, moment: moment_,
    show(found) {
      points = found;
      draw();
    },
  };
}

function tint(cell, rgb, strength) {
  cell.style.backgroundColor = `rgba(var(--${rgb}), ${(0.06 + 0.34 * Math.min(1, strength)).toFixed(3)})`;
}

// A matrix of correlations; numbers in every cell, warm below zero and cool above.
export function matrix(names, values, caption, small = false) {
  const rows = names.map((name, i) => h('tr', {}, h('th', { scope: 'row' }, name), names.map((_, k) => {
    if (i === k) return h('td', { class: 'self' }, '1');
    const value = values[i][k];
    const cell = h('td', {}, `${value < 0 ? '\u2212' : ''}${Math.abs(value).toFixed(2)}`);
    tint(cell, value < 0 ? 'apart' : 'together', Math.abs(value));
    return cell;
  })));
  const head = h('tr', {}, h('td', {}), names.map((name) => h('th', { scope: 'col' }, name)));
  return h('table', { class: `heat matrix ${small ? 'small' : ''}` }, h('caption', { class: 'sr' }, caption), h('thead', {}, head), h('tbody', {}, rows));
}

// P&L of one underlying by price move (columns) and volatility shock (rows).
export function block(underlying, parts) {
  const cells = new Map();
  const moves = [];
  const shocks = [];
  for (const part of parts) {
    const found = /^price ([+-][\d.]+%), volatility (\w+)$/.exec(part.label);
    if (!found) return list(underlying, parts);
    const [, move, shock] = found;
    if (!moves.includes(move)) moves.push(move);
    if (!shocks.includes(shock)) shocks.push(shock);
    cells.set(`${move} ${shock}`, part);
  }
  moves.sort((a, b) => parseFloat(a) - parseFloat(b));
  const largest = Math.max(...parts.map((one) => Math.abs(one.pnl_usd)), 1);
  const rows = shocks.map((shock) => h('tr', {}, h('th', { scope: 'row' }, `vol ${shock}`), moves.map((move) => {
    const part = cells.get(`${move} ${shock}`);
    if (!part) return h('td', { class: 'old' }, '');
    const weight = part.weight > 0 ? `, weight ${(100 * part.weight).toFixed(0)} % in the requirement` : '';
    const cell = h('td', { class: part.weight > 0 ? 'rests' : '', title: `${part.label}: ${exact(part.pnl_usd)} USD${weight}` }, brief(part.pnl_usd), weight && h('span', { class: 'sr' }, weight));
    tint(cell, part.pnl_usd < 0 ? 'minus' : 'plus', Math.abs(part.pnl_usd) / largest);
    return cell;
  })));
  const head = h('tr', {}, h('td', {}), moves.map((move) => h('th', { scope: 'col' }, move.replace('-', '\u2212').replace('.0%', '%'))));
  const caption = `${underlying}: profit or loss by scenario, USD; cells with an outline make the requirement`;
  return h('div', {}, h('h3', {}, underlying), scroller(`scenarios of ${underlying}`, h('table', { class: 'heat' }, h('caption', { class: 'sr' }, caption), h('thead', {}, head), h('tbody', {}, rows))));
}

function list(underlying, parts) {
  const rows = parts.map((one) => h('tr', {}, h('th', { scope: 'row' }, one.label), h('td', { class: 'n' }, exact(one.pnl_usd)), h('td', { class: 'n' }, one.weight ? one.weight.toFixed(4) : '')));
  const head = h('tr', {}, ['scenario', 'P&L, USD', 'weight'].map((label, i) => h('th', { scope: 'col', class: i ? 'n' : '' }, label)));
  return h('div', {}, h('h3', {}, underlying), h('table', {}, h('caption', { class: 'sr' }, `scenarios of ${underlying}`), h('thead', {}, head), h('tbody', {}, rows)));
}

// A change split in parts: a bar to the right adds to the requirement, one to the left takes from it.
export function attribution(groups) {
  const largest = Math.max(...groups.map((one) => Math.abs(one.usd)), 1e-9);
  return h('dl', { class: 'parts' }, groups.flatMap(({ name, usd: value }) => {
    const fill = h('span', { class: value > 0 ? 'up' : 'down' });
    const width = (50 * Math.abs(value)) / largest;
    fill.style.width = `${width}%`;
    fill.style.left = `${value > 0 ? 50 : 50 - width}%`;
    return [h('dt', {}, name), h('dd', { class: 'n' }, `${value > 0.005 ? '+' : ''}${exact(value)}`), h('dd', { class: 'line', 'aria-hidden': 'true' }, fill)];
  }));
}
