"""Advice beside a worker: what is noted, what is dropped, and that the advice does what it says by the exact model."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from monitor.answers.plan.engine import situation_of
from monitor.answers.view import View, copy_account, decode, take
from monitor.answers.what_if import Fill, Hypothesis, Move, what_if
from monitor.asking.about import About
from monitor.asking.advise import advise
from monitor.asking.question import Question
from monitor.engine.outbox import Event
from monitor.engine.state import State
from monitor.worker import advice as module
from monitor.worker.advice import Adviser
from monitor.worker.helper import COMMAND, Helper, NotNow
from monitor.worker.metrics import Meters
from monitor.worker.options import WorkerOptions
from monitor.worker.publisher import Outbound
from schemas.ids import canonical
from schemas.records import Advice
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS
from tests.answers_books import folded, holding_most

OPTIONS = WorkerOptions(broker="127.0.0.1:1", partitions=4)


class _Order:
    """An order as far as advice looks at it."""

    def __init__(self, state: State) -> None:
        self.states = [state]


class _Publisher:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Outbound] = []

    async def send(self, messages: Sequence[Outbound]) -> None:
        self.sent += messages


class _Helper:
    """Answers at once, or never."""

    def __init__(self, fails: int = 0) -> None:
        self.asked: list[str] = []
        self._fails = fails

    async def ask(self, line: bytes) -> bytes:
        question = msgspec.json.decode(line, type=Question)
        assert question.about is not None
        self.asked.append(question.about.id)
        if len(self.asked) <= self._fails:
            raise NotNow("it is starting")
        about = msgspec.to_builtins(question.about)
        return canonical({**about, "event_time_us": 1, "id": "0" * 32}) + b"\n"


def event(account: str, sequence: int = 1, kind: str = "margin_call") -> Event:
    """An acknowledged event as far as advice looks at it."""
    topic = LIQUIDATIONS if kind in {"liquidation", "data_hold", "bankrupt"} else MARGIN_CALLS
    body = {"id": f"{sequence:032x}", "kind": kind, "account": account, "episode": 1, "sequence": sequence}
    return Event(0, topic.name, account.encode(), f"{sequence:032x}", json.dumps(body).encode(), 1)


def counted(meters: Meters) -> dict[str, float]:
    """Outcomes so far."""
    samples = (one for family in meters.registry.collect() for one in family.samples)
    return {one.labels["outcome"]: one.value for one in samples if one.name == "liqmon_advice_total"}


@pytest.fixture(scope="module")
def state() -> State:
    """A market with an account under each model, one of them called."""
    found: State = folded.__wrapped__(2)  # not the one that others read
    for account in found.shards[0].accounts.values():
        account.status, account.episode, account.data_hold = "margin_call", 1, False
    return found


def made(state: State, helper: Any, noted: int = 1_000) -> tuple[Adviser, _Publisher, Meters]:
    meters, publisher = Meters(), _Publisher()
    adviser = Adviser(OPTIONS, _Order(state), publisher, helper, meters, noted)  # type: ignore[arg-type]
    return adviser, publisher, meters


async def until_idle(adviser: Adviser, meters: Meters, outcomes: int) -> None:
    """Run until so many events are accounted for."""
    running = asyncio.create_task(adviser.run())
    try:
        while not running.done() and sum(counted(meters).values()) < outcomes:  # noqa: ASYNC110 (it runs for ever)
            await asyncio.sleep(0.001)
        if running.done():
            running.result()
    finally:
        running.cancel()


def test_the_newest_of_an_account_is_advised_on(state: State) -> None:
    """A later event replaces an earlier one; one that asks for nothing takes the earlier one away."""
    name = holding_most(state)[0]

    async def run() -> None:
        helper = _Helper()
        adviser, publisher, meters = made(state, helper)
        adviser.note([event(name, 1), event("b", 2), event(name, 3, "liquidation"), event("b", 4, "resolved")])
        assert adviser.waiting == 1
        await until_idle(adviser, meters, 3)
        assert helper.asked == [f"{3:032x}"]
        assert [one.key for one in publisher.sent] == [name.encode()]
        assert counted(meters) == {"replaced": 2.0, "published": 1.0}

    asyncio.run(run())


def test_too_many_are_dropped_and_counted(state: State) -> None:
    """The oldest notes give way; accounts that are not here any more are no failure."""

    async def run() -> None:
        adviser, publisher, meters = made(state, _Helper(), noted=3)
        adviser.note(event(f"a{k}", k) for k in range(10))
        assert adviser.waiting == 3
        await until_idle(adviser, meters, 10)
        assert counted(meters) == {"dropped": 7.0, "gone": 3.0}
        assert not publisher.sent

    asyncio.run(run())


def test_a_process_that_does_not_answer_is_asked_again(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few times; then the event has no advice, and the next one is not held up."""
    monkeypatch.setattr(module, "PAUSE_S", 0.0)
    name = holding_most(state)[0]

    async def run(fails: int) -> dict[str, float]:
        adviser, _, meters = made(state, _Helper(fails))
        adviser.note([event(name)])
        await until_idle(adviser, meters, 1)
        return counted(meters)

    assert asyncio.run(run(module.TRIES - 1)) == {"published": 1.0}
    assert asyncio.run(run(module.TRIES)) == {"failed": 1.0}


