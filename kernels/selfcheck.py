"""Kernels with and without vectors: what `liqmon doctor` times to see whether LLVM vectorises on this machine.

A twin is the same source compiled once more with the loop vectoriser off. Its time over the kernel's is what vectors
gain: about 1 where the compiler found none, whatever the machine, its load and its clock. Machine code that looks like
vectors proves nothing: a check for overlapping arrays may send every call down the scalar path beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, NamedTuple, cast

import numpy as np
from numba import njit
from numba.core import config
from numba.core.dispatcher import Dispatcher

from kernels._jit import Floats, Kernel, kernel
from kernels.black76_arrays import FIRST_GREEKS, first_greeks_array

ROWS = 2048  # 32 kB of input and output: cache resident on every CPU

# What vectors must gain at least, by their width in bits: well below what was measured (3.5 to 3.8 of 256 bits, 1.9 to
# 2.0 of 128), well above the 1 of a loop without vectors. LLVM prefers 256 bits on many CPUs that have 512.
LEAST_GAIN = {512: 2.5, 256: 2.4, 128: 1.3}


class Pair(NamedTuple):
    """One call of a kernel over its rows, one of the same without vectors, and what these have to gain by width."""

    name: str
    rows: int
    vector: Callable[[], object]
    scalar: Callable[[], object]
    least_gain: Mapping[int, float]


@kernel("f8[::1], f8[::1]", fast=True)
def exponential(x: Floats, out: Floats) -> None:
    """Write exp(x) for |x| <= 1 by its Taylor polynomial of degree 17, error below 3e-16 relative.

    x, out: float64[n]. Raises ValueError on other shapes. The arithmetic of an option kernel without its divisions.
    """
    if x.shape[0] != out.shape[0]:
        raise ValueError("out must be as long as x")
    for i in range(out.shape[0]):
        v = x[i]
        p = 1.0 + v / 17.0
        p = 1.0 + v * p * (1.0 / 16.0)
        p = 1.0 + v * p * (1.0 / 15.0)
        p = 1.0 + v * p * (1.0 / 14.0)
        p = 1.0 + v * p * (1.0 / 13.0)
        p = 1.0 + v * p * (1.0 / 12.0)
        p = 1.0 + v * p * (1.0 / 11.0)
        p = 1.0 + v * p * (1.0 / 10.0)
        p = 1.0 + v * p * (1.0 / 9.0)
        p = 1.0 + v * p * (1.0 / 8.0)
        p = 1.0 + v * p * (1.0 / 7.0)
        p = 1.0 + v * p * (1.0 / 6.0)
        p = 1.0 + v * p * (1.0 / 5.0)
        p = 1.0 + v * p * (1.0 / 4.0)
        p = 1.0 + v * p * (1.0 / 3.0)
        p = 1.0 + v * p * (1.0 / 2.0)
        out[i] = 1.0 + v * p


def twin(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a kernel compiled once more, in memory, with LLVM's loop vectoriser off in it and in all it calls.

    The compiler's switch is the process's: not while others compile.
    """
    if not isinstance(function, Kernel):
        return function  # NUMBA_DISABLE_JIT=1
    switches: Any = config
    kept = switches.LOOP_VECTORIZE, switches.SLP_VECTORIZE
    switches.LOOP_VECTORIZE = switches.SLP_VECTORIZE = 0
    try:
        plain: Any = recompiled(function)
        plain.compile(function.declared)
    finally:
        switches.LOOP_VECTORIZE, switches.SLP_VECTORIZE = kept
    plain.disable_compile()
    return cast("Callable[..., Any]", plain)


def recompiled(function: Any) -> Any:
    """Return a copy of a kernel, not compiled yet, that calls such copies of the kernels it calls by their names."""
    source = function.py_func
    called = {name: source.__globals__.get(name) for name in source.__code__.co_names}
    copies = {name: recompiled(value) for name, value in called.items() if isinstance(value, Dispatcher)}
    options = {name: value for name, value in function.targetoptions.items() if name != "nopython"}
    return cast("Any", njit)(**options)(FunctionType(source.__code__, {**source.__globals__, **copies}))


def pair(
    name: str,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    rows: int,
    *,
    least_gain: Mapping[int, float] = LEAST_GAIN,
) -> Pair:
    """Return a kernel and its twin on the same arguments, of which a call works off `rows`."""
    plain = twin(function)
    return Pair(name, rows, lambda: function(*arguments), lambda: plain(*arguments), least_gain)


def pairs() -> tuple[Pair, ...]:
    """Return the kernels to time, whose loops LLVM has to vectorise by itself: a polynomial, and production code."""
    x = np.linspace(-1.0, 1.0, ROWS)
    forward, one = np.full(ROWS, 100.0), np.ones(ROWS)
    options = (x > 0.0, forward, forward * np.exp(x), 0.5 * one, 0.25 * one, 0.05 * one)
    return (
        pair("polynomial", exponential, (x, np.empty(ROWS)), ROWS),
        pair("Black-76 Greeks", first_greeks_array, (*options, np.empty((FIRST_GREEKS, ROWS))), ROWS),
    )
