"""Eight doubles as one value, for the loops in which LLVM finds no vectors by itself.

The width is eight everywhere and LLVM's backend splits it into what the machine has: one register with AVX-512, two
with AVX2, four without either. So one source serves all machines, with one order of operations.

Nothing here looks at the bounds of arrays, which are one-dimensional and contiguous: the kernels that use it do. With
NUMBA_DISABLE_JIT=1 a vector is a numpy array of eight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from kernels._jit import Floats, inlined
from kernels._lowering import DOUBLE, I32, Lowering, data_of, load_lanes, lowered, spread, store_lanes

LANES = 8
VECTOR = ir.VectorType(DOUBLE, LANES)

Vector = Floats


class _Vector(types.Type):
    def __init__(self) -> None:
        super().__init__(name="vector of 8 doubles")


_TYPE = _Vector()


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, VECTOR)  # type: ignore[no-untyped-call]


def _lower_load(_typing: Any, array: Any, _at: Any) -> Lowering:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data, _ = data_of(context, builder, signature.args[0], args[0])
        return load_lanes(builder, data, args[1], LANES)

    return _TYPE(array, types.int64), code


@lowered(_lower_load)
def load(array: Floats, at: int) -> Vector:
    """Return `array[at : at + 8]`."""
    return array[at : at + LANES].copy()


def _lower_store(_typing: Any, array: Any, _at: Any, x: Any) -> Lowering:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data, _ = data_of(context, builder, signature.args[0], args[0])
        store_lanes(builder, args[2], data, args[1])
        return context.get_dummy_value()

    return types.void(array, types.int64, x), code


@lowered(_lower_store)
def store(array: Floats, at: int, x: Vector) -> None:
    """Write x to `array[at : at + 8]`."""
    array[at : at + LANES] = x


def _lower_splat(_typing: Any, _x: Any) -> Lowering:
    return _TYPE(types.float64), lambda _c, builder, _s, args: spread(builder, args[0], LANES)


@lowered(_lower_splat)
def splat(x: float) -> Vector:
    """Return eight times x."""
    return np.full(LANES, x)


def _lower_first(_typing: Any, x: Any) -> Lowering:
    return types.float64(x), lambda _c, builder, _s, args: builder.extract_element(args[0], ir.Constant(I32, 0))


@lowered(_lower_first)
def first(x: Vector) -> float:
    """Return lane 0."""
    return float(x[0])


def _lower_swapped(_typing: Any, x: Any, distance: Any) -> Lowering | None:
    if not isinstance(distance, types.IntegerLiteral):
        return None
    order = ir.Constant(ir.VectorType(I32, LANES), [lane ^ distance.literal_value for lane in range(LANES)])
    return _TYPE(x, distance), lambda _c, builder, _s, args: builder.shuffle_vector(args[0], args[0], order)


@lowered(_lower_swapped)
def swapped(x: Vector, distance: int) -> Vector:
    """Return x with the lanes changed over whose numbers differ by 1, 2 or 4 (a literal): what folds eight into one."""
    turned: Vector = x[np.arange(LANES) ^ distance]
    return turned


def _lower_pair(operation: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Lowering]:
    def lower(_typing: Any, x: Any, y: Any) -> Lowering:
        return _TYPE(x, y), lambda _c, builder, _s, args: operation(builder, *args)

    return lower


@lowered(_lower_pair(lambda builder, x, y: builder.fadd(x, y)))
def add(x: Vector, y: Vector) -> Vector:
    """Return x + y."""
    return np.add(x, y)


@lowered(_lower_pair(lambda builder, x, y: builder.fsub(x, y)))
def subtract(x: Vector, y: Vector) -> Vector:
    """Return x - y."""
    return np.subtract(x, y)


@lowered(_lower_pair(lambda builder, x, y: builder.fmul(x, y)))
def multiply(x: Vector, y: Vector) -> Vector:
    """Return x y."""
    return np.multiply(x, y)


@lowered(_lower_pair(lambda builder, x, y: builder.select(builder.fcmp_ordered("<", x, y), x, y)))
def smaller(x: Vector, y: Vector) -> Vector:
    """Return the smaller of each lane, by one instruction: where x or y is NaN it is y."""
    return np.where(x < y, x, y)


@lowered(_lower_pair(lambda builder, x, y: builder.select(builder.fcmp_ordered(">", x, y), x, y)))
def larger(x: Vector, y: Vector) -> Vector:
    """Return the larger of each lane, by one instruction: where x or y is NaN it is y."""
    return np.where(x > y, x, y)


def _lower_where_smaller(_typing: Any, x: Any, y: Any, a: Any, b: Any) -> Lowering:
    def code(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[2], args[3])

    return _TYPE(x, y, a, b), code


@lowered(_lower_where_smaller)
def where_smaller(x: Vector, y: Vector, a: Vector, b: Vector) -> Vector:
    """Return a's lane where x < y, and b's where not or where one is NaN."""
    return np.where(x < y, a, b)


def _lower_numbers(_typing: Any) -> Lowering:
    return _TYPE(), lambda _c, _b, _s, _a: ir.Constant(VECTOR, [float(lane) for lane in range(LANES)])


@lowered(_lower_numbers)
def numbers() -> Vector:
    """Return the numbers of the lanes, 0 to 7."""
    return np.arange(float(LANES))


@inlined()
def sum_of(x: Vector) -> float:
    """Return the sum of the lanes, by halves."""
    x = add(x, swapped(x, 4))
    x = add(x, swapped(x, 2))
    return first(add(x, swapped(x, 1)))


@inlined()
def smallest_of(x: Vector) -> float:
    """Return the smallest lane; x holds no NaN."""
    x = smaller(x, swapped(x, 4))
    x = smaller(x, swapped(x, 2))
    return first(smaller(x, swapped(x, 1)))


@inlined()
def largest_of(x: Vector) -> float:
    """Return the largest lane; x holds no NaN."""
    x = larger(x, swapped(x, 4))
    x = larger(x, swapped(x, 2))
    return first(larger(x, swapped(x, 1)))
