"""Machine operations on single numbers that neither Python nor numba has a word for.

`muladd` is where a product and a sum become one instruction with one rounding, on a CPU that has it. The compiler is
told, not allowed: contraction left to its taste may differ between a vector loop and its scalar rest, and the price of
an option would depend on its row. Thus kernels built of these agree bit for bit at every place of an array, as scalars
and as vectors of any width; a CPU without fused multiply-add differs in the last digits.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from math import isfinite
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from kernels._jit import FUSED
from kernels._lowering import BIT, DOUBLE, I32, I64, SINGLE, Lowering, data_of, fmuladd, lowered

_MAX_32, _MAX_64 = 0x7FFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF


def _lower_muladd(_typing: Any, _a: Any, _b: Any, _c: Any) -> Lowering:
    def code(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return fmuladd(builder, *args)

    return types.float64(types.float64, types.float64, types.float64), code


@lowered(_lower_muladd)
def muladd(a: float, b: float, c: float) -> float:
    """Return a b + c, rounded once where the CPU can."""
    if FUSED and isfinite(a) and isfinite(b) and isfinite(c):
        return float(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c)))
    return a * b + c


def _lower_horner(_typing: Any, _x: Any, coefficients: Any) -> Lowering:
    def code(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        x, table = args
        total = builder.extract_value(table, len(coefficients) - 1)
        for power in reversed(range(len(coefficients) - 1)):
            total = fmuladd(builder, total, x, builder.extract_value(table, power))
        return total

    return types.float64(types.float64, coefficients), code


@lowered(_lower_horner)
def horner(x: float, coefficients: tuple[float, ...]) -> float:
    """Return c0 + c1 x + c2 x^2 + ..., from the highest power down, without a loop."""
    total = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = muladd(total, x, c)
    return total


def _lower_bits(_typing: Any, _x: Any) -> Lowering:
    return types.uint64(types.float64), lambda _c, builder, _s, args: builder.bitcast(args[0], I64)


@lowered(_lower_bits)
def bits(x: float) -> np.uint64:
    """Return the 64 bits of a float."""
    return np.uint64(struct.unpack("<Q", struct.pack("<d", x))[0])


def _lower_from_bits(_typing: Any, _pattern: Any) -> Lowering:
    return types.float64(types.uint64), lambda _c, builder, _s, args: builder.bitcast(args[0], DOUBLE)


@lowered(_lower_from_bits)
def from_bits(pattern: np.uint64) -> float:
    """Return the float that has these 64 bits."""
    return float(struct.unpack("<d", struct.pack("<Q", int(pattern)))[0])


def _lower_first_bit(_typing: Any, mask: Any) -> Lowering:
    return types.int64(mask), lambda _c, builder, _s, args: builder.cttz(args[0], ir.Constant(BIT, 1))


@lowered(_lower_first_bit)
def first_bit(mask: np.uint64) -> int:
    """Return the number of the lowest bit that is set, of a mask that is not 0."""
    return (int(mask) & -int(mask)).bit_length() - 1


def _turned(builder: Any, pattern: Any) -> Any:
    """Turn the order of negative numbers around: of floats' bits to that of integers, and back."""
    width = pattern.type.width
    sign = builder.ashr(pattern, ir.Constant(pattern.type, width - 1))
    return builder.xor(pattern, builder.and_(sign, ir.Constant(pattern.type, (1 << (width - 1)) - 1)))


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
    pattern = int(np.asarray(value).view(np.int32 if single else np.int64))
    return pattern ^ ((pattern >> 63) & (_MAX_32 if single else _MAX_64))


def _lower_unordered(_typing: Any, _key: Any, like: Any) -> Lowering:
    def code(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        key = builder.trunc(args[0], I32) if args[1].type == SINGLE else args[0]
        return builder.bitcast(_turned(builder, key), args[1].type)

    return like(types.int64, like), code


@lowered(_lower_unordered)
def unordered(key: int, like: float) -> float:
    """Return the float whose key is given, of the type of `like`."""
    single = isinstance(like, np.float32)
    pattern = np.array(key ^ ((key >> 63) & (_MAX_32 if single else _MAX_64)), dtype=np.int32 if single else np.int64)
    return cast("float", pattern.view(np.float32 if single else np.float64)[()])


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
def prefetch(_values: NDArray[Any], _place: int) -> None:
    """Ask for the cache line of an element, counted through all axes; nothing happens if it does not exist."""
