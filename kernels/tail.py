"""Value at risk and expected shortfall: the worst part of n equally likely results, exact, in one pass.

With the losses L(1) >= L(2) >= ... (minus the results) and a = n (1 - confidence):

* value at risk is L(k), k = a rounded where it is whole (within 1e-9), else the next integer, at least 1;
* shortfall is the mean of a tail of `size` losses, the last one counted in part:
  (sum of the losses above L(k) + (size - their number) L(k)) / size, with

| convention | size |
|---|---|
| `weighted` | a: the coherent one, and the default |
| `tail_mean` | k |
| `beyond` | k - 1, at least 1 |

Conventions: Acerbi and Tasche (2002) for `weighted`; the other two are in use.

The k worst are found without sorting (`selection`). Sums are in float64 over the results in their order, in four
interleaved parts, so they do not depend on buffers, blocks or processors.

NaN among the results makes both figures NaN. Infinite results have their places in the order.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from kernels._jit import Floats, inlined, kernel
from kernels._operations import ordered, unordered
from kernels._rows import ALL, LANES, ONE, Reals, Singles
from kernels.selection import bisect, collect, is_enough, keep_below, key_range, least_length

Convention = Literal["weighted", "tail_mean", "beyond"]

WHOLE = 1e-9  # how near to an integer a number of tail losses counts as one: 1 - 0.95 is not 0.05 in binary


class Tail(NamedTuple):
    """Which loss is the value at risk (1 is the worst) and how many losses the shortfall averages."""

    rank: int
    size: float


def tail_of(results: int, confidence: float, convention: Convention = "weighted") -> Tail:
    """Return the tail of a number of results at a confidence; ValueError on none or a confidence outside (0, 1)."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie in (0, 1), got {confidence}")
    if results < 1:
        raise ValueError("a distribution needs results")
    a = results * (1.0 - confidence)
    whole = math.floor(a + 0.5)
    is_whole = abs(a - whole) < WHOLE
    rank = max(1, whole if is_whole else math.ceil(a))
    if convention == "tail_mean":
        return Tail(rank, float(rank))
    if convention == "beyond":
        return Tail(rank, float(max(1, rank - 1)))
    return Tail(rank, float(whole) if is_whole and whole > 0 else a)


@inlined()
def check_tail(results: int, rank: int, size: float, length: int) -> None:
    """Raise ValueError unless rank and size belong to each other and to the results, and the buffer is long enough."""
    if not (1 <= rank <= results and size > 0.0 and rank - 1 <= size <= rank):
        raise ValueError("rank and size are not those of a tail of these results")
    if length < least_length(rank):
        raise ValueError("the buffer is shorter than buffer_length(rank)")


@inlined()
def finish(buffer: Reals, count: int, rank: int, size: float) -> tuple[float, float]:
    """Return value at risk and shortfall of the results collected, as losses; the buffer is overwritten."""
    while count < rank:  # only results of plus infinity are never below the first limit
        buffer[count] = math.inf
        count += 1
    low, high = key_range(buffer, count)
    like = buffer[0]
    if math.isnan(unordered(low, like)) or math.isnan(unordered(high, like)):
        return math.nan, math.nan
    limit = unordered(bisect(buffer, count, rank, 0, low, high), like)
    worst = low
    for i in range(count):
        worst = max(worst, ordered(buffer[i]) if buffer[i] <= limit else low)  # as floats: 0 and -0 are one
    var = -np.float64(unordered(worst, like))
    kept = keep_below(buffer, count, -var)
    a = b = c = d = 0.0
    for i in range(0, kept - kept % 4, 4):
        a -= np.float64(buffer[i])
        b -= np.float64(buffer[i + 1])
        c -= np.float64(buffer[i + 2])
        d -= np.float64(buffer[i + 3])
    for i in range(kept - kept % 4, kept):
        a -= np.float64(buffer[i])
    total = (a + b) + (c + d)
    if size > kept:
        total += (size - kept) * var
    return var, total / size


@inlined()
def _rows(pnl: Reals, rank: int, size: float, buffer: Reals, out_var: Floats, out_es: Floats) -> None:
    m, n = pnl.shape
    if not (out_var.shape[0] == m and out_es.shape[0] == m):
        raise ValueError("outputs need one element per row")
    if m > 0:
        check_tail(n, rank, size, buffer.shape[0])
    last = np.zeros(LANES, dtype=pnl.dtype)
    whole = n - n % LANES
    for a in range(m):
        row = pnl[a]
        for again in range(2):
            limit, count = math.inf, 0
            for start in range(0, whole, LANES):
                share = 1.0 if again else (start + LANES) / n
                limit, count = collect(row, start, ALL, buffer, count, limit, rank, share)
            if whole < n:
                last[: n - whole] = row[whole:]
                limit, count = collect(last, 0, (ONE << np.uint64(n - whole)) - ONE, buffer, count, limit, rank, 1.0)
            if is_enough(count, limit, rank):
                break
        out_var[a], out_es[a] = finish(buffer, count, rank, size)


@kernel("f8[:, ::1], i8, f8, f8[::1], f8[::1], f8[::1]")
def tails(pnl: Floats, rank: int, size: float, buffer: Floats, out_var: Floats, out_es: Floats) -> None:
    """Write value at risk and shortfall of each of m portfolios over n equally likely results, as positive losses.

    pnl: float64[m, n], gains positive; rank, size: `tail_of`; buffer: scratch, float64[`selection.buffer_length(rank)`]
    or more; outputs: float64[m]. NaN where a result is NaN. Raises ValueError on other shapes, a rank outside 1 .. n
    and a size outside rank - 1 .. rank.
    """
    _rows(pnl, rank, size, buffer, out_var, out_es)


@kernel("f4[:, ::1], i8, f8, f4[::1], f8[::1], f8[::1]")
def tails_single(pnl: Singles, rank: int, size: float, buffer: Singles, out_var: Floats, out_es: Floats) -> None:
    """Write the same of float32 results, exact for what they are: sums are in float64."""
    _rows(pnl, rank, size, buffer, out_var, out_es)
