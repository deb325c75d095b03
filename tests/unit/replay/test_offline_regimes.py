"""Regime changes in the summary of a run."""

from __future__ import annotations

from monitor.engine.state import Outgoing
from monitor.replay.offline import AccountTime, Summary, _count
from schemas import examples
from schemas.ids import canonical
from schemas.records import RegimeChange
from schemas.topics import REGIMES


def test_a_change_of_regime_is_counted_by_the_regime_entered() -> None:
    """It is no account's event, and touches none."""
    summary, account_time = Summary(), AccountTime()
    for change in (*examples.of(RegimeChange), *examples.of(RegimeChange)):
        _count(Outgoing(REGIMES.name, "", canonical(change).decode()), account_time, summary)
    assert (summary.regimes, summary.events, account_time.touched) == ({"breakdown": 2}, {}, set())
