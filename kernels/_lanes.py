"""Blocks of 64 numbers that stay in registers, where LLVM does not find that by itself.

A compiled loop that adds rows into an array writes the array back after every row, and one that keeps what is below a
limit takes one number at a time. Both are written here as vectors of 64 numbers in LLVM's own form, which cuts them
into what the processor has: four AVX-512 registers of float32, eight of AVX, sixteen of SSE. Every lane is computed as
alone, multiplication and addition are rounded apart (no contraction), and the additions keep their order, so the bits
are the same on all of them.

Under NUMBA_DISABLE_JIT=1 the plain forms below run instead and give the same numbers.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from kernels._jit import Floats, Ints

LANES = 64
ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
ONE = np.uint64(1)

Singles: TypeAlias = NDArray[np.float32]
Reals: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def _spread(builder: Any, scalar: Any) -> Any:
    """Return a vector with one number in all lanes."""
    vector = ir.VectorType(scalar.type, LANES)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(_I32, 0))
    lanes = ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), lanes)


def _load(builder: Any, pointer: Any) -> Any:
    element = pointer.type.pointee
    loaded = builder.load(builder.bitcast(pointer, ir.VectorType(element, LANES).as_pointer()))
    loaded.align = 4 if isinstance(element, ir.FloatType) else 8  # of the element: slices start anywhere
    return loaded


def add_rows(
    row: Ints, quantity: Floats, first: int, last: int, matrix: Singles, block: int, start: int, out: Singles
) -> None:
    """Write out[j] = sum over k = first .. last - 1 of float32(quantity[k]) matrix[block, row[k], start + j], j < 64.

    matrix: float32[blocks, rows, paths of a block]; the sum runs in the order of k, in float32. Nothing is checked.
    """
    out[:LANES] = 0.0
    for k in range(first, last):
        out[:LANES] += np.float32(quantity[k]) * matrix[block, row[k], start : start + LANES]


def prefetch(_values: Singles, _place: int) -> None:
    """Ask for the cache line of an element of a one-dimensional array; nothing happens if it does not exist."""


def mask_below(values: Reals, start: int, limit: float) -> np.uint64:
    """Return 64 bits: bit j is set where values[start + j] is below limit or NaN. Nothing is checked.

    Values need not exist where a caller clears the bit, but their memory has to.
    """
    return np.uint64(sum(1 << j for j in range(LANES) if not values[start + j] >= limit))


def first_bit(mask: np.uint64) -> int:
    """Return the number of the lowest bit that is set, of a mask that is not 0."""
    return (int(mask) & -int(mask)).bit_length() - 1


def ordered(value: float) -> int:
    """Return the bits of a float as an integer that compares as the float does; NaN lies beyond the infinities."""
    wide = isinstance(value, np.float64)
    bits = int(np.asarray(value).view(np.int64 if wide else np.int32))
    return bits ^ ((bits >> 63) & (0x7FFF_FFFF_FFFF_FFFF if wide else 0x7FFF_FFFF))


def unordered(key: int, like: float) -> float:
    """Return the float whose `ordered` is key, of the type of `like`."""
    if isinstance(like, np.float64):
        return float(np.int64(key ^ ((key >> 63) & 0x7FFF_FFFF_FFFF_FFFF)).view(np.float64))
    return np.int32(key ^ ((key >> 63) & 0x7FFF_FFFF)).view(np.float32)  # type: ignore[no-any-return]


def _array(context: Any, builder: Any, signature: Any, args: Any, place: int) -> Any:
    return context.make_array(signature.args[place])(context, builder, args[place])


def _emit_add_rows(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    row, quantity, matrix, out = (_array(context, builder, signature, args, place) for place in (0, 1, 4, 7))
    first, last, block, start = args[2], args[3], args[5], args[6]
    single = ir.FloatType()
    vector = ir.VectorType(single, LANES)
    zero = ir.Constant(vector, [0.0] * LANES)
    _, rows, paths = cgutils.unpack_tuple(builder, matrix.shape)
    base = builder.gep(matrix.data, [builder.add(start, builder.mul(builder.mul(block, rows), paths))])
    before = builder.block
    body, after = builder.append_basic_block("rows"), builder.append_basic_block("rows.end")
    builder.cbranch(builder.icmp_signed("<", first, last), body, after)

    builder.position_at_end(body)
    k, total = builder.phi(_I64), builder.phi(vector)
    place = builder.mul(builder.load(builder.gep(row.data, [k])), paths)
    weight = builder.fptrunc(builder.load(builder.gep(quantity.data, [k])), single)
    product = builder.fmul(_spread(builder, weight), _load(builder, builder.gep(base, [place])))
    added = builder.fadd(total, product)
    following = builder.add(k, ir.Constant(_I64, 1))
    builder.cbranch(builder.icmp_signed("<", following, last), body, after)
    for phi, begin, step in ((k, first, following), (total, zero, added)):
        phi.add_incoming(begin, before)
        phi.add_incoming(step, body)

    builder.position_at_end(after)
    result = builder.phi(vector)
    result.add_incoming(zero, before)
    result.add_incoming(added, body)
    stored = builder.store(result, builder.bitcast(out.data, vector.as_pointer()))
    stored.align = 4
    return context.get_dummy_value()


def _emit_prefetch(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    byte = ir.IntType(8).as_pointer()
    place = builder.bitcast(builder.gep(_array(context, builder, signature, args, 0).data, [args[1]]), byte)
    kind = ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32])
    to_read, second_level, data = (ir.Constant(_I32, number) for number in (0, 2, 1))
    builder.call(builder.module.declare_intrinsic("llvm.prefetch", [byte], kind), [place, to_read, second_level, data])
    return context.get_dummy_value()


def _emit_mask_below(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    values = _load(builder, builder.gep(_array(context, builder, signature, args, 0).data, [args[1]]))
    element = values.type.element
    limit = args[2] if element == args[2].type else builder.fptrunc(args[2], element)
    return builder.bitcast(builder.fcmp_unordered("<", values, _spread(builder, limit)), _I64)


def _emit_first_bit(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
    return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))


def _flip(builder: Any, bits: Any) -> Any:
    """Turn the order of negative numbers around, in both directions."""
    width = bits.type.width
    negative = builder.ashr(bits, ir.Constant(bits.type, width - 1))
    return builder.xor(bits, builder.and_(negative, ir.Constant(bits.type, (1 << (width - 1)) - 1)))


def _emit_ordered(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
    single = isinstance(args[0].type, ir.FloatType)
    key = _flip(builder, builder.bitcast(args[0], _I32 if single else _I64))
    return builder.sext(key, _I64) if single else key


def _emit_unordered(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
    single = isinstance(args[1].type, ir.FloatType)
    return builder.bitcast(_flip(builder, builder.trunc(args[0], _I32) if single else args[0]), args[1].type)


@intrinsic  # type: ignore[untyped-decorator]
def _add_rows(
    _typing: Any, row: Any, quantity: Any, first: Any, last: Any, matrix: Any, block: Any, start: Any, out: Any
) -> Any:
    return types.void(row, quantity, first, last, matrix, block, start, out), _emit_add_rows


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch(_typing: Any, values: Any, place: Any) -> Any:
    return types.void(values, place), _emit_prefetch


@intrinsic  # type: ignore[untyped-decorator]
def _mask_below(_typing: Any, values: Any, start: Any, _limit: Any) -> Any:
    return types.uint64(values, start, types.float64), _emit_mask_below


@intrinsic  # type: ignore[untyped-decorator]
def _first_bit(_typing: Any, mask: Any) -> Any:
    return types.int64(mask), _emit_first_bit


@intrinsic  # type: ignore[untyped-decorator]
def _ordered(_typing: Any, value: Any) -> Any:
    return types.int64(value), _emit_ordered


@intrinsic  # type: ignore[untyped-decorator]
def _unordered(_typing: Any, _key: Any, like: Any) -> Any:
    return like(types.int64, like), _emit_unordered


if not config.DISABLE_JIT:
    add_rows, prefetch, mask_below = _add_rows, _prefetch, _mask_below
    first_bit, ordered, unordered = _first_bit, _ordered, _unordered
