"""The settlement window in the engine: what is already averaged does not move any more."""

from __future__ import annotations

import random
from typing import Any

import mpmath
import msgspec
import numpy as np
import pytest
import QuantLib

from kernels import black76, scenarios
from monitor.engine.market import Market
from monitor.engine.pricing import Mark, Pricing
from schemas.records import Instrument, InstrumentVolatility, PriceTick, RiskMatrixParameters
from tests.engine_market import START_US, index_tick

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
EXPIRY_US = START_US + 120 * MINUTE_US
WINDOW_S = 1_800
SECONDS_PER_YEAR = 31_536_000
VOL = 0.8
PARAMETERS = RiskMatrixParameters()
COMMON: dict[str, Any] = {"underlying": "BTC", "event_time_us": START_US, "expiry_us": EXPIRY_US}
COIN: dict[str, Any] = {**COMMON, "settlement": "BTC", "contract": "inverse"}
CALL = Instrument(instrument="C", type="option", settlement="USD", strike=101_000.0, option_type="call", **COMMON)
PUT = msgspec.structs.replace(CALL, instrument="P", option_type="put", strike=99_500.0)
COIN_CALL = Instrument(instrument="IC", type="option", strike=100_000.0, option_type="call", **COIN)
FUTURE = Instrument(instrument="F", type="future", settlement="USD", contract_size=0.1, **COMMON)
COIN_FUTURE = Instrument(instrument="IF", type="future", contract_size=10.0, **COIN)
LISTED = (CALL, PUT, COIN_CALL, FUTURE, COIN_FUTURE)


def tick(price: float, time_us: int, source: str) -> PriceTick:
    return msgspec.structs.replace(index_tick("BTC", price, time_us, source), received_time_us=time_us)


def mark(name: str, price: float, time_us: int) -> PriceTick:
    return PriceTick(
        underlying="BTC", source="x", price_kind="mark", instrument=name, price=price, event_time_us=time_us,
        received_time_us=time_us, max_age_ms=86_400_000,
    )  # fmt: skip


def market_at(second: int, seed: int = 0) -> tuple[Market, list[tuple[int, float]]]:
    """A market some seconds before the expiry, at a whole minute, and the path of its index (seconds, price)."""
    draw = random.Random(seed)
    market = Market()
    for instrument in LISTED:
        market.apply(instrument)
        if instrument.type == "option":
            market.apply(
                InstrumentVolatility(
                    underlying="BTC",
                    source="x",
                    instrument=instrument.instrument,
                    vol_annual=VOL,
                    event_time_us=START_US,
                )
            )
    path: list[tuple[int, float]] = []
    price = 100_000.0
    for time_s in range(0, 7_200 - second + 1, 20):
        price *= 1.0 + draw.gauss(0.0, 0.001)
        for source in ("venue-a", "venue-b"):
            market.apply(tick(price, START_US + time_s * SECOND_US, source))
        path.append((time_s, price))
    return market, path


def priced(market: Market) -> Pricing:
    pricing = Pricing("BTC")
    pricing.set_names([instrument.instrument for instrument in LISTED], market)
    pricing.set_parameters(PARAMETERS)
    pricing.read_surfaces(market)
    pricing.price(market)
    return pricing


def split(path: list[tuple[int, float]], left_s: int) -> tuple[float, float]:
    """Fixed and variable part of the average by its definition, from the path of the index."""
    start_s, now_s = 7_200 - WINDOW_S, 7_200 - left_s
    total, at = 0.0, 0
    for second in range(start_s, now_s):
        while at + 1 < len(path) and path[at + 1][0] <= second:
            at += 1
        total += path[at][1]
    return total / WINDOW_S, path[-1][1] * left_s / WINDOW_S


def value_usd(instrument: Instrument, fixed: float, variable: float, spot: float, years: float, vol: float) -> float:
    """USD value of one contract: QuantLib's Black formula on the forward that is the expected average."""
    forward = fixed + variable
    size = instrument.contract_size
    if instrument.type == "future":
        return size * forward if instrument.contract == "linear" else -size * spot / forward
    kind = QuantLib.Option.Call if instrument.option_type == "call" else QuantLib.Option.Put
    value = QuantLib.blackFormula(kind, instrument.strike, forward, vol * float(mpmath.sqrt(years)))
    return float(size * (value * spot / forward if instrument.contract == "inverse" else value))


@pytest.mark.parametrize("left_s", [1_740, 1_200, 600, 60])
@pytest.mark.parametrize("instrument", LISTED, ids=lambda instrument: instrument.instrument)
def test_only_the_variable_part_moves(instrument: Instrument, left_s: int) -> None:
    """Values and standard scenarios equal a full revaluation of the expected average with its variable part moved."""
    market, path = market_at(left_s)
    pricing = priced(market)
    spot = path[-1][1]
    fixed, variable = split(path, left_s)
    years = left_s / SECONDS_PER_YEAR
    row = pricing.row_of[instrument.instrument]
    now = value_usd(instrument, fixed, variable, spot, years, VOL)
    assert pricing.value[row] == pytest.approx(now, rel=1e-9, abs=1e-9 * spot)
    table = pricing.table
    for s in range(3 * (2 * PARAMETERS.buckets_each_side + 1)):
        if table.vol_direction[s] != scenarios.SAME:
            continue
        move = float(table.move[s])
        moved = value_usd(instrument, fixed, variable * (1 + move), spot * (1 + move), years, VOL)
        assert pricing.pnl[row, s] == pytest.approx(moved - now, rel=1e-9, abs=1e-9 * spot)


