"""Arrays of account figures: rows are accounts, columns are underlyings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Figures:
    """Figures of up to `rows` accounts over up to `columns` underlyings; USD, unused elements are zero.

    Per account: `cash` that no index moves, `equity`, `im` and `mm` requirements, condition `flags`, whether it is
    `degraded` or has positions, its threshold set. Per account and underlying: `value`, `im_part`, `mm_part`, and
    whether it is `active` there. Per underlying: whether it is `held`.

    Of netted accounts (`kernels.netted_accounts`): `netted`, whether `im` is `exact`, the `norm` of their hedges,
    the `lower` bound if it was asked for; per underlying their `hedge`, its `residual`, the `mean` move, the `slot` of
    their losses in the pool (-1: none).
    """

    def __init__(self, rows: int, columns: int) -> None:
        self.cash: Floats = np.zeros(rows)
        self.equity: Floats = np.zeros(rows)
        self.im: Floats = np.zeros(rows)
        self.mm: Floats = np.zeros(rows)
        self.flags: Ints = np.zeros(rows, dtype=np.int64)
        self.degraded: Bools = np.zeros(rows, dtype=np.bool_)
        self.has_positions: Bools = np.zeros(rows, dtype=np.bool_)
        self.threshold_set: Ints = np.zeros(rows, dtype=np.int64)
        self.value: Floats = np.zeros((rows, columns))
        self.im_part: Floats = np.zeros((rows, columns))
        self.mm_part: Floats = np.zeros((rows, columns))
        self.active: Bools = np.zeros((rows, columns), dtype=np.bool_)
        self.netted: Bools = np.zeros(rows, dtype=np.bool_)
        self.exact: Bools = np.zeros(rows, dtype=np.bool_)
        self.norm: Floats = np.zeros(rows)
        self.lower: Floats = np.zeros(rows)
        self.hedge: Floats = np.zeros((rows, columns))
        self.mean: Floats = np.zeros((rows, columns))
        self.residual: Floats = np.zeros((rows, columns))
        self.slot: Ints = np.full((rows, columns), -1, dtype=np.int64)
        self.held: Bools = np.zeros(columns, dtype=np.bool_)

    @property
    def rows(self) -> int:
        """How many accounts fit."""
        return len(self.active)

    @property
    def columns(self) -> int:
        """How many underlyings fit."""
        return len(self.held)

    def grown(self, rows: int, columns: int) -> Figures:
        """Return larger arrays with the same content."""
        larger = Figures(rows, columns)
        for name, array in vars(self).items():
            getattr(larger, name)[tuple(slice(size) for size in array.shape)] = array
        return larger

    def clear_row(self, row: int) -> None:
        """Forget one account."""
        for name, array in vars(self).items():
            if name != "held":
                array[row] = -1 if name == "slot" else 0
