"""OKX's risk units by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from kernels.okx import units
from monitor.models.margin import Margin
from monitor.models.okx import margin
from monitor.models.portfolio import Underlying
from schemas.fields import InvalidRecord
from schemas.okx import OKX_OTHERS, OkxGroup, OkxParameters
from tests.property.kernels_oracle import Contract
from tests.unit.models.books import Held, portfolio, underlying_of

OKX = OkxParameters()
PERPETUAL = Contract("linear", 1.0, 100.0)


def needs(*held: Underlying, cash_usd: float = 0.0) -> Margin:
    return margin(portfolio(*held, cash_usd=cash_usd), OKX, "")


@pytest.mark.parametrize(("name", "scan", "extreme"), [("BTC", 0.12, 0.24), ("SOL", 0.18, 0.36), ("PEPE", 0.25, 0.5)])
def test_a_perpetual_needs_its_groups_largest_move(name: str, scan: float, extreme: float) -> None:
    """Spot risk is the largest move of the group, and half of the extreme one is as much or nearly."""
    got = needs(underlying_of(name, 100.0, Held(10.0, PERPETUAL)))
    assert got.statistics["mr1_usd"] == pytest.approx(1_000.0 * scan)
    assert got.statistics["mr6_usd"] == pytest.approx(1_000.0 * extreme / 2)
    assert got.mm_components["spot_usd"] + got.mm_components["extreme_usd"] == pytest.approx(1_000.0 * scan)
    assert got.im_requirement_usd == pytest.approx(1.3 * got.mm_requirement_usd)


def test_a_hedge_across_stable_coins_costs_its_tiers() -> None:
    """Ten million long in USDT against ten million short in USDC: the venue's own example, 202,500."""
    held = underlying_of("BTC", 100.0, Held(1e5, PERPETUAL, "USDT"), Held(-1e5, PERPETUAL, "USDC"))
    got = needs(held)
    assert got.mm_components["depeg_usd"] == pytest.approx(202_500.0)
    assert got.mm_components["spot_usd"] == pytest.approx(0.0, abs=1e-6)
    same = needs(underlying_of("BTC", 100.0, Held(1e5, PERPETUAL, "USDT"), Held(-1e5, PERPETUAL, "USDT")))
    assert same.mm_components["depeg_usd"] == 0.0


def test_an_inverse_contract_is_quoted_in_dollars() -> None:
    """A coin-settled short hedges a USDT-settled long across dollars and USDT."""
    inverse = Contract("inverse", 10.0, 100.0)
    held = underlying_of("BTC", 100.0, Held(100.0, PERPETUAL, "USDT"), Held(-1_000.0, inverse, "BTC"))
    assert needs(held).mm_components["depeg_usd"] == pytest.approx(10_000.0 * 0.0075)


def test_settlements_that_nobody_said_are_a_reason() -> None:
    """Without settlement assets linear contracts count as quoted in dollars, and the margin says that it guessed."""
    held = underlying_of("BTC", 100.0, Held(100.0, PERPETUAL, "USDT"), Held(-100.0, PERPETUAL, "USDC"))
    got = needs(replace(held, settlement=()))
    assert got.computed
    assert got.mm_components["depeg_usd"] == 0.0
    assert got.degraded == ("no_settlement:BTC",)


def test_the_minimum_charge_is_what_it_is_above_the_rest() -> None:
    """A hedged book of 80 millions a side: raw 160,000 of which slices of 10,000, 60,000 and 90,000 count 1, 2, 4."""
    held = underlying_of("BTC", 100.0, Held(8e5, PERPETUAL, "USDT"), Held(-8e5, PERPETUAL, "USDT"))
    got = needs(held)
    assert got.statistics["mr7_usd"] == pytest.approx(10_000.0 + 120_000.0 + 360_000.0)
    assert got.mm_components["minimum_usd"] == pytest.approx(490_000.0)
    assert got.mm_requirement_usd == pytest.approx(490_000.0)


def test_only_what_is_above_the_other_charges_is_a_minimum() -> None:
    """max(max(1, 2, 6) + 3 + 4 + 5 + 9, 7): with 20 and 14 beside it a minimum of 50 adds 16, one of 30 nothing."""
    charges = units.Charges(mr1=5.0, mr2=20.0, mr3=2.0, mr4=3.0, mr5=4.0, mr6=19.0, mr7=50.0, mr9=5.0)
    assert units.maintenance(charges) == (0.0, 20.0, 0.0, 2.0, 3.0, 4.0, 5.0, 16.0)
    assert units.maintenance(charges._replace(mr7=30.0)).minimum_usd == 0.0


