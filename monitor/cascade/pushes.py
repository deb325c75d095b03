"""Who pushes whom: what those who fall had lost by others' trades, to first order in prices."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import numpy as np

from monitor.cascade.result import Push

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kernels._jit import Floats

SHOCK = "shock"
PUSHERS = 20  # of one underlying, the largest
KEPT = 200


class Pushes:
    """Collects flows by account, and shares out the losses of those who fall."""

    def __init__(self, underlyings: Sequence[str]) -> None:
        self._underlyings = underlyings
        self._flows: dict[str, Floats] = {}
        self._found: list[tuple[float, str, str, str]] = []

    def traded(self, flows: Mapping[str, Floats]) -> None:
        """Take a round's flows, USD by account, float64[U]."""
        for name, flow in flows.items():
            self._flows[name] = self._flows[name] + flow if name in self._flows else flow

    def fell(self, name: str, delta_usd: Floats, shock: Floats, moved: Floats) -> None:
        """Take an account that falls: its delta, and the logarithms of the shock's and the flows' moves, float64[U]."""
        for k, u in enumerate(self._underlyings):
            self._keep(SHOCK, u, name, -float(delta_usd[k] * shock[k]))
            loss = -float(delta_usd[k] * moved[k])
            if loss <= 0.0:
                continue
            same = [(abs(float(f[k])), who) for who, f in self._flows.items() if who != name and f[k] * moved[k] > 0.0]
            total = float(np.sum([size for size, _ in same])) + abs(self._own(name, k, moved[k]))
            for size, who in heapq.nlargest(PUSHERS, same):
                self._keep(who, u, name, loss * size / total)

    def largest(self) -> tuple[Push, ...]:
        """Return the largest pushes, those of the shock among them, the largest first."""
        return tuple(Push(who, u, whom, loss) for loss, who, u, whom in sorted(self._found, key=_order))

    def _own(self, name: str, k: int, moved: float) -> float:
        own = self._flows.get(name)
        return float(own[k]) if own is not None and own[k] * moved > 0.0 else 0.0

    def _keep(self, who: str, underlying: str, whom: str, loss_usd: float) -> None:
        if loss_usd > 0.0:
            self._found.append((loss_usd, who, underlying, whom))
            if len(self._found) > 2 * KEPT:
                self._found = sorted(self._found, key=_order)[:KEPT]


def _order(one: tuple[float, str, str, str]) -> tuple[float, str, str, str]:
    return -one[0], *one[1:]
