"""Account totals and conditions against the scalar reference and plain sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import accounts
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


def test_totals_add_the_underlyings_held_and_report_changed_conditions() -> None:
    """Totals are cash plus the places in use; rows are reported when their bits differ from before."""
    rows, places = 4, 3
    rng = np.random.default_rng(1)
    value = rng.normal(0.0, 100.0, (rows, places))
    im = rng.uniform(0.0, 50.0, (rows, places))
    count = np.array([2, 3, 1, 0])
    cash = np.full(rows, 1_000.0)
    equity, im_total, mm_total = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    flags = np.zeros(rows, dtype=np.int64)
    changed = np.full(rows, -1, dtype=np.int64)
    nothing = np.zeros(rows, dtype=np.bool_)
    counts = np.zeros(2, dtype=np.int64)

    def refresh(which: list[int]) -> int:
        accounts.refresh_totals(
            np.array(which, dtype=np.int64), cash, value, im, 0.8 * im, count, np.zeros((rows, places), dtype=np.int64),
            nothing[:1], nothing, ~nothing, nothing, nothing, np.zeros(rows), 0.0 * im,
            np.zeros(rows), np.ones(1), np.zeros(rows, dtype=np.int64), THRESHOLDS[None, :], BITS, equity, im_total,
            mm_total, flags, changed, changed.copy(), counts,
        )  # fmt: skip
        assert counts[1] == 0
        return int(counts[0])

    assert refresh([2, 0]) == 2
    assert changed[:2].tolist() == [2, 0]
    assert refresh([2, 0]) == 0
    assert equity[2] == pytest.approx(1_000.0 + value[2, 0])
    assert mm_total[0] == pytest.approx(0.8 * im[0, :2].sum())
    assert equity[1] == 0.0


def test_a_held_underlying_holds_only_the_accounts_that_are_active_there() -> None:
    """Accounts without exposure to a stale index are not held."""
    count, column = np.ones(2, dtype=np.int64), np.array([[0, -1], [1, -1]])
    flags, changed = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)
    zeros, grid = np.zeros(2), np.ones((2, 2))
    nothing = np.zeros(2, dtype=np.bool_)
    accounts.refresh_totals(
        np.arange(2), np.full(2, 100.0), grid, grid, grid, count, column, np.array([True, False]), nothing,
        ~nothing, nothing, nothing, zeros, grid, zeros, np.ones(1), np.zeros(2, dtype=np.int64), THRESHOLDS[None, :],
        BITS, zeros.copy(), zeros.copy(), zeros.copy(), flags, changed, changed.copy(), changed.copy(),
    )  # fmt: skip
    held = BITS[7]
    assert flags[0] & held
    assert not flags[1] & held


@pytest.mark.parametrize(
    ("upper", "lower", "decided"),
    [(800.0, 700.0, True), (880.0, 800.0, False), (1_100.0, 1_050.0, True), (1_300.0, 900.0, False)],
)
def test_a_netted_account_is_decided_by_its_bounds_or_named_as_unsure(
    upper: float, lower: float, *, decided: bool
) -> None:
    """Bounds on one side of every threshold decide; a threshold between them asks for a solve, which then decides."""
    one = np.ones(1, dtype=np.bool_)
    flags, rows, counts = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros(2, dtype=np.int64)
    changed, unsure = np.full(1, -1, dtype=np.int64), np.full(1, -1, dtype=np.int64)
    equity, im, mm, exact = np.zeros(1), np.array([upper]), np.zeros(1), np.zeros(1, dtype=np.bool_)
    zero = np.zeros((1, 1))

    def refresh() -> None:
        accounts.refresh_totals(
            rows, np.array([1_000.0]), zero, zero, zero, rows + 1, rows[None, :], ~one, ~one, one, one,
            exact, np.array([upper - 100.0]), zero + 100.0, np.array([lower]), np.array([0.8]), rows,
            THRESHOLDS[None, :], BITS, equity, im, mm, flags, changed, unsure, counts,
        )  # fmt: skip

    refresh()
    assert counts.tolist() == ([1, 0] if decided else [0, 1])
    if decided:
        assert flags[0] == conditions(1_000.0, upper, 0.8 * upper, True, False, PARAMETERS)
    exact[0] = True
    refresh()
    assert flags[0] == conditions(1_000.0, upper, 0.8 * upper, True, False, PARAMETERS)
    assert mm[0] == 0.8 * upper
