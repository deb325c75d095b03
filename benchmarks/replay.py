"""A replay straight through the engine against the loop that an analyst would write: numpy, a tick at a time.

Both read the ticks of one generated market from a packed file, in order, and judge every account after every tick.

* the replay: files, merge, order, all folds, model P with its correlations, states, events with their reasons;
* the loop: holdings as a matrix of accounts by coins, equity a product with the prices, a requirement of a tenth of
  gross notional, and who is below it. A contract counts as a coin: no options, no volatilities, no inverse contracts,
  no correlations, no events.

Each runs in a process of its own, on one core, and its rate is ticks by its own processor time; peaks are of resident
memory, the interpreter and its libraries included. Reading on another core (`monitor.replay.ahead`) is not used.
"""

from __future__ import annotations

import gzip
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from monitor.replay import offline
from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.arrival import Merged
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.sources import TOPIC_OF, open_accounts, open_source
from monitor.replay.sources.records_file import write_lines
from schemas.records import PriceTick, Trade, Transfer
from schemas.topics import TICKS

MARKET = MarketParameters(seed=20251010, minutes=20, ticks_per_second=1.0)
REQUIREMENT = 0.1  # of gross notional, in the loop
MEGABYTE_KB = 1_024

Measured = tuple[int, float, float, int]  # ticks, processor seconds, peak in MB, events or accounts found


def measure(accounts: int = 1_000) -> dict[str, float | bool]:
    """Return ticks a second and core, and peaks of memory, of the replay and of the loop."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, accounts)
        replay, again, loop = _apart(_replay, folder), _apart(_replay, folder), _apart(_loop, folder)
    rates = [ticks / seconds for ticks, seconds, _, _ in (replay, loop)]
    return {
        "replay_ticks_per_s_core": rates[0],
        "loop_ticks_per_s_core": rates[1],
        "replay_vs_loop": rates[0] / rates[1],
        "replay_peak_mb": replay[2],
        "loop_peak_mb": loop[2],
        "replay_ticks": float(replay[0]),
        "replay_accounts": float(accounts),
        "replay_events": float(replay[3]),
        "replay_repeats_itself": replay[3] == again[3],
        "loop_ticks": float(loop[0]),
    }


def _write(folder: Path, accounts: int) -> None:
    """Write the market, its accounts, and for the loop what it can use of both."""
    market = [record for _, record in Merged([GeneratedMarket(MARKET)])]
    generated = generate_accounts(
        Merged([GeneratedMarket(MARKET)]), AccountParameters(seed=7, accounts=accounts, fills_per_hour=0.0)
    )
    with gzip.open(folder / "market.jsonl.gz", "wb", compresslevel=6) as file:
        write_lines(file, ((TOPIC_OF[type(record)], record) for record in market))  # type: ignore[arg-type]
    with (folder / "accounts.jsonl").open("wb") as file:
        write_lines(file, generated.records)
    ticks = [record for record in market if isinstance(record, PriceTick)]
    coins = {coin: k for k, coin in enumerate(sorted({tick.underlying for tick in ticks}))}
    prices = [f"{coins[tick.underlying]},{tick.value_usd!r}" for tick in ticks]
    with gzip.open(folder / "prices.csv.gz", "wt", compresslevel=6) as file:
        file.write("\n".join(["coin,price", *prices, ""]))
    names: dict[str, int] = {}
    held, cash = np.zeros((accounts, len(coins))), np.zeros(accounts)
    for _, record in generated.records:
        if isinstance(record, Trade | Transfer):
            row = names.setdefault(record.account, len(names))
        if isinstance(record, Trade):
            coin = record.instrument.replace("_", "-").split("-")[0].removesuffix("USD").removesuffix("USDT")
            if coin in coins:
                held[row, coins[coin]] += record.quantity
                cash[row] -= record.quantity * record.price
        elif isinstance(record, Transfer):
            cash[row] += record.amount
    np.savez(folder / "held.npz", held=held, cash=cash)


def _apart(work: Callable[[Path], tuple[int, float, int]], folder: Path) -> Measured:
    """Run in a new process, and return what it did with its peak of resident memory."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_measured, (work, folder))


def _measured(work: Callable[[Path], tuple[int, float, int]], folder: Path) -> Measured:
    ticks, seconds, found = work(folder)
    return ticks, seconds, _peak_mb(), found


def _peak_mb() -> float:
    """Return this process's peak of resident memory; `getrusage` has that of the process that started it, too."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE_KB
    return float(status.partition("VmHWM:")[2].split()[0]) / MEGABYTE_KB


def _replay(folder: Path) -> tuple[int, float, int]:
    offline.run(
        Merged([GeneratedMarket(MarketParameters(seed=1, minutes=2, ticks_per_second=0.1, coins=2))])
    )  # loads code
    sources = [open_source(folder / "market.jsonl.gz"), open_accounts(folder / "accounts.jsonl")]
    start_s = time.process_time()
    summary = offline.run(Merged(sources))
    seconds = time.process_time() - start_s
    return summary.records[TICKS.name], seconds, sum(summary.events.values())


def _loop(folder: Path) -> tuple[int, float, int]:
    with np.load(folder / "held.npz") as kept:
        held, cash = kept["held"], kept["cash"]
    start_s = time.process_time()
    rows = np.loadtxt(folder / "prices.csv.gz", delimiter=",", skiprows=1)
    prices = np.zeros(held.shape[1])
    gross = np.abs(held)
    below = np.zeros(len(cash), dtype=bool)
    called = 0
    for coin, price in zip(rows[:, 0].astype(int).tolist(), rows[:, 1].tolist(), strict=True):
        prices[coin] = price
        now = cash + held @ prices < REQUIREMENT * (gross @ prices)
        called += int(np.count_nonzero(now & ~below))
        below = now
    return len(rows), time.process_time() - start_s, called
