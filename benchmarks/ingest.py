"""What one worker takes in: `python -m benchmarks ingest --json`.

Trades of 2,000 accounts with money go to an Apache Kafka of its own while a worker is Ready; a figure is trades over
the time from the first send to the commit of the last offset, when every account is stored and acknowledged:

* `trades_per_s_frames`: 40,000 trades in frames of 500;
* `trades_per_s_single`: 10,000 trades, one a message;
* `market_records_per_s`: 200,000 ticks in frames of 500, read, decoded and validated by the worker's market reader.

`us_trade_decode`, `us_trade_step` and `us_trade_collect` are what a trade of the first costs by stage, in this process
without a broker: microseconds of the processor, with a flush after `FLUSHED` trades.

Beside each rate, in the same run: `raw_..._per_s`, the same topic read by a bare aiokafka consumer that decodes
nothing, and `..._vs_raw`. `..._per_cpu_s` is what the worker did in a second of processor time, the market reader's
with its client in this process: on a machine that does other work, `load_1m`, it says more than the clock.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from types import SimpleNamespace

import numpy as np
from aiokafka import TopicPartition

from benchmarks import rig
from benchmarks.rig import Message, Worker
from benchmarks.ticks_book import COINS, SET, Quotes, names, sourced
from monitor.brokers.kafka import LocalKafka
from monitor.engine import Sourced, collect, confirm, new_state, open_shard, step
from monitor.engine.state import Account
from monitor.worker.intake import delivered
from monitor.worker.log_view import LogView
from monitor.worker.market_reader import MarketReader
from monitor.worker.options import WorkerOptions
from schemas import codec
from schemas.records import AccountConfig, Input, Trade
from schemas.topics import TICKS, TRADES

ACCOUNTS, ROWS = 2_000, 500
FRAMED, SINGLE, MARKET = 40_000, 10_000, 200_000
TOGETHER, FLUSHED = 512, 20_000  # trades given to `step` at once, and to a flush: as in a worker's backlog
SEED = 20260102


def measure() -> dict[str, float | bool]:
    """Return rates, rates of the bare client, and their ratios."""
    load_1m = os.getloadavg()[0]
    stages = trade_stages(FRAMED)
    with LocalKafka(heap_mb=768) as broker:
        address = f"127.0.0.1:{broker.port}"
        figures: dict[str, float | bool] = {}
        for name, count, rows in (("frames", FRAMED, ROWS), ("single", SINGLE, 1)):
            of = rig.options(address, f"{name}.")
            figures |= asyncio.run(_trades(of, name, count, rows))
        figures |= asyncio.run(_market(rig.options(address, "market.")))
    return {
        **stages, **figures, "load_1m": load_1m,
        "reaches_100_k_trades": figures["trades_per_s_frames"] >= 100_000.0,
        "reaches_10_k_single": figures["trades_per_s_single"] >= 10_000.0,
        "reaches_300_k_market": figures["market_records_per_s"] >= 300_000.0,
    }  # fmt: skip


# --- trades --------------------------------------------------------------------------------------------------------


async def _trades(of: WorkerOptions, name: str, count: int, rows: int) -> dict[str, float | bool]:
    await rig.make_topics(of)
    quotes, offsets = Quotes(), dict[str, int]()
    async with rig.producer(str(of.broker)) as client:
        await rig.publish(client, rig.messages(of, quotes.definitions(), offsets))
        positions = {topic: (offset, 0) for topic, offset in offsets.items()}
        await rig.publish(client, rig.changelog(of, _people(), positions))
        messages = list(_messages(of, count, rows, quotes.time_us))
        worker = rig.worker(of)
        try:
            await asyncio.to_thread(worker.wait_for, "ready")
            seconds, cpu_s = await _until_committed(of, worker, lambda: rig.publish(client, messages))
        finally:
            await asyncio.to_thread(worker.stop)
    raw_s = await rig.read_raw(of, rig.name_of(of, TRADES.name), of.partitions)
    return {
        f"trades_per_s_{name}": count / seconds, f"raw_trades_per_s_{name}": count / raw_s,
        f"trades_{name}_vs_raw": raw_s / seconds, f"trades_per_cpu_s_{name}": count / cpu_s,
    }  # fmt: skip


def trade_stages(count: int) -> dict[str, float]:
    """Return what trades in frames cost by stage, us of the processor each, without a broker."""
    of = rig.options("127.0.0.1:9092", "stages.")
    state, quotes, partitions = new_state(), Quotes(), range(of.partitions)
    people: dict[int, list[Account]] = {partition: [] for partition in partitions}
    for account in _people():
        people[of.partition_of(account.name.encode())].append(account)
    for partition in partitions:
        open_shard(state, partition, None, people[partition], partitions=of.partitions, epoch=1)
    step(state, [sourced(record, number) for number, record in enumerate(quotes.definitions())])
    seconds = dict.fromkeys(("decode", "step", "collect"), 0.0)
    waiting: list[Sourced] = []
    for number, (_, partition, key, value) in enumerate(_messages(of, count, ROWS, quotes.time_us)):
        message = SimpleNamespace(partition=partition, offset=number, key=key, value=value)
        start_s = time.process_time()
        waiting += [record for _, record in delivered(TRADES, message, 0, of).records]
        seconds["decode"] += time.process_time() - start_s
    for first in range(0, count, FLUSHED):
        start_s = time.process_time()
        for start in range(first, min(first + FLUSHED, count), TOGETHER):
            step(state, waiting[start : min(start + TOGETHER, first + FLUSHED)])
        stepped_s = time.process_time()
        confirm(state, collect(state))
        seconds["step"] += stepped_s - start_s
        seconds["collect"] += time.process_time() - stepped_s
    assert not state.rejected, "every trade is one of a listed contract"
    return {f"us_trade_{stage}": 1e6 * spent_s / count for stage, spent_s in seconds.items()}


def _people() -> Iterator[Account]:
    for number in range(ACCOUNTS):
        config = AccountConfig(account=f"a{number:06d}", event_time_us=Quotes().time_us, parameter_set=SET)
        yield Account(config=config, balances={"USD": 1e9})


def _messages(of: WorkerOptions, count: int, rows: int, time_us: int) -> Iterator[Message]:
    """Yield random fills, each account's in its partition."""
    draw = np.random.default_rng(SEED)
    contracts = [name for coin in COINS for name in names(coin)[1:]]
    owners, which = draw.integers(0, ACCOUNTS, count).tolist(), draw.integers(0, len(contracts), count).tolist()
    sizes = draw.normal(0.0, 1.0, count).tolist()
    frames: dict[int, list[Trade]] = defaultdict(list)
    topic = rig.name_of(of, TRADES.name)
    for number, (owner, place, size) in enumerate(zip(owners, which, sizes, strict=True)):
        trade = Trade(
            trade_id=str(number), account=f"a{owner:06d}", instrument=contracts[place], quantity=size, price=1_000.0,
            event_time_us=time_us,
        )  # fmt: skip
        partition = of.partition_of(trade.account.encode())
        if rows == 1:
            yield topic, partition, trade.account.encode(), codec.encode(trade)
            continue
        frames[partition].append(trade)
        if len(frames[partition]) == rows:
            yield topic, partition, None, codec.encode_frame(frames.pop(partition))
    for partition, frame in frames.items():
        yield topic, partition, None, codec.encode_frame(frame)


