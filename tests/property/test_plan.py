from __future__ import annotations

import dataclasses
import math
import statistics

import msgspec
import numpy as np
import pytest

from monitor.answers.plan import CannotPlan, Plan, Policy, Situation, plan
from monitor.answers.plan.candidates import after, candidates
from monitor.answers.plan.costs import costs_of
from monitor.models.portfolio import Rows, Underlying
from schemas.add_ons import AddOnParameters, LiquidityAddOn, RollAddOn
from schemas.parameters import RiskMatrixParameters
from tests.netted_portfolios import Coin, Contract, Quantities, Universe, book, random_books
from tests.netting_oracle import optimum
from tests.plan_books import Shadows, breached, cheapest_baseline, executed, situation

BOOKS = 200


@pytest.fixture(scope="module")
def plans() -> list[tuple[Situation, Plan]]:
    """Accounts that are short, and their plans."""
    return [(one, plan(one)) for one in breached(BOOKS, 2)]


def reduced(plans: list[tuple[Situation, Plan]]) -> list[tuple[Situation, Plan]]:
    """Those that trades help."""
    return [(one, found) for one, found in plans if found.outcome == "reduce"]


def test_plans_meet_their_target(plans: list[tuple[Situation, Plan]]) -> None:
    """After a plan the exact model lets the account leave its state, at the figures that the plan says."""
    helped = reduced(plans)
    assert len(helped) > 0.9 * BOOKS
    for one, found in helped:
        then = executed(one, found)
        assert then.im_requirement_usd <= one.leave_v * then.equity_usd
        assert then.im_requirement_usd == found.im_after_usd
        assert math.isclose(then.equity_usd, one.portfolio.equity_usd - found.cost_usd, abs_tol=1e-7)
        held = {order.instrument: order.held for order in found.orders}
        assert all(order.quantity * held[order.instrument] < 0.0 for order in found.orders)
        assert all(abs(order.quantity) <= abs(order.held) for order in found.orders)


def test_plans_cost_no_more_than_baselines(plans: list[tuple[Situation, Plan]]) -> None:
    """No baseline costs less than a plan; the program finds nine in ten, and a third of all save half."""
    helped, savings = reduced(plans), []
    for _, found in helped:
        best = cheapest_baseline(found)
        assert found.cost_usd <= best * (1.0 + 1e-12)
        if math.isfinite(best):
            savings.append(1.0 - found.cost_usd / best)
        if found.cheapest_trade is not None and found.cheapest_trade.cost_usd is not None:
            assert found.cost_usd <= found.cheapest_trade.cost_usd * (1.0 + 1e-12)
    assert sum(found.method == "program" for _, found in helped) > 0.9 * len(helped)
    assert sum(saved > 0.5 for saved in savings) > len(savings) / 3.0


def test_plans_are_near_the_optimum_before_lots(plans: list[tuple[Situation, Plan]]) -> None:
    """Whole lots cost little over the program's optimum; below it lies only what impact paid in coins explains."""
    ratios = [found.cost_usd / found.program_cost_usd for _, found in reduced(plans) if found.program_cost_usd]
    assert min(ratios) > 0.99
    assert statistics.median(ratios) < 1.001


def test_what_cannot_be_helped_is_told(plans: list[tuple[Situation, Plan]]) -> None:
    """Where no trade helps, not even closing everything leaves enough."""
    for one, found in plans:
        if found.outcome == "infeasible":
            of = candidates(one, Policy())
            cost = costs_of(of, None, Policy()).of_each(of.closing)
            then = one.margin(after(of, of.closing, cost))
            assert then.im_requirement_usd > found.target_v * then.equity_usd


def test_shadow_prices_predict_one_lot_more(plans: list[tuple[Situation, Plan]]) -> None:
    """A shadow price says what one lot more releases, to 5 % in 95 % of smooth cases, in all of them with its sign.

    Smooth is where one lot more releases what one lot less binds, to 5 %: no kink of the exact requirement between.
    """
    shadows = Shadows()
    for one, found in reduced(plans)[:60]:
        shadows.take(one, found)
    assert shadows.wrong_sign == 0
    assert shadows.smooth > max(50, shadows.kinks + shadows.nothing)
    assert shadows.near >= 0.95 * shadows.smooth


