"""The composite index over the real ticks of 2025-10-10, in the order in which they arrived."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from monitor.engine.composite import TicksFold
from monitor.engine.index import IndexView
from monitor.replay.arrival import Merged, Span
from monitor.replay.sources import open_sources
from schemas.records import Heartbeat, PriceTick, Tick
from tests.support import ROOT

DAY = ROOT.parent / "shared" / "data" / "crash-2025-10-10"
TRADES = DAY / "trades"
CASCADE_US = 1_760_129_400_000_000  # 20:50 UTC

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DAY.is_dir(), reason="no historical data beside the checkout (../shared/data)"),
]


@dataclass(frozen=True, slots=True)
class Moment:
    """The index after one record."""

    time_us: int
    view: IndexView
    tick: Tick


def unchanged(tick: Tick) -> Tick:
    return tick


def moments(
    fold: TicksFold,
    underlying: str,
    paths: list[Path],
    prepare: Callable[[Tick], Tick] = unchanged,
    from_us: int | None = None,
) -> Iterator[Moment]:
    """Fold the day's ticks and heartbeats; a refused tick would raise."""
    for _, record in Merged(open_sources(paths), Span(from_us=from_us)):
        if isinstance(record, PriceTick | Heartbeat):
            tick = prepare(record)
            fold.apply(tick)
            view = fold.index(underlying)
            if view is not None:
                yield Moment(fold.time_us, view, tick)


def held_share(seen: list[Moment]) -> float:
    held = sum(b.time_us - a.time_us for a, b in itertools.pairwise(seen) if a.view.held)
    return held / (seen[-1].time_us - seen[0].time_us)


def test_three_sources_carry_bitcoin_through_the_day() -> None:
    """Spot trades with silences of up to 820 s, an index and mark bars: never held, never far from the index."""

    def bars_as_source(tick: Tick) -> Tick:
        if isinstance(tick, PriceTick) and tick.price_kind == "mark":
            return msgspec.structs.replace(tick, index_source=True)
        return tick

    paths = [
        TRADES / "gemini_BTCUSD.csv.gz",
        DAY / "options_okx" / "okex-options_BTC-USD-251128-102000-C.csv.gz",
        DAY / "btcusd_perp_mark_1m.csv.gz",
    ]
    fold = TicksFold()
    okx = 0.0
    before: list[float] = []
    after: list[float] = []
    for moment in moments(fold, "BTC", paths, bars_as_source):
        assert not moment.view.held
        if isinstance(moment.tick, PriceTick) and moment.tick.source.startswith("okx") and moment.tick.price:
            okx = moment.tick.price
        if okx:
            distance = abs(moment.view.price_usd / okx - 1.0)
            (before if moment.time_us < CASCADE_US else after).append(distance)
    assert fold.late_ticks == 0
    assert fold.index("BTC") is not None
    assert max(before) < 0.0025
    assert max(after) < 0.025
    assert statistics.median(after) < 0.0005


def test_one_venues_wick_does_not_take_the_index() -> None:
    """AVAX falls to 6.02 on one of two venues and to 17.0 on the other: the index stays at 17.0 or above and held."""
    paths = [TRADES / "coinbase_AVAX-USD.csv.gz", TRADES / "binance-delivery_AVAXUSD_PERP.csv.gz"]
    seen = list(moments(TicksFold(), "AVAX", paths, from_us=CASCADE_US))
    lowest = min(moment.view.price_usd for moment in seen)
    assert lowest == pytest.approx(17.0, abs=0.01)
    wick = [
        moment
        for moment in seen
        if isinstance(moment.tick, PriceTick) and moment.tick.price is not None and moment.tick.price < 12.0
    ]
    assert len(wick) > 1_000
    assert all(moment.view.held and moment.view.flags == ("dispersed",) for moment in wick)
    assert held_share(seen) < 0.35


def test_a_lone_venue_is_held_while_it_jumps_and_only_then() -> None:
    """DOT falls by 80 % on its only venue: its index holds in the cascade, and for a jump never before it."""
    seen = list(moments(TicksFold(), "DOT", [TRADES / "binance-delivery_DOTUSD_PERP.csv.gz"]))
    assert all("jump" not in moment.view.flags for moment in seen if moment.time_us < CASCADE_US)
    assert any("jump" in moment.view.flags for moment in seen)
    assert all("single_source" in moment.view.flags for moment in seen)
    assert 0.0 < held_share(seen) < 0.01


def test_delays_of_the_cascade_leave_no_trace_in_the_end() -> None:
    """Bitcoin trades that arrived up to 49 s late give the same last index as trades in order of event time."""
    ticks = [moment.tick for moment in moments(TicksFold(), "BTC", [TRADES / "gemini_BTCUSD.csv.gz"])]
    delays = [
        tick.received_time_us - tick.event_time_us
        for tick in ticks
        if isinstance(tick, PriceTick) and tick.received_time_us is not None
    ]
    assert max(delays) > 48_000_000
    arrived, ordered = TicksFold(), TicksFold()
    for tick in ticks:
        arrived.apply(tick)
    for tick in sorted(ticks, key=lambda one: one.event_time_us):
        ordered.apply(tick)
    assert arrived.index("BTC") == ordered.index("BTC")