async def _until_committed(
    of: WorkerOptions, worker: Worker, send: Callable[[], Awaitable[object]]
) -> tuple[float, float]:
    """Send, and return clock and processor seconds until the group has committed the end of every partition."""
    tps = [TopicPartition(rig.name_of(of, TRADES.name), partition) for partition in range(of.partitions)]
    view = LogView(of.broker, of.group, tps, exact_ends=True)
    await view.start()
    try:
        start_s, cpu_s = time.monotonic(), worker.cpu_s()
        await send()
        ends = await view.ends(tps)
        while True:
            committed = await view.committed()
            if all(committed.get(tp, 0) >= end for tp, end in ends.items()):
                return time.monotonic() - start_s, worker.cpu_s() - cpu_s
            if worker.child.poll() is not None or time.monotonic() - start_s > rig.WAIT_S:
                raise RuntimeError(f"the worker did not commit {ends}: {worker.lines[-3:]}")
            await asyncio.sleep(0.02)
    finally:
        await view.stop()


# --- market --------------------------------------------------------------------------------------------------------


async def _market(of: WorkerOptions) -> dict[str, float | bool]:
    await rig.make_topics(of)
    async with rig.producer(str(of.broker)) as client:
        await rig.publish(client, rig.messages(of, _ticks(MARKET), {}, ROWS))
    raw_s = await rig.read_raw(of, rig.name_of(of, TICKS.name), 1)
    reader = MarketReader(of, asyncio.Event())
    tasks = [asyncio.ensure_future(one) for one in reader.readers()]
    try:
        start_s, start_cpu_s, seen = time.monotonic(), time.process_time(), 0
        while seen < MARKET:
            while (batch := reader.take()) is not None:
                seen += len(batch.records)
                reader.release(batch.topic, len(batch.records))
                assert not batch.letters
            await asyncio.sleep(0)
        seconds, cpu_s = time.monotonic() - start_s, time.process_time() - start_cpu_s
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return {
        "market_records_per_s": MARKET / seconds, "raw_market_records_per_s": MARKET / raw_s,
        "market_records_vs_raw": raw_s / seconds, "market_records_per_cpu_s": MARKET / cpu_s,
    }  # fmt: skip


def _ticks(count: int) -> Iterator[Input]:
    quotes = Quotes()
    draw = np.random.default_rng(SEED)
    moves = draw.normal(1.0, 5e-5, count).tolist()
    yield from islice((quotes.tick(COINS[number % len(COINS)], move) for number, move in enumerate(moves)), count)