def test_the_whole_book_decays_to_its_payoff() -> None:
    """At the expiry nothing moves in dollars: values are payoffs at the settlement price, and linear P&L is zero."""
    market, _ = market_at(0)
    pricing = priced(market)
    settled = market.ticks.averages.settlement("BTC", EXPIRY_US, market.time_us)
    assert settled is not None
    call, put, future = (pricing.row_of[name] for name in ("C", "P", "F"))
    assert pricing.value[call] == pytest.approx(max(settled.price_usd - 101_000.0, 0.0), abs=1e-9)
    assert pricing.value[put] == pytest.approx(max(99_500.0 - settled.price_usd, 0.0), abs=1e-9)
    assert pricing.value[future] == pytest.approx(0.1 * settled.price_usd, rel=1e-12)
    for row in (call, put, future):
        assert np.abs(pricing.pnl[row]).max() <= 1e-9
        assert pricing.delta[row] == pricing.market_delta[row] == 0.0
    # What is paid in coins moves with the coin: a fixed number of them.
    for name in ("IC", "IF"):
        row = pricing.row_of[name]
        coins = pricing.value[row] / pricing.index_price
        assert pricing.delta[row] == pytest.approx(coins, rel=1e-12)


@pytest.mark.parametrize("left_s", [1_200, 300])
def test_a_future_with_its_own_mark_keeps_it_and_moves_by_its_share(left_s: int) -> None:
    """The mark is the value; the P&L of a move is that of the part of the average that is still open."""
    market, path = market_at(left_s)
    fixed, variable = split(path, left_s)
    price = 1.001 * (fixed + variable)
    market.apply(mark("F", price, market.time_us))
    pricing = priced(market)
    row = pricing.row_of["F"]
    assert pricing.value[row] == pytest.approx(0.1 * price, rel=1e-12)
    share = variable / (fixed + variable)
    s = 3 * (2 * PARAMETERS.buckets_each_side) + 1
    assert pricing.pnl[row, s] == pytest.approx(0.1 * price * share * PARAMETERS.price_range, rel=1e-9)
    assert pricing.delta[row] * path[-1][1] == pytest.approx(0.1 * price * share, rel=1e-9)


def test_before_the_window_prices_are_the_same_bits_as_without_one() -> None:
    """Outside of windows and without funding every row is what the plain formulas give, bit for bit."""
    market, _ = market_at(1_860)
    pricing = priced(market)
    table, index = pricing.table, pricing.index_price
    years = 1_860 / SECONDS_PER_YEAR
    stdev = VOL * np.sqrt(years)
    for instrument in LISTED:
        row = pricing.row_of[instrument.instrument]
        size = instrument.contract_size
        if instrument.type == "future":
            expected = size * index if instrument.contract == "linear" else -size * index / index
            assert pricing.value[row] == expected
            per_move = size * index if instrument.contract == "linear" else 0.0
            assert (pricing.pnl[row] == per_move * table.linear_move).all()
            continue
        is_call, strike = instrument.option_type == "call", float(instrument.strike or 0.0)
        now = black76.price(is_call, index, strike, stdev, 1.0)
        assert pricing.value[row] == size * now
        for s in np.flatnonzero(table.vol_direction == scenarios.SAME):
            moved = black76.price(is_call, index * (1.0 + table.move[s]), strike, stdev, 1.0)
            assert pricing.pnl[row, s] == table.weight[s] * size * (moved - now)
    assert pricing.mark("F") == Mark(0.0, pricing.mark("F").vol, 0.0, 1.0, 0.0)


def test_prices_do_not_depend_on_how_the_window_was_entered() -> None:
    """Rows priced tick by tick through the window are bit for bit those of rows that are read for the first time."""
    market, path = market_at(1_900)
    pricing = priced(market)
    price = path[-1][1]
    for time_s in range(7_200 - 1_880, 7_200 + 180, 20):
        price *= 1.0 + 0.0001 * (time_s % 7 - 3)
        for source in ("venue-a", "venue-b"):
            market.apply(tick(price, START_US + time_s * SECOND_US, source))
        pricing.price(market)
        fresh = priced(market)
        for name in ("value", "delta", "market_delta", "pnl"):
            assert np.array_equal(getattr(pricing, name), getattr(fresh, name))


def test_expiries_are_in_an_order_of_their_own() -> None:
    """Sums over expiries are taken in one order, whatever else is held by others."""
    market = Market()
    own = {"B": 1, "C": 2, "D": 3}
    for name, day in {**own, "A": 3}.items():
        market.apply(
            msgspec.structs.replace(FUTURE, instrument=name, expiry_us=START_US + day * 86_400_000_000),
        )
    market.apply(Instrument(instrument="E", type="perpetual", settlement="USD", underlying="BTC", event_time_us=0))
    orders = []
    for names in ([*own, "E"], [*own, "E", "A"]):
        pricing = Pricing("BTC")
        pricing.set_names(names, market)
        orders.append([int(pricing.expiry_group[pricing.row_of[name]]) for name in ("B", "C", "D", "E")])
        assert pricing.expiry_group[0] == -1
    assert orders[0] == orders[1] == [1, 2, 3, 0]


def test_a_mark_that_gets_stale_is_a_change() -> None:
    """What a basis rests on matters inside a window, even where the number stays as it was."""
    market = Market()
    market.apply(FUTURE)
    for source in ("a", "b"):
        market.apply(tick(100_000.0, START_US, source))
    late = msgspec.structs.replace(mark("F", 100_000.0, START_US), max_age_ms=1_000)
    assert market.apply(late).underlyings == ("BTC",)
    assert market.ticks.basis_kind("F") == "mark"
    assert market.advance(START_US + 2 * SECOND_US).underlyings == ("BTC",)
    assert market.ticks.basis_kind("F") == "average"
