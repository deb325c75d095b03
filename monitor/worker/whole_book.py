"""Questions about the whole book at a worker's endpoint: `/v1/book/breaches` and `/v1/book/preview`.

A worker copies the accounts that it has, some at a turn of its loop, and then what the market says to them; the process
beside it sweeps the copies. Each other worker is asked for its own, and the answers are put together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from monitor.answers.book_apart import Part, market_of, merged, part_of, slim
from monitor.answers.book_wide import Breaches
from monitor.asking.question import BookQuestion
from monitor.errors import UsageError
from monitor.worker.helper import NotNow
from monitor.worker.questions import ROUTED, Options, Query, Questions, Reply, error_reply

if TYPE_CHECKING:
    from monitor.engine.state import Account, State
    from monitor.worker.order import Order

PREFIX: Final = "/v1/book/"
KINDS: Final = ("breaches", "preview")
SLICE: Final = 64  # accounts at a turn of the loop: a millisecond
MAX_WAITING: Final = 2  # each has a copy of the book; one may be of another worker
MAX_ACCOUNTS: Final = 20_000  # of one worker: what its process sweeps before the endpoint gives up

Others = Callable[[str, Query], Awaitable[list[Reply]]]
_write = msgspec.json.Encoder().encode


class BookAnswer(Struct, frozen=True):
    """Who breaches among the accounts of some partitions."""

    partitions: tuple[int, ...]
    answer: Breaches


class WholeBook:
    """Answers questions about all accounts, in the loop of a worker's endpoint."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        self._order: Order | None = None
        self._others: Others | None = None
        self._waiting = 0

    def attach(self, order: Order, others: Others | None = None) -> None:
        """Ask the states of an order from now on, and the `others` for what they have."""
        self._order, self._others = order, others

    async def answer(self, path: str, query: Query) -> Reply:
        """Return status and body for a path under PREFIX and its query."""
        kind = path.removeprefix(PREFIX)
        if kind not in KINDS:
            return error_reply(404, f"{PREFIX} and one of {', '.join(KINDS)}")
        routed = ROUTED in query
        asked = {key: values for key, values in query.items() if key != ROUTED}
        if self._waiting >= MAX_WAITING:
            return error_reply(503, "other questions about the book are being answered")
        self._waiting += 1
        try:
            options = Options(asked).of_book(kind)
            own, others = await asyncio.gather(self._own(options), self._elsewhere(path, asked, routed=routed))
        except UsageError as error:
            return error_reply(400, str(error))
        except NotNow as error:
            return error_reply(503, str(error))
        finally:
            self._waiting -= 1
        for status, body in (own, *others):
            if status != 200:
                return status, body
        return together([body for _, body in (own, *others)])

    async def _elsewhere(self, path: str, query: Query, *, routed: bool) -> list[Reply]:
        return [] if routed or self._others is None else await self._others(path, query)

    async def _own(self, options: dict[str, object]) -> Reply:
        partitions, parts = await self._copies()
        if not parts:
            return 200, _write(BookAnswer(partitions, merged([])))
        question = BookQuestion(parts=parts, **options)  # type: ignore[arg-type]
        line = await self._questions.helper.ask(_write(question))
        if line.startswith(b'{"error":'):
            return 400, line
        return 200, b'{"partitions":%b,"answer":%b}' % (_write(partitions), line.rstrip(b"\n"))

    async def _copies(self) -> tuple[tuple[int, ...], tuple[Part, ...]]:
        """Return the partitions of this worker, and copies of their accounts by state."""
        order, on_loop = self._order, self._questions.on_loop
        if order is None:
            raise NotNow("the worker is starting")
        partitions = await on_loop(lambda: tuple(sorted(order.shards)))
        states = await on_loop(lambda: list(order.states))
        parts = []
        for state in states:
            names = await on_loop(lambda state=state: [name for name in state.partition_of if name in state.book])  # type: ignore[misc]
            if len(names) > MAX_ACCOUNTS:
                raise UsageError(f"a worker has {len(names):,} accounts, too many to ask here", "ask `liqmon breaches`")
            accounts: list[Account] = []
            for some in _slices(names):
                accounts += await on_loop(lambda state=state, some=some: _copied(state, some))  # type: ignore[misc]
            if accounts:
                view = await on_loop(lambda state=state, accounts=accounts: market_of(accounts, state.market))  # type: ignore[misc]
                parts.append(part_of(view, accounts))
        return partitions, tuple(parts)


def together(bodies: list[bytes]) -> Reply:
    """Put the answers of workers together; 503 where two of them have the same partition, which is moving."""
    found = [msgspec.json.decode(body, type=BookAnswer) for body in bodies]
    partitions = sorted(partition for one in found for partition in one.partitions)
    if len(set(partitions)) < len(partitions):
        return error_reply(503, "partitions are changing hands")
    return 200, _write(BookAnswer(tuple(partitions), merged([one.answer for one in found])))


def _slices(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), SLICE):
        yield names[start : start + SLICE]


def _copied(state: State, names: list[str]) -> list[Account]:
    """Return copies of some accounts; those that have gone meanwhile are left out."""
    places = [(name, state.partition_of.get(name)) for name in names]
    return [slim(state.shards[place].accounts[name]) for name, place in places if place is not None]
