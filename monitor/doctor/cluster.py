"""What is on the broker: the topics, the workers, and whether a market flows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from monitor.brokers import topics
from monitor.brokers.endpoint import endpoint
from monitor.brokers.interface import BrokerError
from monitor.brokers.probe import probe
from monitor.brokers.topics import Difference
from monitor.config import Settings
from monitor.connection import Address, client_options
from monitor.doctor.finding import Finding
from monitor.errors import MonitorError
from schemas.topics import ALL, TICKS, full_name

TIMEOUT_S: Final = 10.0
SILENT_S: Final = 60.0
"""A heartbeat comes every second where a market is open."""
PER_WORKER: Final = 4
"""Partitions for each worker: with fewer, one more worker or one less moves a large share of all accounts at once."""
NAMED: Final = 3  # topics that are named in a line; the others are counted


def cluster(settings: Settings) -> Iterator[Finding]:
    """Yield what is found on a named broker that answers; nothing elsewhere."""
    if not settings.broker_url:
        return
    try:
        address = endpoint(settings)
        probe(address, TIMEOUT_S)
    except MonitorError:
        return  # the broker's own finding says it
    try:
        differences = asyncio.run(
            topics.plan(address, topics.wanted_topics(settings.topic_prefix, settings.partitions))
        )
        yield of_topics(differences, settings.partitions)
        if any(one.kind == "missing" for one in differences):
            return
        yield of_workers(asyncio.run(_members(address, settings)), settings.partitions)
        yield of_market(asyncio.run(_last_tick_ms(address, settings)), time.time_ns() // 1_000_000)
    except BrokerError as error:
        yield Finding("topics", "failure", error.cause, error.remedy)
    except (KafkaError, TimeoutError) as error:
        yield Finding("topics", "failure", f"the broker did not answer: {error!r}", "check its health and our rights")


def of_topics(differences: Sequence[Difference], partitions: int) -> Finding:
    """Return what differs from the topic table, the gravest first."""
    missing = [one for one in differences if one.kind == "missing"]
    shapes = [one for one in differences if one.kind == "partitions"]
    values = {"missing": len(missing), "differences": len(differences)}
    if missing:
        said = f"{len(missing)} of {len(ALL)} are missing: {_names(missing)}"
        return Finding("topics", "failure", said, "run `liqmon topics apply`", values)
    if shapes:
        said = f"{_names(shapes)}: {shapes[0].found} partitions where the settings say {shapes[0].wanted}"
        remedy = f"set LIQMON_PARTITIONS={shapes[0].found}: the number can never change under accounts"
        return Finding("topics", "failure", said, remedy, values)
    if differences:
        first = differences[0]
        said = f"{len(differences)} settings differ, first {first.topic} {first.setting}={first.found}"
        return Finding("topics", "warning", said, "see `liqmon topics plan`, then `liqmon topics apply`", values)
    return Finding("topics", "ok", f"all {len(ALL)} as they should be, P = {partitions}", values=values)


def of_workers(members: int, partitions: int) -> Finding:
    """Return how many workers there are for so many partitions."""
    values = {"workers": members}
    if not members:
        return Finding("workers", "warning", "none runs", "start one: `liqmon worker`", values)
    said = f"{members} for {partitions} partitions"
    if members > partitions:
        return Finding("workers", "warning", said, f"{members - partitions} of them idle: stop them", values)
    if members > 1 and partitions < PER_WORKER * members:
        remedy = f"{PER_WORKER} partitions for each worker keep a rebalance small; plan it for the next deployment"
        return Finding("workers", "warning", said, remedy, values)
    return Finding("workers", "ok", said, values=values)


def of_market(last_ms: int | None, now_ms: int) -> Finding:
    """Return how old the last tick is, by the clocks of who sent it and of this machine."""
    if last_ms is None:
        return Finding("market", "warning", f"nothing on {TICKS.name} yet", "publish prices, or try `liqmon demo`")
    age_s = (now_ms - last_ms) / 1e3
    values = {"age_s": age_s}
    if age_s < -1.0:
        said = f"the last tick was sent {-age_s:.1f} s from now"
        return Finding("market", "warning", said, "set the clocks: freshness compares those of machines", values)
    said = f"last tick {age_s:.1f} s ago"
    if age_s > SILENT_S:
        return Finding("market", "warning", said, "see whether its publisher runs", values)
    return Finding("market", "ok", said, values=values)


def _names(found: Sequence[Difference]) -> str:
    names = [one.topic for one in found]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


async def _members(address: Address, settings: Settings) -> int:
    admin = AIOKafkaAdminClient(**client_options(address), client_id="liqmon-doctor")
    await admin.start()
    try:
        strict = "-strict" if settings.order == "strict" else ""
        group = f"{settings.topic_prefix}{settings.application_id}{strict}"
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                try:
                    answers: Any = await admin.describe_consumer_groups([group])
                except GroupCoordinatorNotAvailableError:
                    await asyncio.sleep(0.2)  # a new cluster makes the topic of its groups when it is first asked
                    continue
                return sum(len(one[5]) for answer in answers for one in answer.groups)
    finally:
        await admin.close()


async def _last_tick_ms(address: Address, settings: Settings) -> int | None:
    partition = TopicPartition(full_name(TICKS, settings.topic_prefix), 0)
    consumer: Any = AIOKafkaConsumer(
        **client_options(address), group_id=None, client_id="liqmon-doctor", enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign([partition])
        end, begin = (await consumer.end_offsets([partition]))[partition], await consumer.beginning_offsets([partition])
        if end <= begin[partition]:
            return None
        consumer.seek(partition, end - 1)
        async with asyncio.timeout(TIMEOUT_S):
            return int((await consumer.getone()).timestamp)
    except TimeoutError:
        return None
    finally:
        await consumer.stop()
