"""Two bounds of the netted requirements (model P) of many accounts, so that few have to be solved.

An exact solve leaves hedges w and mean moves x behind (`kernels.netted_accounts`). When losses l_u move on,

    sum_u e_u(x_u) <= M* <= L(w) + sum_u r_u(w_u),   r_u(w) = max_m (l_u(m) + w m),

with e_u the concave envelope of l_u, since x stays in the dual ball of L while the matrices and k are those of the
solve, and any w is feasible. Of the envelope the chord over two moves is kept that was the highest at the solve: any
chord over x is a bound. A tick of one underlying changes its own terms only, and both are at hand where its curves are
summed: an account is judged there and then, while its figures are in the cache, and few have to be solved.
"""

from __future__ import annotations

import math

import numpy as np

from kernels import vectors
from kernels._jit import Bools, Floats, Ints, Shorts, inlined, kernel
from kernels._operations import prefetch
from kernels.accounts import ALL, FLAGS, HELD, LIMITS, LOWER, UPPER, VALUE, figure, judge, limits_of_bits, stays
from kernels.curves import extra_stride, residual_of, sum_curves
from kernels.segment_sums import CHUNK
from kernels.vectors import LANES

LINE = 8  # doubles in a cache line


@inlined()
def ask_for(record: Floats, row: int) -> None:
    """Ask for the record of an account whose turn comes a chunk later.

    The loop over accounts is too long for a processor to look from one into the next; asked for one by one while
    others are judged, records come in time, and no more are on the way than a processor can wait for.
    """
    at = max(row, 0) * record.shape[1]
    prefetch(record, at)
    prefetch(record, at + LINE)


@inlined()
def moves_of(width: int) -> Floats:
    """Return the normalised moves, in the arithmetic of `kernels.netting.residual`."""
    step = 2.0 / (width - 1)
    moves = np.empty(width)
    for j in range(width):
        moves[j] = j * step - 1.0
    return moves


@inlined()
def groups_of_moves(width: int) -> int:
    """Return how many groups of eight hold all moves, the last one perhaps of others' moves too; 0 if one has more."""
    return (width + LANES - 1) // LANES if width >= LANES else 0


@inlined()
def residual_in(losses: Floats, at: int, moves: Floats, groups: int, w: float) -> float:
    """Return `kernels.curves.residual_of`, the same to the last bit; groups: of `groups_of_moves`.

    There the loop over groups divides to learn how often it goes round, which takes as long as what it does.
    """
    if groups == 0:
        short: float = residual_of(losses, at, moves, w)
        return short
    hedge, last = vectors.splat(w), moves.shape[0] - LANES
    most = vectors.add(vectors.load(losses, at + last), vectors.multiply(hedge, vectors.load(moves, last)))
    for group in range(groups - 1):
        j = LANES * group
        here = vectors.add(vectors.load(losses, at + j), vectors.multiply(hedge, vectors.load(moves, j)))
        most = vectors.larger(here, most)
    largest = vectors.largest_of(most)
    return math.nan if math.isnan(losses[at] + w) else largest


@inlined()
def chord(losses: Floats, at: int, left: int, right: int, share: float) -> float:
    """Return the mean loss of a mixture of two moves, `share` of it the right one, of the curve from element `at` on.

    NaN if the curve is: it is finite or NaN throughout.
    """
    height: float = losses[at + left] + share * (losses[at + right] - losses[at + left])
    return height


