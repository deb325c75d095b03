#!/usr/bin/env node
/** Print margin calls and liquidations as JSON, one a line; counts of what was refused at the end, on standard error. */

import { randomUUID } from "node:crypto";
import { parseArgs } from "node:util";

import { type Consumer, Kafka, type KafkaMessage, logLevel } from "kafkajs";

import { protection } from "./connect.js";
import { type Message, readKeys, Screen, TOPICS } from "./index.js";

const { values: given } = parseArgs({
  options: {
    broker: { type: "string", default: "127.0.0.1:9092" },
    prefix: { type: "string", default: "" },
    group: { type: "string" },
    keys: { type: "string" },
    "allow-unsigned": { type: "boolean", default: false },
    "until-end": { type: "boolean", default: false },
    replay: { type: "boolean", default: false },
    insecure: { type: "boolean", default: false },
  },
});

const brokers = given.broker.split(",");
const keys = given.keys === undefined ? undefined : readKeys(given.keys);
const screen = new Screen({ keys, allowUnsigned: given["allow-unsigned"] });
const counts: Record<string, number> = {};

function take(topic: string, partition: number, record: KafkaMessage): void {
  const headers = Object.entries(record.headers ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value ?? ""]).map((one): readonly [string, Buffer] => [name, Buffer.from(one)]),
  );
  const message: Message = {
    topic: topic.slice(given.prefix.length), partition, offset: record.offset, key: record.key, value: record.value, headers,
  };
  const result = screen.judge(message, given.replay ? 0 : Date.now() * 1000);
  if ("reason" in result) {
    counts[result.reason] = (counts[result.reason] ?? 0) + 1;
    return;
  }
  counts["delivered"] = (counts["delivered"] ?? 0) + 1;
  const { event, epoch, signedBy, digest } = result;
  const line = {
    topic: message.topic, partition, offset: Number(record.offset), id: event.id, kind: event.kind, account: event.account,
    shortfall_usd: event.shortfall_usd, epoch: Number(epoch), signed_by: signedBy, digest,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function ends(kafka: Kafka, topics: readonly string[]): Promise<Map<string, bigint>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const found = new Map<string, bigint>();
    for (const topic of topics) {
      for (const { partition, high } of await admin.fetchTopicOffsets(topic)) {
        if (BigInt(high) > 0n) found.set(`${topic}/${partition}`, BigInt(high));
      }
    }
    return found;
  } finally {
    await admin.disconnect();
  }
}

/** Read until every partition of `left` is at its end, if asked to, or until a signal. */
async function follow(consumer: Consumer, left: Map<string, bigint>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.once("SIGINT", resolve).once("SIGTERM", resolve);
    if (given["until-end"] && left.size === 0) resolve();
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
    consumer
      .run({
        eachMessage: async ({ topic, partition, message }) => {
          const place = `${topic}/${partition}`;
          const end = left.get(place);
          if (!given["until-end"] || end !== undefined) take(topic, partition, message);
          if (end !== undefined && BigInt(message.offset) >= end - 1n) left.delete(place);
          if (given["until-end"] && left.size === 0) resolve();
        },
      })
      .catch(reject);
  });
}

async function main(): Promise<void> {
  const protectedBy = protection(brokers, given.insecure);
  const kafka = new Kafka({ clientId: "liqmon-events", brokers, logLevel: logLevel.ERROR, ...protectedBy });
  const topics = Object.keys(TOPICS).map((topic) => given.prefix + topic);
  const left = await ends(kafka, topics);
  const group = given.group ?? `${given.prefix}bot-${randomUUID()}`;
  const consumer = kafka.consumer({ groupId: group, maxWaitTimeInMs: 200 });
  await consumer.connect();
  try {
    await consumer.subscribe({ topics, fromBeginning: true });
    await follow(consumer, left);
  } finally {
    await consumer.disconnect();
  }
  process.stderr.write(`${JSON.stringify(counts)}\n`);
}

await main().catch((error: unknown) => {
  process.stderr.write(`liqmon-events: ${String(error)}\n`);
  process.exitCode = 3;
});
