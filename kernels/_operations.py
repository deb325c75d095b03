"""Machine operations that neither Python nor numba has a word for.

`muladd` is where a product and a sum become one instruction with one rounding, on a CPU that has it. The compiler is
told, not allowed: contraction left to its taste may differ between a vector loop and its scalar rest, and the price of
an option would depend on its row. Thus kernels built of these agree bit for bit at every place of an array, as scalars
and as vectors of any width; a CPU without fused multiply-add differs in the last digits.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from math import isfinite
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic

from kernels._jit import FUSED

_Function = TypeVar("_Function", bound=Callable[..., object])
_Lowering = tuple[Any, Callable[[Any, Any, Any, Any], Any]]


def _operation(lowering: Callable[..., _Lowering]) -> Callable[[_Function], _Function]:
    """Give a plain Python function, which a debugger steps through, the instructions that kernels have instead."""

    def pair(plain: _Function) -> _Function:
        return plain if cast("Any", config).DISABLE_JIT else cast("_Function", intrinsic(lowering))

    return pair


def _fmuladd(builder: Any, a: Any, b: Any, c: Any) -> Any:
    kind = a.type
    return builder.call(
        builder.module.declare_intrinsic("llvm.fmuladd", [kind], ir.FunctionType(kind, [kind] * 3)), [a, b, c]
    )


def _lower_muladd(_typing: Any, _a: Any, _b: Any, _c: Any) -> _Lowering:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _fmuladd(builder, *arguments)

    return types.float64(types.float64, types.float64, types.float64), code


@_operation(_lower_muladd)
def muladd(a: float, b: float, c: float) -> float:
    """Return a b + c, rounded once where the CPU can."""
    if FUSED and isfinite(a) and isfinite(b) and isfinite(c):
        return float(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c)))
    return a * b + c


def _lower_horner(_typing: Any, _x: Any, coefficients: Any) -> _Lowering:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        x, table = arguments
        total = builder.extract_value(table, len(coefficients) - 1)
        for power in reversed(range(len(coefficients) - 1)):
            total = _fmuladd(builder, total, x, builder.extract_value(table, power))
        return total

    return types.float64(types.float64, coefficients), code


@_operation(_lower_horner)
def horner(x: float, coefficients: tuple[float, ...]) -> float:
    """Return c0 + c1 x + c2 x^2 + ..., from the highest power down, without a loop."""
    total = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = muladd(total, x, c)
    return total


def _lower_bits(_typing: Any, _x: Any) -> _Lowering:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.uint64(types.float64), code


@_operation(_lower_bits)
def bits(x: float) -> np.uint64:
    """Return the 64 bits of a float."""
    return np.uint64(struct.unpack("<Q", struct.pack("<d", x))[0])


def _lower_from_bits(_typing: Any, _pattern: Any) -> _Lowering:
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.uint64), code


@_operation(_lower_from_bits)
def from_bits(pattern: np.uint64) -> float:
    """Return the float that has these 64 bits."""
    return float(struct.unpack("<d", struct.pack("<Q", int(pattern)))[0])
