"""A constant book of options through a recorded day, revalued every minute at the recorded marks of volatility.

Long a call near the money, short a call and a put far from it, all on one coin, and short perpetuals of another coin
worth the options' delta at the start. Recorded are three BTC options with mark and volatility every second; the forward
is the one that their marks imply. Chains recorded every six hours, without prices of their coins in between, do not
make such a curve.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.crash.recording import Floats, Ints
from kernels import netting_solve, scenarios
from kernels.scenarios_table import scenario_table
from monitor.replay.arrival import Merged, Span
from monitor.replay.sources import open_sources
from schemas.records import Instrument, InstrumentVolatility, RiskMatrixParameters

YEAR_US = 365 * 86_400_000_000
TOLERANCE = 1e-9
VOL_CELLS = 3


@dataclass(frozen=True, slots=True)
class Option:
    """A recorded option: what it is, and at each minute the last mark volatility and forward/index - 1."""

    name: str
    strike: float
    is_call: bool
    expiry_us: int
    vol: Floats
    basis: Floats
    oldest_us: int
    """Largest age of a mark at any minute after the first."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """At each minute: price of the options' coin and of the hedge's, USD."""

    times_us: Ints
    price: Floats
    hedge_price: Floats


@dataclass(frozen=True, slots=True)
class OptionParts:
    """A change of the requirement and what is due to each input, replaced in this order; they add up to it."""

    ranges: float
    prices: float
    volatility: float
    """Volatility, basis and time to expiry."""
    correlation: float


def read_options(files: tuple[Path, ...], times_us: Ints) -> list[Option]:
    """Return the options of recorded files by name, sampled at whole minutes."""
    listed: dict[str, Instrument] = {}
    found: dict[str, tuple[array[int], array[float], array[float]]] = {}
    for _, one in Merged(open_sources(files), Span()):
        if isinstance(one, Instrument):
            listed[one.instrument] = one
        elif isinstance(one, InstrumentVolatility) and one.forward_basis is not None:
            at, vol, basis = found.setdefault(one.instrument, (array("q"), array("d"), array("d")))
            at.append(one.event_time_us)
            vol.append(one.vol_annual)
            basis.append(one.forward_basis)
    return [_sampled(listed[name], found[name], times_us) for name in sorted(found)]


def _sampled(instrument: Instrument, columns: tuple[array[int], array[float], array[float]], times_us: Ints) -> Option:
    if instrument.strike is None or instrument.expiry_us is None:
        raise ValueError(f"{instrument.instrument} is no option")
    times, vols, bases = np.array(columns[0], dtype=np.int64), np.array(columns[1]), np.array(columns[2])
    order = np.argsort(times, kind="stable")
    last = np.searchsorted(times[order], times_us, side="right") - 1
    known = last >= 0
    at = order[np.maximum(last, 0)]
    return Option(
        name=instrument.instrument,
        strike=float(instrument.strike),
        is_call=instrument.option_type == "call",
        expiry_us=instrument.expiry_us,
        vol=np.where(known, vols[at], math.nan),
        basis=np.where(known, bases[at], math.nan),
        oldest_us=int((times_us - times[at])[known].max()),
    )


class OptionBook:
    """Requirement of a constant book: options of one coin, perpetuals of another."""

    def __init__(self, options: list[Option], quantity: Floats, blocks: Blocks, start: int) -> None:
        self.options = options
        self.quantity = quantity
        self.blocks = blocks
        self.matrix = RiskMatrixParameters()
        _, delta = self._pnl(0.16, start, start)
        self.hedge_coins = -float(quantity @ delta) * blocks.price[start] / blocks.hedge_price[start]

    def _pnl(self, price_range: float, price_row: int, vol_row: int) -> tuple[Floats, Floats]:
        """Return P&L by scenario of one coin of each option, USD, float64[n, S], and its delta in coins, float64[n]."""
        n, shocks = len(self.options), self.matrix
        index = float(self.blocks.price[price_row])
        table = scenario_table(price_range, shocks.buckets_each_side, shocks.extended_moves)
        pnl, value, delta, market = np.zeros((n, len(table.move))), np.empty(n), np.empty(n), np.empty(n)
        years = [(one.expiry_us - int(self.blocks.times_us[vol_row])) / YEAR_US for one in self.options]
        scenarios.risk_array(
            np.full(n, scenarios.INVERSE_OPTION), np.array([one.is_call for one in self.options]), np.ones(n),
            np.array([one.strike for one in self.options]),
            np.array([index * (1.0 + one.basis[vol_row]) for one in self.options]), np.zeros(n), np.zeros(n),
            np.array(years), np.array([one.vol[vol_row] for one in self.options]), index, *table,
            shocks.volatility_range_up, shocks.volatility_range_down, shocks.min_volatility_for_shock_up,
            shocks.short_term_vega_power, shocks.long_term_vega_power, shocks.dte_floor_days,
            pnl, value, delta, market,
        )  # fmt: skip
        return pnl, delta

    def losses(self, ranges: Floats, price_row: int, vol_row: int) -> Floats:
        """Return the worst loss by move, USD, float64[2, W], of `ranges` float64[2]; the options' coin comes first."""
        pnl, _ = self._pnl(float(ranges[0]), price_row, vol_row)
        total = -(self.quantity @ pnl)
        width = 2 * self.matrix.buckets_each_side + 1
        worst = total[: VOL_CELLS * width].reshape(width, VOL_CELLS).max(axis=1)
        table = scenario_table(float(ranges[0]), self.matrix.buckets_each_side, self.matrix.extended_moves)
        for move, loss in zip(table.move[VOL_CELLS * width :], total[VOL_CELLS * width :], strict=True):
            end = 0 if move < 0.0 else width - 1
            worst[end] = max(worst[end], loss)
        at_end = self.hedge_coins * float(self.blocks.hedge_price[price_row]) * float(ranges[1])
        return np.array([worst, -at_end * np.linspace(-1.0, 1.0, width)])

    def requirement(self, ranges: Floats, price_row: int, vol_row: int, matrices: Floats, k: float) -> float:
        """Return M* in USD under matrices float64[K, 2, 2]; raises ArithmeticError where it cannot be proved."""
        losses = self.losses(ranges, price_row, vol_row)
        counts = np.full(2, losses.shape[1], dtype=np.int64)
        found = netting_solve.solve(
            losses, counts, np.ascontiguousarray(matrices), k, TOLERANCE, np.empty(2), np.empty_like(losses),
            np.empty(len(matrices)),
        )  # fmt: skip
        if found.status != netting_solve.SOLVED:
            raise ArithmeticError(f"the requirement at minute {price_row} is not proved")
        return float(found.requirement)


def option_parts(
    book: OptionBook, ranges: Floats, matrices: list[Floats], k: Floats, rows: tuple[int, int]
) -> OptionParts:
    """Return what each input contributed to the change from the first row to the second; all inputs are by minute."""
    old, new = rows
    steps = [
        book.requirement(ranges[r], p, v, matrices[m], float(k[m]))
        for r, p, v, m in (
            (old, old, old, old),
            (new, old, old, old),
            (new, new, old, old),
            (new, new, new, old),
            (new, new, new, new),
        )
    ]
    return OptionParts(*np.diff(steps).tolist())
