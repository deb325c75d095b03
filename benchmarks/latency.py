"""From a tick to the event that it causes, through Apache Kafka: `python -m benchmarks latency --json`.

20,000 accounts of the book of `benchmarks.sweep_book` have money; 1,200 more, each one long future of BTC, stand so
that a slow fall of BTC by 2 % puts one after the other over the threshold of a warning. A quarter of the fall comes at
each of four paces, one after the other: 500, 1,000, 2,000 and 5,000 ticks a second over ten coins for 15 s, in frames
of ten, while event times pass as fast as ours. Before them come 10 s at the first pace in which no coin falls: accounts
are certified with the first ticks. Between them nothing is sent until no event has come for some seconds, so that no
pace pays for the one before.

For each pace, as `..._500` and so on:

* `tick_to_event_p50_ms`, `_p99_ms`, `_max_ms`: from the call that sends the frame with the tick that an event names as
  its cause, to the event's message in a bare aiokafka consumer of this process;
* `raw_p50_ms`, `raw_p99_ms`: in the same seconds, from the same call to the frame in another consumer here;
* `tick_to_event_vs_raw`: their ratio at p99;
* `events`, `ticks_per_s` and `worker_cpu_share`: what was measured, and what part of a core the worker had for it;
* `keeps_up`: whether the last events of the pace came within a second. Where they did not, the figures above are a
  queue's length and no latency.

`tick_to_event_p50_ms`, `_p99_ms` and `tick_to_event_vs_raw` without a pace are those of 5,000 ticks a second, and
`load_1m` is how busy the machine was. The first 2 s of each pace do not count. An event without its tick's frame in the
counted time does not either.
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
from benchmarks.ticks_book import COINS, SET, TICK_US, Quotes, accounts, names
from monitor.brokers.kafka import LocalKafka
from monitor.connection import client_options
from monitor.engine import Sourced, evaluate_account, new_state, open_shard, step
from monitor.engine.state import Account, Holding, Marker
from monitor.replay.sources.base import TOPIC_OF
from monitor.worker.options import WorkerOptions
from schemas import codec
from schemas.records import AccountConfig, AccountEvent
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS, TICKS

ACCOUNTS, WATCHED = 20_000, 1_200
PACES, ROWS = (500, 1_000, 2_000, 5_000), 10
FIRST_S, SECONDS, WARM_S = 10.0, 15.0, 2.0
FALL = 0.02  # of BTC, over all paces
EACH = 1.0 - (1.0 - FALL) ** (1.0 / len(PACES))
SILENT_S, LAST_S = 3.0, 60.0  # without an event before the next pace, but for no longer than that
LATE_MS = 1_000.0
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


class _Seen:
    """When frames of ticks and events came."""

    def __init__(self) -> None:
        self.frames: dict[int, float] = {}  # by offset
        self.told: list[tuple[int, float]] = []  # offset of the tick that caused an event, and when the event came

    def note_tick(self, message: Any, now_s: float) -> None:
        """Note a frame."""
        self.frames[message.offset] = now_s

    def note_event(self, message: Any, now_s: float) -> None:
        """Note an event that a tick caused."""
        event = _event(message.value)
        if event.cause.topic == TICKS.name:
            self.told.append((event.cause.offset, now_s))

    async def settle(self) -> None:
        """Wait until no event has come for some seconds."""
        start_s = time.monotonic()
        while (now_s := time.monotonic()) < start_s + LAST_S:
            if now_s - max(start_s, self.told[-1][1] if self.told else 0.0) > SILENT_S:
                return
            await asyncio.sleep(0.1)


async def _paced(of: WorkerOptions, client: Any, quotes: Quotes, worker: rig.Worker) -> dict[str, float | bool]:
    """Publish ticks at each pace while both consumers read, and compare the times."""
    ticks = [TopicPartition(rig.name_of(of, TICKS.name), 0)]
    alerts = [
        TopicPartition(rig.name_of(of, topic.name), partition)
        for topic in (MARGIN_CALLS, LIQUIDATIONS) for partition in range(of.partitions)
    ]  # fmt: skip
    seen = _Seen()
    reading = [
        asyncio.ensure_future(_read(of, ticks, seen.note_tick)),
        asyncio.ensure_future(_read(of, alerts, seen.note_event)),
    ]
    figures: dict[str, float | bool] = {}
    try:
        await asyncio.sleep(1.0)  # both are at the ends of their topics
        await _publish(of, client, quotes, PACES[0], FIRST_S, fall=0.0)
        await seen.settle()
        for pace in PACES:
            cpu_s, sent = worker.cpu_s(), await _publish(of, client, quotes, pace, SECONDS, fall=EACH)
            cpu_s = worker.cpu_s() - cpu_s
            await seen.settle()
            found = {**_compared(sent, seen), "worker_cpu_share": cpu_s / (max(sent.values()) - min(sent.values()))}
            figures |= {f"{name}_{pace}": value for name, value in found.items()}
    finally:
        for task in reading:
            task.cancel()
        done = await asyncio.gather(*reading, return_exceptions=True)
    for error in done:
        if isinstance(error, Exception):
            raise error
    last = ("tick_to_event_p50_ms", "tick_to_event_p99_ms", "tick_to_event_vs_raw")
    return {**{name: figures[f"{name}_{PACES[-1]}"] for name in last}, **figures}


def _compared(sent: dict[int, float], seen: _Seen) -> dict[str, float | bool]:
    """Return the latencies of one pace."""
    first_s, last_s = min(sent.values()) + WARM_S, max(sent.values()) - WARM_S
    counted = {offset: at_s for offset, at_s in sent.items() if at_s >= first_s}
    raw_ms = [1e3 * (seen.frames[offset] - at_s) for offset, at_s in counted.items() if offset in seen.frames]
    events = [(counted[offset], at_s) for offset, at_s in seen.told if offset in counted]
    event_ms = [1e3 * (at_s - sent_s) for sent_s, at_s in events]
    if len(raw_ms) < len(counted) or not event_ms:
        raise RuntimeError(f"{len(raw_ms)} of {len(counted)} frames and {len(event_ms)} events were read")
    latest_ms = [1e3 * (at_s - sent_s) for sent_s, at_s in events if sent_s >= last_s]
    event_p50, event_p99 = np.percentile(event_ms, (50, 99)).tolist()
    raw_p50, raw_p99 = np.percentile(raw_ms, (50, 99)).tolist()
    return {
        "tick_to_event_p50_ms": event_p50, "tick_to_event_p99_ms": event_p99,
        "tick_to_event_max_ms": max(event_ms), "raw_p50_ms": raw_p50, "raw_p99_ms": raw_p99,
        "tick_to_event_vs_raw": event_p99 / raw_p99, "events": float(len(event_ms)),
        "ticks_per_s": (len(sent) - 1) * ROWS / (max(sent.values()) - min(sent.values())),
        "keeps_up": bool(latest_ms) and max(latest_ms) < LATE_MS,
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


async def _publish(
    of: WorkerOptions, client: Any, quotes: Quotes, pace: int, seconds: float, *, fall: float
) -> dict[int, float]:  # fmt: skip
    """Send frames at a pace while BTC falls; return when each was given to the client, by its offset."""
    topic = rig.name_of(of, TICKS.name)
    sent: list[tuple[Any, float]] = []
    start_s = time.monotonic()
    for number, frame in enumerate(_frames(quotes, pace, seconds, fall)):
        due_s = start_s + number * ROWS / pace
        if (wait_s := due_s - time.monotonic()) > 0.0:
            await asyncio.sleep(wait_s)
        now_s = time.monotonic()
        sent.append((await client.send(topic, frame, partition=0), now_s))
    return {(await future).offset: at_s for future, at_s in sent}


def _frames(quotes: Quotes, pace: int, seconds: float, fall: float) -> Iterator[bytes]:
    """Yield ticks of all coins in turn; BTC falls, the others move about."""
    count = int(seconds * pace)
    falls = (1.0 - fall) ** (len(COINS) / count)
    moves = np.random.default_rng(SEED + pace).normal(1.0, 2e-6, count).tolist()
    rows = []
    for number in range(count):
        coin = COINS[number % len(COINS)]
        quotes.time_us += 1_000_000 // pace - TICK_US  # `Quotes` adds the rest
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
