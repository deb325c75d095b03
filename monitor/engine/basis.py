"""Basis of one instrument: how far its price stands from the composite index, as price/index - 1.

A fresh mark gives the basis directly, held within `MAX_MARK_DEVIATION` of the average so that one venue's mark cannot
move a position alone. Between marks, and for instruments that publish none, the basis is an exponential average of
all its prices in event time: `average = w average + (1 - w) previous`, `w = 2^(-dt/half-life)`, which is the exact
average of the price path on which each price holds until the next one. A print therefore weighs as long as it lasted,
however many prints there were and however long the silence before.
"""

from __future__ import annotations

from typing import Any, Literal

HALF_LIFE_US = 600_000_000  # 10 min: long against a wick of a minute (7 % of it), short against a funding interval
MAX_BASIS = 0.25  # the carry of a year in the strongest markets; beyond it a price is a dislocation, not a basis
MIN_RATIO, MAX_RATIO = 0.5, 2.0  # outside, the price is not one of a delta-one contract (an option, a wrong unit)
MAX_MARK_DEVIATION = 0.02  # as the index's max dispersion
STEP = 1e-5  # 0.1 bp: a smaller drift of the average is not worth repricing a portfolio

BasisKind = Literal["mark", "average", "none"]


class Basis:
    """Basis of one instrument; `value` is the one in force."""

    __slots__ = ("average", "expires_us", "mark", "mark_us", "observed", "time_us", "traded_us", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self.average = 0.0
        self.observed = 0.0
        self.time_us = 0  # of `observed`
        self.traded_us = 0  # newest trade or quote, whether observed or not
        self.mark = 0.0
        self.mark_us = 0
        self.expires_us = 0  # the mark counts up to this market time

    def observe(self, price_usd: float, index_usd: float, time_us: int) -> float | None:
        """Take a price against the index of its moment into the average; return its basis, None if not delta-one."""
        ratio = price_usd / index_usd
        if not MIN_RATIO <= ratio <= MAX_RATIO:
            return None
        basis = min(max(ratio - 1.0, -MAX_BASIS), MAX_BASIS)
        if self.time_us == 0:
            self.average = basis
        elif time_us > self.time_us:
            weight = 2.0 ** ((self.time_us - time_us) / HALF_LIFE_US)
            self.average = weight * self.average + (1.0 - weight) * self.observed
        if time_us >= self.time_us:
            self.observed = basis
            self.time_us = time_us
        return basis

    def set_mark(self, basis: float, max_age_us: int) -> None:
        """Let the basis of a mark that was just observed, at `mark_us`, rule until it is stale."""
        self.mark = min(max(basis, self.average - MAX_MARK_DEVIATION), self.average + MAX_MARK_DEVIATION)
        self.expires_us = self.mark_us + max_age_us

    def settle(self, now_us: int) -> bool:
        """Bring `value` up to date at market time `now_us`; return whether it changed."""
        if self.expires_us >= now_us:
            if self.mark == self.value:
                return False
            self.value = self.mark
            return True
        self.expires_us = 0
        if abs(self.average - self.value) <= STEP:
            return False
        self.value = self.average
        return True

    def kind(self) -> BasisKind:
        """Return what the value rests on: a fresh mark, the average, or nothing yet (the value is then 0)."""
        if self.expires_us:
            return "mark"
        return "average" if self.time_us else "none"

    def snapshot(self) -> list[Any]:
        """Return the basis as plain JSON values."""
        return [getattr(self, name) for name in Basis.__slots__]

    @classmethod
    def restore(cls, state: list[Any]) -> Basis:
        """Rebuild a basis from its snapshot."""
        basis = cls()
        for name, value in zip(Basis.__slots__, state, strict=True):
            setattr(basis, name, value)
        return basis
