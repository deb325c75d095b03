"""Rows that the accounts of a column share: as if they had just been made, whatever the market did since."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import sweep
from benchmarks.ticks import Pair, Times, walk, warm
from benchmarks.ticks_book import COINS, DAYS, build
from kernels.accounts import THRESHOLDS
from kernels.certificates import book, conditions, joint, levels, renew, shared
from kernels.netted_accounts import CELLS, CONTRACTS, PAGE, SCENARIOS
from monitor.engine import certificate_groups
from monitor.engine.certified import Certificates
from monitor.engine.figures import Floats, Ints
from monitor.engine.shared_rows import NONE, SharedRows
from monitor.engine.state import State
from tests.unit.kernels.test_joint_certificates import kept, worth

ACCOUNTS = 300


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Both states of a small book that is watched however small it is."""
    monkeypatch.setattr(certificate_groups, "LEAST_HELD", 0)
    monkeypatch.setattr(certificate_groups, "FIRST_PAUSE", 0)
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
        if at == NONE or np.isnan(center[shared.CENTER]):
            continue
        kept = of.shared.tables[at : at + count * length].reshape(count, length)
        rows = np.flatnonzero(kept[:, shared.MADE] == center[shared.MADE_OF])
        if not len(rows):
            continue
        scenario = of.scenarios[columns[c, SCENARIOS] :][: book.SCENARIO * cells].reshape(book.SCENARIO, cells)
        fresh = np.zeros(count * length)
        shared.make(of.contracts[columns[c, CONTRACTS] :], rows, scenario, of.market[c], of.now[c], center, fresh, 0)
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


def test_columns_that_grow_leave_no_places_behind() -> None:
    """Contracts that are listed one by one before anybody needs a row take no more than all at once; none is made."""
    rows, cells = SharedRows(), 45
    for _ in range(2):
        rows.add_column()
    for listed in range(1, 101):
        for column in range(2):
            rows.resize(column, listed, cells)
    assert rows.table_at.tolist() == [NONE, NONE]
    rows.forget(0, np.array([7]))
    rows.have_places()
    size = 100 * shared.row_length(cells)
    assert rows.tables.nbytes <= 2 * 1.6 * 8 * size
    first, second = sorted(rows.table_at.tolist())
    assert 0 <= first <= second - size
    rows.tables[:] = 1.0
    rows.forget(1, np.array([7]))
    made = rows.tables[rows.table_at[1] :][:size].reshape(100, -1)[:, shared.MADE]
    assert np.flatnonzero(made == shared.NEVER).tolist() == [7]
    assert (rows.tables == shared.NEVER).sum() == 1
    rows.resize(1, 90, cells)
    assert rows.table_at[1] == NONE
    rows.have_places()
    assert rows.table_at.tolist() == [first, second] or rows.table_at.tolist() == [second, first]
    assert (rows.tables[rows.table_at[1] :][: 90 * shared.row_length(cells)] == shared.NEVER).all()


def rooms(pair: Pair, row: int) -> Floats:
    """What a certificate says is left of both constraints at the present prices and levels, USD; NaN of one not there.

    Summed from what is kept, as `docs/certificates.md` has it.
    """
    certificates, of = layer(pair), pair.built.certified.book
    cover, slots = certificates._covers[row], of._figures.slot[row]
    upper, lower = cover[joint.UPPER_FIXED] - cover[joint.UPPER_WEIGHT] * cover[joint.NORM], cover[joint.LOWER_FIXED]
    for s in slots[slots >= 0].tolist():
        curves, now = of._segments.curves[s], certificates._followed.now[of._segments.page_column[s // PAGE]]
        x = now[joint.PRICE] / curves[joint.CENTER] - 1.0
        assert abs(x) <= curves[joint.RADIUS]
        exposed = curves[joint.EXPOSED : joint.LEVELS_AT]
        spent = curves[joint.SPENT] + exposed[exposed > 0.0] @ now[joint.DRIFT : joint.SINCE][exposed > 0.0]
        level = curves[joint.LEVELS_AT : joint.LOWER_AT].reshape(joint.EXPIRIES, levels.LEVEL)
        moved = now[joint.LEVEL :] - level[:, levels.AT]
        spent += (np.where(moved > 0.0, level[:, levels.UP], -level[:, levels.DOWN]) * moved).sum()
        spent += (level[:, levels.BEND] * moved**2 / 2.0 + level[:, levels.CROSS] * np.abs(moved * x)).sum()
        upper += worth(kept(of._segments.curves, s), x).min() - spent
        lower += worth(curves[joint.LOWER_AT : joint.UPPER_AT].reshape(-1, 1), x)[0] - spent
    full = cover[[joint.UPPER_FULL, joint.LOWER_FULL]]
    return np.where(full > 0.0, [upper, lower], np.nan)


def truth(pair: Pair, row: int, name: str) -> Floats:
    """What both constraints hold by: figures of the book without certificates, USD."""
    certificates, plain = layer(pair), pair.built.plain.book
    equity, im, _ = plain.figures(name)
    ratio, watched = np.empty(THRESHOLDS), np.empty(THRESHOLDS)
    of = certificates._swept.figures.set_of[row]
    swept = certificates._swept
    conditions.ratios(swept.judged.thresholds[of], float(swept.netting.mm_factor[of]), ratio)
    count = conditions.watched(int(certificates._state_of[row]), ratio, watched)
    c = np.empty(conditions.CONSTRAINTS)
    judged_usd, needed_usd = certificates._judged[row].tolist()
    assert conditions.constraints(judged_usd, needed_usd, watched[:count], c)
    return np.array([c[0] * equity - c[1] * im, c[3] * im - c[2] * equity])


def proven(pair: Pair) -> Ints:
    """Accounts with a certificate that is a sum of shared rows, and that rests on figures that are known."""
    of, certificates = pair.built.certified.book, layer(pair)
    rows = np.arange(ACCOUNTS)
    rows = rows[np.isfinite(certificates._judged[rows, 0]) & (certificates._covers[rows, joint.CORRELATION_LIMIT] >= 0)]
    slots = of._figures.slot[rows]
    found: Ints = rows[((slots < 0) | (of._segments.curves[slots, joint.RADIUS] == shared.RADIUS)).all(axis=1)]
    return found


@pytest.mark.parametrize("size", [0.004, 0.02, 0.1])
def test_no_more_room_is_left_than_there_is_wherever_levels_are(pair: Pair, size: float) -> None:
    """Slices go up, down and back, prices a little: certificates from shared rows never say more than exact figures."""
    certificates, rng, compared, moved = layer(pair), np.random.default_rng(int(1e3 * size)), 0, 0
    names = {row: name for name, row in pair.built.certified.book._row_of.items()}
    for _ in range(6):
        evaluate(pair)
        before = proven(pair)
        for _ in range(12):
            coin, days = COINS[int(rng.integers(10))], DAYS[int(rng.integers(8))]
            pair.refresh([pair.built.quotes.smile(coin, days, float(np.exp(rng.normal(0.0, size))))], Times())
            walk(pair, 1e-4, 1)
        kept_on = np.intersect1d(before, proven(pair))
        moved += len(kept_on)
        for row in kept_on.tolist():
            left, there = rooms(pair, row), truth(pair, row, names[row])
            assert not (left > there + 1e-9 * np.abs(there)).any()
            compared += int(np.isfinite(left).sum())
    assert certificates.work.proven > 100
    assert moved > 100
    assert compared > 100
    assert pair.equal
