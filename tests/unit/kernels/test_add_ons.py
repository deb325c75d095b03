"""Closed forms of add-ons, by hand and against forty digits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mpmath import mp

from kernels.add_ons import charges, exposures, liquidation
from kernels.scenarios import COIN, INVERSE, INVERSE_OPTION, LINEAR, LINEAR_OPTION
from tests.add_ons_oracle import vega_per_point
from tests.portfolios import Contract

NAN = math.nan


def test_sizes_blend_gross_and_net() -> None:
    """30 % of 10 gross and 70 % of 4 net are 5.8; the ends are net and gross themselves."""
    amounts = np.array([7.0, -3.0])
    assert liquidation.blended_size(amounts, 0.3) == pytest.approx(0.3 * 10 + 0.7 * 4)
    assert liquidation.blended_size(amounts, 0.0) == 4.0
    assert liquidation.blended_size(amounts, 1.0) == 10.0
    assert liquidation.blended_size(np.empty(0), 0.3) == 0.0


def test_a_cost_by_hand() -> None:
    """400 million of a market of 10 billion, at 1 basis point and 4 % a day, cost 40,000 and 2,240,000 of impact."""
    assert liquidation.liquidation_cost(4e8, 1e-4, 0.7, 0.04, 1e10) == pytest.approx(40_000 + 4e8 * 0.7 * 0.04 * 0.2)
    assert liquidation.liquidation_cost(0.0, 1e-4, 0.7, 0.04, 1e10) == 0.0


def test_a_horizon_by_hand() -> None:
    """Two days' allowance takes two days and market risk grows by its root; less than one day's takes a day."""
    assert liquidation.horizon_days(2e9, 1e10, 0.1) == 2.0
    assert liquidation.horizon_days(5e8, 1e10, 0.1) == 1.0
    assert liquidation.longer_risk(100.0, 4.0) == 100.0
    assert liquidation.longer_risk(100.0, 1.0) == 0.0
    assert liquidation.longer_risk(-100.0, 4.0) == 0.0


@pytest.mark.parametrize(("k", "sigma", "volume"), [(0.0, 0.04, 1e10), (1e-3, 0.1, 1e6), (0.6, 14.0, 2.7e6)])
def test_costs_have_the_right_power(k: float, sigma: float, volume: float) -> None:
    """Without its spread, a cost grows by 2^1.5 when the size doubles, in forty digits too."""
    one, two = (liquidation.liquidation_cost(x, k, 0.7, sigma, volume) - x * k for x in (1e5, 2e5))
    assert two / one == pytest.approx(2**1.5, rel=1e-9)
    with mp.workdps(40):
        want = mp.mpf(1e5) * (mp.mpf(k) + mp.mpf(0.7) * mp.mpf(sigma) * mp.sqrt(mp.mpf(1e5) / mp.mpf(volume)))
    assert liquidation.liquidation_cost(1e5, k, 0.7, sigma, volume) == pytest.approx(float(want), rel=1e-14)


@pytest.mark.parametrize(("size", "volume"), [(-1.0, 1.0), (1.0, 0.0), (1.0, -1.0)])
def test_what_no_market_is_is_refused(size: float, volume: float) -> None:
    """A negative size and a market without volume are errors."""
    with pytest.raises(ValueError, match="volume"):
        liquidation.liquidation_cost(size, 0.1, 0.7, 0.1, volume)


def test_vega_is_the_derivative_of_the_price() -> None:
    """Linear and inverse options have the vega of Black's formula per point; what is no option has none."""
    calls = [
        Contract("a", "option", 1.0, 61_000.0, 0.1, 30.0, 65_000.0, True, 0.55),
        Contract("b", "inverse_option", 1.0, 61_000.0, 1.0, 200.0, 40_000.0, False, 0.8),
    ]
    kind = np.array([LINEAR_OPTION, INVERSE_OPTION, COIN, LINEAR, INVERSE])
    size, price, strike = (
        np.array([*(getattr(c, name) for c in calls), 1.0, 1.0, 1.0]) for name in ("size", "price", "strike")
    )
    years, vol = np.array([30 / 365, 200 / 365, 0.0, 0.0, 0.0]), np.array([0.55, 0.8, 0.0, 0.0, 0.0])
    got = exposures.vega_usd_per_point(
        kind, np.array([True, False, False, False, False]), size, price, strike, years, vol, 60_000.0
    )
    assert got[:2].tolist() == pytest.approx([vega_per_point(c, 60_000.0) for c in calls], rel=1e-10)
    assert got[2:].tolist() == [0.0, 0.0, 0.0]


