"""The real worker on Apache Kafka: what is left on the topics after kills, ends, rebalances and bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.worker.deployment import Deployment, check_events, check_positions, market
from tests.integration.worker.support import eventually

pytestmark = [pytest.mark.broker]


def test_kills_lose_nothing_and_change_no_event(
    deployment: Deployment, record_property: Callable[[str, Any], None]
) -> None:
    """After three kill -9 under load every trade is in its account, and every event is there with one content."""
    records = market(seed=1, seconds=3_000)
    deployment.publish(records, per_second=170)
    kills = 0
    for _ in range(3):
        worker = deployment.worker()
        worker.wait_for("ready")
        enough = deployment.events_so_far() + 15
        eventually(lambda enough=enough: deployment.events_so_far() >= enough, 60)  # type: ignore[misc]
        worker.kill()
        kills += deployment.publishing
    assert kills == 3, "the input was through before the last kill: it proves nothing"
    last = deployment.worker()
    deployment.finish_publishing()
    deployment.wait_until_caught_up()
    last.wait_for("ready")
    assert last.terminate() == 0

    state = deployment.state()
    counts = check_events(deployment.events(), state)
    check_positions(records, state)
    record_property("events", len(counts))
    record_property("sent_again", sum(counts.values()) - len(counts))
    assert not deployment.dead_letters()
