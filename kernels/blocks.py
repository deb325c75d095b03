"""Account blocks: what each account gains or loses per scenario, over sparse rows.

Segment a holds positions `indptr[a] .. indptr[a+1] - 1`; position k is `quantity[k]` contracts of instrument `row[k]`.
Sums run in the order of the positions, so equal inputs give equal bits.
"""

from __future__ import annotations

from kernels._jit import Floats, Ints, kernel


@kernel("i8[::1], i8[::1], f8[::1], i8")
def check_segments(indptr: Ints, row: Ints, quantity: Floats, rows: int) -> None:
    """Raise ValueError unless the segments lie inside their positions and the positions inside `rows` instruments.

    A compiled loop reads whatever lies behind an array's end; one pass over integers is the price of not doing so.
    """
    if indptr.shape[0] < 1 or indptr[0] < 0 or indptr[-1] > row.shape[0] or row.shape[0] != quantity.shape[0]:
        raise ValueError("indptr, row and quantity do not fit each other")
    for a in range(indptr.shape[0] - 1):
        if indptr[a + 1] < indptr[a]:
            raise ValueError("indptr must not decrease")
    for k in range(indptr[0], indptr[-1]):
        if row[k] < 0 or row[k] >= rows:
            raise ValueError("a position names a row that does not exist")


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
    for a in range(m):
        total = out[a]
        for s in range(scenarios):
            total[s] = 0.0
        for k in range(indptr[a], indptr[a + 1]):
            q = quantity[k]
            unit = pnl[row[k]]
            for s in range(scenarios):
                total[s] += q * unit[s]


@kernel("i8[::1], i8[::1], f8[::1], f8[::1], f8[::1]")
def linear_sum(indptr: Ints, row: Ints, quantity: Floats, x: Floats, out: Floats) -> None:
    """Write `out[a] = sum_k quantity[k] x[row[k]]`: values and deltas of m segments, as `blocks`."""
    m = out.shape[0]
    check_segments(indptr, row, quantity, x.shape[0])
    if indptr.shape[0] != m + 1:
        raise ValueError("out needs one element per segment")
    for a in range(m):
        total = 0.0
        for k in range(indptr[a], indptr[a + 1]):
            total += quantity[k] * x[row[k]]
        out[a] = total
