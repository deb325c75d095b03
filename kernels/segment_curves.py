"""Loss curves of segments, reduced over volatilities while their sums are still in registers.

    losses[j] = max over cells of -sum_k quantity[k] pnl[row[k], cell, j],   cells: volatility up, same, down

A group is eight moves: its three cells are three vectors of a table row, one behind the other. Reduced where they are
summed, a segment writes 15 losses instead of 48 sums that are read again: a fifth of a sweep. What does not fill a group
(the rest of the moves, value, delta, extended scenarios) follows in further vectors of the row and is left in `extras` as
sums. Of seven moves left a group is made whose eighth lane has value, delta and nothing.

The sums are those of `kernels.segment_sums`: the same loop, the same order, the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from kernels._jit import Floats, Ints, inlined, kernel
from kernels.segment_sums import WIDEST, emit_cases, emit_segments, sum_columns
from kernels.vectors import INDEX, LANES, VECTOR, data_of, lanes_at, or_plain

VOL_CELLS = 3  # volatility up, same, down: the layout of `scenarios.scenario_table`
AT_ONCE = WIDEST // VOL_CELLS  # groups in registers
_INT, _BIT = ir.IntType(64), ir.IntType(1)
_CASES = [(groups, kind) for groups in range(1, AT_ONCE + 1) for kind in range(3)]  # kind: plain, extras, partial
_FUSED = 1 + VOL_CELLS * AT_ONCE <= WIDEST


@inlined()
def groups_of(width: int) -> int:
    """Return how many groups of eight moves a curve of `width` moves has, the last one perhaps with seven."""
    return (width + 1) // LANES


@inlined()
def has_partial(width: int) -> bool:
    """Return whether seven moves are left over, which make a group with value and delta."""
    return width % LANES == LANES - 1


@inlined()
def extra_vectors(width: int, extended: int) -> int:
    """Return how many vectors follow the groups: value, delta and the rest of the moves, then extended scenarios."""
    own = 0 if has_partial(width) else 2 + VOL_CELLS * (width % LANES)
    return (own + extended + LANES - 1) // LANES


@inlined()
def extra_stride(width: int, extended: int) -> int:
    """Return how many doubles a segment has in `extras`; the first two are value and delta."""
    return LANES * ((1 if has_partial(width) else 0) + extra_vectors(width, extended))


def _lanes(builder: Any, x: Any, first: int, count: int) -> Any:
    order = ir.Constant(ir.VectorType(INDEX, count), list(range(first, first + count)))
    return builder.shuffle_vector(x, x, order)


def _store_seven(builder: Any, losses: Any, target: Any) -> None:
    """Store all lanes but the last, which belongs to the next curve."""
    data = builder.bitcast(target, ir.DoubleType().as_pointer())
    for first, count in ((0, 4), (4, 2)):
        at = builder.gep(data, [ir.Constant(_INT, first)])
        part = builder.bitcast(at, ir.VectorType(ir.DoubleType(), count).as_pointer())
        builder.store(_lanes(builder, losses, first, count), part, align=8)
    last = builder.extract_element(losses, ir.Constant(INDEX, LANES - 2))
    builder.store(last, builder.gep(data, [ir.Constant(_INT, LANES - 2)]))


def _reduce(builder: Any, cells: list[Any]) -> tuple[Any, Any]:
    """Return the losses of a group, NaN in a lane where any cell is not finite, and zero or NaN for the same."""
    up, same, down = cells
    check = builder.fadd(up, builder.fadd(same, down))  # a minimum may pass over NaN, a sum cannot
    fault = builder.fsub(check, check)
    least = builder.select(builder.fcmp_ordered("<", same, down), same, down)
    least = builder.select(builder.fcmp_ordered("<", up, least), up, least)
    return builder.fadd(builder.fsub(ir.Constant(VECTOR, None), least), fault), fault


def _plain_curves(
    groups: int, kind: int, table: Floats, stride: int, column: int, last: int, indptr: Ints, row: Ints,
    quantity: Floats, begin: int, end: int, losses: Floats, width: int, to: int, extras: Floats, each: int,
) -> int:  # fmt: skip
    found = 0
    for a in range(begin, end):
        total = np.zeros(LANES * (VOL_CELLS * groups + (kind == 1)))
        for k in range(indptr[a], indptr[a + 1]):
            found |= not 0 <= row[k] <= last
            unit = min(row[k] % (last + 1), last) * stride + column
            total += quantity[k] * table[unit : unit + len(total)]
        cells = total[: LANES * VOL_CELLS * groups].reshape(groups, VOL_CELLS, LANES)
        fault = cells.sum(axis=1) - cells.sum(axis=1)
        if kind == 2:  # noqa: PLR2004
            extras[(a - begin) * each : (a - begin) * each + 2] = cells[-1, :2, -1]
            fault[-1, -1] = 0.0
        found |= 2 * bool(np.isnan(fault).any())
        curve = (0.0 - cells.min(axis=1) + fault).ravel()[: LANES * groups - (kind == 2)]  # noqa: PLR2004
        losses[to + (a - begin) * width : to + (a - begin) * width + len(curve)] = curve
        if kind == 1:
            extras[(a - begin) * each : (a - begin) * each + LANES] = total[-LANES:]
    return found


@or_plain(_plain_curves)
def _curves(
    _: Any, groups: Any, kind: Any, table: Any, stride: Any, column: Any, last: Any, indptr: Any,  # noqa: ARG001
    row: Any, quantity: Any, begin: Any, end: Any, losses: Any, width: Any, to: Any, extras: Any,  # noqa: ARG001
    each: Any,  # noqa: ARG001
) -> Any:  # fmt: skip
    """Write the losses of some groups of segments begin .. end - 1, one or more, to `losses[to + a width]` on.

    kind 0: groups alone; 1: the vector behind them goes to `extras[a each]`; 2: the last group has seven moves, value and
    delta go there. Returns 1 if a row is beyond `last`, plus 2 if any sum is not finite.
    """

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        *data, out, more = (data_of(context, builder, signature.args[i], values[i]) for i in (2, 6, 7, 8, 11, 14))

        def finish(count: int, kind: int) -> Callable[[Any, list[Any]], Any]:
            def code(number: Any, totals: list[Any]) -> Any:
                target = lanes_at(builder, out, builder.add(values[13], builder.mul(number, values[12])))
                own = builder.mul(number, values[15])
                faults = None
                for group in range(count):
                    cells = totals[VOL_CELLS * group : VOL_CELLS * (group + 1)]
                    losses, fault = _reduce(builder, cells)
                    at = builder.gep(target, [ir.Constant(_INT, group)])
                    if kind == 2 and group == count - 1:  # noqa: PLR2004
                        _store_seven(builder, losses, at)
                        for i in range(2):
                            place = builder.gep(more, [builder.add(own, ir.Constant(_INT, i))])
                            builder.store(builder.extract_element(cells[i], ir.Constant(INDEX, LANES - 1)), place)
                        zero = ir.Constant(ir.DoubleType(), 0.0)
                        fault = builder.insert_element(fault, zero, ir.Constant(INDEX, LANES - 1))
                    else:
                        builder.store(losses, at, align=8)
                    faults = fault if faults is None else builder.fadd(faults, fault)
                if kind == 1:
                    builder.store(totals[-1], lanes_at(builder, more, own), align=8)
                bits = builder.bitcast(builder.fcmp_unordered("uno", faults, faults), ir.IntType(LANES))
                return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))

            return code

        def loop(count: int, kind: int) -> Callable[[Any], Any]:
            vectors = VOL_CELLS * count + (kind == 1)
            return lambda after: emit_segments(
                builder, vectors, data, values[3:6], values[9:11], after, finish(count, kind)
            )

        case = builder.mul(builder.sub(values[0], ir.Constant(_INT, 1)), ir.Constant(_INT, 3))
        found = emit_cases(builder, builder.add(case, values[1]), [loop(*case) for case in _CASES])
        beyond, fault = (builder.zext(bit, _INT) for bit in found)
        return builder.or_(beyond, builder.shl(fault, ir.Constant(_INT, 1)))

    i8 = types.int64
    taken = (i8, i8, table, i8, i8, i8, indptr, row, quantity, i8, i8, losses, i8, i8, extras, i8)
    return types.int64(*taken), emit


@kernel("f8[::1], i8, i8, i8, i8, i8, f8[::1], i8, i8")
def _finish(
    extras: Floats, each: int, segments: int, width: int, falls: int, rises: int, losses: Floats, first: int, faults: int
) -> None:
    """Write the moves that make no group, put extended scenarios at the ends, and spread NaN over whole curves."""
    partial, rest = has_partial(width), 0 if has_partial(width) else width % LANES
    beyond = LANES if partial else 2 + VOL_CELLS * rest
    if rest == 0 and falls + rises == 0 and faults == 0:
        return
    for a in range(segments):
        to = first + a * width
        check = 0.0
        for j in range(width if faults else 0):
            check += losses[to + j] if j < width - rest else 0.0
        at = a * each + 2
        for j in range(rest):
            up, same, down = extras[at + j], extras[at + rest + j], extras[at + 2 * rest + j]
            check += up + same + down
            losses[to + width - rest + j] = 0.0 - min(up, min(same, down))  # noqa: PLW3301
        low, high = losses[to], losses[to + width - 1]
        at = a * each + beyond
        for j in range(at, at + falls):
            low = max(low, 0.0 - extras[j])
            check += extras[j]
        for j in range(at + falls, at + falls + rises):
            high = max(high, 0.0 - extras[j])
            check += extras[j]
        losses[to], losses[to + width - 1] = low, high
        if not math.isfinite(check):
            for j in range(width):
                losses[to + j] = math.nan


@kernel("i8[::1], i8[::1], f8[::1], f8[::1], i8, i8, i8, i8, i8, f8[::1], i8, f8[::1]")
def sum_curves(
    indptr: Ints, row: Ints, quantity: Floats, table: Floats, width: int, falls: int, rises: int, begin: int, end: int,
    losses: Floats, first: int, extras: Floats,
) -> None:  # fmt: skip
    """Write the curves of segments begin .. end - 1 to `losses[first + a width]` on, a = 0 .. end - begin - 1.

    table: from `move_losses.curve_table`; extras: float64[>= (end - begin) extra_stride], of which the first two of each
    segment become its value and delta. A curve is NaN throughout if any of its cells is not finite. Raises ValueError
    on a row that does not exist; nothing else is checked.
    """
    if begin >= end:
        return
    groups, vectors = groups_of(width), extra_vectors(width, falls + rises)
    stride = LANES * (VOL_CELLS * groups + vectors)
    each, partial = extra_stride(width, falls + rises), has_partial(width)
    last = table.shape[0] // stride - 1
    found = 0
    fused = 0
    passes = (groups + AT_ONCE - 1) // AT_ONCE
    for p in range(passes):
        left, right = groups * p // passes, groups * (p + 1) // passes
        kind = 0
        if p == passes - 1:
            fused = 1 if _FUSED and vectors == 1 and not partial else 0
            kind = 2 if partial else fused
        found |= _curves(
            right - left, kind, table, stride, LANES * VOL_CELLS * left, last, indptr, row, quantity, begin, end, losses,
            width, first + LANES * left, extras, each,
        )  # fmt: skip
    if found % 2:
        raise ValueError("a position names a row that does not exist")
    if vectors > fused:
        to = LANES if partial else 0
        sum_columns(
            indptr, row, quantity, table, stride, LANES * VOL_CELLS * groups, vectors, begin, end, extras, each, to
        )
    _finish(extras, each, end - begin, width, falls, rises, losses, first, found // 2)
