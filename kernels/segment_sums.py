"""Sums of one segment over the columns of a table, all of them in registers until the segment ends.

    out[i] = sum over k of quantity[k] table[row[k], i]

LLVM keeps an array that a loop adds to in memory: it does not see that 45 sums fit into registers, and loads and stores
each of them for every position. Here they are vectors that the loop carries (`kernels.vectors`), as many at a time as
the machine has registers for; a wider table takes more passes over the positions.

Multiplication and addition are fused where the hardware does it (LLVM's fmuladd), which doubles the speed on most
processors with AVX2 or AVX-512. Every sum of a position and a scenario is computed here and nowhere else, in the order
of the positions, so forms that must agree agree bit for bit; a machine without fused multiplication rounds once more
per position (`docs/decisions/0135-sums-in-registers.md`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from kernels._jit import FEATURES, Floats, Ints, kernel
from kernels.segment_tables import check_positions
from kernels.vectors import LANES, VECTOR, broadcast, data_of, lanes_at, or_plain

_INT, _BIT = ir.IntType(64), ir.IntType(1)


def _widest() -> int:
    """Return how many vectors of sums stay in registers beside one for the quantity."""
    if "+avx512f" in FEATURES:
        return 14  # of 32 registers: what model P's finest table needs
    return 7 if "+avx2" in FEATURES else 3  # in 14 and 12 of 16


WIDEST = _widest()


def _opaque(builder: Any, x: Any) -> Any:
    """Return x in a way that LLVM cannot count with: it would take two positions at a time and the odd one apart.

    Whether a segment is odd is one more jump that cannot be foretold.
    """
    return builder.asm(ir.FunctionType(_INT, [_INT]), "", "=r,0", [x], False)


def emit_segments(
    builder: Any, count: int, data: Any, place: Any, span: Any, after: Any, finish: Callable[[Any, list[Any]], Any]
) -> Any:
    """Emit the loop over segments, each with `count` vectors of sums in registers until it ends, then go to `after`.

    `finish` emits what becomes of the sums of a segment, whose number counts from the first, and returns a bit or None.
    Returns the block that goes to `after`, and whether any such bit was set.
    """
    (table, indptr, row, quantity), (stride, column), (begin, end) = data, place, span
    name, kind = f"llvm.fmuladd.v{LANES}f64", ir.FunctionType(VECTOR, [VECTOR] * 3)
    fused = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
    zero, one, no = ir.Constant(VECTOR, None), ir.Constant(_INT, 1), ir.Constant(_BIT, 0)
    before_all, segment, position, done = builder.block, *(builder.append_basic_block() for _ in range(3))
    builder.branch(segment)

    builder.position_at_end(segment)
    a, bit_so_far = builder.phi(_INT), builder.phi(_BIT)
    next_a = builder.add(a, one)
    start, stop = (builder.load(builder.gep(indptr, [at])) for at in (a, next_a))
    builder.cbranch(builder.icmp_signed("<", start, stop), position, done)

    builder.position_at_end(position)
    k = builder.phi(_INT)
    before = [builder.phi(VECTOR) for _ in range(count)]
    unit = builder.mul(builder.load(builder.gep(row, [k])), stride)
    units = lanes_at(builder, table, builder.add(unit, column))
    held = broadcast(builder, builder.load(builder.gep(quantity, [k])))
    loads = [builder.load(builder.gep(units, [ir.Constant(_INT, i)]), align=8) for i in range(count)]
    sums = [builder.call(fused, [held, x, total]) for x, total in zip(loads, before, strict=True)]
    next_k = _opaque(builder, builder.add(k, one))
    builder.cbranch(builder.icmp_signed("<", next_k, stop), position, done)
    initial, later = (start, *[zero] * count), (next_k, *sums)
    for phi, first, following in zip((k, *before), initial, later, strict=True):
        phi.add_incoming(first, segment)
        phi.add_incoming(following, position)

    builder.position_at_end(done)
    totals = [builder.phi(VECTOR) for _ in range(count)]
    for phi, first, following in zip(totals, initial[1:], later[1:], strict=True):
        phi.add_incoming(first, segment)
        phi.add_incoming(following, position)
    bit = finish(builder.sub(a, begin), totals)
    bit_then = bit_so_far if bit is None else builder.or_(bit_so_far, bit)
    for phi, first, following in ((a, begin, next_a), (bit_so_far, no, bit_then)):
        phi.add_incoming(first, before_all)
        phi.add_incoming(following, done)
    builder.cbranch(builder.icmp_signed("<", next_a, end), segment, after)
    return done, bit_then


def emit_cases(builder: Any, chosen: Any, emitters: list[Callable[[Any], Any]]) -> Any:
    """Emit a choice by number among loops of `emit_segments`; return the bit of the one that ran."""
    start, after, no = builder.block, builder.append_basic_block(), ir.Constant(_BIT, 0)
    choice = builder.switch(chosen, after)
    ways = [(start, no)]
    for number, emitter in enumerate(emitters):
        block = builder.append_basic_block()
        choice.add_case(ir.Constant(_INT, number), block)
        builder.position_at_end(block)
        ways.append(emitter(after))
    builder.position_at_end(after)
    bit = builder.phi(_BIT)
    for block, found in ways:
        bit.add_incoming(found, block)
    return bit


def _plain_sums(
    count: int, table: Floats, stride: int, column: int, indptr: Ints, row: Ints, quantity: Floats,
    begin: int, end: int, out: Floats, out_stride: int, to: int,
) -> None:  # fmt: skip
    for a in range(begin, end):
        total = np.zeros(LANES * count)
        for k in range(indptr[a], indptr[a + 1]):
            unit = row[k] * stride + column
            total += quantity[k] * table[unit : unit + LANES * count]
        at = (a - begin) * out_stride + to
        out[at : at + LANES * count] = total


@or_plain(_plain_sums)
def _sums(
    _: Any, count: Any, table: Any, stride: Any, column: Any, indptr: Any, row: Any,  # noqa: ARG001
    quantity: Any, begin: Any, end: Any, out: Any, out_stride: Any, to: Any,  # noqa: ARG001
) -> Any:  # fmt: skip
    """Write `8 count` columns of the sums of segments begin .. end - 1, at least one.

    A segment's begin at element `to` of its part of `out`. count: 1 to WIDEST.
    """

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        *data, out = (data_of(context, builder, signature.args[i], values[i]) for i in (1, 4, 5, 6, 9))

        def store(number: Any, totals: list[Any]) -> None:
            target = lanes_at(builder, out, builder.add(builder.mul(number, values[10]), values[11]))
            for i, total in enumerate(totals):
                builder.store(total, builder.gep(target, [ir.Constant(_INT, i)]), align=8)

        def loop(vectors: int) -> Callable[[Any], Any]:
            return lambda after: emit_segments(builder, vectors, data, values[2:4], values[7:9], after, store)

        loops = [loop(vectors) for vectors in range(1, WIDEST + 1)]
        emit_cases(builder, builder.sub(values[0], ir.Constant(_INT, 1)), loops)
        return context.get_dummy_value()

    i8 = types.int64
    return types.void(i8, table, i8, i8, indptr, row, quantity, i8, i8, out, i8, i8), emit


CHUNK = 64  # segments whose sums wait in the first-level cache for their reduction


@kernel("i8[::1], i8[::1], f8[::1], f8[::1], i8, i8, i8, i8, i8, f8[::1], i8, i8")
def sum_columns(
    indptr: Ints, row: Ints, quantity: Floats, table: Floats, stride: int, column: int, vectors: int, begin: int,
    end: int, sums: Floats, out_stride: int, to: int,
) -> None:  # fmt: skip
    """Write the sums of segments begin .. end - 1 (as in `kernels.blocks`) over some columns, whole vectors of them.

    table: float64[rows * stride] from `kernels.segment_tables`; sums: float64[>= (end - begin) out_stride], of each
    segment from element `to` on. An empty segment is 0. Raises ValueError on a row that does not exist; for segments
    `check_segments` comes first.
    """
    if begin >= end:
        return
    check_positions(row[indptr[begin] : indptr[end]], table.shape[0] // max(stride, 1))
    passes = (vectors + WIDEST - 1) // WIDEST
    for p in range(passes):
        left, right = vectors * p // passes, vectors * (p + 1) // passes
        _sums(
            right - left, table, stride, column + left * LANES, indptr, row, quantity, begin, end, sums,
            out_stride, to + left * LANES,
        )  # fmt: skip


@kernel("i8[::1], i8[::1], f8[::1], f8[::1], i8, i8, i8, f8[::1]")
def sum_segments(
    indptr: Ints, row: Ints, quantity: Floats, table: Floats, stride: int, begin: int, end: int, sums: Floats
) -> None:
    """Write the sums of segments begin .. end - 1 over all columns, one table row's length for each (`sum_columns`)."""
    sum_columns(indptr, row, quantity, table, stride, 0, stride // LANES, begin, end, sums, stride, 0)
