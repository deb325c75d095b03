/** The event topics through a consumer group: alerts from where the group stopped, committed as they are finished. */

import { randomUUID } from "node:crypto";

import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from "kafkajs";

import type { Message } from "./message.js";
import { type Alert, type Refusal, type Screen, TOPICS } from "./screen.js";

/**
 * Messages of each partition before the committed one that are read to know what was handled: more than a flush has
 * events, so that whatever a monitor repeats after its own crash is known.
 */
export const LOOK_BACK = 1_000n;
const COMMIT_MS = 1_000; // what a crash lets be delivered again
const SESSION_MS = 10_000; // how long a dead member keeps its partitions

export interface SubscribeOptions {
  readonly kafka: Kafka;
  readonly screen: Screen;
  readonly prefix?: string;
  /**
   * The group that remembers what is finished; its members share the accounts. Without one all of both topics is read,
   * from the oldest event kept, and nothing is remembered.
   */
  readonly group?: string | undefined;
  /** End where the topics ended at the beginning; meant for a group's only member. */
  readonly untilEnd?: boolean;
  readonly nowUs?: () => number;
  readonly onRefused?: (refusal: Refusal) => void;
}

/** What a handler returns to end the subscription after the alert in its hand, which counts as finished. */
export const ENOUGH = Symbol("enough");

/** How far one partition is: what is finished, by the group at first, and what of that is committed. */
interface Progress {
  done: bigint | null;
  told: bigint | null;
}

/** Alerts of both topics, each partition in its order; `counts` are messages by reason, alerts under `delivered`. */
export class Subscription {
  readonly counts: Record<string, number> = {};
  readonly #topics: readonly string[];
  readonly #group: string;
  readonly #consumer: Consumer;
  readonly #places = new Map<string, Progress>();
  readonly #left = new Map<string, bigint>();
  #share: Promise<void> = Promise.resolve();
  #working: Promise<void> = Promise.resolve();
  #joined = 0;
  #ended = false;

  constructor(private readonly options: SubscribeOptions) {
    this.#topics = Object.keys(TOPICS).map((topic) => `${options.prefix ?? ""}${topic}`);
    this.#group = options.group ?? `${options.prefix ?? ""}bot-${randomUUID()}`;
    this.#consumer = options.kafka.consumer({ groupId: this.#group, maxWaitTimeInMs: 200, sessionTimeout: SESSION_MS });
  }

  /**
   * Hand each alert to `handle`, until it returns ENOUGH, the end, or `stop`. An alert is finished when `handle` has
   * returned; finished ones are committed every second and at the end. A crash in between, or a rebalance, has them
   * delivered once more, to whoever follows. An error of `handle` leaves its alert unfinished, and is thrown.
   */
  async run(handle: (alert: Alert) => unknown, stop?: AbortSignal): Promise<void> {
    await this.#findEnds();
    await this.#consumer.connect();
    let timer: NodeJS.Timeout | undefined;
    try {
      await this.#consumer.subscribe({ topics: [...this.#topics], fromBeginning: true });
      await new Promise<void>((resolve, reject) => {
        const end = (): void => {
          this.#ended = true;
          resolve();
        };
        const fail = (error: unknown): void => {
          this.#ended = true;
          reject(error instanceof Error ? error : new Error(String(error)));
        };
        stop?.addEventListener("abort", end, { once: true });
        if (stop?.aborted || this.#isAtEnd()) end();
        const { CRASH, GROUP_JOIN } = this.#consumer.events;
        this.#consumer.on(CRASH, ({ payload }) => fail(payload.error));
        this.#consumer.on(GROUP_JOIN, ({ payload }) => {
          this.#joined += 1;
          this.#share = this.#begin(payload.memberAssignment, this.#joined).catch(fail);
        });
        timer = setInterval(() => void this.#commit().catch(fail), COMMIT_MS);
        this.#consumer
          .run({
            autoCommit: false, eachBatchAutoResolve: false,
            eachBatch: (payload) => {
              this.#working = this.#batch(payload, handle, end, fail);
              return this.#working;
            },
          })
          .catch(fail);
      });
    } finally {
      clearInterval(timer);
      await this.#working.catch(() => undefined);
      try {
        await this.#commit();
      } finally {
        await this.#consumer.disconnect();
      }
    }
  }

  /** Have the partitions of a new share read from a little before what the group has committed. */
  async #begin(share: Readonly<Record<string, readonly number[]>>, joined: number): Promise<void> {
    this.#places.clear();
    const committed = await this.#committed();
    if (joined !== this.#joined) return; // shared out again meanwhile
    for (const [topic, partitions] of Object.entries(share)) {
      for (const partition of partitions) {
        const offset = committed.get(`${topic}/${partition}`) ?? null;
        this.#places.set(`${topic}/${partition}`, { done: offset, told: offset });
        if (offset === null) continue;
        const first = offset > LOOK_BACK ? offset - LOOK_BACK : 0n;
        this.#consumer.seek({ topic, partition, offset: String(first) });
      }
    }
  }

