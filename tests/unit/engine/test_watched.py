"""Groups of certified accounts while they are watched: boxes stand all at once or not at all, extremes fit."""

from __future__ import annotations

from functools import partial
from itertools import groupby

import msgspec
import numpy as np
import pytest

from benchmarks import sweep
from benchmarks.ticks import Pair, Times, walk, warm
from benchmarks.ticks_book import COINS, DAYS, build
from kernels.certificates import joint, watch
from monitor.engine import certificate_groups, certified
from monitor.engine.certificate_groups import Group
from monitor.engine.certified import Certificates
from monitor.engine.column import Column
from monitor.engine.figures import Ints
from monitor.engine.state import State
from monitor.engine.status import HELD

ACCOUNTS = 300


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Both states of a small book that is watched however small it is, and judged from tables by twos."""
    monkeypatch.setattr(certificate_groups, "LEAST_HELD", 0)
    monkeypatch.setattr(certified, "FEW", 2)
    monkeypatch.setattr(certified, "MANY", 2)
    monkeypatch.setattr(certified, "GAP_SHARE", 2)
    monkeypatch.setattr(certified, "TRIED", 1)
    monkeypatch.setattr(certificate_groups, "FIRST_PAUSE", 0)
    found = Pair(build(sweep.Book(ACCOUNTS).segments, ACCOUNTS))
    warm(found)
    assert found.is_watched()
    return found


def layer(pair: Pair) -> tuple[Certificates, Group]:
    """The certificates of the certified book, and its group."""
    found = pair.built.certified.book._certificates
    assert found is not None
    return found, next(iter(found._groups.values()))


def check(pair: Pair) -> int:
    """Whoever is outside of one box has none; extremes are within all boxes. Return how many have none."""
    certificates, group = layer(pair)
    s = pair.built.certified.book._segments
    extremes = s.extremes.copy()
    for column in group.columns:
        watch.take_all_extremes(*s.pages(column.index), s.boxes, s.account, extremes)
    below = np.zeros((joint.BOXES, joint.BOX), dtype=np.bool_)
    below[joint.PRICES, joint.LOW] = True
    below[1:, joint.FLOOR] = True
    ours, theirs = s.extremes.transpose(0, 2, 1), extremes.transpose(0, 2, 1)
    assert (ours[below] >= theirs[below]).all()
    assert (ours[~below] <= theirs[~below]).all()
    if group.exact:
        return 0
    rows = np.arange(ACCOUNTS)
    slots = pair.built.certified.book._figures.slot[rows]
    void = ((slots >= 0) & (s.curves[slots, joint.RADIUS] < 0.0)).any(axis=1)
    outside = np.isin(rows, certificates._leavers(group.columns))
    assert np.array_equal(void, outside)
    stale = ~(certificates._covers[rows, joint.CORRELATION_LIMIT] >= certificates._changed_by)
    assert not (stale & ~void).any()
    return int(void.sum())


@pytest.mark.parametrize("size", [3e-4, 2e-3, 1e-2])
def test_boxes_stand_all_at_once_or_not_at_all(pair: Pair, size: int) -> None:
    """After ticks of any size, slices and matrices, nobody is looked at for some of his underlyings alone."""
    without, rng = 0, np.random.default_rng(int(1e6 * size))
    estimate = pair.built.plain.market.ticks.correlation.fast.copy()
    for number in range(25):
        walk(pair, size, 4)
        without += check(pair)
        pair.refresh([pair.built.quotes.smile(COINS[number % 10], DAYS[number % 8], 1.003)], Times())
        without += check(pair)
        if number % 5 == 0:
            i, j = rng.choice(10, 2, replace=False)
            estimate[i, j] = estimate[j, i] = estimate[i, j] - 0.02
            pair.correlate(estimate, Times())
            check(pair)
    assert pair.equal
    assert pair.events > 0
    assert without > 0


def test_accounts_are_judged_from_tables_before_all_are_swept(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """More accounts than a few are judged without giving the group up; after a gap all are swept, and then watched."""
    certificates, group = layer(pair)
    calls: list[int] = []
    judge = certificates._judge_many

    def counted(rows: Ints, group: Group) -> None:
        calls.append(len(rows))
        judge(rows, group)

    monkeypatch.setattr(certificates, "_judge_many", counted)
    for _ in range(30):
        walk(pair, 4e-3, 1)
    assert calls
    assert not group.exact
    monkeypatch.setattr(certified, "GAP_SHARE", 100)
    before = certificates.work.swept
    walk(pair, 0.05, 3)
    assert certificates.work.swept > before
    warm(pair)
    walk(pair, 0.1, 1)
    assert group.exact
    assert not group.up_to_date
    book = pair.built.certified.book
    for name in pair.built.certified.shards[0].accounts:
        equity, least, most = book.bounds(name)  # before the figures, which solve the account
        exact, im, _ = book.figures(name)
        assert equity == pytest.approx(exact, rel=1e-12, abs=1e-6)
        assert least - 1e-6 <= im <= most + 1e-6
    warm(pair)
    assert pair.is_watched()
    check(pair)
    walk(pair, 3e-4, 20)
    assert pair.equal


def test_who_is_watched_again_has_all_boxes_or_none(pair: Pair) -> None:
    """Whom prices or matrices left behind while all were swept is not certified when the group is watched again."""
    certificates, group = layer(pair)
    rng, estimate = np.random.default_rng(2), pair.built.plain.market.ticks.correlation.fast.copy()
    for number in range(8):
        certificates._give_up(group)
        walk(pair, 3e-4, 4)
        if number % 2:
            i, j = rng.choice(10, 2, replace=False)
            estimate[i, j] = estimate[j, i] = estimate[i, j] - 0.005
            pair.correlate(estimate, Times())
        warm(pair)
        assert pair.is_watched()
        check(pair)
    assert pair.equal


def test_certificates_that_end_as_fast_as_they_are_made_are_given_up_for_a_while(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many in vain as there are segments: nobody is certified beside some sweeps, then beside more."""
    monkeypatch.setattr(certificate_groups, "IN_VAIN", 30)
    monkeypatch.setattr(certificate_groups, "LONGEST_IN_VAIN", 80)
    certificates, group = layer(pair)
    held = sum(pair.built.certified.book._segments.held_by(column.index) for column in group.columns)
    beside: list[bool] = []

    def renew_some(column: Column, of: Group) -> None:
        beside[-1] = True
        certificates.work.certified += held // 10 + 1
        of.outside[column.index] = 50  # as many as before have left theirs

    monkeypatch.setattr(certificates, "_renew_some", renew_some)
    certificates._give_up(group)
    group.pause = 0
    for number in range(220):
        beside.append(False)
        certificates.renew([group.columns[number % len(group.columns)]])
    lengths = [(made, len(list(run))) for made, run in groupby(beside)]
    waits = [length for made, length in lengths if not made]
    assert waits[:2] == [30, 80], "doubled and 30 more, but 80 at most"
    assert all(length <= 10 for made, length in lengths if made)
    monkeypatch.undo()
    monkeypatch.setattr(certificate_groups, "LEAST_HELD", 0)
    group.pause = 0
    for _ in range(60):
        walk(pair, 1e-5, 4)
    assert pair.is_watched()
    assert pair.equal
    check(pair)


