"""Whole Deribit option chains of 2026-02-02 to 08 against the marks, deltas and vegas the exchange printed.

The chains join two calls of the exchange (summary and ticker), so a few rows mix two moments: the median says
whether the formula is right, the 99th percentile how asynchronous the snapshot was.
"""

from __future__ import annotations

import csv
import gzip
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import black76_arrays
from tests.support import ROOT

CHAIN = ROOT.parent / "shared" / "data" / "crash-2026-02-05" / "deribit_chain.csv.gz"
SECONDS_PER_YEAR = 31_536_000

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not CHAIN.exists(), reason="the historical data is not beside the checkout"),
]


class Chain(NamedTuple):
    """Columns of all rows; `greeks` is what the kernel says, undiscounted, years of 365 days."""

    forward: NDArray[np.float64]
    index_price: NDArray[np.float64]
    mark_coins: NDArray[np.float64]
    delta: NDArray[np.float64]
    vega_usd_per_point: NDArray[np.float64]
    greeks: NDArray[np.float64]


@pytest.fixture(scope="module")
def chain() -> Chain:
    with gzip.open(CHAIN, "rt", newline="") as lines:
        rows = list(csv.DictReader(lines))

    def column(name: str) -> NDArray[np.float64]:
        return np.array([float(row[name]) for row in rows])

    seconds = [
        (datetime.fromisoformat(row["expiry_datetime"]) - datetime.fromisoformat(row["timestamp"])).total_seconds()
        for row in rows
    ]
    years = np.array(seconds) / SECONDS_PER_YEAR
    is_call = np.array([row["option_type"] == "call" for row in rows])
    forward = column("underlying")
    greeks = np.empty((black76_arrays.GREEKS, len(rows)))
    black76_arrays.greeks_array(
        is_call, forward, column("strike"), column("implied_volatility"), years, np.zeros(len(rows)), greeks
    )
    return Chain(forward, column("index_price"), column("mark_price"), column("delta"), column("vega"), greeks)


def median_and_p99(errors: NDArray[np.float64]) -> tuple[float, float]:
    return float(np.median(errors)), float(np.percentile(errors, 99))


def test_every_row_is_priced(chain: Chain) -> None:
    """All 45,142 rows have a number for every Greek."""
    assert chain.greeks.shape == (black76_arrays.GREEKS, 45_142)
    assert np.isfinite(chain.greeks).all()


def test_mark_price_is_the_undiscounted_price_over_the_forward(chain: Chain) -> None:
    """Coin prices agree to 2e-5 in the median, 1e-3 at the 99th percentile (to its printed digit), 5e-3 at worst."""
    errors = np.abs(chain.greeks[black76_arrays.PRICE] / chain.forward - chain.mark_coins)
    median, p99 = median_and_p99(errors)
    assert median <= 2e-5
    assert p99 <= 1.05e-3
    assert errors.max() <= 5e-3


def test_delta_is_the_forward_delta(chain: Chain) -> None:
    """Deltas agree to 3e-4 in the median and to 1.2e-2 at the 99th percentile, to its printed digits."""
    median, p99 = median_and_p99(np.abs(chain.greeks[black76_arrays.DELTA] - chain.delta))
    assert median <= 3e-4
    assert p99 < 1.3e-2


def test_vega_is_per_volatility_point(chain: Chain) -> None:
    """Vegas agree to 0.01 USD per point in the median and 1 USD at the 99th, 0.3 % of those above 5 USD."""
    vega = chain.greeks[black76_arrays.VEGA] / 100.0
    errors = np.abs(vega - chain.vega_usd_per_point)
    median, p99 = median_and_p99(errors)
    assert median <= 0.01
    assert p99 <= 1.0
    large = chain.vega_usd_per_point > 5.0
    assert np.median(errors[large] / chain.vega_usd_per_point[large]) <= 3e-3


def test_the_index_in_place_of_the_forward_would_show(chain: Chain) -> None:
    """The comparison can fail: marks divided by the index instead of the forward are ten times further off."""
    right = np.abs(chain.greeks[black76_arrays.PRICE] / chain.forward - chain.mark_coins)
    wrong = np.abs(chain.greeks[black76_arrays.PRICE] / chain.index_price - chain.mark_coins)
    assert np.median(wrong) > 10.0 * np.median(right)
