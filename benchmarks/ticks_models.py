"""Ticks of books under other models than P: `python -m benchmarks ticks-models --json`.

The market and the positions of `benchmarks.ticks_book`, all accounts under one model, each at IM over equity 1 / (1 +
Exp(1)). Two books get the same records, one with certificates and one without: model E computes its accounts one by one
there. Ratios are medians over rounds; `share` is of accounts that have certificates after the ticks, `gap` one jump of
the most popular coin by 5 %, `vol` a slice of one expiry that moves.
"""

from __future__ import annotations

import statistics

import msgspec
import numpy as np

from benchmarks import sweep
from benchmarks.ticks import GAP, STEPS, VOL_STEP, Pair, Times, walk
from benchmarks.ticks_book import CAUSE, COINS, DAYS, Built, Quotes, accounts
from monitor.engine import State
from monitor.engine.book import Book
from monitor.engine.market import Market
from monitor.engine.state import Account, Marker, Shard
from monitor.engine.transitions import conditions_changed
from schemas.records import MarginModel

MODELS: dict[MarginModel, int] = {"E": 1_000, "E-tiered": 1_000, "A": 20_000}
"""Accounts of each book: one under model E costs about a millisecond a tick without certificates."""
WARM_TICKS, WARM_STEP = 2_000, 1e-10
ROUNDS, TICKS = 3, 30
GAPS, VOLS = 2, 20

Figures = dict[str, float | bool]


def build(model: MarginModel, count: int) -> Built:
    """Build the states of a book under one model, without certificates and with them."""
    market, quotes = Market(), Quotes()
    for record in quotes.definitions():
        market.apply(record)
    people = accounts(sweep.Book(count).segments, count)
    for account in people:
        account.config = msgspec.structs.replace(account.config, margin_model=model)
    drawn = Book(certificates=False)
    for account, spare in zip(people, np.random.default_rng(1).exponential(size=count).tolist(), strict=True):
        drawn.set_account(account, market)
        equity, im, _ = drawn.figures(account.name)
        account.balances["USD"] = im * (1.0 + spare) - equity
    copies = [msgspec.structs.replace(one, timers={}, outbox=[]) for one in people]
    plain, certified = (_state(Book(certificates=sides), of, market) for sides, of in ((False, people), (True, copies)))
    return Built(market, quotes, plain, certified, 0.0, 0, sum(len(one.holdings) for one in people))


def _state(book: Book, people: list[Account], market: Market) -> State:
    for account in people:
        book.set_account(account, market)
    book.refresh_all(market)
    shard = Shard(marker=Marker(partition=0, partitions=1), open=True)
    shard.accounts = {account.name: account for account in people}
    state = State(market=market, book=book, shards={0: shard})
    state.partition_of = dict.fromkeys(shard.accounts, 0)
    for name in shard.accounts:
        conditions_changed(state, name, CAUSE, [])
    return state


def measure() -> Figures:
    """Return the figures of one process."""
    figures: Figures = {}
    for model, count in MODELS.items():
        figures |= {f"{model}_{name}": value for name, value in one(Pair(build(model, count)), count).items()}
    return figures


def _warm(pair: Pair) -> None:
    """Tick the certified side alone, by nothing to speak of, until its accounts are watched."""
    built, quotes = pair.built, pair.built.quotes
    added = built.certified.book._added  # noqa: SLF001
    assert added is not None
    for number in range(WARM_TICKS):
        if not any(group.exact for group in added._groups.values()):  # noqa: SLF001
            break
        coin = COINS[int(quotes.rng.integers(len(COINS)))]
        change = built.market.apply(quotes.tick(coin, 1.0 + WARM_STEP if number % 2 else 1.0 / (1.0 + WARM_STEP)))
        pair.settle(built.certified, built.certified.book.refresh(change.underlyings, built.market, index_only=True))
    pair.settle(built.plain, built.plain.book.refresh(COINS, built.market))


def one(pair: Pair, count: int) -> Figures:
    """Return the figures of one book."""
    built, rng, figures = pair.built, pair.built.quotes.rng, Figures()
    for name, size in STEPS.items():
        _warm(pair)
        rounds = [walk(pair, size, TICKS) for _ in range(ROUNDS)]
        figures[f"certified_vs_exact_{name}"] = statistics.median(times.ratio() for times in rounds)
        figures[f"certified_us_{name}"] = 1e6 * statistics.median(statistics.mean(times.certified) for times in rounds)
        figures[f"exact_us_{name}"] = 1e6 * statistics.median(statistics.mean(times.plain) for times in rounds)
        figures[f"pops_per_tick_per_100k_{name}"] = (
            statistics.mean(popped for times in rounds for popped in times.pops) * 100_000 / count
        )
        figures[f"share_{name}"] = built.certified.book.certified_share
    vols, gaps, after = Times(), list[float](), list[float]()
    for _ in range(VOLS):
        coin, days = COINS[int(rng.integers(len(COINS)))], DAYS[int(rng.integers(len(DAYS)))]
        pair.refresh(built.quotes.smile(coin, days, float(np.exp(rng.normal(0.0, VOL_STEP)))), vols)
    figures["vol_certified_vs_exact"] = vols.ratio()
    for number in range(2 * GAPS):
        _warm(pair)
        jump = Times()
        pair.refresh(built.quotes.tick(COINS[0], 1.0 + GAP if number % 2 == 0 else 1.0 / (1.0 + GAP)), jump)
        gaps.append(1.0 / jump.ratio())
        after.append(1.0 / walk(pair, STEPS["0.5bp"], TICKS).ratio())
    figures["gap_vs_exact"] = statistics.median(gaps)
    figures["after_gap_vs_exact"] = statistics.median(after)
    figures["events_equal"] = pair.equal
    figures["events"] = float(pair.events)
    return figures