def test_healthy_accounts_do_nothing() -> None:
    """An account that may leave its state already trades nothing, whatever trades would cost."""
    for universe, held in random_books(30, 3):
        one = situation(universe, held, 0.8)
        found = plan(one)
        assert (found.outcome, found.orders, found.cost_usd) == ("nothing", (), 0.0)
        assert found.im_after_usd == found.im_requirement_usd


def test_plans_are_the_same_bits() -> None:
    """The same account gets the same plan, byte for byte."""
    one = next(breached(1, 4))
    assert msgspec.json.encode(plan(one)) == msgspec.json.encode(plan(one))


@pytest.mark.parametrize("model", ["A", "B", "C", "E", "E-tiered", "A-paradex"])
def test_other_models_meet_their_target(model: str) -> None:
    """Under a model that is not written out in the program, the exact model is met, too, at no baseline's cost."""
    for one in breached(2, 5, model):
        found = plan(one)
        if found.outcome == "reduce":
            then = executed(one, found)
            assert then.im_requirement_usd <= one.leave_v * then.equity_usd
            assert found.cost_usd <= cheapest_baseline(found) * (1.0 + 1e-12)


def test_add_ons_are_met() -> None:
    """What a parameter set charges on top of model P is in the target, and the program still finds plans."""
    by = AddOnParameters(roll=RollAddOn(), liquidity=LiquidityAddOn())
    methods = []
    for one in breached(3, 6):
        with_add_ons = dataclasses.replace(one, parameters=msgspec.structs.replace(one.parameters, add_ons=by))
        found = plan(with_add_ons)
        methods.append(found.method)
        if found.outcome == "reduce":
            then = executed(with_add_ons, found)
            assert then.im_requirement_usd <= one.leave_v * then.equity_usd
            assert found.cost_usd <= cheapest_baseline(found) * (1.0 + 1e-12)
    assert "program" in methods


def two_coins() -> Universe:
    """Two coins, each with a linear perpetual and a linear option."""
    shocks = RiskMatrixParameters()
    coins = []
    for name, index in (("BTC-LIKE", 90_000.0), ("ETH-LIKE", 3_000.0)):
        call = Contract("linear_option", price=index, strike=1.05 * index, years=30.0 / 365.0, vol=0.6)
        coins.append(Coin(name, index, shocks, (Contract("coin"), Contract("linear", price=index), call)))
    return Universe(tuple(coins), np.array([[[1.0, 0.8], [0.8, 1.0]], [[1.0, 0.4], [0.4, 1.0]]]), 0.1)


HELD: dict[str, Quantities] = {
    "two_longs": (np.array([0.0, 1.0, 0.0]), np.array([0.0, 20.0, 0.0])),
    "a_hedge": (np.array([0.0, 2.0, 0.0]), np.array([0.0, -35.0, 0.0])),
    "short_calls": (np.array([0.0, 1.0, -2.5]), np.array([0.0, 0.0, 0.0])),
}


def cost_usd(universe: Universe, one: Situation, trade: tuple[float, float], rows: list[tuple[int, int]]) -> float:
    """Cost of two trades from the definitions: spread, fee, and impact of net delta and of vega."""
    total = 0.0
    delta, vega = dict.fromkeys(range(2), 0.0), dict.fromkeys(range(2), 0.0)
    for d, (place, row) in zip(trade, rows, strict=True):
        u = one.portfolio.underlyings[place]
        contract = universe.coins[place].contracts[row]
        own_delta, own_vega = float(u.rows.market_delta_coins[row]) * u.index_price, 0.0
        if row == 2:
            root = contract.vol * math.sqrt(contract.years)
            d1 = math.log(contract.price / contract.strike) / root + root / 2.0
            own_vega = contract.price * math.exp(-d1 * d1 / 2.0) / math.sqrt(2 * math.pi) * math.sqrt(contract.years)
            own_vega /= 100.0
        spread = 0.001 * abs(own_delta) + 2.7 * own_vega
        total += abs(d) * (spread + 0.0005 * u.index_price)
        delta[place] += d * own_delta
        vega[place] += d * own_vega
    for place in range(2):
        total += 0.7 * 1.5 / math.sqrt(365.0) * abs(delta[place]) ** 1.5 / math.sqrt(20e6)
        total += 0.7 * 14.0 * abs(vega[place]) ** 1.5 / math.sqrt(20_000.0)
    return total


