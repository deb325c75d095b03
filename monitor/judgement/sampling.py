"""Records through the engine, and every configuration asked about every account at whole steps of market time.

The engine keeps what accounts hold: their ledger, expiries, funding. Models A and P are swept by the engine's book,
as copies of each account under each configuration; every other model is computed from the account's portfolio. Market
records are folded one by one, and evaluated when a sample is due: figures are those of the engine at that position.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import msgspec
import numpy as np

from monitor.answers.view import copy_account
from monitor.engine import Account, Sourced, State, collect, confirm, new_state, open_shard, step
from monitor.engine.column import is_plain, is_swept
from monitor.engine.ledger import DOLLAR, exposures
from monitor.engine.portfolio import portfolio_of
from monitor.engine.pricing import Pricing
from monitor.engine.status import HELD
from monitor.errors import UsageError
from monitor.judgement.configurations import Configuration
from monitor.judgement.paths import REGIMES, Floats, MarketPath, Paths, Requirement
from monitor.judgement.probes import KINDS as PROBES
from monitor.judgement.probes import Probes
from monitor.models.portfolio import Portfolio
from monitor.models.registry import MODELS
from monitor.replay.ahead import pays, reading_ahead
from monitor.replay.arrival import Merged
from monitor.replay.progress import OnStep, Step, ignore
from monitor.replay.sequence import Sequence
from monitor.replay.sources.base import Arrived
from schemas.ids import parameter_hash
from schemas.records import AccountConfig, Heartbeat, Input, Instrument, Trade, Transfer

BATCH = 2_000  # records between two looks at what waits; changes no figure at a sample
COLLECT_EVERY = 20_000  # records between two collections of what the shell would have stored
SETTLE_US = 60_000_000  # accounts are sampled from so long after the last of them was opened: surpluses have left
BETWEEN = "@"  # of an account's name and its configuration
BASE = "A"  # the model of the accounts that are asked for their portfolios: the cheapest to keep


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """When accounts are looked at: every `every_us` from `from_us` (None: when they are open) to `until_us`.

    Models that are too slow for ticks are computed every `slow_us`, and keep their requirement in between.
    Only every `one_of`-th account is looked at, and `probes` unless told otherwise. `share` is (k, n): of these every
    n-th from the k-th on, for one of n processes.
    """

    every_us: int = 60_000_000
    slow_us: int = 300_000_000
    from_us: int | None = None
    until_us: int | None = None
    one_of: int = 1
    share: tuple[int, int] = (0, 1)
    probes: bool = True


@dataclass(slots=True)
class Copied(Merged):
    """A merged stream with a copy of every account for each configuration that the book sweeps."""

    configurations: tuple[Configuration, ...] = ()
    swept: tuple[Configuration, ...] = ()
    one_of: int = 1
    share: tuple[int, int] = (0, 1)
    probes: bool = True

    def __iter__(self) -> Iterator[Arrived]:
        """Give (arrival time, record); raises what the sources raise."""
        chosen: dict[str, bool] = {}
        counts = [0, 0]
        probes = Probes()
        for one in self.configurations:
            yield one.parameters.event_time_us, one.parameters
        for at_us, record in Merged.__iter__(self):
            if not isinstance(record, AccountConfig | Trade | Transfer):
                if isinstance(record, Instrument):
                    probes.listed(record)
                yield at_us, record
                continue
            beside = probes.beside(record) if isinstance(record, Trade) and self.probes else ()
            for own in (*beside, record):
                assert isinstance(own, AccountConfig | Trade | Transfer)
                name = own.account
                if name not in chosen:
                    chosen[name] = self._is_ours(own, counts)
                if chosen[name]:
                    yield from ((at_us, one) for one in self._copies(own))

    def _is_ours(self, first: Input, counts: list[int]) -> bool:
        """Return whether an account is looked at here, by its first record; `counts` are accounts and probes so far."""
        is_probe = isinstance(first, AccountConfig) and first.group in PROBES
        number = counts[is_probe]
        counts[is_probe] += 1
        if not is_probe:
            if number % self.one_of:
                return False
            number //= self.one_of
        return number % self.share[1] == self.share[0]

    def _copies(self, record: Input) -> Iterator[Input]:
        """Give an account's record, and that of each of its copies."""
        if isinstance(record, AccountConfig):
            yield msgspec.structs.replace(record, margin_model=BASE, parameter_set="default")
            for one in self.swept:
                yield msgspec.structs.replace(
                    record, account=f"{record.account}{BETWEEN}{one.name}", margin_model=one.model,
                    parameter_set=one.parameters.name,
                )  # fmt: skip
        elif isinstance(record, Trade | Transfer):
            yield record
            for one in self.swept:
                yield msgspec.structs.replace(record, account=f"{record.account}{BETWEEN}{one.name}")


