"""Volatility, ladder and history against their definitions, at every cut of the input, and what must not move them."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.composite import TicksFold
from monitor.engine.history import History
from monitor.engine.minutes import MINUTE_US, Minute, Sample
from monitor.engine.ranges import Ranges, RangeView
from monitor.engine.volatility import Volatilities
from schemas.ids import canonical
from schemas.records import Heartbeat, PriceTick, RangeStep, Tick

START_US = 1_760_054_400_000_000
DAY = 1_440


class Engine:
    """The three listeners as the fold has them, and everything that was published."""

    def __init__(self) -> None:
        self.volatilities = Volatilities()
        self.ranges = Ranges(self.volatilities)
        self.history = History(self.volatilities)
        self.published: list[RangeStep] = []

    def take(self, minute: Minute) -> None:
        for listener in (self.volatilities, self.ranges, self.history):
            listener.on_minute(minute)
        self.published += self.ranges.take_changed()

    def snapshot(self) -> bytes:
        return canonical([self.volatilities.snapshot(), self.ranges.snapshot(), self.history.snapshot()])

    @classmethod
    def restore(cls, state: bytes) -> Engine:
        engine = cls()
        volatilities, ranges, history = json.loads(state)
        engine.volatilities = Volatilities.restore(volatilities)
        engine.ranges = Ranges.restore(ranges, engine.volatilities)
        engine.history = History.restore(history, engine.volatilities)
        return engine


def stream(seed: int, minutes: int, scale: float = 1.0) -> list[Minute]:
    """Return minutes of two coins: calm and wild days, jumps, holds, silences, and one leap in some."""
    rng = np.random.default_rng(seed)
    coins = 2
    level = np.repeat(rng.uniform(-9.5, -6.2, minutes // 400 + 1), 400)[:minutes]
    steps = np.exp(level)[:, None] * rng.standard_normal((minutes, coins))
    steps[rng.random((minutes, coins)) < 0.001] *= 40.0
    price = scale * 100.0 * np.exp(np.cumsum(steps, axis=0))
    held = rng.random((minutes, coins)) < rng.choice([0.0, 0.02])
    leap = int(rng.integers(minutes)) if rng.random() < 0.3 else -1
    out = []
    time_us, ticked = START_US, np.full(coins, START_US)
    for k in range(minutes):
        skipped = int(rng.integers(1_440, 4_000)) if k == leap else 0
        time_us += (1 + skipped) * MINUTE_US
        silent = k % 700 < rng.integers(0, 60)
        if not silent:
            ticked[:] = time_us - int(rng.integers(0, MINUTE_US))
        samples = {
            f"C{i}": Sample(float(price[k, i]), bool(held[k, i]), False, int(ticked[i]))
            for i in range(coins)
            if i == 0 or k > 50
        }
        out.append(Minute(time_us, samples, skipped))
    return out


# --- the definitions, by direct sums and plain counting -------------------------------------------


def returns_of(minutes: Sequence[Minute], name: str) -> list[tuple[int, float]]:
    """Return (minute, log return) of all ten minutes that have both ends and a tick inside."""
    at = {minute.time_us: minute for minute in minutes}
    out = []
    for minute in minutes:
        first = at.get(minute.time_us - 10 * MINUTE_US)
        if first is None or name not in minute.samples or name not in first.samples:
            continue
        now, then = minute.samples[name], first.samples[name]
        if not now.held and not then.held and now.tick_us > minute.time_us - 10 * MINUTE_US:
            out.append((minute.time_us // MINUTE_US, math.log(now.price_usd) - math.log(then.price_usd)))
    return out


def volatilities_of(returns: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """Return (volatility of ten minutes, worth) after each return: weighted sums over all returns before it."""
    minute = np.array([m for m, _ in returns], dtype=np.float64)
    square = np.array([value**2 for _, value in returns])
    out = []
    for k in range(len(returns)):
        if k:
            w = 0.5 ** ((minute[k - 1] - minute[:k]) / DAY)
            if w.sum() ** 2 / (w**2).sum() >= 60.0:
                square[k] = min(square[k], 9.0 * max((w * square[:k]).sum() / w.sum(), 9e-4**2))
        w = 0.5 ** ((minute[k] - minute[: k + 1]) / DAY)
        out.append((math.sqrt((w * square[: k + 1]).sum() / w.sum()), w.sum() ** 2 / (w**2).sum()))
    return out


def ladder_of(volatilities: Sequence[tuple[float, float]]) -> list[float]:
    """Return the range after each return, 0 before the first estimate."""
    out: list[float] = []
    since: list[float] = []  # what was wanted since the last step
    step = 0
    for scale, worth in volatilities:
        wanted = 6.0 * scale * math.sqrt(144.0) * math.sqrt(2.0)
        wanted = min(0.5, max(0.093, wanted))
        if not step:
            if worth >= 720.0:
                step = math.ceil(round(20 * wanted, 8))
            out.append(step / 20)
            continue
        since.append(wanted)
        day = since[-DAY:]
        if wanted > step / 20 + 1e-9:
            step, since = math.ceil(round(20 * wanted, 8)), []
        elif len(day) == DAY and all(w < 0.9 * step / 20 and w <= (step - 1) / 20 for w in day):
            step, since = math.ceil(round(20 * max(day), 8)), []
        out.append(step / 20)
    return out


# --- tests ------------------------------------------------------------------------------------------


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_volatility_and_ladder_are_those_of_their_definitions(seed: int) -> None:
    """After every return the volatility equals direct sums to 1e-9, and the step is the one that counting gives."""
    minutes = stream(seed, 5_000)
    engine = Engine()
    found: dict[str, list[tuple[float, RangeView | None]]] = {"C0": [], "C1": []}
    for minute in minutes:
        engine.take(minute)
        for name in engine.volatilities.latest:
            found[name].append((engine.volatilities.series[name].scale, engine.ranges.view(name)))
    for name, mine in found.items():
        expected = volatilities_of(returns_of(minutes, name))
        assert len(mine) == len(expected)
        np.testing.assert_allclose([scale for scale, _ in mine], [scale for scale, _ in expected], rtol=1e-9)
        assert [view.price_range if view else 0.0 for _, view in mine] == ladder_of(expected)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_no_step_leads_down_within_a_day_of_returns(seed: int) -> None:
    """1,440 returns lie between a step and a later one down; versions and reaches count without a hole."""
    engine, counted = Engine(), {"C0": 0, "C1": 0}
    changes: dict[str, list[tuple[int, float]]] = {"C0": [], "C1": []}
    for minute in stream(seed, 6_000):
        engine.take(minute)
        for name in engine.volatilities.latest:
            counted[name] += 1
            view = engine.ranges.view(name)
            if view is not None and (not changes[name] or changes[name][-1][1] != view.price_range):
                changes[name].append((counted[name], view.price_range))
    for name, steps in changes.items():
        for (before, high), (after, low) in itertools.pairwise(steps):
            assert low > high or after - before >= DAY
        versions = [step.version for step in engine.published if step.underlying == name]
        assert versions == list(range(1, len(versions) + 1))
        reaches = [step.reach for step in engine.published if step.underlying == name]
        assert all(0 <= b - a <= 1 for a, b in itertools.pairwise(reaches))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**9), cut=st.floats(0.0, 1.0))
def test_a_restored_state_goes_on_bit_for_bit(seed: int, cut: float) -> None:
    """At any minute, volatilities, ladders and history are what their JSON says."""
    minutes = stream(seed, 2_500)
    at = int(cut * len(minutes))
    engine = Engine()
    for minute in minutes[:at]:
        engine.take(minute)
    copy = Engine.restore(engine.snapshot())
    assert copy.snapshot() == engine.snapshot()
    engine.published.clear()
    for minute in minutes[at:]:
        engine.take(minute)
        copy.take(minute)
    assert copy.published == engine.published
    assert copy.snapshot() == engine.snapshot()
    np.testing.assert_array_equal(copy.history.of(["C1", "C0"]), engine.history.of(["C1", "C0"]))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**9), power=st.sampled_from([-3, -1, 4]))
def test_prices_in_another_unit_change_nothing(seed: int, power: int) -> None:
    """With all prices eight times as large every published step and every row is the same, bit for bit."""
    one, other = Engine(), Engine()
    for minute, scaled in zip(stream(seed, 2_000), stream(seed, 2_000, 2.0**power), strict=True):
        one.take(minute)
        other.take(scaled)
    assert one.published == other.published
    np.testing.assert_array_equal(one.history.of(["C0", "C1"]), other.history.of(["C0", "C1"]))
    assert [s.snapshot()[1:] for s in one.volatilities.series.values()] == [
        s.snapshot()[1:] for s in other.volatilities.series.values()
    ]


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**9), silent=st.booleans(), minutes=st.integers(1, 3_000))
def test_an_index_that_is_held_or_silent_moves_nothing(seed: int, silent: bool, minutes: int) -> None:
    """However long, and whatever its last price: no step, no row, no other volatility, and no day passes."""
    engine = Engine()
    told = stream(seed, 1_600)
    for minute in told:
        engine.take(minute)
    last = told[-1].time_us
    before = [s.snapshot()[1:] for s in engine.volatilities.series.values()], engine.ranges.snapshot()
    rows = engine.history.of(["C0", "C1"])
    engine.published.clear()
    for k in range(1, minutes + 1):
        tick_us = last - 10 * MINUTE_US if silent else last + k * MINUTE_US
        sample = Sample(3.0 + k % 2, not silent, silent, tick_us)
        engine.take(Minute(last + k * MINUTE_US, {"C0": sample, "C1": sample}))
    assert engine.published == []
    assert ([s.snapshot()[1:] for s in engine.volatilities.series.values()], engine.ranges.snapshot()) == before
    np.testing.assert_array_equal(engine.history.of(["C0", "C1"]), rows)


def ticks(seed: int, minutes: int) -> list[Tick]:
    """Return two venues' prices of one coin and a heartbeat, once a minute."""
    rng = np.random.default_rng(seed)
    price = 100.0 * np.exp(np.cumsum(1e-3 * rng.standard_normal(minutes)))
    out: list[Tick] = []
    for k in range(minutes):
        out.append(Heartbeat(source="clock", event_time_us=START_US + k * MINUTE_US))
        out += [
            PriceTick(
                underlying="C0", source=source, price_kind="index", price=float(price[k]), index_source=True,
                event_time_us=START_US + k * MINUTE_US + 1,
            )
            for source in ("a", "b")
        ]  # fmt: skip
    return out


def test_the_fold_says_what_its_parts_say_and_goes_on_from_any_snapshot() -> None:
    """Steps come with the record that ends the minute, name their coin as changed, and survive a snapshot."""
    records = ticks(1, 1_000)
    fold = TicksFold()
    steps: list[RangeStep] = []
    copy: TicksFold | None = None
    for k, record in enumerate(records):
        if k == len(records) // 2:
            copy = TicksFold.restore(json.loads(canonical(fold.snapshot())))
        change = fold.apply(record)
        if copy is not None:
            assert copy.apply(record) == change
        if change.steps:
            assert change.underlyings == ("C0",)
            steps += change.steps
    assert copy is not None
    assert canonical(copy.snapshot()) == canonical(fold.snapshot())
    (first, *_) = steps
    annual = fold.annual_volatility("C0")
    assert annual is not None
    assert abs(annual / (1e-3 * math.sqrt(525_600.0)) - 1.0) < 0.15
    assert (first.version, first.reach, first.underlying) == (1, 1, "C0")
    assert fold.range_step("C0") == RangeView(steps[-1].version, steps[-1].price_range, steps[-1].reach)
    assert len(fold.history(["C0"])) >= 75
    assert fold.range_step("C1") is None
    assert fold.annual_volatility("C1") is None
