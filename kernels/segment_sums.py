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

from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types

from kernels._jit import Floats, Ints, kernel
from kernels._lowering import BIT, I64, Lowering, data_of, fmuladd, lanes_at, lowered, spread
from kernels._operations import muladd
from kernels.vectors import LANES, VECTOR


def _widest() -> int:
    """Return how many vectors of sums stay in registers beside one for the quantity."""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 14  # of 32 registers: what model P's finest table needs
    return 7 if features.get("avx2") else 3  # in 14 and 12 of 16


WIDEST = _widest()


def _emit_segments(builder: Any, count: int, data: Any, place: Any, span: Any, after: Any) -> Any:
    """Emit the loop over segments, each with `count` vectors of sums in registers until it ends, then go to `after`.

    Returns the block that goes there and whether any row was beyond the last.
    """
    (table, indptr, row, quantity, out), (stride, column, last), (begin, end) = data, place, span
    zero, one, no = ir.Constant(VECTOR, None), ir.Constant(I64, 1), ir.Constant(BIT, 0)
    before_all, segment, position, done = builder.block, *(builder.append_basic_block() for _ in range(3))
    builder.branch(segment)

    builder.position_at_end(segment)
    a, beyond_so_far = builder.phi(I64), builder.phi(BIT)
    next_a = builder.add(a, one)
    start, stop = (builder.load(builder.gep(indptr, [at])) for at in (a, next_a))
    builder.cbranch(builder.icmp_signed("<", start, stop), position, done)

    builder.position_at_end(position)
    k, beyond_before = builder.phi(I64), builder.phi(BIT)
    before = [builder.phi(VECTOR) for _ in range(count)]
    named = builder.load(builder.gep(row, [k]))
    beyond = builder.icmp_unsigned(">", named, last)
    unit = builder.mul(builder.select(beyond, last, named), stride)
    units = lanes_at(builder, table, builder.add(unit, column), LANES)
    held = spread(builder, builder.load(builder.gep(quantity, [k])), LANES)
    loads = [builder.load(builder.gep(units, [ir.Constant(I64, i)]), align=8) for i in range(count)]
    sums = [fmuladd(builder, held, x, total) for x, total in zip(loads, before, strict=True)]
    next_k, beyond_now = builder.add(k, one), builder.or_(beyond_before, beyond)
    builder.cbranch(builder.icmp_signed("<", next_k, stop), position, done)
    initial, later = (start, beyond_so_far, *[zero] * count), (next_k, beyond_now, *sums)
    for phi, first, following in zip((k, beyond_before, *before), initial, later, strict=True):
        phi.add_incoming(first, segment)
        phi.add_incoming(following, position)

    builder.position_at_end(done)
    beyond_then = builder.phi(BIT)
    totals = [builder.phi(VECTOR) for _ in range(count)]
    for phi, first, following in zip((beyond_then, *totals), initial[1:], later[1:], strict=True):
        phi.add_incoming(first, segment)
        phi.add_incoming(following, position)
    target = lanes_at(builder, out, builder.add(builder.mul(builder.sub(a, begin), stride), column), LANES)
    for i, total in enumerate(totals):
        builder.store(total, builder.gep(target, [ir.Constant(I64, i)]), align=8)
    for phi, first, following in ((a, begin, next_a), (beyond_so_far, no, beyond_then)):
        phi.add_incoming(first, before_all)
        phi.add_incoming(following, done)
    builder.cbranch(builder.icmp_signed("<", next_a, end), segment, after)
    return done, beyond_then


def _lower_sums(
    _typing: Any, _count: Any, table: Any, _stride: Any, _column: Any, _last: Any, indptr: Any, row: Any, quantity: Any,
    _begin: Any, _end: Any, out: Any,
) -> Lowering:  # fmt: skip
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = [data_of(context, builder, signature.args[i], args[i])[0] for i in (1, 5, 6, 7, 10)]
        start, after = builder.block, builder.append_basic_block()
        choice = builder.switch(args[0], after)
        ways = [(start, ir.Constant(BIT, 0))]
        for number in range(1, WIDEST + 1):
            block = builder.append_basic_block()
            choice.add_case(ir.Constant(I64, number), block)
            builder.position_at_end(block)
            ways.append(_emit_segments(builder, number, data, args[2:5], args[8:10], after))
        builder.position_at_end(after)
        beyond = builder.phi(BIT)
        for block, value in ways:
            beyond.add_incoming(value, block)
        return beyond

    i8 = types.int64
    return types.boolean(i8, table, i8, i8, i8, indptr, row, quantity, i8, i8, out), code


@lowered(_lower_sums)
def _sums(
    count: int, table: Floats, stride: int, column: int, last: int, indptr: Ints, row: Ints, quantity: Floats,
    begin: int, end: int, out: Floats,
) -> bool:  # fmt: skip
    """Write `8 count` columns of the sums of segments begin .. end - 1, one or more, a table row's length for each.

    A position whose row is beyond `last` is read as `last`: returns whether there was one. count: 1 to WIDEST.
    """
    beyond = False
    for a in range(begin, end):
        total = np.zeros(LANES * count)
        for k in range(indptr[a], indptr[a + 1]):
            beyond |= not 0 <= row[k] <= last
            unit = min(row[k] % (last + 1), last) * stride + column
            units = table[unit : unit + LANES * count]
            total = np.array([muladd(quantity[k], x, before) for x, before in zip(units, total, strict=True)])
        at = (a - begin) * stride + column
        out[at : at + LANES * count] = total
    return beyond


CHUNK = 64  # segments whose sums wait in the first-level cache for their reduction


@kernel("i8[::1], i8[::1], f8[::1], f8[::1], i8, i8, i8, f8[::1]")
def sum_segments(
    indptr: Ints, row: Ints, quantity: Floats, table: Floats, stride: int, begin: int, end: int, sums: Floats
) -> None:
    """Write the sums of segments begin .. end - 1 (as in `kernels.blocks`), one table row's length for each.

    table: float64[rows * stride] from `kernels.segment_tables`; sums: float64[>= (end - begin) stride]. An empty
    segment is 0. Raises ValueError on a row that does not exist; for segments `check_segments` comes first.
    """
    if begin >= end:
        return
    vectors, last = stride // LANES, table.shape[0] // max(stride, 1) - 1
    passes = (vectors + WIDEST - 1) // WIDEST
    beyond = False
    for p in range(passes):
        left, right = vectors * p // passes, vectors * (p + 1) // passes
        beyond |= _sums(right - left, table, stride, left * LANES, last, indptr, row, quantity, begin, end, sums)
    if beyond:
        raise ValueError("a position names a row that does not exist")
