"""Every tick against every account: certificates against the exact incremental path, and that against the sweep.

Two books of the same accounts (`benchmarks.ticks_book`), one with certificates and one without, get the same records,
each over a market of its own, round by round, each first by turns. A record's time is its fold and the `refresh` of the
book: what the engine does up to the names of accounts whose conditions changed. Their events are written for both,
outside of the times. Times are of the processor, for other programs may want it, too. Ratios are medians over rounds.

* the sweep: `benchmarks.sweep`, all underlyings, no prices, totals and conditions;
* full, for correlations: every account solved from its positions, less that sweep, so that its blocks count as given;
* gap: one jump of the most popular coin by 5 %, and the ticks of 0.5 bp after it;
* a trade: through `step`, with the account's figures, baseline and certificate.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import sweep, sweep_book, ticks_replay
from benchmarks.ticks_book import (
    CAUSE,
    COINS,
    DAYS,
    START_US,
    Built,
    array_bytes,
    build,
    put_correlations,
    solved,
    sourced,
)
from kernels._jit import Floats
from kernels.warmup import warm_up
from monitor.engine import State, step
from monitor.engine.state import Outgoing
from monitor.engine.transitions import conditions_changed
from schemas.records import Input, Trade
from tests.equality.proof import Plan, prove

STEPS = {"0.5bp": 0.5e-4, "3bp": 3e-4}
ROUNDS, TICKS = 10, 200
WARM_TICKS, WARM_STEP = 5_000, 1e-10
GAPS, GAP, AFTER = 2, 0.05, 100
VOLS, VOL_STEP = 40, 1e-3
CORRELATIONS, CORRELATION_STEP = 10, 0.002
TRADES = 2_000
PROVED = 1_500
FAR_OFFSET = 1 << 40  # beyond the offsets of the records that made the book

Figures = dict[str, float | bool]


@dataclass(slots=True)
class Times:
    """Seconds of records on both sides, and accounts that left their intervals, tick by tick."""

    plain: list[float] = field(default_factory=list)
    certified: list[float] = field(default_factory=list)
    events: float = 0.0
    """Seconds of the certified side's events."""
    pops: list[int] = field(default_factory=list)
    watched: list[bool] = field(default_factory=list)

    def ratio(self) -> float:
        """Return how much longer the plain side took, in all."""
        return sum(self.plain) / sum(self.certified)


class Pair:
    """Both states, stepped alike."""

    def __init__(self, built: Built) -> None:
        self.built = built
        self.equal, self.events, self.records = True, 0, 0
        self._turn = 0
        self._ordinal = FAR_OFFSET

    def refresh(self, records: Sequence[Input], times: Times) -> None:
        """Take records on both sides, one side after the other, the certified one first every other time.

        Each side has its own market and, while its turn lasts, the caches of the processor, as a worker has.
        """
        self._both([partial(_refresh, record) for record in records], times)

    def correlate(self, estimate: Any, times: Times) -> None:
        """Put new matrices in force on both sides."""
        self._both([partial(_correlate, estimate)], times)

    def work(self, counter: str) -> int | None:
        """Return a counter of the certified book, None if it tells none."""
        work = getattr(self.built.certified.book, "work", None)
        return None if work is None else int(getattr(work, counter))

    def settle(self, state: State, changed: list[str]) -> None:
        """Let accounts of one side do what follows from their conditions, which has to be nothing."""
        events = list[Outgoing]()
        for name in changed:
            conditions_changed(state, name, CAUSE, events)
        self.equal &= not events

    def is_watched(self) -> bool:
        """Return whether accounts of the certified side are looked at only where they leave their certificates."""
        certificates = self.built.certified.book._certificates  # noqa: SLF001
        return certificates is not None and not any(group.exact for group in certificates._groups.values())  # noqa: SLF001

    def trade(self, state: State, record: Trade) -> float:
        """Return the seconds of a fill through `step`."""
        self._ordinal += 1
        batch = [sourced(record, self._ordinal)]
        start_s = time.process_time()
        step(state, batch)
        return time.process_time() - start_s

    def _both(self, acts: Sequence[Callable[[State], list[str]]], times: Times) -> None:
        plain, certified = self.built.plain, self.built.certified
        self._turn += 1
        said: dict[int, list[list[Outgoing]]] = {}
        for state in (plain, certified) if self._turn % 2 else (certified, plain):
            said[id(state)] = [self._one(state, act, times) for act in acts]
        theirs, ours = said[id(plain)], said[id(certified)]
        self.events += sum(map(len, theirs))
        self.records += len(acts)
        self.equal &= theirs == ours

    def _one(self, state: State, act: Callable[[State], list[str]], times: Times) -> list[Outgoing]:
        certified, pops = state is self.built.certified, self.work("pops")
        if certified:
            times.watched.append(self.is_watched())
        start_s = time.process_time()
        changed = act(state)
        (times.certified if certified else times.plain).append(time.process_time() - start_s)
        if certified and pops is not None:
            times.pops.append((self.work("pops") or 0) - pops)
        events = list[Outgoing]()
        start_s = time.process_time()
        for name in changed:
            conditions_changed(state, name, CAUSE, events)
        if certified:
            times.events += time.process_time() - start_s
        return events


