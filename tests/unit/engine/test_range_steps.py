"""Steps of price ranges in the engine: who is evaluated again, with which range, and what an event says of it."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import pytest

from monitor.engine import State, attribution, evaluate_account, new_state, open_shard, step
from monitor.engine.book import Book
from monitor.engine.column import range_of
from monitor.engine.parameters import DEFAULT_SET, ActiveSet
from monitor.engine.portfolio import portfolio_of
from monitor.engine.state import Account
from schemas.records import (
    AccountConfig,
    AccountEvent,
    Heartbeat,
    Input,
    MarginModel,
    NettingParameters,
    ParameterSet,
    Trade,
    Transfer,
)
from schemas.topics import REGIMES
from tests.engine_market import SPOT_USD, START_US, Log, both, opening

MINUTE_US = 60_000_000
WILD = 1.1e-3  # a minute: 80 % a year, a range of 0.40 where it is wanted


class Desk:
    """An engine with accounts under both models and three parameter sets."""

    def __init__(self, netting: NettingParameters | None = None) -> None:
        self.state: State = new_state()
        self.log = Log()
        self.minute = 0
        self.draw = random.Random(5)
        self.price = dict(SPOT_USD)
        self.steps: list[tuple[int, str]] = []
        open_shard(self.state, 0, None, [], partitions=1, epoch=1)
        default = msgspec.structs.replace(DEFAULT_SET, event_time_us=START_US, netting=netting or NettingParameters())
        fixed = msgspec.structs.replace(default, name="fixed", netting=NettingParameters(ranges="fixed"))
        self.run([*opening(), default, fixed])

    def run(self, records: Sequence[Input]) -> list[AccountEvent]:
        """Step records and return the events."""
        outgoing = step(self.state, [self.log(record) for record in records])
        assert not self.state.rejected
        return [msgspec.json.decode(item.body, type=AccountEvent) for item in outgoing if item.topic != REGIMES.name]

    def open(
        self, name: str, deposit: float, quantity: float, model: MarginModel = "P", set_name: str = "default"
    ) -> None:
        """Open an account that holds perpetuals of both coins."""
        config = AccountConfig(account=name, event_time_us=START_US, margin_model=model, parameter_set=set_name)
        money = Transfer(transfer_id="d", account=name, asset="USD", amount=deposit, event_time_us=START_US)
        self.run([config, money, *(_trade(name, u, quantity * 100_000.0 / SPOT_USD[u]) for u in SPOT_USD)])

    def walk(self, minutes: int, size: float = WILD) -> Iterator[list[AccountEvent]]:
        """Let prices walk around their first ones; yield the events of each minute."""
        for _ in range(minutes):
            self.minute += 1
            time_us = START_US + self.minute * MINUTE_US
            records: list[Input] = [Heartbeat(source="clock", event_time_us=time_us)]
            for name, spot in SPOT_USD.items():
                move = self.draw.gauss(0.02 * math.log(spot / self.price[name]), size)
                self.price[name] *= math.exp(move)
                records += both(name, self.price[name], time_us)
            yield self.run(records)

    def until_step(self) -> list[AccountEvent]:
        """Walk until BTC's ladder begins, and return the events of that minute."""
        for events in self.walk(1_000):
            if self.state.market.ticks.range_step("BTC") is not None:
                return events
        raise AssertionError("no step in 1,000 minutes")

    def im_usd(self, name: str) -> float:
        """Initial requirement of an account now."""
        return evaluate_account(self.state, name).im_requirement_usd

    def account(self, name: str) -> Account:
        """An account."""
        return self.state.shards[0].accounts[name]

    def active(self, name: str) -> ActiveSet:
        """The parameter set of an account."""
        found = self.state.market.parameters.get(self.account(name).config.parameter_set)
        assert found is not None
        return found


def _trade(name: str, underlying: str, quantity: float) -> Trade:
    return Trade(
        trade_id=underlying, account=name, instrument=f"{underlying}-PERPETUAL", quantity=quantity,
        price=SPOT_USD[underlying], event_time_us=START_US,
    )  # fmt: skip


