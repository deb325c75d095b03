"""Accounts that are hard to certify, by family, with what they hold as parts of a coin's price in USD.

| family | why |
|---|---|
| edge | stands a part in 1e4 to 1e9 beside a threshold, and is put there again and again |
| wings | long gamma where the price is, short beyond on both sides: safe in the middle, in breach at both ends |
| strangle | short on both sides of the price |
| far | one short option far out of the money, and little money |
| maker | up to 300 positions over all coins, nearly hedged |
| pair | long and short across expiries, many times its equity |
| hedged | long one coin and short others, sometimes with options: cheap as long as they are netted |
| broke | no equity: with positions, without any, or nothing at all |
| single | one coin, all kinds of contracts |
| coins | collateral in coins and dollar tokens, not in dollars |
| wide | another parameter set, which changes |
| slow | models that are computed one by one |
| edge_standard | as edge, under the forms of model E |
| standard | as wings, strangle, far, maker, pair and coins by turns, some with coins that they owe, under model E |
| edge_added, added | the same under model A |
| mixed | random positions, models P and A by turns |
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import get_args

from schemas.records import AccountConfig, Input, Instrument, MarginModel, Trade, Transfer
from tests.equality.world import COINS, EXPIRIES_US, USD_FACE, World, day, listing

SLOW: tuple[MarginModel, ...] = ("E", "E-cross", "E-tiered", "E-derive")
SETS = ("default", "sized")  # of accounts under model E
FAMILIES = {
    "edge": 8, "wings": 4, "strangle": 2, "far": 3, "maker": 2, "pair": 3, "hedged": 6, "broke": 3, "single": 4,
    "coins": 4, "wide": 3, "slow": 2, "mixed": 6, "edge_standard": 4, "standard": 6, "edge_added": 3, "added": 6,
}  # fmt: skip
_ALIKE = ("wings", "strangle", "far", "maker", "pair", "coins")
assert set(SLOW) <= set(get_args(MarginModel))

Legs = list[tuple[str, float]]  # instrument, signed notional in USD


@dataclass(slots=True)
class Holder:
    """One account: what it begins with, and the utilisation (IM over equity) that it is brought to."""

    name: str
    model: MarginModel = "P"
    parameter_set: str = "default"
    legs: Legs = field(default_factory=list)
    deposits: dict[str, float] = field(default_factory=dict)
    utilisation: float = 0.8


def holders(draw: random.Random, families: dict[str, int], positions: int) -> list[Holder]:
    """Return the accounts of some families; makers have up to so many positions."""
    by_coin = {name: listing(coin) for name, coin in COINS.items()}
    found = []
    for family, count in families.items():
        for number in range(count):
            holder = Holder(f"{family}-{number}", model="A" if number % 3 == 1 else "P")
            holder.utilisation = draw.uniform(0.75, 1.02)
            if family.endswith(("standard", "added")):
                _fill_alike(holder, family, number, draw, by_coin, positions)
            else:
                _fill(holder, family, number, draw, by_coin, positions)
            found.append(holder)
    return found


def _fill(
    holder: Holder, family: str, number: int, draw: random.Random, by_coin: dict[str, list[Instrument]], positions: int
) -> None:
    coins = draw.sample(tuple(COINS), draw.randint(1, 4))
    everything = [one.instrument for coin in coins for one in by_coin[coin]]
    match family:
        case "wings":
            name = ("BTC", "ETH")[number % 2]
            week = day(EXPIRIES_US[1 + number // 2 % 2])
            long = [(f"{name}-{week}-{strike}", 40_000.0) for strike in ("0.9-P", "1.1-C")]
            short = [(f"{name}-{week}-{strike}", -150_000.0) for strike in ("0.7-P", "1.3-C")]
            holder.legs = long + short
            holder.parameter_set = "near"
            holder.utilisation = draw.uniform(0.3, 0.84)
        case "strangle":
            week = day(EXPIRIES_US[number % 2 + 1])
            holder.legs = [(f"ETH-{week}-0.9-P", -80_000.0), (f"ETH-{week}-1.1-C", -80_000.0)]
        case "far":
            name = ("BTC-{}-0.5-P", "ETH-{}-2-C", "BTC-{}-2-C")[number % 3]
            holder.legs = [(name.format(day(EXPIRIES_US[1 + number % 2])), -400_000.0)]
        case "maker":
            names = [one.instrument for of in by_coin.values() for one in of]
            chosen = draw.sample(names, min(positions, len(names)))
            holder.legs = [(one, draw.gauss(0.0, 30_000.0)) for one in chosen]
            holder.model = "P"
        case "pair":
            name = draw.choice(tuple(COINS))
            near, far = day(COINS[name].expiries[0]), day(COINS[name].expiries[-1])
            holder.legs = [(f"{name}-{far}-LINEAR", 4e6), (f"{name}-{near}-INVERSE", -2e6), (f"{name}-INVERSE", -2e6)]
        case "hedged":
            holder.legs = _netted(draw, everything if number % 2 else [])
            holder.model = "P"
        case "broke":
            holder.legs = [(leg, draw.gauss(0.0, 3e4)) for leg in draw.sample(everything, min(3, 3 * (2 - number)))]
            holder.utilisation = 1e6 if number else -5.0
        case "single" | "edge" | "wide" | "mixed":
            names = [one.instrument for one in by_coin[coins[0]]] if family == "single" else everything
            holder.legs = [
                (one, draw.gauss(0.0, 5e4)) for one in draw.sample(names, min(draw.randint(2, 8), len(names)))
            ]
            holder.parameter_set = "wide" if family == "wide" else "default"
        case "coins":
            holder.legs = [(one, draw.gauss(0.0, 4e4)) for one in draw.sample(everything, 4)]
            holder.deposits = {coins[0]: 20_000.0 / COINS[coins[0]].spot_usd, "USDT": 15_000.0, "ETH": 1.0}
        case _:
            holder.model = "E" if number % 2 else "E-cross"
            holder.legs = [("BTC-PERPETUAL", 5e4), (f"BTC-{day(EXPIRIES_US[3])}-1.1-C", -4e4)]


def _netted(draw: random.Random, others: list[str]) -> Legs:
    """Return a long position in one coin, short ones in some of the rest, and two of other instruments if any."""
    first, *rest = draw.sample(tuple(COINS), draw.randint(2, 4))
    legs = [(f"{first}-PERPETUAL", 1e5)]
    legs += [(f"{one}-PERPETUAL", draw.uniform(-1.2, -0.4) * 1e5 / len(rest)) for one in rest]
    return legs + [(one, draw.gauss(0.0, 2e4)) for one in draw.sample(others, min(2, len(others)))]


def _fill_alike(
    holder: Holder, family: str, number: int, draw: random.Random, by_coin: dict[str, list[Instrument]], positions: int
) -> None:
    """Let an account under model A or E hold what one of another family holds."""
    kind = "edge" if family.startswith("edge") else _ALIKE[number % len(_ALIKE)]
    _fill(holder, kind, number, draw, by_coin, positions)
    if family.endswith("added"):
        holder.model, holder.parameter_set = "A", ("default", "near", "wide")[number // 2 % 3]
        return
    holder.model, holder.parameter_set = SLOW[number % 3], SETS[number // 2 % 2]
    if kind == "strangle":
        holder.deposits = {"BTC": -0.3, "DOGE": -1_000.0}


def contracts(instrument: Instrument, notional_usd: float, price_usd: float) -> float:
    """Return how many contracts a notional is, signed, to four digits and never none."""
    face = instrument.contract == "inverse" and instrument.type != "option"
    size = notional_usd / (USD_FACE if face else price_usd * instrument.contract_size)
    return float(f"{size:.4g}") or 1.0


def fill(number: str, account: str, instrument: Instrument, notional_usd: float, world: World) -> Trade:
    """Return a fill at about the present price; options cost a few percent of it."""
    spot = world.price[instrument.underlying]
    price = spot
    if instrument.type == "option":
        premium = world.draw.uniform(0.001, 0.06)
        price = premium if instrument.contract == "inverse" else premium * spot
    return Trade(
        trade_id=number, account=account, instrument=instrument.instrument, price=price, event_time_us=world.time_us,
        quantity=contracts(instrument, notional_usd, spot), fee=0.0001 if instrument.type == "option" else 0.0,
    )  # fmt: skip


def transfer(number: str, account: str, asset: str, amount: float, world: World) -> Transfer:
    """Return a deposit or a withdrawal."""
    return Transfer(
        transfer_id=number, account=account, asset=asset, amount=amount, event_time_us=world.time_us
    )  # fmt: skip


FUND_USD = 1e8  # so that nobody stands with one leg of a hedge and too little money while moving in


def opening(of: list[Holder], world: World) -> Iterator[Input]:
    """Yield settings, money and positions of the accounts; what is too much is withdrawn by whoever tunes them."""
    for holder in of:
        yield AccountConfig(
            account=holder.name, margin_model=holder.model, parameter_set=holder.parameter_set,
            event_time_us=world.time_us,
        )  # fmt: skip
        yield transfer("fund", holder.name, "USD", FUND_USD, world)
        for asset, amount in holder.deposits.items():
            yield transfer(f"{asset}", holder.name, asset, amount, world)
        for number, (name, notional_usd) in enumerate(holder.legs):
            yield fill(f"open-{number}", holder.name, world.listed[name], notional_usd, world)
