"""Python functions that kernels replace by instructions of LLVM's own, and the pieces of such instructions.

LLVM does not find every vector by itself, and numba has no word for some operations of a machine. Both are written as
intrinsics of numba: a *lowering* types the arguments and emits the code, or returns None for arguments that it does not
take. Each stands on a plain function that says what it does and runs in its place with NUMBA_DISABLE_JIT=1 (`lowered`).

None of this looks at the bounds of arrays: the kernels that use it do. Arrays are contiguous.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from llvmlite import ir
from numba.core import cgutils, config
from numba.extending import intrinsic

Lowering = tuple[Any, Callable[[Any, Any, Any, Any], Any]]
_Function = TypeVar("_Function", bound=Callable[..., object])

BIT, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
SINGLE, DOUBLE = ir.FloatType(), ir.DoubleType()


def lowered(lowering: Callable[..., Lowering | None]) -> Callable[[_Function], _Function]:
    """Give a plain function the instructions that kernels have in its place."""

    def choose(plain: _Function) -> _Function:
        return plain if cast("Any", config).DISABLE_JIT else cast("_Function", intrinsic(lowering))

    return choose


def data_of(context: Any, builder: Any, kind: Any, array: Any) -> tuple[Any, list[Any]]:
    """Return the address of an array's first element, and the lengths of its axes."""
    made = context.make_array(kind)(context, builder, array)
    return made.data, cgutils.unpack_tuple(builder, made.shape)  # type: ignore[no-untyped-call]


def spread(builder: Any, scalar: Any, lanes: int) -> Any:
    """Return a vector with one number in all lanes."""
    nothing = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    first = builder.insert_element(nothing, scalar, ir.Constant(I32, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(I32, lanes), None))


def lanes_at(builder: Any, data: Any, offset: Any, lanes: int) -> Any:
    """Return the address of so many elements from an offset on."""
    vector = ir.VectorType(data.type.pointee, lanes)
    return builder.bitcast(builder.gep(data, [offset]), vector.as_pointer())


def _alignment(data: Any) -> int:
    return 4 if data.type.pointee == SINGLE else 8  # an element's: rows of arrays begin anywhere


def load_lanes(builder: Any, data: Any, offset: Any, lanes: int) -> Any:
    """Return `data[offset : offset + lanes]` as a vector."""
    return builder.load(lanes_at(builder, data, offset, lanes), align=_alignment(data))


def store_lanes(builder: Any, vector: Any, data: Any, offset: Any) -> None:
    """Write a vector to `data[offset : offset + lanes]`."""
    builder.store(vector, lanes_at(builder, data, offset, vector.type.count), align=_alignment(data))


def fmuladd(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a b + c of numbers or vectors: rounded once where the CPU fuses, twice elsewhere."""
    kind = a.type
    lanes, number = (f"v{kind.count}", kind.element) if isinstance(kind, ir.VectorType) else ("", kind)
    name = f"llvm.fmuladd.{lanes}{'f32' if number == SINGLE else 'f64'}"
    function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module, ir.FunctionType(kind, [kind] * 3), name
    )
    return builder.call(function, [a, b, c])


def fold(builder: Any, begin: Any, first: Any, last: Any, step: Callable[[Any, Any], Any]) -> Any:
    """Return what `step(total, k)` makes of `begin` over k = first .. last - 1, kept in registers."""
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
