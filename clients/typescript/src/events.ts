#!/usr/bin/env node
/** Print margin calls and liquidations as JSON, one a line; counts of what was refused at the end, on standard error. */

import { parseArgs } from "node:util";

import { Kafka, logLevel } from "kafkajs";

import { protection } from "./connect.js";
import { type Alert, ENOUGH, readKeys, Screen, Subscription } from "./index.js";

const { values: given } = parseArgs({
  options: {
    broker: { type: "string", default: "127.0.0.1:9092" },
    prefix: { type: "string", default: "" },
    group: { type: "string" },
    keys: { type: "string" },
    limit: { type: "string", default: "0" },
    "allow-unsigned": { type: "boolean", default: false },
    "until-end": { type: "boolean", default: false },
    replay: { type: "boolean", default: false },
    insecure: { type: "boolean", default: false },
  },
});

function print({ event, message, epoch, signedBy, digest }: Alert): void {
  const line = {
    topic: message.topic, partition: message.partition, offset: Number(message.offset), id: event.id, kind: event.kind,
    account: event.account, shortfall_usd: event.shortfall_usd, epoch: Number(epoch), signed_by: signedBy, digest,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function main(): Promise<void> {
  const brokers = given.broker.split(",");
  const protectedBy = protection(brokers, given.insecure);
  const keys = given.keys === undefined ? undefined : readKeys(given.keys);
  const subscription = new Subscription({
    kafka: new Kafka({ clientId: "liqmon-events", brokers, logLevel: logLevel.ERROR, ...protectedBy }),
    screen: new Screen({ keys, allowUnsigned: given["allow-unsigned"] }),
    prefix: given.prefix, group: given.group, untilEnd: given["until-end"],
    ...(given.replay ? { nowUs: () => 0 } : {}),
  });
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort()).once("SIGTERM", () => stop.abort());
  await subscription.run((alert) => {
    print(alert);
    return subscription.counts["delivered"] === Number(given.limit) ? ENOUGH : undefined;
  }, stop.signal);
  process.stderr.write(`${JSON.stringify(subscription.counts)}\n`);
}

await main().catch((error: unknown) => {
  process.stderr.write(`liqmon-events: ${String(error)}\n`);
  process.exitCode = 3;
});
