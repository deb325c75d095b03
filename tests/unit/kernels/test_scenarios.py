"""Scenario table, volatility shocks and the rows of a risk array, by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from kernels import scenarios
from tests.support import ROOT

VECTORS = ROOT.parent / "shared" / "vectors.json"
PUBLISHED = (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)


def one_row(kind: int, *, price: float = 100.0, size: float = 1.0, **option: float) -> Any:
    """P&L over a two-bucket table, value, delta and market delta of one contract at index 100."""
    table = scenarios.scenario_table(0.16, 1, (1.0,))
    pnl, value, delta, market = np.empty((1, len(table.move))), np.empty(1), np.empty(1), np.empty(1)
    scenarios.risk_array(
        np.array([kind], dtype=np.int64), np.array([option.get("is_call", 1.0) > 0.0]), np.array([size]),
        np.array([option.get("strike", 100.0)]), np.array([price]), np.array([option.get("fixed", 0.0)]),
        np.array([option.get("funding", 0.0)]), np.array([option.get("years", 0.1)]),
        np.array([option.get("vol", 0.6)]), 100.0, *table, 0.5, 0.25, 0.5, 0.3, 0.13, 1.0, pnl, value, delta, market,
    )  # fmt: skip
    return pnl[0], value[0], delta[0], market[0]


def test_standard_table_has_every_move_with_three_volatilities() -> None:
    """27 cells from -range to +range, each up, same, down; scenario 3 (i + 4) + v is move i, direction v."""
    table = scenarios.scenario_table(0.16, 4, ())
    assert len(table.move) == 27
    for i in range(-4, 5):
        for v, direction in enumerate((scenarios.UP, scenarios.SAME, scenarios.DOWN)):
            s = 3 * (i + 4) + v
            assert table.move[s] == pytest.approx(0.04 * i, abs=1e-17)
            assert table.vol_direction[s] == direction
    assert (table.move == table.linear_move).all()
    assert (table.weight == 1.0).all()
    assert table.move[0] == -0.16
    assert table.move[13] == 0.0
    assert table.move[26] == 0.16


def test_extended_table_follows_with_weights() -> None:
    """Extended cells come last in their given order: volatility up, weight range/|move|, futures held at the range."""
    table = scenarios.scenario_table(0.16, 4, PUBLISHED)
    assert table.move[27:].tolist() == list(PUBLISHED)
    assert (table.vol_direction[27:] == scenarios.UP).all()
    assert table.linear_move[27:].tolist() == [-0.16, -0.16] + [0.16] * 6
    assert table.weight[27:] == pytest.approx([0.16 / abs(m) for m in PUBLISHED], rel=1e-15)


@pytest.mark.data
@pytest.mark.skipif(not VECTORS.exists(), reason="the reference vectors are not beside the checkout")
def test_extended_weights_are_the_published_ones() -> None:
    """The weights equal those another exchange prints for the same moves, to its printed digits."""
    (case,) = (c for c in json.loads(VECTORS.read_text())["cases"] if c["id"] == "paradex/scenario-weights")
    table = scenarios.scenario_table(case["inputs"]["price_range"], 4, case["inputs"]["moves"])
    (printed,) = case["expected"].values()
    assert table.weight[27:] == pytest.approx(printed, abs=case["tolerance"]["abs"])


def test_moves_inside_the_range_are_dropped() -> None:
    """An extended move within the standard range, its end included, adds no scenario."""
    table = scenarios.scenario_table(0.5, 2, (-0.66, -0.33, 0.5, -0.5, 0.0, 1.0))
    assert table.move[15:].tolist() == [-0.66, 1.0]


@pytest.mark.parametrize(
    ("price_range", "buckets", "extended"),
    [
        (0.0, 4, ()), (1.0, 4, ()), (-0.1, 4, ()), (math.nan, 4, ()), (0.16, 0, ()), (0.16, -1, ()),
        (0.16, 4, (math.nan,)), (0.16, 4, (math.inf,)), (0.16, 4, (-1.0,)), (0.16, 4, (-2.0,)),
    ],
)  # fmt: skip
def test_a_table_without_a_meaning_is_refused(price_range: float, buckets: int, extended: tuple[float, ...]) -> None:
    """Ranges outside (0, 1), no buckets, and moves that end the world are ValueErrors."""
    with pytest.raises(ValueError, match="must"):
        scenarios.scenario_table(price_range, buckets, extended)


@pytest.mark.parametrize(
    ("vol", "direction", "days", "expected"),
    [
        (0.6, 1, 30.0, 0.9),
        (0.6, -1, 30.0, 0.45),
        (0.6, 0, 30.0, 0.6),
        (0.6, 1, 0.0, 0.6 * (1 + 0.5 * 30**0.3)),
        (0.6, 1, 0.5, 0.6 * (1 + 0.5 * 30**0.3)),
        (0.6, 1, 120.0, 0.6 * (1 + 0.5 * 0.25**0.13)),
        (0.6, -1, 120.0, 0.6 * (1 - 0.25 * 0.25**0.13)),
        (0.2, 1, 30.0, 0.5),
        (0.2, -1, 30.0, 0.15),
        (0.0, 1, 30.0, 0.5),
        (0.0, -1, 30.0, 0.0),
    ],
)
def test_volatility_shock_by_tenor(vol: float, direction: int, days: float, expected: float) -> None:
    """The shock is nominal at 30 days, larger before, smaller after, held at the floor; only up has a minimum."""
    got = scenarios.shocked_vol(vol, direction, days / 365.0, 0.5, 0.25, 0.5, 0.3, 0.13, 1.0)
    assert got == pytest.approx(expected, rel=1e-14)


def test_the_tenor_power_changes_after_thirty_days() -> None:
    """Thirty days still take the short power; the shock is continuous there because both multiply by one."""
    args = (0.5, 0.25, 0.5, 0.3, 0.13, 1.0)
    at = scenarios.shocked_vol(0.6, 1, 30.0 / 365.0, *args)
    after = scenarios.shocked_vol(0.6, 1, math.nextafter(30.0 / 365.0, 1.0), *args)
    assert at == pytest.approx(after, rel=1e-14)
    one_day = scenarios.shocked_vol(0.6, 1, 31.0 / 365.0, 0.5, 0.25, 0.5, 0.0, 1.0, 1.0)
    assert one_day == pytest.approx(0.6 * (1 + 0.5 * 30 / 31), rel=1e-14)


def test_a_volatility_shocked_below_zero_is_zero() -> None:
    """A down shock of more than the whole volatility leaves none."""
    assert scenarios.shocked_vol(0.6, -1, 1e-4, 0.5, 0.9, 0.5, 0.3, 0.13, 1.0) == 0.0


@pytest.mark.parametrize("direction", [-1, 0, 1])
def test_a_missing_volatility_stays_missing(direction: int) -> None:
    """NaN is not lifted to the minimum of the up shock."""
    assert math.isnan(scenarios.shocked_vol(math.nan, direction, 0.1, 0.5, 0.25, 0.5, 0.3, 0.13, 1.0))


def test_linear_rows() -> None:
    """A coin and a linear future of two coins move with the index, held at the range in the extended scenario."""
    pnl, value, delta, market = one_row(scenarios.COIN, size=2.0, price=math.nan)
    assert (value, delta, market) == (200.0, 2.0, 0.0)
    assert pnl == pytest.approx([-32.0] * 3 + [0.0] * 3 + [32.0] * 4)
    pnl, value, delta, market = one_row(scenarios.LINEAR, size=2.0, price=110.0)
    assert (value, delta, market) == (220.0, 2.2, 2.0)
    assert pnl == pytest.approx([-35.2] * 3 + [0.0] * 3 + [35.2] * 4)


def test_inverse_future_row_is_flat() -> None:
    """Ten USD of an inverse future are worth -S/p coins' worth whatever the move: its entry side carries the risk."""
    pnl, value, delta, market = one_row(scenarios.INVERSE, size=10.0, price=110.0)
    assert value == pytest.approx(-10.0 * 100.0 / 110.0)
    assert (delta, market) == (0.0, pytest.approx(10.0 / 110.0))
    assert (pnl == 0.0).all()


