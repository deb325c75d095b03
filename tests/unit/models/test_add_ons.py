"""Add-ons of a portfolio by their parameters."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from monitor.models.add_ons import add_ons, with_add_ons
from monitor.models.margin import Margin, Part
from schemas.add_ons import (
    BUILT_IN,
    OFF,
    PRUDENT,
    AddOnParameters,
    DataQualityAddOn,
    DepegAddOn,
    FundingAddOn,
    LiquidityAddOn,
    MinimumAddOn,
    NakedShortAddOn,
    RollAddOn,
    beside,
)
from schemas.fields import InvalidRecord
from tests.portfolios import Coin, Contract, netted, portfolio

PERPETUAL = Contract("BTC-PERP", "future", 100.0, 60_000.0, average=60_000.0, funding_rate=0.0003)
CALL = Contract("BTC-C", "option", -10.0, 60_000.0, 1.0, 30.0, 70_000.0)


def btc(*contracts: Contract, **more: Any) -> Coin:
    return Coin("BTC", 60_000.0, contracts, **more)


def margin(im: float = 1_000_000.0, parts: tuple[Part, ...] = ()) -> Margin:
    return Margin("X", "0" * 16, 0, 5e6, im, 0.8 * im, {"x": im}, {"x": 0.8 * im}, parts=parts)


def part(name: str, im: float) -> Part:
    return Part(name, 0.0, im, 0.8 * im, 0.0)


def test_nothing_is_charged_by_default() -> None:
    """A parameter set that names no add-on has none."""
    assert AddOnParameters() == OFF
    assert add_ons(portfolio(btc(PERPETUAL, CALL)), OFF) == ({}, {}, (), ())


def test_naked_shorts_by_strike_or_contract() -> None:
    """A put bought at the strike covers a call sold there under Derive's rule; contract by contract nothing does."""
    put = replace(CALL, name="BTC-P", quantity=4.0, is_call=False)
    far = replace(CALL, name="BTC-F", quantity=7.0, strike=80_000.0)
    book = portfolio(btc(CALL, put, far))
    im, mm, _, _ = add_ons(book, AddOnParameters(naked_shorts=NakedShortAddOn()))
    assert im == {"add_on_naked_shorts_usd": pytest.approx(6 * 60_000 * 0.005)}
    assert mm == {"add_on_naked_shorts_usd": pytest.approx(6 * 60_000 * 0.003)}
    im, _, _, _ = add_ons(book, AddOnParameters(naked_shorts=NakedShortAddOn(cover="contract")))
    assert im == {"add_on_naked_shorts_usd": pytest.approx(10 * 60_000 * 0.005)}


def test_roll_by_expiry() -> None:
    """A future against a perpetual carries both moves: 1 % of the one, 7.5 % a year for half a year of the other."""
    future = Contract("BTC-F", "future", -100.0, 61_000.0, days=182.5)
    im, mm, _, _ = add_ons(portfolio(btc(PERPETUAL, future)), AddOnParameters(roll=RollAddOn()))
    assert im == {"add_on_roll_usd": pytest.approx(6e6 * (0.01 + 0.0375))}
    assert mm == {"add_on_roll_usd": pytest.approx(0.8 * im["add_on_roll_usd"])}


def test_positions_of_one_expiry_net_in_the_roll() -> None:
    """A call and the future of its expiry are one delta."""
    future = Contract("BTC-F", "future", 1.0, 60_000.0, days=30.0)
    deep = Contract("BTC-C", "option", -1.0, 60_000.0, 1.0, 30.0, 1.0)  # delta one
    im, _, _, _ = add_ons(portfolio(btc(future, deep)), AddOnParameters(roll=RollAddOn()))
    assert im == {"add_on_roll_usd": pytest.approx(0.0, abs=1e-9)}


