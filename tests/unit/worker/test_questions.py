"""Questions about accounts at a worker's endpoint: answered beside it, as the commands answer them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from monitor.answers.book_apart import breaches_apart, market_of, part_of, preview_apart, slim
from monitor.answers.book_wide import Breach, Breaches
from monitor.answers.distance import distance
from monitor.answers.explain import explain
from monitor.answers.pre_trade import pre_trade
from monitor.answers.shock import Shock
from monitor.answers.view import take
from monitor.answers.what_if import Fill, Hypothesis, Move, what_if
from monitor.engine.state import State
from monitor.worker import questions as module
from monitor.worker.health import HealthServer
from monitor.worker.helper import COMMAND
from monitor.worker.questions import NotHere, Query, Questions, Reply, take_from
from monitor.worker.whole_book import PREFIX as BOOK
from monitor.worker.whole_book import BookAnswer, WholeBook
from schemas.records import ParameterSet
from tests.answers_books import folded, holding_most
from tests.unit.worker.test_health import WELL, ask


class _Order:
    """An order as far as questions look at it."""

    def __init__(self, state: State) -> None:
        self.states, self.shards = [state], state.shards


class Asked:
    """An endpoint over a state, whose loop runs in a thread as the worker's does."""

    def __init__(self, state: State, stack: ExitStack, command: tuple[str, ...] = COMMAND) -> None:
        self.loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self.loop.run_forever)
        thread.start()
        stack.callback(self.loop.close)
        stack.callback(thread.join)
        stack.callback(lambda: self.loop.call_soon_threadsafe(self.loop.stop))
        self.questions = Questions(command)
        self.book = WholeBook(self.questions)
        self.server = HealthServer(
            lambda: WELL, lambda: b"", session_timeout_s=10.0, clock=lambda: 100.0, questions=self.questions
        )
        self.server.ask(self.book)
        _, self.port = self.server.start()
        stack.callback(self.server.stop)
        self.state = state
        self.elsewhere: list[Reply] = []

    def attach(self) -> None:
        """Let the worker be there."""
        order: Any = _Order(self.state)
        self.questions.attach(self.loop, order, lambda _name: 7)
        self.book.attach(order, self.others)

    async def others(self, _path: str, _query: Query) -> list[Reply]:
        """What other workers say."""
        return self.elsewhere

    def get(self, path: str, prefix: str = "/v1/accounts/") -> tuple[int, dict[str, Any]]:
        """Return status and JSON."""
        status, body = ask(self.port, f"{prefix}{path}")
        return status, json.loads(body)

    def answered(self, path: str, prefix: str = "/v1/accounts/") -> dict[str, Any]:
        """Return the answer, once the process that computes is there."""
        for _ in range(20):
            status, body = self.get(path, prefix)
            if status != 503:
                break
        assert status == 200, body
        return body


@pytest.fixture(scope="module")
def state() -> State:
    """A market with an account under each model."""
    return folded(2)


@pytest.fixture(scope="module")
def asked(state: State) -> Iterator[Asked]:
    """An endpoint whose worker is there."""
    with ExitStack() as stack:
        found = Asked(state, stack)
        found.attach()
        yield found


def plain(answer: object) -> object:
    """An answer as JSON tells it."""
    return json.loads(msgspec.json.encode(answer))


def test_answers_are_those_of_the_commands(asked: Asked, state: State) -> None:
    """Explain, distance and what-if say what the functions say of the account's own view."""
    name = holding_most(state)[0]
    view = take(state, name)
    assert asked.answered(f"{name}/explain?shapley=1") == plain(explain(view, shapley=True))
    assert asked.answered(f"{name}/distance?target=margin_call") == plain(distance(view, "margin_call"))
    supposed = Hypothesis(fills=(Fill("BTC-PERPETUAL", -3.0),))
    found = asked.answered(f"{name}/what-if?trade={quote('BTC-PERPETUAL=-3')}")
    assert found == plain(what_if(take(state, name, also=supposed.names), supposed))


def test_a_trade_is_checked_before_it_is_made(asked: Asked, state: State) -> None:
    """The worker's loop says what what-if says of a trade, without the process beside it."""
    name = holding_most(state)[0]
    supposed = Hypothesis(fills=(Fill("BTC-PERPETUAL", -0.2),), transfers=(Move("USD", 50.0),))
    status, found = asked.get(f"{name}/pre-trade?trade={quote('BTC-PERPETUAL=-0.2')}&transfer=USD=50")
    assert (status, found) == (200, plain(pre_trade(state, name, supposed)))
    assert found["after"]["equity_usd"] == pytest.approx(
        asked.answered(f"{name}/what-if?trade=BTC-PERPETUAL=-0.2&transfer=USD=50")["after"]["equity_usd"], rel=1e-12
    )
    status, found = asked.get(f"{name}/pre-trade?trade=NOTHING=1")
    assert status == 400
    assert "not listed" in found["error"]


SET = {
    "name": "default",
    "event_time_us": 1_800_000_000_000_000,
    "risk_matrix": {"price_range": 0.9},
    "netting": {"ranges": "fixed"},
}


