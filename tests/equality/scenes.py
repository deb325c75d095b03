"""Scenes of a market in which accounts live dangerously: a stream of records that watches what it does to them.

The stream reads the state that its records have led to so far, and brings accounts to thresholds by deposits that are
computed from it. Nothing else is read, so the same seed gives the same stream.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from monitor.engine.parameters import DEFAULT_SET
from monitor.engine.state import Account, State
from schemas.collateral import CollateralParameters
from schemas.records import (
    AccountConfig,
    Input,
    Instrument,
    MarginModel,
    NettingParameters,
    ParameterSet,
    RiskMatrixParameters,
    StatusParameters,
)
from schemas.standard import MarginTier, SizeParameters, StandardParameters, StandardSet, TierParameters
from tests.equality.books import SLOW, Holder, fill, opening, transfer
from tests.equality.world import COINS, MINUTE_US, SECOND_US, START_US, World, option

THRESHOLDS = (0.85, 0.90, 0.95, 1.0, 1.25)  # utilisations at which some condition changes
STEPS = (0.5e-4, 0.5e-4, 3e-4, 20e-4)
QUIET_MINUTES = 100  # until correlations are estimated: ten, thirty and sixty, one by one
PAUSES_US = (1_000, 10_000, 300_000, SECOND_US, 11 * SECOND_US)
WEIGHTS = {
    "ticks": 20, "saw": 24, "tune": 14, "jump": 12, "vols": 16, "minutes": 8, "together": 1, "trades": 20,
    "transfers": 10, "marks": 8, "repeats": 4, "dwell": 12, "stale": 2, "funding": 3, "configs": 3, "sets": 3,
    "listings": 4, "grids": 3, "broke": 3, "refused": 3, "apart": 2, "token": 2,
}  # fmt: skip


@dataclass(slots=True)
class Stream:
    """Records, endless; `scene` is what is being played."""

    draw: random.Random
    state: State
    holders: list[Holder]
    minutes: int = QUIET_MINUTES
    weights: dict[str, int] = field(default_factory=lambda: dict(WEIGHTS))
    scene: str = "opening"
    _count: int = 0

    def records(self) -> Iterator[Input]:
        """Yield the market and the accounts moving in, minutes until correlations are there, then scenes for ever."""
        world = World(self.draw)
        yield from world.definitions()
        yield wide_set(START_US, 0)
        yield near_set(START_US)
        yield sized_set(START_US)
        for coin in COINS:
            yield from world.set_price(coin, world.price[coin])
        yield from opening(self.holders, world)
        for holder in self.holders:
            yield from self._brought(world, holder.name, holder.utilisation)
        self.scene = "quiet"
        for _ in range(self.minutes):
            yield from self._minute(world, 1e-3, self.draw.uniform(0.2, 0.6))
        while True:
            self.scene = self.draw.choices(tuple(self.weights), tuple(self.weights.values()))[0]
            yield from getattr(self, f"_{self.scene}")(world)

    # --- prices ---------------------------------------------------------------------------------

    def _minute(self, world: World, sd: float, together: float) -> Iterator[Input]:
        """All coins once, over one minute, with so much of their variance in common."""
        common = self.draw.gauss(0.0, sd)
        for coin in COINS:
            world.passed(MINUTE_US // len(COINS))
            own = self.draw.gauss(0.0, sd)
            yield from self._move(world, coin, math.sqrt(together) * common + math.sqrt(1.0 - together) * own)

    def _move(self, world: World, coin: str, by: float) -> list[Input]:
        back = -0.002 * math.log(world.price[coin] / COINS[coin].spot_usd)
        return world.set_price(coin, world.price[coin] * math.exp(by + back))

    def _coin(self) -> str:
        return self.draw.choices(tuple(COINS), (4, 3, 2, 1, 1))[0]

    def _ticks(self, world: World) -> Iterator[Input]:
        step, one = self.draw.choice(STEPS), self.draw.choice((None, self._coin()))
        for _ in range(self.draw.randint(5, 40)):
            world.passed(self.draw.choice(PAUSES_US[:4]))
            coin = one or self._coin()
            world.price[coin] *= math.exp(self.draw.gauss(0.0, step))
            yield world.tick(coin, self.draw.randrange(COINS[coin].venues), self.draw.choice((0, 0, 0, 2 * SECOND_US)))

    def _saw(self, world: World) -> Iterator[Input]:
        """An account on a threshold, and a price that walks to and fro across it."""
        account = self._any(with_positions=True)
        if account is None:
            return
        yield from self._brought(world, account.name, self._edge())
        coin = self._coin_of(account)
        middle, reach = world.price[coin], 10.0 ** self.draw.uniform(-7.0, -3.0)
        pause_us = self.draw.choice(PAUSES_US)
        for number in range(self.draw.randint(6, 30)):
            world.passed(pause_us)
            yield from world.set_price(coin, middle * (1.0 + reach * (1, 0, -1, 0)[number % 4]))

    def _jump(self, world: World) -> Iterator[Input]:
        """One coin, or all, by 5 to 20 %, rarely much more, and, sometimes, back."""
        coins = [self._coin()] if self.draw.random() < 0.7 else list(COINS)
        by = self.draw.choice((-1.0, 1.0)) * self.draw.uniform(0.05, 0.20)
        if self.draw.random() < 0.08:
            by *= 6.0  # beyond any range that is provided for
        before = dict(world.price)
        for there in (True, False):
            for coin in coins:
                world.passed(self.draw.choice(PAUSES_US))
                yield from world.set_price(coin, before[coin] * (math.exp(by) if there else 1.0))
            for coin in coins:
                world.passed(self.draw.choice(PAUSES_US[2:]))
                yield from world.set_price(coin, world.price[coin])
            if self.draw.random() < 0.4:
                return

    def _apart(self, world: World) -> Iterator[Input]:
        """Venues of one coin that disagree for minutes, so that its index must not act, and agree again."""
        coin = self.draw.choice(("BTC", "ETH", "SOL"))
        middle = world.price[coin]
        for _ in range(self.draw.randint(3, 6)):
            world.passed(25 * SECOND_US)
            for venue in range(COINS[coin].venues):
                world.price[coin] = middle * (1.0 + 0.04 * venue)
                yield world.tick(coin, venue)
        world.passed(SECOND_US)
        yield from world.set_price(coin, middle)

    def _token(self, world: World) -> Iterator[Input]:
        """A dollar token that is not quite at par."""
        for _ in range(3):
            world.passed(self.draw.choice(PAUSES_US[:4]))
            yield world.token(1.0 + self.draw.gauss(0.0, 0.002))

    def _repeats(self, world: World) -> Iterator[Input]:
        coin = self._coin()
        for _ in range(self.draw.randint(3, 10)):
            world.passed(self.draw.choice((0, 1_000)))
            yield from world.set_price(coin, world.price[coin])

    def _marks(self, world: World) -> Iterator[Input]:
        futures = [one for one in world.tradable() if one.type in {"future", "perpetual"}]
        for _ in range(self.draw.randint(3, 12)):
            world.passed(self.draw.choice(PAUSES_US[:4]))
            yield world.mark(self.draw.choice(futures), self.draw.uniform(-0.004, 0.008))

    def _minutes(self, world: World) -> Iterator[Input]:
        together = self.draw.random()
        for _ in range(self.draw.randint(1, 4)):
            yield from self._minute(world, 1e-3, together)

    def _together(self, world: World) -> Iterator[Input]:
        """Minutes in which all coins are one, or none is like another: new matrices, perhaps a new regime."""
        together = self.draw.choice((0.0, 0.98))
        for _ in range(self.draw.choice((10, 40))):
            yield from self._minute(world, 2e-3, together)

    # --- volatilities and time ------------------------------------------------------------------

    def _vols(self, world: World) -> Iterator[Input]:
        coin, level = self._coin(), self.draw.uniform(0.3, 1.2)
        for _ in range(self.draw.randint(2, 10)):
            world.passed(self.draw.choice(PAUSES_US[:4]))
            level *= math.exp(self.draw.gauss(0.0, self.draw.choice((1e-4, 3e-3, 5e-2))))
            options = [one for one in world.tradable((coin,)) if one.type == "option"]
            form = self.draw.random()
            if form < 0.5:
                yield world.smile(coin, self.draw.choice(world.expiries(coin)), level)
            elif form < 0.75:
                yield world.svi(coin, self.draw.choice(world.expiries(coin)), level)
            else:
                yield world.own_volatility(self.draw.choice(options), level)

    def _dwell(self, world: World) -> Iterator[Input]:
        """Nothing but time, for as long as dwell times last."""
        for _ in range(self.draw.randint(1, 4)):
            world.passed(self.draw.choice((900_000, 1_000_000, 1_000_001, 10 * SECOND_US, 61 * SECOND_US)))
            yield world.heartbeat()

    def _stale(self, world: World) -> Iterator[Input]:
        """Minutes in which all coins are silent but one, which moves a lot; then prices again."""
        speaking = self._coin()
        for _ in range(self.draw.randint(4, 8)):
            world.passed(MINUTE_US)
            yield world.heartbeat()
            yield from self._move(world, speaking, self.draw.gauss(0.0, 0.03))
        for coin in COINS:
            world.passed(1_000)
            yield from world.set_price(coin, world.price[coin])

    def _funding(self, world: World) -> Iterator[Input]:
        for _ in range(3):
            world.passed(1_000)
            yield world.funding(self._coin(), self.draw.uniform(-0.01, 0.01))

    # --- accounts -------------------------------------------------------------------------------

    def _any(self, *, with_positions: bool = False) -> Account | None:
        accounts = [
            account for shard in self.state.shards.values() for account in shard.accounts.values()
            if account.name in self.state.book and (account.holdings or not with_positions)
        ]  # fmt: skip
        return self.draw.choice(sorted(accounts, key=lambda one: one.name)) if accounts else None

    def _coin_of(self, account: Account) -> str:
        listed = (self.state.market.instruments.get(name) for name in sorted(account.holdings))
        found = sorted({one.underlying for one in listed if one is not None})
        return self.draw.choice(found) if found else self._coin()

    def _edge(self) -> float:
        beside = self.draw.choice((-1.0, 1.0)) * 10.0 ** self.draw.uniform(-9.0, -4.0)
        threshold: float = self.draw.choice(THRESHOLDS)
        return threshold * (1.0 + float(beside))

    def _brought(self, world: World, account: str, utilisation: float) -> Iterator[Input]:
        """Money in or out that makes IM over equity a given number."""
        if account not in self.state.book:
            return
        equity, im, _ = self.state.book.figures(account)
        amount = im / utilisation - equity
        if math.isfinite(amount) and amount != 0.0 and abs(amount) < 1e12:
            yield transfer(self._number(), account, "USD", amount, world)

    def _number(self) -> str:
        self._count += 1
        return f"s-{self._count}"

    def _tune(self, world: World) -> Iterator[Input]:
        """The accounts that belong on a threshold, and one more, put there; then their coins move by a hair."""
        edges = [holder.name for holder in self.holders if holder.name.startswith("edge")]
        account = self._any(with_positions=True)
        names = self.draw.sample(edges, min(2, len(edges))) + ([account.name] if account else [])
        for name in names:
            world.passed(1_000)
            yield from self._brought(world, name, self._edge())
        for _ in range(5):
            world.passed(self.draw.choice(PAUSES_US[:4]))
            yield from self._move(world, self._coin(), self.draw.gauss(0.0, 1e-6))

    def _transfers(self, world: World) -> Iterator[Input]:
        for _ in range(self.draw.randint(1, 4)):
            account = self._any()
            if account is None:
                return
            world.passed(1_000)
            asset = self.draw.choice(("USD", "USD", "USDT", "BTC", "ETH", "DOGE"))
            price = world.price.get(asset, 1.0)
            usd = self.draw.choice((-1.0, 1.0)) * 10.0 ** self.draw.uniform(0.0, 4.5)
            yield transfer(self._number(), account.name, asset, usd / price, world)

    def _trades(self, world: World) -> Iterator[Input]:
        for _ in range(self.draw.randint(1, 8)):
            account = self._any()
            if account is None:
                return
            world.passed(self.draw.choice(PAUSES_US[:4]))
            held = [name for name in sorted(account.holdings) if self._trades_still(world, name)]
            number = self._number()
            if held and self.draw.random() < 0.6:
                name = self.draw.choice(held)
                trade = fill(number, account.name, world.listed[name], 1.0, world)
                part = self.draw.choice((1.0, 1.0, 0.5, 2.0))
                yield msgspec.structs.replace(trade, quantity=-part * account.holdings[name].quantity)
            else:
                one = self.draw.choice(world.tradable((self._coin(),)))
                yield fill(number, account.name, one, self.draw.gauss(0.0, 2e4), world)

    @staticmethod
    def _trades_still(world: World, name: str) -> bool:
        one = world.listed.get(name)
        return one is not None and (one.expiry_us is None or one.expiry_us > world.time_us)

    def _broke(self, world: World) -> Iterator[Input]:
        """An account without equity, or with money again after that."""
        account = self._any()
        if account is not None:
            world.passed(1_000)
            yield from self._brought(world, account.name, self.draw.choice((-3.0, 1e7, 0.8, 0.6)))

    def _refused(self, world: World) -> Iterator[Input]:
        """Records that change nothing: too early, too late, twice, of nothing known."""
        world.passed(1_000)
        coin = self._coin()
        early = world.tick(coin, 0)
        yield msgspec.structs.replace(early, event_time_us=world.time_us + MINUTE_US)
        yield msgspec.structs.replace(early, event_time_us=world.time_us - 5 * MINUTE_US)
        yield world.smile(coin, world.time_us - MINUTE_US, 0.5)
        account = self._any()
        if account is not None:
            trade = fill(self._number(), account.name, world.listed[f"{coin}-PERPETUAL"], 1_000.0, world)
            yield from (trade, trade)
            yield msgspec.structs.replace(trade, trade_id=self._number(), instrument="NOTHING")
            expired = [one for one in world.listed.values() if (one.expiry_us or world.time_us) < world.time_us]
            if expired:
                one = self.draw.choice(expired)
                yield fill(self._number(), account.name, one, 1_000.0, world)

    def _configs(self, world: World) -> Iterator[Input]:
        account = self._any()
        if account is None:
            return
        world.passed(1_000)
        slow = account.config.margin_model in SLOW
        models: tuple[MarginModel, ...] = SLOW if slow else ("P", "A")
        yield AccountConfig(
            account=account.name, margin_model=self.draw.choice(models),
            parameter_set=self.draw.choice(("default", "sized") if slow else ("default", "default", "wide")),
            event_time_us=world.time_us,
        )  # fmt: skip

    # --- definitions ----------------------------------------------------------------------------

    def _sets(self, world: World) -> Iterator[Input]:
        world.passed(1_000)
        yield wide_set(world.time_us, self.draw.randrange(VARIANTS))

    def _listings(self, world: World) -> Iterator[Input]:
        """A new expiry within two hours that somebody trades at once, or a listing that ends or begins again."""
        world.passed(1_000)
        if self.draw.random() < 0.5:
            one = self.draw.choice(world.tradable())
            yield msgspec.structs.replace(one, delisted=self.draw.random() < 0.5, event_time_us=world.time_us)
            return
        coin = COINS[self._coin()]
        at_us = (world.time_us // MINUTE_US + self.draw.choice((20, 60, 120))) * MINUTE_US
        for number in self.draw.sample(range(2 * len(coin.strikes)), 3):
            new: Instrument = option(coin, at_us, number, at_us=world.time_us)
            if new.instrument in world.listed:
                continue
            world.listed[new.instrument] = new
            yield new
            account = self._any()
            if account is not None:
                yield fill(self._number(), account.name, new, self.draw.gauss(0.0, 2e4), world)

    def _grids(self, world: World) -> Iterator[Input]:
        """The options of a coin that expire first end, and begin again: fewer moves, then finer ones, among ticks."""
        world.passed(1_000)
        coin = self._coin()
        first = [one for one in world.tradable((coin,)) if one.type == "option"]
        soon = [one for one in first if one.expiry_us in world.expiries(coin)[: self.draw.randint(1, 3)]]
        for delisted in (True, False):
            for one in soon:
                yield msgspec.structs.replace(one, delisted=delisted, event_time_us=world.time_us)
            yield from self._ticks(world)


VARIANTS = 5


def wide_set(at_us: int, variant: int) -> ParameterSet:
    """Return the set `wide`: other ranges, other thresholds, another k, no dwell, something on top of sweeps."""
    base = renamed(DEFAULT_SET, "wide", at_us)
    wide = RiskMatrixParameters(price_range=0.30)
    match variant:
        case 0:
            return msgspec.structs.replace(base, risk_matrix=wide)
        case 1:
            status = StatusParameters(warning_enter_v=0.8, warning_leave_v=0.7, margin_call_dwell_ms=0)
            return msgspec.structs.replace(base, status=status)
        case 2:
            netting = NettingParameters(correlation_stress=0.3, floor_correlation=0.2, mm_factor=0.7)
            return msgspec.structs.replace(base, netting=netting, risk_matrix=wide)
        case 3:
            return msgspec.structs.replace(base, risk_matrix=msgspec.structs.replace(wide, short_option_rate=0.01))
        case _:
            fixed = NettingParameters(ranges="fixed")
            return msgspec.structs.replace(base, netting=fixed, collateral=CollateralParameters())


def near_set(at_us: int) -> ParameterSet:
    """Return the set `near`: no move beyond a fixed range of 16 %."""
    matrix = RiskMatrixParameters(price_range=0.16, extended_moves=())
    base = renamed(DEFAULT_SET, "near", at_us)
    return msgspec.structs.replace(base, risk_matrix=matrix, netting=NettingParameters(ranges="fixed"))


def sized_set(at_us: int) -> ParameterSet:
    """Return the set `sized`: rates that grow with size, and tiers so near each other that accounts stand between."""
    tiers = TierParameters(
        tiers=tuple(
            MarginTier(floor_usd=floor, mm_rate=rate, im_rate=2.0 * rate)
            for floor, rate in ((0.0, 0.01), (20_000.0, 0.02), (45_000.0, 0.025), (60_000.0, 0.05), (400_000.0, 0.1))
        )
    )
    chosen = StandardParameters(size=SizeParameters(imf=0.02), tiered=tiers)
    base = renamed(DEFAULT_SET, "sized", at_us)
    return msgspec.structs.replace(base, standard=StandardSet(default=chosen, underlyings={}))


def renamed(of: ParameterSet, name: str, at_us: int) -> ParameterSet:
    """Return a parameter set under another name, whose risk matrix is that of every coin."""
    return msgspec.structs.replace(of, name=name, event_time_us=at_us, underlyings={})
