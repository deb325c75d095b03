from __future__ import annotations

import json
import math
import random
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from monitor.answers.plan import Plan, Policy, Situation, plan
from monitor.answers.plan.candidates import lot_of
from monitor.answers.plan.engine import situation_of
from monitor.cli import liqmon
from monitor.engine.ledger import apply_trade
from monitor.engine.portfolio import portfolio_of
from monitor.engine.state import Account, State
from monitor.errors import UsageError
from schemas.records import Trade
from tests.model_books import Position, account, market, random_positions

POLICY = Policy(hedges=True, coins=False)


@pytest.fixture(scope="module")
def state() -> State:
    """A market of two coins."""
    return market()


def short(state: State, of: Account, v: float) -> Account:
    """The account with so much cash that IM/equity is v."""
    one = situation_of(of, state.market)
    need, equity = one.margin(one.portfolio).im_requirement_usd, one.portfolio.equity_usd
    usd = of.balances.get("USD", 0.0) + need / v - equity
    return msgspec.structs.replace(of, balances={**of.balances, "USD": usd})


def test_perpetuals_that_are_not_held_are_hedges(state: State) -> None:
    """Of each coin of an account, the perpetuals with a price that it does not hold may be traded."""
    one = situation_of(account([Position("BTC-PERPETUAL", 1.0), Position("ETH-C", -3.0)], {"BTC": 0.5}), state.market)
    assert one.hedges["BTC"].names == (None, "BTC-INVERSE")
    assert one.hedges["ETH"].names == (None, "ETH-INVERSE", "ETH-PERPETUAL")


def test_the_target_is_that_of_the_state(state: State) -> None:
    """An account that is called comes down to where its call ends, one in liquidation to where that ends."""
    held = account([Position("BTC-PERPETUAL", 1.0)], {})
    called, liquidated = (situation_of(short(state, held, v), state.market) for v in (1.1, 1.5))
    assert (called.in_liquidation, called.leave_v) == (False, 0.95)
    assert (liquidated.in_liquidation, liquidated.leave_v) == (True, 1.0)
    found = plan(called)
    assert found.im_after_usd < 0.95 * found.equity_after_usd


@pytest.mark.parametrize(("value", "lot"), [(100_000.0, 0.0001), (10.0, 1.0), (0.3, 10.0), (0.0, 1.0)])
def test_lots_are_powers_of_ten(value: float, lot: float) -> None:
    """Where no lot is known it is the largest power of ten worth no more than ten dollars."""
    assert math.isclose(lot_of(value, 10.0), lot)


def executed(of: Account, state: State, one: Situation, found: Plan) -> Account:
    """The account after a plan's trades came in as fills, at the expected prices and with the policy's fee."""
    spot = {u.name: u.index_price for u in one.portfolio.underlyings}
    done = msgspec.structs.replace(of, holdings=dict(of.holdings), balances=dict(of.balances))
    for k, order in enumerate(found.orders):
        listed = state.market.instruments.get(order.instrument)
        assert listed is not None
        index, option = spot[order.underlying], listed.type == "option"
        in_coins = listed.settlement == listed.underlying
        coins = listed.contract_size / (order.mark_usd if in_coins and not option else 1.0)
        fee_usd = POLICY.fee_rate * abs(order.quantity) * coins * index
        trade = Trade(
            trade_id=f"fill-{k}", account=done.name, instrument=order.instrument, quantity=order.quantity,
            price=order.expected_price_usd / (index if in_coins and option else 1.0),
            event_time_us=state.market.time_us, fee=fee_usd / index if in_coins else fee_usd,
        )  # fmt: skip
        assert apply_trade(done, trade, listed)
    return done


@pytest.mark.parametrize("seed", range(8))
def test_fills_at_expected_prices_lead_where_the_plan_says(state: State, seed: int) -> None:
    """Booked by the engine's ledger at the expected prices, a plan leads to the equity and requirement it said."""
    dice = random.Random(seed)
    of = short(state, account(random_positions(dice), {"BTC": dice.uniform(0.0, 0.2)}), dice.uniform(1.1, 1.8))
    one = situation_of(of, state.market)
    found = plan(one, POLICY)
    assert found.outcome == "reduce"
    done = portfolio_of(executed(of, state, one, found), state.market)
    assert math.isclose(done.equity_usd, found.equity_after_usd, rel_tol=1e-9)
    assert math.isclose(one.margin(done).im_requirement_usd, found.im_after_usd, rel_tol=1e-6, abs_tol=1e-6)


def test_the_command_plans_for_an_account_of_files(tmp_path: Path) -> None:
    """From files of a market and its accounts, the command prints a plan that JSON readers get, too."""
    market_file, accounts = str(tmp_path / "m.jsonl"), str(tmp_path / "a.jsonl")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(liqmon, arguments, standalone_mode=False)

    run("generate", "market", "--minutes", "3", "--out", market_file)
    run("generate", "accounts", market_file, "--accounts", "6", "--out", accounts)
    files = ("--portfolio", accounts, "--market", market_file)
    listed = json.loads(run("margin", *files, "--model", "P", "--json").output)["accounts"]
    name = max(listed, key=lambda one: one["models"][0]["im_requirement_usd"] / one["models"][0]["equity_usd"])[
        "account"
    ]
    found = json.loads(run("plan", name, *files, "--hedges", "--json").output)
    assert (found["account"], found["outcome"]) == (name, "nothing")
    assert "nothing to do" in run("plan", name, *files).output
    refused = run("plan", "nobody", *files)
    assert isinstance(refused.exception, UsageError)
    assert isinstance(run("plan", name, *files, "--lot", "BTC").exception, UsageError)
