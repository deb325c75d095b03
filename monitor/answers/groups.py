"""A change split among the eight groups of inputs: in a fixed order, each by itself, and by Shapley's value.

`requirement` is a function of the set of groups that have their new values; the empty set is before, all of them after.

* Sequential: the groups are replaced one after the other. The parts depend on the order where effects overlap.
* Alone: what the group changes when nothing else has moved. These do not sum to the change.
* Shapley: the mean over all orders (8! of them, from the 256 sets). It sums to the change and prefers no order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from schemas.records import AttributionGroup

GROUPS: Final[tuple[AttributionGroup, ...]] = (
    "time", "parameters", "price", "vol", "correlation", "basis", "collateral", "trades",
)  # fmt: skip

Chosen = frozenset["AttributionGroup"]
Requirement = Callable[[Chosen], float]


class GroupChange(Struct, frozen=True):
    """One group's part of a change, USD; `shapley_usd` only where it was asked for."""

    group: str
    sequential_usd: float
    alone_usd: float
    shapley_usd: float | None = None


class Change(Struct, frozen=True):
    """A requirement before and after, USD, and the parts of the change in the order of replacement."""

    before_usd: float
    after_usd: float
    groups: tuple[GroupChange, ...]

    @property
    def change_usd(self) -> float:
        """What the parts sum to."""
        return self.after_usd - self.before_usd


def change_of(requirement: Requirement, *, shapley: bool = False) -> Change | None:
    """Split a change; None if any requirement that is needed is not a number.

    Costs 16 requirements, with Shapley's value 256.
    """
    known: dict[Chosen, float] = {}

    def of(chosen: Chosen) -> float:
        if chosen not in known:
            known[chosen] = requirement(chosen)
        return known[chosen]

    before = of(frozenset())
    sequential, alone = [], []
    reached: Chosen = frozenset()
    for group in GROUPS:
        following = reached | {group}
        sequential.append(of(following) - of(reached))
        alone.append(of(frozenset({group})) - before)
        reached = following
    values = _shapley(of) if shapley else None
    if not all(map(math.isfinite, known.values())):
        return None
    groups = tuple(
        GroupChange(group, sequential[k], alone[k], None if values is None else values[k])
        for k, group in enumerate(GROUPS)
    )
    return Change(before, of(frozenset(GROUPS)), groups)


def _shapley(of: Requirement) -> list[float]:
    """Return each group's mean contribution over all orders: |S|! (n - 1 - |S|)! / n! of what it adds to each S."""
    n = len(GROUPS)
    values = []
    for group in GROUPS:
        others = [other for other in GROUPS if other != group]
        terms = []
        for size in range(n):
            weight = math.factorial(size) * math.factorial(n - 1 - size) / math.factorial(n)
            terms += [
                weight * (of(frozenset({*chosen, group})) - of(frozenset(chosen)))
                for chosen in combinations(others, size)
            ]
        values.append(math.fsum(terms))
    return values