@pytest.mark.parametrize("name", HELD)
def test_brute_force_finds_nothing_cheaper(name: str) -> None:
    """Of two positions, no pair of sizes on a grid meets the target by an independent solver and costs less."""
    universe, held = two_coins(), HELD[name]
    one = situation(universe, held, 1.6)
    found = plan(one)
    rows = [(place, row) for place, q in enumerate(held) for row in range(3) if q[row] != 0.0]
    target_v, equity = found.target_v, one.portfolio.equity_usd

    def meets(first: float, second: float) -> bool:
        after_trades = [q.copy() for q in held]
        trade = []
        for share, (place, row) in zip((first, second), rows, strict=True):
            trade.append(-share * held[place][row])
            after_trades[place][row] *= 1.0 - share
        need, _, _ = optimum(book(universe, tuple(after_trades)))
        left = equity - cost_usd(universe, one, (trade[0], trade[1]), rows)
        return need <= target_v * left

    best = math.inf
    for first in np.linspace(0.0, 1.0, 17):
        low, high = 0.0, 1.0
        if not meets(first, high):
            high = next((x for x in np.linspace(0.05, 0.95, 19) if meets(first, x)), math.nan)
        if math.isnan(high):
            continue
        for _ in range(10):
            middle = 0.5 * (low + high)
            low, high = (low, middle) if meets(first, middle) else (middle, high)
        sizes = (first * held[rows[0][0]][rows[0][1]], high * held[rows[1][0]][rows[1][1]])
        best = min(best, cost_usd(universe, one, sizes, rows))
    assert found.outcome == "reduce"
    assert found.program_cost_usd is not None
    assert found.program_cost_usd <= best * (1.0 + 1e-6)
    assert found.cost_usd <= best * 1.001
    assert best <= found.cost_usd * 1.08, "the grid is coarse, not blind"


def perpetual_of(u: Underlying) -> Underlying:
    """A linear perpetual on a coin, not held."""
    zeros = np.zeros(2)
    columns = [np.array([u.rows[k][0], u.rows[k][1]]) for k in range(len(Rows._fields))]
    return Underlying(
        name=u.name, index_price=u.index_price, annual_vol=u.annual_vol, names=(None, f"{u.name}-HEDGE"),
        quantity=zeros, rows=Rows._make(columns), average_price=zeros, entry_usd=zeros, entry_coins=zeros,
    )  # fmt: skip


def test_hedges_never_cost_more() -> None:
    """A plan that may hedge costs no more than one that may not, lots aside, and some plans do hedge."""
    hedged = 0
    for one in breached(12, 8):
        hedges = {u.name: perpetual_of(u) for u in one.portfolio.underlyings if len(u.names) > 1}
        with_hedges = dataclasses.replace(one, hedges=hedges)
        alone, wide = plan(one), plan(with_hedges, Policy(hedges=True))
        if alone.outcome == "reduce":
            assert wide.outcome == "reduce"
            assert wide.cost_usd <= alone.cost_usd * 1.01
            assert wide.im_after_usd <= one.leave_v * wide.equity_after_usd
        hedged += any(order.instrument.endswith("-HEDGE") for order in wide.orders)
    assert hedged > 0


def test_costs_of_trades_add_up() -> None:
    """Each trade's part of the impact and its spread are together the whole cost, which is convex in the trades."""
    dice = np.random.default_rng(9)
    for one in breached(20, 9):
        of = candidates(one, Policy())
        costs = costs_of(of, LiquidityAddOn(), Policy())
        first, second = (of.closing * dice.random(len(of.names)) for _ in range(2))
        assert math.isclose(math.fsum(costs.of_each(first)), costs.total(first), rel_tol=1e-12)
        assert costs.total(0.5 * (first + second)) <= 0.5 * (costs.total(first) + costs.total(second)) * (1.0 + 1e-12)


def test_an_account_without_prices_has_no_plan() -> None:
    """An account whose coin has no price is refused with the reason, not planned for."""
    one = next(breached(1, 10))
    blind = dataclasses.replace(one.portfolio.underlyings[0], index_price=math.nan)
    unpriced = dataclasses.replace(one.portfolio, underlyings=(blind, *one.portfolio.underlyings[1:]))
    with pytest.raises(CannotPlan, match=f"no_price:{blind.name}"):
        plan(dataclasses.replace(one, portfolio=unpriced))
