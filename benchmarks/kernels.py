"""Option kernels against C by hand and against what else a Python user has.

One thread. Price, delta, gamma, vega and theta of Black-76: 4,096 options stay in the cache, where the arithmetic is
compared; a million do not, where numpy works best in blocks of 4,000. Scenarios: P&L of 256 options in 35 cells from
given levels. What is compared is checked to be the same first: bit for bit against C, to rounding against the others.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import QuantLib as ql  # noqa: N813
from numba import njit
from scipy.special import ndtr

from benchmarks.compiled import libraries
from benchmarks.rounds import medians
from kernels import black76_arrays, scenarios, scenarios_options
from kernels._jit import Bools, Floats

RESIDENT, MANY, NUMPY_BLOCK, QUANTLIB = 4_096, 1_000_000, 4_000, 1_000
OPTIONS, EXTENDED = 256, (-0.66, -0.33, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
WIDEST = 32  # numbers in two vectors side by side, twice over: buffers of the C side end in that much slack
INV_SQRT_2PI = 0.3989422804014327

Form = Callable[[], object]


class Options(NamedTuple):
    """Inputs of n options, each an array."""

    is_call: Bools
    forward: Floats
    strike: Floats
    vol: Floats
    years: Floats
    rate: Floats


def options(n: int) -> Options:
    """Return options around the money, from days to two years."""
    rng = np.random.default_rng(1)
    forward, years, vol = rng.uniform(50.0, 150.0, n), rng.uniform(0.01, 2.0, n), rng.uniform(0.2, 1.5, n)
    strike = forward * np.exp(rng.normal(0.0, 1.0, n) * vol * np.sqrt(years))
    return Options(rng.random(n) < 0.5, forward, strike, vol, years, rng.uniform(-0.02, 0.1, n))


def blocked_numpy(o: Options, out: Floats) -> None:
    """Compute the five results as a careful numpy user does: in blocks, N by scipy, one density."""
    for start in range(0, out.shape[1], NUMPY_BLOCK):
        here = slice(start, start + NUMPY_BLOCK)
        f, k, vol, years, rate = o.forward[here], o.strike[here], o.vol[here], o.years[here], o.rate[here]
        sign = np.where(o.is_call[here], 1.0, -1.0)
        root = np.sqrt(years)
        s = vol * root
        d1 = np.log(f / k) / s + 0.5 * s
        discount = np.exp(-rate * years)
        n1 = ndtr(sign * d1)
        price = discount * sign * (f * n1 - k * ndtr(sign * (d1 - s)))
        density = discount * INV_SQRT_2PI * np.exp(-0.5 * d1 * d1)
        out[0, here] = price
        out[1, here] = discount * sign * n1
        out[2, here] = density / (f * s)
        out[3, here] = f * density * root
        out[4, here] = rate * price - 0.5 * f * density * vol / root


@njit(fastmath=True, error_model="numpy")
def plain_numba(
    is_call: Bools, forward: Floats, strike: Floats, vol: Floats, years: Floats, rate: Floats, out: Floats
) -> None:
    """Compute the five results as most numba users do: a loop over the formula, N by `math.erfc`, fast mathematics."""
    for i in range(out.shape[1]):
        f, k, t = forward[i], strike[i], years[i]
        sign = 1.0 if is_call[i] else -1.0
        root = math.sqrt(t)
        s = vol[i] * root
        d1 = math.log(f / k) / s + 0.5 * s
        discount = math.exp(-rate[i] * t)
        n1 = 0.5 * math.erfc(-sign * d1 * 0.7071067811865476)
        price = discount * sign * (f * n1 - k * 0.5 * math.erfc(-sign * (d1 - s) * 0.7071067811865476))
        density = discount * INV_SQRT_2PI * math.exp(-0.5 * d1 * d1)
        out[0, i] = price
        out[1, i] = discount * sign * n1
        out[2, i] = density / (f * s)
        out[3, i] = f * density * root
        out[4, i] = rate[i] * price - 0.5 * f * density * vol[i] / root


def quantlib_loop(o: Options, out: Floats) -> Form:
    """Return a loop over QuantLib's calculator, one for each option, payoffs prebuilt."""
    kinds = {True: ql.Option.Call, False: ql.Option.Put}
    rows = [
        (ql.PlainVanillaPayoff(kinds[bool(call)], float(k)), float(f), float(vol), float(t), float(r))
        for call, f, k, vol, t, r in zip(*o, strict=True)
    ]

    def loop() -> None:
        for i, (payoff, f, vol, t, r) in enumerate(rows):
            discount = math.exp(-r * t)
            c = ql.BlackCalculator(payoff, f, vol * math.sqrt(t), discount)
            out[0, i] = c.value()
            out[1, i] = c.deltaForward()
            out[2, i] = c.gammaForward()
            out[3, i] = c.vega(t)
            out[4, i] = c.theta(f, t)

    return loop


def pointers(*arrays: np.ndarray[Any, Any]) -> list[ctypes.c_void_p]:
    """Return the addresses of arrays, which the caller keeps."""
    return [ctypes.c_void_p(array.ctypes.data) for array in arrays]


