"""Three OKX options, every second of 2025-10-10, against the price-adjusted Greeks the exchange published.

The exchange prints index, mark and mark volatility but not the forward, so the forward is the one that makes the
mark price fair; delta, gamma, vega and theta are then independent checks.
"""

from __future__ import annotations

import csv
import gzip
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels import black76_arrays, contracts
from tests.support import ROOT

FOLDER = ROOT.parent / "shared" / "data" / "crash-2025-10-10" / "options_okx"
MICROSECONDS_PER_YEAR = 31_536_000e6
DAYS_PER_YEAR = 365.0

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not FOLDER.exists(), reason="the historical data is not beside the checkout"),
]


class Compared(NamedTuple):
    """Implied basis F/S - 1, absolute error of delta and gamma, relative error of vega and theta, one per second."""

    basis: NDArray[np.float64]
    delta: NDArray[np.float64]
    gamma: NDArray[np.float64]
    vega: NDArray[np.float64]
    theta: NDArray[np.float64]


def implied_strike_ratio(
    is_call: NDArray[np.bool_], stdev: NDArray[np.float64], coins: NDArray[np.float64]
) -> NDArray[np.float64]:
    """K/F that makes V(F)/F equal the mark: bisection, since the coin price is monotone in K/F."""
    low, high = np.full(coins.size, 0.05), np.full(coins.size, 20.0)
    value, one = np.empty(coins.size), np.ones(coins.size)
    for _ in range(60):
        middle = 0.5 * (low + high)
        black76_arrays.price_array(is_call, one, middle, stdev, one, value)
        raise_strike = (value > coins) == is_call
        low, high = np.where(raise_strike, middle, low), np.where(raise_strike, high, middle)
    ratio: NDArray[np.float64] = 0.5 * (low + high)
    return ratio


def compare(name: str) -> Compared:
    with gzip.open(FOLDER / f"okex-options_BTC-USD-{name}.csv.gz", "rt", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["mark_price"] and row["underlying_price"]]

    def column(field: str) -> NDArray[np.float64]:
        return np.array([float(row[field]) for row in rows])

    is_call = np.full(len(rows), name.endswith("C"))
    years = (column("expiration") - column("timestamp")) / MICROSECONDS_PER_YEAR
    vol, strike = column("mark_iv"), column("strike_price")
    forward = strike / implied_strike_ratio(is_call, vol * np.sqrt(years), column("mark_price"))
    greeks = np.empty((black76_arrays.GREEKS, len(rows)))
    black76_arrays.greeks_array(is_call, forward, strike, vol, years, np.zeros(len(rows)), greeks)
    order = (
        black76_arrays.PRICE,
        black76_arrays.DELTA,
        black76_arrays.GAMMA,
        black76_arrays.VEGA,
        black76_arrays.THETA,
    )
    coin = np.array([contracts.inverse_greeks(*row) for row in zip(*greeks[list(order)], forward, strict=True)])
    return Compared(
        basis=forward / column("underlying_price") - 1.0,
        delta=np.abs(coin[:, 1] - column("delta")),
        gamma=np.abs(coin[:, 2] - column("gamma")),
        vega=np.abs(coin[:, 3] / 100.0 / column("vega") - 1.0),
        theta=np.abs(coin[:, 4] / DAYS_PER_YEAR / column("theta") - 1.0),
    )


@pytest.mark.parametrize(
    ("name", "basis", "delta", "gamma", "vega", "theta"),
    [
        ("251031-80000-P", 0.0036, 2e-7, 1e-5, 1e-4, 2e-4),
        ("251128-102000-C", 0.0090, 1.05e-4, 6e-4, 5e-4, 3e-3),
        ("251128-132000-C", 0.0090, 2.5e-5, 4e-4, 2e-4, 5e-4),
    ],
)
def test_price_adjusted_greeks_are_the_exchanges(
    name: str, basis: float, delta: float, gamma: float, vega: float, theta: float
) -> None:
    """Coin delta, gamma, vega and theta agree with the exchange's in the median, through calm and cascade."""
    seen = compare(name)
    assert len(seen.basis) == 80_538
    assert np.median(seen.basis) == pytest.approx(basis, abs=1e-4)
    assert np.median(seen.delta) <= delta
    assert np.median(seen.gamma) <= gamma
    assert np.median(seen.vega) <= vega
    assert np.median(seen.theta) <= theta
    assert np.percentile(seen.delta, 99) <= 1e-3
    assert np.percentile(seen.vega, 99) <= 6e-3


def test_a_premium_left_in_the_delta_would_show() -> None:
    """The comparison can fail: a delta without the premium adjustment is off by the mark price."""
    name = "251128-102000-C"
    with gzip.open(FOLDER / f"okex-options_BTC-USD-{name}.csv.gz", "rt", newline="") as lines:
        marks = [float(row["mark_price"]) for row in csv.DictReader(lines) if row["mark_price"]]
    assert np.median(marks) > 100.0 * np.median(compare(name).delta)
