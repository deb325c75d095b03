"""Seeded accounts for a market: settings, deposits, opening trades, and fills while the market runs.

Deposits are calibrated by the engine itself: each portfolio is valued under the default model at the opening marks, and
the deposit is set so that v = IM / equity is the value drawn for the account. Two accounts in a hundred are meant to be
in call from the start.

An account moves in with its positions: it is funded with its gross notional first and the surplus is withdrawn after
the last opening trade, so that no account stands with one leg of a hedge and too little money.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from monitor.engine import Sourced, State, evaluate_account, new_state, open_shard, step
from monitor.engine.composite import RejectedTick
from monitor.engine.listing import RejectedInstrument
from monitor.engine.parameters import RejectedParameters
from monitor.engine.surface import RejectedVolatility
from monitor.errors import UsageError
from monitor.replay import portfolios
from monitor.replay.paths import generator
from monitor.replay.portfolios import Kind, Portfolio
from monitor.replay.sources.base import TOPIC_OF, Arrived
from monitor.replay.universe import Contract, Universe, mark, read_universe
from schemas.records import AccountConfig, Input, Instrument, Trade, Transfer

REJECTIONS = (RejectedTick, RejectedVolatility, RejectedInstrument, RejectedParameters)

SECOND_US = 1_000_000
OPENING_SPREAD_US = 20 * SECOND_US  # accounts move in one after the other over this time
SWEEP_AFTER_US = 40 * SECOND_US  # the surplus goes when every account has its positions
FILLS_AFTER_US = 60 * SECOND_US
IN_CALL_SHARE = 0.02
IN_CALL_UTILISATION = (1.02, 1.12)  # above 1.25 the maintenance requirement would be touched as well
SMALLEST_DEPOSIT_USD = 100.0
MAX_LEVERAGE = 30.0  # gross notional over equity: a netted requirement alone would allow basis accounts a hundred
ROUNDS = 14  # of calibration; a coin deposit's own requirement is at most half of it, so each round halves the gap
CLOSE_ENOUGH = 1e-4  # of equity

TRADE_FEE = 0.0003  # of notional
OPTION_FEE_CAP = 0.125  # of the premium
SLIPPAGE = 0.0002  # half a spread
KIND_PREFIX: dict[Kind, str] = {
    "directional": "dir", "hedged-pair": "pair", "basis": "basis", "covered-call": "call",
    "short-volatility": "vol", "market-maker": "maker",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AccountParameters:
    """What is generated: how many accounts, how often each trades, and when after the market's start they move in.

    With `even` there are as many accounts of each kind; with `deposit` all money is in that asset, or in dollars what
    would be too much of it for the account's utilisation. Positions do not depend on it.
    """

    seed: int = 1
    accounts: int = 1_000
    fills_per_hour: float = 1.0
    opening_s: int = 120
    even: bool = False
    deposit: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be generated (raises UsageError)."""
        if not 1 <= self.accounts <= 1_000_000:
            raise UsageError(f"{self.accounts} accounts", "give 1 to 1000000")
        if not 0.0 <= self.fills_per_hour <= 3_600.0:
            raise UsageError(f"{self.fills_per_hour} fills an hour", "give 0 to 3600")
        if not 10 <= self.opening_s <= 86_400:
            raise UsageError(f"opening after {self.opening_s} s", "give 10 to 86400")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed {self.seed}", "give a non-negative number below 2^63")


@dataclass(slots=True)
class Opened:
    """One account as it was opened: equity and requirement are the engine's at the opening marks."""

    name: str
    portfolio: Portfolio
    deposits: dict[str, float]
    equity_usd: float
    im_usd: float

    @property
    def utilisation(self) -> float:
        """IM / equity."""
        return self.im_usd / self.equity_usd

    @property
    def leverage(self) -> float:
        """Gross notional / equity."""
        return self.portfolio.gross_usd / self.equity_usd


