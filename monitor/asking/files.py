"""States from files: the records of `liqmon replay`, stepped through the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.answers.moment import step_watched
from monitor.asking.subject import Asked, Subject, event_of, view_at, view_in
from monitor.engine import Sourced, State, collect, confirm, new_state, open_shard, step
from monitor.errors import UsageError
from monitor.replay.arrival import Merged, Span
from monitor.replay.sequence import Sequence as Ordered
from monitor.replay.sources import open_accounts, open_sources
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS

if TYPE_CHECKING:
    from monitor.engine.baseline import Baseline
    from monitor.engine.state import Outgoing
    from schemas.records import AccountEvent

BATCH = 256
COLLECT_EVERY = 20_000
_EVENTS = (MARGIN_CALLS.name, LIQUIDATIONS.name)
Take = Callable[[State, list["Outgoing"]], bool]
Step = Callable[[State, list[Sourced]], list["Outgoing"]]


def state_of(markets: Sequence[Path], portfolio: Path | None, until_us: int | None = None) -> State:
    """Return the state after all files, every account of it evaluated; raises what the sources raise."""
    return _run(markets, portfolio, until_us, BATCH, lambda _state, _events: False, certificates=False)


def asked_of(
    subject: Subject, markets: Sequence[Path], portfolio: Path | None, until_us: int | None = None,
    *, also: Iterable[str] = (), history: bool | None = None,
) -> Asked:  # fmt: skip
    """Return what is asked: at the end of the files, or of an event at the moment of it.

    Raises UsageError for an account or event that the files do not give.
    """
    if subject.identity:
        return _of_event(subject, markets, portfolio, until_us, also, history=history)
    mine: list[AccountEvent] = []
    needle = f'"account":"{subject.account}"'

    def take(_state: State, events: list[Outgoing]) -> bool:
        mine.extend(event_of(one.body) for one in events if one.topic in _EVENTS and needle in one.body)
        return False

    state = _run(markets, portfolio, until_us, BATCH, take)
    return Asked(view_in(state, subject.account, also, history=history), tuple(mine))


def _of_event(
    subject: Subject, markets: Sequence[Path], portfolio: Path | None, until_us: int | None, also: Iterable[str],
    *, history: bool | None,
) -> Asked:  # fmt: skip
    """Find the event's account first, then stop at the event, with the baseline that it counts from."""
    account = subject.account
    if not account:
        found: list[str] = []

        def find(_state: State, events: list[Outgoing]) -> bool:
            found.extend(event_of(one.body).account for one in events if one.id == subject.identity)
            return bool(found)

        _run(markets, portfolio, until_us, BATCH, find)
        if not found:
            raise UsageError(f"the files give no event {subject.identity}", "check the id, and which files made it")
        account = found[0]
    mine: list[AccountEvent] = []
    asked: list[Asked] = []

    def each(state: State, records: list[Sourced]) -> list[Outgoing]:
        def told(one: Outgoing, base: Baseline | None) -> None:
            if one.topic not in _EVENTS or asked:
                return
            event = event_of(one.body)
            if one.id == subject.identity:
                asked.append(Asked(view_at(state, account, base, also, history=history), tuple(mine), event))
            mine.append(event)

        return step_watched(state, records, (account,), told)

    _run(markets, portfolio, until_us, BATCH, lambda _state, _events: bool(asked), each=each)
    if not asked:
        raise UsageError(f"the files give no event {subject.identity}", "check the id, and which files made it")
    return asked[0]


def _run(
    markets: Sequence[Path], portfolio: Path | None, until_us: int | None, batch: int, take: Take,
    *, certificates: bool = True, each: Step = step,
) -> State:  # fmt: skip
    sources = [*open_sources(markets), *([] if portfolio is None else [open_accounts(portfolio)])]
    state = new_state(certificates=certificates)
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    records: list[Sourced] = []
    done = 0
    for item in Ordered(Merged(sources, Span(None, until_us)), 1):
        records.append(item)
        if len(records) < batch:
            continue
        done += len(records)
        if take(state, each(state, records)):
            return state
        records = []
        if done % COLLECT_EVERY < batch:
            confirm(state, collect(state))
    take(state, each(state, records))
    confirm(state, collect(state))
    return state