def test_before_any_estimate_the_range_is_the_rounded_one_of_the_set() -> None:
    """16 % and 18 % are charged as 20 % by the ladder, and as they are under a set with fixed ranges and by model A."""
    desk = Desk()
    desk.open("p", 1e6, 1.0)
    desk.open("f", 1e6, 1.0, set_name="fixed")
    desk.open("a", 1e6, 1.0, model="A")
    parts = {
        name: {part.underlying: part.price_move for part in evaluate_account(desk.state, name).underlyings}
        for name in "pfa"
    }
    assert parts["p"] == {"BTC": pytest.approx(-0.20), "ETH": pytest.approx(-0.20)}
    assert parts["f"] == parts["a"] == {"BTC": pytest.approx(-0.16), "ETH": pytest.approx(-0.18)}


def test_a_step_reaches_every_account_of_the_underlying_at_once() -> None:
    """With the record that ends the minute long and short accounts under P are at 25 %; A and fixed sets stay."""
    desk = Desk()
    desk.open("long", 1e6, 1.0)
    desk.open("short", 1e6, -2.0)
    desk.open("fixed", 1e6, 1.0, set_name="fixed")
    desk.open("added", 1e6, 1.0, model="A")
    desk.until_step()
    view = desk.state.market.ticks.range_step("BTC")
    assert view is not None
    assert (view.reach, view.price_range >= 0.25) == (1, True)
    for name, move in (("long", -0.25), ("short", 0.25), ("fixed", -0.16), ("added", -0.16)):
        parts = {part.underlying: part.price_move for part in evaluate_account(desk.state, name).underlyings}
        assert parts["BTC"] == pytest.approx(move)


def test_a_step_calls_and_says_that_parameters_did() -> None:
    """An account a little above its requirement is called by the step of its coins; the change is theirs."""
    desk = Desk()
    desk.open("a", 1e6, 1.0)
    for _ in desk.walk(700):
        pass
    spare = 1.04 * desk.im_usd("a") - evaluate_account(desk.state, "a").equity_usd
    desk.run([Transfer(transfer_id="w", account="a", asset="USD", amount=spare, event_time_us=START_US)])
    first = desk.account("a").sequence
    baseline = desk.account("a").baseline
    assert baseline is not None
    called: list[AccountEvent] = []
    while desk.state.market.ticks.range_step("ETH") is None or desk.state.market.ticks.range_step("BTC") is None:
        for events in desk.walk(1):
            called += events
    kinds = [event.kind for event in called if event.sequence > first]
    assert "margin_call" in kinds or "warning" in kinds
    assert desk.account("a").status in {"warning", "margin_call"}
    desk.account("a").baseline = baseline
    parts = attribution.attribute(desk.account("a"), desk.state.market, desk.active("a"))
    assert parts is not None
    by_group = {part.group: part.change_usd for part in parts}
    change = desk.im_usd("a") - baseline.im_usd
    assert math.fsum(by_group.values()) == pytest.approx(change, abs=1e-9 * desk.im_usd("a"))
    assert by_group["parameters"] == pytest.approx(0.25 * baseline.im_usd, rel=1e-6)


def test_an_event_of_the_step_sums_its_attribution() -> None:
    """The event that a step causes has its own base, and eight parts that sum to the change since."""
    desk = Desk()
    desk.open("a", 1e6, 1.0)
    for _ in desk.walk(700):
        pass
    spare = 1.12 * desk.im_usd("a") - evaluate_account(desk.state, "a").equity_usd
    desk.run([Transfer(transfer_id="w", account="a", asset="USD", amount=spare, event_time_us=START_US)])
    seen = 0
    for events in desk.walk(60):
        for event in events:
            assert event.attribution is not None
            assert event.attribution_base is not None
            total = math.fsum(part.change_usd for part in event.attribution)
            change = event.im_requirement_usd - event.attribution_base.im_requirement_usd
            assert total == pytest.approx(change, abs=1e-9 * event.im_requirement_usd)
            seen += any(part.group == "parameters" and part.change_usd > 0.0 for part in event.attribution)
    assert seen


