from __future__ import annotations

import dataclasses
import math

import pytest

from kernels.liquidation import dydx
from kernels.liquidation.auction import Account
from monitor.answers.plan import Policy, Situation, plan
from monitor.liquidation.losses import (
    Counterparty,
    Fund,
    bankruptcy_price,
    deleverage,
    inverse_bankruptcy_price,
    socialised,
    take_over,
)
from monitor.liquidation.rounds import Budget, Pace, rounds
from monitor.liquidation.venues import DriftMarket, drift_step, dydx_order, offers, profitable_from
from monitor.models.portfolio import Portfolio
from schemas.liquidation import LiquidationParameters
from tests.plan_books import breached

TERMS = LiquidationParameters()


@pytest.fixture(scope="module")
def short() -> Situation:
    """An account that a plan of several trades helps."""
    return next(one for one in breached(40, 30) if len(plan(one).orders) > 2)


def test_without_a_cap_one_round_is_the_plan(short: Situation) -> None:
    """Where nothing caps a liquidation, its only round is the plan, and the target is met after it."""
    done = list(rounds(short, Policy(), Pace(), start_us=0))
    assert len(done) == 1
    assert done[0].trades == {order.instrument: order.quantity for order in done[0].plan.orders}
    after = short.margin(done[0].portfolio)
    assert after.im_requirement_usd <= short.leave_v * after.equity_usd


def test_caps_hold_in_every_interval(short: Situation) -> None:
    """With a cap a liquidation takes rounds; no interval has more than the cap, and the end is the same target."""
    whole = next(rounds(short, Policy(), Pace(), start_us=0)).notional_usd
    pace = Pace(wait_s=1.0, cap_usd=whole / 5.0, cap_interval_s=3.0)
    done = list(rounds(short, Policy(), pace, start_us=7))
    assert len(done) >= 5
    for one in done:
        recent = [other.notional_usd for other in done if one.at_us - 3_000_000 < other.at_us <= one.at_us]
        assert math.fsum(recent) <= pace.cap_usd * (1.0 + 1e-9)
    last = short.margin(done[-1].portfolio)
    assert last.im_requirement_usd <= short.leave_v * last.equity_usd
    assert [one.number for one in done] == list(range(1, len(done) + 1))


def test_accounts_share_a_budget(short: Situation) -> None:
    """Two accounts with one budget together close no more than it allows."""
    whole = next(rounds(short, Policy(), Pace(), start_us=0)).notional_usd
    budget = Budget(whole, 60.0)
    first = next(rounds(short, Policy(), Pace(), start_us=0, budget=budget))
    second = next(rounds(short, Policy(), Pace(most_rounds=70), start_us=0, budget=budget))
    assert first.share == 1.0
    assert second.at_us >= 60_000_000


def test_a_market_that_comes_back_ends_a_liquidation(short: Situation) -> None:
    """Each round is judged at its own moment: money that arrives between two of them ends the liquidation."""
    whole = next(rounds(short, Policy(), Pace(), start_us=0)).notional_usd

    def rescued(portfolio: Portfolio, at_us: int) -> Situation:
        assert at_us > 0
        assert portfolio.equity_usd <= short.portfolio.equity_usd
        cash = short.portfolio.cash_usd + 10.0 * abs(short.portfolio.equity_usd)
        return dataclasses.replace(short, portfolio=dataclasses.replace(short.portfolio, cash_usd=cash))

    pace = Pace(cap_usd=whole / 5.0)
    assert len(list(rounds(short, Policy(), pace, start_us=0, market=rescued))) == 1


def test_offers_become_cheaper_and_larger() -> None:
    """An auction asks a falling share for a growing fraction, and is over when it asks nothing."""
    account = Account(value_usd=1_000.0, mm_excess_usd=-600.0)
    found = offers(TERMS.auction, account, (0.0, 450.0, 900.0, 20_000.0, 44_100.0))
    assert [one.phase for one in found] == ["fast", "fast", "slow", "slow", "over"]
    assert [one.share for one in found[:3]] == [0.95, pytest.approx(0.825), 0.7]
    fractions = [one.fraction for one in found[:4]]
    assert fractions == sorted(fractions)
    assert all(math.isclose(one.price_usd, 1_000.0 * one.share * one.fraction) for one in found)


def test_a_bid_pays_from_its_time_on() -> None:
    """Just before the first profitable time the best bid earns less than the edge, from then on no less."""
    account = Account(value_usd=1_000.0, mm_excess_usd=-600.0)
    first = profitable_from(TERMS.auction, account, min_edge_usd=60.0, cost_usd=20.0)
    assert first is not None
    for time_s, enough in ((first.elapsed_s - 1.0, False), (first.elapsed_s + 1e-6, True)):
        (one,) = offers(TERMS.auction, account, (time_s,))
        edge = one.fraction * (1_000.0 - 20.0) - one.price_usd
        assert (edge >= 60.0 - 1e-6) == enough


def test_an_insolvent_account_pays_its_bidder() -> None:
    """Without value an auction's price is below zero and falls to the maintenance margin."""
    found = offers(TERMS.auction, Account(-50.0, -200.0), (0.0, 1_800.0, 3_600.0))
    assert [one.price_usd for one in found] == [-50.0, -125.0, -200.0]