def test_funding_is_provided_for_where_it_costs() -> None:
    """Who pays 0.03 % provides for it, who receives it does not; inverse ones pay on their face."""
    by = AddOnParameters(funding=FundingAddOn())
    assert add_ons(portfolio(btc(PERPETUAL)), by)[0] == {"add_on_funding_usd": pytest.approx(1_800.0)}
    assert add_ons(portfolio(btc(replace(PERPETUAL, quantity=-100.0))), by)[0] == {"add_on_funding_usd": 0.0}
    inverse = Contract("BTC-I", "inverse", 10_000.0, 60_000.0, 100.0, average=60_000.0, funding_rate=0.001)
    assert add_ons(portfolio(btc(inverse)), by)[0] == {"add_on_funding_usd": pytest.approx(1_000.0)}
    future = Contract("BTC-F", "future", 100.0, 60_000.0, days=30.0, funding_rate=0.5)
    assert add_ons(portfolio(btc(future)), by)[0] == {"add_on_funding_usd": 0.0}
    day = AddOnParameters(funding=FundingAddOn(horizon_hours=24.0))
    assert add_ons(portfolio(btc(PERPETUAL)), day)[0] == {"add_on_funding_usd": pytest.approx(5_400.0)}


@pytest.mark.parametrize("quantity", [100.0, -100.0])
def test_an_unknown_rate_is_assumed_and_said(quantity: float) -> None:
    """Without a rate either side provides for the assumed one, and the figure is marked."""
    book = portfolio(btc(replace(PERPETUAL, quantity=quantity, funding_rate=math.nan)))
    im, _, _, degraded = add_ons(book, AddOnParameters(funding=FundingAddOn()))
    assert im == {"add_on_funding_usd": pytest.approx(600.0)}
    assert degraded == ("no_funding_rate:BTC-PERP",)


def test_a_token_takes_its_worst_scenario() -> None:
    """A million of USDT loses 35 % of 10 %, which is more than 3 %; a debt in it loses nothing."""
    by = AddOnParameters(depeg=DepegAddOn())
    assert add_ons(portfolio(Coin("USDT", 1.0, coins=1e6)), by)[0] == {"add_on_depeg_usd": pytest.approx(35_000.0)}
    assert add_ons(portfolio(Coin("USDT", 1.0, coins=-1e6)), by)[0] == {"add_on_depeg_usd": 0.0}


def test_a_hedge_across_quote_currencies_is_charged_by_slices() -> None:
    """Two million long in USDT against three short in USDC: 1 million at 0.75 %, 1 million at 1.75 %."""
    long = Contract("A", "future", 2e6 / 60_000, 60_000.0, settlement="USDT")
    short = Contract("B", "future", -3e6 / 60_000, 60_000.0, settlement="USDC")
    by = AddOnParameters(depeg=DepegAddOn())
    assert add_ons(portfolio(btc(long, short)), by)[0] == {"add_on_depeg_hedge_usd": pytest.approx(25_000.0)}
    one_quote = replace(short, settlement="USDT")
    assert add_ons(portfolio(btc(long, one_quote)), by)[0] == {"add_on_depeg_hedge_usd": 0.0}


def test_coins_hedge_in_dollars() -> None:
    """A coin sold forward in USDT is a hedge across currencies as well."""
    short = Contract("B", "future", -10.0, 60_000.0, settlement="USDT")
    im, _, _, _ = add_ons(portfolio(btc(short, coins=10.0)), AddOnParameters(depeg=DepegAddOn()))
    assert im == {"add_on_depeg_hedge_usd": pytest.approx(600_000 * 0.0075)}


def test_unknown_settlement_is_said() -> None:
    """Where nobody said in what contracts settle, no hedge is seen, and that is a reason."""
    book = portfolio(btc(PERPETUAL))
    blind = replace(book, underlyings=(replace(book.underlyings[0], settlement=()),))
    assert add_ons(blind, AddOnParameters(depeg=DepegAddOn()))[3] == ("no_settlement:BTC",)


def test_vega_is_closed_beside_delta() -> None:
    """Options cost by their vega too, and a spread of two strikes pays for 30 % of its gross."""
    by = AddOnParameters(liquidity=LiquidityAddOn())
    other = replace(CALL, name="BTC-D", quantity=10.0, strike=70_001.0)
    one, spread = (
        add_ons(portfolio(btc(*legs)), by)[0]["add_on_liquidation_cost_usd"] for legs in ((CALL,), (CALL, other))
    )
    assert 0.15 * one < spread < one


def test_an_unknown_volatility_is_assumed_and_said() -> None:
    """Without a volatility of the coin the parameters' own makes the cost, and it is marked."""
    by = AddOnParameters(liquidity=LiquidityAddOn())
    im, _, _, degraded = add_ons(portfolio(btc(PERPETUAL, vol=math.nan)), by)
    assert degraded == ("no_volatility:BTC",)
    assert im == add_ons(portfolio(btc(PERPETUAL, vol=1.0)), by)[0]
    assert add_ons(portfolio(btc(coins=1.0, vol=math.nan)), by)[3] == ()


