/** Messages, and why one is not acted on. */

/** One message as Kafka gave it; `topic` is without a deployment's prefix. */
export interface Message {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: ReadonlyArray<readonly [string, Buffer]>;
}

/** Why a message is not acted on; docs/clients.md explains each. */
export type Reason =
  | "unsigned" | "unknown_key" | "tampered" | "malformed" | "unknown_version" | "contradictory" | "stale_epoch"
  | "repeated" | "two_contents" | "expired";

/** Carries a reason out of the steps. */
export class Refused extends Error {
  constructor(readonly reason: Reason, text: string) {
    super(text);
  }
}
