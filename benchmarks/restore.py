"""From the start of a process to Ready, with all accounts in the changelog: `python -m benchmarks restore --json`.

Writes a changelog of 100,000 healthy accounts with 20 positions each (the book of `benchmarks.sweep_book`) to an Apache
Kafka of its own, with 250,000 ticks in single messages that they have seen, and snapshots of the folds at every 100,000
of them. Then a worker that has no local state starts, and says Ready. Seconds of its parts:

* `start_s`: imports, checks of topics and broker, machine code, to the line `kernels_ready`;
* `join_s`: the group, to the beginning of the take-over;
* `changelog_s`: reading and claiming the changelog, and decoding the accounts;
* `snapshot_s`: reading and restoring the snapshots;
* `open_s`: shards, epochs, what is owed;
* `book_s`: folding what lies behind the snapshots, and building the book.

`ready_s` is their sum, `ready_from_zero_s` the same without snapshots, `read_raw_s` the changelog read by a bare
aiokafka consumer in between, `load_1m` the machine's load when it began.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import numpy as np

from benchmarks import rig, ticks_book
from benchmarks.rig import Message
from benchmarks.sweep_book import segments
from benchmarks.ticks_book import COINS, Quotes
from monitor.brokers.kafka import LocalKafka
from monitor.engine.market import Market
from monitor.engine.snapshot import parts, take
from monitor.engine.state import Account
from monitor.replay.sources.base import TOPIC_OF
from monitor.worker.options import WorkerOptions
from schemas import codec
from schemas.records import Input
from schemas.topics import MARKET_SNAPSHOTS, TICKS

ACCOUNTS, TICK_COUNT, EVERY, PARTITIONS = 100_000, 250_000, 100_000, 12
SEED = 20260101
CASH_USD = 1_000_000.0  # many times what any of them needs: a restart finds them as they were


def measure(accounts: int = ACCOUNTS) -> dict[str, float | bool]:
    """Return seconds by part, and whether Ready comes within 60 s."""
    load_1m = os.getloadavg()[0]
    with LocalKafka(heap_mb=768) as broker:
        of = rig.options(f"127.0.0.1:{broker.port}", "restore.", partitions=PARTITIONS)
        asyncio.run(_write(of, accounts))
        read_raw_s = asyncio.run(rig.read_raw(of, of.changelog, of.partitions))
        figures = _restored(of, accounts, f"{EVERY}")
        plain = _restored(of, accounts, "0")
    return {
        **figures, "ready_from_zero_s": plain["ready_s"], "book_from_zero_s": plain["book_s"],
        "read_raw_s": read_raw_s, "changelog_vs_raw": figures["changelog_s"] / read_raw_s, "accounts": float(accounts),
        "load_1m": load_1m, "within_60_s": figures["ready_s"] < 60.0,
    }  # fmt: skip


def _restored(of: WorkerOptions, accounts: int, every: str) -> dict[str, float]:
    worker = rig.worker(of, snapshot_every_offsets=every)
    try:
        ready_s, told = worker.wait_for("ready")
        assert told["accounts"] == accounts, told
        kernels_s, _ = worker.wait_for("kernels_ready")
        over_s, over = worker.wait_for("taken_over")
        assert (every != "0") == any(line["event"] == "snapshots_loaded" for _, line in worker.lines)
        peak_mb, cpu_s = worker.peak_rss_mb(), worker.cpu_s()
    finally:
        worker.stop()
    inside_s = over["changelog_s"] + over["market_s"] + over["open_s"]
    return {
        "ready_s": ready_s, "start_s": kernels_s, "join_s": over_s - inside_s - kernels_s,
        "changelog_s": over["changelog_s"], "snapshot_s": over["market_s"], "open_s": over["open_s"],
        "book_s": ready_s - over_s, "worker_cpu_s": cpu_s, "worker_peak_mb": peak_mb,
    }  # fmt: skip


async def _write(of: WorkerOptions, accounts: int) -> None:
    await rig.make_topics(of)
    market = Market()
    offsets: dict[str, int] = {}
    snapshots: list[Message] = []
    async with rig.producer(str(of.broker)) as client:
        await rig.publish(client, _market(of, market, offsets, snapshots))
        await rig.publish(client, snapshots)
        await rig.publish(client, rig.changelog(of, _accounts(accounts), market.positions))


def _market(
    of: WorkerOptions, market: Market, offsets: dict[str, int], snapshots: list[Message]
) -> Iterator[Message]:  # fmt: skip
    """Yield the market's messages while it is folded; add the snapshots on the way."""
    for record in _records():
        topic = TOPIC_OF[type(record)]
        offset = offsets[topic] = offsets.get(topic, -1) + 1
        if topic == TICKS.name and offset and offset % EVERY == 0:
            snapshots += [
                (
                    rig.name_of(of, MARKET_SNAPSHOTS.name),
                    0,
                    codec.key_of(MARKET_SNAPSHOTS.name, part),
                    codec.encode(part),
                )
                for part in parts(take(market, topic, offset))
            ]
        market.positions[topic] = (offset, 0)
        market.apply(record)
        yield rig.name_of(of, topic), 0, codec.key_of(topic, record), codec.encode(record)


def _records() -> Iterator[Input]:
    quotes = Quotes()
    yield from quotes.definitions()
    draw = np.random.default_rng(SEED)
    coins = draw.integers(0, len(COINS), TICK_COUNT).tolist()
    moves = draw.normal(1.0, 2e-5, TICK_COUNT).tolist()
    for coin, move in zip(coins, moves, strict=True):
        yield quotes.tick(COINS[coin], move)


def _accounts(count: int) -> Iterator[Account]:
    for account in ticks_book.accounts(segments(np.random.default_rng(SEED), count), count):
        account.balances["USD"] = CASH_USD
        yield account