def sample(
    stream: Merged, configurations: tuple[Configuration, ...], sampling: Sampling, on_step: OnStep = ignore
) -> Paths:
    """Run a stream and return what was sampled.

    Raises UsageError where nothing could be sampled, and what the sources raise.
    """
    swept = tuple(one for one in configurations if is_swept(one.model, plain=is_plain(one.parameters)))  # type: ignore[arg-type]
    copied = Copied(stream.sources, stream.span, configurations=configurations, swept=swept, one_of=sampling.one_of,
                    share=sampling.share, probes=sampling.probes)  # fmt: skip
    state = new_state()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    looker = _Looker(state, configurations, {one.name for one in swept}, sampling)
    with reading_ahead(copied, 1) if pays(copied) else nullcontext(Sequence(copied, 1)) as sequence:
        collected = 0
        batch: list[Sourced] = []
        for done, item in enumerate(sequence, 1):
            while looker.is_due(item):
                step(state, batch, conflate=True)
                batch = []
                looker.look(looker.due_us)
                on_step(Step(done, sequence.fraction, state.market.time_us, 0.0))
            batch.append(item)
            looker.note(item)
            if len(batch) >= BATCH:
                step(state, batch, conflate=True)
                batch = []
            if done >= collected + COLLECT_EVERY:
                confirm(state, collect(state))
                state.rejected.clear()
                collected = done
            if looker.is_over:
                break
    stream.first_us, stream.last_us = copied.first_us, copied.last_us
    return looker.paths()


