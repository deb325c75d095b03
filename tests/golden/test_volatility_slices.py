"""The arbitrage check of volatility slices against densities by high-precision differentiation, and real smiles."""

from __future__ import annotations

import csv
import gzip
import math
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

import mpmath
import numpy as np
import pytest

from kernels.slice_density import GRID
from monitor.engine.butterfly import MAX_WING, refusal_of_smile, refusal_of_svi
from schemas.records import ExpiryVolatility, SviVolatility
from tests.support import ROOT
from tests.unit.engine.market_records import DAY_S, smile, svi

CHAIN = ROOT.parent / "shared" / "data" / "crash-2026-02-05" / "deribit_chain.csv.gz"
YEAR_S = 365 * DAY_S

Slice = ExpiryVolatility | SviVolatility


def total_variance(one: Slice, years: mpmath.mpf) -> Callable[[mpmath.mpf], mpmath.mpf]:
    if isinstance(one, ExpiryVolatility):

        def of_smile(k: mpmath.mpf) -> mpmath.mpf:
            x = k / mpmath.sqrt(years)
            return (one.atm_vol_annual + one.slope * x + one.curvature * x * x) ** 2 * years

        return of_smile

    def of_svi(k: mpmath.mpf) -> mpmath.mpf:
        d = k - one.m
        return one.a + one.b * (one.rho * d + mpmath.sqrt(d * d + one.sigma**2))

    return of_svi


def density(one: Slice, k: float, years: float) -> mpmath.mpf:
    """Second derivative of the undiscounted call price by strike, forward 1."""
    variance = total_variance(one, mpmath.mpf(years))

    def call(strike: mpmath.mpf) -> mpmath.mpf:
        s = mpmath.sqrt(variance(mpmath.log(strike)))
        d1 = -mpmath.log(strike) / s + s / 2
        return mpmath.ncdf(d1) - strike * mpmath.ncdf(d1 - s)

    return mpmath.diff(call, mpmath.exp(k), 2)


SLICES: list[tuple[Slice, str | None]] = [
    (smile(0, 30 * DAY_S, 0.45, slope=-0.15, curvature=0.2), None),
    (smile(0, 7 * DAY_S, 0.9, slope=-0.2, curvature=0.1, x_min=-3.0, x_max=3.0), None),
    (smile(0, 30 * DAY_S, 0.4, curvature=-1.5, x_min=-0.3, x_max=0.3), "butterfly"),
    (smile(0, 30 * DAY_S, 0.4, slope=1.0, x_min=-0.3, x_max=3.0), "butterfly"),
    (smile(0, 300 * DAY_S, 0.6, slope=-0.55, curvature=0.1), None),
    (smile(0, 300 * DAY_S, 0.3, slope=0.9, x_min=-0.3), "butterfly"),
    (svi(0, 40 * DAY_S), None),
    (svi(0, 365 * DAY_S, a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, sigma=0.4153, k_max=1.5), "butterfly"),
    (svi(0, 365 * DAY_S, a=0.0401, b=0.1331, rho=0.3060, m=0.3586, sigma=0.4153), None),
    (svi(0, 365 * DAY_S, a=0.001, b=0.9, rho=-0.2, sigma=0.01), "butterfly"),
]


@pytest.mark.parametrize(("one", "expected"), SLICES)
def test_a_slice_is_refused_where_its_density_is_negative(one: Slice, expected: str | None) -> None:
    """The check refuses exactly the slices whose call prices have a negative second derivative in their range."""
    years = (one.expiry_us - one.event_time_us) * 1e-6 / YEAR_S
    if isinstance(one, ExpiryVolatility):
        low, high = one.x_min * math.sqrt(years), one.x_max * math.sqrt(years)
        refusal = refusal_of_smile(one)
    else:
        low, high = one.k_min, one.k_max
        refusal = refusal_of_svi(one)
    with mpmath.workdps(40):
        smallest = min(density(one, low + (high - low) * i / (GRID - 1), years) for i in range(GRID))
    assert (refusal[0] if refusal else None) == expected
    assert (smallest < 0) == (expected == "butterfly")


def test_the_wing_bound_is_where_the_density_ends() -> None:
    """Far in the wing of an SVI slice, call prices stay convex up to a slope of 2 and do not beyond it."""
    with mpmath.workdps(60):
        for slope, convex in ((0.95 * MAX_WING, True), (1.05 * MAX_WING, False)):
            one = svi(0, 365 * DAY_S, a=0.04, b=slope, rho=0.0, m=0.0, sigma=0.1)
            assert (density(one, 60.0, 1.0) >= 0) == convex


@pytest.mark.data
@pytest.mark.skipif(not CHAIN.exists(), reason="the historical data is not beside the checkout")
def test_smiles_of_real_chains_pass() -> None:
    """Quadratic smiles fitted to every expiry of 27 Deribit chains, from 5 to 95 delta, are all taken."""
    fitted = 0
    for (stamp, coin), rows in chains().items():
        table = np.array(rows)
        strike, forward, vol, years, delta = table.T
        inner = (np.abs(delta) > 0.05) & (np.abs(delta) < 0.95)
        x = (np.log(strike / forward) / np.sqrt(years))[inner]
        if len(x) < 5 or not x.min() < 0.0 < x.max():
            continue
        curvature, slope, atm = np.polyfit(x, vol[inner], 2, w=np.exp(-2.0 * x * x) + 1e-3)
        event_us = int(datetime.fromisoformat(stamp).timestamp() * 1e6)
        one = ExpiryVolatility(
            underlying=coin.split()[0],
            source="deribit",
            expiry_us=event_us + int(years[0] * YEAR_S * 1e6),
            event_time_us=event_us,
            atm_vol_annual=float(atm),
            slope=float(slope),
            curvature=float(curvature),
            x_min=float(x.min()),
            x_max=float(x.max()),
        )
        assert refusal_of_smile(one) is None, (stamp, coin)
        fitted += 1
    assert fitted > 600


def chains() -> dict[tuple[str, str], list[tuple[float, ...]]]:
    """Quotes by snapshot and expiry: strike, forward, volatility, years, delta."""
    found: dict[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
    columns = ("strike", "underlying", "implied_volatility", "time_to_maturity", "delta")
    with gzip.open(CHAIN, "rt") as file:
        for row in csv.DictReader(file):
            values = tuple(float(row[name]) if row[name] else math.nan for name in columns)
            if all(math.isfinite(value) for value in values) and values[2] > 0.0 and values[3] > 0.0:
                found[row["timestamp"], f"{row['currency']} {row['expiry_datetime']}"].append(values)
    return found
