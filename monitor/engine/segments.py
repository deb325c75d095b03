"""What all accounts hold, underlying by underlying: one segment of positions for each account and column.

Segments of a column lie in pages of their own, and a change of an account changes its own segments alone: nothing is
rebuilt on the way of a record. What accounts leave behind is taken away in one go (`arrange`), when it has become much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kernels.certificates import joint, watch
from kernels.netted_accounts import PAGE
from monitor.engine.figures import Bools, Floats, Ints, Shorts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.engine.figures import Figures

BLOCK = 1024  # accounts whose segments are put in order by their length
GROWTH = 2  # arrays double when full: appending n elements copies O(n) in all
VOID: Floats = -watch.nothing(watch.BLOCK)[:, 0]  # the box of `joint.void`, and the extremes of a block that has one
IDLE_SHARE = 4  # a part of the positions that nobody holds, or of the segments that are not in order, before `arrange`


class Segments:
    """Arrays by segment and by position, as `kernels.netted_bounds` takes them.

    By segment: positions `start` .. `stop` - 1 with `room` for more, `account` (its row, -1: nobody) and the `place`
    that the column has among the account's underlyings; model P's `hedge` in USD and mixture (`left`, `right`,
    `share`); `seen_held`, whether the account counts the column as held; certificates, `boxes` and `curves` of
    `kernels.certificates.joint`, and by block of segments their `extremes`. By position: `row` among the column's
    instruments, `quantity` in contracts. `page_column` has the column of each page.
    """

    def __init__(self) -> None:
        self._allocate(PAGE)
        self.row: Ints = np.zeros(PAGE, dtype=np.int64)
        self.quantity: Floats = np.zeros(PAGE)
        self._filled = 0  # positions up to here are somebody's, or were
        self._idle = 0
        self._moved = 0  # segments taken since they were in order
        self._pages = 0
        self._of: list[_Pages] = []

    def add_column(self) -> None:
        """Take a column; its index is the number of those before it."""
        self._of.append(_Pages())

    def pages(self, column: int) -> tuple[Ints, Ints]:
        """Return the first segment of each page of a column, and the one after its last."""
        return self._of[column].bounds()

    def live(self, column: int) -> Ints:
        """Return the segments of a column that belong to somebody."""
        first, last = self.pages(column)
        found = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)] or [np.zeros(0, np.int64)])
        somebody: Ints = found[self.account[found] >= 0]
        return somebody

    def held_by(self, column: int) -> int:
        """Return how many accounts hold something of a column."""
        return self._of[column].live

    def column_of(self, slot: int) -> int:
        """Return the column of a segment."""
        return int(self.page_column[slot // PAGE])

    def take(self, column: int, account_row: int) -> int:
        """Return an empty segment of a column for an account."""
        pages = self._of[column]
        if pages.free:
            slot = pages.free.pop()
        else:
            if not pages.first or pages.last[-1] == pages.first[-1] + PAGE:
                self._add_page(column)
            slot = pages.last[-1]
            pages.set_last(slot + 1)
        pages.live += 1
        self._moved += 1
        self.account[slot] = account_row
        self.hedge[slot] = self.share[slot] = 0.0
        self.left[slot] = self.right[slot] = 0
        self.seen_held[slot] = False
        # Nothing is within its box, and so within those of its block.
        self.curves[slot, joint.RADIUS] = joint.NOWHERE
        self.boxes[:, slot] = self.extremes[:, slot // watch.BLOCK] = VOID
        return slot

    def give_back(self, slot: int) -> None:
        """Give up a segment."""
        pages = self._of[self.column_of(slot)]
        pages.free.append(slot)
        pages.live -= 1
        self._idle += int(self.room[slot])
        self.account[slot] = -1
        self.start[slot] = self.stop[slot] = self.room[slot] = 0

    def set_positions(self, slot: int, rows: Sequence[int], quantities: Sequence[float]) -> None:
        """Replace what a segment holds."""
        count, room = len(rows), int(self.room[slot])
        if count > room:
            self._idle += room
            self.room[slot] = count if not room else count + count // 4 + 1  # one that grew grows again
            self.start[slot] = self._take_positions(int(self.room[slot]))
        start = int(self.start[slot])
        self.stop[slot] = start + count
        self.row[start : start + count] = rows
        self.quantity[start : start + count] = quantities

    def put(self, slot: int, at: int, row: int, quantity: float) -> None:
        """Let a segment hold something more, before what stands at its position `at`."""
        start, stop = int(self.start[slot]), int(self.stop[slot])
        if stop - start == self.room[slot]:
            rows, quantities = self.row[start:stop].tolist(), self.quantity[start:stop].tolist()
            rows.insert(at, row)
            quantities.insert(at, quantity)
            self.set_positions(slot, rows, quantities)
            return
        at += start
        self.row[at + 1 : stop + 1] = self.row[at:stop]
        self.quantity[at + 1 : stop + 1] = self.quantity[at:stop]
        self.row[at], self.quantity[at] = row, quantity
        self.stop[slot] = stop + 1

    def drop(self, slot: int, at: int) -> None:
        """Let a segment hold no more what stands at its position `at`."""
        stop = int(self.stop[slot])
        at += int(self.start[slot])
        self.row[at : stop - 1] = self.row[at + 1 : stop]
        self.quantity[at : stop - 1] = self.quantity[at + 1 : stop]
        self.stop[slot] = stop - 1

    def positions(self, slot: int) -> tuple[Ints, Floats]:
        """Return rows and quantities of a segment, copied."""
        own = slice(int(self.start[slot]), int(self.stop[slot]))
        return self.row[own].copy(), self.quantity[own].copy()

    def replace_rows(self, column: int, new_of: Ints) -> None:
        """Give the instruments of a column other rows: `new_of[old]`."""
        slots = self.live(column)
        start, length = self.start[slots], self.stop[slots] - self.start[slots]
        own = np.repeat(start - (np.cumsum(length) - length), length) + np.arange(int(length.sum()))
        self.row[own] = new_of[self.row[own]]

    @property
    def bytes(self) -> int:
        """Memory of all arrays."""
        return sum(array.nbytes for array in vars(self).values() if isinstance(array, np.ndarray))

    # --- order ----------------------------------------------------------------------------------

    def is_in_order(self) -> bool:
        """Return whether there is little that nobody holds, and little that is not in order."""
        taken = sum(pages.live for pages in self._of)
        return IDLE_SHARE * self._idle <= self._filled and IDLE_SHARE * self._moved <= taken + PAGE

    def arrange(self, figures: Figures) -> None:
        """Put segments in order of column and block of accounts, the shorter of a block first, without gaps.

        The end of a segment is a jump that a processor foretells if the last ones were as long. Blocks keep accounts
        near each other in memory.
        """
        slots = np.flatnonzero(self.account >= 0)
        length = self.stop[slots] - self.start[slots]
        column = self.page_column[slots // PAGE]
        order = np.lexsort((length, self.account[slots] // BLOCK, column))
        slots, length, column = slots[order], length[order], column[order]
        counts = np.bincount(column, minlength=len(self._of))
        pages = -(-counts // PAGE)
        first_page, before = np.cumsum(pages) - pages, np.cumsum(counts) - counts
        to = first_page[column] * PAGE + np.arange(len(slots)) - before[column]
        start = np.cumsum(length) - length
        from_here = np.repeat(self.start[slots] - start, length) + np.arange(int(length.sum()))
        kept, boxes = {name: getattr(self, name)[slots] for name in _BY_SEGMENT}, self.boxes[:, slots]
        self.row, self.quantity = _padded(self.row[from_here]), _padded(self.quantity[from_here])
        self._pages = int(pages.sum())
        self._allocate(max(1, self._pages) * PAGE)
        for name, array in kept.items():
            getattr(self, name)[to] = array
        self.boxes[:, to] = boxes
        self.start[to], self.stop[to], self.room[to] = start, start + length, length
        self.page_column[: self._pages] = np.repeat(np.arange(len(self._of)), pages)
        figures.slot[self.account[to], self.place[to]] = to
        for one, count, page in zip(self._of, counts.tolist(), first_page.tolist(), strict=True):
            one.lay_out(page * PAGE, count)
            watch.take_all_extremes(*one.bounds(), self.boxes, self.account, self.extremes)
        self._filled, self._idle, self._moved = len(from_here), 0, 0

    # --- inside ---------------------------------------------------------------------------------

    def _allocate(self, size: int) -> None:
        self.start: Ints = np.zeros(size, dtype=np.int64)
        self.stop: Ints = np.zeros(size, dtype=np.int64)
        self.room: Ints = np.zeros(size, dtype=np.int64)
        self.account: Ints = np.full(size, -1, dtype=np.int64)
        self.place: Ints = np.zeros(size, dtype=np.int64)
        self.hedge: Floats = np.zeros(size)
        self.left: Shorts = np.zeros(size, dtype=np.int16)
        self.right: Shorts = np.zeros(size, dtype=np.int16)
        self.share: Floats = np.zeros(size)
        self.seen_held: Bools = np.zeros(size, dtype=np.bool_)
        self.page_column: Ints = np.zeros(size // PAGE, dtype=np.int64)
        self.boxes: Floats = np.zeros((joint.BOXES, size, joint.BOX))
        self.curves: Floats = np.zeros((size, joint.CURVE_FIELDS))
        self.extremes: Floats = watch.nothing(size)

    def _add_page(self, column: int) -> None:
        if self._pages == len(self.page_column):
            before = {name: getattr(self, name) for name in (*_BY_SEGMENT, *_OF_POSITIONS, "page_column")}
            boxes, extremes = self.boxes, self.extremes
            self._allocate(GROWTH * len(self.start))
            for name, array in before.items():
                getattr(self, name)[: len(array)] = array
            self.boxes[:, : boxes.shape[1]], self.extremes[:, : extremes.shape[1]] = boxes, extremes
        self.page_column[self._pages] = column
        self._of[column].add(self._pages * PAGE)
        self._pages += 1

    def _take_positions(self, count: int) -> int:
        start, end = self._filled, self._filled + count
        while end > len(self.row):
            self.row = np.concatenate([self.row, np.zeros_like(self.row)])
            self.quantity = np.concatenate([self.quantity, np.zeros_like(self.quantity)])
        self._filled = end
        return start


_BY_SEGMENT = ("account", "place", "hedge", "left", "right", "share", "seen_held", "curves")
_OF_POSITIONS = ("start", "stop", "room")


class _Pages:
    """The pages of one column, which of their segments are free, and how many are somebody's."""

    def __init__(self) -> None:
        self.first: list[int] = []
        self.last: list[int] = []
        self.free: list[int] = []
        self.live = 0
        self._bounds: tuple[Ints, Ints] | None = None

    def add(self, first: int) -> None:
        self.first.append(first)
        self.last.append(first)
        self._bounds = None

    def set_last(self, last: int) -> None:
        self.last[-1] = last
        self._bounds = None

    def lay_out(self, first: int, count: int) -> None:
        """Take so many segments from one on, all of them somebody's."""
        self.first = list(range(first, first + count, PAGE))
        self.last = [min(page + PAGE, first + count) for page in self.first]
        self.free, self.live, self._bounds = [], count, None

    def bounds(self) -> tuple[Ints, Ints]:
        if self._bounds is None:
            self._bounds = np.array(self.first, dtype=np.int64), np.array(self.last, dtype=np.int64)
        return self._bounds


def _padded(values: NDArray[Any]) -> NDArray[Any]:
    """Return an array with room at its end."""
    return np.concatenate([values, np.zeros(len(values) // 8 + PAGE, dtype=values.dtype)])