def test_the_least_confident_flag_counts() -> None:
    """Of two flags the lower confidence is charged on the notional of positions and coins."""
    by = AddOnParameters(data_quality=DataQualityAddOn())
    coin = btc(replace(PERPETUAL, quantity=-1.0), coins=2.0, flags=("dispersed", "single_source"))
    im, mm, flags, _ = add_ons(portfolio(coin), by)
    assert im == {"add_on_confidence_usd": pytest.approx(0.2 * 0.1 * 180_000)}
    assert mm == {"add_on_confidence_usd": 0.0}
    assert flags == ("dispersed:BTC", "single_source:BTC")


@pytest.mark.parametrize(
    "book", [portfolio(btc(PERPETUAL), unlisted=("GONE",)), portfolio(Coin("BTC", math.nan, (PERPETUAL,)))]
)
def test_without_a_value_there_is_no_add_on(book: Any) -> None:
    """Every add-on that is on is NaN, with the reason, and so is a margin that it is put on."""
    im, mm, _, degraded = add_ons(book, PRUDENT)
    assert len(im) > 4
    assert all(map(math.isnan, [*im.values(), *mm.values()]))
    assert degraded
    assert set(degraded) >= set(book.missing)
    got = with_add_ons(margin(), book, PRUDENT)
    assert math.isnan(got.im_requirement_usd)
    assert math.isnan(got.mm_requirement_usd)
    assert set(got.degraded) >= set(book.missing)


def test_a_requirement_that_is_missing_stays_missing() -> None:
    """Add-ons on a model that could not compute do not make a figure."""
    got = with_add_ons(margin(math.nan), portfolio(btc(PERPETUAL)), AddOnParameters(roll=RollAddOn()))
    assert math.isnan(got.im_requirement_usd)
    assert got.im_components["add_on_roll_usd"] == pytest.approx(60_000.0)


def test_components_sum_and_parts_take_their_own() -> None:
    """A charge goes to the part of its underlying; an underlying without a part gets one."""
    book = portfolio(btc(PERPETUAL), Coin("ETH", 3_000.0, (Contract("ETH-F", "future", 1.0, 3_000.0, days=30.0),)))
    got = with_add_ons(margin(parts=(part("BTC", 1e6),)), book, AddOnParameters(roll=RollAddOn()))
    assert got.im_components == {"x": 1e6, "add_on_roll_usd": pytest.approx(60_000 + 15)}
    assert got.im_requirement_usd == sum(got.im_components.values())
    assert [(p.underlying, p.im_usd) for p in got.parts] == [("BTC", 1_060_000.0), ("ETH", pytest.approx(15.0))]
    assert got.parts[1].delta_coins == 1.0


def test_market_risk_lasts_as_long_as_closing() -> None:
    """A position of four days' allowance carries its market risk twice; without parts the whole requirement does."""
    coin = Coin("XYZ", 2.0, (Contract("X", "future", 4e6, 2.0),))  # 8 million, 20 million a day, a tenth of it
    by = AddOnParameters(liquidity=LiquidityAddOn())
    for parts in ((part("XYZ", 1e6),), ()):
        got = with_add_ons(margin(parts=parts), portfolio(coin), by)
        assert got.im_components["add_on_concentration_usd"] == pytest.approx(1e6)
        assert got.mm_components["add_on_concentration_usd"] == pytest.approx(0.8e6)
        assert got.statistics == {"horizon_days:XYZ": pytest.approx(4.0)}
    off = AddOnParameters(liquidity=LiquidityAddOn(scale_market_risk=False))
    assert "add_on_concentration_usd" not in with_add_ons(margin(), portfolio(coin), off).im_components


def test_a_scenario_that_the_model_has_is_not_charged_twice() -> None:
    """Of a depeg only what is beyond the model's own part of the token is added."""
    book, by = portfolio(Coin("USDT", 1.0, coins=1e6)), AddOnParameters(depeg=DepegAddOn())
    for own, want in ((0.0, 35_000.0), (20_000.0, 15_000.0), (50_000.0, 0.0)):
        got = with_add_ons(margin(own, (part("USDT", own),)), book, by)
        assert got.im_components["add_on_depeg_usd"] == pytest.approx(want)


