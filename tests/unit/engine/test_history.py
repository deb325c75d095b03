"""Rows of standardised returns: when there is one, what it is divided by, and how many are kept."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from monitor.engine import history as module
from monitor.engine.history import History
from monitor.engine.minutes import MINUTE_US, Minute, Sample
from monitor.engine.volatility import Volatilities
from tests.unit.engine.market_records import at

START_US = at(0)
assert START_US % (10 * MINUTE_US) == 0


class Tape:
    """Random walks of some coins, told to volatilities and history as the fold does."""

    def __init__(self, seed: int = 1) -> None:
        self.draw = random.Random(seed)
        self.volatilities = Volatilities()
        self.history = History(self.volatilities)
        self.logs: dict[str, list[float]] = {}
        self.scales: dict[str, list[float]] = {}
        self.k = -1

    def run(self, minutes: int, names: str, held: str = "", step: float = 1e-3) -> None:
        for _ in range(minutes):
            self.k += 1
            time_us = START_US + self.k * MINUTE_US
            samples = {}
            for name in names:
                log = self.logs.setdefault(name, [math.nan] * self.k)
                last = next((value for value in reversed(log) if not math.isnan(value)), 0.0)
                log.append(last + self.draw.gauss(0.0, step))
                samples[name] = Sample(100.0 * math.exp(log[-1]), name in held, False, time_us)
            for name, log in self.logs.items():
                log.extend([math.nan] * (self.k + 1 - len(log)))
                scales = self.scales.setdefault(name, [0.0] * self.k)
                scales += [0.0] * (self.k + 1 - len(scales))
            minute = Minute(time_us, samples)
            self.volatilities.on_minute(minute)
            self.history.on_minute(minute)
            for name, series in self.volatilities.series.items():
                self.scales[name][self.k] = series.scale


def test_rows_are_returns_over_the_volatility_before_them() -> None:
    """From about three hours on, every tenth minute adds log(p/p of ten minutes before) over the volatility then."""
    tape = Tape()
    tape.run(600, "XY")
    rows = tape.history.of(["X", "Y"])
    first = 600 // 10 - len(rows)
    assert 18 <= first <= 21
    for t, row in enumerate(rows, start=first):
        for value, name in zip(row, "XY", strict=True):
            change = tape.logs[name][10 * t] - tape.logs[name][10 * t - 10]
            assert value == pytest.approx(change / tape.scales[name][10 * t - 10], abs=1e-6)


def test_tails_are_not_clipped() -> None:
    """A move of 20 standard deviations stands in its row as what it was."""
    tape = Tape()
    tape.run(301, "X")
    scale = tape.volatilities.series["X"].scale
    tape.logs["X"][-1] += 20.0 * scale
    tape.run(10, "X", step=1e-6)
    assert tape.history.of(["X"])[-1, 0] == pytest.approx(20.0, abs=0.1)


def test_columns_are_those_asked_for() -> None:
    """Any order, NaN for a coin that is not known, and for the minutes at which one was held."""
    tape = Tape()
    tape.run(301, "XY")
    tape.run(10, "XY", held="Y")
    rows = tape.history.of(["Y", "Z", "X"])
    np.testing.assert_array_equal(rows[:, 2], tape.history.of(["X"])[:, 0])
    assert np.isnan(rows[:, 1]).all()
    assert math.isnan(rows[-1, 0])
    assert np.isfinite(rows[:-1, 0]).all()
    assert tape.history.of([]).shape == (len(rows), 0)


def test_minutes_without_any_return_leave_no_row() -> None:
    """An hour in which everything is held adds nothing."""
    tape = Tape()
    tape.run(301, "X")
    before = tape.history.of(["X"])
    tape.run(60, "X", held="X")
    np.testing.assert_array_equal(tape.history.of(["X"]), before)


def test_rows_and_places_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest row leaves for a new one; a coin whose last return has left gives its place to one that waits."""
    monkeypatch.setattr(module, "ROWS", 12)
    monkeypatch.setattr(module, "MAX_COINS", 2)
    tape = Tape()
    tape.run(301, "XYZ")
    assert len(tape.history.of(["X"])) == 11
    assert np.isnan(tape.history.of(["Z"])).all()
    tape.run(110, "XYZ", held="X")
    assert len(tape.history.of(["X"])) == 12
    assert np.isfinite(tape.history.of(["X"])).any()
    tape.run(20, "XYZ", held="X")
    assert np.isnan(tape.history.of(["X"])).all()
    assert np.isfinite(tape.history.of(["Z"])[:, 0]).sum() >= 1
    assert tape.history._rows.shape == (12, 2)


def test_what_never_moved_has_no_units() -> None:
    """A price that stands still gives no row."""
    tape = Tape()
    tape.run(301, "X", step=0.0)
    assert tape.history.of(["X"]).shape == (0, 1)


def test_a_leap_needs_a_volatility_of_its_own_beginning() -> None:
    """The first ten minutes after minutes that were not told give no row: their beginning was not seen."""
    tape = Tape()
    tape.run(301, "X")
    count = len(tape.history.of(["X"]))
    for k in range(2_000, 2_021):
        time_us = START_US + k * MINUTE_US
        minute = Minute(time_us, {"X": Sample(100.0 + k % 7, False, False, time_us)}, 1_699 if k == 2_000 else 0)
        tape.volatilities.on_minute(minute)
        tape.history.on_minute(minute)
        assert len(tape.history.of(["X"])) - count == (k - 2_000) // 10
