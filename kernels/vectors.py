"""Eight doubles as one value, for the loops in which LLVM finds no vectors by itself.

The width is eight everywhere and LLVM's backend splits it into what the machine has: one register with AVX-512, two
with AVX2, four without either. So one source serves all machines, with one order of operations.

None of this looks at the bounds of arrays: the kernels that use it do. Arrays are one-dimensional and contiguous. Every
function has a plain form beside it, which runs with NUMBA_DISABLE_JIT=1: a vector is then a numpy array of eight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic, models, register_model

from kernels._jit import Floats, inlined

LANES = 8
INDEX = ir.IntType(32)
VECTOR = ir.VectorType(ir.DoubleType(), LANES)


class _Vector(types.Type):
    def __init__(self) -> None:
        super().__init__(name="vector of 8 doubles")


_TYPE = _Vector()


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, VECTOR)  # type: ignore[no-untyped-call]


def or_plain(plain: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """Make an intrinsic of a function that types and emits one; return its plain form where nothing is compiled."""
    return lambda emitter: plain if config.DISABLE_JIT else intrinsic(emitter)  # type: ignore[attr-defined]


def data_of(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """Return the address of an array's first element."""
    return context.make_array(kind)(context, builder, array).data


def lanes_at(builder: Any, data: Any, at: Any) -> Any:
    """Return the address of the eight doubles from element `at` on."""
    return builder.bitcast(builder.gep(data, [at]), VECTOR.as_pointer())


def broadcast(builder: Any, x: Any) -> Any:
    """Return a vector of eight times x."""
    nothing = ir.Constant(VECTOR, ir.Undefined)
    one = builder.insert_element(nothing, x, ir.Constant(INDEX, 0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(INDEX, LANES), None))


@or_plain(lambda array, at: array[at : at + LANES].copy())
def load(_: Any, array: Any, at: Any) -> Any:  # noqa: ARG001
    """Return `array[at : at + 8]`."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = data_of(context, builder, signature.args[0], values[0])
        return builder.load(lanes_at(builder, data, values[1]), align=8)

    return _TYPE(array, types.int64), emit


def _plain_store(array: Floats, at: int, x: Floats) -> None:
    array[at : at + LANES] = x


@or_plain(_plain_store)
def store(_: Any, array: Any, at: Any, x: Any) -> Any:  # noqa: ARG001
    """Write x to `array[at : at + 8]`."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = data_of(context, builder, signature.args[0], values[0])
        builder.store(values[2], lanes_at(builder, data, values[1]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, x), emit


@or_plain(lambda x: np.full(LANES, x))
def splat(_: Any, x: Any) -> Any:  # noqa: ARG001
    """Return eight times x."""
    return _TYPE(types.float64), lambda _c, builder, _s, values: broadcast(builder, values[0])


@or_plain(lambda x: float(x[0]))
def first(_: Any, x: Any) -> Any:
    """Return lane 0."""
    return types.float64(x), lambda _c, b, _s, values: b.extract_element(values[0], ir.Constant(INDEX, 0))


@or_plain(lambda x, distance: x[np.arange(LANES) ^ distance])
def swapped(_: Any, x: Any, distance: Any) -> Any:
    """Return x with the lanes changed over whose numbers differ by 1, 2 or 4 (a literal): what folds eight into one."""
    if not isinstance(distance, types.IntegerLiteral):
        return None
    order = ir.Constant(ir.VectorType(INDEX, LANES), [lane ^ distance.literal_value for lane in range(LANES)])
    return _TYPE(x, distance), lambda _c, b, _s, values: b.shuffle_vector(values[0], values[0], order)


def _elementwise(plain: Callable[..., Any], operation: Callable[[Any, Any, Any], Any]) -> Any:
    """Return an intrinsic of two vectors, lane by lane."""

    @or_plain(plain)
    def elementwise(_: Any, x: Any, y: Any) -> Any:
        return _TYPE(x, y), lambda _c, builder, _s, values: operation(builder, *values)

    return elementwise


add = _elementwise(np.add, lambda builder, x, y: builder.fadd(x, y))
subtract = _elementwise(np.subtract, lambda builder, x, y: builder.fsub(x, y))
multiply = _elementwise(np.multiply, lambda builder, x, y: builder.fmul(x, y))
# One instruction each: where x or y is NaN the result is y.
smaller = _elementwise(
    lambda x, y: np.where(x < y, x, y), lambda b, x, y: b.select(b.fcmp_ordered("<", x, y), x, y)
)  # fmt: skip
larger = _elementwise(
    lambda x, y: np.where(x > y, x, y), lambda b, x, y: b.select(b.fcmp_ordered(">", x, y), x, y)
)  # fmt: skip


@or_plain(lambda x, y, a, b: np.where(x < y, a, b))
def where_smaller(_: Any, x: Any, y: Any, a: Any, b: Any) -> Any:
    """Return a's lane where x < y, and b's where not or where one is NaN."""

    def emit(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", values[0], values[1]), values[2], values[3])

    return _TYPE(x, y, a, b), emit


@or_plain(lambda: np.arange(float(LANES)))
def numbers(_: Any) -> Any:
    """Return the numbers of the lanes, 0 to 7."""
    return _TYPE(), lambda _c, _b, _s, _v: ir.Constant(VECTOR, [float(lane) for lane in range(LANES)])


@inlined()
def sum_of(x: Any) -> Any:
    """Return the sum of the lanes, by halves."""
    x = add(x, swapped(x, 4))
    x = add(x, swapped(x, 2))
    return first(add(x, swapped(x, 1)))


@inlined()
def smallest_of(x: Any) -> Any:
    """Return the smallest lane; x holds no NaN."""
    x = smaller(x, swapped(x, 4))
    x = smaller(x, swapped(x, 2))
    return first(smaller(x, swapped(x, 1)))


@inlined()
def largest_of(x: Any) -> Any:
    """Return the largest lane; x holds no NaN."""
    x = larger(x, swapped(x, 4))
    x = larger(x, swapped(x, 2))
    return first(larger(x, swapped(x, 1)))
