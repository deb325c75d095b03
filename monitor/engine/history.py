"""Standardised returns of all underlyings, ten minutes apart without overlap: scenarios for a historical simulation.

At every whole minute that ten divides, one row: the log return of each index over the ten minutes before, divided by
the volatility (`volatility`) as it was when they began. Multiplied by the volatility of today a row is a scenario in
which the coins move together as they did then. Returns are not clipped here: tails are what the rows are for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.engine.minutes import Minute
from monitor.engine.volatility import RETURN_US, Volatilities

ROWS = 1_008  # seven days
MAX_COINS = 64  # as in `correlation_estimator`: 516 kB
MIN_RETURNS = 180.0  # worth of three hours, 18 without overlap, before a volatility may standardise
LEAST_SCALE = 1e-6  # a hundredth of a basis point: what did not move at all has no units
DIGITS = 6


class History:
    """Takes whole minutes after the volatilities; gives the rows of any underlyings.

    A coin has a place from its first standardised return until its last has left; more coins than places wait. A row in
    which no coin has a return is not kept.
    """

    __slots__ = ("_names", "_rows", "_scales", "_volatilities")

    def __init__(self, volatilities: Volatilities) -> None:
        self._volatilities = volatilities
        self._names: list[str] = []
        self._rows: NDArray[np.float64] = np.zeros((0, 0))
        self._scales: dict[str, float] = {}  # at the beginning of the ten minutes

    def on_minute(self, minute: Minute) -> None:
        """Add a row if this minute ends ten minutes, and take the volatilities for the next."""
        if minute.time_us % RETURN_US:
            return
        if minute.skipped:
            self._scales = {}
        found = {}
        for name, value in self._volatilities.latest.items():
            scale = self._scales.get(name)
            if scale is not None:
                found[name] = round(value / scale, DIGITS)
        if found:
            self._add(found)
        self._scales = {
            name: series.scale
            for name, series in self._volatilities.series.items()
            if series.returns >= MIN_RETURNS and series.scale >= LEAST_SCALE
        }

    def of(self, underlyings: Sequence[str]) -> NDArray[np.float64]:
        """Return the rows of some underlyings, oldest first, float64[T, U]; NaN where there was no return."""
        out = np.full((len(self._rows), len(underlyings)), math.nan)
        place = {name: k for k, name in enumerate(self._names)}
        for u, name in enumerate(underlyings):
            if name in place:
                out[:, u] = self._rows[:, place[name]]
        return out

    def _add(self, found: dict[str, float]) -> None:
        rows = self._rows[1:] if len(self._rows) == ROWS else self._rows
        seen = np.count_nonzero(np.isfinite(rows), axis=0)
        kept = [k for k, name in enumerate(self._names) if seen[k] or name in found]
        names = [self._names[k] for k in kept]
        known = set(names)
        names += [name for name in found if name not in known][: MAX_COINS - len(names)]
        grown = np.full((len(rows) + 1, len(names)), math.nan)
        grown[:-1, : len(kept)] = rows[:, kept]
        grown[-1] = [found.get(name, math.nan) for name in names]
        self._names, self._rows = names, grown

    def snapshot(self) -> dict[str, Any]:
        """Return the rows as plain JSON values, null where there was no return."""
        rows = [[None if math.isnan(value) else value for value in row] for row in self._rows.tolist()]
        return {"names": list(self._names), "rows": rows, "scales": [[n, s] for n, s in self._scales.items()]}

    @classmethod
    def restore(cls, state: dict[str, Any], volatilities: Volatilities) -> History:
        """Rebuild from a snapshot, on restored volatilities."""
        history = cls(volatilities)
        history._names = list(state["names"])
        rows = [[math.nan if value is None else value for value in row] for row in state["rows"]]
        history._rows = np.array(rows, dtype=np.float64).reshape(len(rows), len(history._names))
        history._scales = dict(state["scales"])
        return history
