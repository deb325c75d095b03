"""One array with a region for each column, which moves to the end when it has become too small."""

from __future__ import annotations

import numpy as np

from monitor.engine.figures import Floats

SPARE = 4  # regions and arrays have room to grow by one part in so many


class Regions:
    """`values`, whose first axis is divided among columns."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.values: Floats = np.zeros(shape)
        self._filled = 0
        self._of: dict[int, tuple[int, int]] = {}

    def region(self, column: int, size: int) -> int:
        """Return where the region of a column begins that has room for `size` elements."""
        at, room = self._of.get(column, (0, -1))
        if size <= room:
            return at
        at, room = self._filled, size + size // SPARE + 8
        if at + room > len(self.values):
            larger = np.zeros((at + room + (at + room) // SPARE, *self.values.shape[1:]))
            larger[:at] = self.values[:at]
            self.values = larger
        self._of[column], self._filled = (at, room), at + room
        return at
