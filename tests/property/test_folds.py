"""Folds and merge against plain second implementations, and at every cut of their input."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.composite import TicksFold
from monitor.engine.listing import InstrumentsFold, RejectedInstrument
from monitor.engine.merge import LiveMerge, Wait, merge_sorted
from monitor.engine.parameters import ParametersFold, RejectedParameters
from monitor.engine.state import Sourced
from monitor.engine.surface import RejectedVolatility, VolatilityFold
from schemas.codec import decode_message, encode_frame
from schemas.ids import canonical
from schemas.records import (
    ExpiryVolatility,
    Heartbeat,
    Instrument,
    InstrumentVolatility,
    ParameterSet,
    PriceTick,
    Record,
    RiskMatrixParameters,
    SviVolatility,
    Tick,
)
from schemas.topics import TICKS

START_US = 1_760_054_400_000_000
SECOND_US = 1_000_000

# --- streams of records -----------------------------------------------------------------------------

# Steps of half seconds to minutes: freshness, dispersion and jumps all end and begin within a stream.
steps = st.one_of(
    st.integers(0, 3 * SECOND_US), st.integers(-30 * SECOND_US, 120 * SECOND_US), st.just(0), st.just(60 * SECOND_US)
)
prices = st.one_of(
    st.sampled_from([100.0, 101.0, 102.0, 102.1, 90.0, 89.9, 110.1, 95.0, 25.0, 400.0]), st.floats(50.0, 200.0)
)


@st.composite
def tick_streams(draw: st.DrawFn) -> list[Tick]:
    time_us = START_US
    stream: list[Tick] = []
    for _ in range(draw(st.integers(1, 60))):
        time_us = max(START_US, time_us + draw(steps))
        what = draw(st.sampled_from(["source", "source", "source", "mark", "trade", "heartbeat"]))
        if what == "heartbeat":
            stream.append(Heartbeat(source="publisher", event_time_us=time_us))
            continue
        underlying = draw(st.sampled_from(["BTC", "ETH"]))
        source = draw(st.sampled_from(["a", "b", "c"] if underlying == "BTC" else ["a"]))
        is_source = what == "source"
        stream.append(
            PriceTick(
                underlying=underlying,
                source=source,
                price_kind="mark" if what == "mark" else "trade",
                event_time_us=time_us,
                price=draw(prices),
                instrument=f"{underlying}-{'USD' if is_source else draw(st.sampled_from(['PERP', 'DEC']))}",
                index_source=is_source,
                max_age_ms=draw(st.sampled_from([None, 5_000, 60_000])),
                received_time_us=time_us + 100_000,
            )
        )
    return stream


@st.composite
def volatility_streams(draw: st.DrawFn) -> list[Record]:
    stream: list[Record] = []
    time_us = START_US
    for _ in range(draw(st.integers(1, 40))):
        time_us = max(START_US, time_us + draw(st.integers(-3_600, 2 * 86_400)) * SECOND_US)
        expiry_us = START_US + draw(st.integers(1, 6)) * 5 * 86_400 * SECOND_US
        basis = draw(st.sampled_from([None, 0.01, -0.02]))
        common: dict[str, Any] = {
            "underlying": draw(st.sampled_from(["BTC", "ETH"])),
            "source": "venue",
            "event_time_us": time_us,
            "expiry_us": expiry_us,
            "forward_basis": basis,
        }
        what = draw(st.sampled_from(["own", "smile", "svi"]))
        if what == "own":
            name = draw(st.sampled_from(["X", "Y"]))
            stream.append(InstrumentVolatility(instrument=name, vol_annual=draw(st.floats(0.1, 2.0)), **common))
        elif what == "smile":
            stream.append(
                ExpiryVolatility(
                    atm_vol_annual=draw(st.floats(0.1, 2.0)),
                    slope=draw(st.floats(-0.5, 0.5)),
                    curvature=draw(st.floats(-0.5, 1.0)),
                    **common,
                )
            )
        else:
            stream.append(SviVolatility(a=0.01, b=draw(st.floats(0.0, 3.0)), rho=-0.3, m=0.0, sigma=0.2, **common))
    return stream


@st.composite
def instrument_streams(draw: st.DrawFn) -> list[Record]:
    return [
        Instrument(
            instrument=draw(st.sampled_from(["X", "Y", "Z"])),
            type="perpetual",
            underlying=draw(st.sampled_from(["BTC", "ETH"])),
            settlement="USD",
            event_time_us=START_US + draw(st.integers(0, 5)),
            contract_size=draw(st.sampled_from([1.0, 10.0])),
            delisted=draw(st.booleans()),
        )
        for _ in range(draw(st.integers(1, 30)))
    ]


@st.composite
def parameter_streams(draw: st.DrawFn) -> list[Record]:
    return [
        ParameterSet(
            name=draw(st.sampled_from(["default", "desk"])),
            event_time_us=START_US + draw(st.integers(0, 5)),
            risk_matrix=RiskMatrixParameters(
                price_range=draw(st.sampled_from([0.1, 0.2])), mm_factor=draw(st.sampled_from([0.8, 1.0]))
            ),
        )
        for _ in range(draw(st.integers(1, 20)))
    ]


FOLDS: list[tuple[Any, Any, tuple[type[Exception], ...]]] = [
    (TicksFold, tick_streams(), ()),
    (VolatilityFold, volatility_streams(), (RejectedVolatility,)),
    (InstrumentsFold, instrument_streams(), (RejectedInstrument,)),
    (ParametersFold, parameter_streams(), (RejectedParameters,)),
]


def outcome(fold: Any, record: Any, refusals: tuple[type[Exception], ...]) -> Any:
    try:
        return fold.apply(record)
    except refusals as refusal:
        return str(refusal)


@pytest.mark.parametrize(("kind", "streams", "refusals"), FOLDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_restored_fold_goes_on_the_same(
    kind: Any, streams: Any, refusals: tuple[type[Exception], ...], data: st.DataObject
) -> None:
    """At any cut, a fold restored from the JSON of its snapshot goes on with the same outcomes and bytes."""
    stream = data.draw(streams)
    cut = data.draw(st.integers(0, len(stream)))
    fold = kind()
    for record in stream[:cut]:
        outcome(fold, record, refusals)
    before = canonical(fold.snapshot())
    copy = kind.restore(json.loads(before))
    assert canonical(copy.snapshot()) == before
    for record in stream[cut:]:
        assert outcome(copy, record, refusals) == outcome(fold, record, refusals)
    assert canonical(copy.snapshot()) == canonical(fold.snapshot())


@settings(max_examples=25, deadline=None)
@given(stream=tick_streams(), cuts=st.lists(st.integers(0, 60), max_size=8))
def test_frame_boundaries_leave_no_trace(stream: list[Tick], cuts: list[int]) -> None:
    """Ticks folded from frames, however they are cut, give the same state as ticks folded one by one."""
    single = TicksFold()
    for tick in stream:
        single.apply(tick)
    framed = TicksFold()
    bounds = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for start, stop in itertools.pairwise(bounds):
        message = decode_message(TICKS.name, None, encode_frame(stream[start:stop]))
        assert not message.refused
        for _, row in message.records:
            assert isinstance(row, PriceTick | Heartbeat)
            framed.apply(row)
    assert canonical(framed.snapshot()) == canonical(single.snapshot())


# --- the composite index against a second implementation ----------------------------------------------


class Plain:
    """The rules of the composite index, computed anew from the whole history after every record."""

    def __init__(self) -> None:
        self.now_us = 0
        self.ticks: dict[str, list[PriceTick]] = {}
        self.price: dict[str, float] = {}
        self.agreed: dict[str, float] = {}
        self.dispersed_since: dict[str, int] = {}
        self.jumping: dict[str, bool] = {}
        self.views: dict[str, tuple[float, bool, tuple[str, ...], int, int]] = {}

    def apply(self, tick: Tick) -> None:
        if isinstance(tick, PriceTick):
            if not tick.index_source:
                newest = max(
                    (t.event_time_us for t in self.ticks.get(f"{tick.instrument} {tick.price_kind}", [])), default=0
                )
                if tick.event_time_us < newest:
                    return
                self.pass_time(tick.event_time_us)
                self.ticks.setdefault(f"{tick.instrument} {tick.price_kind}", []).append(tick)
            else:
                history = self.ticks.setdefault(tick.underlying, [])
                if any(t.source == tick.source and t.event_time_us > tick.event_time_us for t in history):
                    return
                self.pass_time(tick.event_time_us)
                history.append(tick)
        self.pass_time(tick.event_time_us)
        self.now_us = max(self.now_us, tick.event_time_us)
        for underlying in ("BTC", "ETH"):
            if self.ticks.get(underlying):
                moved = isinstance(tick, PriceTick) and tick.index_source and tick.underlying == underlying
                self.make(underlying, moved)

    def pass_time(self, to_us: int) -> None:
        """Make the indices anew at every moment at which a price becomes too old or a dispersion too long."""
        while True:
            ends = [since_us + 60 * SECOND_US for since_us in self.dispersed_since.values()]
            for underlying in ("BTC", "ETH"):
                ends += [t.event_time_us + 1_000 * (t.max_age_ms or 180_000) for t in self.ticks.get(underlying, [])]
            moments = [end_us + 1 for end_us in ends if self.now_us < end_us + 1 <= to_us]
            if not moments or not self.now_us:
                return
            self.now_us = min(moments)
            for underlying in ("BTC", "ETH"):
                if self.ticks.get(underlying):
                    self.make(underlying, False)

    def make(self, underlying: str, moved: bool) -> None:
        history = self.ticks[underlying]
        newest = {tick.source: tick for tick in history}
        fresh = [
            tick.price
            for tick in newest.values()
            if tick.price and self.now_us <= tick.event_time_us + 1_000 * (tick.max_age_ms or 180_000)
        ]
        lone = len(newest) == 1
        if lone and moved:
            self.jumping[underlying] = self.is_jump(underlying, history)
        jump = lone and self.jumping.get(underlying, False)
        stale = len(fresh) < min(2, len(newest))
        dispersed = False
        if not stale and not jump:
            self.price[underlying], dispersed = self.combine(sorted(fresh), self.agreed.get(underlying, 0.0))
            if not dispersed:
                self.agreed[underlying] = self.price[underlying]
        if not dispersed:
            self.dispersed_since.pop(underlying, None)
        since_us = self.dispersed_since.setdefault(underlying, self.now_us) if dispersed else self.now_us
        held = stale or jump or self.now_us - since_us > 60 * SECOND_US
        flags = {"single_source": lone, "jump": jump, "stale": stale, "dispersed": dispersed}
        if underlying in self.price:
            names = tuple(sorted(name for name, raised in flags.items() if raised))
            self.views[underlying] = (self.price[underlying], held, names, len(fresh), len(newest))

    @staticmethod
    def combine(fresh: list[float], agreed: float) -> tuple[float, bool]:
        """Price and dispersion of the fresh prices in ascending order."""
        middle = statistics.median(fresh)
        if len(fresh) == 2 and fresh[1] > 1.02 * fresh[0]:
            return statistics.median([agreed, *fresh]), True
        near = sum(abs(price - middle) <= 0.02 * middle for price in fresh)
        return middle, len(fresh) > 2 and near < 2

    def is_jump(self, underlying: str, history: list[PriceTick]) -> bool:
        now_s = history[-1].event_time_us // SECOND_US
        seconds = [tick.event_time_us // SECOND_US for tick in history]
        # The last price before the window is in force at its start, unless it is older than five minutes.
        before = [k for k, second in enumerate(seconds) if second < now_s - 10]
        window = [tick.price for tick, second in zip(history, seconds, strict=True) if second >= now_s - 10]
        if before and seconds[before[-1]] >= now_s - 300:
            window.append(history[before[-1]].price)
        limit = 0.05 if self.jumping.get(underlying) else 0.10
        last = history[-1].price
        assert last is not None
        return any(price and (last > (1 + limit) * price or last < (1 - limit) * price) for price in window)


@settings(max_examples=150, deadline=None)
@given(stream=tick_streams())
def test_the_index_is_that_of_the_rules_recomputed(stream: list[Tick]) -> None:
    """After every record, price, hold, flags and counts equal a computation from the whole history."""
    fold, plain = TicksFold(), Plain()
    for tick in stream:
        before = {name: fold.index(name) for name in ("BTC", "ETH")}
        change = fold.apply(tick)
        plain.apply(tick)
        assert fold.time_us == plain.now_us
        for name in ("BTC", "ETH"):
            view = fold.index(name)
            seen = plain.views.get(name)
            assert (view is None) == (seen is None)
            if view is not None:
                assert (view.price_usd, view.held, view.flags, view.fresh_sources, view.sources) == seen
            was = before[name]
            if view is not None and (
                was is None or (was.price_usd, was.held, was.flags) != (view.price_usd, view.held, view.flags)
            ):
                assert name in change.underlyings


@settings(max_examples=60, deadline=None)
@given(stream=tick_streams())
def test_every_change_of_a_basis_is_reported(stream: list[Tick]) -> None:
    """An underlying is reported whenever the basis of one of its instruments is another after a record."""
    fold = TicksFold()
    names = [f"{underlying}-{kind}" for underlying in ("BTC", "ETH") for kind in ("PERP", "DEC")]
    for tick in stream:
        before = [fold.basis(name) for name in names]
        change = fold.apply(tick)
        for name, was in zip(names, before, strict=True):
            assert abs(fold.basis(name)) <= 0.25
            if fold.basis(name) != was:
                assert name[:3] in change.underlyings


# --- the merge ------------------------------------------------------------------------------------------

inputs_of_times = st.lists(st.lists(st.integers(0, 20), max_size=12), min_size=1, max_size=5)


def sourced(key: int, offset: int, seconds: int) -> Sourced:
    record = Heartbeat(source="publisher", event_time_us=START_US + seconds * SECOND_US)
    return Sourced(topic=str(key), partition=0, offset=offset, index=0, record=record)


@settings(max_examples=60, deadline=None)
@given(times=inputs_of_times)
def test_merging_complete_inputs_needs_no_luck(times: list[list[int]]) -> None:
    """With everything buffered, live and offline merge give the order that a plain scan of the heads gives."""
    inputs = [[sourced(key, offset, t) for offset, t in enumerate(one)] for key, one in enumerate(times)]
    merge = LiveMerge()
    for key, one in enumerate(inputs):
        merge.add_input(str(key), key // 2)
        for item in one:
            merge.push(str(key), item)
    live = []
    while isinstance(found := merge.next(0.0), Sourced):
        live.append(found)
    queues = [list(one) for one in inputs]
    plain = []
    while any(queues):
        key = min(
            (k for k, queue in enumerate(queues) if queue),
            key=lambda k: (queues[k][0].record.event_time_us, k // 2, queues[k][0].offset, k),
        )
        plain.append(queues[key].pop(0))
    assert live == plain
    assert list(merge_sorted((key // 2, one) for key, one in enumerate(inputs))) == plain
    assert merge.waits == 0


@settings(max_examples=60, deadline=None)
@given(times=inputs_of_times, data=st.data())
def test_prompt_fetches_give_the_complete_order(times: list[list[int]], data: st.DataObject) -> None:
    """Whatever order fetches come in, waiting for unfetched inputs gives the order of the complete merge."""
    inputs = [[sourced(key, offset, t) for offset, t in enumerate(one)] for key, one in enumerate(times)]
    merge = LiveMerge()
    fetched = [0] * len(inputs)
    for key in range(len(inputs)):
        merge.add_input(str(key), key // 2)
        merge.set_unfetched(str(key), bool(inputs[key]))
    live: list[Sourced] = []
    while True:
        found = merge.next(0.0)
        if found is None:
            break
        if isinstance(found, Wait):
            key = int(data.draw(st.sampled_from(found.inputs)))
            stop = data.draw(st.integers(fetched[key] + 1, len(inputs[key])))
            for item in inputs[key][fetched[key] : stop]:
                merge.push(str(key), item)
            fetched[key] = stop
            merge.set_unfetched(str(key), stop < len(inputs[key]))
        else:
            live.append(found)
    assert live == list(merge_sorted((key // 2, one) for key, one in enumerate(inputs)))


Action = Callable[[LiveMerge], None]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_nothing_is_lost_or_given_twice(data: st.DataObject) -> None:
    """Under any pushes, gates, waits and passing of time, each input comes out whole and in its own order."""
    merge = LiveMerge()
    keys = ["0", "1", "2"]
    pushed = dict.fromkeys(keys, 0)
    given_out: dict[str, list[int]] = {key: [] for key in keys}
    now_ms = 0.0
    for key in keys:
        merge.add_input(key, int(key), definitions=key == "0")
    for _ in range(data.draw(st.integers(0, 80))):
        key = data.draw(st.sampled_from(keys))
        action = data.draw(st.sampled_from(["push", "push", "close", "open", "unfetched", "fetched", "next", "next"]))
        if action == "push":
            merge.push(key, sourced(int(key), pushed[key], data.draw(st.integers(0, 20))))
            pushed[key] += 1
        elif action == "close":
            merge.close(key)
        elif action == "open":
            merge.open(key)
        elif action in ("unfetched", "fetched"):
            merge.set_unfetched(key, action == "unfetched")
        else:
            now_ms += data.draw(st.sampled_from([0.0, 1.0, 30.0, 60.0]))
            found = merge.next(now_ms)
            if isinstance(found, Sourced):
                given_out[found.topic].append(found.offset)
    for key in keys:
        merge.set_unfetched(key, False)
        merge.open(key)
    while isinstance(found := merge.next(now_ms), Sourced):
        given_out[found.topic].append(found.offset)
    assert given_out == {key: list(range(count)) for key, count in pushed.items()}
    assert merge.buffered() == 0