def test_the_floor_holds_a_hedged_book_up() -> None:
    """A book long and short six million needs 1 % of it, whatever the model says; maintenance half of that."""
    future = Contract("BTC-F", "future", -100.0, 60_000.0, days=30.0)
    book, by = portfolio(btc(PERPETUAL, future)), AddOnParameters(minimum=MinimumAddOn())
    got = with_add_ons(margin(10_000.0), book, by)
    assert got.im_requirement_usd == pytest.approx(60_000.0)
    assert got.mm_requirement_usd == pytest.approx(30_000.0)
    assert with_add_ons(margin(), book, by).im_components["add_on_minimum_usd"] == 0.0


def test_old_prices_make_a_requirement_grow() -> None:
    """A price of 360 seconds, half way through its span, costs an eighth of the requirement; a stale one a quarter."""
    by = AddOnParameters(data_quality=DataQualityAddOn(confidence={}))
    book = portfolio(btc(PERPETUAL))
    got = with_add_ons(margin(parts=(part("BTC", 8e5),)), book, by, {"BTC": 360.0})
    assert got.im_components["add_on_staleness_usd"] == pytest.approx(1e5)
    stale = portfolio(btc(PERPETUAL, flags=("stale",)))
    for parts in ((part("BTC", 8e5),), ()):
        got = with_add_ons(margin(8e5, parts), stale, by)
        assert got.im_components["add_on_staleness_usd"] == pytest.approx(2e5)
        assert got.mm_components["add_on_staleness_usd"] == 0.0
    assert got.flags == ("stale:BTC",)


def test_a_model_is_spared_what_it_charges_itself() -> None:
    """Beside model B no naked shorts, roll, depeg or confidence are added; beside an unknown one everything is."""
    left = beside("B", PRUDENT)
    assert (left.naked_shorts, left.roll, left.depeg, left.data_quality) == (None,) * 4
    assert left.liquidity == PRUDENT.liquidity
    assert beside("P", PRUDENT) == PRUDENT
    assert all(name in AddOnParameters.__struct_fields__ for names in BUILT_IN.values() for name in names)


def test_prudent_add_ons_on_model_p() -> None:
    """On a netted book every add-on appears as a component, and both requirements are the sums."""
    book = portfolio(btc(PERPETUAL, CALL), Coin("USDT", 1.0, coins=1e6), cash=1e6)
    got = with_add_ons(netted(book), book, PRUDENT)
    names = (
        "liquidation_cost", "naked_shorts", "roll", "funding", "depeg_hedge", "confidence", "depeg", "concentration",
        "staleness", "minimum",
    )  # fmt: skip
    assert list(got.im_components) == ["netted", *(f"add_on_{name}_usd" for name in names)]
    assert math.fsum(got.im_components.values()) == got.im_requirement_usd
    assert got.computed


@pytest.mark.parametrize(
    "wrong", [lambda: NakedShortAddOn(im_rate=0.001, mm_rate=0.002), lambda: DepegAddOn(tokens=("USDT", "USDT"))]
)
def test_parameters_that_contradict_each_other_are_refused(wrong: Any) -> None:
    """Maintenance above initial and a token named twice are errors."""
    with pytest.raises(InvalidRecord):
        wrong()


@pytest.mark.parametrize(
    "text",
    [
        '{"liquidity":{"participation":0}}', '{"liquidity":{"default":{"daily_volume_usd":0}}}', '{"rolls":{}}',
        '{"naked_shorts":{"cover":"all"}}', '{"depeg":{"shocks":[]}}', '{"depeg":{"shocks":[[-1.5,1]]}}',
        '{"data_quality":{"confidence":{"stale:BTC":1}}}', '{"funding":{"horizon_hours":0}}',
        '{"roll":{"mm_factor":2}}',
    ],
)  # fmt: skip
def test_parameters_out_of_range_and_unknown_names_are_refused(text: str) -> None:
    """A number out of its range, a misspelt name and a flag of something do not decode."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=AddOnParameters)


def test_a_set_survives_its_wire_form() -> None:
    """What was written is what is read."""
    assert msgspec.json.decode(msgspec.json.encode(PRUDENT), type=AddOnParameters) == PRUDENT