def test_drift_steps_cover_a_shortage() -> None:
    """Steps of Drift free more with time, at a fee that rises after the grace, and never close more than is held."""
    market = DriftMarket(100.0, 0.05, 0.01, 0.02, 0.0)
    early = drift_step(TERMS.drift, market, 1_000.0, 400.0, 0.0, 0.0)
    later = drift_step(TERMS.drift, market, 1_000.0, 400.0, 0.0, 150.0)
    assert math.isclose(early.freed_usd, 0.1 * 400.0)
    assert math.isclose(later.freed_usd, 400.0)
    assert math.isclose(later.coins, 400.0 / (100.0 * 0.04))
    assert early.price == 99.0
    assert drift_step(TERMS.drift, market, -1_000.0, 400.0, 0.0, 6_000.0).price == pytest.approx(101.6)
    assert drift_step(TERMS.drift, market, 20.0, 400.0, 0.0, 150.0).coins == 20.0


def test_a_dydx_order_at_its_bankruptcy_price_costs_the_fund_nothing() -> None:
    """Filled at the price at bankruptcy an order leaves the fund as it was, whatever part the block allows."""
    positions = {"BTC": dydx.Position(1.0, 50_000.0, 0.05), "ETH": dydx.Position(-5.0, 3_000.0, 0.05)}
    balance = -33_500.0
    for limit in (math.inf, 20_000.0):
        order = dydx_order(TERMS.dydx, balance, positions, "BTC", limit)
        assert abs(order.coins) * 50_000.0 <= limit
        delta = dydx.insurance_delta(balance, positions, "BTC", order.coins, order.bankruptcy_price, 0.005)
        assert math.isclose(delta, 0.0, abs_tol=1e-9)
        assert order.fillable_price < 50_000.0


@pytest.mark.parametrize("quantity", [2.0, -2.0])
def test_closing_at_the_bankruptcy_price_leaves_nothing(quantity: float) -> None:
    """A position closed at its price at bankruptcy, its fee paid, leaves an equity of zero."""
    price = bankruptcy_price(30.0, quantity, 0.5, 1_000.0, 20_000.0)
    assert math.isclose(1_000.0 + quantity * 0.5 * (price - 20_000.0) - 30.0, 0.0, abs_tol=1e-9)
    inverse = inverse_bankruptcy_price(quantity, 10_000.0, 0.05, 20_000.0)
    assert math.isclose(0.05 + quantity * 10_000.0 * (1.0 / 20_000.0 - 1.0 / inverse), 0.0, abs_tol=1e-12)


def test_a_short_without_leverage_has_no_inverse_bankruptcy_price() -> None:
    """An inverse short with its face in coins survives every price."""
    assert inverse_bankruptcy_price(-1.0, 10_000.0, 0.5, 20_000.0) == math.inf


def test_a_fund_pays_what_it_has_and_may_spend() -> None:
    """A gain feeds the fund up to the fee; a loss is paid up to the cash and the cap, the rest is left."""
    fed = take_over(Fund(100.0), 40.0, max_fee_usd=25.0)
    assert (fed.by_fund_usd, fed.left_usd, fed.fund.cash_usd) == (-25.0, 0.0, 125.0)
    paid = take_over(Fund(100.0, 60.0), -90.0)
    assert (paid.by_fund_usd, paid.left_usd, paid.fund) == (60.0, 30.0, Fund(40.0, 0.0))


def holder(name: str, quantity: float, profit: float, leverage: float) -> Counterparty:
    """A counterparty with a notional of 1,000 USD."""
    return Counterparty(name, quantity, profit, 1_000.0, 1_000.0, 1_000.0 / leverage)


OTHERS = [
    holder("low", -10.0, 100.0, 1.0), holder("high", -10.0, 500.0, 10.0), holder("twin", -30.0, 500.0, 10.0),
    holder("losing", -50.0, -10.0, 20.0), holder("same side", 50.0, 900.0, 20.0),
]  # fmt: skip


def test_the_most_profitable_leverage_is_closed_first() -> None:
    """A residual is closed exactly, from the highest rank on, equal ranks by the same share."""
    found = deleverage(20.0, OTHERS)
    assert found.closed == {"high": 5.0, "twin": 15.0}
    assert (found.left, found.overshoot) == (0.0, 20.0)
    more = deleverage(45.0, OTHERS)
    assert more.closed == {"high": 10.0, "twin": 30.0, "low": 5.0}
    assert (more.left, more.overshoot) == (0.0, 5.0)


def test_who_has_no_profit_or_the_same_side_is_not_closed() -> None:
    """What finds no profitable counterparty is left with the residual's sign."""
    found = deleverage(70.0, OTHERS)
    assert set(found.closed) == {"high", "twin", "low"}
    assert found.left == 20.0
    assert deleverage(-60.0, OTHERS).closed == {"same side": -50.0}
    assert deleverage(-60.0, OTHERS).left == -10.0


def test_a_loss_that_nobody_covers_is_everybodys() -> None:
    """A socialised loss takes one share of all equity above zero, at most all of it."""
    haircut, paid = socialised(30.0, {"a": 100.0, "b": 200.0, "c": -50.0})
    assert haircut == pytest.approx(0.1)
    assert paid == {"a": pytest.approx(10.0), "b": pytest.approx(20.0)}
    assert socialised(500.0, {"a": 100.0})[0] == 1.0
    assert socialised(0.0, {}) == (0.0, {})
