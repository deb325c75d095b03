"""Account totals and conditions against the scalar reference and plain sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import accounts
from monitor.engine.figures import Figures
from monitor.engine.status import ALL_CONDITIONS, conditions
from schemas.records import StatusParameters

BITS = np.array(ALL_CONDITIONS, dtype=np.int64)
PARAMETERS = StatusParameters()
THRESHOLDS = np.array([0.90, 0.85, 1.0, 0.95, 1.0, 1.0])
MONEY = st.one_of(
    st.floats(-1e9, 1e9),
    st.sampled_from([0.0, -0.0, 100.0, 85.0, 90.0, 95.0, math.nan, math.inf, -math.inf, 5e-324]),
)


@given(equity=MONEY, im=MONEY, mm=MONEY, positions=st.booleans(), held=st.booleans())
def test_the_kernel_agrees_with_the_reference(
    equity: float, im: float, mm: float, *, positions: bool, held: bool
) -> None:
    """Every combination of numbers and edges gives the bits of the scalar reference."""
    found = accounts.conditions(equity, im, mm, positions, held, THRESHOLDS, BITS)
    assert found == conditions(equity, im, mm, positions, held, PARAMETERS)


RATIO = st.one_of(
    st.floats(0.0, 2.0), st.sampled_from([0.85, 0.9, 0.95, 1.0, 1.25, 0.9 * (1 + 1e-11), 0.9 * (1 - 1e-11), 1e-9]),
)  # fmt: skip


@given(
    equity=st.one_of(st.floats(-1e3, 1e9), st.sampled_from([0.0, 5e-324, 1e-290, math.nan, math.inf])),
    ratios=st.tuples(RATIO, RATIO), flags=st.integers(0, 255), held=st.booleans(), watched=st.integers(0, 63),
    order=st.permutations(range(6)), usual=st.booleans(),
)  # fmt: skip
def test_bits_that_stay_at_a_glance_are_those_of_both_bounds(
    *, equity: float, ratios: tuple[float, float], flags: int, held: bool, watched: int, order: list[int], usual: bool
) -> None:
    """Bits that are said to stay are those of both bounds and between them, thresholds in any order."""
    thresholds = THRESHOLDS if usual else THRESHOLDS[order]
    least, most = sorted(ratios)
    low, high = least * equity, most * equity
    if usual:  # near to what the bits may be
        flags = accounts.conditions(equity, low, 0.8 * low, True, held, thresholds, BITS)
    f, limits = Figures(1, 4), np.empty(accounts.LIMITS)
    f.cash[0], f.flags[0], f.traits[0], f.held_places[0] = equity, flags, accounts.NETTED, held
    f.upper[0, 1], f.lower[0, 1] = high, low
    accounts.limits_of_bits(np.array([0.8]), thresholds[None, :], BITS, np.array([watched | 192]), limits)
    if not accounts.stays(0, f.record, f.shorts, limits, 0, BITS):
        near = any(abs(ratio - t) < 1e-7 for ratio in ratios for t in (*thresholds, 1.25))
        between = any(least <= t <= most for t in (*thresholds, 1.25))
        assert near or between or not usual or not 1e-280 < equity < math.inf
        return
    for requirement in (low * (1 - 4e-9), low, 0.5 * (low + high), high, high * (1 + 4e-9)):
        bits = accounts.conditions(equity, requirement, 0.8 * requirement, True, held, thresholds, BITS)
        assert not (bits ^ flags) & (watched | 192)


class Book:
    """Records of some accounts that are judged under one parameter set, healthy before."""

    def __init__(self, accounts_held: int, places: int) -> None:
        self.figures = Figures(accounts_held, places)
        self.changed, self.unsure = np.zeros(accounts_held, np.int64), np.zeros(accounts_held, np.int64)

    def judge(self, rows: list[int]) -> tuple[list[int], list[int]]:
        """Judge some accounts; return whose bits changed, and who is left open."""
        counts = np.zeros(2, dtype=np.int64)
        accounts.judge_rows(
            np.array(rows, dtype=np.int64), self.figures.record, self.figures.shorts, np.array([0.8]),
            THRESHOLDS[None, :], BITS, self.changed, self.unsure, counts,
        )  # fmt: skip
        return self.changed[: counts[0]].tolist(), self.unsure[: counts[1]].tolist()


@pytest.mark.parametrize("places", [3, 4, 9])
def test_totals_add_the_underlyings_held_and_report_changed_conditions(places: int) -> None:
    """Totals are cash plus the places in use; rows are reported when their bits differ from before."""
    book, rng = Book(4, places), np.random.default_rng(1)
    f = book.figures
    f.cash[:] = 1_000.0
    f.count[:] = [2, places, 1, 0]
    for row in range(4):
        held = slice(int(f.count[row]))
        f.value[row, held] = rng.normal(0.0, 100.0, int(f.count[row]))
        f.upper[row, held] = rng.uniform(0.0, 50.0, int(f.count[row]))
        f.lower[row, held] = 0.8 * f.upper[row, held]
    assert book.judge([2, 0]) == ([2, 0], [])
    assert book.judge([2, 0]) == ([], [])
    assert book.judge([1, 3]) == ([1, 3], [])
    for row in range(4):
        equity, im, mm = accounts.totals(row, f.record, f.shorts)
        assert equity == pytest.approx(1_000.0 + f.value[row].sum())
        assert im == pytest.approx(f.upper[row].sum())
        assert mm == pytest.approx(0.8 * im)
        assert f.flags[row] == conditions(equity, im, mm, False, False, PARAMETERS)


def test_an_account_is_held_while_any_of_its_underlyings_is() -> None:
    """Held underlyings are counted, and what makes an account itself degraded counts as well."""
    book = Book(3, 2)
    f = book.figures
    f.cash[:], f.held_places[:], f.traits[:] = 100.0, [1, 0, 0], [0, 0, accounts.DEGRADED]
    book.judge([0, 1, 2])
    assert ((f.flags & BITS[7]) != 0).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("upper", "lower", "decided"),
    [(800.0, 700.0, True), (880.0, 800.0, False), (1_100.0, 1_050.0, True), (1_300.0, 900.0, False)],
)
def test_a_netted_account_is_decided_by_its_bounds_or_named_as_unsure(
    upper: float, lower: float, *, decided: bool
) -> None:
    """Bounds on one side of every threshold decide; a threshold between them leaves the account open, as it was."""
    book = Book(1, 1)
    f = book.figures
    f.cash[0], f.norm[0], f.count[0], f.traits[0] = 1_000.0, 100.0, 1, accounts.NETTED | accounts.HAS_POSITIONS
    f.upper[0, 0], f.lower[0, 0] = upper - 100.0, lower
    assert book.judge([0]) == (([0], []) if decided else ([], [0]))
    assert f.flags[0] == (conditions(1_000.0, upper, 0.8 * upper, True, False, PARAMETERS) if decided else 0)


@given(cash=MONEY, norm=MONEY, upper=MONEY, lower=MONEY, positions=st.booleans())
def test_a_netted_account_is_never_decided_against_one_of_its_bounds(
    cash: float, norm: float, upper: float, lower: float, *, positions: bool
) -> None:
    """Whatever the numbers are, an account that is decided has the bits of both bounds, a NaN those of no value."""
    book = Book(1, 1)
    f = book.figures
    f.cash[0], f.norm[0], f.count[0], f.flags[0] = cash, norm, 1, -1
    f.upper[0, 0], f.lower[0, 0] = upper, lower
    f.traits[0] = accounts.NETTED | (accounts.HAS_POSITIONS if positions else 0)
    changed, unsure = book.judge([0])
    assert (changed == [0]) != (unsure == [0])
    high, low = (norm + upper) * (1.0 + accounts.SLACK), max(0.0, lower) * (1.0 - accounts.SLACK)
    if not math.isfinite(high):
        low = high
    both = {conditions(cash, bound, 0.8 * bound, positions, False, PARAMETERS) for bound in (high, low)}
    assert (both == {int(f.flags[0])}) if changed else len(both) == 2
