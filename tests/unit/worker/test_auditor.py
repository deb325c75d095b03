"""Which accounts a worker audits, and what a difference does."""

from __future__ import annotations

import pytest

from monitor.engine import State, new_state, open_shard, step
from monitor.worker.auditor import SAMPLE, Auditor, draw
from monitor.worker.errors import AuditFailed, Ending
from tests.engine_market import Log, both, random_market

ACCOUNTS = tuple(f"acct-{number}" for number in range(6))


def running() -> tuple[State, Log]:
    """A state in the middle of a market."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in random_market(2, 300, ACCOUNTS)])
    return state, log


def test_a_sample_follows_from_the_positions() -> None:
    """The same positions draw the same accounts, others in the end all of them."""
    names = list(ACCOUNTS)
    drawn = {offset: draw(names, {"market.ticks.v1": (offset, 0)}) for offset in range(40)}
    assert {offset: draw(names, {"market.ticks.v1": (offset, 0)}) for offset in range(40)} == drawn
    assert {name for sample in drawn.values() for name in sample} == set(ACCOUNTS)
    assert {len(set(sample)) for sample in drawn.values()} == {SAMPLE}


def test_audits_come_every_so_many_records() -> None:
    """Between two audits lie at least as many records as are asked for; zero is never."""
    state, _ = running()
    auditor, never = Auditor(100), Auditor(0)
    for applied in range(0, 1_000, 30):
        auditor.look(applied, [state])
        never.look(applied, [state])
    assert auditor.audited == 8 * SAMPLE
    assert auditor.sound
    assert auditor.differences == 0
    assert never.audited == 0


def test_a_difference_makes_a_worker_unsound_until_the_account_agrees() -> None:
    """The account is asked again with every sample; when its figures are right again the worker is sound."""
    state, log = running()
    victim = next(name for name in ACCOUNTS if state.book.figures(name)[1] > 0.0)
    row = state.book._row_of[victim]
    state.book._figures.cash[row] += 1.0
    step(state, [log(tick) for tick in both("BTC", 91_000.0, state.market.time_us)])
    auditor = Auditor(1)
    for applied in range(1, 60):
        auditor.look(applied, [state])
    assert not auditor.sound
    found = auditor.differences
    assert found > 60 * SAMPLE / len(ACCOUNTS)  # more often than it is drawn
    state.book._figures.cash[row] -= 1.0
    step(state, [log(tick) for tick in both("BTC", 92_000.0, state.market.time_us)])
    auditor.look(100, [state])
    assert auditor.sound
    assert auditor.differences == found


def test_a_difference_ends_a_worker_that_is_to_end() -> None:
    """With `ends` the process ends before anything of the doubtful book is sent, for a restart to make it anew."""
    state, _ = running()
    for name in ACCOUNTS:
        state.book._figures.value[state.book._row_of[name], 0] += 0.01
    with pytest.raises(AuditFailed) as caught:
        Auditor(1, ends=True).look(1, [state])
    assert caught.value.ending is Ending.RESTART


def test_a_shard_that_is_gone_is_not_judged() -> None:
    """An account that differed is forgotten with its shard: its owner judges it."""
    state, _ = running()
    for name in ACCOUNTS:
        state.book._figures.value[state.book._row_of[name], 0] += 0.01
    auditor = Auditor(1)
    auditor.look(1, [state])
    assert not auditor.sound
    auditor.look(2, [new_state()])
    assert auditor.sound
