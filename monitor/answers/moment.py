"""The moment at which an event comes out, where its view has to be taken.

One record can do several things, each at its own moment: a tick that begins a minute first lets time pass (matrices
come into force, timers fire) and then moves its own price. After the record the market is another one than the event
was computed at. So while records are applied, the accounts that somebody looks at tell of their events themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from monitor.engine.state import Account, Outgoing, Sourced
from monitor.engine.step import step

if TYPE_CHECKING:
    from monitor.engine.baseline import Baseline
    from monitor.engine.state import State

Told = Callable[[Outgoing, "Baseline | None"], None]


class _Watched(list[Outgoing]):
    """An account's outbox that tells of each event when it is put in."""

    def __init__(self, account: Account, told: Told) -> None:
        super().__init__(account.outbox)
        self._account = account
        self._told = told
        self._base = account.baseline

    def append(self, outgoing: Outgoing, /) -> None:
        """Keep an event, and tell of it."""
        super().append(outgoing)
        base, self._base = self._base, self._account.baseline
        self._told(outgoing, base)


def step_watched(
    state: State, records: Sequence[Sourced], names: Collection[str], told: Told, *, conflate: bool = False
) -> list[Outgoing]:
    """Apply records as `step` does, and call `told` with each event of some accounts when the state is as it says.

    With it comes what the event's attribution counts from, None where there was nothing.
    """
    if conflate or all(name in state.partition_of for name in names):
        return _stepped(state, records, names, told, conflate=conflate)
    events: list[Outgoing] = []
    for record in records:  # an account that is not here yet can be watched from its first record on
        events += _stepped(state, [record], names, told, conflate=False)
    return events


def _stepped(
    state: State, records: Sequence[Sourced], names: Collection[str], told: Told, *, conflate: bool
) -> list[Outgoing]:
    new = [name for name in names if name not in state.partition_of]
    found = [state.shards[state.partition_of[name]].accounts[name] for name in names if name in state.partition_of]
    for account in found:
        account.outbox = _Watched(account, told)
    try:
        events = step(state, records, conflate=conflate)
    finally:
        for account in found:
            account.outbox = list(account.outbox)
    for name in new:
        if name in state.partition_of:
            for outgoing in state.shards[state.partition_of[name]].accounts[name].outbox:
                told(outgoing, None)
    return events
