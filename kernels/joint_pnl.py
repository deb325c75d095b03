"""Joint scenarios: P&L of instruments over paths in float32, and the tails of accounts over all of them.

A path moves every underlying's price and volatility together. Each instrument is revalued once per path, whoever holds
it (`path_pnl`), and an account's result on a path is linear in that:

    result[a, p] = sum_k quantity[k] pnl[row[k], p]        k = indptr[a] .. indptr[a+1] - 1

The matrix is float32[blocks, rows, 128]: path p of instrument i is element [p // 128, i, p % 128]. A block of paths of
a thousand instruments is 512 kB and stays in the second-level cache while all accounts pass over it; of an account, 64
sums at a time stay in registers. What a block adds to the tail is taken at once (`tail`), so that results of accounts
are never written to memory: 40 kB each at 10,000 paths.

Error: an element is rounded to float32 (6e-8 relative), and so is every partial sum, in the order of the positions.
That is at most 6e-8 (n + 2) sum_k |quantity[k] pnl[row[k], p]| of n positions for a result, and less for a mean of
many. Where an account is hedged so well that this is not enough, sum its float64 results and call `tail.tails`.
Products and sums are rounded apart and the order is fixed: the bits do not depend on the processor, on the number of
accounts in a batch or on threads that take parts of the accounts.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, Ints, inlined, kernel
from kernels._operations import prefetch
from kernels._rows import ALL, LANES, ONE, Singles, add_rows
from kernels.segment_tables import check_rows, check_segments
from kernels.selection import collect, is_enough
from kernels.tail import check_tail, finish

PATHS = 128  # of a block. 64 read every position twice as often; 256 of a thousand instruments leave the cache
CACHE_LINE = 64  # bytes; loads across two lines cost twice
LINE = CACHE_LINE // 4  # elements


def empty_matrix(rows: int, paths: int) -> Singles:
    """Return float32[blocks, rows, 128] for so many instruments and paths: zeros, aligned to cache lines.

    Raises ValueError on negative rows or fewer paths than one.
    """
    if rows < 0 or paths < 1:
        raise ValueError(f"a matrix needs instruments and paths, got {rows} and {paths}")
    shape = (-(-paths // PATHS), rows, PATHS)
    size = math.prod(shape) * 4
    memory = np.zeros(size + CACHE_LINE, dtype=np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size].view(np.float32).reshape(shape)


@kernel("f4[:, :, ::1], i8")
def check_paths(matrix: Singles, paths: int) -> None:
    """Raise ValueError unless the matrix is one of so many paths."""
    if not (matrix.shape[2] == PATHS and (matrix.shape[0] - 1) * PATHS < paths <= matrix.shape[0] * PATHS):
        raise ValueError("the matrix is not one of so many paths")


@kernel("f8[:, ::1], i8, f4[:, :, ::1]")
def store(pnl: Floats, first_row: int, out: Singles) -> None:
    """Put P&L of n instruments over N paths into rows `first_row` .. of the matrix.

    pnl: float64[n, N], USD of one contract; out: `empty_matrix(rows, N)`. Raises ValueError on shapes that do not fit.
    """
    n, paths = pnl.shape
    if first_row < 0 or first_row + n > out.shape[1]:
        raise ValueError("the matrix has no such rows")
    check_paths(out, paths)
    for i in range(n):
        for block in range(out.shape[0]):
            start = block * PATHS
            part = out[block, first_row + i]
            for j in range(min(PATHS, paths - start)):
                part[j] = pnl[i, start + j]


@kernel("i8[::1], i8[::1], f8[::1], i8, f4[:, :, ::1], i8")
def _check(indptr: Ints, row: Ints, quantity: Floats, accounts: int, matrix: Singles, paths: int) -> None:
    check_segments(indptr, row, quantity, matrix.shape[1])
    check_rows(indptr, row, matrix.shape[1])
    if indptr.shape[0] != accounts + 1:
        raise ValueError("outputs need one element per account")
    check_paths(matrix, paths)


@kernel("i8[::1], i8[::1], f8[::1], f4[:, :, ::1], f4[:, ::1]")
def results(indptr: Ints, row: Ints, quantity: Floats, matrix: Singles, out: Singles) -> None:
    """Write the results of m accounts on N paths: out float32[m, N], USD.

    indptr: int64[m+1]; row, quantity (contracts, signed): [positions]; matrix: `empty_matrix(rows, N)`. An account
    without positions is 0; a NaN element makes that path NaN for all who hold it. Raises ValueError on other shapes.
    """
    m, paths = out.shape
    _check(indptr, row, quantity, m, matrix, paths)
    total = np.empty(LANES, dtype=np.float32)
    for block in range(matrix.shape[0]):
        for a in range(m):
            for start in range(0, min(PATHS, paths - block * PATHS), LANES):
                add_rows(row, quantity, indptr[a], indptr[a + 1], matrix, block, start, total)
                path = block * PATHS + start
                for j in range(min(LANES, paths - path)):
                    out[a, path + j] = total[j]


@inlined()
def _collect_block(
    row: Ints, quantity: Floats, first: int, last: int, matrix: Singles, block: int, paths: int, total: Singles,
    buffer: Singles, count: int, limit: float, rank: int, again: bool,
) -> tuple[float, int]:  # fmt: skip
    """Add one account's results of one block of paths to its tail; return the new limit and count."""
    for start in range(block * PATHS, min((block + 1) * PATHS, paths), LANES):
        left = paths - start
        valid = ALL if left >= LANES else (ONE << np.uint64(left)) - ONE
        add_rows(row, quantity, first, last, matrix, block, start - block * PATHS, total)
        share = 1.0 if again else (start + LANES) / paths
        limit, count = collect(total, 0, valid, buffer, count, limit, rank, share)
    return limit, count


