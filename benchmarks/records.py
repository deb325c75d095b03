"""One market record on its way through the engine, without accounts, against its decoding by msgspec alone.

The forms get one generated market, its prices written as trades of two venues where files are read:

* decode: the bound: typed records from MessagePack, in lists, as nobody can have them for less;
* read: packed CSV files to numbered records: unpacking, parsing, merging by arrival, heartbeats, order;
* ahead: what is left of that for the engine's core when another one reads (`monitor.replay.ahead`);
* fold: the market's folds;
* step: `step` without accounts: the folds, the passing of time, and the asking who is concerned.

`us_decode` is the bound in microseconds a record, `moving_share` how many records move anything that accounts rest on.
"""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import msgspec

from benchmarks.rounds import medians
from monitor.engine import Sourced, new_state, open_shard, step
from monitor.engine.market import Market
from monitor.replay.ahead import packed, unpacked
from monitor.replay.arrival import Merged
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.offline import BATCH
from monitor.replay.sequence import Sequence
from monitor.replay.sources import open_source
from schemas.records import PriceTick

PARAMETERS = MarketParameters(seed=20251010, minutes=20, ticks_per_second=1.0)
ROWS = 20_000
FEEDS = ("coinbase_BTC-USD", "gemini_BTCUSD")  # names the adapter knows, for the files
EVERY_US = 60_000  # between two rows of a file


def measure() -> dict[str, float | bool]:
    """Return the costs of a record as ratios to its decoding."""
    items = list(Sequence(Merged([GeneratedMarket(PARAMETERS)]), 1))
    ticks = [item.record for item in items if isinstance(item.record, PriceTick)]
    order, rows = packed(items)
    encoded = msgspec.msgpack.encode(ticks)
    decoder = msgspec.msgpack.Decoder(list[PriceTick])
    with tempfile.TemporaryDirectory() as folder:
        paths = [_write(Path(folder) / f"{feed}.csv.gz", feed, ticks[:ROWS]) for feed in FEEDS]
        read = sum(1 for _ in _read(paths))
        seconds = medians({
            "decode": lambda: decoder.decode(encoded),
            "read": lambda: sum(1 for _ in _read(paths)),
            "ahead": lambda: sum(1 for _ in unpacked(order, rows, 0, 1)),
            "fold": lambda: _fold(items),
            "step": lambda: _step(items),
        })  # fmt: skip
    decode_s = seconds["decode"] / len(ticks)
    return {
        "read_vs_decode": seconds["read"] / read / decode_s,
        **{f"{name}_vs_decode": seconds[name] / len(items) / decode_s for name in ("ahead", "fold", "step")},
        "us_decode": 1e6 * decode_s,
        "moving_share": _fold(items) / len(items),
        "ahead_same": list(unpacked(order, rows, 0, 1)) == items,
    }


def _write(path: Path, feed: str, ticks: list[PriceTick]) -> Path:
    """Write prices as a venue's trades, evenly in time."""
    exchange, symbol = feed.split("_")
    lines = ["exchange,symbol,timestamp,local_timestamp,id,side,price,amount"]
    for k, tick in enumerate(ticks):
        at_us = ticks[0].event_time_us + k * EVERY_US
        lines.append(f"{exchange},{symbol},{at_us},{at_us + 5_000},{k},buy,{tick.price},0.1")
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
    return path


def _read(paths: list[Path]) -> Sequence:
    return Sequence(Merged([open_source(path) for path in paths]), 1)


def _fold(items: list[Sourced]) -> int:
    """Fold all records; return how many moved anything."""
    market = Market()
    return sum(bool(market.apply(item.record).underlyings) for item in items)


def _step(items: list[Sourced]) -> None:
    state = new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    for first in range(0, len(items), BATCH):
        step(state, items[first : first + BATCH])
