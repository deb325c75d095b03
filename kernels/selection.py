"""The k least of a stream of numbers, without sorting: parts of `tail`, built into its kernels.

A buffer takes what is below a limit, in the order of the stream, 64 numbers at a time. When it is full, the limit
falls: to one that k of the elements do not exceed or, early in the stream, only as many as should by then be among the
k least of a stream in no particular order. The rest is dropped. If that guess was too low, fewer than k are left at
the end, and the stream is taken again without it: the result is exact for any order, and fast for random ones. A limit
is found by bisection on the bits of the floats, where each step counts elements in vectors; bits end it after at most
32 or 64 steps, whatever the numbers.

NaN is below every limit, so none is lost. Buffers and numbers are of one type, float32 or float64.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import inlined
from kernels._operations import first_bit, ordered, unordered
from kernels._rows import ALL, LANES, ONE, Reals, mask_below

FILL = 4  # buffer over k: at 2 limits are sought twice as often, at 8 the first one comes late


def buffer_length(rank: int) -> int:
    """Return the elements of a buffer for the `rank` least; more are allowed and change no result.

    That is room for them and for what comes until the next limit, and for reading whole lanes behind the last.
    """
    return LANES * (2 + FILL * ((rank + LANES - 1) // LANES))


least_length = inlined()(buffer_length)


@inlined()
def key_range(buffer: Reals, count: int) -> tuple[int, int]:
    """Return the least and the largest `ordered` of the first elements, of at least one."""
    low = high = ordered(buffer[0])
    for i in range(1, count):
        key = ordered(buffer[i])
        low = min(low, key)
        high = max(high, key)
    return low, high


@inlined()
def bisect(buffer: Reals, count: int, rank: int, slack: int, low: int, high: int) -> int:
    """Return the key of a limit that `rank` elements, or up to `slack` more, do not exceed.

    With ties that leave no such limit it is that of the element of this rank.
    """
    like = buffer[0]
    low -= 1  # below every element; the keys of numbers are well inside the integers
    while low + 1 < high:
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        limit = unordered(middle, like)
        reached = np.int32(0)
        for i in range(count):
            reached = np.int32(reached + np.int32(buffer[i] <= limit))
        if reached < rank:
            low = middle
            continue
        high = middle
        if reached <= rank + slack:
            break
    return high


@inlined()
def keep_below(buffer: Reals, count: int, limit: float) -> int:
    """Move what is below a limit to the front, in its order; return how many these are."""
    kept = 0
    for start in range(0, count, LANES):
        left = count - start
        mask = mask_below(buffer, start, limit) & (ALL if left >= LANES else (ONE << np.uint64(left)) - ONE)
        while mask:
            buffer[kept] = buffer[start + first_bit(mask)]
            kept += 1
            mask &= mask - ONE
    return kept


@inlined()
def _tighten(buffer: Reals, count: int, rank: int, share: float) -> tuple[float, int]:
    """Drop what will hardly be among the `rank` least; return limit and count. A NaN leaves itself alone and passes on.

    A share of the stream holds about that share of them, give or take a deviation, and six deviations are kept.
    """
    low, high = key_range(buffer, count)
    like = buffer[0]
    if math.isnan(unordered(low, like)) or math.isnan(unordered(high, like)):
        buffer[0] = math.nan
        return -math.inf, 1
    likely = rank * share
    keep = min(rank, int(likely + 6.0 * math.sqrt(likely)) + 16) if share < 1.0 else rank
    limit = unordered(bisect(buffer, count, keep, keep >> 2, low, high), like)
    kept = keep_below(buffer, count, limit)
    while kept < keep:  # the rest of them equals the limit
        buffer[kept] = limit
        kept += 1
    return np.float64(limit), kept


@inlined()
def collect(
    values: Reals, start: int, valid: np.uint64, buffer: Reals, count: int, limit: float, rank: int, share: float
) -> tuple[float, int]:
    """Take 64 numbers from `start`, those whose bit is set in `valid`; return the new limit and count.

    A stream begins with count 0 and an infinite limit, and `share` of it will then have been seen; buffer:
    `buffer_length(rank)` elements, of the numbers' type. `is_enough` tells at its end whether the `rank` least are in
    the buffer. If not, its order was not a random one: it has to be taken again, with the share 1 throughout.
    """
    mask = mask_below(values, start, limit) & valid
    if mask == ALL:
        for j in range(LANES):
            buffer[count + j] = values[start + j]
        count += LANES
    else:
        while mask:
            buffer[count] = values[start + first_bit(mask)]
            count += 1
            mask &= mask - ONE
    if count > buffer.shape[0] - 2 * LANES:
        return _tighten(buffer, count, rank, share)
    return limit, count


@inlined()
def is_enough(count: int, limit: float, rank: int) -> bool:
    """Return whether nothing is missing; what an infinite limit leaves out is infinite (`tail.finish`)."""
    return count >= rank or limit == math.inf
