"""Questions about accounts at a worker's endpoint: answered beside it, as the commands answer them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import quote

import msgspec
import pytest

from monitor.answers.distance import distance
from monitor.answers.explain import explain
from monitor.answers.view import take
from monitor.answers.what_if import Fill, Hypothesis, what_if
from monitor.engine.state import State
from monitor.worker import questions as module
from monitor.worker.health import HealthServer
from monitor.worker.helper import COMMAND
from monitor.worker.questions import NotHere, Questions, take_from
from tests.answers_books import folded, holding_most
from tests.unit.worker.test_health import WELL, ask


class _Order:
    """An order as far as questions look at it."""

    def __init__(self, state: State) -> None:
        self.states = [state]


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
        self.server = HealthServer(
            lambda: WELL, lambda: b"", session_timeout_s=10.0, clock=lambda: 100.0, questions=self.questions
        )
        _, self.port = self.server.start()
        stack.callback(self.server.stop)
        self.state = state

    def attach(self) -> None:
        """Let the worker be there."""
        self.questions.attach(self.loop, take_from(_Order(self.state)), lambda _name: 7)  # type: ignore[arg-type]

    def get(self, path: str) -> tuple[int, dict[str, object]]:
        """Return status and JSON."""
        status, body = ask(self.port, f"/v1/accounts/{path}")
        return status, json.loads(body)

    def answered(self, path: str) -> dict[str, object]:
        """Return the answer, once the process that computes is there."""
        for _ in range(20):
            status, body = self.get(path)
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