class _Looker:
    """Looks at all accounts when a sample is due, and keeps what it saw."""

    def __init__(
        self, state: State, configurations: tuple[Configuration, ...], swept: set[str], sampling: Sampling
    ) -> None:
        self._state = state
        self._configurations = configurations
        self._swept = swept
        self._sampling = sampling
        self._opened_us = 0
        self.due_us = 0
        self._kinds: dict[str, str] = {}
        self._flow: dict[str, float] = {}
        self._waiting: list[Transfer] = []
        self._times: list[int] = []
        self._rows: dict[str, list[list[float]]] = {name: [] for name in ("equity", "flow", "gross", "held")}
        self._im: dict[str, list[list[float]]] = {one.name: [] for one in configurations}
        self._mm: dict[str, list[list[float]]] = {one.name: [] for one in configurations}
        self._slow: dict[tuple[str, str], tuple[float, float]] = {}
        self._slow_due_us = 0
        self._market: list[tuple[list[float], float, float, float, int]] = []
        self._accounts: tuple[str, ...] = ()
        self._coins: tuple[str, ...] = ()
        self._hashes = {one.name: parameter_hash(one.parameters) for one in configurations}
        self._groups = _by_view([one for one in configurations if one.name not in swept])

    @property
    def is_over(self) -> bool:
        """Whether the last sample has been taken."""
        until_us = self._sampling.until_us
        return until_us is not None and bool(self.due_us) and self.due_us >= until_us

    def note(self, item: Sourced) -> None:
        """Take note of who is opened and of money that moves."""
        record = item.record
        if isinstance(record, AccountConfig) and BETWEEN not in record.account:
            self._kinds.setdefault(record.account, record.group or "")
            if not self._times:
                self._opened_us = record.event_time_us
        elif isinstance(record, Transfer) and BETWEEN not in record.account:
            self._waiting.append(record)

    def is_due(self, item: Sourced) -> bool:
        """Return whether a sample comes before a record, which is the first beyond it."""
        at_us = item.record.event_time_us
        if not self._kinds or not isinstance(item.record, Heartbeat):
            return False
        if not self.due_us:
            every = self._sampling.every_us
            begin_us = max(self._sampling.from_us or 0, self._opened_us + SETTLE_US)
            self.due_us = -(-begin_us // every) * every
        return at_us > self.due_us and not self.is_over

    def look(self, at_us: int) -> None:
        """Take a sample of the state, which stands at `at_us`."""
        state, market = self._state, self._state.market
        if not self._accounts:
            self._accounts = tuple(sorted(self._kinds))
            found = [exposures(self._account(name), market.instruments).rows for name in self._accounts]
            self._coins = tuple(sorted({coin for rows in found for coin in rows}))
        self._count_flows()
        slow = at_us >= self._slow_due_us
        if slow:
            self._slow_due_us = at_us + self._sampling.slow_us
        book = state.book
        self._times.append(at_us)
        figures = np.array(book.figures_of(list(self._accounts)))
        self._rows["equity"].append(figures[:, 0].tolist())
        self._rows["flow"].append([self._flow.get(name, 0.0) for name in self._accounts])
        self._rows["held"].append([float(bool(book.conditions(name) & HELD)) for name in self._accounts])
        self._look_at_portfolios(slow=slow)
        for one in self._configurations:
            if one.name in self._swept:
                seen = book.figures_of([f"{name}{BETWEEN}{one.name}" for name in self._accounts])
                self._im[one.name].append([im for _, im, _ in seen])
                self._mm[one.name].append([mm for _, _, mm in seen])
        self._look_at_market()
        self.due_us += self._sampling.every_us

    def paths(self) -> Paths:
        """Return all that was seen; raises UsageError where it is nothing."""
        if not self._times:
            raise UsageError("nothing was sampled", "the accounts file must open accounts before the market ends")
        columns = {name: np.array(rows) for name, rows in self._rows.items()}
        index, fast, slow, absorption, regime = zip(*self._market, strict=True)
        market = MarketPath(
            self._coins, np.array(index), np.array(fast), np.array(slow), np.array(absorption),
            np.array(regime, dtype=np.int64),
        )  # fmt: skip
        requirements = tuple(
            Requirement(one, np.array(self._im[one.name]), np.array(self._mm[one.name])) for one in self._configurations
        )
        return Paths(
            np.array(self._times, dtype=np.int64), self._accounts, tuple(self._kinds[name] for name in self._accounts),
            columns["equity"], columns["flow"], columns["gross"], columns["held"] > 0.0, market, requirements,
        )  # fmt: skip

    # --- inside ---------------------------------------------------------------------------------

    def _account(self, name: str) -> Account:
        return self._state.shards[0].accounts[name]

    def _count_flows(self) -> None:
        """Count what came in since the last sample, coins at the index of now."""
        for one in self._waiting:
            view = None if one.asset == DOLLAR else self._state.market.ticks.index(one.asset)
            price = 1.0 if view is None else view.price_usd
            self._flow[one.account] = self._flow.get(one.account, 0.0) + one.amount * price
        self._waiting.clear()

    def _look_at_portfolios(self, *, slow: bool) -> None:
        """Compute the models that the book does not sweep; and gross notionals."""
        market = self._state.market
        held: dict[str, set[str]] = {coin: set() for coin in self._coins}
        rows = {}
        for name in self._accounts:
            rows[name] = exposures(self._account(name), market.instruments).rows
            for coin, found in rows[name].items():
                held.setdefault(coin, set()).update(row for row, _ in found if row is not None)
        self._rows["gross"].append([self._gross(rows[name]) for name in self._accounts])
        priced = self._priced(held) if self._groups else {}
        for group in self._groups:
            for one in group:
                self._im[one.name].append([])
                self._mm[one.name].append([])
            for name in self._accounts:
                account = copy_account(self._account(name))
                account.config = msgspec.structs.replace(account.config, parameter_set=group[0].parameters.name)
                portfolio = portfolio_of(account, market, {coin: priced[coin] for coin in rows[name]})
                for one in group:
                    im, mm = self._computed(one, name, portfolio, slow=slow)
                    self._im[one.name][-1].append(im)
                    self._mm[one.name][-1].append(mm)

    def _computed(self, of: Configuration, name: str, portfolio: Portfolio, *, slow: bool) -> tuple[float, float]:
        """Return an account's requirements; those of a slow model stay what they were until its next turn."""
        key, model = (of.name, name), MODELS[of.model]
        if model.each_tick or slow or key not in self._slow:
            margin = model.compute(portfolio, of.parameters, self._hashes[of.name])
            self._slow[key] = (margin.im_requirement_usd, margin.mm_requirement_usd)
        return self._slow[key]

    def _priced(self, held: dict[str, set[str]]) -> dict[str, Pricing]:
        """Price every contract that anybody holds once."""
        market, found = self._state.market, {}
        default = market.parameters.get("default")
        assert default is not None, "the default set always exists"
        for coin, contracts in held.items():
            pricing = found[coin] = Pricing(coin)
            pricing.set_names(sorted(contracts), market)
            pricing.set_parameters(default.risk_matrix(coin))
            pricing.read_surfaces(market)
            pricing.price(market)
        return found

    def _gross(self, rows: dict[str, list[tuple[str | None, float]]]) -> float:
        market, total = self._state.market, 0.0
        for coin, found in rows.items():
            view = market.ticks.index(coin)
            price = view.price_usd if view is not None else float("nan")
            for row, quantity in found:
                instrument = None if row is None else market.instruments.get(row)
                if instrument is None:
                    continue
                face = instrument.contract == "inverse" and instrument.type != "option"
                total += abs(quantity) * instrument.contract_size * (1.0 if face else price)
        return total

    def _look_at_market(self) -> None:
        ticks = self._state.market.ticks
        views = [ticks.index(coin) for coin in self._coins]
        view = ticks.correlation
        moving = [n for n, coin in enumerate(view.underlyings) if coin not in view.quiet]
        self._market.append(
            (
                [float("nan") if one is None else one.price_usd for one in views],
                _mean(view.fast, moving), _mean(view.slow, moving), view.absorption_ratio or float("nan"),
                REGIMES.index(ticks.regime.regime),
            )
        )  # fmt: skip


def _by_view(configurations: list[Configuration]) -> list[list[Configuration]]:
    """Return configurations together whose parameters show them the same portfolio: ranges, netting, matrices."""
    found: dict[bytes, list[Configuration]] = {}
    for one in configurations:
        of = one.parameters
        found.setdefault(msgspec.json.encode([of.risk_matrix, of.underlyings, of.netting]), []).append(one)
    return list(found.values())


def _mean(matrix: Floats, rows: list[int]) -> float:
    """Return the mean correlation of different coins, NaN for fewer than two."""
    if len(rows) < 2:
        return float("nan")
    block = matrix[np.ix_(rows, rows)]
    return float((block.sum() - np.trace(block)) / (len(rows) * (len(rows) - 1)))
