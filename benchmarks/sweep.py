"""The account sweep against its peers: scipy.sparse, repricing every position, C by hand, and a single tick.

All sides get the book of `benchmarks.sweep_book` and return the same: for every account and underlying the worst loss
over three volatilities at each of 15 moves, the reduction of the default model.

* scipy: CSR products, one per underlying, then minima in numpy; the fastest of three ways to write it counts.
* naive: every position priced in every scenario, plain numba with `math.erfc`, on the first SAMPLE segments of each
  underlying and scaled by positions.
* C: `c/sweep.c` with its table given, by the better compiler.
* tick: one underlying priced, its accounts swept, judged by both bounds of model P, and solved where these leave them
  open: all that the engine does; the mean over the underlyings. The full sweep beside it is what the peers do: no
  prices, totals and conditions. A full refresh is all of it for all underlyings, every account judged once.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numba import njit
from scipy import sparse

from benchmarks import sweep_book
from benchmarks.compiled import libraries
from benchmarks.rounds import medians
from benchmarks.sweep_accounts import Accounts
from benchmarks.sweep_book import INSTRUMENTS, LINEARS, SCENARIOS, SIDE, WIDTH, Instruments, Priced, Segments
from kernels import move_losses, scenarios
from kernels._jit import Floats, Ints
from kernels.segment_tables import empty_table
from monitor.engine.segments import BLOCK

SAMPLE = BLOCK  # segments of each underlying that the naive form prices: of every length
CELLS = SCENARIOS // WIDTH
CELL = 16  # moves of one cell in a table row of the C form, the last of them zero
SLICE = 1_000  # segments per product, so that what numpy reduces is still in the cache
SEED = 20251010


class Book:
    """The book with prices, and a place for the curves of each side."""

    def __init__(self, accounts: int = sweep_book.ACCOUNTS) -> None:
        rng = np.random.default_rng(SEED)
        self.segments: list[Segments] = sweep_book.segments(rng, accounts)
        self.instruments: list[Instruments] = [sweep_book.instruments(rng) for _ in range(sweep_book.UNDERLYINGS)]
        self.priced: list[Priced] = [sweep_book.empty_prices() for _ in self.segments]
        for of, out in zip(self.instruments, self.priced, strict=True):
            sweep_book.price(of, sweep_book.INDEX_USD, out)

    def curves(self) -> list[Floats]:
        """Return arrays for the curves of all segments."""
        return [np.zeros((len(held.accounts), WIDTH)) for held in self.segments]

    def planes(self) -> list[Floats]:
        """Return the P&L with all cells of one volatility side by side: what the peers reduce fastest."""
        return [
            np.ascontiguousarray(p.pnl.reshape(INSTRUMENTS, WIDTH, CELLS).transpose(0, 2, 1).reshape(INSTRUMENTS, -1))
            for p in self.priced
        ]


def ours(book: Book, out: list[Floats]) -> None:
    """Sweep all underlyings."""
    for held, priced, losses in zip(book.segments, book.priced, out, strict=True):
        move_losses.move_losses(held.indptr, held.row, held.quantity, priced.pnl, SIDE, losses)


def _reduce(block: Floats, out: Floats) -> None:
    np.minimum(block[:, :WIDTH], block[:, WIDTH : 2 * WIDTH], out=out)
    np.minimum(out, block[:, 2 * WIDTH :], out=out)
    np.negative(out, out=out)


def scipy_forms(book: Book, out: list[Floats]) -> dict[str, Callable[[], object]]:
    """Return three ways to write the sweep with scipy: whole, in slices, and over interleaved cells."""
    matrices = [
        sparse.csr_matrix((held.quantity, held.row, held.indptr), shape=(len(held.accounts), INSTRUMENTS))
        for held in book.segments
    ]
    planes = book.planes()
    slices = [[(at, matrix[at : at + SLICE]) for at in range(0, matrix.shape[0], SLICE)] for matrix in matrices]

    def whole() -> None:
        for matrix, pnl, losses in zip(matrices, planes, out, strict=True):
            _reduce(matrix @ pnl, losses)

    def sliced() -> None:
        for parts, pnl, losses in zip(slices, planes, out, strict=True):
            for at, part in parts:
                _reduce(part @ pnl, losses[at : at + SLICE])

    def interleaved() -> None:
        for matrix, priced, losses in zip(matrices, book.priced, out, strict=True):
            block = matrix @ priced.pnl
            np.minimum(block[:, 0::CELLS], block[:, 1::CELLS], out=losses)
            np.minimum(losses, block[:, 2::CELLS], out=losses)
            np.negative(losses, out=losses)

    return {"scipy whole": whole, "scipy sliced": sliced, "scipy interleaved": interleaved}


@njit(error_model="numpy", fastmath=True)
def _libm_price(is_call: bool, forward: float, strike: float, stdev: float) -> float:
    d1 = math.log(forward / strike) / stdev + 0.5 * stdev
    d2 = d1 - stdev
    sign = 1.0 if is_call else -1.0
    half = 0.7071067811865476
    return sign * (0.5 * forward * math.erfc(-sign * d1 * half) - 0.5 * strike * math.erfc(-sign * d2 * half))


@njit(error_model="numpy", fastmath=True)
def naive(  # noqa: PLR0913, PLR0917
    indptr: Ints, row: Ints, quantity: Floats, is_call: Any, strike: Floats, forward: Floats, sd: Floats, base: Floats,
    move: Floats, losses: Floats,
) -> None:  # fmt: skip
    """Price every position in every scenario; sd: float64[n, 3], total deviations up, same and down."""
    for a in range(losses.shape[0]):
        losses[a, :] = -math.inf
        block = np.zeros(move.shape[0])
        for k in range(indptr[a], indptr[a + 1]):
            i, q = row[k], quantity[k]
            for s in range(move.shape[0]):
                if i < LINEARS:
                    block[s] += q * forward[i] * move[s]
                else:
                    moved = _libm_price(is_call[i], forward[i] * (1.0 + move[s]), strike[i], sd[i, s % CELLS])
                    block[s] += q * (moved - base[i])
        for s in range(move.shape[0]):
            losses[a, s // CELLS] = max(losses[a, s // CELLS], 0.0 - block[s])


class Naive:
    """The first SAMPLE segments of each underlying, ready to be priced position by position."""

    def __init__(self, book: Book) -> None:
        self.count = [min(SAMPLE, len(held.accounts)) for held in book.segments]
        self.positions = sum(int(held.indptr[count]) for held, count in zip(book.segments, self.count, strict=True))
        self.losses = [np.empty((count, WIDTH)) for count in self.count]
        self._arguments = [self._of(*of) for of in zip(book.segments, book.instruments, self.losses, strict=True)]

    @staticmethod
    def _of(held: Segments, of: Instruments, losses: Floats) -> tuple[Any, ...]:
        directions = (scenarios.UP, scenarios.SAME, scenarios.DOWN)
        vols = [
            [scenarios.shocked_vol(vol, way, years, *sweep_book.SHOCKS) for way in directions]
            for vol, years in zip(of.vol, of.years, strict=True)
        ]
        sd = np.array(vols) * np.sqrt(of.years)[:, None]
        base = np.zeros(INSTRUMENTS)
        for i in range(LINEARS, INSTRUMENTS):
            base[i] = _libm_price(of.is_call[i], of.price[i], of.strike[i], sd[i, 1])
        return (*held[1:], of.is_call, of.strike, of.price, sd, base, sweep_book.TABLE.move, losses)

    def __call__(self) -> None:
        """Reprice."""
        for arguments in self._arguments:
            naive(*arguments)


class ByHand:
    """The C form, with its table made beforehand."""

    def __init__(self, book: Book, library: ctypes.CDLL) -> None:
        self.losses = book.curves()
        self._call = library.sweep
        self._call.argtypes = [ctypes.c_int64] + [ctypes.c_void_p] * 5
        self._call.restype = None
        self._arguments = []
        for held, pnl, losses in zip(book.segments, book.planes(), self.losses, strict=True):
            table = empty_table(INSTRUMENTS, CELLS * CELL)
            table.reshape(INSTRUMENTS, CELLS, CELL)[:, :, :WIDTH] = pnl.reshape(INSTRUMENTS, CELLS, WIDTH)
            arrays = (held.indptr, held.row, held.quantity, table, losses)
            self._arguments.append((len(held.accounts), arrays))

    def __call__(self) -> None:
        """Sweep all underlyings."""
        for count, arrays in self._arguments:
            self._call(count, *(array.ctypes.data for array in arrays))


def _gross(held: Segments, priced: Priced) -> Floats:
    """Return the sum of |quantity| times the largest |P&L| of its instrument, of every segment, USD."""
    largest = np.abs(held.quantity) * np.abs(priced.pnl).max(axis=1)[held.row]
    return np.add.reduceat(largest, held.indptr[:-1])


def _agree(found: list[Floats], wanted: list[Floats], scale: list[Floats], tolerance: float) -> bool:
    """Return whether curves agree within a tolerance of what their segments hold in all."""
    return all(
        bool((np.abs(a[: len(b)] - b).max(axis=1) <= tolerance * s[: len(b)]).all())
        for a, b, s in zip(found, wanted, scale, strict=True)
    )


def measure() -> dict[str, float | bool]:
    """Return the figures of one process."""
    book = Book()
    curves, peer_curves = book.curves(), book.curves()
    by_hand = {name: ByHand(book, library) for name, library in libraries("sweep").items()}
    sampled = Naive(book)
    accounts = Accounts(book.segments, book.instruments, book.priced)
    forms: dict[str, Callable[[], object]] = {
        "ours": partial(ours, book, curves), "naive": sampled, **scipy_forms(book, peer_curves),
        **by_hand, "refresh": accounts.refresh,
        **{f"tick {u}": partial(accounts.tick, u) for u in range(len(book.segments))},
    }  # fmt: skip
    times = medians(forms)
    sweep_s = times["ours"]
    positions = sum(len(held.row) for held in book.segments)
    scale = [_gross(held, priced) for held, priced in zip(book.segments, book.priced, strict=True)]
    scipy_s = min(seconds for name, seconds in times.items() if name.startswith("scipy"))
    ticks_s = [times[f"tick {u}"] for u in range(len(book.segments))]
    return {
        "sweep_vs_scipy": scipy_s / sweep_s,
        "sweep_vs_naive": times["naive"] * positions / sampled.positions / sweep_s,
        "sweep_vs_c": sweep_s / min(times[name] for name in by_hand),
        "tick_vs_sweep": sum(ticks_s) / len(ticks_s) / sweep_s,
        "tick_vs_full_refresh": sum(ticks_s) / len(ticks_s) / times["refresh"],
        "sweep_ns_per_position": sweep_s / positions * 1e9,
        "tick_popular_ms": ticks_s[0] * 1e3,
        "tick_rare_ms": ticks_s[-1] * 1e3,
        **accounts.solve_figures(),
        "sweep_equals_scipy": _agree(curves, peer_curves, scale, 1e-12),
        "sweep_equals_naive": _agree(curves, sampled.losses, scale, 1e-9),
        "sweep_equals_c_bit_for_bit": all(
            np.array_equal(a, b) for form in by_hand.values() for a, b in zip(curves, form.losses, strict=True)
        ),
        **accounts.facts(),
    }
