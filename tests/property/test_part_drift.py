"""Rows that drift alike are looked at once: no row of a part may drift by more than the part does."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import scenarios, surface
from kernels.certificates import book, drift_rows
from tests.certificate_books import SHOCKS

LEAST, MOST = 50.0, 200.0
KINDS = (scenarios.LINEAR, scenarios.INVERSE, scenarios.LINEAR_OPTION, scenarios.INVERSE_OPTION)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_a_part_drifts_as_far_as_the_row_of_it_that_drifts_most(seed: int) -> None:
    """Calls and puts, linear and inverse, of few surfaces and many strikes: all at once as one by one, to the bit."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    before = np.zeros((n, book.FIELDS))
    before[:, book.KIND] = np.sort(rng.choice(KINDS, n))
    before[:, book.IS_CALL] = (before[:, book.KIND] >= scenarios.LINEAR_OPTION) & (rng.random(n) < 0.5)
    before[:, book.SIZE], before[:, book.SHARE] = 1.0, 1.0
    before[:, book.STRIKE] = rng.choice([40.0, 100.0, 150.0, 400.0], n)
    before[:, book.YEARS] = 0.1
    before[:, book.CODE], before[:, book.SURFACE] = surface.CONSTANT, rng.choice([0.4, 0.6], n)
    now = before.copy()
    now[:, book.SURFACE] += rng.choice([0.0, 1e-4, 2e-4], n)
    now[:, book.BASIS] += rng.choice([0.0, 1e-4, 3e-4])
    now[:, book.FUNDING] += np.where(now[:, book.KIND] < scenarios.LINEAR_OPTION, 1e-3, 0.0)
    holders = rng.integers(0, 3, n)
    level = float(rng.choice([0.0, 1e-5]))

    def drift_of(rows: list[int]) -> float:
        at = np.array(rows, dtype=np.int64)
        return float(drift_rows.part_drift(before, now, at, holders, LEAST, MOST, SHOCKS, level))

    assert drift_of(list(range(n))) == max((drift_of([row]) for row in range(n)), default=0.0)
