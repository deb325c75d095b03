// Who looks after which alert: what the worker has read of it, and the dialog that answers.
import { accountLink, fill, h, panel, row, scroller, sign, table, text } from './dom.js';
import { clock, day, tenth, word } from './format.js';
import { listen, store, tell } from './store.js';
import { get, send } from './stream.js';

const ANSWERED = new Set(['margin_call', 'liquidation', 'bankrupt', 'data_hold']);
const AGAIN_MS = 10000;
const acks = new Map();
let told = { version: -1, writable: false, why: '', reading: 'starting', alerts: [] };
let asking = false;
let askAfter = 0;

async function load() {
  asking = true;
  try {
    told = await get('/api/v1/acknowledgements');
    acks.clear();
    for (const one of told.acks) acks.set(one.id, one);
    tell('answers');
  } catch {
    askAfter = performance.now() + AGAIN_MS;
  } finally {
    asking = false;
  }
}

listen((what) => {
  if (what !== 'pulse' || asking || performance.now() < askAfter) return;
  if (store.pulse.answers !== told.version || told.reading !== 'live') {
    if (told.reading !== 'live') askAfter = performance.now() + 2000;
    load();
  }
});

// What a row has to be drawn anew for.
export function answerMark(id) {
  return `${acks.get(id)?.at_us ?? ''} ${told.writable}`;
}

// Who answers, or the button that does; nothing for what needs no answer.
export function answerCell(one, what) {
  const found = acks.get(one.id);
  if (found) {
    const label = `${found.by}, ${clock(found.at_us).slice(0, 5)}`;
    return h('span', { class: 'answered', title: `${day(found.at_us)} ${clock(found.at_us)} UTC${found.text ? `: ${found.text}` : ''}` }, sign('recovered', label), found.text ? h('span', { class: 'sr' }, `: ${found.text}`) : '');
  }
  if (!told.writable) return '\u2013';
  return h('button', { type: 'button', class: 'answer', 'aria-label': `Acknowledge ${what}`, onclick: () => ask(one.id, what) }, 'Acknowledge');
}

export function eventAnswer(one) {
  if (!ANSWERED.has(one.kind) || (one.kind === 'data_hold' && !one.data_hold)) return '';
  return answerCell(one, `${word(one.kind)} of ${one.account} at ${tenth(one.event_time_us)}`);
}

// --- the dialog -----------------------------------------------------------------------------------

const byId = (id) => document.getElementById(id);
let about = '';

function ask(id, what) {
  about = id;
  text(byId('answer-what'), `${what[0].toUpperCase()}${what.slice(1)}`);
  text(byId('answer-error'), '');
  byId('answer-by').value = localStorage.getItem('answer-by') ?? '';
  byId('answer-text').value = '';
  byId('answer').showModal();
  (byId('answer-by').value ? byId('answer-text') : byId('answer-by')).focus();
}

byId('answer-cancel').addEventListener('click', () => byId('answer').close());
byId('answer-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const by = byId('answer-by').value.trim();
  byId('answer-send').disabled = true;
  try {
    const { ack } = await send('/api/v1/acknowledgements', { id: about, by, text: byId('answer-text').value.trim() });
    localStorage.setItem('answer-by', by);
    acks.set(ack.id, ack);
    byId('answer').close();
    text(byId('announce'), `Acknowledged by ${ack.by}.`);
  } catch (error) {
    text(byId('answer-error'), error.status ? `Not noted: ${error.message}.` : 'Not noted: the worker does not answer.');
    if (error.status === 409) load();
  } finally {
    byId('answer-send').disabled = false;
  }
  tell('answers');
});

// --- open alerts ----------------------------------------------------------------------------------

const COLUMNS = [['told, UTC'], ['alert'], ['account'], ['answer'], ['told again, UTC'], ['text', 'why']];

export function openAlerts() {
  const made = table('Open alerts, the newest first', COLUMNS);
  const note = h('span', { class: 'note' });
  const box = panel('Open alerts', { class: 'open', head: [note] }, scroller('Open alerts', made.table));
  box.hidden = true;
  return {
    box,
    show() {
      box.hidden = told.alerts.length === 0;
      const left = told.alerts.filter((one) => one.waits && !acks.has(one.id)).length;
      text(note, left ? `${left} wait for an answer` : 'none waits for an answer');
      fill(made.body, told.alerts, (one) => one.id, (one) => row(COLUMNS, [
        h('time', { datetime: new Date(one.told_us / 1000).toISOString(), title: day(one.told_us) }, clock(one.told_us)), sign(one.kind, word(one.kind)), one.account ? accountLink(one.account) : '\u2013',
        one.waits || acks.has(one.id) || one.kind === 'watchdog' ? answerCell(one, `${word(one.kind)}${one.account ? ` of ${one.account}` : ''} told at ${clock(one.told_us)}`) : '\u2013',
        one.told_again_us && !acks.has(one.id) ? clock(one.told_again_us) : '\u2013', h('span', { title: one.text }, one.text)]),
      (one) => `${one.told_again_us} ${answerMark(one.id)}`);
    },
  };
}

// Why there is no button, where somebody would look for one.
export function whyNot() {
  if (told.version < 0) return '';
  if (told.reading.startsWith('notes')) return `Who answers is not known: ${told.reading}.`;
  return told.writable ? '' : `Read-only: ${told.why}.`;
}