def passed(to_us: int, state: State) -> list[str]:
    """Let market time pass, and refresh the book as the engine does."""
    change = state.market.advance(to_us)
    return state.book.refresh(change.underlyings, state.market, surface=change.surface)


def test_who_is_healthy_stays_certified_while_data_are_doubtful(pair: Pair) -> None:
    """A feed falls silent and comes back: only who is in trouble has to be judged, and events are the same."""
    certificates, group = layer(pair)
    book, quotes = pair.built.certified.book, pair.built.quotes
    accounts = pair.built.certified.shards[0].accounts

    def certified_rows() -> set[int]:
        slots = book._figures.slot[: len(accounts)]
        lost = ((slots >= 0) & (book._segments.curves[slots, joint.RADIUS] < 0.0)).any(axis=1)
        return set(np.flatnonzero(~lost).tolist())

    column = next(one for one in group.columns if one.underlying == COINS[1])
    for number in range(3):
        brief = msgspec.structs.replace(quotes.tick(COINS[1], 1.0 + 1e-9), max_age_ms=1_000)
        pair.refresh([brief], Times())
        before = certified_rows()
        swept = certificates.work.swept
        quotes.time_us += 5_000_000
        pair._both([partial(passed, quotes.time_us)], Times())
        assert column.pricing.held
        assert not group.exact
        held = {int(row) for row in column.accounts}
        healthy = {book._row_of[name] for name, account in accounts.items() if account.status == "healthy"}
        assert held & healthy & before <= certified_rows()
        walk(pair, 3e-4, 10)
        # Others hold by numbers, too, while data are doubtful.
        assert (held - healthy) & certified_rows()
        check(pair)
        pair.refresh([quotes.tick(COINS[1], 1.0 + 3e-3 * number)], Times())
        assert not column.pricing.held
        assert certificates.work.swept == swept
        check(pair)
        for name in accounts:
            assert not book.conditions(name) & HELD
            assert not pair.built.plain.book.conditions(name) & HELD
    assert pair.equal
    assert pair.events > 0


