// What the page has been told, and who wants to hear of it.
import { get } from './stream.js';

const KEPT = 2000; // events in the page; older ones are asked for
export const store = { pulse: null, pulseAt: 0, events: [], seen: 0, waiting: 0, connection: 'wait', reason: '', paused: false, loaded: false };
const listeners = new Set();

export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function tell(what) {
  for (const listener of [...listeners]) listener(what);
}

let held = [];

export function take(rows) {
  store.seen += rows.length;
  if (store.paused) {
    held = held.concat(rows).slice(-KEPT);
    store.waiting += rows.length;
    tell('waiting');
    return;
  }
  add(rows);
  tell('events');
}

function add(rows) {
  // Newest first; a batch comes oldest first.
  store.events = rows.slice(-KEPT).reverse().concat(store.events).slice(0, KEPT);
}

export function pause(on) {
  store.paused = on;
  if (!on) {
    const gap = store.waiting > held.length;
    add(held);
    held = [];
    store.waiting = 0;
    if (gap) load();
  }
  tell('paused');
  if (!on) tell('events');
}

// Loads the newest events in one piece: at the beginning, and after a gap.
export async function load() {
  const told = await get('/api/v1/events?limit=500');
  held = [];
  store.waiting = 0;
  store.events = told.events;
  store.loaded = true;
  tell('loaded');
  tell('events');
  return told.id;
}
