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
from numba.core import cgutils

from kernels._jit import Floats, Ints, inlined, kernel
from kernels.vectors import LANES, VECTOR, broadcast, data_of, lanes_at, or_plain

_INT = ir.IntType(64)


def _widest() -> int:
    """Return how many vectors of sums stay in registers beside one for the quantity."""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 14  # of 32 registers: what model P's finest table needs
    return 7 if features.get("avx2") else 3  # in 14 and 12 of 16


WIDEST = _widest()


def _emit_segments(builder: Any, count: int, data: Any, place: Any, span: Any, after: Any) -> None:
    """Emit the loop over segments, each with `count` vectors of sums in registers until it ends."""
    (table, indptr, row, quantity, out), (stride, column), (begin, end) = data, place, span
    kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
    name = f"llvm.fmuladd.v{LANES}f64"
    fused = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
    zero, one = ir.Constant(VECTOR, None), ir.Constant(_INT, 1)
    before_all, segment, position, done = builder.block, *(builder.append_basic_block() for _ in range(3))
    builder.cbranch(builder.icmp_signed("<", begin, end), segment, after)

    builder.position_at_end(segment)
    a = builder.phi(_INT)
    next_a = builder.add(a, one)
    start, stop = (builder.load(builder.gep(indptr, [at])) for at in (a, next_a))
    builder.cbranch(builder.icmp_signed("<", start, stop), position, done)

    builder.position_at_end(position)
    k = builder.phi(_INT)
    before = [builder.phi(VECTOR) for _ in range(count)]
    unit = lanes_at(builder, table, builder.add(builder.mul(builder.load(builder.gep(row, [k])), stride), column))
    held = broadcast(builder, builder.load(builder.gep(quantity, [k])))
    loads = [builder.load(builder.gep(unit, [ir.Constant(_INT, i)]), align=8) for i in range(count)]
    sums = [builder.call(fused, [held, x, total]) for x, total in zip(loads, before, strict=True)]
    next_k = builder.add(k, one)
    builder.cbranch(builder.icmp_signed("<", next_k, stop), position, done)
    for phi, initial, later in zip((k, *before), (start, *[zero] * count), (next_k, *sums), strict=True):
        phi.add_incoming(initial, segment)
        phi.add_incoming(later, position)

    builder.position_at_end(done)
    totals = [builder.phi(VECTOR) for _ in range(count)]
    target = lanes_at(builder, out, builder.add(builder.mul(builder.sub(a, begin), stride), column))
    for i, total in enumerate(totals):
        total.add_incoming(zero, segment)
        total.add_incoming(sums[i], position)
        builder.store(total, builder.gep(target, [ir.Constant(_INT, i)]), align=8)
    a.add_incoming(begin, before_all)
    a.add_incoming(next_a, done)
    builder.cbranch(builder.icmp_signed("<", next_a, end), segment, after)


def _plain_sums(
    count: int, table: Floats, stride: int, column: int, indptr: Ints, row: Ints, quantity: Floats, begin: int,
    end: int, out: Floats,
) -> None:  # fmt: skip
    for a in range(begin, end):
        total = np.zeros(LANES * count)
        for k in range(indptr[a], indptr[a + 1]):
            unit = row[k] * stride + column
            total += quantity[k] * table[unit : unit + LANES * count]
        at = (a - begin) * stride + column
        out[at : at + LANES * count] = total


@or_plain(_plain_sums)
def _sums(
    _: Any, count: Any, table: Any, stride: Any, column: Any, indptr: Any, row: Any,  # noqa: ARG001
    quantity: Any, begin: Any, end: Any, out: Any,  # noqa: ARG001
) -> Any:  # fmt: skip
    """Write `8 count` columns of the sums of some segments, a table row's length for each; nothing beyond WIDEST."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = [data_of(context, builder, signature.args[i], values[i]) for i in (1, 4, 5, 6, 9)]
        after = builder.append_basic_block()
        choice = builder.switch(values[0], after)
        for number in range(1, WIDEST + 1):
            block = builder.append_basic_block()
            choice.add_case(ir.Constant(_INT, number), block)
            builder.position_at_end(block)
            _emit_segments(builder, number, data, (values[2], values[3]), (values[7], values[8]), after)
        builder.position_at_end(after)
        return context.get_dummy_value()

    i8 = types.int64
    return types.void(i8, table, i8, i8, indptr, row, quantity, i8, i8, out), emit


CHUNK = 16  # segments whose sums wait in the first-level cache for their reduction


@inlined()
def stride_of(columns: int) -> int:
    """Return the length of a table row that holds so many columns: a whole number of vectors."""
    return (columns + LANES - 1) // LANES * LANES


@kernel("i8, i8")
def empty_table(rows: int, columns: int) -> Floats:
    """Return zeros, float64[rows * stride], that begin at a cache line: a vector across two lines costs two loads."""
    size = rows * stride_of(columns)
    raw = np.zeros(size + LANES)
    skipped = (-raw.ctypes.data // raw.itemsize) % LANES
    return raw[skipped : skipped + size]


@kernel("i8[::1], i8[::1], i8")
def table_rows(indptr: Ints, row: Ints, rows: int) -> tuple[Ints, Ints]:
    """Return which instrument each row of a table is to hold, and the table row of each position.

    All instruments in their order; but one row per position where there are fewer of these, as in a call for one
    account. The sums are the same to the last bit.
    """
    positions = indptr[-1]
    if positions < rows:
        held = row[:positions].copy()
        held[: indptr[0]] = 0  # not part of any segment, and nobody looked at it
        return held, np.arange(positions)
    return np.arange(rows), row


@kernel("i8[::1], i8[::1], f8[::1], f8[::1], i8, i8, i8, f8[::1]")
def sum_segments(
    indptr: Ints, row: Ints, quantity: Floats, table: Floats, stride: int, begin: int, end: int, sums: Floats
) -> None:
    """Write the sums of segments begin .. end - 1 (as in `kernels.blocks`), one table row's length for each.

    table: float64[rows * stride] from `empty_table`; sums: float64[>= (end - begin) stride]. An empty segment is 0.
    Nothing is checked: `kernels.blocks.check_segments` comes first, once for all of them.
    """
    vectors = stride // LANES
    passes = (vectors + WIDEST - 1) // WIDEST
    for p in range(passes):
        left, right = vectors * p // passes, vectors * (p + 1) // passes
        _sums(right - left, table, stride, left * LANES, indptr, row, quantity, begin, end, sums)
