"""Loss curves of segments, reduced over volatilities while their sums are still in registers.

    losses[j] = max over cells of -sum_k quantity[k] pnl[row[k], cell, j],   cells: volatility up, same, down

A group is eight moves: its three cells are three vectors of a table row, one behind the other. Reduced where they are
summed, a segment writes 15 losses instead of 48 sums that are read again: a fifth of a sweep. What does not fill a
group (the rest of the moves, value, delta, extended scenarios) follows in further vectors of the row and is left in
`extras` as sums. Of seven moves left a group is made whose eighth lane has value, delta and nothing.

The sums are those of `kernels.segment_sums`: the same loop, the same order, the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from kernels._jit import Floats, Ints
from kernels._lowering import DOUBLE, I32, I64, Lowering, data_of, lanes_at, lowered
from kernels.segment_sums import WIDEST, emit_cases, emit_segments, plain_sums
from kernels.vectors import LANES, VECTOR

VOL_CELLS = 3  # volatility up, same, down: the layout of `scenarios.scenario_table`
AT_ONCE = WIDEST // VOL_CELLS  # groups in registers
PLAIN, EXTRAS, PARTIAL = range(3)
_CASES = [(groups, kind) for groups in range(1, AT_ONCE + 1) for kind in (PLAIN, EXTRAS, PARTIAL)]
FUSED = 1 + VOL_CELLS * AT_ONCE <= WIDEST


def _lanes(builder: Any, x: Any, first: int, count: int) -> Any:
    order = ir.Constant(ir.VectorType(I32, count), list(range(first, first + count)))
    return builder.shuffle_vector(x, x, order)


def _store_seven(builder: Any, losses: Any, target: Any) -> None:
    """Store all lanes but the last, which belongs to the next curve."""
    data = builder.bitcast(target, DOUBLE.as_pointer())
    for first, count in ((0, 4), (4, 2)):
        at = builder.gep(data, [ir.Constant(I64, first)])
        part = builder.bitcast(at, ir.VectorType(DOUBLE, count).as_pointer())
        builder.store(_lanes(builder, losses, first, count), part, align=8)
    last = builder.extract_element(losses, ir.Constant(I32, LANES - 2))
    builder.store(last, builder.gep(data, [ir.Constant(I64, LANES - 2)]))


def _reduce(builder: Any, cells: list[Any]) -> tuple[Any, Any]:
    """Return the losses of a group, NaN in a lane where any cell is not finite, and zero or NaN for the same."""
    up, same, down = cells
    check = builder.fadd(up, builder.fadd(same, down))  # a minimum may pass over NaN, a sum cannot
    fault = builder.fsub(check, check)
    least = builder.select(builder.fcmp_ordered("<", same, down), same, down)
    least = builder.select(builder.fcmp_ordered("<", up, least), up, least)
    return builder.fadd(builder.fsub(ir.Constant(VECTOR, None), least), fault), fault


def _lower_reduced_sums(
    _typing: Any, _groups: Any, _kind: Any, table: Any, _stride: Any, _column: Any, start: Any, stop: Any, row: Any,
    quantity: Any, _begin: Any, _end: Any, losses: Any, _width: Any, _to: Any, extras: Any, _each: Any,
) -> Lowering:  # fmt: skip
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        *data, out, more = (
            data_of(context, builder, signature.args[i], args[i])[0] for i in (2, 5, 6, 7, 8, 11, 14)
        )  # fmt: skip

        def finish(count: int, kind: int) -> Callable[[Any, list[Any]], Any]:
            def code(number: Any, totals: list[Any]) -> Any:
                target = lanes_at(builder, out, builder.add(args[13], builder.mul(number, args[12])), LANES)
                own = builder.mul(number, args[15])
                faults = None
                for group in range(count):
                    cells = totals[VOL_CELLS * group : VOL_CELLS * (group + 1)]
                    losses, fault = _reduce(builder, cells)
                    at = builder.gep(target, [ir.Constant(I64, group)])
                    if kind == PARTIAL and group == count - 1:
                        _store_seven(builder, losses, at)
                        for i in range(2):
                            place = builder.gep(more, [builder.add(own, ir.Constant(I64, i))])
                            builder.store(builder.extract_element(cells[i], ir.Constant(I32, LANES - 1)), place)
                        fault = builder.insert_element(fault, ir.Constant(DOUBLE, 0.0), ir.Constant(I32, LANES - 1))
                    else:
                        builder.store(losses, at, align=8)
                    faults = fault if faults is None else builder.fadd(faults, fault)
                if kind == EXTRAS:
                    builder.store(totals[-1], lanes_at(builder, more, own, LANES), align=8)
                bits = builder.bitcast(builder.fcmp_unordered("uno", faults, faults), ir.IntType(LANES))
                return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))

            return code

        def loop(count: int, kind: int) -> Callable[[Any], Any]:
            vectors = VOL_CELLS * count + (kind == EXTRAS)
            return lambda after: emit_segments(
                builder, vectors, data, args[3:5], args[9:11], after, finish(count, kind)
            )

        case = builder.mul(builder.sub(args[0], ir.Constant(I64, 1)), ir.Constant(I64, 3))
        return emit_cases(builder, builder.add(case, args[1]), [loop(*case) for case in _CASES])

    i8 = types.int64
    taken = (i8, i8, table, i8, i8, start, stop, row, quantity, i8, i8, losses, i8, i8, extras, i8)
    return types.boolean(*taken), code


@lowered(_lower_reduced_sums)
def reduced_sums(
    groups: int, kind: int, table: Floats, stride: int, column: int, start: Ints, stop: Ints, row: Ints,
    quantity: Floats, begin: int, end: int, losses: Floats, width: int, to: int, extras: Floats, each: int,
) -> bool:  # fmt: skip
    """Write the losses of some groups of segments begin .. end - 1, one or more, to `losses[to + a width]` on.

    Of kind PLAIN groups alone; EXTRAS: the vector behind them goes to `extras[a each]`; PARTIAL: the last group has
    seven moves, value and delta go there. Returns whether any sum is not finite.
    """
    found = False
    for a in range(begin, end):
        own, at = slice(start[a], stop[a]), (a - begin) * each
        columns = LANES * (VOL_CELLS * groups + (kind == EXTRAS))
        total = plain_sums(table, column, columns, stride, row[own], quantity[own])
        cells = total[: LANES * VOL_CELLS * groups].reshape(groups, VOL_CELLS, LANES)
        fault = cells.sum(axis=1) - cells.sum(axis=1)
        if kind == PARTIAL:
            extras[at : at + 2] = cells[-1, :2, -1]
            fault[-1, -1] = 0.0
        found |= bool(np.isnan(fault).any())
        curve = (0.0 - cells.min(axis=1) + fault).ravel()[: LANES * groups - (kind == PARTIAL)]
        losses[to + (a - begin) * width : to + (a - begin) * width + len(curve)] = curve
        if kind == EXTRAS:
            extras[at : at + LANES] = total[-LANES:]
    return found
