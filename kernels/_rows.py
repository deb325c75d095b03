"""Rows of a matrix summed, and numbers compared, by vectors that stay in registers.

A compiled loop that adds rows into an array writes the array back after every row, and one that keeps what is below a
limit takes one number at a time. Both are written here in LLVM's own vectors, which its backend cuts into what the
processor has: 64 float32 are four registers of AVX-512, eight of AVX2, sixteen of SSE. Every lane is computed as alone,
products and sums are rounded apart, and sums keep their order, so the bits are the same on all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from kernels._jit import Floats, Ints
from kernels._lowering import I64, SINGLE, Lowering, data_of, fold, load_lanes, lowered, spread, store_lanes

LANES = 64
ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
ONE = np.uint64(1)

Singles: TypeAlias = NDArray[np.float32]
Reals: TypeAlias = NDArray[np.float32] | NDArray[np.float64]


def _lower_add_rows(
    _typing: Any, row: Any, quantity: Any, first: Any, last: Any, matrix: Any, block: Any, start: Any, out: Any
) -> Lowering:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        row, quantity, matrix, out = (data_of(context, builder, signature.args[i], args[i]) for i in (0, 1, 4, 7))
        _, _, first, last, _, block, start, _ = args
        _, rows, width = matrix[1]
        base = builder.add(start, builder.mul(builder.mul(block, rows), width))

        def step(total: Any, k: Any) -> Any:
            own = builder.mul(builder.load(builder.gep(row[0], [k])), width)
            weight = builder.fptrunc(builder.load(builder.gep(quantity[0], [k])), SINGLE)
            line = load_lanes(builder, matrix[0], builder.add(base, own), LANES)
            return builder.fadd(total, builder.fmul(spread(builder, weight, LANES), line))

        total = fold(builder, ir.Constant(ir.VectorType(SINGLE, LANES), [0.0] * LANES), first, last, step)
        store_lanes(builder, total, out[0], ir.Constant(I64, 0))
        return context.get_dummy_value()

    return types.void(row, quantity, first, last, matrix, block, start, out), code


@lowered(_lower_add_rows)
def add_rows(
    row: Ints, quantity: Floats, first: int, last: int, matrix: Singles, block: int, start: int, out: Singles
) -> None:
    """Write out[j] = sum over k = first .. last - 1 of float32(quantity[k]) matrix[block, row[k], start + j], j < 64.

    matrix: float32[blocks, rows, paths of a block]; the sum runs in the order of k, in float32.
    """
    out[:LANES] = 0.0
    for k in range(first, last):
        out[:LANES] += np.float32(quantity[k]) * matrix[block, row[k], start : start + LANES]


def _subtract_rows(width: int) -> Callable[[Floats, int, int], None]:
    def lower(_typing: Any, matrix: Any, row: Any, start: Any) -> Lowering:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            matrix, (_, columns) = data_of(context, builder, signature.args[0], args[0])
            _, row, start = args
            own = builder.add(start, builder.mul(row, columns))

            def step(total: Any, k: Any) -> Any:
                line = builder.mul(k, columns)
                weight = builder.load(builder.gep(matrix, [builder.add(line, row)]))
                above = load_lanes(builder, matrix, builder.add(line, start), width)
                return builder.fsub(total, builder.fmul(spread(builder, weight, width), above))

            begin = load_lanes(builder, matrix, own, width)
            store_lanes(builder, fold(builder, begin, ir.Constant(I64, 0), row, step), matrix, own)
            return context.get_dummy_value()

        return types.void(matrix, row, start), code

    @lowered(lower)
    def plain(matrix: Floats, row: int, start: int) -> None:
        for k in range(row):
            matrix[row, start : start + width] -= matrix[k, row] * matrix[k, start : start + width]

    return plain


# matrix[row, start + j] -= sum over k < row of matrix[k, row] matrix[k, start + j], j < 32, 16 or 8, in the order of k.
subtract_rows_32, subtract_rows_16, subtract_rows_8 = (_subtract_rows(width) for width in (32, 16, 8))


def _lower_mask_below(_typing: Any, values: Any, start: Any, _limit: Any) -> Lowering:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data, _ = data_of(context, builder, signature.args[0], args[0])
        limit = builder.fptrunc(args[2], SINGLE) if data.type.pointee == SINGLE else args[2]
        below = builder.fcmp_unordered("<", load_lanes(builder, data, args[1], LANES), spread(builder, limit, LANES))
        return builder.bitcast(below, I64)

    return types.uint64(values, start, types.float64), code


@lowered(_lower_mask_below)
def mask_below(values: Reals, start: int, limit: float) -> np.uint64:
    """Return 64 bits: bit j is set where values[start + j] is below limit, or NaN; limit is exact in their type."""
    return np.uint64(sum(1 << j for j in range(LANES) if not values[start + j] >= limit))
