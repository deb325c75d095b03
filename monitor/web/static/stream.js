// Asks the worker, and follows its stream. The stream is read with fetch: a token goes along in a header, which the
// browser's own EventSource cannot send, and the page says at once when it broke.
const QUIET_MS = 5000; // a pulse comes each second; a stream without one for so long is broken
const AGAIN_MS = [500, 1000, 2000, 5000, 10000];
let token = sessionStorage.getItem('token') ?? '';
let needToken = () => Promise.resolve('');

export function onToken(ask) {
  needToken = ask;
}

const headers = () => (token ? { Authorization: `Bearer ${token}` } : {});

export class Refused extends Error {
  constructor(status, told) {
    super(told);
    this.status = status;
  }
}

async function asked(path, options = {}) {
  const sent = token;
  const answer = await fetch(path, { cache: 'no-store', ...options, headers: { ...headers(), ...options.headers } });
  if (answer.status === 401 && sent !== token) return asked(path, options);
  if (answer.status === 401) {
    token = await needToken(sent !== '' && sent === token);
    sessionStorage.setItem('token', token);
    return asked(path, options);
  }
  return answer;
}

export async function get(path) {
  const answer = await asked(path);
  const body = await answer.json();
  if (!answer.ok) throw new Refused(answer.status, body.error ?? `status ${answer.status}`);
  return body;
}

export async function send(path, body) {
  const answer = await asked(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  const said = await answer.json();
  if (!answer.ok) throw new Refused(answer.status, said.error ?? `status ${answer.status}`);
  return said;
}

// Calls on.events(rows), on.pulse(pulse), on.reload(), on.state('live' | 'broken', reason) until the page is left.
export class Stream {
  constructor(on) {
    this.on = on;
    this.last = '';
    this.breaks = 0;
    this.abort = null;
  }

  async run() {
    for (let attempt = 0; ; attempt += 1) {
      let reason = 'the connection ended';
      try {
        await this.follow(() => { attempt = 0; });
      } catch (error) {
        reason = error instanceof Refused ? error.message : 'the worker does not answer';
      }
      this.breaks += 1;
      this.on.state('broken', reason);
      await new Promise((done) => { setTimeout(done, AGAIN_MS[Math.min(attempt, AGAIN_MS.length - 1)]); });
    }
  }

  // For tests and for a network that changed under the page.
  drop() {
    this.abort?.abort();
  }

  async follow(well) {
    this.abort = new AbortController();
    let timer = setTimeout(() => this.abort.abort(), QUIET_MS);
    try {
      const answer = await asked('/api/v1/stream', { signal: this.abort.signal, headers: this.last ? { 'Last-Event-ID': this.last } : {} });
      if (!answer.ok) throw new Refused(answer.status, (await answer.json()).error);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let kept = '';
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => this.abort.abort(), QUIET_MS);
        const messages = (kept + value).split('\n\n');
        kept = messages.pop();
        for (const message of messages) this.take(message);
        well();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  take(message) {
    const told = { event: 'message', data: '' };
    for (const line of message.split('\n')) {
      const colon = line.indexOf(':');
      const value = line.slice(colon + 1).replace(/^ /, '');
      told[line.slice(0, colon)] = value;
    }
    if (told.id) this.last = told.id;
    if (told.event === 'reload') this.on.reload();
    else if (told.event === 'events') this.on.events(JSON.parse(told.data));
    else if (told.event === 'pulse') this.on.pulse(JSON.parse(told.data));
  }
}
