"""Model D against closed forms and numerical integration, which share no function with it."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from kernels import scenarios
from monitor.models.joint import margin
from monitor.models.margin import Margin
from monitor.models.portfolio import Portfolio
from schemas.joint import JointParameters
from tests.joint_books import LEVEL, PLAIN, STILL, Row, changed, portfolio, underlying

mp = mpmath.mp.clone()
mp.dps = 20
MANY = changed(PLAIN, draws=65_536)
FOUR = changed(PLAIN, draws=262_144, degrees_of_freedom=4)
CORRELATION = np.array([[1.0, 0.8, 0.3], [0.8, 1.0, 0.5], [0.3, 0.5, 1.0]])
HEDGED = portfolio(
    underlying("BTC", 60_000.0, Row("BTC-P", 1.0), annual_vol=0.55),
    underlying("ETH", 2_500.0, Row("ETH-P", -20.0), coins=2.0, annual_vol=0.75),
    underlying("SOL", 150.0, coins=100.0, annual_vol=0.9),
    matrices=[CORRELATION],
)
EXPOSURE = np.array([60_000.0 * 0.55, -18.0 * 2_500.0 * 0.75, 15_000.0 * 0.9]) / math.sqrt(365.0)
DEVIATION = math.sqrt(EXPOSURE @ CORRELATION @ EXPOSURE)


def within(found: Margin, exact: float, errors: float = 4.0) -> bool:
    error = found.statistics["standard_error_usd"]
    assert error < 0.03 * abs(exact)  # an error that excuses anything shows nothing
    return abs(found.statistics["es_usd"] - exact) < errors * error


@pytest.mark.parametrize("confidence", [0.95, 0.99])
@pytest.mark.parametrize("days", [1.0, 4.0])
def test_normal_moves_of_a_linear_book_have_the_normal_shortfall(confidence: float, days: float) -> None:
    """ES is sigma n(z)/(1 - confidence), VaR z sigma, to the error told; delta-normal VaR is exact."""
    found = margin(HEDGED, changed(MANY, confidence=confidence, horizon_days=days), "")
    sigma = DEVIATION * math.sqrt(days)
    z = float(mp.sqrt(2) * mp.erfinv(2 * mp.mpf(confidence) - 1))
    assert within(found, sigma * float(mp.npdf(z)) / (1.0 - confidence))
    assert found.statistics["var_usd"] == pytest.approx(z * sigma, rel=0.03)
    assert found.statistics["delta_normal_var_usd"] == pytest.approx(z * sigma, rel=1e-12)
    assert found.statistics["diversification_usd"] == pytest.approx(
        z * math.sqrt(days) * (np.abs(EXPOSURE).sum() - DEVIATION), rel=1e-12
    )


def student_shortfall(nu: int, confidence: float) -> float:
    """Return the shortfall of a Student t variable of variance 1."""

    def above(t: mpmath.mpf) -> mpmath.mpf:
        return mp.betainc(mp.mpf(nu) / 2, mp.mpf("0.5"), 0, nu / (nu + t * t), regularized=True) / 2

    t = mp.findroot(lambda x: above(x) - (1 - mp.mpf(confidence)), 3)
    density = mp.gamma((nu + 1) / mp.mpf(2)) / (mp.sqrt(nu * mp.pi) * mp.gamma(mp.mpf(nu) / 2))
    density *= (1 + t * t / nu) ** (-(nu + 1) / mp.mpf(2))
    return float(density / (1 - mp.mpf(confidence)) * (nu + t * t) / (nu - 1) * mp.sqrt((nu - 2) / mp.mpf(nu)))


@pytest.mark.parametrize("nu", [4, 5, 10])
def test_student_moves_of_a_linear_book_have_the_student_shortfall(nu: int) -> None:
    """One mixing variable for all factors makes every linear book a Student t variable of the same degrees."""
    found = margin(HEDGED, changed(FOUR, degrees_of_freedom=nu), "")
    assert within(found, DEVIATION * student_shortfall(nu, 0.99))


def one_option(quantity: float, *, is_call: bool) -> Portfolio:
    option = Row("O", quantity, scenarios.LINEAR_OPTION, 60_300.0, strike=63_000.0, days=20.0, vol=0.6, is_call=is_call)
    return portfolio(underlying("BTC", 60_000.0, option, annual_vol=0.7))


def loss_usd(quantity: float, move: mpmath.mpf, *, is_call: bool) -> mpmath.mpf:
    """Return what the option loses when its forward moves, by Black's formula in twenty digits."""

    def value(forward: mpmath.mpf) -> mpmath.mpf:
        stdev = mp.mpf("0.6") * mp.sqrt(mp.mpf(20) / 365)
        d1 = mp.log(forward / 63_000) / stdev + stdev / 2
        sign = 1 if is_call else -1
        return sign * (forward * mp.ncdf(sign * d1) - 63_000 * mp.ncdf(sign * (d1 - stdev)))

    return -quantity * (value(60_300 * (1 + move)) - value(mp.mpf(60_300)))


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("quantity", [2.0, -2.0])
@pytest.mark.parametrize("kind", ["normal", "student"])
def test_an_option_has_the_shortfall_of_an_integral(quantity: float, is_call: bool, kind: str) -> None:
    """An option loses on one side only, so its tail is an interval of moves and its shortfall an integral over it."""
    deviation = mp.mpf("0.7") / mp.sqrt(365)
    falls = quantity > 0.0 if is_call else quantity < 0.0  # does it lose when the index falls
    sign = -1 if falls else 1
    if kind == "normal":
        parameters, density = MANY, mp.npdf
        start = mp.sqrt(2) * mp.erfinv(2 * mp.mpf("0.99") - 1)
    else:
        parameters = FOUR
        scale = mp.sqrt(2)  # of a Student t variable of four degrees, deviation 1

        def density(x: mpmath.mpf) -> mpmath.mpf:
            return scale * mp.mpf(3) / 8 * (1 + (x * scale) ** 2 / 4) ** mp.mpf("-2.5")

        start = mp.findroot(lambda x: mp.quad(density, [x, 10, 100, mp.inf]) - mp.mpf("0.01"), 2.6)

    def integrand(x: mpmath.mpf) -> mpmath.mpf:
        move = max(sign * deviation * x, mp.mpf("-0.99"))
        return loss_usd(quantity, move, is_call=is_call) * density(x)

    edges = [start, 4, 6, 10, mp.mpf("0.99") / deviation, 60, 200, 2_000, mp.inf]
    exact = float(mp.quad(integrand, edges) / mp.mpf("0.01"))
    assert within(margin(one_option(quantity, is_call=is_call), parameters, ""), exact)