def test_a_day_of_decay_is_the_risk_of_a_long_straddle_about_to_expire() -> None:
    """Ten hours before expiry every move gains, less volatility costs a part, and a day costs the whole premium."""
    call, put = (
        Contract("linear_option", 1.0, 100.0, 100.0, is_call, years=10 / 8_760, vol=0.6) for is_call in (True, False)
    )
    held = underlying_of("BTC", 100.0, Held(1.0, call), Held(1.0, put))
    got = needs(held)
    assert got.mm_components["theta_usd"] == got.statistics["mr2_usd"] == pytest.approx(held.position_usd)
    assert got.mm_components["spot_usd"] == 0.0 < got.statistics["mr1_usd"]
    assert got.worst[0].label == "24 hours pass"


def test_tenors_that_offset_are_charged() -> None:
    """A calendar spread of options: half of the volatility gain that is set against a loss is charged."""
    near, far = (
        Contract("linear_option", 1.0, 100.0, 100.0, years=days / 365, vol=0.6) for days in (20.0, 60.0)
    )  # fmt: skip
    spread = needs(underlying_of("BTC", 100.0, Held(-1.0, near), Held(1.0, far)))
    gains = [_vol_gain(one) for one in (near, far)]
    assert spread.mm_components["vega_term_usd"] == pytest.approx(0.5 * min(gains))
    together = needs(underlying_of("BTC", 100.0, Held(1.0, near), Held(1.0, far)))
    assert together.mm_components["vega_term_usd"] == 0.0


def _vol_gain(option: Contract) -> float:
    days = option.years * 365
    up = 0.5 * (30 / days) ** (0.30 if days <= 30 else 0.13)
    worth = [100.0 * math.erf(vol * math.sqrt(option.years / 8)) for vol in (0.6, 0.6 * (1 + up))]
    return worth[1] - worth[0]


def test_the_basis_moves_by_time_to_expiry() -> None:
    """5 % a year over half a year on 1,000 dollars, a day of it for the perpetual that hedges it."""
    half = Contract("linear", 1.0, 100.0, years=0.5)
    got = needs(underlying_of("BTC", 100.0, Held(10.0, half), Held(-10.0, PERPETUAL)))
    assert got.mm_components["basis_usd"] == pytest.approx(1_000.0 * 0.05 * (0.5 + 1 / 365))


def test_debts_are_charged_asset_by_asset() -> None:
    """Negative balances of dollars and of a coin, each in slices; entries of linear futures are no debt."""
    held = underlying_of("BTC", 100.0, Held(1_000.0, PERPETUAL), coins=-20_000.0)
    got = needs(held, cash_usd=-400_000.0)
    assert got.mm_components["borrowing_usd"] == pytest.approx(0.05 * 400_000.0 + 0.05 * 1e6 + 0.10 * 1e6)


def test_a_dollar_token_is_cash() -> None:
    """Tokens are not shocked, and owing them is borrowing."""
    assert needs(underlying_of("USDT", 1.0, coins=1e6)).mm_requirement_usd == 0.0
    assert needs(underlying_of("USDT", 1.0, coins=-1e5)).mm_requirement_usd == pytest.approx(5_000.0)


def test_a_missing_value_gives_no_number() -> None:
    """Without an index there is no figure, and a reason."""
    got = needs(replace(underlying_of("BTC", 100.0, Held(1.0, PERPETUAL)), index_price=math.nan))
    assert not got.computed
    assert got.degraded == ("no_price:BTC",)


def test_contradictions_are_refused() -> None:
    """Moves and tenors ascend, and an underlying has one group."""
    with pytest.raises(InvalidRecord):
        OkxGroup(spot_moves=(0.1, 0.1), basis_move=0.1, extreme_move=0.2)
    with pytest.raises(InvalidRecord):
        OkxParameters(
            groups=(*OKX.groups, OkxGroup(underlyings=("BTC",), spot_moves=(0.1,), basis_move=0.0, extreme_move=0.2))
        )  # one line says it
    with pytest.raises(InvalidRecord):
        OkxParameters(vega_tenors_days=(30.0, 7.0))
    assert OKX.group("ETH").spot_moves == (0.04, 0.08, 0.12)
    assert OKX.group("NEW") is OKX_OTHERS
