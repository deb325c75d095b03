"""Volatilities of a column's options: what updates touched is read as if all had been read."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from kernels.certificates import book
from monitor.engine import surface
from monitor.engine.market import Market
from monitor.engine.pricing import Pricing
from monitor.engine.surface import RejectedVolatility
from schemas.records import Instrument, RiskMatrixParameters
from tests.unit.engine.market_records import (
    DAY_S,
    at,
    mark_tick,
    option,
    own_vol,
    smile,
    source_tick,
    svi,
)

DAYS = (1, 2, 7, 30, 60)
OPTIONS = [option(f"C-{days}-{strike}", days * DAY_S, strike) for days in DAYS for strike in (80.0, 100.0, 130.0)]
FUTURES = [
    Instrument(
        instrument=f"F-{days}", type="future", underlying="BTC", settlement="USD", expiry_us=at(days * DAY_S),
        event_time_us=at(0),
    )
    for days in (7, 30)
]  # fmt: skip
NAMES = [one.instrument for one in (*OPTIONS, *FUTURES)]


def listed() -> Market:
    market = Market()
    for one in (*OPTIONS, *FUTURES):
        market.apply(one)
    market.apply(source_tick(0, "venue-a", 100.0))
    market.apply(source_tick(0, "venue-b", 100.0))
    return market


def new_pricing(market: Market) -> Pricing:
    pricing = Pricing("BTC")
    pricing.set_names(NAMES, market)
    pricing.set_parameters(RiskMatrixParameters())
    pricing.read_surfaces(market)
    pricing.price(market)
    return pricing


def update(draw: random.Random, second: float) -> Any:
    """Any record that a surface, a forward or a future's mark comes from."""
    days, vol = draw.choice((*DAYS, 14)), draw.uniform(0.3, 1.2)
    basis = draw.choice((None, None, draw.uniform(-0.01, 0.02)))
    second -= draw.choice((0.0, 0.0, 50.0))  # now and then late
    kind = draw.randrange(5)
    if kind == 0:
        one = draw.choice(OPTIONS)
        expiry_us = draw.choice((None, one.expiry_us))
        return own_vol(second, one.instrument, vol, expiry_us=expiry_us, forward_basis=basis if expiry_us else None)
    if kind == 1:
        return svi(second, days * DAY_S, a=0.02 * vol, b=0.1, rho=-0.3, m=0.0, sigma=0.2, k_min=-1.0, k_max=1.0)
    if kind == 2:
        return mark_tick(second, 100.0 * draw.uniform(0.99, 1.02), draw.choice(FUTURES).instrument)
    if kind == 3:
        return option(f"new-{draw.random()}", 14 * DAY_S, underlying=draw.choice(("BTC", "ETH")))
    return smile(second, days * DAY_S, vol, slope=draw.uniform(-0.05, 0.02), curvature=0.02, forward_basis=basis)


def contracts(pricing: Pricing) -> Any:
    found = np.zeros((len(pricing.row_of), book.FIELDS))
    pricing.write_contracts(found)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_what_was_touched_is_all_that_has_to_be_read(seed: int) -> None:
    """After any updates, several at a time, prices and contracts are those of rows that read everything.

    Marks are those of the moment that they were taken at, however late somebody asks for them.
    """
    draw, market = random.Random(seed), listed()
    pricing, followed = new_pricing(market), np.zeros((len(NAMES) + 1, book.FIELDS))
    partly, taken = 0, []
    for number in range(250):
        for _ in range(draw.choice((1, 1, 1, 4))):
            try:
                market.apply(update(draw, 60.0 + number))
            except RejectedVolatility:
                continue
        pricing.read_surfaces(market)
        pricing.read(market)
        moved = pricing.take_moved()
        if moved is None:
            pricing.write_contracts(followed)
        else:
            partly += 1
            for part in moved:
                pricing.write_part(part, followed)
        anew = new_pricing(market)
        assert np.array_equal(contracts(pricing), contracts(anew))
        assert np.array_equal(followed, contracts(anew))
        rows = np.array(draw.sample(range(len(NAMES) + 1), 5))
        taken.append((pricing.own_marks(rows), anew.marks[:, rows]))
        assert number % 2 or np.array_equal(taken[-1][0].made(), taken[-1][1], equal_nan=True)
        if number % 10 == 0:
            pricing.price(market)
            for one, other in ((pricing.value, anew.value), (pricing.pnl, anew.pnl), (pricing.marks, anew.marks)):
                assert np.array_equal(one, other, equal_nan=True)
            taken.append((pricing.own_marks(rows), anew.marks[:, rows]))
    assert partly > 50
    assert all(np.array_equal(marks.made(), at_once, equal_nan=True) for marks, at_once in taken)


def test_who_was_away_for_long_reads_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """More updates than are kept leave no gap, and neither do expiries that are forgotten."""
    monkeypatch.setattr(surface, "KEPT_TOUCHES", 3)
    draw, market = random.Random(1), listed()
    pricing = new_pricing(market)
    for number in range(20):
        market.apply(smile(60.0 + number, draw.choice(DAYS) * DAY_S, draw.uniform(0.3, 0.9)))
    pricing.read_surfaces(market)
    pricing.price(market)
    assert pricing.take_moved() is None
    assert np.array_equal(contracts(pricing), contracts(new_pricing(market)))
    market.apply(smile(10 * DAY_S, 60 * DAY_S, 0.5))  # a week after the first expiries
    pricing.read_surfaces(market)
    assert pricing.take_moved() is None
    pricing.read(market)
    assert np.array_equal(contracts(pricing), contracts(new_pricing(market)))