@dataclass(slots=True)
class GeneratedAccounts:
    """Records as (topic, record) in order of event time, and what was opened."""

    records: list[tuple[str, Input]] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    opening_us: int = 0
    fills: int = 0
    synthetic: tuple[str, ...] = ()


def generate_accounts(market: Iterable[Arrived], parameters: AccountParameters) -> GeneratedAccounts:
    """Generate accounts for a market given in arrival order; reads it to its end only if accounts trade later.

    Raises UsageError where the market ends before the opening or has nothing to trade, and what the market raises.
    """
    stream = iter(market)
    scratch = _Scratch()
    opening_us = scratch.read_until_opening(stream, parameters.opening_s)
    universe = read_universe(scratch.state.market, scratch.listing, opening_us)
    if not universe.coins:
        raise UsageError("nothing has a price when accounts open", "open later with --opening-s")
    if parameters.deposit is not None and parameters.deposit not in universe.collateral_usd:
        raise UsageError(f"{parameters.deposit} has no price when accounts open",
                         f"this market has {', '.join(sorted(universe.collateral_usd))}")  # fmt: skip
    for instrument in universe.synthetic:
        scratch.feed(instrument)
    result = GeneratedAccounts(opening_us=opening_us, synthetic=tuple(i.instrument for i in universe.synthetic))
    drawn = _draw(universe, parameters)
    result.opened = scratch.open(drawn, universe, opening_us)
    opening: list[Input] = [*universe.synthetic, *_opening_records(result.opened, opening_us)]
    fills = scratch.fills(stream, result.opened, parameters, opening_us) if parameters.fills_per_hour else []
    result.fills = len(fills)
    ordered = sorted([*opening, *fills], key=lambda record: record.event_time_us)
    result.records = [(TOPIC_OF[type(record)], record) for record in ordered]
    return result


def _draw(universe: Universe, parameters: AccountParameters) -> list[tuple[str, Portfolio]]:
    kinds = portfolios.kinds(parameters.accounts, generator(parameters.seed, 20), even=parameters.even)
    order = generator(parameters.seed, 21).permutation(parameters.accounts).tolist()
    # A basis account in call would need a hundred times its money in positions: no venue lends that.
    eligible = [number for number in order if kinds[number] != "basis"]
    chosen = set(eligible[: round(IN_CALL_SHARE * parameters.accounts)])
    width = max(4, len(str(parameters.accounts - 1)))
    drawn = []
    for number, kind in enumerate(kinds):
        draws = generator(parameters.seed, 1_000 + number)
        portfolio = portfolios.draw(kind, universe, draws, parameters.deposit)
        if number in chosen:
            utilisation = float(draws.uniform(*IN_CALL_UTILISATION))
            portfolio = Portfolio(kind, portfolio.legs, utilisation, portfolio.collateral)
        drawn.append((f"{KIND_PREFIX[kind]}-{number:0{width}d}", portfolio))
    return drawn


