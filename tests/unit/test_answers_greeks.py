"""Greeks against prices that are written here once more: differences in 40 digits, and QuantLib's own Black formula."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 (its usual name)

from kernels import scenarios
from monitor.answers import view as views
from monitor.answers.figures import Evaluator
from monitor.answers.greeks import greeks_of
from monitor.models.portfolio import Rows
from tests.answers_books import folded, holding_most


def held_rows(seed: int) -> list[tuple[Rows, float]]:
    """The rows of all underlyings of all accounts of a random market, with the index price."""
    state = folded(seed)
    found = []
    for name in holding_most(state):
        view = views.take(state, name)
        evaluator = Evaluator(view)
        evaluator.figures(view)
        for u in evaluator.underlyings:
            pricing = evaluator.pricing(u)
            if math.isfinite(pricing.index_price):
                found.append((pricing.rows(np.arange(len(pricing.row_of))), pricing.index_price))
    return found


def premium(forward: mpmath.mpf, strike: float, vol: mpmath.mpf, years: mpmath.mpf, *, call: bool) -> mpmath.mpf:
    """Black's undiscounted price of an option on one coin, USD."""
    deviation = vol * mpmath.sqrt(years)
    upper = mpmath.log(forward / strike) / deviation + deviation / 2
    sign = 1 if call else -1
    return sign * (forward * mpmath.ncdf(sign * upper) - strike * mpmath.ncdf(sign * (upper - deviation)))


def value(rows: Rows, k: int, index: mpmath.mpf, start: float, vol: mpmath.mpf, years: mpmath.mpf) -> mpmath.mpf:
    """USD of one contract when the index has gone from `start` to `index`; the fixed part of its forward stays."""
    fixed, size = mpmath.mpf(float(rows.fixed[k])), mpmath.mpf(float(rows.size[k]))
    forward = fixed + (mpmath.mpf(float(rows.forward[k])) - fixed) * index / start
    price = premium(forward, float(rows.strike[k]), vol, years, call=bool(rows.is_call[k]))
    inverse = int(rows.kind[k]) == scenarios.INVERSE_OPTION
    return size * price * (index / forward if inverse else 1)


def differences(rows: Rows, k: int, index_price: float) -> tuple[float, float, float]:
    """Slopes of one contract's value along volatility and years, and its curvature along the index."""
    vol, years, start = (mpmath.mpf(float(x)) for x in (rows.vol[k], rows.years[k], index_price))
    by_vol = mpmath.diff(lambda x: value(rows, k, start, index_price, x, years), vol)
    by_years = mpmath.diff(lambda x: value(rows, k, start, index_price, vol, x), years)
    return (
        float(by_vol),
        float(by_years),
        float(mpmath.diff(lambda x: value(rows, k, x, index_price, vol, years), start, 2)),
    )


@pytest.mark.parametrize("kind", [scenarios.LINEAR_OPTION, scenarios.INVERSE_OPTION])
def test_greeks_of_options_are_differences_of_the_price(kind: int) -> None:
    """Gamma, vega and theta of every option held to 1e-7; those held are inverse, and are taken as linear as well."""
    looked = 0
    with mpmath.workdps(40):
        for rows, index_price in held_rows(2):
            options = np.flatnonzero(rows.kind == scenarios.INVERSE_OPTION)
            kinds = rows.kind.copy()
            kinds[options] = kind
            of = rows._replace(kind=kinds)
            found = greeks_of(of, index_price)
            for k in options:
                if not (math.isfinite(of.vol[k]) and of.vol[k] > 0.0 and of.years[k] > 0.0):
                    continue
                by_vol, by_years, second = differences(of, int(k), index_price)
                room = 1e-12 * float(of.size[k]) * index_price
                assert found.vega_usd_per_point[k] == pytest.approx(by_vol / 100.0, rel=1e-7, abs=room)
                assert found.theta_usd_per_day[k] == pytest.approx(-by_years / 365.0, rel=1e-7, abs=room)
                gamma = second * index_price * index_price / 100.0
                assert found.gamma_usd_per_pct[k] == pytest.approx(gamma, rel=1e-7, abs=room)
                looked += 1
    assert looked > 5


def test_vega_and_theta_are_those_of_quantlib() -> None:
    """Over moneyness, maturities and volatilities, calls and puts, linear and inverse."""
    strikes = [50_000.0, 90_000.0, 100_000.0, 110_000.0, 200_000.0]
    cases = [
        (call, strike, vol, years, kind)
        for call in (True, False) for strike in strikes for vol in (0.2, 0.6, 1.5) for years in (1 / 365, 0.1, 1.0)
        for kind in (scenarios.LINEAR_OPTION, scenarios.INVERSE_OPTION)
    ]  # fmt: skip
    forward, index_price, size = 101_000.0, 100_000.0, 0.1
    n = len(cases)
    empty = {name: np.zeros(n) for name in Rows._fields}
    rows = Rows(**{
        **empty, "kind": np.array([case[4] for case in cases], dtype=np.int64),
        "is_call": np.array([case[0] for case in cases]), "strike": np.array([case[1] for case in cases]),
        "vol": np.array([case[2] for case in cases]), "years": np.array([case[3] for case in cases]),
        "forward": np.full(n, forward), "size": np.full(n, size),
    })  # fmt: skip
    found = greeks_of(rows, index_price)
    for k, (call, strike, vol, years, kind) in enumerate(cases):
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if call else ql.Option.Put, strike)
        of = ql.BlackCalculator(payoff, forward, vol * math.sqrt(years), 1.0)
        unit = size * (index_price / forward if kind == scenarios.INVERSE_OPTION else 1.0)
        vega, theta = unit * of.vega(years) / 100.0, unit * of.theta(forward, years) / 365.0
        assert found.vega_usd_per_point[k] == pytest.approx(vega, rel=1e-9, abs=1e-9)
        assert found.theta_usd_per_day[k] == pytest.approx(theta, rel=1e-9, abs=1e-9)
