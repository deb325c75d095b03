"""Questions about accounts, asked at the worker's endpoint: `/v1/accounts/NAME/explain` and its like.

The loop that owns the state takes a copy of the account and of what its figures rest on, some tenths of a millisecond;
a process beside the worker computes the answer from that copy (`monitor.asking.serve`), so no tick waits for one. It is
started by the first question. One question is computed at a time and few may wait; who comes then may come again.
The check before a trade is as quick as a copy, so the loop answers it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

import msgspec
import orjson

from monitor.answers.pre_trade import pre_trade
from monitor.answers.view import PERPETUALS, View, encode, take
from monitor.answers.what_if import Hypothesis, RefusedQuestion, WhatIf
from monitor.asking.question import Question, Standing
from monitor.asking.reading import fills_from, set_in, shock_from, transfers_from
from monitor.errors import UsageError
from monitor.worker.helper import COMMAND, Helper, NotNow
from monitor.worker.order import Order

if TYPE_CHECKING:
    from monitor.answers.shock import Shock
    from schemas.records import ParameterSet

KINDS: Final = ("explain", "distance", "what-if", "pre-trade", "plan")
PREFIX: Final = "/v1/accounts/"
STANDINGS: Final = get_args(Standing)
MAX_WAITING: Final = 8
TAKE_S: Final = 2.0
ROUTED: Final = "routed"  # in a query: another worker has sent it here, so it goes no further

Take = Callable[[str, Iterable[str], bool | None], View]
Check = Callable[[str, Hypothesis], WhatIf]
T = TypeVar("T")
Reply = tuple[int, bytes]
Query = Mapping[str, Iterable[str]]
Route = Callable[[str, Query, int], Awaitable[Reply | None]]
_write = msgspec.json.Encoder().encode


class NotHere(LookupError):
    """No state of this worker has the account."""


def take_from(order: Order) -> Take:
    """Return a function that takes views from whichever state of an order has the account; raises NotHere."""

    def found(name: str, also: Iterable[str], history: bool | None) -> View:
        for state in order.states:
            if name in state.partition_of:
                return take(state, name, also=also, history=history)
        raise NotHere(name)

    return found


def check_from(order: Order) -> Check:
    """Return a function that checks trades before they are made; raises NotHere and RefusedQuestion."""

    def found(name: str, hypothesis: Hypothesis) -> WhatIf:
        for state in order.states:
            if name in state.partition_of:
                return pre_trade(state, name, hypothesis)
        raise NotHere(name)

    return found


class Questions:
    """Answers questions about the accounts of one worker, in the loop of its endpoint."""

    def __init__(self, command: Iterable[str] = COMMAND) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._take: Take | None = None
        self._check: Check | None = None
        self._place: Callable[[str], int] | None = None
        self.helper = Helper(tuple(command))
        self._route: Route | None = None
        self._waiting = 0

    def attach(
        self, loop: asyncio.AbstractEventLoop, order: Order, place: Callable[[str], int], route: Route | None = None
    ) -> None:  # fmt: skip
        """Ask the states of an order on a loop from now on.

        `place` is the partition of an account's name, `route` asks its owner.
        """
        self._loop, self._place, self._route = loop, place, route
        self._take, self._check = take_from(order), check_from(order)

    async def answer(self, path: str, query: Query) -> Reply:
        """Return status and body for a path under PREFIX and its query."""
        name, _, kind = path.removeprefix(PREFIX).rpartition("/")
        if kind not in KINDS or not name:
            return error_reply(404, f"{PREFIX}ACCOUNT/ and one of {', '.join(KINDS)}")
        routed = ROUTED in query
        query = {key: values for key, values in query.items() if key != ROUTED}
        try:
            return await self._answer(name, kind, Options(query))
        except UsageError as error:
            return error_reply(400, str(error))
        except NotHere:
            place = None if self._place is None else self._place(name)
            if self._route is not None and place is not None and not routed:
                found = await self._route(path, query, place)
                if found is not None:
                    return found
            return error_reply(404, f"this worker has no account {name!r}; its name belongs to partition {place}")
        except RefusedQuestion as error:
            return error_reply(400, str(error))
        except NotNow as error:
            return error_reply(503, str(error))

    async def stop(self) -> None:
        """End the process that computes."""
        await asyncio.to_thread(self.helper.end)

    async def _answer(self, name: str, kind: str, options: Options) -> Reply:
        settings = options.of(kind)
        hypothesis: Hypothesis = settings.get("hypothesis", Hypothesis())
        history = True if hypothesis.model is not None and hypothesis.model.startswith("D") else None
        if kind == "pre-trade":  # as fast as a copy would be: the worker's loop answers it
            return 200, _write(await self.on_loop(lambda: self._checked(name, hypothesis)))
        if self._waiting >= MAX_WAITING:
            raise NotNow("too many questions wait")
        self._waiting += 1
        try:
            also = (PERPETUALS,) if kind == "plan" else hypothesis.names
            view = await self.on_loop(lambda: self._taken(name, also, history))
            question = Question(kind=kind, view=msgspec.Raw(encode(view)), **settings)  # type: ignore[arg-type]
            line = await self.helper.ask(_write(question))
        finally:
            self._waiting -= 1
        return (400 if line.startswith(b'{"error":') else 200), line

    def _taken(self, name: str, also: Iterable[str], history: bool | None) -> View:
        assert self._take is not None, "there is a loop"
        return self._take(name, also, history)

    def _checked(self, name: str, hypothesis: Hypothesis) -> WhatIf:
        assert self._check is not None, "there is a loop"
        return self._check(name, hypothesis)

    async def on_loop(self, find: Callable[[], T]) -> T:
        """Return what is found in a turn of the worker's loop; raises NotNow, and what `find` raises."""
        loop = self._loop
        if loop is None:
            raise NotNow("the worker is starting")
        taken: Future[T] = Future()

        def on_loop() -> None:
            if not taken.set_running_or_notify_cancel():
                return
            try:
                taken.set_result(find())
            except Exception as error:  # noqa: BLE001 (it is raised where the question is)
                taken.set_exception(error)

        try:
            loop.call_soon_threadsafe(on_loop)
            return await asyncio.wait_for(asyncio.wrap_future(taken), TAKE_S)
        except (TimeoutError, RuntimeError):
            raise NotNow("the worker's loop does not turn") from None


