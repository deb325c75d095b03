"""What kernels judge accounts by, and which accounts they found changed or left open."""

from __future__ import annotations

import numpy as np

from kernels.accounts import THRESHOLDS
from monitor.engine.figures import Floats, Ints
from monitor.engine.status import ALL_CONDITIONS


class Judged:
    """Thresholds by parameter set, and the receivers of `kernels.netted_bounds.sweep`."""

    def __init__(self) -> None:
        self.thresholds: Floats = np.zeros((0, THRESHOLDS))
        self.bits: Ints = np.array([int(flag) for flag in ALL_CONDITIONS], dtype=np.int64)
        self.changed: Ints = np.zeros(0, dtype=np.int64)
        self.unsure: Ints = np.zeros(0, dtype=np.int64)
        self.counts: Ints = np.zeros(2, dtype=np.int64)

    def make_room(self, accounts: int) -> None:
        """Have room for so many accounts, each changed once and left open once."""
        if accounts > len(self.changed):
            self.changed, self.unsure = np.zeros(accounts, dtype=np.int64), np.zeros(accounts, dtype=np.int64)

    def begin(self) -> None:
        """Forget what was found before."""
        self.counts.fill(0)

    def open_rows(self) -> Ints:
        """Return the accounts that were left open, copied."""
        return self.unsure[: self.counts[1]].copy()

    def changed_rows(self) -> list[int]:
        """Return the accounts that changed."""
        found: list[int] = self.changed[: self.counts[0]].tolist()
        return found
