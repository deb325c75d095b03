"""Black-76 against QuantLib, a printed table and the spot conventions of both."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from kernels import black76, black76_arrays, contracts

# Total standard deviations from a quiet hour to years of panic, strikes from 5 sigma in to 5 sigma out.
CASES = [
    (is_call, forward, forward * math.exp(z * vol * math.sqrt(years)), vol, years, rate, carry)
    for is_call, forward, z, (vol, years), (rate, carry) in product(
        (True, False),
        (0.01, 1.0, 66_000.0),
        (-5.0, -2.0, -0.5, 0.0, 0.5, 2.0, 5.0),
        ((0.6, 1e-4), (0.45, 7 / 365), (0.9, 0.25), (0.3, 1.0), (1.5, 2.0)),
        ((0.0, 0.0), (0.05, 0.02), (-0.01, 0.08)),
    )
]


def calculator(is_call: bool, forward: float, strike: float, stdev: float, discount: float) -> Any:
    kind = ql.Option.Call if is_call else ql.Option.Put
    return ql.BlackCalculator(ql.PlainVanillaPayoff(kind, strike), forward, stdev, discount)


@pytest.fixture(scope="module")
def computed() -> Any:
    """All cases at once through the array kernel: float64[9, n]."""
    columns = list(zip(*CASES, strict=True))
    out = np.empty((black76_arrays.GREEKS, len(CASES)))
    is_call = np.array(columns[0], dtype=np.bool_)
    forward, strike, vol, years, rate = (np.array(column) for column in columns[1:6])
    black76_arrays.greeks_array(is_call, forward, strike, vol, years, rate, out)
    return out


def reference(row: Any) -> dict[str, tuple[float, float]]:
    """QuantLib's number and the scale on which it may differ, by Greek, on the forward and on the spot."""
    is_call, forward, strike, vol, years, rate, carry = row
    spot = forward * math.exp(-carry * years)
    discount = math.exp(-rate * years)
    stdev = vol * math.sqrt(years)
    c = calculator(is_call, forward, strike, stdev, discount)
    top = max(forward, strike)
    density = math.exp(-0.5 * (math.log(forward / strike) / stdev + 0.5 * stdev) ** 2)
    d = abs(math.log(forward / strike) / stdev) + stdev
    return {
        "price": (c.value(), top),
        "delta": (c.deltaForward(), 1.0),
        "gamma": (c.gammaForward(), density / (forward * stdev)),
        "vega": (c.vega(years), density * forward * math.sqrt(years)),
        # QuantLib 1.44 divides by the total deviation where the second derivative by the volatility divides by the
        # volatility (the 50-digit derivative in `tests/property` agrees with the latter).
        "volga": (c.volga(years) * math.sqrt(years), density * forward * math.sqrt(years) * (1 + d * d) / vol),
        "spot delta": (c.delta(spot), forward / spot),
        "spot gamma": (c.gamma(spot), density * forward / (spot * spot * stdev)),
        "spot vanna": (c.vanna(spot, years), density * (1 + d) * forward / spot / vol),
        "spot theta": (c.theta(spot, years), density * forward * vol / math.sqrt(years) + top * (abs(rate) + 1.0)),
        "spot rho": (c.rho(years), years * top),
    }


def test_price_and_greeks_equal_quantlib(computed: Any) -> None:
    """Price and Greeks, on the forward and on the spot, equal QuantLib's BlackCalculator to 5e-12 of their scale.

    QuantLib takes ln(F/K) of the rounded quotient, which costs it 1e-12 near the money at small deviations; the
    comparison with 50 digits in `tests/property` is the tighter one.
    """
    for i, row in enumerate(CASES):
        g = black76.Greeks(*computed[:, i])
        _, forward, _, _, years, rate, carry = row
        spot = forward * math.exp(-carry * years)
        s = contracts.spot_greeks(g.price, g.delta, g.gamma, g.vanna, g.theta, forward, spot, years, rate, rate - carry)
        ours = {
            "price": g.price, "delta": g.delta, "gamma": g.gamma, "vega": g.vega, "volga": g.volga,
            "spot delta": s.delta, "spot gamma": s.gamma, "spot vanna": s.vanna, "spot theta": s.theta,
            "spot rho": s.rho,
        }  # fmt: skip
        for name, (want, scale) in reference(row).items():
            assert ours[name] == pytest.approx(want, rel=0.0, abs=5e-12 * scale), (name, row)


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize(("forward", "strike"), [(110.0, 100.0), (90.0, 100.0)])
def test_zero_deviation_equals_quantlib(is_call: bool, forward: float, strike: float) -> None:
    """Without uncertainty price, gamma and vega are QuantLib's, away from the strike."""
    c = calculator(is_call, forward, strike, 0.0, 0.95)
    assert black76.price(is_call, forward, strike, 0.0, 0.95) == pytest.approx(c.value(), rel=1e-15)
    greeks = black76.greeks(is_call, forward, strike, 0.0, 1.0, -math.log(0.95))
    assert (greeks.gamma, greeks.vega) == (c.gammaForward(), c.vega(1.0)) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("is_call", "strike", "spot", "dividend", "rate", "years", "vol", "printed"),
    [
        (True, 65.0, 60.0, 0.0, 0.08, 0.25, 0.30, 2.1334),
        (False, 95.0, 100.0, 0.05, 0.10, 0.50, 0.20, 2.4648),
    ],
)
def test_spot_options_equal_the_printed_values(
    is_call: bool, strike: float, spot: float, dividend: float, rate: float, years: float, vol: float, printed: float
) -> None:
    """Black-Scholes-Merton through the forward gives the values of Haug (1998), page 2, to the printed digits."""
    forward = spot * math.exp((rate - dividend) * years)
    value = black76.price(is_call, forward, strike, vol * math.sqrt(years), math.exp(-rate * years))
    assert value == pytest.approx(printed, abs=5e-5)
