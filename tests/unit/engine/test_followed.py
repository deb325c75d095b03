"""Drifts of a column: whatever references are taken, what certificates are charged is no less than what happened."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

from kernels import scenarios, surface
from kernels.certificates import book as layout
from kernels.certificates import joint
from monitor.engine.book import Book
from monitor.engine.composite import RejectedTick
from monitor.engine.state import Account, Holding
from monitor.engine.surface import RejectedVolatility
from schemas.records import AccountConfig
from tests.unit.engine.market_records import DAY_S, at, heartbeat, smile, source_tick
from tests.unit.engine.test_option_rows import DAYS, NAMES, listed, update

ROUNDING = 1e-12


def distance(before: Any, now: Any, index: float, level: float) -> float:
    """How far a contract went at one price: the change of ln F, and of s for options times the density at the money.

    But for a change of the level of s.
    """
    found = abs(math.log((1.0 + now[layout.BASIS]) / (1.0 + before[layout.BASIS])))
    if now[layout.KIND] >= scenarios.LINEAR_OPTION:
        stdevs = []
        for of in (before, now):
            forward, years = (1.0 + of[layout.BASIS]) * index, of[layout.YEARS]
            row: list[Any] = [int(of[layout.CODE]), *of[layout.SURFACE :], of[layout.LOW], of[layout.HIGH]]
            row += [of[layout.STRIKE], forward, years]
            stdevs.append(surface.volatility(*row) * math.sqrt(years))
        found += abs(stdevs[1] - stdevs[0] - level) / math.sqrt(2.0 * math.pi)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_no_row_drifts_by_more_than_is_charged(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any moment to any later one no held contract goes further than D + D1 - 2 B1 of its class.

    But for classes that went where drifts are not bounded in between: these have no certificates any more.
    """
    draw, market = random.Random(seed), listed()
    for days in DAYS:
        market.apply(smile(0, days * DAY_S, 0.6, slope=-0.03, curvature=0.02, forward_basis=0.001))
    book = Book(certificates=True)
    holdings = {name: Holding(quantity=1.0, average_price=1.0) for name in draw.sample(NAMES, len(NAMES) - 3)}
    account = Account(config=AccountConfig(account="a", event_time_us=at(0)), balances={"USD": 1e9}, holdings=holdings)
    book.set_account(account, market)
    followed, column = book._certificates._followed, book._columns[0]  # type: ignore[union-attr]
    known: list[tuple[Any, Any]] = []
    voided: list[int] = []
    monkeypatch.setattr(followed, "_void_class", lambda _, k: voided.append(k))
    charged = references = 0
    for number in range(300):
        size = draw.choice((1e-4, 1e-3, 1e-2))
        second = 60.0 + number
        if number % 20 == 19:
            changed = market.apply(heartbeat(second))
            market.apply(source_tick(second, "venue-a", 100.0 * draw.uniform(0.8, 1.2)))
        elif draw.random() < 0.03:
            try:
                changed = market.apply(update(draw, second))
            except (RejectedTick, RejectedVolatility):
                continue
        else:
            vol = 0.6 * float(np.exp(draw.gauss(0.0, size)))
            slope = -0.03 + draw.choice((0.0, 0.0, size))
            changed = market.apply(
                smile(second, draw.choice(DAYS) * DAY_S, vol, slope=slope, curvature=0.02, forward_basis=0.001)
            )
        book.refresh(changed.underlyings, market, surface=changed.surface)
        now, p = followed.now[column.index].copy(), column.pricing
        contracts = followed._rows(column).copy()
        if draw.random() < 0.2:
            references += followed.refer_near(column.index)
            assert np.array_equal(followed.now[column.index, : joint.SINCE], now[: joint.SINCE])
            assert np.array_equal(followed.now[column.index, joint.LEVEL :], now[joint.LEVEL :])
        known = [] if voided else known
        voided.clear()
        for before, then in known:
            held = (column.holders > 0) & (contracts[:, layout.KIND] != scenarios.COIN)
            for row in np.flatnonzero(held).tolist():
                k = int(contracts[row, layout.CLASS])
                bound = now[joint.DRIFT + k] + then[joint.DRIFT + k] - 2.0 * then[joint.SINCE + k]
                level = now[joint.LEVEL + k - 1] - then[joint.LEVEL + k - 1] if k else 0.0
                went = distance(before[row], contracts[row], p.index_price, level)
                assert went <= bound + ROUNDING
                charged += went > ROUNDING
        known = [*known[-6:], (contracts, followed.now[column.index].copy())]
    assert charged > 500
    assert references > 5


def test_a_level_that_moves_is_no_drift_and_comes_back() -> None:
    """Slices that move up and down as a whole leave drifts where they were, and come back with their volatilities."""
    draw, market = random.Random(7), listed()
    days = sorted(DAYS)[: joint.EXPIRIES]
    for number, day in enumerate(days):
        market.apply(smile(number, day * DAY_S, 0.6, slope=-0.03, curvature=0.02, forward_basis=0.001))
    book = Book(certificates=True)
    holdings = {name: Holding(quantity=1.0, average_price=1.0) for name in NAMES}
    account = Account(config=AccountConfig(account="a", event_time_us=at(0)), balances={"USD": 1e9}, holdings=holdings)
    book.set_account(account, market)
    followed, column = book._certificates._followed, book._columns[0]  # type: ignore[union-attr]
    book.refresh(["BTC"], market, surface=True)
    vols, before = dict.fromkeys(days, 0.6), followed.now[column.index].copy()
    moved = set[float]()
    for number in range(40):
        day = draw.choice(days)
        vols[day] *= math.exp(draw.gauss(0.0, 0.02))
        changed = market.apply(
            smile(20.0 + number / 2.0, day * DAY_S, vols[day], slope=-0.03, curvature=0.02, forward_basis=0.001)
        )
        book.refresh(changed.underlyings, market, surface=changed.surface)
        now = followed.now[column.index]
        assert np.abs(now[joint.DRIFT : joint.SINCE] - before[joint.DRIFT : joint.SINCE]).max() <= 1e-15
        moved |= set(np.abs(now[joint.LEVEL :] - before[joint.LEVEL :]).tolist())
    assert len(moved) > 20
    for number, day in enumerate(days):
        changed = market.apply(smile(41.0 + number, day * DAY_S, 0.6, slope=-0.03, curvature=0.02, forward_basis=0.001))
        book.refresh(changed.underlyings, market, surface=changed.surface)
    assert np.array_equal(followed.now[column.index, joint.LEVEL :], before[joint.LEVEL :])