class _Scratch:
    """An engine of our own, to read the market and to value accounts; what it says about them goes nowhere."""

    def __init__(self) -> None:
        self.state: State = new_state()
        self.listing: dict[str, Instrument] = {}
        self._offset = itertools.count()
        self._transfer = itertools.count()

    def feed(self, record: Input) -> None:
        """Step one record."""
        topic = TOPIC_OF[type(record)]
        if isinstance(record, Instrument):
            self.listing[record.instrument] = record
        step(self.state, [Sourced(topic=topic, partition=0, offset=next(self._offset), index=0, record=record)])
        self.state.rejected.clear()

    def read_until_opening(self, stream: Iterator[Arrived], opening_s: int) -> int:
        """Read the market's first `opening_s` seconds; return the opening time, a whole second."""
        opening_us: int | None = None
        for at_us, record in stream:
            if opening_us is None and not isinstance(record, Instrument):
                opening_us = (at_us // SECOND_US + opening_s) * SECOND_US
            self.feed(record)
            if opening_us is not None and at_us >= opening_us:
                return opening_us
        raise UsageError(f"the market ends before its second {opening_s}", "open earlier with --opening-s")

    def open(self, drawn: list[tuple[str, Portfolio]], universe: Universe, opening_us: int) -> list[Opened]:
        """Value every portfolio and find the deposit that gives it its utilisation."""
        open_shard(self.state, 0, None, [], partitions=1, epoch=1)
        opened = []
        for name, portfolio in drawn:
            self.feed(AccountConfig(account=name, event_time_us=opening_us))
            for trade in _trades(name, portfolio, opening_us):
                self.feed(trade)
            opened.append(self._calibrate(name, portfolio, universe, opening_us))
        return opened

    def _calibrate(self, name: str, portfolio: Portfolio, universe: Universe, at_us: int) -> Opened:
        deposits: dict[str, float] = {}
        target = portfolio.utilisation
        evaluation = evaluate_account(self.state, name)
        for _ in range(ROUNDS):
            if not evaluation.valued:
                raise UsageError(f"{name} cannot be valued: {evaluation.data_quality}", "open later with --opening-s")
            wanted_usd = max(evaluation.im_requirement_usd / target, portfolio.gross_usd / MAX_LEVERAGE)
            gap_usd = max(wanted_usd, SMALLEST_DEPOSIT_USD) - evaluation.equity_usd
            if abs(gap_usd) <= CLOSE_ENOUGH * abs(evaluation.equity_usd):
                break
            for asset, share in portfolio.collateral.items():
                before = deposits.get(asset, 0.0)
                coins = gap_usd * share / universe.collateral_usd[asset]
                deposits[asset] = round(before + coins, 2 if universe.collateral_usd[asset] < 100.0 else 6)
                if deposits[asset] != before:
                    self._transfer_in(name, asset, deposits[asset] - before, at_us)
            evaluation = evaluate_account(self.state, name)
        deposits = {asset: amount for asset, amount in deposits.items() if amount != 0.0}
        return Opened(name, portfolio, deposits, evaluation.equity_usd, evaluation.im_requirement_usd)

    def _transfer_in(self, name: str, asset: str, amount: float, at_us: int) -> None:
        number = next(self._transfer)
        self.feed(
            Transfer(transfer_id=f"calibration-{number}", account=name, asset=asset, amount=amount, event_time_us=at_us)
        )

    def fills(
        self, stream: Iterator[Arrived], opened: list[Opened], parameters: AccountParameters, opening_us: int
    ) -> list[Trade]:
        """Let accounts trade at the marks of the rest of the market: Poisson times, a tenth of a leg at a time."""
        # The accounts are not needed any more: a state without them folds the market several times faster.
        market = self.state.market
        traders = [_Trader(account, parameters, number) for number, account in enumerate(opened)]
        queue = [(opening_us + FILLS_AFTER_US + trader.wait_us(), number) for number, trader in enumerate(traders)]
        heapq.heapify(queue)
        fills: list[Trade] = []
        for at_us, record in stream:
            while queue and queue[0][0] <= at_us:
                due_us, number = queue[0]
                trader = traders[number]
                contract = trader.choose()
                price = mark(market, contract.instrument)
                expires_us = contract.instrument.expiry_us
                if price is not None and price > 0.0 and (expires_us is None or expires_us > due_us):
                    fills.append(trader.fill(contract, price, due_us))
                heapq.heapreplace(queue, (due_us + trader.wait_us(), number))
            self._fold(record)
        return fills

    def _fold(self, record: Input) -> None:
        source = Sourced(topic=TOPIC_OF[type(record)], partition=0, offset=next(self._offset), index=0, record=record)
        try:
            self.state.market.apply(source.record)
        except REJECTIONS:
            return  # the worker will refuse it as well, and count it


class _Trader:
    """One account that goes on trading."""

    def __init__(self, opened: Opened, parameters: AccountParameters, number: int) -> None:
        self._opened = opened
        self._first = {contract.name: quantity for contract, quantity in opened.portfolio.legs}
        self._held = dict(self._first)
        self._draws = generator(parameters.seed, 1_000_000_000 + number)
        self._mean_us = 3_600 * SECOND_US / parameters.fills_per_hour
        self._count = 0

    def wait_us(self) -> int:
        """Draw the time to the next fill."""
        return 1 + int(self._draws.exponential(self._mean_us))

    def choose(self) -> Contract:
        """Draw the instrument of the next fill."""
        legs = self._opened.portfolio.legs
        return legs[int(self._draws.integers(len(legs)))][0]

    def fill(self, contract: Contract, price: float, at_us: int) -> Trade:
        """Trade a part of the leg: away from its first size or back to it."""
        first = self._first[contract.name]
        held = self._held[contract.name]
        size = abs(first) * float(self._draws.uniform(0.05, 0.15))
        size = round(size, 4) if contract.instrument.type == "spot" else float(max(1, round(size)))
        away = self._draws.random() < 0.5
        sign = 1.0 if (abs(held) < abs(first) or (held == first and away)) == (first > 0.0) else -1.0
        quantity = sign * max(size, 1e-4)
        self._held[contract.name] = held + quantity
        self._count += 1
        price = _rounded(price * (1.0 + SLIPPAGE * sign))
        return Trade(
            trade_id=f"{self._opened.name}-f{self._count}",
            account=self._opened.name,
            instrument=contract.name,
            quantity=quantity,
            price=price,
            event_time_us=at_us,
            fee=_fee(contract.instrument, quantity, price),
        )


def _opening_records(opened: list[Opened], opening_us: int) -> Iterator[Input]:
    """Give each account's settings, funding, trades and withdrawal of the surplus."""
    for number, account in enumerate(opened):
        at_us = opening_us + OPENING_SPREAD_US * number // len(opened)
        yield AccountConfig(account=account.name, group=account.portfolio.kind, event_time_us=at_us)
        surplus = float(round(account.portfolio.gross_usd))
        yield _transfer(account.name, "funding", "USD", surplus, at_us + 1)
        for asset, amount in account.deposits.items():
            yield _transfer(account.name, asset.lower(), asset, amount, at_us + 1)
        yield from _trades(account.name, account.portfolio, at_us + 2)
        sweep_us = opening_us + SWEEP_AFTER_US + OPENING_SPREAD_US * number // (4 * len(opened))
        yield _transfer(account.name, "sweep", "USD", -surplus, sweep_us)


def _trades(name: str, portfolio: Portfolio, at_us: int) -> Iterator[Trade]:
    for number, (contract, quantity) in enumerate(portfolio.legs):
        yield Trade(
            trade_id=f"{name}-o{number}",
            account=name,
            instrument=contract.name,
            quantity=quantity,
            price=_rounded(contract.price),
            event_time_us=at_us,
        )


def _transfer(account: str, what: str, asset: str, amount: float, at_us: int) -> Transfer:
    return Transfer(transfer_id=f"{account}-{what}", account=account, asset=asset, amount=amount, event_time_us=at_us)


def _fee(instrument: Instrument, quantity: float, price: float) -> float:
    """Return the fee in the settlement asset: a part of notional, for options at most a part of the premium."""
    size = abs(quantity) * instrument.contract_size
    if instrument.type == "option":
        return round(min(TRADE_FEE * size * (1.0 if instrument.contract == "inverse" else price),
                         OPTION_FEE_CAP * size * price), 10)  # fmt: skip
    coins_or_usd = size / price if instrument.contract == "inverse" else size * price
    return round(TRADE_FEE * coins_or_usd, 10)


def _rounded(price: float) -> float:
    """Round a price to nine significant digits, as a venue would quote it."""
    return float(f"{price:.9g}")
