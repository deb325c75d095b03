"""Regime changes in the summary of a run."""

from __future__ import annotations

from monitor.engine.state import Outgoing
from monitor.replay.offline import Lane
from schemas import examples
from schemas.ids import canonical
from schemas.records import RegimeChange
from schemas.topics import REGIMES


def test_a_change_of_regime_is_counted_by_the_regime_entered() -> None:
    """It is no account's event, and touches none."""
    lane = Lane()
    for change in (*examples.of(RegimeChange), *examples.of(RegimeChange)):
        lane._count(Outgoing(REGIMES.name, "", canonical(change).decode()))
    assert (lane.summary.regimes, lane.summary.events, lane.account_time.touched) == ({"breakdown": 2}, {}, set())
