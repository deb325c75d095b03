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
let asked = 0; // questions for the newest events that are not answered yet
let meanwhile = []; // what came by the stream while the newest events were asked for

export function take(rows) {
  store.seen += rows.length;
  if (asked) meanwhile = meanwhile.concat(rows).slice(-KEPT);
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
  // Newest first; a batch comes oldest first. What was asked for may hold what the stream tells after it.
  const known = new Set(store.events.map((one) => one.id));
  store.events = rows.filter((one) => !known.has(one.id)).slice(-KEPT).reverse().concat(store.events).slice(0, KEPT);
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
  if (!asked) meanwhile = [];
  asked += 1;
  let told;
  try {
    told = await get('/api/v1/events?limit=500');
  } finally {
    asked -= 1;
  }
  held = [];
  store.waiting = 0;
  store.events = told.events;
  const known = new Set(told.events.map((one) => one.id));
  add(meanwhile.slice(1 + meanwhile.findLastIndex((one) => known.has(one.id))));
  store.loaded = true;
  tell('loaded');
  tell('events');
  return told.id;
}
