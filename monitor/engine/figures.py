"""Arrays of account figures: rows are accounts, columns are underlyings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


_BY_PLACE, _BY_ACCOUNT = 6, 8  # figures of a record
_LINE = 8  # of them in a cache line


def _record(rows: int, figures: int) -> Floats:
    """Return zeros, float64[rows, >= figures], whose rows begin at cache lines."""
    width = (figures + _LINE - 1) // _LINE * _LINE
    raw = np.zeros(rows * width + _LINE)
    skipped = (-raw.ctypes.data // raw.itemsize) % _LINE
    return raw[skipped : skipped + rows * width].reshape(rows, width)


class Figures:
    """Figures of up to `rows` accounts in up to `places` underlyings each; USD, unused elements are zero.

    Per account: `cash` that no index moves, `equity`, `im` and `mm` requirements, condition `flags`, whether it is
    `degraded` or has positions, its threshold set, and `count`, in how many underlyings it is. Per account and place,
    in the order of the underlyings' names: which `column` it is (-1: none), `value`, `im_part`, `mm_part`. Per column:
    whether it is `held`.

    Of netted accounts (`kernels.netted_accounts`): `netted`, whether `im` is `exact`, the `norm` of their hedges,
    the `lower` bound if it was asked for; per place their `hedge`, its `residual`, the `mean` move, the `slot` of
    their losses in the pool (-1: none).

    What a tick of netted accounts needs is one record per account, in this order on cache lines of its own.
    """

    def __init__(self, rows: int, places: int, columns: int) -> None:
        record = _record(rows, _BY_PLACE * places + _BY_ACCOUNT)
        numbers = record.view(np.int64)
        self.value, self.residual, self.hedge = (record[:, i * places : (i + 1) * places] for i in range(3))
        self.slot, self.column = (numbers[:, i * places : (i + 1) * places] for i in range(3, 5))
        self.mean = record[:, 5 * places : 6 * places]
        at = _BY_PLACE * places
        self.cash, self.norm, self.equity, self.im, self.mm = (record[:, at + i] for i in range(5))
        self.flags, self.count, self.threshold_set = (numbers[:, at + i] for i in range(5, 8))
        self.slot[:] = self.column[:] = -1
        self.degraded: Bools = np.zeros(rows, dtype=np.bool_)
        self.has_positions: Bools = np.zeros(rows, dtype=np.bool_)
        self.im_part: Floats = np.zeros((rows, places))
        self.mm_part: Floats = np.zeros((rows, places))
        self.netted: Bools = np.zeros(rows, dtype=np.bool_)
        self.exact: Bools = np.zeros(rows, dtype=np.bool_)
        self.lower: Floats = np.zeros(rows)
        self.held: Bools = np.zeros(columns, dtype=np.bool_)

    @property
    def rows(self) -> int:
        """How many accounts fit."""
        return len(self.cash)

    @property
    def places(self) -> int:
        """In how many underlyings an account can be."""
        return int(self.column.shape[1])

    @property
    def columns(self) -> int:
        """How many underlyings fit."""
        return len(self.held)

    def columns_of(self, row: int) -> list[int]:
        """Return the columns of one account, in the order of its places."""
        return [int(index) for index in self.column[row, : self.count[row]]]

    def grown(self, rows: int, places: int, columns: int) -> Figures:
        """Return larger arrays with the same content."""
        larger = Figures(rows, places, columns)
        for name, array in vars(self).items():
            getattr(larger, name)[tuple(slice(size) for size in array.shape)] = array
        return larger

    def clear_row(self, row: int) -> None:
        """Forget one account."""
        for name, array in vars(self).items():
            if name != "held":
                array[row] = -1 if name in {"column", "slot"} else 0
