"""From a tick to the event that it causes, through Apache Kafka: `python -m benchmarks latency --json`.

20,000 accounts of the book of `benchmarks.sweep_book` have money; 1,000 more, each one long future of BTC, stand so
that a slow fall of BTC by 2 % in 20 s puts one after the other over the threshold of a warning. 5,000 ticks a second
over ten coins come in frames of ten, one each 2 ms, and event times pass as fast as ours.

* `tick_to_event_p50_ms`, `_p99_ms`, `_max_ms`: from the call that sends the frame with the tick that an event names as
  its cause, to the event's message in a bare aiokafka consumer of this process;
* `raw_p50_ms`, `raw_p99_ms`: in the same seconds, from the same call to the frame in another consumer here;
* `tick_to_event_vs_raw`: their ratio at p99;
* `events`, `ticks_per_s`, `worker_cpu_share` and `load_1m`: what was measured, what part of a core the worker got for
  it, and how busy the machine was.

The first 2 s do not count. An event without its tick's frame in the counted time does not either.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks import rig
from benchmarks.restore import CASH_USD
from benchmarks.sweep_book import INDEX_USD, segments
from benchmarks.ticks_book import COINS, SET, Quotes, accounts, names
from monitor.brokers.kafka import LocalKafka
from monitor.connection import client_options
from monitor.engine import Sourced, evaluate_account, new_state, open_shard, step
from monitor.engine.state import Account, Holding, Marker
from monitor.replay.sources.base import TOPIC_OF
from monitor.worker.options import WorkerOptions
from schemas import codec
from schemas.records import AccountConfig, AccountEvent
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS, TICKS

ACCOUNTS, WATCHED = 20_000, 1_000
PER_SECOND, ROWS = 5_000, 10
SECONDS, WARM_S = 20.0, 2.0
FALL = 0.02  # of BTC, over the whole time
REAL_US = 1_000_000 // PER_SECOND
LAST_S = 5.0  # for the last events to come
SEED = 20260103

_event = msgspec.json.Decoder(AccountEvent).decode


def measure() -> dict[str, float | bool]:
    """Return latencies, those of the bare client beside them, and their ratio."""
    load_1m = os.getloadavg()[0]
    with LocalKafka(heap_mb=768) as broker:
        figures = asyncio.run(_measured(rig.options(f"127.0.0.1:{broker.port}", "latency.")))
    return {**figures, "load_1m": load_1m}


async def _measured(of: WorkerOptions) -> dict[str, float | bool]:
    await rig.make_topics(of)
    quotes, offsets = Quotes(), dict[str, int]()
    definitions = quotes.definitions()
    async with rig.producer(str(of.broker)) as client:
        await rig.publish(client, rig.messages(of, definitions, offsets))
        positions = {topic: (offset, 0) for topic, offset in offsets.items()}
        people = [*_calm(), *_watched(definitions)]
        await rig.publish(client, rig.changelog(of, people, positions))
        worker = rig.worker(of)
        try:
            await asyncio.to_thread(worker.wait_for, "ready")
            return await _paced(of, client, quotes, worker)
        finally:
            await asyncio.to_thread(worker.stop)


async def _paced(of: WorkerOptions, client: Any, quotes: Quotes, worker: rig.Worker) -> dict[str, float | bool]:
    """Publish ticks at their pace while both consumers read, and compare the times."""
    ticks = [TopicPartition(rig.name_of(of, TICKS.name), 0)]
    alerts = [
        TopicPartition(rig.name_of(of, topic.name), partition)
        for topic in (MARGIN_CALLS, LIQUIDATIONS) for partition in range(of.partitions)
    ]  # fmt: skip
    seen: dict[int, float] = {}  # when a frame came, by its offset
    told: list[tuple[int, float]] = []  # offset of the tick that caused an event, and when the event came

    def note_tick(message: Any, now_s: float) -> None:
        seen[message.offset] = now_s

    def note_event(message: Any, now_s: float) -> None:
        event = _event(message.value)
        if event.cause.topic == TICKS.name:
            told.append((event.cause.offset, now_s))

    reading = [asyncio.ensure_future(_read(of, ticks, note_tick)), asyncio.ensure_future(_read(of, alerts, note_event))]
    try:
        await asyncio.sleep(1.0)  # both are at the ends of their topics
        cpu_s, sent = worker.cpu_s(), await _publish(of, client, quotes)
        cpu_s = worker.cpu_s() - cpu_s
        await asyncio.sleep(LAST_S)
    finally:
        for task in reading:
            task.cancel()
        done = await asyncio.gather(*reading, return_exceptions=True)
    for error in done:
        if isinstance(error, Exception):
            raise error
    first_s = min(sent.values()) + WARM_S
    counted = {offset: at_s for offset, at_s in sent.items() if at_s >= first_s}
    raw_ms = [1e3 * (seen[offset] - at_s) for offset, at_s in counted.items() if offset in seen]
    event_ms = [1e3 * (at_s - counted[offset]) for offset, at_s in told if offset in counted]
    if len(raw_ms) < len(counted) or not event_ms:
        raise RuntimeError(f"{len(raw_ms)} of {len(counted)} frames and {len(event_ms)} events were read")
    spent_s = max(sent.values()) - min(sent.values())
    event_p50, event_p99 = np.percentile(event_ms, (50, 99)).tolist()
    raw_p50, raw_p99 = np.percentile(raw_ms, (50, 99)).tolist()
    return {
        "tick_to_event_p50_ms": event_p50, "tick_to_event_p99_ms": event_p99, "tick_to_event_max_ms": max(event_ms),
        "raw_p50_ms": raw_p50, "raw_p99_ms": raw_p99, "tick_to_event_vs_raw": event_p99 / raw_p99,
        "events": float(len(event_ms)), "ticks_per_s": (len(sent) - 1) * ROWS / spent_s,
        "worker_cpu_share": cpu_s / spent_s,
    }  # fmt: skip


async def _read(of: WorkerOptions, tps: list[TopicPartition], note: Any) -> None:
    """Note each message that comes to the ends of some partitions, with the time."""
    consumer = AIOKafkaConsumer(**client_options(of.broker), enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    try:
        consumer.assign(tps)
        await consumer.seek_to_end(*tps)
        while True:
            found = await consumer.getmany(*tps, timeout_ms=200)
            now_s = time.monotonic()
            for messages in found.values():
                for message in messages:
                    note(message, now_s)
    finally:
        await consumer.stop()


async def _publish(of: WorkerOptions, client: Any, quotes: Quotes) -> dict[int, float]:
    """Send frames at their pace; return when each was given to the client, by its offset."""
    topic, count = rig.name_of(of, TICKS.name), int(SECONDS * PER_SECOND)
    sent: list[tuple[Any, float]] = []
    start_s = time.monotonic()
    for number, frame in enumerate(_frames(quotes, count)):
        due_s = start_s + number * ROWS / PER_SECOND
        if (wait_s := due_s - time.monotonic()) > 0.0:
            await asyncio.sleep(wait_s)
        now_s = time.monotonic()
        sent.append((await client.send(topic, frame, partition=0), now_s))
    return {(await future).offset: at_s for future, at_s in sent}


def _frames(quotes: Quotes, count: int) -> Iterator[bytes]:
    """Yield ticks of all coins in turn; BTC falls, the others move about."""
    falls = (1.0 - FALL) ** (len(COINS) / count)
    moves = np.random.default_rng(SEED).normal(1.0, 2e-6, count).tolist()
    rows = []
    for number in range(count):
        coin = COINS[number % len(COINS)]
        quotes.time_us += REAL_US - 100  # `Quotes` adds the rest
        rows.append(quotes.tick(coin, falls if coin == "BTC" else moves[number]))
        if len(rows) == ROWS:
            yield codec.encode_frame(rows)
            rows = []


def _calm() -> Iterator[Account]:
    for account in accounts(segments(np.random.default_rng(SEED), ACCOUNTS), ACCOUNTS):
        account.balances["USD"] = CASH_USD
        yield account


def _watched(definitions: list[Any]) -> Iterator[Account]:
    """Yield accounts of one future each, with the money that brings the next one to its warning a little later."""
    im_usd, enter_v = _requirement_usd(definitions)
    for number in range(WATCHED):
        ratio = (1.0 - FALL) ** ((number + 0.5) / WATCHED)
        # Where the index is at `ratio`, the requirement is `enter_v` of the equity.
        cash_usd = im_usd * ratio / enter_v - INDEX_USD * (ratio - 1.0)
        yield _long(f"w{number:06d}", cash_usd)


def _requirement_usd(definitions: list[Any]) -> tuple[float, float]:
    """Return the requirement of one future at the first prices, and the utilisation at which a warning begins."""
    state = new_state()
    offsets: dict[str, int] = {}
    items = []
    for record in definitions:
        topic = TOPIC_OF[type(record)]
        offsets[topic] = offsets.get(topic, -1) + 1
        items.append(Sourced(topic, 0, offsets[topic], 0, record))
    step(state, items)
    one = _long("w", CASH_USD)
    one.positions = dict(state.market.positions)
    marker = Marker(0, 1, epoch=1, positions=dict(state.market.positions))
    open_shard(state, 0, marker, [one], partitions=1, epoch=2)
    return evaluate_account(state, "w").im_requirement_usd, state.market.parameters.get(SET).set.status.warning_enter_v


def _long(name: str, cash_usd: float) -> Account:
    config = AccountConfig(account=name, event_time_us=Quotes().time_us, parameter_set=SET)
    holding = Holding(quantity=1.0, average_price=INDEX_USD)
    return Account(config=config, balances={"USD": cash_usd}, holdings={names("BTC")[1]: holding})
