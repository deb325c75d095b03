"""Rows that the accounts of a column share: as if they had just been made, whatever the market did since."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import sweep
from benchmarks.ticks import Pair, Times, walk, warm
from benchmarks.ticks_book import COINS, DAYS, build
from kernels.certificates import book, renew, shared
from kernels.netted_accounts import CELLS, CONTRACTS, SCENARIOS
from monitor.engine import certified
from monitor.engine.certified import Certificates
from monitor.engine.state import State

ACCOUNTS = 300


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Both states of a small book that is watched however small it is."""
    monkeypatch.setattr(certified, "LEAST_HELD", 0)
    monkeypatch.setattr(certified, "FIRST_PAUSE", 0)
    found = Pair(build(sweep.Book(ACCOUNTS).segments, ACCOUNTS))
    warm(found)
    return found


def layer(pair: Pair) -> Certificates:
    """The certificates of the certified book."""
    found = pair.built.certified.book._certificates
    assert found is not None
    return found


def check(pair: Pair) -> int:
    """Every row that counts as made is what would be made now, around the same center. Return how many there are."""
    of, made = layer(pair)._followed, 0
    columns = pair.built.certified.book._swept.tables.columns
    for c, at in enumerate(of.shared.table_at.tolist()):
        cells, length = int(columns[c, CELLS]), shared.row_length(int(columns[c, CELLS]))
        count, center = len(pair.built.certified.book._register.columns[c].pricing.row_of), of.shared.centers[c]
        kept = of.shared.tables[at : at + count * length].reshape(count, length)
        rows = np.flatnonzero(kept[:, shared.MADE] == center[shared.MADE_OF])
        if np.isnan(center[shared.CENTER]) or not len(rows):
            continue
        scenario = of.scenarios[columns[c, SCENARIOS] :][: book.SCENARIO * cells].reshape(book.SCENARIO, cells)
        fresh = np.zeros(count * length)
        shared.make(of.contracts[columns[c, CONTRACTS] :], rows, scenario, of.market[c], center, fresh, 0)
        assert np.array_equal(fresh.reshape(count, length)[rows], kept[rows])
        made += len(rows)
    return made


def evaluate(pair: Pair) -> None:
    """Have some accounts certified again, which makes the rows that they need."""
    rows = np.arange(0, ACCOUNTS, 3)
    certificates = layer(pair)
    for _ in range(2):  # whoever is not known is evaluated first
        certificates._evaluate(rows, judging=True, aim=renew.CERTIFY)


def restated(state: State) -> list[str]:
    """Price everything at another point of the time grid, as the engine does every minute."""
    return state.book.refresh_all(state.market)


def test_rows_are_those_of_the_present_market(pair: Pair) -> None:
    """Ticks, slices and passing time leave no row that is not what would be made now."""
    evaluate(pair)
    assert check(pair) > 100
    for number in range(12):
        walk(pair, 3e-4, 5)
        assert check(pair) > 0
        pair.refresh([pair.built.quotes.smile(COINS[number % 10], DAYS[number % 8], 1.01)], Times())
        before = check(pair)
        evaluate(pair)
        assert check(pair) > before
    pair.built.quotes.time_us += 60_000_000
    for coin in COINS:
        pair.refresh([pair.built.quotes.tick(coin, 1.0)], Times())
    numbers = layer(pair)._followed.shared.centers[:, shared.MADE_OF].copy()
    pair._both([restated], Times())
    evaluate(pair)
    assert (layer(pair)._followed.shared.centers[:, shared.MADE_OF] > numbers).all()
    assert check(pair) > 100
    assert pair.equal


def test_whoever_is_proven_is_where_an_evaluation_finds_him(pair: Pair) -> None:
    """Accounts that are certified without being evaluated have the bits that their states hang on, and keep them."""
    certificates, work = layer(pair), layer(pair).work
    evaluate(pair)
    for _ in range(30):
        walk(pair, 3e-4, 4)
        evaluate(pair)
    assert work.proven > 1_000
    assert pair.equal
    assert pair.events > 0
    assert not any(group.exact for group in certificates._groups.values())