def c_greeks(o: Options, out: Floats) -> dict[str, Form]:
    """Return every C form of the Greeks by compiler and form."""
    arguments = [ctypes.c_int64(out.shape[1]), *pointers(*o), *pointers(*out)]
    names = [f"greeks_{loops}_{n}" for loops in ("one_loop", "two_loops", "short_loops") for n in (1, 2, 4)]
    return {
        f"{compiler} {name}": partial(getattr(library, name), *arguments)
        for compiler, library in libraries("black76").items()
        for name in names
    }


def greeks_figures() -> dict[str, float | bool]:
    """Return the figures of Black-76 price and first Greeks."""
    resident, many, few = options(RESIDENT), options(MANY), options(QUANTLIB)
    out, many_out, few_out = np.empty((5, RESIDENT)), np.empty((5, MANY)), np.empty((5, QUANTLIB))
    forms: dict[str, Form] = {"ours": lambda: black76_arrays.first_greeks_array(*resident, out)}
    forms["ours"]()
    mine = out.copy()
    same = True
    c_out = np.empty((5, RESIDENT))
    bounds = c_greeks(resident, c_out)
    for form in bounds.values():
        c_out.fill(np.nan)
        form()
        same = same and bool((c_out == mine).all())
    peer_out = np.empty((5, RESIDENT))
    forms["erfc"] = lambda: plain_numba(*resident, peer_out)
    loop = quantlib_loop(few, few_out)
    agree = [_close(forms["erfc"], peer_out, mine), _close(lambda: blocked_numpy(resident, peer_out), peer_out, mine)]
    expected = np.empty((5, QUANTLIB))
    black76_arrays.first_greeks_array(*few, expected)
    loop()
    agree.append(bool(np.allclose(few_out[:4], expected[:4], rtol=1e-9, atol=1e-11)))
    near = medians({**forms, **bounds})
    far = medians({
        "ours": lambda: black76_arrays.first_greeks_array(*many, many_out),
        "numpy": lambda: blocked_numpy(many, many_out),
    })  # fmt: skip
    slow = medians({"ours": forms["ours"], "quantlib": loop})
    bound = min(near[name] for name in bounds)
    return {
        "greeks_vs_c": near["ours"] / bound,
        "greeks_c_vs_numba_erfc": near["erfc"] / bound,
        "greeks_vs_numpy": far["numpy"] / far["ours"],
        "greeks_vs_numba_erfc": near["erfc"] / near["ours"],
        "greeks_vs_quantlib": (slow["quantlib"] / QUANTLIB) / (slow["ours"] / RESIDENT),
        "greeks_same_as_c": same,
        "greeks_same_as_peers": all(agree),
    }


def _close(form: Form, found: Floats, expected: Floats) -> bool:
    form()
    return bool(np.allclose(found, expected, rtol=1e-9, atol=1e-11))


def scenario_figures() -> dict[str, float | bool]:
    """Return the figures of the scenario kernel, levels given on both sides."""
    o = options(OPTIONS)
    table = scenarios.scenario_table(0.16, 4, EXTENDED)
    cells = len(table.move)
    level, regular = np.empty((scenarios_options.LEVELS, OPTIONS)), np.empty(OPTIONS, dtype=np.bool_)
    scenarios_options.levels(o.is_call, o.forward, o.strike, o.years, o.vol, 1.4 * o.vol, 0.8 * o.vol, level, regular)
    log_move, rows, unit = np.empty(cells), np.arange(OPTIONS), np.ones(OPTIONS)
    scenarios_options.log_moves(table.move, log_move)
    never, fixed = np.zeros(OPTIONS, dtype=np.bool_), np.zeros(OPTIONS)
    pnl, c_pnl = np.empty((OPTIONS, cells)), np.empty((OPTIONS, cells))
    padded = [np.concatenate([column, np.ones(WIDEST)]) for column in
              (table.move, log_move, table.vol_direction.astype(np.float64), table.weight)]  # fmt: skip
    buffer = np.zeros(4 * (1024 + 64) + cells + WIDEST)
    arguments = [
        ctypes.c_int64(OPTIONS), ctypes.c_int64(cells), *pointers(o.is_call, o.forward, o.strike, unit, level),
        *pointers(*padded, buffer, c_pnl),
    ]  # fmt: skip
    forms: dict[str, Form] = {
        f"{compiler} {name}": partial(getattr(library, name), *arguments)
        for compiler, library in libraries("scenarios").items()
        for name in [f"scenarios_{what}_{n}" for what in ("by_row", "by_block", "in_short_loops") for n in (1, 2, 4)]
    }
    bounds = list(forms)
    forms["ours"] = lambda: scenarios_options.write_rows(
        rows, o.is_call, never, o.forward, fixed, o.strike, unit, level,
        table.move, log_move, table.vol_direction, table.weight, pnl,
    )  # fmt: skip
    forms["ours"]()
    same = bool(regular.all())
    for name in bounds:
        c_pnl.fill(np.nan)
        forms[name]()
        same = same and bool((c_pnl == pnl).all())
    took = medians(forms)
    return {"scenario_vs_c": took["ours"] / min(took[name] for name in bounds), "scenario_same_as_c": same}


def measure() -> dict[str, float | bool]:
    """Return every figure of this group."""
    return {**greeks_figures(), **scenario_figures()}
