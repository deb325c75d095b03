"""Loops over blocks of lanes that stay in registers, where LLVM does not find that by itself.

A compiled loop that adds rows into an array writes the array back after every row, and one that keeps what is below a
limit takes one number at a time. Both are written here with vectors in LLVM's own form, which cuts 64 numbers into what
the processor has: four AVX-512 registers of float32, eight of AVX2, sixteen of SSE. Every lane is computed as alone,
products and sums are rounded apart, and sums keep their order, so the bits are the same on all of them.

None of this looks at the bounds of arrays: the kernels that use it do. Arrays are contiguous. With NUMBA_DISABLE_JIT=1
the plain functions run and give the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic
from numpy.typing import NDArray

from kernels._jit import Floats, Ints

LANES = 64
ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
ONE = np.uint64(1)

Singles: TypeAlias = NDArray[np.float32]
Reals: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

_Function = TypeVar("_Function", bound=Callable[..., object])
Lowering = tuple[Any, Callable[[Any, Any, Any, Any], Any]]

I32, I64, SINGLE = ir.IntType(32), ir.IntType(64), ir.FloatType()


def lowered(lowering: Callable[..., Lowering]) -> Callable[[_Function], _Function]:
    """Give a plain function the instructions that kernels have in its place."""

    def choose(plain: _Function) -> _Function:
        return plain if config.DISABLE_JIT else cast("_Function", intrinsic(lowering))  # type: ignore[attr-defined]

    return choose


def data_of(context: Any, builder: Any, kind: Any, array: Any) -> tuple[Any, Any]:
    """Return the address of an array's first element and the lengths of its axes."""
    made = context.make_array(kind)(context, builder, array)
    return made.data, cgutils.unpack_tuple(builder, made.shape)  # type: ignore[no-untyped-call]


def _spread(builder: Any, scalar: Any, width: int) -> Any:
    """Return a vector with one number in all lanes."""
    nothing = ir.Constant(ir.VectorType(scalar.type, width), ir.Undefined)
    first = builder.insert_element(nothing, scalar, ir.Constant(I32, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(I32, width), None))


def _lanes_at(builder: Any, data: Any, offset: Any, width: int) -> tuple[Any, int]:
    """Return the address of so many elements from an offset on, and its alignment, which is an element's."""
    element = data.type.pointee
    lanes = ir.VectorType(element, width).as_pointer()
    return builder.bitcast(builder.gep(data, [offset]), lanes), 4 if element == SINGLE else 8


def _load(builder: Any, data: Any, offset: Any, width: int) -> Any:
    address, align = _lanes_at(builder, data, offset, width)
    return builder.load(address, align=align)


def _store(builder: Any, lanes: Any, data: Any, offset: Any) -> None:
    address, align = _lanes_at(builder, data, offset, lanes.type.count)
    builder.store(lanes, address, align=align)


def _fold(builder: Any, begin: Any, first: Any, last: Any, step: Callable[[Any, Any], Any]) -> Any:
    """Return what step(total, k) makes of `begin` over k = first .. last - 1, kept in registers."""
    before = builder.block
    body, after = builder.append_basic_block("fold"), builder.append_basic_block("fold.end")
    builder.cbranch(builder.icmp_signed("<", first, last), body, after)
    builder.position_at_end(body)
    k, total = builder.phi(I64), builder.phi(begin.type)
    stepped, following = step(total, k), builder.add(k, ir.Constant(I64, 1))
    builder.cbranch(builder.icmp_signed("<", following, last), body, after)
    builder.position_at_end(after)
    result = builder.phi(begin.type)
    for phi, start, again in ((k, first, following), (total, begin, stepped), (result, begin, stepped)):
        phi.add_incoming(start, before)
        phi.add_incoming(again, body)
    return result


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
            line = _load(builder, matrix[0], builder.add(base, own), LANES)
            return builder.fadd(total, builder.fmul(_spread(builder, weight, LANES), line))

        total = _fold(builder, ir.Constant(ir.VectorType(SINGLE, LANES), [0.0] * LANES), first, last, step)
        _store(builder, total, out[0], ir.Constant(I64, 0))
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
                above = _load(builder, matrix, builder.add(line, start), width)
                return builder.fsub(total, builder.fmul(_spread(builder, weight, width), above))

            begin = _load(builder, matrix, own, width)
            _store(builder, _fold(builder, begin, ir.Constant(I64, 0), row, step), matrix, own)
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
        below = builder.fcmp_unordered("<", _load(builder, data, args[1], LANES), _spread(builder, limit, LANES))
        return builder.bitcast(below, I64)

    return types.uint64(values, start, types.float64), code


@lowered(_lower_mask_below)
def mask_below(values: Reals, start: int, limit: float) -> np.uint64:
    """Return 64 bits: bit j is set where values[start + j] is below limit, or NaN; limit is exact in their type."""
    return np.uint64(sum(1 << j for j in range(LANES) if not values[start + j] >= limit))
