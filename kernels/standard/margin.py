"""What every form of model E returns, and the sums it is made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Margin(NamedTuple):
    """Equity and requirements of one account, with their parts by name, in the unit of the account.

    An excess is what is left of the equity, negative if it falls short. A requirement is not negative. NaN says that
    something the account holds has no usable price; it is never zero then.
    """

    equity: float
    im_requirement: float
    mm_requirement: float
    im_excess: float
    mm_excess: float
    im_components: dict[str, float]
    mm_components: dict[str, float]


def of_requirements(equity: float, im: Mapping[str, float], mm: Mapping[str, float]) -> Margin:
    """Return the margin of an account whose requirements are sums of parts, positive where they are charges."""
    im_total, mm_total = not_negative(total(im)), not_negative(total(mm))
    return Margin(equity, im_total, mm_total, equity - im_total, equity - mm_total, dict(im), dict(mm))


def of_net_margins(equity: float, im: Mapping[str, float], mm: Mapping[str, float]) -> Margin:
    """Return the margin of an account whose excesses are sums of parts, negative where they are charges.

    A requirement is then the equity without the excess. Source: Derive states margin so.
    """
    im_net, mm_net = total(im), total(mm)
    return Margin(
        equity, not_negative(equity - im_net), not_negative(equity - mm_net), im_net, mm_net, dict(im), dict(mm)
    )


def total(parts: Mapping[str, float]) -> float:
    """Return the sum of parts, rounded once: the same in any order."""
    return fsum(parts.values())


def fsum(values: Iterable[float]) -> float:
    """Return the sum of numbers rounded once; NaN if one is NaN or infinite."""
    numbers = list(values)
    return math.fsum(numbers) if all(math.isfinite(x) for x in numbers) else math.nan


def not_negative(x: float) -> float:
    """Return x, or 0 if it is below; NaN stays NaN, which the other order of the two would turn into 0."""
    return max(x, 0.0)