@kernel(
    "i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[::1], i8, i8, i8, b1, b1, i8[::1], i8[::1], f8[::1],"
    "i2[::1], i2[::1], f8[::1], b1[::1], f8[:, ::1], i2[:, ::1],"
    "f8[::1], f8[:, ::1], i8[::1], i8[::1], i8[::1], i8[::1]"
)
def sweep(
    first: Ints,
    last: Ints,
    start: Ints,
    stop: Ints,
    row: Ints,
    quantity: Floats,
    table: Floats,
    width: int,
    falls: int,
    rises: int,
    held: bool,
    judging: bool,
    account: Ints,
    place: Ints,
    hedge: Floats,
    left: Shorts,
    right: Shorts,
    share: Floats,
    seen_held: Bools,
    record: Floats,
    shorts: Shorts,
    mm_factor: Floats,
    thresholds: Floats,
    bits: Ints,
    changed: Ints,
    unsure: Ints,
    counts: Ints,
) -> None:
    """Take one underlying's new prices for all netted accounts that hold it, and judge them if that is asked for.

    first, last: int64[pages], the segments of each page of the column; `table` is its own (`move_losses.fill_curves`),
    with moves and extended scenarios as there. By segment: start .. stop - 1 its positions, whose rows are in the
    table; `account` (-1: none) and its `place`; `hedge` w, USD; the mixture `left`, `right`, `share`; whether the
    account counts the column as held. By account: `record` and `shorts` as in `kernels.accounts`. Receives the
    rows, from counts[0] and counts[1] on: `changed`, those whose condition bits changed; `unsure`, those between whose
    bounds a threshold lies, with their bits as they were.
    """
    moves = moves_of(width)
    each = extra_stride(width, falls + rises)
    extras, curves = np.empty(CHUNK * each), np.empty(CHUNK * width)
    changes, open_cases, groups = counts[0], counts[1], groups_of_moves(width)
    limits = np.empty(LIMITS * thresholds.shape[0])
    if judging:
        limits_of_bits(mm_factor, thresholds, bits, np.full(thresholds.shape[0], ALL), limits)
    for page in range(first.shape[0]):
        for begin in range(first[page], last[page], CHUNK):
            end = min(begin + CHUNK, last[page])
            sum_curves(start, stop, row, quantity, table, width, falls, rises, begin, end, curves, 0, extras)
            for a in range(begin, end):
                of = account[a]
                ask_for(record, account[min(a + CHUNK, account.shape[0] - 1)])
                if of < 0:
                    continue
                p, at = place[a], (a - begin) * width
                record[of, figure(p, VALUE)] = extras[(a - begin) * each]
                record[of, figure(p, UPPER)] = residual_in(curves, at, moves, groups, hedge[a])
                record[of, figure(p, LOWER)] = chord(curves, at, left[a], right[a], share[a])
                if seen_held[a] != held:
                    seen_held[a] = held
                    shorts[of, HELD] += 1 if held else -1
                if not judging or stays(of, record, shorts, limits, 0, bits):
                    continue
                now = judge(of, record, shorts, mm_factor, thresholds, bits)
                if now < 0:
                    unsure[open_cases] = of
                    open_cases += 1
                elif now != shorts[of, FLAGS]:
                    shorts[of, FLAGS] = now
                    changed[changes] = of
                    changes += 1
    counts[0], counts[1] = changes, open_cases


@inlined()
def _chord_at(losses: Floats, left: int, right: int, position: float) -> float:
    return chord(losses, 0, left, right, (position - left) / (right - left))


@kernel("f8[::1], i8, f8")
def mixture(losses: Floats, count: int, mean: float) -> tuple[float, int, int, float]:
    """Return the concave envelope of losses at moves -1 .. 1 (uniform, `count` of them) at a mean move, and its chord.

    The envelope is the largest mean loss of a mixture of moves with this mean; of two moves at most, left and right,
    `share` of it the right one. Of the lines through a left and a right point the highest at the mean is the one above
    which no point lies. For a fixed right end the best left one is where the slope is least, and the other way round; a
    line that neither turn can raise has no point above it. Turns end with the first that does not raise the line: on a
    curve that is straight but for rounding, slopes alone would turn for ever. NaN losses give NaN.
    """
    position = min(max(0.5 * (mean + 1.0) * (count - 1), 0.0), count - 1.0)
    below = int(position)
    at_move = position == below
    best: float = losses[below] if at_move else -math.inf
    best_left, best_right, best_share = below, below, 0.0
    first_right = below + 1
    last_left = below - 1 if at_move else below
    if last_left >= 0 and first_right < count:
        left, right = last_left, first_right
        height, before = _chord_at(losses, left, right, position), -math.inf
        while height > before:
            before = height
            if height > best:
                best, best_left, best_right, best_share = height, left, right, (position - left) / (right - left)
            for i in range(last_left + 1):
                if (losses[right] - losses[i]) * (right - left) < (losses[right] - losses[left]) * (right - i):
                    left = i
            for j in range(first_right, count):
                if (losses[j] - losses[left]) * (right - left) > (losses[right] - losses[left]) * (j - left):
                    right = j
            height = _chord_at(losses, left, right, position)
    check = 0.0
    for i in range(count):
        check += losses[i]
    return math.nan if math.isnan(check) else best, best_left, best_right, best_share