def _refresh(record: Input, state: State) -> list[str]:
    """Fold a record and refresh the book."""
    change = state.market.apply(record)
    return state.book.refresh(
        change.underlyings, state.market, surface=change.surface, index_only=change.index_only
    )  # fmt: skip


def _correlate(estimate: Any, state: State) -> list[str]:
    put_correlations(state.market, estimate)
    return state.book.refresh_correlations(state.market)


def measure(accounts: int = sweep_book.ACCOUNTS, replay: Path | None = None) -> Figures:
    """Return the figures of one process, on so many accounts; `replay`: the folder of a recorded day."""
    warm_up()  # as a worker does: no kernel is loaded in between
    swept = sweep.Book(accounts)
    built = build(swept.segments, accounts)
    pair = Pair(built)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        figures = _figures(pair, swept, accounts)
    finally:
        gc.enable()
    outcome = prove(1, Plan(records=PROVED, minutes=0))
    figures |= {"events_equal": True, "events_equal_records": float(outcome.records)}
    if replay is not None:
        figures |= ticks_replay.measure(replay)
    return figures


def _figures(pair: Pair, swept: sweep.Book, accounts: int) -> Figures:
    built, rng = pair.built, pair.built.quotes.rng
    until = warm(pair)
    curves = swept.curves()
    sweep_s = _sweep_s(swept, curves)
    figures: Figures = {"ticks_to_certify": float(until)}
    for name, size in STEPS.items():
        rounds = [walk(pair, size, TICKS) for _ in range(ROUNDS)]
        figures[f"certified_vs_incremental_{name}"] = statistics.median(one.ratio() for one in rounds)
        figures[f"certified_us_{name}"] = 1e6 * statistics.median(statistics.mean(one.certified) for one in rounds)
        figures[f"watched_share_{name}"] = statistics.mean(found for one in rounds for found in one.watched)
        figures |= _popped(rounds, name, accounts)
        if name == "0.5bp":
            incremental_s = statistics.median(statistics.mean(one.plain) for one in rounds)
            figures = {
                "incremental_vs_sweep": incremental_s / sweep_s, "incremental_ms": 1e3 * incremental_s, **figures,
            }  # fmt: skip
    warm(pair)
    vols = [Times() for _ in range(ROUNDS // 2)]
    for times in vols:
        drawn = zip(rng.integers(len(COINS), size=VOLS), rng.integers(len(DAYS), size=VOLS), strict=True)
        factors = np.exp(rng.normal(0.0, VOL_STEP, VOLS)).tolist()
        pair.refresh(
            [built.quotes.smile(COINS[i], DAYS[j], by) for (i, j), by in zip(drawn, factors, strict=True)], times
        )
    figures["vol_tick_vs_incremental"] = statistics.median(one.ratio() for one in vols)
    figures["watched_share_vol"] = statistics.mean(found for one in vols for found in one.watched)
    figures["vol_tick_incremental_ms"] = 1e3 * statistics.median(statistics.mean(one.plain) for one in vols)
    warm(pair)
    figures |= _correlations(pair, sweep_s, accounts)
    figures |= _gaps(pair)
    figures |= {
        "large_book_events_equal": pair.equal and _same_states(built), "large_book_events": float(pair.events),
        "large_book_records": float(pair.records),
    }  # fmt: skip
    warm(pair)  # the last gap left accounts to the exact path
    figures |= _trades(pair, accounts)
    size = array_bytes(built.certified.book)
    figures |= {
        "bytes_per_position": size / built.positions, "bytes_per_account": size / accounts,
        "rss_bytes_per_position": built.rss_bytes / built.positions, "rebuild_s": built.rebuild_s,
    }  # fmt: skip
    return figures


def _sweep_s(swept: sweep.Book, curves: list[Floats]) -> float:
    """Return the seconds of the processor that a full sweep takes."""
    times = []
    for _ in range(ROUNDS):
        start_s = time.process_time()
        sweep.ours(swept, curves)
        times.append(time.process_time() - start_s)
    return statistics.median(times)


def _same_states(built: Built) -> bool:
    """Return whether all accounts of both sides are in the same state."""
    sides = (built.plain.shards[0].accounts, built.certified.shards[0].accounts)
    return all(
        (one.status, one.sequence, one.data_hold, one.timers)
        == (other.status, other.sequence, other.data_hold, other.timers)
        for one, other in zip(*(side.values() for side in sides), strict=True)
    )


def warm(pair: Pair) -> int:
    """Tick the certified side alone, by nothing to speak of, until its accounts are watched; return how many ticks."""
    built, quotes = pair.built, pair.built.quotes
    number = 0
    while number < WARM_TICKS and not pair.is_watched():
        coin = COINS[int(quotes.rng.integers(len(COINS)))]
        tick = quotes.tick(coin, 1.0 + WARM_STEP if number % 2 else 1.0 / (1.0 + WARM_STEP))
        built.plain.market.apply(tick)
        pair.settle(built.certified, _refresh(tick, built.certified))
        number += 1
    pair.settle(built.plain, built.plain.book.refresh(COINS, built.plain.market))
    return number


def walk(pair: Pair, size: float, ticks: int) -> Times:
    """Take ticks of a random walk whose steps are up or down by a size."""
    times, quotes = Times(), pair.built.quotes
    coins, up = quotes.rng.integers(len(COINS), size=ticks), quotes.rng.random(ticks) < 0.5
    pair.refresh(
        [quotes.tick(COINS[i], 1.0 + (size if rises else -size)) for i, rises in zip(coins, up, strict=True)], times
    )
    return times


def _popped(rounds: Iterable[Times], name: str, accounts: int) -> Figures:
    """Return how many accounts a tick touched, and what one of them cost beyond a tick that touches none."""
    rounds = list(rounds)
    pops = [count for one in rounds for count in one.pops]
    if not pops:
        return {}
    seconds = [second for one in rounds for second in one.certified]
    still = [second for second, count in zip(seconds, pops, strict=True) if not count]
    figures: Figures = {f"pops_per_tick_per_100k_{name}": statistics.mean(pops) * 100_000 / accounts}
    if still and sum(pops):
        extra_s = sum(seconds) - len(seconds) * statistics.median(still)
        figures[f"us_per_pop_{name}"] = 1e6 * (extra_s + sum(one.events for one in rounds)) / sum(pops)
        figures[f"us_per_pop_without_events_{name}"] = 1e6 * extra_s / sum(pops)
    return figures


def _gaps(pair: Pair) -> Figures:
    """Return what jumps there and back cost, and the ticks after each, until all are certified again."""
    jumps, after, until, watched = list[float](), list[float](), list[int](), list[bool]()
    for number in range(2 * GAPS):
        warm(pair)
        jump = Times()
        tick = pair.built.quotes.tick(COINS[0], 1.0 + GAP if number % 2 == 0 else 1.0 / (1.0 + GAP))
        pair.refresh([tick], jump)
        jumps.append(1.0 / jump.ratio())
        watched += jump.watched
        after.append(1.0 / walk(pair, STEPS["0.5bp"], AFTER).ratio())
        until.append(AFTER + warm(pair))
    return {
        "gap_vs_incremental": statistics.median(jumps), "gap_vs_incremental_worst": max(jumps),
        "watched_share_gap": statistics.mean(watched), "after_gap_vs_incremental": statistics.median(after),
        "ticks_to_certify_after_gap": statistics.median(until),
    }  # fmt: skip


def _correlations(pair: Pair, sweep_s: float, accounts: int) -> Figures:
    """Return what a new matrix costs: one entry moves by `CORRELATION_STEP`, up or down by turns."""
    built, everyone = pair.built, np.arange(accounts, dtype=np.int64)
    estimate = built.plain.market.ticks.correlation.fast.copy()
    rng, times, full_s = built.quotes.rng, Times(), []
    for number in range(CORRELATIONS):
        if number % 2 == 0:
            i, j = rng.choice(len(COINS), 2, replace=False)
        estimate[i, j] = estimate[j, i] = estimate[i, j] + (CORRELATION_STEP if number % 2 == 0 else -CORRELATION_STEP)
        pair.correlate(estimate, times)
        start_s = time.process_time()
        solved(built.plain.book, everyone)
        full_s.append(time.process_time() - start_s - sweep_s)
    full = statistics.median(full_s)
    return {
        "correlation_update_vs_full": full / statistics.median(times.certified),
        "correlation_update_ms": 1e3 * statistics.median(times.certified),
        "correlation_exact_vs_full": full / statistics.median(times.plain),
    }


def _trades(pair: Pair, accounts: int) -> Figures:
    """Return the medians of fills in contracts that are held, half of them on each side, in turns.

    Every account has one fill, and then another: the first after a restart reads the whole portfolio.
    """
    built, rng = pair.built, pair.built.quotes.rng
    chosen = rng.choice(accounts, min(TRADES, accounts // 2 * 2), replace=False).reshape(-1, 2).tolist()
    figures: Figures = {}
    for turn, key in enumerate(("trade_first_us", "trade_us")):
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for number, pair_of in enumerate(chosen):
            for owner, is_certified in zip(pair_of, (True, False), strict=True):
                state = built.certified if is_certified else built.plain
                account = state.shards[0].accounts[f"a{owner:06d}"]
                name = sorted(account.holdings)[(number + turn) % len(account.holdings)]
                record = Trade(
                    trade_id=f"{turn}-{number}", account=account.name, instrument=name, quantity=0.1, price=10.0,
                    event_time_us=START_US,
                )  # fmt: skip
                seconds[is_certified].append(pair.trade(state, record))
        figures[key] = 1e6 * statistics.median(seconds[True])
        figures[f"{key}_without_certificates"] = 1e6 * statistics.median(seconds[False])
    return figures
