"""Regimes through recorded market data, and how far k has to go: what dollar-neutral books lose, and what P asks.

    python -m benchmarks.correlation_regimes FILES... --from 2025-10-10T20:45 --until 2025-10-10T23:50

Prints each change of regime with what it was judged by, and the largest values of the day. With `--from`, books of
random amounts that sum to zero in USD, and all pairs of coins, are held from there on: shown for several k is the share
of books whose largest loss until the end exceeds their requirement at the beginning, sqrt((1 - k) max w'Rw + k (sum
|w|)^2), and what that k asks against k = 0.10. The ranges are 6 standard deviations of two days (from ten-minute
returns of the day before), between 9.3 % and 50 %, rounded up to 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import click
import numpy as np

from monitor.engine.composite import TicksFold
from monitor.engine.correlation import CorrelationView, Floats, gather
from monitor.engine.minutes import boundary_after
from monitor.engine.regime import RegimeTransition, RegimeView
from monitor.replay.arrival import Merged, Span
from monitor.replay.sources import open_sources
from monitor.replay.sources.table import iso_us
from schemas.records import Heartbeat, NettingParameters, PriceTick

STRESSES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0)
BOOKS = 20_000
SEED = 1
FLOOR_RANGE, CAP_RANGE, STEP_RANGE, DEVIATIONS, DAYS = 0.093, 0.50, 0.05, 6.0, 2.0
RETURN_MINUTES, RETURNS_A_DAY = 10, 144


@dataclass(frozen=True, slots=True)
class Row:
    """One whole minute: indices by coin, and what was in force after it."""

    time_us: int
    prices: dict[str, float]
    view: CorrelationView
    regime: RegimeView


def folded(files: tuple[Path, ...]) -> tuple[list[Row], list[RegimeTransition]]:
    """Fold ticks and heartbeats in order of arrival; return every whole minute and all changes of regime."""
    fold = TicksFold()
    rows: list[Row] = []
    changes: list[RegimeTransition] = []
    coins: dict[str, None] = {}
    minute_us = 0
    for _, record in Merged(open_sources(files), Span()):
        if not isinstance(record, PriceTick | Heartbeat):
            continue
        changes += fold.apply(record).regimes
        if isinstance(record, PriceTick):
            coins[record.underlying] = None
        if fold.time_us > minute_us:
            if minute_us:
                found = {coin: fold.index(coin) for coin in coins}
                prices = {coin: index.price_usd for coin, index in found.items() if index is not None}
                rows.append(Row(minute_us, prices, fold.correlation, fold.regime))
            minute_us = boundary_after(fold.time_us)
    return rows, changes


def described(rows: list[Row], changes: list[RegimeTransition]) -> list[str]:
    """Return the changes, the largest distance, ratio and rise with their minutes, and minutes by regime."""
    lines = [
        f"{_clock(change.entered.since_us)} {change.left} -> {change.entered.regime} ({change.trigger}): distance "
        f"{change.entered.distance:.3f}, absorption ratio {change.entered.absorption_ratio:.3f}, rise "
        f"{change.entered.rise:.3f}, version {change.view.version}"
        for change in changes
    ]
    for name in ("distance", "absorption_ratio", "rise"):
        values = [getattr(row.regime, name) for row in rows]
        k = int(np.argmax(values))
        lines.append(f"largest {name:16s} {values[k]:.3f} ({_clock(rows[k].time_us)})")
    counts = {
        regime: sum(row.regime.regime == regime for row in rows) for regime in ("calm", "concentration", "breakdown")
    }
    lines.append("minutes " + ", ".join(f"{regime} {count}" for regime, count in counts.items()))
    return lines


def ranges(log_prices: Floats) -> Floats:
    """Return price ranges of coins by their log prices at the minutes of a day before, f8[minutes, U]."""
    returns = log_prices[RETURN_MINUTES:] - log_prices[:-RETURN_MINUTES]
    wanted = DEVIATIONS * returns.std(axis=0) * np.sqrt(RETURNS_A_DAY * DAYS)
    found: Floats = np.minimum(CAP_RANGE, np.ceil(np.maximum(FLOOR_RANGE, wanted) / STEP_RANGE) * STEP_RANGE)
    return found


def judged(rows: list[Row], from_us: int, until_us: int) -> list[str]:
    """Return a table of books that lose more than their requirement, by k."""
    times = [row.time_us for row in rows]
    first, last = times.index(from_us), times.index(until_us)
    view = rows[first].view
    coins = sorted(set(view.underlyings) - set(view.quiet))
    whole = [row for row in rows[: last + 1] if all(coin in row.prices for coin in coins)]
    prices = np.array([[row.prices[coin] for coin in coins] for row in whole])
    start = len(whole) - 1 - (last - first)
    moves = prices[start:] / prices[start] - 1.0
    scale = ranges(np.log(prices[: start + 1]))
    lines = ["range " + " ".join(f"{coin} {one:.2f}" for coin, one in zip(coins, scale, strict=True)),
             "worst " + " ".join(f"{coin} {one:+.2f}" for coin, one in zip(coins, moves.min(axis=0), strict=True)),
             "", "| k | books broken | largest loss over requirement | against k = 0.10 | pairs broken | largest |",
             "|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    books = np.random.default_rng(SEED).standard_normal((BOOKS, len(coins)))
    books -= books.mean(axis=1, keepdims=True)
    pairs = np.array([np.eye(len(coins))[a] - np.eye(len(coins))[b] for a, b in permutations(range(len(coins)), 2)])
    matrices = gather(view, coins, NettingParameters().floor_correlation)
    for k in STRESSES:
        cells = []
        for held in (books, pairs):
            loss = -(held @ moves.T).min(axis=1)
            need = requirement(held * scale, matrices, k)
            cells.append(
                (np.mean(loss > need), np.max(loss / need), np.median(need / requirement(held * scale, matrices, 0.1)))
            )
        (broken, worst, rise), (pairs_broken, pairs_worst, _) = cells
        lines.append(
            f"| {k:.2f} | {broken:.2%} | {worst:.2f} | x{rise:.2f} | {pairs_broken:.1%} | {pairs_worst:.2f} |"
        )  # fmt: skip
    return lines


def requirement(w: Floats, matrices: Floats, k: float) -> Floats:
    """Return the requirement of hedge vectors f8[books, U] over a set of matrices."""
    netted = np.max([np.einsum("bi,ij,bj->b", w, matrix, w) for matrix in matrices], axis=0)
    found: Floats = np.sqrt((1.0 - k) * netted + k * np.abs(w).sum(axis=1) ** 2)
    return found


def _clock(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%m-%d %H:%M")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--from", "from_", help="Moment at which the books are taken, UTC.")
@click.option("--until", help="Last moment at which their losses count, UTC.")
def main(files: tuple[Path, ...], from_: str | None, until: str | None) -> None:
    """Fold market data; print its regimes, and what k neutral books would have needed."""
    rows, changes = folded(files)
    click.echo("\n".join(described(rows, changes)))
    if from_ and until:
        click.echo("\n".join(judged(rows, iso_us(from_), iso_us(until))))


if __name__ == "__main__":
    main()
