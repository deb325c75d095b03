"""What this machine computes of seeded books: figures over their scales, and decisions, for another to compare.

python -m tests.portability OUT.npz
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import accounts, blocks, move_losses, scenarios
from kernels import black76_arrays as arrays
from monitor.engine import new_state, open_shard, step
from tests.engine_market import Log, random_market
from tests.netting_books import EXTENDED, books, solve

Figures = dict[str, NDArray[np.float64]]
Floats = NDArray[np.float64]
OPTIONS = 2_000
ACCOUNTS = ("a", "b", "c", "d", "e", "f")


def options() -> Figures:
    """Prices and Greeks, from the money to the far tails, each over the size of its kind."""
    rng = np.random.default_rng(1)
    call, forward = rng.random(OPTIONS) < 0.5, np.exp(rng.normal(0.0, 2.0, OPTIONS))
    vol, years = rng.uniform(0.05, 2.0, OPTIONS), rng.uniform(1e-4, 2.0, OPTIONS)
    strike = forward * np.exp(rng.normal(0.0, 1.0, OPTIONS) * rng.choice([0.01, 1.0, 5.0], OPTIONS) * vol * years**0.5)
    out = np.empty((arrays.GREEKS, OPTIONS))
    arrays.greeks_array(call, forward, strike, vol, years, rng.uniform(-0.1, 0.1, OPTIONS), out)
    found: Figures = {}
    # d is a difference of terms: what a tail's Greek is worth is told against the size of its kind at the money.
    for row, size in (
        (arrays.PRICE, forward),
        (arrays.DELTA, 1.0),
        (arrays.GAMMA, 1.0 / (forward * vol * years**0.5)),
        (arrays.VEGA, forward * years**0.5),
        (arrays.THETA, forward * (vol / years**0.5 + 0.1)),
        (arrays.VANNA, 1.0 / vol),
        (arrays.VOLGA, forward * years**0.5 / vol),
        (arrays.RHO, forward * years),
        (arrays.SPEED, 1.0 / (forward**2 * vol**2 * years)),
    ):
        found[f"greek-{row}"] = out[row] / size
    price = np.empty(OPTIONS)
    arrays.price_array(call, forward, strike, vol * years**0.5, np.ones(OPTIONS), price)
    return {**found, "price": price / forward}


def risk() -> tuple[Figures, dict[str, Any]]:
    """A risk array of all kinds of instruments in USD, and the sweep of random accounts over it."""
    rng = np.random.default_rng(2)
    n, index, buckets = 300, 60_000.0, 8
    table = scenarios.scenario_table(0.15, buckets, EXTENDED)
    kind = rng.choice(
        [scenarios.LINEAR, scenarios.INVERSE, scenarios.LINEAR_OPTION, scenarios.INVERSE_OPTION], n
    ).astype(np.int64)
    size = np.where(kind == scenarios.INVERSE, index, 1.0)
    strike, price = index * np.exp(rng.normal(0.0, 0.3, n)), index * np.exp(rng.normal(0.0, 0.02, n))
    pnl, value, delta, market = np.empty((n, len(table.move))), np.empty(n), np.empty(n), np.empty(n)
    scenarios.risk_array(
        kind, rng.random(n) < 0.5, size, strike, price, np.zeros(n), np.zeros(n), rng.uniform(0.001, 1.0, n),
        rng.uniform(0.2, 1.5, n), index, *table, 0.5, 0.25, 0.5, 0.3, 0.13, 1.0, pnl, value, delta, market,
    )  # fmt: skip
    held, positions = 400, 8
    indptr = np.arange(held + 1, dtype=np.int64) * positions
    row, quantity = rng.integers(0, n, held * positions), rng.normal(0.0, 1.0, held * positions)
    block, total = np.empty((held, pnl.shape[1])), np.empty(held)
    blocks.blocks(indptr, row, quantity, pnl, block)
    side = move_losses.extended_sides(table, buckets)
    losses, worst = np.empty((held, 2 * buckets + 1)), np.empty((held, 2 * buckets + 1), dtype=np.int64)
    net = np.empty(held)
    move_losses.evaluate(indptr, row, quantity, pnl, value, delta, side, total, net, losses)
    for a in range(held):
        move_losses.worst_scenarios(block[a], side, worst[a])
    gross = index * positions
    figures = {"pnl": pnl / index, "value": value / index, "delta": delta, "market-delta": market}
    figures |= {"block": block / gross, "total": total / gross, "net-delta": net / positions, "losses": losses / gross}
    return figures, {"worst": worst.tolist(), "worst-of-all": np.argmin(block, axis=1).tolist()}


def requirements() -> tuple[Figures, dict[str, Any]]:
    """Requirements of random books over their gross size, and whether their gaps are closed."""
    found, status = [], []
    for book in books(300, seed=3):
        solution = solve(book)[0]
        found.append(solution.requirement / sum(float(np.abs(curve).max()) for curve in book.curves))
        status.append(int(solution.status))
    return {"requirement": np.array(found)}, {"status": status}


def conditions() -> dict[str, Any]:
    """Condition bits around their thresholds, to the last bit of them."""
    rng = np.random.default_rng(4)
    thresholds, bits = np.array([0.8, 0.7, 1.0, 0.9, 1.0, 1.0]), 1 << np.arange(8, dtype=np.int64)
    found = []
    for _ in range(2_000):
        equity, at = rng.uniform(1.0, 1e6), float(rng.choice(thresholds))
        im = np.nextafter(at * equity, float(rng.choice([0.0, at * equity, np.inf])))
        found.append(accounts.conditions(equity, im, 0.8 * im, True, False, thresholds, bits))
    return {"conditions": found}


def events() -> list[dict[str, Any]]:
    """The events of falling, jumping markets over both margin models, as decoded JSON."""
    found = []
    for seed, pace in ((0, 1), (1, 1), (2, 1), (3, 20), (4, 20)):
        log, state = Log(), new_state()
        open_shard(state, 0, None, [], partitions=1, epoch=1)
        sources = [log(record) for record in random_market(seed, 1_500, ACCOUNTS, pace)]
        found += [json.loads(item.body.encode()) for item in step(state, sources)]
    return found


def computed() -> tuple[Figures, dict[str, Any]]:
    """All figures, each divided by its scale, and all decisions."""
    risk_figures, worst = risk()
    requirement, status = requirements()
    decisions = {**worst, **status, **conditions(), "events": events()}
    return {**options(), **risk_figures, **requirement}, decisions


def main(path: Path) -> None:
    """Write `computed` to a file."""
    figures, decisions = computed()
    kept: dict[str, Any] = {**figures, "decisions": np.array(json.dumps(decisions))}
    np.savez(path, **kept)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
