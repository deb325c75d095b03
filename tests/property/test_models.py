"""What every margin model has to keep, whatever it is."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from monitor.engine.parameters import DEFAULT_ACTIVE
from monitor.engine.portfolio import portfolio_of
from monitor.models.margin import Margin
from monitor.models.portfolio import Portfolio
from monitor.models.registry import MODELS
from schemas.joint import JointParameters
from tests.model_books import Position, account, book, market, random_positions, scaled, shuffled

STATE = market()
BOOKS = 40
# Delta beyond a threshold, marginal tiers of a minimum charge or of notional: twice the position needs more than twice.
GROW_WITH_SIZE = {"A", "A-okx", "E-tiered"}
CHOSEN = msgspec.structs.replace(DEFAULT_ACTIVE.set, joint=JointParameters(draws=256, min_history=100))
HISTORY = np.random.default_rng(7).standard_t(5.0, (200, 3))


def margin(name: str, portfolio: Portfolio) -> Margin:
    """The margin of a portfolio whose underlyings have moved before."""
    order = sorted({"BTC", "ETH", "USDC"} | {one.name for one in portfolio.underlyings})
    columns = [order.index(one.name) for one in portfolio.underlyings]
    correlations = replace(portfolio.correlations, history=np.ascontiguousarray(HISTORY[:, columns]))
    return MODELS[name].compute(replace(portfolio, correlations=correlations), CHOSEN, DEFAULT_ACTIVE.hash)


def books(seed: int) -> list[list[Position]]:
    dice = random.Random(seed)
    return [random_positions(dice) for _ in range(BOOKS)]


every_model = pytest.mark.parametrize("name", MODELS)


@every_model
def test_a_result_adds_up(name: str) -> None:
    """Requirements are not negative and the sums of their components, maintenance is not above the initial one."""
    for positions in books(1):
        portfolio = book(STATE, positions, {"USD": 10_000.0, "BTC": 0.3, "USDC": 500.0})
        found = margin(name, portfolio)
        assert found.computed
        assert found.model == name
        assert found.parameter_hash == DEFAULT_ACTIVE.hash
        assert found.market_time_us == STATE.market.time_us
        assert 0.0 <= found.mm_requirement_usd <= found.im_requirement_usd * (1 + 1e-12) + 1e-9
        assert math.isclose(math.fsum(found.im_components.values()), found.im_requirement_usd, abs_tol=1e-6)
        assert math.isclose(math.fsum(found.mm_components.values()), found.mm_requirement_usd, abs_tol=1e-6)
        assert found.im_excess_usd == found.equity_usd - found.im_requirement_usd


@every_model
def test_cash_shifts_excess_one_for_one(name: str) -> None:
    """Dollars change equity by as much, and no requirement."""
    for positions in books(2):
        poor, rich = (margin(name, book(STATE, positions, {"USD": usd, "ETH": 1.0})) for usd in (0.0, 4_096.0))
        assert math.isclose(rich.equity_usd - poor.equity_usd, 4_096.0, abs_tol=1e-7)
        assert rich.im_requirement_usd == poor.im_requirement_usd
        assert rich.mm_requirement_usd == poor.mm_requirement_usd


@every_model
def test_requirements_scale(name: str) -> None:
    """Twice a portfolio needs twice as much, or more where rates grow with size."""
    for positions in books(3):
        once, twice = (
            margin(name, book(STATE, scaled(positions, k), {"BTC": 0.2 * k})).im_requirement_usd for k in (1.0, 2.0)
        )
        if name in GROW_WITH_SIZE:
            assert twice >= 2.0 * once - 1e-9
        else:
            assert math.isclose(twice, 2.0 * once, rel_tol=1e-9, abs_tol=1e-6)


@every_model
def test_a_portfolio_and_its_mirror_need_nothing(name: str) -> None:
    """An account that holds nothing on balance needs nothing; its cash stays."""
    nothing = margin(name, book(STATE, [], {"USD": 1_000.0}))
    assert (nothing.equity_usd, nothing.im_requirement_usd, nothing.mm_requirement_usd) == (1_000.0, 0.0, 0.0)


@every_model
def test_the_order_of_holdings_changes_no_bit(name: str) -> None:
    """Holdings are sorted before anything is summed."""
    dice = random.Random(4)
    for positions in books(4)[:10]:
        one = account(positions, {"USD": 1.0, "ETH": 2.0, "BTC": 0.1})
        other = shuffled(one, dice)
        assert margin(name, portfolio_of(one, STATE.market)) == margin(name, portfolio_of(other, STATE.market))


@every_model
def test_what_has_no_price_has_no_margin(name: str) -> None:
    """A missing price gives NaN and its reason, never a zero."""
    dark = market(priced=("BTC",))
    found = margin(name, book(dark, [Position("ETH-PERPETUAL", 1.0), Position("BTC-PERPETUAL", 1.0)], {"USD": 1e6}))
    assert not found.computed
    assert math.isnan(found.im_requirement_usd)
    assert math.isnan(found.mm_requirement_usd)
    assert "no_price:ETH" in found.degraded
    assert not found.worst


@every_model
def test_an_unlisted_holding_has_no_margin(name: str) -> None:
    """What nobody listed cannot be valued, and the result says which."""
    one = account([Position("BTC-PERPETUAL", 1.0)], {"USD": 1e6})
    holdings = {**one.holdings, "XYZ-PERPETUAL": one.holdings["BTC-PERPETUAL"]}
    found = margin(name, portfolio_of(msgspec.structs.replace(one, holdings=holdings), STATE.market))
    assert not found.computed
    assert "unlisted:XYZ-PERPETUAL" in found.degraded


@every_model
def test_parts_are_the_requirement_by_underlying(name: str) -> None:
    """The parts of underlyings sum to both requirements; model D's to its shortfall: the rest is of all together."""
    for positions in books(5)[:15]:
        found = margin(name, book(STATE, positions, {"BTC": 0.3}))
        im, mm = (math.fsum(getattr(part, field) for part in found.parts) for field in ("im_usd", "mm_usd"))
        expected = (found.im_requirement_usd, found.mm_requirement_usd)
        if name.startswith("D"):
            expected = (found.im_components["shortfall"], found.mm_components["shortfall"])
        assert math.isclose(im, expected[0], rel_tol=1e-9, abs_tol=1e-6)
        assert math.isclose(mm, expected[1], rel_tol=1e-9, abs_tol=1e-6)