def test_slices_that_hardly_move_touch_nobody(pair: Pair) -> None:
    """Nobody's room is split anew while levels stay in boxes, up or down; with steps of 2 % it is."""
    certificates, _ = layer(pair)
    before = certificates.work.resplit
    for number in range(40):
        factor = 1.0 + (1e-9 if number % 2 else -1e-9)
        pair.refresh([pair.built.quotes.smile(COINS[number % 10], DAYS[number % 8], factor)], Times())
    assert certificates.work.resplit == before
    for number in range(10):
        pair.refresh([pair.built.quotes.smile(COINS[number], DAYS[number % 8], 1.02)], Times())
    assert certificates.work.resplit > before
    check(pair)
    assert pair.equal


@pytest.mark.parametrize("held", [False, True])
def test_who_has_no_certificate_is_looked_at_when_data_become_doubtful(pair: Pair, held: bool) -> None:
    """A slice moves no price, so prices need no look; but whoever is void because data are doubtful has to be seen."""
    built = pair.built
    certificates, group = layer(pair)
    column = group.columns[0]
    certificates.followed.take_moved(column.index)
    column.set_surface_stale()
    built.certified.market.apply(built.quotes.smile(column.underlying, DAYS[0], 1.001))
    assert column.follow(built.certified.market, index_only=False) == "all"
    column.pricing.held = held
    certificates.take(column, index_only=False, moved=True)
    moved = certificates.followed.take_moved(column.index)
    assert moved not in (0, 1)
    assert bool(moved & 1) == held


@pytest.mark.parametrize("seed", range(4))
def test_right_after_all_are_given_up_bits_and_new_matrices_are_of_the_present(pair: Pair, seed: int) -> None:
    """Figures are of the time when accounts were watched until the next tick sweeps: nobody is judged by these."""
    certificates, group = layer(pair)
    plain, certified_side = pair.built.plain, pair.built.certified
    rng, estimate = np.random.default_rng(seed), plain.market.ticks.correlation.fast.copy()
    pair.built.quotes.rng = rng
    for _ in range(10):
        walk(pair, 5e-3, 4)
        warm(pair)
    certificates._give_up(group)
    names = list(plain.shards[0].accounts)
    for name in rng.permutation(names)[: len(names) // 2].tolist():
        assert certified_side.book.conditions(name) == plain.book.conditions(name)
    warm(pair)
    before = certificates.work.swept
    walk(pair, 2e-3, 150)
    assert certificates.work.swept == before
    certificates._give_up(group)
    pair.correlate(0.6 * estimate + 0.4 * np.eye(len(estimate)), Times())
    assert pair.events > 0
    assert pair.equal
    for name in names:
        assert certified_side.book.conditions(name) == plain.book.conditions(name)


def test_a_group_whose_certificates_cost_more_than_its_moves_is_given_up(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no gap, but too many have to be certified: all are swept for a while, and the events are the same."""
    _, group = layer(pair)
    monkeypatch.setattr(certified, "FEW", 1_000)
    monkeypatch.setattr(certified, "MANY", 1_000)
    monkeypatch.setattr(certificate_groups, "SETTLING", -200)
    given_up = 0
    for _ in range(60):
        walk(pair, 5e-3, 1)
        if group.exact:
            given_up += 1
            for name in pair.built.certified.shards[0].accounts:  # directly after the tick that gave it up
                ours, theirs = (state.book.figures(name) for state in (pair.built.certified, pair.built.plain))
                assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-6)
            check(pair)
            warm(pair)
    assert given_up > 1
    assert pair.events > 0
    assert pair.equal
