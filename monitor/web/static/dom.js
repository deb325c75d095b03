// Elements without markup in strings: nothing that a record says is ever read as HTML.
import { percent, word } from './format.js';

const SVG = 'http://www.w3.org/2000/svg';

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  apply(element, attributes);
  element.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function apply(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== 'string') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
}

// Writes a text only where it differs, so that what did not change is not announced or selected away.
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

const SHAPES = {
  healthy: () => s('circle', { cx: 6, cy: 6, r: 4, fill: 'none', stroke: 'currentColor', 'stroke-width': 2 }),
  warning: () => s('path', { d: 'M6 1.5 11 10.5H1Z', fill: 'none', stroke: 'currentColor', 'stroke-width': 1.8, 'stroke-linejoin': 'round' }),
  margin_call: () => s('path', { d: 'M6 1 11.6 11H.4Z', fill: 'currentColor' }),
  liquidation: () => s('rect', { x: 1, y: 1, width: 10, height: 10, rx: 1, fill: 'currentColor' }),
  bankrupt: () => s('path', { d: 'M2 2 10 10M10 2 2 10', stroke: 'currentColor', 'stroke-width': 2.6 }),
  recovered: () => s('path', { d: 'M2 6.5 5 9.5 10.5 2.5', fill: 'none', stroke: 'currentColor', 'stroke-width': 2.2 }),
  data_hold: () => s('path', { d: 'M3.5 1.5V10.5M8.5 1.5V10.5', stroke: 'currentColor', 'stroke-width': 2.6 }),
  stale: () => s('path', { d: 'M6 1A5 5 0 1 0 6 11A5 5 0 1 0 6 1M6 3V6.2L8.4 7.6', fill: 'none', stroke: 'currentColor', 'stroke-width': 1.6 }),
  regime: () => s('path', { d: 'M1 6H4L6 2 8 10 9.5 6H11', fill: 'none', stroke: 'currentColor', 'stroke-width': 1.8 }),
};
SHAPES.resolved = SHAPES.recovered;

// A status or kind: a shape, a word, a colour.
export function sign(name, label = word(name)) {
  const shape = SHAPES[name] ?? SHAPES.stale;
  const svg = s('svg', { viewBox: '0 0 12 12', 'aria-hidden': 'true' }, shape());
  return h('span', { class: `sign s-${name}` }, svg, label);
}

export function flag(label) {
  return sign('stale', label);
}

export function accountLink(name) {
  return h('a', { href: `#/account/${encodeURIComponent(name)}` }, name);
}

// How much of equity a requirement uses; the mark is 100 %, the track ends at 125 %.
export function used(share, status) {
  const fill = h('span', { class: 'fill' });
  const known = typeof share === 'number';
  fill.style.width = `${known ? Math.min(100, Math.max(0, 80 * share)) : 100}%`;
  return h('span', { class: `used s-${status}` }, h('span', { class: 'n' }, known ? percent(share) : 'no equity'), h('span', { class: 'track', 'aria-hidden': 'true' }, fill));
}

// A table; columns are [label, class, title]. Returns it with its body, for `fill`.
export function table(caption, columns, options = {}) {
  const body = h('tbody');
  const head = h('tr', {}, columns.map(([label, kind]) => h('th', { scope: 'col', class: kind }, label)));
  const made = h('table', { class: options.class }, h('caption', { class: 'sr' }, caption), h('thead', {}, head), body);
  return { table: made, body, columns };
}

// Cells in the order of the columns; the first one names the row.
export function row(columns, cells, attributes = {}) {
  return h('tr', attributes, cells.map((cell, i) => (i === 0
    ? h('th', { scope: 'row', class: columns[i]?.[1] }, cell)
    : h('td', { class: columns[i]?.[1] }, cell))));
}

// Puts items into a body in their order. A row whose content is the same stays the same element, and keeps its focus.
export function fill(body, items, keyOf, make, markOf = JSON.stringify) {
  const before = new Map([...body.children].map((one) => [one.dataset.key, one]));
  let place = body.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    const mark = markOf(item);
    let found = before.get(key);
    before.delete(key);
    if (!found || found.mark !== mark) {
      const made = make(item);
      made.dataset.key = key;
      made.mark = mark;
      if (found) {
        const held = found.contains(document.activeElement);
        if (place === found) place = made;
        found.replaceWith(made);
        if (held) made.querySelector('a, button')?.focus({ preventScroll: true });
      }
      found = made;
    }
    if (found === place) place = place.nextElementSibling;
    else body.insertBefore(found, place);
  }
  for (const gone of before.values()) gone.remove();
}

export function panel(title, options, ...content) {
  const id = `p-${title.toLowerCase().replace(/[^a-z]+/g, '-')}`;
  const heading = h('h2', { id }, title);
  return h('section', { class: `panel ${options.class ?? ''}`, 'aria-labelledby': id }, h('div', { class: `head ${options.headClass ?? ''}` }, heading, options.head ?? []), ...content);
}

export function scroller(label, ...content) {
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label }, ...content);
}

export function chips(legend, names, chosen, changed) {
  return h('fieldset', {}, h('legend', { class: 'sr' }, legend), names.map((name) => h('label', { class: 'chip' },
    h('input', { type: 'checkbox', value: name, checked: chosen.has(name), onchange: (event) => {
      if (event.target.checked) chosen.add(name);
      else chosen.delete(name);
      changed();
    } }), sign(name))));
}
