"""The real worker on Apache Kafka: what is left on the topics after kills, ends, rebalances and pauses."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from monitor.engine.market import Market
from monitor.engine.snapshot import parts, take
from schemas.codec import decode_message, encode
from schemas.keys import record_key
from schemas.topics import MARKET_SNAPSHOTS, REGIMES, TICKS
from tests.integration.worker.deployment import Deployment, check_events, check_positions, market
from tests.integration.worker.support import Process, eventually

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]  # only what hangs takes so long

Record = Callable[[str, Any], None]
PER_SECOND = 150.0


def wait_for_events(deployment: Deployment, more: int) -> None:
    """Wait until workers have published some more events."""
    enough = deployment.events_so_far() + more
    eventually(lambda: deployment.events_so_far() >= enough, 240)


def share_out(*workers: Process) -> None:
    """Wait until workers are ready in the same generation of the group with all partitions, each once."""

    def shared() -> bool:
        lines = [worker.said("ready")[-1] for worker in workers if worker.said("ready")]
        owned = sorted(partition for line in lines for partition in line["partitions"])
        of_one = len(lines) == len(workers) and len({line["generation"] for line in lines}) == 1
        return of_one and owned == list(range(Deployment.PARTITIONS))

    eventually(shared, 240)


def finish(deployment: Deployment, last: Process) -> Counter[str]:
    """Let the last worker work everything off, end it, and check what is left; return how often each event is there."""
    deployment.finish_publishing()
    deployment.wait_until_caught_up()
    assert last.terminate() == 0
    assert not last.said("stopped_late")
    state = deployment.state()
    counts = check_events(deployment.events(), state)
    check_positions(deployment.published, state)
    assert not deployment.dead_letters()
    return counts


def repeats(counts: Counter[str]) -> int:
    """Number of physical messages beyond the first of each event."""
    return sum(counts.values()) - len(counts)


def repeats_of_regimes(deployment: Deployment) -> int:
    """Number of messages about regimes and ranges beyond the first of each."""
    return repeats(Counter(json.loads(message.value or b"")["id"] for message in deployment.read(REGIMES)))


def sent_again(worker: Process) -> int:
    """Number of stored events that a worker sent again when it opened its shards."""
    return sum(line["sent_again"] for line in worker.said("opened"))


def check_snapshots(deployment: Deployment) -> None:
    """Assert that all writers wrote what one fold from the beginning of the ticks writes."""
    folded, wanted = Market(), {}
    for message in deployment.read(TICKS):
        if message.offset % 50 == 0 and message.offset:
            for part in parts(take(folded, TICKS.name, message.offset)):
                wanted[record_key(part)] = encode(part)
        for index, record in decode_message(TICKS.name, message.key, message.value).records:
            folded.positions[TICKS.name] = (message.offset, index)
            folded.apply(record)  # type: ignore[arg-type]
    written = [one for one in deployment.read(MARKET_SNAPSHOTS) if (one.key or b"").startswith(b"market.ticks")]
    found = [one for one in written if one.value is not None]
    assert len({one.key for one in found}) > 3
    assert len(found) < len(written), "none was deleted"
    assert all(one.value == wanted[one.key or b""] for one in found)


def test_kills_lose_nothing_and_change_no_event(deployment: Deployment, record_property: Record) -> None:
    """After three kill -9 under load every trade is in its account, and every event is there with one content."""
    deployment.quick_takeovers()
    deployment.keep_publishing(market(seed=1), PER_SECOND)
    for _ in range(3):
        worker = deployment.worker()
        worker.wait_for("ready")
        wait_for_events(deployment, 15)
        worker.kill()
    last = deployment.worker()
    last.wait_for("ready")
    counts = finish(deployment, last)
    assert last.said("snapshots_loaded")
    check_snapshots(deployment)
    record_property("events", len(counts))
    record_property("repeats", repeats(counts))


def test_a_kill_at_any_point_of_a_flush_is_repaired(deployment: Deployment, record_property: Record) -> None:
    """Killed after its state, its events, its account states or before its commit, a flush is completed by the next."""
    deployment.quick_takeovers()
    deployment.keep_publishing(market(seed=2), PER_SECOND)
    again = []
    for point in ("values", "events", "states", "before-commit"):
        worker = deployment.spawn([
            sys.executable, "-m", "tests.integration.worker.killed_worker", point, "3", "SIGKILL", "--",
            *deployment.arguments(),
        ])  # fmt: skip
        worker.wait_for("killed")
        worker.ended()
        again.append(sent_again(worker))
    last = deployment.worker()
    last.wait_for("ready")
    counts = finish(deployment, last)
    again.append(sent_again(last))
    # Kills inside a flush left stored events behind; those that had been sent are there twice, with the same bytes.
    assert all(again[1:4])
    assert repeats(counts) + repeats_of_regimes(deployment) == sum(again[2:])
    record_property("sent_again", again)


def test_an_orderly_end_repeats_nothing(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM under load leaves everything flushed and committed: successors send no event a second time.

    The worker writes snapshots all the time, so that its end comes while it writes one.
    """
    monkeypatch.setenv("LIQMON_SNAPSHOT_EVERY_OFFSETS", "3")
    deployment.keep_publishing(market(seed=3), PER_SECOND)
    for _ in range(2):
        worker = deployment.worker()
        worker.wait_for("ready")
        wait_for_events(deployment, 15)
        assert worker.terminate() == 0
        assert worker.said("stopped")
        assert not worker.said("stopped_late")
    last = deployment.worker()
    last.wait_for("ready")
    assert sent_again(last) == 0
    assert repeats(finish(deployment, last)) == 0


def test_workers_come_and_go_and_each_event_is_sent_once(deployment: Deployment) -> None:
    """Partitions that move in orderly rebalances take their state along: no loss, no second copy, no hole."""
    deployment.keep_publishing(market(seed=4), PER_SECOND)
    first = deployment.worker()
    assert first.wait_for("ready")["partitions"] == [0, 1, 2, 3]
    wait_for_events(deployment, 5)
    second = deployment.worker()
    share_out(first, second)
    wait_for_events(deployment, 15)
    assert first.terminate() == 0
    share_out(second)
    wait_for_events(deployment, 5)
    assert repeats(finish(deployment, second)) == 0


def test_a_paused_worker_is_replaced_and_ends(deployment: Deployment, record_property: Record) -> None:
    """A worker stopped for longer than its session says nothing more, and what its heir says is complete."""
    deployment.quick_takeovers()
    deployment.keep_publishing(market(seed=5), PER_SECOND)
    zombie = deployment.worker()
    zombie.wait_for("ready")
    wait_for_events(deployment, 5)
    zombie.pause()
    heir = deployment.worker()
    heir.wait_for("ready")
    wait_for_events(deployment, 10)
    zombie.resume()
    assert zombie.ended() == 75
    assert zombie.wait_for_last("ending")["reason"] in {"Paused", "Fenced"}
    record_property("repeats", repeats(finish(deployment, heir)))


def test_messages_that_the_framework_loses_are_read_again(deployment: Deployment) -> None:
    """What Faust drops at the end of a rebalance is taken from the broker: nothing is passed over, nothing restarts."""
    deployment.keep_publishing(market(seed=11), PER_SECOND)
    first = deployment.spawn([
        sys.executable, "-m", "tests.integration.worker.clearing_worker", *deployment.arguments(),
    ])  # fmt: skip
    first.wait_for("ready")
    second = deployment.worker()
    share_out(first, second)
    finish(deployment, first)
    assert first.wait_for_last("progress")["refetched"] > 0
    assert second.terminate() == 0