def test_a_base_without_a_range_had_that_of_its_risk_matrix() -> None:
    """A base stored before there were ladders counts from the set's own range: 16 to 20 and 18 to 20 are parameters."""
    desk = Desk()
    desk.open("a", 1e6, 1.0)
    baseline = desk.account("a").baseline
    assert baseline is not None
    for coin in baseline.coins.values():
        coin.price_range = None
    parts = attribution.attribute(desk.account("a"), desk.state.market, desk.active("a"))
    assert parts is not None
    btc, eth, rho, k = 16_000.0, 18_000.0, 0.5, 0.1
    old = math.sqrt((1 - k) * (btc**2 + 2 * rho * btc * eth + eth**2) + k * (btc + eth) ** 2)
    changed = {part.group: part.change_usd for part in parts if part.change_usd}
    assert changed == {"parameters": pytest.approx(desk.im_usd("a") - old, rel=1e-6)}


def test_a_book_built_anew_says_the_same() -> None:
    """Figures after steps are a function of market and accounts: a book without a past has the same bits.

    Model C scans by the volatility itself, so what is published of it reaches its accounts, too.
    """
    desk = Desk()
    desk.open("a", 1e6, 1.0)
    desk.open("b", 1e6, -0.7)
    desk.open("c", 1e6, 0.5, model="C")
    assumed = desk.im_usd("c")
    desk.until_step()
    told = 0
    for _ in desk.walk(60):
        book = Book()
        for name in "abc":
            book.set_account(desk.account(name), desk.state.market)
            assert book.figures(name) == desk.state.book.figures(name)
        told += desk.state.market.ticks.annual_volatility("BTC") is not None
    assert told
    assert desk.im_usd("c") != assumed


def test_pegged_tokens_and_named_underlyings_keep_their_own_range() -> None:
    """`fixed_ranges` names whose range is the risk matrix's own, unrounded, whatever their volatility says."""
    desk = Desk(NettingParameters(fixed_ranges=("ETH", "USDT")))
    desk.open("a", 1e6, 1.0)
    desk.until_step()
    for _ in desk.walk(30):
        pass
    market, active = desk.state.market, desk.active("a")
    assert market.ticks.range_step("ETH") is not None
    assert [range_of(market, name, active) for name in ("BTC", "ETH", "USDT")] == [0.25, 0.18, 0.05]
    parts = {part.underlying: part.price_move for part in evaluate_account(desk.state, "a").underlyings}
    assert parts == {"BTC": pytest.approx(-0.25), "ETH": pytest.approx(-0.18)}


def test_extended_moves_inside_a_wider_range_are_dropped() -> None:
    """Under a set whose own range is 0.50 the moves of a third and a half are none beyond the range any more."""
    desk = Desk()
    matrix = msgspec.structs.replace(DEFAULT_SET.risk_matrix, price_range=0.46)
    desk.run([ParameterSet(name="wide", event_time_us=START_US + 1, risk_matrix=matrix)])
    desk.open("a", 1e6, 1.0, set_name="wide")
    pricings, _ = desk.state.book.basis_of("a")
    table = pricings["BTC"].table
    beyond = table.move[3 * 9 :]
    assert beyond.tolist() == [-0.66, 1.0, 2.0, 3.0, 4.0, 5.0]
    np.testing.assert_allclose(table.weight[3 * 9 :], 0.5 / np.abs(beyond), rtol=1e-15)
    assert pricings["BTC"].price_range == 0.5


def test_models_see_the_volatility_and_the_history() -> None:
    """A portfolio has the annual volatility of its coins and the rows of their standardised returns."""
    desk = Desk()
    desk.open("a", 1e6, 1.0)
    before = portfolio_of(desk.account("a"), desk.state.market)
    assert before.correlations.history.shape == (0, 2)
    assert all(math.isnan(underlying.annual_vol) for underlying in before.underlyings)
    desk.until_step()
    for _ in desk.walk(30):
        pass
    portfolio = portfolio_of(desk.account("a"), desk.state.market)
    for underlying in portfolio.underlyings:
        assert underlying.annual_vol == desk.state.market.ticks.annual_volatility(underlying.name)
        assert underlying.annual_vol == pytest.approx(0.8, rel=0.25)
    rows = portfolio.correlations.history
    np.testing.assert_array_equal(rows, desk.state.market.ticks.history(["BTC", "ETH"]))
    assert rows.shape[0] >= 50
    assert portfolio.correlations.history_interval_s == 600.0
