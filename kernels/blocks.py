"""Account blocks: what each account gains or loses per scenario, over sparse rows.

Segment a holds positions `indptr[a] .. indptr[a+1] - 1`; position k is `quantity[k]` contracts of instrument `row[k]`.
Sums run in the order of the positions, so equal inputs give equal bits, whichever segments are evaluated together
(`kernels.segment_sums`).
"""

from __future__ import annotations

from kernels._jit import Floats, Ints, kernel
from kernels.segment_sums import CHUNK, sum_segments
from kernels.segment_tables import check_segments, empty_table, stride_of, table_rows


@kernel("i8[::1], i8[::1], f8[::1], f8[:, ::1], f8[:, ::1]")
def blocks(indptr: Ints, row: Ints, quantity: Floats, pnl: Floats, out: Floats) -> None:
    """Write `out[a, s] = sum_k quantity[k] pnl[row[k], s]` over the positions of each of m segments.

    indptr: int64[m+1]; row, quantity: [nnz]; pnl: float64[n, S]; out: float64[m, S]. An empty segment is 0. A NaN row
    makes every segment that holds it NaN, whatever the quantity. Raises ValueError on shapes and rows that do not fit.
    """
    m = out.shape[0]
    scenarios = pnl.shape[1]
    check_segments(indptr, row, quantity, pnl.shape[0])
    if indptr.shape[0] != m + 1 or out.shape[1] != scenarios:
        raise ValueError("out needs one row per segment and one column per scenario")
    held, place = table_rows(indptr, row, pnl.shape[0])
    stride = stride_of(scenarios)
    table = empty_table(held.shape[0], stride)
    for i in range(held.shape[0]):
        table[i * stride : i * stride + scenarios] = pnl[held[i]]
    sums = empty_table(CHUNK, stride)
    for begin in range(0, m, CHUNK):
        end = min(begin + CHUNK, m)
        sum_segments(indptr[:-1], indptr[1:], place, quantity, table, stride, begin, end, sums)
        for a in range(begin, end):
            at = (a - begin) * stride
            out[a] = sums[at : at + scenarios]
