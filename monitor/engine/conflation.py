"""What waits for its evaluation while market records are folded without one: see docs/overload.md.

Folds take every record. Left out are evaluations of accounts in between, and each event says how many.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.engine.state import Sourced


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

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._moves)

    def take(self, source: Sourced, underlyings: Iterable[str], *, surface: bool) -> None:
        """Note that a record moved underlyings; `surface`: their listings or volatilities."""
        self._number += 1
        for underlying in underlyings:
            moves = self._moves.get(underlying)
            if moves is None:
                self._moves[underlying] = _Moves(1, source, self._number, surface)
                continue
            moves.count += 1
            moves.last, moves.number = source, self._number
            moves.surface |= surface

    def underlyings(self, *, surface: bool) -> list[str]:
        """Return those that wait, in the order of their first move: of whose surface, or of whose prices alone."""
        return [name for name, moves in self._moves.items() if moves.surface is surface]

    @property
    def left_out(self) -> int:
        """How many records were folded whose evaluation another one's stands for."""
        return max(0, self._number - 1)

    def behind(self, underlyings: Iterable[str]) -> tuple[Sourced, int]:
        """Return the last record that moved one of some underlyings, and how many did before it.

        Where none of them waits, it is the last record of all, and none before it.
        """
        found = [self._moves[name] for name in underlyings if name in self._moves]
        if not found:
            return max(self._moves.values(), key=lambda one: one.number).last, 0
        return max(found, key=lambda one: one.number).last, sum(one.count for one in found) - 1
