"""Accounts grouped under one owner."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from monitor.models.margin import Margin
from monitor.models.merging import OtherMarket, merge
from monitor.models.owner import Group, SubAccount, groups, owner_view
from monitor.models.portfolio import Portfolio
from schemas.collateral import OwnerParameters
from schemas.records import AccountConfig
from tests.portfolios import NOW_US, Coin, Contract, correlations, netted, portfolio

LONG = Contract("BTC-PERP", "future", 10.0, 60_000.0, average=59_000.0)
SHORT = replace(LONG, quantity=-10.0, average=61_000.0)


def btc(
    *contracts: Contract, coins: float = 0.0, cash: float = 0.0, account: str = "a", index: float = 6e4
) -> Portfolio:
    return portfolio(Coin("BTC", index, contracts, coins), cash=cash, account=account)


def sub(book: Portfolio, venue: str = "x") -> SubAccount:
    return SubAccount(venue, book, netted(book))


def config(account: str, group: str | None = None, *, closed: bool = False) -> AccountConfig:
    return AccountConfig(account=account, event_time_us=NOW_US, group=group, closed=closed)


def test_accounts_are_grouped_by_their_owner() -> None:
    """Accounts of a group belong together; one without is its own, also where a group has its name; closed ones go."""
    configs = [config("b", "fund"), config("a", "fund"), config("fund"), config("c"), config("d", "fund", closed=True)]
    assert groups(configs) == (
        Group("c", ("c",), grouped=False), Group("fund", ("fund",), grouped=False),
        Group("fund", ("a", "b"), grouped=True),
    )  # fmt: skip


def test_a_hedge_over_two_venues() -> None:
    """Long here and short there: both venues ask for margin, the owner has no risk, and calls stay with the venues."""
    poor, rich = btc(LONG, cash=50_000.0, account="a"), btc(SHORT, cash=400_000.0, account="b")
    view = owner_view("o", [sub(rich, "y"), sub(poor, "x")], correlations(["BTC"]), netted)
    assert [v.account for v in view.venues] == ["a", "b"]
    assert view.im_requirement_usd == pytest.approx(2 * 120_000.0)
    assert view.economic.im_requirement_usd == 0.0
    assert view.netting_benefit_usd == view.im_requirement_usd
    assert view.equity_usd == pytest.approx(470_000.0)
    short, free = view.venues
    assert short.shortfall_usd == pytest.approx(60_000.0)  # equity 50,000 + 10 * 1,000, requirement 120,000
    assert (short.transferable_usd, view.largest_shortfall_account) == (0.0, "a")
    assert free.excess_usd == pytest.approx(290_000.0)
    assert free.transferable_usd == pytest.approx(290_000.0 - 12_000.0)
    assert view.uncovered_usd == 0.0


def test_profit_that_is_not_realised_cannot_be_sent() -> None:
    """What may leave is at most the balances, coins at their value."""
    winner = btc(replace(LONG, average=30_000.0), coins=0.1, cash=1_000.0)
    view = owner_view("o", [sub(winner)], correlations(["BTC"]), netted)
    assert view.venues[0].excess_usd > 100_000.0
    assert view.transferable_usd == pytest.approx(7_000.0)


def test_debts_in_dollars_hold_no_coins_back() -> None:
    """Coins may leave up to the excess although dollars are owed: the debt is in the excess already."""
    view = owner_view("o", [sub(btc(coins=2.0, cash=-10_000.0))], correlations(["BTC"]), netted)
    assert view.venues[0].excess_usd == pytest.approx(120_000.0 * 0.8 - 10_000.0)
    assert view.transferable_usd == pytest.approx(120_000.0 * 0.8 - 10_000.0 - 0.1 * 24_000.0)
    small = owner_view("o", [sub(btc(replace(LONG, average=30_000.0), coins=1.0, cash=-10_000.0))],
                       correlations(["BTC"]), netted)  # fmt: skip
    assert small.transferable_usd == pytest.approx(60_000.0)


def test_rounding_is_no_position() -> None:
    """0.1 and 0.2 contracts against 0.3 leave nothing, though their doubles do."""
    books = [btc(replace(LONG, quantity=quantity)) for quantity in (0.1, 0.2, -0.3)]
    assert merge(books, correlations(["BTC"]), "o").underlyings[0].names == (None,)


def test_the_time_to_move_money_is_the_venues() -> None:
    """A venue that is named has its own time, others the default."""
    by = OwnerParameters(transfer_minutes={"x": 10.0}, default_transfer_minutes=90.0)
    books = [sub(btc(cash=1.0, coins=1.0, account=name), venue) for name, venue in (("a", "x"), ("b", "y"))]
    view = owner_view("o", books, correlations(["BTC"]), netted, by)
    assert [v.transfer_minutes for v in view.venues] == [10.0, 90.0]


def test_what_netted_out_is_cash() -> None:
    """A long at 59,000 against a short at 61,000 has locked 20,000 in, and the contract needs no price any more."""
    blind = [replace_price(book, math.nan) for book in (btc(LONG, account="a"), btc(SHORT, account="b"))]
    merged = merge(blind, correlations(["BTC"]), "o")
    assert merged.underlyings[0].names == (None,)
    assert merged.missing == ()
    assert merged.equity_usd == pytest.approx(20_000.0)


def replace_price(book: Portfolio, value: float) -> Portfolio:
    one = book.underlyings[0]
    gone = one.rows._replace(value_usd=np.array([one.rows.value_usd[0], value]))
    return replace(book, underlyings=(replace(one, rows=gone),))


def test_what_is_left_keeps_an_average_price() -> None:
    """Averages are weighted, harmonically for inverse contracts; where none explains the entry there is none."""
    more = replace(LONG, quantity=30.0, average=63_000.0)
    merged = merge([btc(LONG), btc(more)], correlations(["BTC"]), "o").underlyings[0]
    assert merged.average_price.tolist() == pytest.approx([0.0, 62_000.0])
    face = [Contract("I", "inverse", 100.0, 6e4, 100.0, average=average) for average in (50_000.0, 75_000.0)]
    merged = merge([btc(one) for one in face], correlations(["BTC"]), "o").underlyings[0]
    assert merged.average_price.tolist() == pytest.approx([0.0, 60_000.0])
    assert merged.quantity[0] == pytest.approx(2e4 / 6e4)
    odd = [btc(replace(LONG, quantity=10.0, average=10_000.0)), btc(replace(LONG, quantity=-9.0, average=60_000.0))]
    assert math.isnan(merge(odd, correlations(["BTC"]), "o").underlyings[0].average_price[1])


def test_a_part_that_cannot_be_computed_is_not_zero() -> None:
    """An account without a figure leaves NaN in the sums and its reason beside the others."""
    book = portfolio(Coin("BTC", 6e4, coins=1.0), unlisted=("GONE",), account="a")
    broken = SubAccount(
        "x", book, Margin("P", "0" * 16, 0, math.nan, math.nan, math.nan, {}, {}, degraded=book.missing)
    )
    view = owner_view("o", [broken, sub(btc(LONG, account="b"))], correlations(["BTC"]), netted)
    assert all(map(math.isnan, (view.im_requirement_usd, view.netting_benefit_usd, view.transferable_usd)))
    assert all(map(math.isnan, (view.shortfall_usd, view.uncovered_usd)))
    assert view.degraded == ("a:unlisted:GONE", "unlisted:GONE")


def test_portfolios_of_two_markets_are_refused() -> None:
    """Another time, index, contract or token price is another market."""
    one = btc(LONG)
    later, elsewhere = replace(one, market_time_us=NOW_US + 1), btc(LONG, index=6.1e4)
    dearer = btc(replace(LONG, price=60_100.0))
    pegged = [replace(one, stable_price={"USDT": price}) for price in (1.0, 0.99)]
    for books in ([one, later], [one, elsewhere], [one, dearer], pegged):
        with pytest.raises(OtherMarket):
            merge(books, correlations(["BTC"]), "o")


def test_correlations_fit_the_union() -> None:
    """Correlations of other underlyings than those held, or no portfolio at all, are errors."""
    other = portfolio(Coin("ETH", 3_000.0, coins=1.0))
    with pytest.raises(ValueError, match="BTC, ETH"):
        merge([btc(LONG), other], correlations(["BTC"]), "o")
    with pytest.raises(ValueError, match="no portfolio"):
        merge([], correlations([]), "o")


def test_flags_and_gaps_are_kept() -> None:
    """What is doubtful or missing in one account is so in the whole; unknown settlement and rates stay unknown."""
    one = portfolio(Coin("BTC", 6e4, (LONG,), flags=("stale",)))
    bare = replace(one.underlyings[0], settlement=(), funding_rate_8h=np.zeros(0), held=True, refinement=4)
    merged = merge([one, replace(one, underlyings=(bare,), unsettled=("OLD",))], correlations(["BTC"]), "o")
    found = merged.underlyings[0]
    assert (found.flags, found.held, found.settlement, merged.unsettled) == (("stale:BTC",), True, (), ("OLD",))
    assert found.refinement == 4
    assert math.isnan(
        merge([replace(one, underlyings=(bare,))], correlations(["BTC"]), "o").underlyings[0].funding_rate_8h[1]
    )
