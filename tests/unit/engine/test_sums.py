"""Sums of an account's entry sides, kept from one record to the next."""

from __future__ import annotations

import random

import numpy as np
import pytest

from monitor.engine.expiries import NEVER_US
from monitor.engine.ledger import exposures
from monitor.engine.segments import Segments
from monitor.engine.state import Account, Holding
from monitor.engine.sums import ROOM, KeptSums
from schemas.records import AccountConfig
from tests.engine_market import EXPIRY_US, SPOT_USD, START_US, listing

LISTING = {item.instrument: item for underlying in SPOT_USD for item in listing(underlying)}


def _account(**holdings: Holding) -> Account:
    config = AccountConfig(account="a", event_time_us=START_US)
    return Account(config=config, balances={"USD": 1_000.1, "BTC": 0.3}, holdings=dict(holdings))


@pytest.mark.parametrize("seed", range(3))
def test_sums_are_those_of_the_whole_portfolio(seed: int) -> None:
    """However positions came about, dollars and coins are added up as from the portfolio, bit for bit."""
    draw, account, kept = random.Random(seed), _account(), KeptSums()
    sums = kept.read(0, account, LISTING)
    assert sums is not None
    for _ in range(300):
        name = draw.choice(sorted(LISTING))
        if draw.random() < 0.3:
            account.holdings.pop(name, None)
        else:
            account.holdings[name] = Holding(draw.gauss(0.0, 3.0), draw.uniform(1.0, 1e5), funding_index=draw.random())
        sums.take(name, LISTING[name], account.holdings.get(name))
        whole = exposures(account, LISTING)
        assert sums.cash_usd(account) == whole.usd
        for underlying in SPOT_USD:
            found = [held for row, held in whole.rows.get(underlying, []) if row is None]
            assert sums.coins(account, underlying) == (found[0] if found else 0.0)


def test_nothing_expires_before_the_sums_say() -> None:
    """The first expiry is that of what is held, and not later once that is gone."""
    kept = KeptSums()
    sums = kept.read(0, _account(), LISTING)
    assert sums is not None
    assert sums.first_expiry_us == NEVER_US
    sums.take("BTC-C", LISTING["BTC-C"], Holding(1.0, 0.1))
    assert sums.first_expiry_us == EXPIRY_US
    sums.take("BTC-C", LISTING["BTC-C"], None)
    assert sums.first_expiry_us <= EXPIRY_US


def test_an_account_with_an_unlisted_contract_has_no_sums() -> None:
    """What is not listed cannot be valued: such an account is taken as a whole."""
    kept = KeptSums()
    assert kept.read(0, _account(gone=Holding(1.0, 1.0)), LISTING) is None
    assert kept.get(0) is None


def test_sums_are_kept_of_a_bounded_number_of_accounts() -> None:
    """More accounts than there is room for make the sums be read again, never be wrong."""
    kept, account = KeptSums(), _account(**{"BTC-PERPETUAL": Holding(1.0, 50_000.0)})
    for row in range(ROOM + 1):
        kept.read(row, account, LISTING)
    assert kept.get(0) is None
    assert kept.get(ROOM) is not None
    kept.forget(ROOM)
    assert kept.get(ROOM) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_segment_takes_positions_one_by_one(seed: int) -> None:
    """Putting and dropping single positions leaves what a list would hold, and neighbours as they are."""
    draw, segments = random.Random(seed), Segments()
    segments.add_column()
    slots = [segments.take(0, row) for row in range(3)]
    held: list[list[tuple[int, float]]] = [[(7, 0.5)], [(8, 1.5)], [(9, 2.5)]]
    for slot, own in zip(slots, held, strict=True):
        segments.set_positions(slot, [row for row, _ in own], [quantity for _, quantity in own])
    for number in range(200):
        which = draw.randrange(3)
        own = held[which]
        if own and draw.random() < 0.45:
            at = draw.randrange(len(own))
            own.pop(at)
            segments.drop(slots[which], at)
        else:
            at = draw.randrange(len(own) + 1)
            own.insert(at, (number, draw.random()))
            segments.put(slots[which], at, *own[at])
        for slot, expected in zip(slots, held, strict=True):
            rows, quantities = segments.positions(slot)
            assert list(zip(rows.tolist(), quantities.tolist(), strict=True)) == expected
    assert np.all(segments.stop[slots] - segments.start[slots] <= segments.room[slots])
