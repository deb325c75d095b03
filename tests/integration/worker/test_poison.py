"""Bad input in every form, through one worker on the broker."""

from __future__ import annotations

import itertools

import pytest

from schemas.topics import DEAD_LETTERS, TICKS, TRADES
from tests.integration.worker.deployment import Deployment, check_events, check_positions, market
from tests.poison import on_broker
from tests.poison.kinds import KINDS
from tests.poison.stream import Log, records

pytestmark = [pytest.mark.broker, pytest.mark.apache_kafka, pytest.mark.timeout(900)]  # only what hangs takes so long


@pytest.mark.parametrize(("order", "wanted", "kinds"), [("live", 18_000, len(KINDS)), ("strict", 9_000, 20)])
def test_every_bad_record_is_one_dead_letter(deployment: Deployment, order: str, wanted: int, kinds: int) -> None:
    """A tenth of bad records: each is one letter with its bytes; the worker goes on; the rest is as without them."""
    log = Log(records(5, wanted), 5, 0.10, limit=wanted)
    found = on_broker.run(log, deployment, strict=order == "strict")
    assert not found.findings, found.shown
    assert found.letters == found.bad.total() > 0.05 * wanted
    assert len(found.bad) >= kinds
    assert found.restarts == 0
    assert found.events > 0
    assert found.values > 40


def test_a_dead_letter_topic_that_takes_nothing_stops_the_input(deployment: Deployment) -> None:
    """No bad record is passed over while its letter cannot be sent; when it can, each is there once."""
    name = f"{deployment.prefix}{DEAD_LETTERS.name}"
    deployment.broker.configure(name, {**DEAD_LETTERS.config(), "max.message.bytes": "100"})
    records = market(seed=13)
    deployment.publish(itertools.islice(records, 300))
    trades, ticks = f"{deployment.prefix}{TRADES.name}", f"{deployment.prefix}{TICKS.name}"
    before = deployment.ends(TRADES)
    deployment.broker.produce(trades, [(partition, b"acct-1", b"rubbish %d" % partition) for partition in before])
    deployment.broker.produce(ticks, [(0, b"BTC", b'{"kind":"price"}')])
    deployment.publish(itertools.islice(records, 200))
    worker = deployment.worker()
    assert worker.ended() == 75, worker.tail()
    assert worker.wait_for_last("ending")["reason"] == "PublishFailed"
    assert sum(deployment.ends(DEAD_LETTERS).values()) == 0
    committed = deployment.broker.committed(deployment.group, {trades: deployment.PARTITIONS})
    assert all(committed.get((trades, partition), 0) <= offset for partition, offset in before.items())

    deployment.broker.configure(name, DEAD_LETTERS.config())
    successor = deployment.worker()
    successor.wait_for("ready")
    deployment.wait_until_caught_up()
    assert successor.terminate() == 0
    values = sorted(letter.value or b"" for letter in deployment.dead_letters())
    assert values == [*(b"rubbish %d" % partition for partition in sorted(before)), b'{"kind":"price"}']
    state = deployment.state()
    check_events(deployment.events(), state)
    check_positions(deployment.published, state)
