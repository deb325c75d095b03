"""Published risk arrays are enough to recompute a requirement of model C, by whoever has them."""

from __future__ import annotations

import math
import random

import msgspec

from monitor.engine.market import Market
from monitor.engine.parameters import DEFAULT_ACTIVE
from monitor.engine.risk_arrays import risk_arrays
from monitor.models import span
from schemas.codec import encode
from schemas.records import RiskArray
from tests.engine_market import SPOT_USD, listing
from tests.model_books import book, market, random_positions

Published = dict[str, RiskArray]


def published(market: Market) -> Published:
    """What the topic has, read from its bytes, by instrument."""
    written = [encode(record) for record in risk_arrays(market, DEFAULT_ACTIVE)]
    records = [msgspec.json.decode(data, type=RiskArray) for data in written]
    return {record.instrument: record for record in records}


def requirement(arrays: Published, held: dict[str, float]) -> float:
    """The formulas of docs/margin-model-c.md in plain Python, without credits: IM beside equity with option value."""
    parameters = DEFAULT_ACTIVE.set.span
    total = 0.0
    for coin in sorted({arrays[name].underlying or "" for name in held}):
        chosen = parameters.underlyings.get(coin, parameters.default)
        rows = [(arrays[name], quantity) for name, quantity in held.items() if arrays[name].underlying == coin]
        scan = max(0.0, *(-math.fsum(q * row.pnl_usd[s] for row, q in rows) for s in range(16)))
        tiers = sorted({row.expiry_us or 0 for row, _ in rows if row.kind != "coin"})
        delta = [
            math.fsum(q * row.delta_coins for row, q in rows if row.kind != "coin" and (row.expiry_us or 0) == tier)
            for tier in tiers
        ]
        price = []
        for tier in tiers:
            prices = [row.price or 0.0 for row, _ in rows if row.kind != "coin" and (row.expiry_us or 0) == tier]
            price.append(sum(prices) / len(prices))
        intra = 0.0
        for gap in range(1, len(tiers)):
            for near in range(len(tiers) - gap):
                far = near + gap
                if delta[near] * delta[far] < 0.0:
                    n = min(abs(delta[near]), abs(delta[far]))
                    delta[near] -= math.copysign(n, delta[near])
                    delta[far] -= math.copysign(n, delta[far])
                    intra += n * chosen.calendar_rate * price[far]
        options = [(row, q) for row, q in rows if row.option_type is not None]
        minimum = (
            chosen.short_option_rate
            * (rows[0][0].index_price or 0.0)
            * math.fsum(max(0.0, -q) * row.contract_size for row, q in options)
        )
        value = math.fsum(q * row.value_usd for row, q in options)
        total += max(scan + intra, minimum, value)
    return total


def test_a_third_party_finds_the_same_requirement() -> None:
    """From the records and the positions alone, without a pricing model."""
    state, dice = market(), random.Random(11)
    arrays = published(state.market)
    for _ in range(60):
        portfolio = book(state, random_positions(dice), {"USD": 1e4, "BTC": dice.choice((0.0, 0.4))})
        found = span.margin(portfolio, DEFAULT_ACTIVE.set.span, "0" * 16)
        held: dict[str, float] = {}
        for u in portfolio.underlyings:
            held |= {name: float(q) for name, q in zip(u.names, u.quantity, strict=True) if name is not None}
            # Coins beside marked contracts: the balance, and what inverse ones have earned.
            coins = u.coins + math.fsum(
                u.entry_coins[row] - u.quantity[row] * u.rows.size[row] / u.rows.forward[row]
                for row in range(len(u.names)) if u.entry_coins[row]
            )  # fmt: skip
            held |= {u.name: coins} if coins else {}
        assert math.isclose(requirement(arrays, held), found.im_requirement_usd, rel_tol=1e-9, abs_tol=1e-6)


def test_every_listed_contract_has_an_array() -> None:
    """Each coin with a price and each contract on it, once, with the hash of its parameters."""
    state = market()
    arrays = published(state.market)
    listed = [item.instrument for coin in SPOT_USD for item in listing(coin)]
    assert list(arrays) == [
        name for coin in sorted(SPOT_USD) for name in (coin, *sorted(n for n in listed if n[:3] == coin))
    ]
    assert {record.parameter_hash for record in arrays.values()} == {DEFAULT_ACTIVE.hash}
    assert all(len(record.pnl_usd) == 16 for record in arrays.values())


def test_what_has_no_price_has_no_array() -> None:
    """A coin without an index is left out with its contracts."""
    arrays = published(market(priced=("BTC",)).market)
    assert {record.underlying for record in arrays.values()} == {"BTC"}
