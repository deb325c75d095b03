"""Haircuts and debts by their parameters."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from monitor.models.collateral import collateral, usd_balance, with_collateral
from schemas.collateral import (
    DERIVE_STANDARD,
    PRUDENT,
    AssetCollateral,
    CollateralParameters,
    Haircut,
    LoanToValue,
    OwnerParameters,
    flat,
    slices,
)
from schemas.fields import InvalidRecord
from tests.portfolios import Coin, Contract, netted, portfolio

TIERED = AssetCollateral(
    positive=Haircut(mm=slices((1e6, 0.02), (5e6, 0.05), (None, 0.5)), im_extra=flat(0.01)),
    borrow_mm=slices((1e6, 0.1), (None, 0.2)), borrow_im_extra=flat(0.05),
)  # fmt: skip


def by(asset: AssetCollateral, name: str = "ETH") -> CollateralParameters:
    return CollateralParameters(assets={name: asset})


def test_slices_are_marginal_and_the_extra_adds() -> None:
    """Six million: 1 at 2 %, 4 at 5 %, 1 at 50 % make 720,000; initial margin adds 1 % of all of it."""
    im, mm, _, _ = collateral(portfolio(Coin("ETH", 3_000.0, coins=2_000.0)), by(TIERED))
    assert mm == {"haircut:ETH": pytest.approx(720_000.0)}
    assert im == {"haircut:ETH": pytest.approx(780_000.0)}


def test_a_debt_is_charged_and_not_cut() -> None:
    """A debt of 1.5 million carries 200,000 of maintenance and 5 % more initially."""
    im, mm, _, _ = collateral(portfolio(Coin("ETH", 3_000.0, coins=-500.0)), by(TIERED))
    assert mm == {"borrow:ETH": pytest.approx(200_000.0)}
    assert im == {"borrow:ETH": pytest.approx(275_000.0)}


def test_positions_are_no_collateral() -> None:
    """Contracts, and the entry side of inverse ones, are cut by nothing."""
    inverse = Contract("ETH-I", "inverse", 1e4, 3_000.0, 100.0, average=3_000.0)
    assert collateral(portfolio(Coin("ETH", 3_000.0, (inverse,))), by(TIERED))[:2] == ({}, {})


def test_equity_keeps_its_value() -> None:
    """A haircut raises the requirement and leaves equity; components still sum, the part of the coin has it."""
    book = portfolio(Coin("ETH", 3_000.0, coins=2_000.0))
    model = netted(book)
    got = with_collateral(model, book, by(TIERED))
    assert got.equity_usd == model.equity_usd == 6e6
    assert got.im_requirement_usd == math.fsum(got.im_components.values())
    assert got.im_requirement_usd == pytest.approx(model.im_requirement_usd + 780_000.0)
    assert got.parts[0].im_usd == pytest.approx(model.parts[0].im_usd + 780_000.0)


def test_a_shock_and_a_haircut_both_count() -> None:
    """Coins under a short put fall with it: the scenario has both, the haircut is what selling costs then."""
    put = Contract("P", "option", -100.0, 3_000.0, 1.0, 30.0, 3_000.0, is_call=False)
    dollars, coins = (portfolio(Coin("ETH", 3_000.0, (put,), coins=c), cash=6e6 - 3_000 * c) for c in (0.0, 2_000.0))
    assert netted(coins).im_requirement_usd > netted(dollars).im_requirement_usd + 0.19 * 6e6
    assert with_collateral(netted(coins), coins, by(TIERED)).im_components["haircut:ETH"] == pytest.approx(780_000.0)


def test_loans_by_their_value() -> None:
    """Half of a million may be borrowed initially and three quarters before a call: the rest is the haircut."""
    book = portfolio(Coin("ETH", 2_500.0, coins=400.0))
    im, mm, _, _ = collateral(book, by(AssetCollateral(positive=LoanToValue(loan_to_value=0.5))))
    assert [im["haircut:ETH"], mm["haircut:ETH"]] == pytest.approx([500_000.0, 250_000.0])


def test_caps_of_supply_and_of_loans() -> None:
    """Coins beyond the supply cap count nothing, and no collateral counts beyond the cap of loans."""
    book = portfolio(Coin("ETH", 2_500.0, coins=400.0))
    capped = AssetCollateral(positive=LoanToValue(loan_to_value=0.5, supply_cap=100.0))
    im, mm, _, _ = collateral(book, by(capped))
    assert [im["haircut:ETH"], mm["haircut:ETH"]] == pytest.approx([875_000.0, 812_500.0])
    capped = AssetCollateral(positive=LoanToValue(loan_to_value=0.5, borrow_cap_usd=300_000.0))
    im, mm, _, _ = collateral(book, by(capped))
    assert im["haircut:ETH"] == mm["haircut:ETH"] == pytest.approx(700_000.0)


def test_dollars_owed_are_found_beside_entries() -> None:
    """The USD balance is cash less entry sides; what they only round to is no debt."""
    future = Contract("F", "future", 3.3, 3_000.0, average=2_999.9)
    book = portfolio(Coin("ETH", 3_000.0, (future,)), cash=-50_000.0)
    assert usd_balance(book) == pytest.approx(-50_000.0)
    im, mm, _, _ = collateral(book, PRUDENT)
    assert im == {"borrow:USD": pytest.approx(500.0)}
    assert mm == {"borrow:USD": pytest.approx(250.0)}
    assert usd_balance(portfolio(Coin("ETH", 3_000.0, (future,)))) == 0.0
    assert collateral(portfolio(Coin("ETH", 3_000.0, (future,))), PRUDENT)[0] == {}


def test_derives_standard_haircuts() -> None:
    """ETH counts 80 % and 75 % initially, BTC 75 % and 69.75 %, what is not accepted nothing."""
    book = portfolio(Coin("ETH", 1.0, coins=1e6), Coin("BTC", 1.0, coins=1e6), Coin("XYZ", 1.0, coins=1e6))
    im, mm, _, _ = collateral(book, DERIVE_STANDARD)
    assert mm == pytest.approx({"haircut:BTC": 250_000, "haircut:ETH": 200_000, "haircut:XYZ": 1e6})
    assert im == pytest.approx({"haircut:BTC": 302_500, "haircut:ETH": 250_000, "haircut:XYZ": 1e6})


def test_without_a_price_there_is_no_haircut() -> None:
    """A coin without a price makes every figure NaN, with the reason, loans included."""
    book = portfolio(Coin("ETH", math.nan, coins=1.0), Coin("BTC", 1.0, coins=1e6))
    for parameters in (PRUDENT, by(AssetCollateral(positive=LoanToValue()))):
        im, mm, _, degraded = collateral(book, parameters)
        assert im
        assert all(map(math.isnan, [*im.values(), *mm.values()]))
        assert degraded == ("no_price:ETH",)


def test_haircuts_beyond_everything_are_refused() -> None:
    """Maintenance and extra do not take more than the value together."""
    with pytest.raises(InvalidRecord):
        Haircut(mm=flat(0.8), im_extra=flat(0.3))


@pytest.mark.parametrize("text", ['{"positive":{"kind":"ltv"}}', '{"positive":{"kind":"loan_to_value","x":1}}'])
def test_unknown_styles_are_refused(text: str) -> None:
    """A style that there is none of, and a misspelt name, do not decode."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=AssetCollateral)


@pytest.mark.parametrize(
    "parameters",
    [PRUDENT, DERIVE_STANDARD, by(AssetCollateral(positive=LoanToValue(supply_cap=1.0))), OwnerParameters(buffer=0.2)],
)
def test_a_set_survives_its_wire_form(parameters: Any) -> None:
    """What was written is what is read, either style."""
    assert msgspec.json.decode(msgspec.json.encode(parameters), type=type(parameters)) == parameters