@pytest.mark.parametrize("antithetic", [True, False])
@pytest.mark.parametrize("nu", [None, 4])
def test_the_error_told_is_the_spread_over_seeds(antithetic: bool, nu: int | None) -> None:
    """Over 150 seeds the shortfall of a book with options spreads as the mean of the errors told, within 20 %."""
    book = portfolio(
        underlying(
            "BTC", 60_000.0, Row("P", 1.0),
            Row("S", -2.0, scenarios.LINEAR_OPTION, 60_000.0, strike=60_000.0, days=20.0, vol=0.6),
        ),
        underlying("ETH", 2_500.0, Row("P", -20.0), annual_vol=0.75),
    )  # fmt: skip
    base = changed(PLAIN, draws=2_048, antithetic=antithetic, degrees_of_freedom=nu, confidence=0.975)
    found = [margin(book, changed(base, seed=seed), "").statistics for seed in range(150)]
    spread = float(np.std([one["es_usd"] for one in found]))
    told = float(np.sqrt(np.mean([one["standard_error_usd"] ** 2 for one in found])))
    assert told == pytest.approx(spread, rel=0.20)


def test_more_draws_tell_a_smaller_error() -> None:
    """The error falls as the root of the draws: sixteen times as many, about a quarter of it."""
    few, many = (margin(HEDGED, changed(PLAIN, draws=n), "").statistics for n in (8_192, 131_072))
    assert many["standard_error_usd"] / few["standard_error_usd"] == pytest.approx(0.25, rel=0.15)
    assert many["effective_scenarios"] == pytest.approx(131_072, rel=0.1)


def test_bases_and_volatilities_add_their_own_variance() -> None:
    """Perpetual against coin has only its basis, future against future two bases, both normal with a closed form."""
    carry = portfolio(underlying("BTC", 60_000.0, Row("P", -1.0), coins=1.0))
    moving = changed(MANY, basis={"perpetual": 0.002, "tenor_days": (7.0,), "daily": (0.003, 0.004)})
    shortfall_of_one = float(mp.npdf(mp.mpf("2.3263478740408408"))) / 0.01
    found = margin(carry, moving, "")
    # The move of the index multiplies that of the basis: its variance is larger by the index's, 0.1 %.
    assert within(found, 60_000.0 * 0.002 * shortfall_of_one)
    roll = portfolio(underlying("BTC", 60_000.0, Row("A", -1.0, days=5.0), Row("B", 1.0, days=50.0)))
    assert within(margin(roll, moving, ""), 60_000.0 * 0.005 * shortfall_of_one)
    assert margin(roll, MANY, "").statistics["es_usd"] == pytest.approx(0.0, abs=1e-6)


def test_volatility_alone_moves_a_straddle() -> None:
    """With an index that hardly moves, a straddle is worth what a normal volatility makes it, by integration."""

    def row(name: str, is_call: bool) -> Row:
        return Row(name, -1.0, scenarios.LINEAR_OPTION, 60_000.0, strike=60_000.0, days=30.0, vol=0.6, is_call=is_call)

    straddle = portfolio(underlying("BTC", 60_000.0, row("C", True), row("P", False), annual_vol=1e-9))
    parameters: JointParameters = changed(
        MANY, basis=LEVEL, volatility={"beta_down": 0.0, "beta_up": 0.0, "annual_vol": 1.5, "common": 0.3}
    )

    def value(vol: mpmath.mpf) -> mpmath.mpf:
        return 2 * 60_000 * (2 * mp.ncdf(vol * mp.sqrt(mp.mpf(30) / 365) / 2) - 1)

    deviation = mp.mpf("1.5") / mp.sqrt(365)
    start = mp.mpf("2.3263478740408408")
    exact = mp.quad(
        lambda x: (value(mp.mpf("0.6") * (1 + deviation * x)) - value(mp.mpf("0.6"))) * mp.npdf(x), [start, 5, 12]
    ) / mp.mpf("0.01")
    assert within(margin(straddle, parameters, ""), float(exact))
    assert STILL.annual_vol == 0.0
