"""What an account holds of options under Derive's standard manager: positions by expiry, priced."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kernels import black76
from kernels.standard.margin import fsum

SECONDS_PER_YEAR = 31_536_000.0


class Option(NamedTuple):
    """An option: seconds to its expiry, which names it, and the forward of that expiry."""

    seconds: float
    strike: float
    is_call: bool
    amount: float
    vol: float
    vol_confidence: float
    forward: float
    forward_confidence: float


class Position(NamedTuple):
    """All options of one strike, type and expiry."""

    seconds: float
    strike: float
    is_call: bool
    amount: float
    value: float
    forward: float
    confidence: float


def held_options(options: Sequence[Option]) -> list[list[Position]]:
    """Return what is held by expiry, the nearest first, then by strike, puts before calls."""
    groups: dict[float, dict[tuple[float, bool], list[Option]]] = {}
    for option in options:
        if option.amount != 0.0:
            groups.setdefault(option.seconds, {}).setdefault((option.strike, option.is_call), []).append(option)
    held = [
        [position for _, same in sorted(groups[seconds].items()) if (position := _netted(same)).amount != 0.0]
        for seconds in sorted(groups)
    ]
    return [expiry for expiry in held if expiry]


def _netted(same: Sequence[Option]) -> Position:
    return Position(
        same[0].seconds,
        same[0].strike,
        same[0].is_call,
        fsum(option.amount for option in same),
        fsum(option.amount * _price(option) for option in same),
        highest(option.forward for option in same),
        least(*(c for option in same for c in (option.forward_confidence, option.vol_confidence))),
    )


def _price(option: Option) -> float:
    if not (option.forward > 0.0 and option.strike > 0.0):
        return math.nan
    stdev = option.vol * math.sqrt(max(0.0, option.seconds) / SECONDS_PER_YEAR)
    return float(black76.price(option.is_call, option.forward, option.strike, stdev, 1.0))


def least(*confidences: float) -> float:
    """Return the lowest confidence; an unknown one is none."""
    return min(0.0 if math.isnan(c) else c for c in confidences)


def highest(forwards: Iterable[float]) -> float:
    """Return the highest forward, NaN if one is NaN."""
    found = list(forwards)
    return math.nan if any(math.isnan(x) for x in found) else max(found)
