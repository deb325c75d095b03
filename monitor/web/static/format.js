// Numbers and times as the page writes them. What is not known is a dash.
const DASH = '–';
const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const cents = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const known = (x) => typeof x === 'number' && Number.isFinite(x);
const minus = (text) => text.replace('-', '\u2212');

export const count = (x) => (known(x) ? whole.format(x) : DASH);
export const usd = (x) => (known(x) ? minus(whole.format(Math.abs(x) < 0.5 ? 0 : x)) : DASH);
export const exact = (x) => (known(x) ? minus(cents.format(x)) : DASH);
export const signed = (x) => (known(x) ? (x > 0 && Math.abs(x) >= 0.005 ? '+' : '') + exact(x) : DASH);
export const percent = (x, digits = 1) => (known(x) ? `${minus((100 * x).toFixed(digits))}\u2009%` : DASH);
export const change = (x, digits = 1) => (known(x) ? (x > 0 ? '+' : '') + percent(x, digits) : DASH);
export const number = (x, digits = 2) => (known(x) ? minus(x.toFixed(digits)) : DASH);

// A price with six significant digits, and never in exponents.
export function price(x) {
  if (!known(x)) return DASH;
  const digits = x === 0 ? 2 : Math.min(8, Math.max(2, 5 - Math.floor(Math.log10(Math.abs(x)))));
  return minus(x.toLocaleString('en-US', { minimumFractionDigits: Math.min(digits, 6), maximumFractionDigits: digits }));
}

export function quantity(x) {
  if (!known(x)) return DASH;
  return minus(x.toLocaleString('en-US', { maximumFractionDigits: 4 }));
}

// Short money for cells that are narrow: 12.3k, 4.56M.
export function brief(x) {
  if (!known(x)) return DASH;
  const size = Math.abs(x);
  const [by, unit] = size >= 1e9 ? [1e9, 'B'] : size >= 1e6 ? [1e6, 'M'] : size >= 1e3 ? [1e3, 'k'] : [1, ''];
  const value = x / by;
  return minus(value.toFixed(unit && Math.abs(value) < 100 ? 1 : 0)) + unit;
}

const two = (x) => String(x).padStart(2, '0');

export function clock(us) {
  if (!us) return DASH;
  const at = new Date(us / 1000);
  return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;
}

export function tenth(us) {
  return us ? `${clock(us)}.${Math.floor((us / 1e5) % 10)}` : DASH;
}

export function day(us) {
  return us ? new Date(us / 1000).toISOString().slice(0, 10) : DASH;
}

export const moment = (us) => (us ? `${day(us)} ${clock(us)}` : DASH);

export function age(s) {
  if (!known(s)) return DASH;
  if (s < 60) return `${s.toFixed(1)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} days`;
}

const WORDS = { margin_call: 'margin call', watchdog_over: 'watchdog over', hold_over: 'hold released', data_hold: 'data hold', single_source: 'single source', no_price: 'no price' };
export const word = (name) => WORDS[name] ?? name;
export { DASH };
