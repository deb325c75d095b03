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
from kernels.segment_sums import WIDEST, emit_cases, emit_segments
from kernels.vectors import INDEX, LANES, VECTOR, data_of, lanes_at, or_plain

VOL_CELLS = 3  # volatility up, same, down: the layout of `scenarios.scenario_table`
AT_ONCE = WIDEST // VOL_CELLS  # groups in registers
_INT, _BIT = ir.IntType(64), ir.IntType(1)
_CASES = [(groups, kind) for groups in range(1, AT_ONCE + 1) for kind in range(3)]  # kind: plain, extras, partial
FUSED = 1 + VOL_CELLS * AT_ONCE <= WIDEST


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
    groups: int, kind: int, table: Floats, stride: int, column: int, indptr: Ints, row: Ints,
    quantity: Floats, begin: int, end: int, losses: Floats, width: int, to: int, extras: Floats, each: int,
) -> bool:  # fmt: skip
    found = False
    for a in range(begin, end):
        total = np.zeros(LANES * (VOL_CELLS * groups + (kind == 1)))
        for k in range(indptr[a], indptr[a + 1]):
            unit = row[k] * stride + column
            total += quantity[k] * table[unit : unit + len(total)]
        cells = total[: LANES * VOL_CELLS * groups].reshape(groups, VOL_CELLS, LANES)
        fault = cells.sum(axis=1) - cells.sum(axis=1)
        if kind == 2:
            extras[(a - begin) * each : (a - begin) * each + 2] = cells[-1, :2, -1]
            fault[-1, -1] = 0.0
        found |= bool(np.isnan(fault).any())
        curve = (0.0 - cells.min(axis=1) + fault).ravel()[: LANES * groups - (kind == 2)]
        losses[to + (a - begin) * width : to + (a - begin) * width + len(curve)] = curve
        if kind == 1:
            extras[(a - begin) * each : (a - begin) * each + LANES] = total[-LANES:]
    return found


@or_plain(_plain_curves)
def reduced_sums(
    _: Any, groups: Any, kind: Any, table: Any, stride: Any, column: Any, indptr: Any,  # noqa: ARG001
    row: Any, quantity: Any, begin: Any, end: Any, losses: Any, width: Any, to: Any, extras: Any,  # noqa: ARG001
    each: Any,  # noqa: ARG001
) -> Any:  # fmt: skip
    """Write the losses of some groups of segments begin .. end - 1, one or more, to `losses[to + a width]` on.

    kind 0: groups alone; 1: the vector behind them goes to `extras[a each]`; 2: the last group has seven moves, value
    and delta go there. Returns whether any sum is not finite.
    """

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        *data, out, more = (data_of(context, builder, signature.args[i], values[i]) for i in (2, 5, 6, 7, 10, 13))

        def finish(count: int, kind: int) -> Callable[[Any, list[Any]], Any]:
            def code(number: Any, totals: list[Any]) -> Any:
                target = lanes_at(builder, out, builder.add(values[12], builder.mul(number, values[11])))
                own = builder.mul(number, values[14])
                faults = None
                for group in range(count):
                    cells = totals[VOL_CELLS * group : VOL_CELLS * (group + 1)]
                    losses, fault = _reduce(builder, cells)
                    at = builder.gep(target, [ir.Constant(_INT, group)])
                    if kind == 2 and group == count - 1:
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
                builder, vectors, data, values[3:5], values[8:10], after, finish(count, kind)
            )

        case = builder.mul(builder.sub(values[0], ir.Constant(_INT, 1)), ir.Constant(_INT, 3))
        return emit_cases(builder, builder.add(case, values[1]), [loop(*case) for case in _CASES])

    i8 = types.int64
    taken = (i8, i8, table, i8, i8, indptr, row, quantity, i8, i8, losses, i8, i8, extras, i8)
    return types.boolean(*taken), emit
