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


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_totals_add_active_underlyings_and_report_changed_conditions(order: list[int]) -> None:
    """Totals are cash plus the active columns; rows are reported when their bits differ from before."""
    rows, columns = 4, 3
    rng = np.random.default_rng(1)
    value = rng.normal(0.0, 100.0, (rows, columns))
    im = rng.uniform(0.0, 50.0, (rows, columns))
    active = rng.random((rows, columns)) < 0.6
    cash = np.full(rows, 1_000.0)
    equity, im_total, mm_total = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    flags = np.zeros(rows, dtype=np.int64)
    changed = np.full(rows, -1, dtype=np.int64)
    nothing = np.zeros(rows, dtype=np.bool_)

    def refresh(which: list[int]) -> int:
        return accounts.refresh_totals(
            np.array(which, dtype=np.int64), cash, value, im, 0.8 * im, active, np.zeros(columns, dtype=np.bool_),
            np.array(order, dtype=np.int64), nothing, ~nothing, np.zeros(rows, dtype=np.int64), THRESHOLDS[None, :],
            BITS, equity, im_total, mm_total, flags, changed,
        )  # fmt: skip

    assert refresh([2, 0]) == 2
    assert changed[:2].tolist() == [2, 0]
    assert refresh([2, 0]) == 0
    assert equity[2] == pytest.approx(1_000.0 + (value[2] * active[2]).sum())
    assert mm_total[0] == pytest.approx(0.8 * (im[0] * active[0]).sum())
    assert equity[1] == 0.0


def test_a_held_underlying_holds_only_the_accounts_that_are_active_there() -> None:
    """Accounts without exposure to a stale index are not held."""
    active = np.array([[True, False], [False, True]])
    flags, changed = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)
    zeros, grid = np.zeros(2), np.ones((2, 2))
    nothing = np.zeros(2, dtype=np.bool_)
    accounts.refresh_totals(
        np.arange(2), np.full(2, 100.0), grid, grid, grid, active, np.array([True, False]), np.arange(2), nothing,
        ~nothing, np.zeros(2, dtype=np.int64), THRESHOLDS[None, :], BITS, zeros.copy(), zeros.copy(), zeros.copy(),
        flags, changed,
    )  # fmt: skip
    held = BITS[7]
    assert flags[0] & held
    assert not flags[1] & held