class Options:
    """A query as the options of questions; raises UsageError for what is none."""

    def __init__(self, query: Mapping[str, Iterable[str]]) -> None:
        self._query = {name: list(values) for name, values in query.items()}

    def of(self, kind: str) -> dict[str, Any]:
        """Return what of `Question` the query says."""
        found: dict[str, Any] = {}
        if kind == "what-if":
            found["hypothesis"] = Hypothesis(
                fills=fills_from(self._all("trade")), transfers=transfers_from(self._all("transfer")),
                model=self._one("model"), parameters=self._set(), shock=self._shock(),
            )  # fmt: skip
        if kind == "pre-trade":
            found["hypothesis"] = Hypothesis(
                fills=fills_from(self._all("trade")), transfers=transfers_from(self._all("transfer"))
            )
        if kind in {"what-if", "explain"}:
            found["shapley"] = self._flag("shapley")
        if kind == "distance" and (target := self._one("target")) is not None:
            if target not in {"warning", "margin_call", "liquidation"}:
                raise UsageError(f"{target!r} is no target", "warning, margin_call or liquidation")
            found["target"] = target
        if kind == "plan":
            found["hedges"] = self._flag("hedges")
        self._end(kind)
        return found

    def of_book(self, kind: str) -> dict[str, Any]:
        """Return what of `BookQuestion` the query says."""
        found: dict[str, Any] = {}
        if kind == "breaches":
            found["shock"] = self._shock()
        if kind == "preview":
            found["parameters"] = self._set()
            if found["parameters"] is None:
                raise UsageError("preview is of a parameter set", "give parameters=JSON")
        if (least := self._one("at_least")) is not None:
            if least not in STANDINGS:
                raise UsageError(f"{least!r} is no standing", ", ".join(STANDINGS))
            found["at_least"] = least
        self._end(kind)
        return found

    def _end(self, kind: str) -> None:
        if self._query:
            raise UsageError(f"{kind} has no option {min(self._query)!r}", "see docs/answers.md")

    def _shock(self) -> Shock:
        return shock_from(self._all("shock"), self._number("vol"), self._number("stress"))

    def _set(self) -> ParameterSet | None:
        text = self._one("parameters")
        return None if text is None else set_in(text.encode(), "parameters")

    def _all(self, name: str) -> list[str]:
        return self._query.pop(name, [])

    def _one(self, name: str) -> str | None:
        values = self._all(name)
        if len(values) > 1:
            raise UsageError(f"{name} is said twice", "say it once")
        return values[0] if values else None

    def _flag(self, name: str) -> bool:
        value = self._one(name)
        if value not in {None, "0", "1"}:
            raise UsageError(f"{name} is 0 or 1", f"write {name}=1")
        return value == "1"

    def _number(self, name: str) -> float | None:
        value = self._one(name)
        try:
            return None if value is None else float(value)
        except ValueError:
            raise UsageError(f"{name}={value!r} is no number", f"write {name}=30") from None


def error_reply(status: int, text: str) -> Reply:
    """Return a refusal as the endpoint says it."""
    return status, orjson.dumps({"error": text})