@kernel("i8[::1], i8[::1], f8[::1], f4[:, :, ::1], i8, i8, f8, f4[:, ::1], f8[::1], f8[::1]")
def account_tails(
    indptr: Ints,
    row: Ints,
    quantity: Floats,
    matrix: Singles,
    paths: int,
    rank: int,
    size: float,
    buffers: Singles,
    out_var: Floats,
    out_es: Floats,
) -> None:
    """Write value at risk and expected shortfall of m accounts over N paths, USD, losses positive.

    indptr, row, quantity, matrix: as `results`; rank, size: `tail.tail_of(N, confidence)`; buffers: scratch,
    float32[batch, `selection.buffer_length(rank)`]: so many accounts pass over a block of paths before the next, and
    with hundreds the matrix comes from the cache; outputs: float64[m]. NaN for an account with a NaN. Raises ValueError
    on shapes that do not fit, and on what `tail.tails` refuses.
    """
    m, batch = out_var.shape[0], buffers.shape[0]
    _check(indptr, row, quantity, m, matrix, paths)
    check_tail(paths, rank, size, buffers.shape[1])
    if out_es.shape[0] != m or (batch < 1 and m > 0):
        raise ValueError("outputs and buffers need rows for accounts")
    limit, count = np.empty(batch), np.empty(batch, dtype=np.int64)
    total = np.empty(LANES, dtype=np.float32)
    elements, of_block = matrix.reshape(matrix.size), matrix.shape[1] * PATHS
    for first in range(0, m, max(1, batch)):
        accounts = min(batch, m - first)
        ahead = -(-of_block // accounts)  # each account asks for its share of the next block
        limit[:] = math.inf
        count[:] = 0
        for block in range(matrix.shape[0]):
            for b in range(accounts):
                for j in range(min(b * ahead, of_block), min((b + 1) * ahead, of_block), LINE):
                    prefetch(elements, (block + 1) * of_block + j)
                start, end = indptr[first + b], indptr[first + b + 1]
                limit[b], count[b] = _collect_block(
                    row, quantity, start, end, matrix, block, paths, total, buffers[b], count[b], limit[b], rank, False
                )
        for b in range(accounts):
            if not is_enough(count[b], limit[b], rank):
                start, end, limit[b], count[b] = indptr[first + b], indptr[first + b + 1], math.inf, 0
                for block in range(matrix.shape[0]):
                    limit[b], count[b] = _collect_block(
                        row, quantity, start, end, matrix, block, paths, total, buffers[b], count[b], limit[b], rank,
                        True,
                    )  # fmt: skip
            out_var[first + b], out_es[first + b] = finish(buffers[b], count[b], rank, size)
