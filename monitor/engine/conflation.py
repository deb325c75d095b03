"""What waits for its evaluation while market records are folded without one: see docs/overload.md.

Folds take every record. Left out are evaluations of accounts in between, and each event says how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.engine.state import (
    MAX_OVERLOADS,
    Account,
    Evaluated,
    Overload,
    Shard,
    Sourced,
    State,
    positions_of,
)
from schemas.records import START, LeftOut, Position


@dataclass(slots=True)
class _Moves:
    """How often an underlying moved since its accounts were evaluated, by which record last, as the how manieth."""

    count: int
    last: Sourced
    number: int
    surface: bool


class Due:
    """Underlyings that moved since their accounts were evaluated."""

    def __init__(self) -> None:
        self._moves: dict[str, _Moves] = {}
        self._number = 0
        self._late = False

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._moves)

    def take(self, source: Sourced, underlyings: Iterable[str], *, surface: bool) -> None:
        """Note that a record moved underlyings; `surface`: their listings or volatilities."""
        self._number, self._late = self._number + 1, False
        for underlying in underlyings:
            moves = self._moves.get(underlying)
            if moves is None:
                self._moves[underlying] = _Moves(1, source, self._number, surface)
                continue
            moves.count += 1
            moves.last, moves.number = source, self._number
            moves.surface |= surface

    def pass_by(self) -> None:
        """Note that a record moved nothing: what waits is evaluated behind it, and not at the record that moved it."""
        self._late = bool(self._moves)

    def underlyings(self, *, surface: bool) -> list[str]:
        """Return those that wait, in the order of their first move: of whose surface, or of whose prices alone."""
        return [name for name, moves in self._moves.items() if moves.surface is surface]

    @property
    def left_out(self) -> int:
        """How many records were folded whose evaluation another one's stands for, or was made behind other records."""
        return max(0, self._number - 1) + self._late

    def behind(self, underlyings: Iterable[str]) -> tuple[Sourced, int]:
        """Return the last record that moved one of some underlyings, and how many did before it.

        Where none of them waits, it is the last record of all, and none before it.
        """
        found = [self._moves[name] for name in underlyings if name in self._moves]
        if not found:
            return max(self._moves.values(), key=lambda one: one.number).last, 0
        return max(found, key=lambda one: one.number).last, sum(one.count for one in found) - 1


def begin(state: State) -> None:
    """Note that evaluations may be left out from here on."""
    state.conflating = True
    for shard in state.shards.values():
        if shard.open:
            shard.overloads.append(Overload({**shard.marker.positions, **state.market.positions}, state.conflated))
            del shard.overloads[1:-MAX_OVERLOADS]  # the oldest stands for those behind it


def note_timers(state: State, shard: Shard, account: Account, before: Mapping[str, int]) -> None:
    """Remember where the evaluation was that began each of an account's timers; `before` are those it had."""
    begun = _evaluated(shard, account).begun
    for timer in [*begun]:
        if timer not in account.timers:
            del begun[timer]
    for timer, deadline in account.timers.items():
        if before.get(timer) != deadline:
            begun[timer] = positions_of(state, shard, account)


def take_left_out(
    state: State, shard: Shard, account: Account, at: dict[str, Position], timer: dict[str, Position] | None
) -> LeftOut | None:
    """Return since where evaluations were left out before an event `at` some positions, None if none was.

    It counts from the account's event before: where an overload began earlier, that event's positions are named.
    """
    evaluated = _evaluated(shard, account)
    since, before = evaluated.conflated, evaluated.positions
    evaluated.conflated, evaluated.positions = state.conflated, at
    ends = [*(one.conflated for one in shard.overloads[1:]), state.conflated]
    for overload, end in zip(shard.overloads, ends, strict=False):
        if end > since:
            is_older = all(overload.positions[topic] <= before.get(topic, START) for topic in state.market.positions)
            return LeftOut(positions=before if is_older else overload.positions, timer=timer)
    return None


def begun_at(shard: Shard, account: Account, timer: str | None) -> dict[str, Position] | None:
    """Return where the evaluation was that began a timer; None if that is not known."""
    return None if timer is None else _evaluated(shard, account).begun.get(timer)


def _evaluated(shard: Shard, account: Account) -> Evaluated:
    found = shard.evaluated.get(account.name)
    if found is None:
        found = shard.evaluated[account.name] = Evaluated(shard.conflated)
    return found
