"""Floats and masks as integers, and a word to the cache: operations that numba has no name for.

As in `_lanes`, the plain functions run with NUMBA_DISABLE_JIT=1.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types

from kernels._lanes import I32, I64, SINGLE, Lowering, Singles, data_of, lowered

MAX_32, MAX_64 = 0x7FFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF


def _lower_first_bit(_typing: Any, mask: Any) -> Lowering:
    def code(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(mask), code


@lowered(_lower_first_bit)
def first_bit(mask: np.uint64) -> int:
    """Return the number of the lowest bit that is set, of a mask that is not 0."""
    return (int(mask) & -int(mask)).bit_length() - 1


def _turned(builder: Any, bits: Any) -> Any:
    """Turn the order of negative numbers around: of floats' bits to that of integers, and back."""
    width = bits.type.width
    sign = builder.ashr(bits, ir.Constant(bits.type, width - 1))
    return builder.xor(bits, builder.and_(sign, ir.Constant(bits.type, (1 << (width - 1)) - 1)))


def _lower_ordered(_typing: Any, value: Any) -> Lowering:
    def code(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        single = args[0].type == SINGLE
        key = _turned(builder, builder.bitcast(args[0], I32 if single else I64))
        return builder.sext(key, I64) if single else key

    return types.int64(value), code


@lowered(_lower_ordered)
def ordered(value: float) -> int:
    """Return a float's bits as an integer that compares as the float does, -0 just below 0, NaN beyond the infinities.

    value: numpy's float32 or float64, whose keys differ.
    """
    single = isinstance(value, np.float32)
    bits = int(np.asarray(value).view(np.int32 if single else np.int64))
    return bits ^ ((bits >> 63) & (MAX_32 if single else MAX_64))


def _lower_unordered(_typing: Any, _key: Any, like: Any) -> Lowering:
    def code(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        key = builder.trunc(args[0], I32) if args[1].type == SINGLE else args[0]
        return builder.bitcast(_turned(builder, key), args[1].type)

    return like(types.int64, like), code


@lowered(_lower_unordered)
def unordered(key: int, like: float) -> float:
    """Return the float whose key is given, of the type of `like`."""
    single = isinstance(like, np.float32)
    bits = np.array(key ^ ((key >> 63) & (MAX_32 if single else MAX_64)), dtype=np.int32 if single else np.int64)
    return cast("float", bits.view(np.float32 if single else np.float64)[()])


def _lower_prefetch(_typing: Any, values: Any, place: Any) -> Lowering:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        data, _ = data_of(context, builder, signature.args[0], args[0])
        address = builder.bitcast(builder.gep(data, [args[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, I32, I32, I32])
        to_read, second_level, is_data = (ir.Constant(I32, number) for number in (0, 2, 1))
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        builder.call(function, [address, to_read, second_level, is_data])
        return context.get_dummy_value()

    return types.void(values, place), code


@lowered(_lower_prefetch)
def prefetch(_values: Singles, _place: int) -> None:
    """Ask for the cache line of an element; nothing happens if it does not exist."""