def test_an_option_without_time_has_no_vega() -> None:
    """At expiry and without volatility the vega is zero; without a number it is none."""
    n = 3
    got = exposures.vega_usd_per_point(
        np.full(n, LINEAR_OPTION), np.ones(n, dtype=np.bool_), np.ones(n), np.full(n, 100.0), np.full(n, 100.0),
        np.array([0.0, 0.5, 0.5]), np.array([0.5, 0.0, NAN]), 100.0,
    )  # fmt: skip
    assert got[:2].tolist() == [0.0, 0.0]
    assert math.isnan(got[2])


def test_exposures_by_kind() -> None:
    """A face of 100 USD at 50,000 is 0.002 coins and paid on at the index over its price; options pay no funding."""
    kind, size, price = (
        np.array([COIN, LINEAR, INVERSE, LINEAR_OPTION]),
        np.array([1.0, 0.1, 100.0, 0.5]),
        np.full(4, 5e4),
    )
    assert exposures.coins_per_contract(kind, size, price).tolist() == [1.0, 0.1, 0.002, 0.5]
    assert exposures.notional_usd(kind, size, price, 49_000.0).tolist() == pytest.approx([0.0, 5_000.0, 98.0, 0.0])


def test_groups_and_hedges() -> None:
    """Amounts net within their group; what is hedged is the smaller side."""
    net = exposures.net_by(["a", "b", "a"], np.array([1.0, -2.0, 4.0]))
    assert net == {"a": 5.0, "b": -2.0}
    assert exposures.hedged(net.values()) == 2.0
    assert exposures.hedged([]) == 0.0


def test_rates_by_hand() -> None:
    """Roll by the larger move, funding where it is paid, the worst weighted scenario, and a floor on two rates."""
    assert charges.roll_rate(0.5, 0.075, 0.01) == 0.0375
    assert charges.roll_rate(0.0, 0.075, 0.01) == 0.01
    assert charges.roll_charge([1e6, -2e6], [0.01, 0.02]) == 50_000.0
    assert charges.funding_provision(np.array([30.0, -100.0, 5.0])) == 35.0
    assert charges.worst_weighted(np.array([-10.0, -100.0]), [1.0, 0.35]) == 35.0
    assert charges.worst_weighted(np.array([10.0]), [1.0]) == 0.0
    assert charges.floor_usd(np.array([3e6, -1e6]), 0.02, 0.01, 1e6) == 50_000.0
    assert charges.beyond(5.0, 3.0) == 2.0
    assert charges.beyond(5.0, -3.0) == 5.0
    assert charges.beyond(5.0, 7.0) == 0.0


def test_data_quality_by_hand() -> None:
    """A confidence of 0.8 costs a fifth of the factor below the threshold; age counts from its grace to its span."""
    assert charges.confidence_charge(0.8, 1e6, 1.0, 0.1) == pytest.approx(20_000.0)
    assert charges.confidence_charge(0.8, 1e6, 0.55, 0.1) == 0.0
    assert [charges.stale_share(age, 60.0, 600.0) for age in (0.0, 60.0, 360.0, 660.0, 1e6)] == [0, 0, 0.5, 1, 1]


def test_what_is_not_a_number_stays_one() -> None:
    """No closed form turns a missing input into a charge of zero."""
    gaps = [
        liquidation.blended_size(np.array([NAN]), 0.3), liquidation.horizon_days(NAN, 1.0, 1.0),
        liquidation.liquidation_cost(NAN, 0.1, 0.7, 0.1, 1.0), liquidation.longer_risk(NAN, 4.0),
        liquidation.longer_risk(NAN, 1.0), exposures.hedged([NAN, 1.0]), charges.roll_rate(NAN, 0.1, 0.1),
        charges.roll_charge([NAN], [0.1]), charges.funding_provision(np.array([NAN])),
        charges.worst_weighted(np.array([NAN, -1.0]), [1.0, 1.0]), charges.beyond(NAN, 0.0), charges.beyond(1.0, NAN),
        charges.floor_usd(np.array([NAN]), 0.1, 0.1, 0.0), charges.confidence_charge(1.0, NAN, 0.5, 1.0),
        charges.stale_share(NAN, 60.0, 600.0),
    ]  # fmt: skip
    assert all(math.isnan(value) for value in gaps)