@pytest.mark.parametrize("query", ["breaches?shock=BTC=-30%25&vol=20", f"preview?parameters={quote(json.dumps(SET))}"])
def test_the_whole_book_is_asked(asked: Asked, state: State, query: str) -> None:
    """A worker's own accounts by themselves, and with what other workers say of theirs."""
    accounts = [slim(one) for one in state.shards[0].accounts.values() if one.name in state.book]
    part = part_of(market_of(accounts, state.market), accounts)
    if query.startswith("breaches"):
        want = breaches_apart(part, Shock(moves={"BTC": -0.3}, vol=0.2))
    else:
        want = preview_apart(part, msgspec.convert(SET, ParameterSet))
    asked.elsewhere = []
    assert asked.answered(query, BOOK) == {"partitions": [0], "answer": plain(want)}
    assert want.breaches
    breach = Breach("zz", "P", "healthy", "bankrupt", -1.0, 1e12, 1e12, 1e12)
    other = Breaches(want.market_time_us + 1, 1, {"healthy": 1}, {"bankrupt": 1}, (breach,))
    asked.elsewhere = [(200, msgspec.json.encode(BookAnswer((3,), other)))]
    found = asked.answered(query, BOOK)
    assert found["partitions"] == [0, 3]
    assert found["answer"]["accounts"] == want.accounts + 1
    assert found["answer"]["breaches"] == plain((breach, *want.breaches))
    assert asked.answered(f"{query}&routed=1", BOOK)["partitions"] == [0]
    asked.elsewhere = [(200, msgspec.json.encode(BookAnswer((0,), other)))]
    assert asked.get(query, BOOK)[0] == 503
    asked.elsewhere = [(502, b'{"error":"away"}')]
    assert asked.get(query, BOOK) == (502, {"error": "away"})


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [("cascade", 404, "preview"), ("preview", 400, "parameters"), ("breaches?shock=BTC", 400, "no shock"),
     ("breaches?shock=XYZ=-5%25", 400, "no price"), ("breaches?at_least=mars", 400, "no standing"),
     ("preview?parameters=7", 400, "no parameter set"), ("breaches?model=A", 400, "no option")],
)  # fmt: skip
def test_what_the_book_cannot_say_is_told(asked: Asked, query: str, status: int, says: str) -> None:
    """A question that is none is refused with what is wrong with it."""
    asked.elsewhere = []
    asked.answered("breaches", BOOK)
    found, body = asked.get(query, BOOK)
    assert found == status, body
    assert says in body["error"]


def test_a_plan_is_made(asked: Asked, state: State) -> None:
    """A plan comes with its account and an outcome."""
    name = holding_most(state)[0]
    found = asked.answered(f"{name}/plan?hedges=1")
    assert found["account"] == name
    assert found["outcome"] in {"nothing", "planned", "infeasible"}


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("nobody/explain", 404, "partition 7"),
        ("a/guess", 404, "explain"),
        ("/explain", 404, "explain"),
        ("{}/explain?shapley=maybe", 400, "0 or 1"),
        ("{}/explain?target=warning", 400, "no option"),
        ("{}/distance?target=mars", 400, "no target"),
        ("{}/what-if?trade=BTC", 400, "no trade"),
        ("{}/what-if?vol=x", 400, "no number"),
        ("{}/what-if?vol=1&vol=2", 400, "twice"),
        ("{}/what-if?model=Z", 400, "Z"),
    ],
)
def test_what_has_no_answer_is_told(asked: Asked, state: State, path: str, status: int, says: str) -> None:
    """An account of elsewhere is 404 with its partition, a question that is none 400 with what is wrong."""
    name = holding_most(state)[0]
    asked.answered(f"{name}/explain")
    found, body = asked.get(path.format(name))
    assert found == status, body
    assert says in str(body["error"])


def test_before_the_worker_is_there_it_says_so(state: State) -> None:
    """A question that comes while the worker starts may come again."""
    with ExitStack() as stack:
        assert Asked(state, stack).get("a/explain") == (503, {"error": "the worker is starting"})


def test_a_loop_that_does_not_turn_is_told(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks a stuck worker is told so, and is not kept."""
    monkeypatch.setattr(module, "TAKE_S", 0.05)
    stuck = threading.Event()
    with ExitStack() as stack:
        found = Asked(state, stack)
        found.attach()
        stack.callback(stuck.set)
        found.loop.call_soon_threadsafe(stuck.wait)
        status, body = found.get(f"{holding_most(state)[0]}/explain")
    assert (status, body["error"]) == (503, "the worker's loop does not turn")


@pytest.mark.parametrize(
    "command", [("/does/not/exist",), ("/bin/echo", "hello"), ("/bin/sh", "-c", "echo '{\"ready\":true}'")]
)
def test_a_process_that_does_not_answer_is_no_answer(state: State, command: tuple[str, ...]) -> None:
    """A process that is not there, says something else, or ends, is 503, and the endpoint lives."""
    with ExitStack() as stack:
        found = Asked(state, stack, command)
        found.attach()
        name = holding_most(state)[0]
        assert found.get(f"{name}/explain")[0] == 503
        assert found.get(f"{name}/explain")[0] == 503
        assert ask(found.port, "/livez")[0] == 200


def test_a_process_that_was_ended_is_started_again(asked: Asked, state: State) -> None:
    """The next question after its end starts another."""
    name = holding_most(state)[0]
    before = asked.answered(f"{name}/explain")
    running = asked.questions.helper._running
    assert running is not None
    running.kill()
    assert asked.answered(f"{name}/explain") == before


def test_states_are_looked_through(state: State) -> None:
    """An account that no state has is not here; one of a later state is found."""
    found: Callable[..., object] = take_from(_Order(state))  # type: ignore[arg-type]
    with pytest.raises(NotHere):
        found("nobody", (), None)
