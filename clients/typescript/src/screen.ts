/** Which messages of the event topics a bot may act on: the steps of docs/clients.md, in their order. */

import { createHash } from "node:crypto";

import { type Message, type Reason, Refused } from "./message.js";
import type { AccountEvent } from "./records.js";
import { schemas } from "./schemas.js";
import { type Keys, verify } from "./signature.js";
import { broken } from "./validate.js";

const SCHEMA = "urn:liquidation-monitor:schema:account_event:1";
const MAX_BYTES = 1_000_000;
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$/;
const INTEGER = /^-?\d{1,19}$/;
const HEADERS = [
  "ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_dataschema", "risk-epoch",
] as const;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Topics that are read, by the kinds of event that belong on them. */
export const TOPICS: Readonly<Record<string, readonly string[]>> = {
  "risk.margin-calls.v1": ["warning", "margin_call", "recovered", "resolved"],
  "risk.liquidations.v1": ["liquidation", "bankrupt", "data_hold"],
};

/** How many ids are remembered. */
export const WINDOW = 65_536;

/** An event to act on: the epoch of its sender, the key that vouches for it, SHA-256 of its body. */
export interface Alert {
  readonly event: AccountEvent;
  readonly epoch: bigint;
  readonly signedBy: string | null;
  readonly digest: string;
  readonly message: Message;
}

/** A message that is not acted on. */
export interface Refusal {
  readonly reason: Reason;
  readonly text: string;
  readonly message: Message;
}

export interface ScreenOptions {
  /** With keys every message must be signed by one of them. */
  readonly keys?: Keys | undefined;
  /** Let unsigned messages pass, wrongly signed ones never. */
  readonly allowUnsigned?: boolean;
  readonly window?: number;
}

/** Judges messages one after the other, each partition in its order. */
export class Screen {
  readonly #seen = new Map<string, string>();
  readonly #epochs = new Map<string, bigint>();

  constructor(private readonly options: ScreenOptions = {}) {}

  /** The alert of a message, whose id counts as seen from now on, or why there is none. */
  judge(message: Message, nowUs: number): Alert | Refusal {
    try {
      return this.#judge(message, nowUs);
    } catch (error) {
      if (error instanceof Refused) return { reason: error.reason, text: error.message, message };
      throw error;
    }
  }

  /** Take note of a message that was handled before, in another process: its id and epoch count as seen. */
  seed(message: Message): void {
    this.judge(message, 0);
  }

  #judge(message: Message, nowUs: number): Alert {
    const signedBy = this.#signer(message);
    const { event, epoch } = read(message);
    const place = `${message.topic}/${message.partition}`;
    const highest = this.#epochs.get(place) ?? epoch;
    if (epoch < highest) throw new Refused("stale_epoch", `epoch ${epoch} after ${highest}`);
    this.#epochs.set(place, epoch);
    const digest = createHash("sha256").update(message.value ?? "").digest("hex");
    const seen = this.#seen.get(event.id);
    if (seen !== undefined) throw new Refused(seen === digest ? "repeated" : "two_contents", event.id);
    if (nowUs > event.valid_until_us) throw new Refused("expired", event.id);
    this.#seen.set(event.id, digest);
    const oldest = this.#seen.keys().next().value;
    if (this.#seen.size > (this.options.window ?? WINDOW) && oldest !== undefined) this.#seen.delete(oldest);
    return { event, epoch, signedBy, digest, message };
  }

  #signer(message: Message): string | null {
    if (this.options.keys === undefined) return null;
    try {
      return verify(message, this.options.keys);
    } catch (error) {
      if (error instanceof Refused && error.reason === "unsigned" && this.options.allowUnsigned) return null;
      throw error;
    }
  }
}

/** Decode headers and body, and require that they agree. */
function read(message: Message): { event: AccountEvent; epoch: bigint } {
  const kinds = TOPICS[message.topic];
  if (kinds === undefined) throw new Refused("contradictory", `${message.topic} carries no account events`);
  const headers = readHeaders(message);
  if (headers.schema !== SCHEMA) throw new Refused("unknown_version", `schema ${headers.schema}`);
  const event = readBody(message);
  const of: readonly unknown[] = [event.id, `risk.${event.kind}.v1`, event.account, event.event_time_us, event.account];
  const said = [headers.id, headers.type, headers.subject, headers.timeUs, message.key?.toString("utf8")];
  if (of.some((value, index) => value !== said[index])) {
    throw new Refused("contradictory", "headers, key and body are not of the same event");
  }
  if (!kinds.includes(event.kind)) throw new Refused("contradictory", `${event.kind} does not belong on ${message.topic}`);
  const text = JSON.stringify([event.account, event.episode, event.sequence, event.kind]);
  if (event.id !== createHash("sha256").update(text).digest("hex").slice(0, 32)) {
    throw new Refused("contradictory", "the id is not that of account, episode, sequence and kind");
  }
  return { event, epoch: headers.epoch };
}

function readHeaders(message: Message) {
  const found = new Map(message.headers);
  const text = (name: (typeof HEADERS)[number]): string => {
    try {
      return utf8.decode(found.get(name) ?? Buffer.from([0xff]));
    } catch {
      throw new Refused("malformed", `header ${name} is missing or no text`);
    }
  };
  HEADERS.forEach(text);
  const time = TIME.exec(text("ce_time"));
  if (text("ce_specversion") !== "1.0" || time === null || !INTEGER.test(text("risk-epoch"))) {
    throw new Refused("malformed", "the headers cannot be read");
  }
  const [, seconds, fraction, zone] = time;
  return {
    id: text("ce_id"), type: text("ce_type"), subject: text("ce_subject"), schema: text("ce_dataschema"),
    timeUs: Date.parse(`${seconds}${zone}`) * 1000 + Number((fraction ?? "").padEnd(6, "0")),
    epoch: BigInt(text("risk-epoch")),
  };
}

function readBody(message: Message): AccountEvent {
  if (message.key === null) throw new Refused("contradictory", "there is no key");
  let body: unknown;
  try {
    if (message.value === null || message.value.length > MAX_BYTES) throw new Error("no value, or too long");
    body = JSON.parse(utf8.decode(message.value));
  } catch (error) {
    throw new Refused("malformed", String(error));
  }
  const version = typeof body === "object" && body !== null && "v" in body ? body.v : undefined;
  if (Number.isInteger(version) && version !== 1) throw new Refused("unknown_version", `version ${version}`);
  const wrong = broken(schemas, "AccountEvent", body);
  if (wrong !== null) throw new Refused("malformed", wrong);
  return body as AccountEvent;
}