  async #committed(): Promise<Map<string, bigint>> {
    const found = new Map<string, bigint>();
    if (this.options.group === undefined) return found;
    const admin = this.options.kafka.admin();
    await admin.connect();
    try {
      for (const { topic, partitions } of await admin.fetchOffsets({ groupId: this.#group, topics: [...this.#topics] })) {
        for (const { partition, offset } of partitions) {
          if (BigInt(offset) >= 0n) found.set(`${topic}/${partition}`, BigInt(offset));
        }
      }
      return found;
    } finally {
      await admin.disconnect();
    }
  }

  async #batch(
    payload: EachBatchPayload, handle: (alert: Alert) => unknown, end: () => void, fail: (error: unknown) => void,
  ): Promise<void> {
    const { batch, heartbeat, isRunning, isStale, resolveOffset } = payload;
    await this.#share;
    for (const record of batch.messages) {
      const progress = this.#places.get(`${batch.topic}/${batch.partition}`);
      // What was fetched for a former share, or before it was known where to begin, comes again.
      if (this.#ended || !isRunning() || isStale() || progress === undefined) return;
      const alert = this.#judge(batch.topic, batch.partition, record, progress);
      let enough = false;
      try {
        enough = alert !== null && (await handle(alert)) === ENOUGH;
      } catch (error) {
        fail(error); // told here: kafkajs would try the same batch again
        return;
      }
      const next = BigInt(record.offset) + 1n;
      if (progress.done === null || progress.done < next) progress.done = next;
      resolveOffset(record.offset);
      if (enough || this.#isAtEnd()) end();
      await heartbeat(); // what it throws has kafkajs join again
    }
  }

  /** The alert of a message, null if it was handled before or is not to be acted on. */
  #judge(topic: string, partition: number, record: KafkaMessage, { done }: Progress): Alert | null {
    const offset = BigInt(record.offset);
    const end = this.#left.get(`${topic}/${partition}`);
    if (end !== undefined && offset >= end - 1n) this.#left.delete(`${topic}/${partition}`);
    const message = this.#message(topic, partition, record);
    if (done !== null && offset < done) {
      this.options.screen.seed(message);
      return null;
    }
    // Event topics are neither compacted nor transactional: what is not there was deleted.
    if (done !== null && offset > done) this.#count("lost", Number(offset - done));
    const result = this.options.screen.judge(message, this.options.nowUs?.() ?? Date.now() * 1000);
    if (!("reason" in result)) {
      this.#count("delivered");
      return result;
    }
    this.#count(result.reason);
    this.options.onRefused?.(result);
    return null;
  }

  #message(topic: string, partition: number, record: KafkaMessage): Message {
    const headers = Object.entries(record.headers ?? {}).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value ?? ""]).map((one): readonly [string, Buffer] => [name, Buffer.from(one)]),
    );
    return {
      topic: topic.slice((this.options.prefix ?? "").length), partition, offset: record.offset, key: record.key,
      value: record.value, headers,
    };
  }

  /** Tell the group what is finished; where it has given a partition to another member meanwhile, that one begins before. */
  async #commit(): Promise<void> {
    if (this.options.group === undefined) return;
    const due = [...this.#places].filter(([, { done, told }]) => done !== null && done !== told);
    const offsets = due.map(([place, { done }]) => {
      const slash = place.lastIndexOf("/");
      return { topic: place.slice(0, slash), partition: Number(place.slice(slash + 1)), offset: String(done) };
    });
    if (offsets.length === 0) return;
    try {
      await this.#consumer.commitOffsets(offsets);
      offsets.forEach(({ offset }, index) => {
        const progress = due[index]?.[1];
        if (progress !== undefined) progress.told = BigInt(offset);
      });
    } catch (error) {
      if (!REBALANCED.has(String((error as { type?: unknown }).type))) throw error;
      this.#count("uncommitted", offsets.length);
    }
  }

  async #findEnds(): Promise<void> {
    const admin = this.options.kafka.admin();
    await admin.connect();
    try {
      for (const topic of this.#topics) {
        for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
          if (BigInt(high) > BigInt(low)) this.#left.set(`${topic}/${partition}`, BigInt(high));
        }
      }
    } finally {
      await admin.disconnect();
    }
  }

  #isAtEnd(): boolean {
    return this.options.untilEnd === true && this.#left.size === 0;
  }

  #count(reason: string, by = 1): void {
    this.counts[reason] = (this.counts[reason] ?? 0) + by;
  }
}

const REBALANCED = new Set(["ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS", "UNKNOWN_MEMBER_ID"]);
