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

from kernels._jit import FEATURES, Floats, Ints, kernel
from kernels._lowering import BIT, I64, Lowering, data_of, fmuladd, lanes_at, lowered, spread
from kernels._operations import muladd
from kernels.vectors import LANES, VECTOR


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
    return builder.asm(ir.FunctionType(I64, [I64]), "", "=r,0", [x], False)


def emit_segments(
    builder: Any, count: int, data: Any, place: Any, span: Any, after: Any, finish: Callable[[Any, list[Any]], Any]
) -> Any:
    """Emit the loop over segments, each with `count` vectors of sums in registers until it ends, then go to `after`.

    `finish` emits what becomes of the sums of a segment, whose number counts from the first, and returns a bit or None.
    Returns the block that goes to `after`, and whether any such bit was set.
    """
    (table, start_of, stop_of, row, quantity), (stride, column), (begin, end) = data, place, span
    zero, one, no = ir.Constant(VECTOR, None), ir.Constant(I64, 1), ir.Constant(BIT, 0)
    before_all, segment, position, done = builder.block, *(builder.append_basic_block() for _ in range(3))
    builder.branch(segment)

    builder.position_at_end(segment)
    a, bit_so_far = builder.phi(I64), builder.phi(BIT)
    next_a = builder.add(a, one)
    start, stop = (builder.load(builder.gep(of, [a])) for of in (start_of, stop_of))
    builder.cbranch(builder.icmp_signed("<", start, stop), position, done)

    builder.position_at_end(position)
    k = builder.phi(I64)
    before = [builder.phi(VECTOR) for _ in range(count)]
    unit = builder.mul(builder.load(builder.gep(row, [k])), stride)
    units = lanes_at(builder, table, builder.add(unit, column), LANES)
    held = spread(builder, builder.load(builder.gep(quantity, [k])), LANES)
    loads = [builder.load(builder.gep(units, [ir.Constant(I64, i)]), align=8) for i in range(count)]
    sums = [fmuladd(builder, held, x, total) for x, total in zip(loads, before, strict=True)]
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
    start, after, no = builder.block, builder.append_basic_block(), ir.Constant(BIT, 0)
    choice = builder.switch(chosen, after)
    ways = [(start, no)]
    for number, emitter in enumerate(emitters):
        block = builder.append_basic_block()
        choice.add_case(ir.Constant(I64, number), block)
        builder.position_at_end(block)
        ways.append(emitter(after))
    builder.position_at_end(after)
    bit = builder.phi(BIT)
    for block, found in ways:
        bit.add_incoming(found, block)
    return bit


def plain_sums(table: Floats, start: int, columns: int, stride: int, row: Ints, quantity: Floats) -> Floats:
    """Return the sums of one segment over some columns from `start` on, as the loop of `emit_segments` rounds them."""
    total = np.zeros(columns)
    for unit, held in zip(row * stride + start, quantity, strict=True):
        units = table[unit : unit + columns]
        total = np.array([muladd(held, x, before) for x, before in zip(units, total, strict=True)])
    return total


def _lower_sums(
    _typing: Any, _count: Any, table: Any, _stride: Any, _column: Any, start: Any, stop: Any, row: Any, quantity: Any,
    _begin: Any, _end: Any, out: Any, _out_stride: Any, _to: Any,
) -> Lowering:  # fmt: skip
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        *data, out = (data_of(context, builder, signature.args[i], args[i])[0] for i in (1, 4, 5, 6, 7, 10))

        def store(number: Any, totals: list[Any]) -> None:
            target = lanes_at(builder, out, builder.add(builder.mul(number, args[11]), args[12]), LANES)
            for i, total in enumerate(totals):
                builder.store(total, builder.gep(target, [ir.Constant(I64, i)]), align=8)

        def loop(vectors: int) -> Callable[[Any], Any]:
            return lambda after: emit_segments(builder, vectors, data, args[2:4], args[8:10], after, store)

        loops = [loop(vectors) for vectors in range(1, WIDEST + 1)]
        emit_cases(builder, builder.sub(args[0], ir.Constant(I64, 1)), loops)
        return context.get_dummy_value()

    i8 = types.int64
    return types.void(i8, table, i8, i8, start, stop, row, quantity, i8, i8, out, i8, i8), code


@lowered(_lower_sums)
def _sums(
    count: int, table: Floats, stride: int, column: int, start: Ints, stop: Ints, row: Ints, quantity: Floats,
    begin: int, end: int, out: Floats, out_stride: int, to: int,
) -> None:  # fmt: skip
    """Write `8 count` columns of the sums of segments begin .. end - 1, at least one.

    A segment's begin at element `to` of its part of `out`. count: 1 to WIDEST.
    """
    for a in range(begin, end):
        own, at = slice(start[a], stop[a]), (a - begin) * out_stride + to
        out[at : at + LANES * count] = plain_sums(table, column, LANES * count, stride, row[own], quantity[own])


CHUNK = 64  # segments whose sums wait in the first-level cache for their reduction


@kernel("i8[::1], i8[::1], i8[::1], f8[::1], f8[::1], i8, i8, i8, i8, i8, f8[::1], i8, i8")
def sum_columns(
    start: Ints, stop: Ints, row: Ints, quantity: Floats, table: Floats, stride: int, column: int, vectors: int,
    begin: int, end: int, sums: Floats, out_stride: int, to: int,
) -> None:  # fmt: skip
    """Write the sums of segments begin .. end - 1 over some columns, whole vectors of them.

    Segment a holds positions start[a] .. stop[a] - 1 (an empty one is 0). table: float64[rows * stride] from
    `kernels.segment_tables`; sums: float64[>= (end - begin) out_stride], of each segment from element `to` on. Nothing
    is checked: for rows and segments `check_segments` and `check_rows` come first.
    """
    if begin >= end:
        return
    passes = (vectors + WIDEST - 1) // WIDEST
    for p in range(passes):
        left, right = vectors * p // passes, vectors * (p + 1) // passes
        _sums(
            right - left, table, stride, column + left * LANES, start, stop, row, quantity, begin, end, sums,
            out_stride, to + left * LANES,
        )  # fmt: skip


@kernel("i8[::1], i8[::1], i8[::1], f8[::1], f8[::1], i8, i8, i8, f8[::1]")
def sum_segments(
    start: Ints, stop: Ints, row: Ints, quantity: Floats, table: Floats, stride: int, begin: int, end: int, sums: Floats
) -> None:
    """Write the sums of segments begin .. end - 1 over all columns, one table row's length for each (`sum_columns`)."""
    sum_columns(start, stop, row, quantity, table, stride, 0, stride // LANES, begin, end, sums, stride, 0)