def test_held_accounts_and_past_episodes_get_none(state: State) -> None:
    """Doubtful data decide nothing, advice least of all."""
    name = holding_most(state)[0]
    account = state.shards[0].accounts[name]

    async def run() -> Counter[str]:
        adviser, _, meters = made(state, _Helper())
        account.data_hold = True
        adviser.note([event(name)])
        await until_idle(adviser, meters, 1)
        account.data_hold, account.episode = False, 2
        adviser.note([event(name)])
        await until_idle(adviser, meters, 2)
        return Counter(counted(meters))

    try:
        assert asyncio.run(run()) == {"gone": 2.0}
    finally:
        account.data_hold, account.episode = False, 1


def short(view: View, v: float) -> View:
    """The same account with so much cash that IM/equity is v."""
    now = view.evaluation()
    account = copy_account(view.account)
    usd = account.balances.get("USD", 0.0) + now.im_requirement_usd / v - now.equity_usd
    account.balances["USD"] = usd
    return view.with_account(account)


def test_the_process_says_what_is_computed_here_and_it_is_enough(state: State) -> None:
    """The real process gives the advice; its single trade and its plan end the account's state by the exact model."""
    name = holding_most(state)[0]
    state.shards[0].accounts[name].balances = dict(short(take(state, name), 1.2).account.balances)

    async def run() -> bytes:
        helper = Helper(COMMAND)
        adviser, publisher, meters = made(state, helper)
        try:
            while not publisher.sent:  # the process takes its time to start
                adviser.note([event(name, 7, "liquidation")])
                await until_idle(adviser, meters, round(sum(counted(meters).values())) + 1)
                assert set(counted(meters)) <= {"published", "failed"}
        finally:
            await asyncio.to_thread(helper.end)
        (message,) = publisher.sent
        return message.value or b""

    found = msgspec.json.decode(asyncio.run(run()), type=Advice)
    assert found.outcome == "reduce"
    assert found.view is not None
    view = decode(canonical(found.view))
    about = About(id=f"{7:032x}", kind="liquidation", account=name, episode=1, sequence=7)
    assert advise(view, about) == found
    situation = situation_of(view.account, view.market())
    ways = [({one.instrument: one.quantity for one in found.trades}, found.cost_usd)]
    if found.single_trade is not None:
        ways.append(({found.single_trade.instrument: found.single_trade.quantity}, found.single_trade.cost_usd))
    for trades, cost in ways:
        after = what_if(view, traded(view, trades), attributed=False).after
        assert after.im_requirement_usd is not None
        assert after.equity_usd is not None
        assert after.im_requirement_usd <= situation.leave_v * (after.equity_usd - cost) * (1.0 + 1e-9)
    assert 0.0 < found.close_fraction <= 1.0


def traded(view: View, trades: Mapping[str, float]) -> Hypothesis:
    """Contracts traded at their marks, coins exchanged for dollars at their indices."""
    fills, moves = [], []
    for name, quantity in trades.items():
        if name in view.facts.contracts:
            fills.append(Fill(name, quantity))
            continue
        index = view.facts.coins[name].index
        assert index is not None
        moves += [Move(name, quantity), Move("USD", -quantity * index.price_usd)]
    return Hypothesis(fills=tuple(fills), transfers=tuple(moves))