def test_expired_options_are_intrinsic() -> None:
    """At expiry, and after it, an option is worth its intrinsic value in every scenario."""
    for years in (0.0, -0.5):
        pnl, value, delta, _ = one_row(scenarios.LINEAR_OPTION, price=104.0, strike=100.0, years=years)
        assert (value, delta) == (pytest.approx(4.0), pytest.approx(1.04))
        assert pnl == pytest.approx([-4.0] * 3 + [0.0] * 3 + [16.64] * 3 + [0.16 * 104.0])
    pnl, value, _, _ = one_row(scenarios.INVERSE_OPTION, price=104.0, strike=100.0, years=0.0, is_call=0.0)
    assert value == 0.0
    assert pnl[:3] == pytest.approx([(100.0 - 104.0 * 0.84) * 100.0 / 104.0] * 3)


@pytest.mark.parametrize("kind", [-1, 5, 99])
def test_an_unknown_kind_is_nan(kind: int) -> None:
    """A row of no known kind is NaN, never zero."""
    pnl, value, delta, market = one_row(kind)
    assert all(math.isnan(x) for x in (*pnl, value, delta, market))


@pytest.mark.parametrize("price", [0.0, -1.0])
@pytest.mark.parametrize("kind", range(1, 5))
def test_a_price_that_is_not_positive_is_nan(kind: int, price: float) -> None:
    """A future or forward at or below zero is no price."""
    pnl, value, delta, market = one_row(kind, price=price)
    assert all(math.isnan(x) for x in (*pnl, value, delta, market))


def test_a_negative_volatility_is_nan() -> None:
    """A negative volatility makes the option's row NaN."""
    pnl, value, delta, market = one_row(scenarios.LINEAR_OPTION, vol=-0.1)
    assert all(math.isnan(x) for x in (*pnl, value, delta, market))


@pytest.mark.parametrize("broken", range(15))
def test_shapes_that_do_not_fit_are_refused(broken: int) -> None:
    """Any array of another length is a ValueError, not a read beyond an array."""
    table = scenarios.scenario_table(0.16, 1, ())
    call = np.ones(1, dtype=np.bool_)
    arrays: list[Any] = [np.zeros(1, dtype=np.int64), call, *(np.ones(1) for _ in range(7)), *table]
    arrays += [np.empty((1, len(table.move))), np.empty(1), np.empty(1), np.empty(1)]
    old = arrays[broken]
    arrays[broken] = np.concatenate([old, old]) if old.ndim == 1 else np.empty((1, len(table.move) + 1))
    (kind, is_call, size, strike, price, fixed, funding, years, vol, move, linear, direction, weight, *outputs) = arrays
    pnl, value, delta, market = outputs
    with pytest.raises(ValueError, match=r"length|fit"):
        scenarios.risk_array(
            kind, is_call, size, strike, price, fixed, funding, years, vol, 100.0, move, linear, direction, weight,
            0.5, 0.25, 0.5, 0.3, 0.13, 1.0, pnl, value, delta, market,
        )  # fmt: skip
