/** Signed messages: who vouches for one. The layout is in docs/security.md. */

import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

import { type Message, Refused } from "./message.js";

const HEADER = "risk-signature";
const LAYOUT = "1";
const ALGORITHM = "hmac-sha256";
const LEAST_KEY_BYTES = 32;
const DOMAIN = "liquidation-monitor event signature\0";
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const URL_BASE64 = /^[A-Za-z0-9_-]+={0,2}$/;

/** Shared keys by their id. */
export type Keys = ReadonlyMap<string, Buffer>;

/** Read a key file: `ID hmac-sha256 BASE64`, one a line. No error quotes a key. */
export function readKeys(path: string): Keys {
  const keys = new Map<string, Buffer>();
  readFileSync(path, "utf8").split("\n").forEach((line, index) => {
    const words = line.trim().split(/\s+/);
    if (words[0] === "" || words[0]?.startsWith("#")) return;
    const [name, algorithm, text] = words;
    const secret = BASE64.test(text ?? "") ? Buffer.from(text ?? "", "base64") : Buffer.alloc(0);
    if (words.length !== 3 || name === undefined || algorithm !== ALGORITHM || secret.length < LEAST_KEY_BYTES) {
      throw new Error(`${path}: line ${index + 1} is not an id, ${ALGORITHM} and a key of ${LEAST_KEY_BYTES} bytes or more`);
    }
    if (keys.has(name)) throw new Error(`${path}: line ${index + 1}: key ${name} is there twice`);
    keys.set(name, secret);
  });
  if (keys.size === 0) throw new Error(`${path} has no keys`);
  return keys;
}

/** The id of the key that signed a message; throws Refused. */
export function verify(message: Message, keys: Keys): string {
  const found = message.headers.filter(([name]) => name === HEADER);
  if (found.length === 0) throw new Refused("unsigned", "there is no signature");
  const parts = (found[0]?.[1] ?? Buffer.alloc(0)).toString("latin1").split(";");
  const [layout, algorithm, name, text] = parts;
  if (found.length > 1 || parts.length !== 4 || name === undefined || !URL_BASE64.test(text ?? "")) {
    throw new Refused("tampered", "the signature cannot be read");
  }
  if (layout !== LAYOUT || algorithm !== ALGORITHM) {
    throw new Refused("unknown_key", "a layout or an algorithm that is not known here");
  }
  const secret = keys.get(name);
  if (secret === undefined) throw new Refused("unknown_key", `key ${JSON.stringify(name)} is none of ours`);
  const mac = Buffer.from(text ?? "", "base64url");
  const expected = sum(name, secret, message);
  if (mac.length !== expected.length || !timingSafeEqual(mac, expected)) {
    throw new Refused("tampered", "the signature is not of this message");
  }
  return name;
}

/** Every part with its length before it, so that no two messages have the same signed bytes; null is not empty. */
function sum(name: string, secret: Buffer, message: Message): Buffer {
  const mac = createHmac("sha256", secret).update(DOMAIN);
  const part = (value: Buffer | string | null): void => {
    if (value === null) mac.update("-");
    else mac.update(`${Buffer.byteLength(value)}:`).update(value);
  };
  for (const value of [LAYOUT, ALGORITHM, name, message.key, message.value]) part(value);
  for (const [header, value] of message.headers) {
    const ours = header.startsWith("ce_") || header.startsWith("risk-") || header === "content-type";
    if (ours && header !== HEADER) {
      part(header);
      part(value);
    }
  }
  return mac.digest();
}
