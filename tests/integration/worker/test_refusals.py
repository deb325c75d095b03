"""What a worker does with input, state and settings that are not right."""

from __future__ import annotations

import itertools
import json

import pytest
from aiokafka.partitioner import murmur2

from schemas.codec import encode, encode_frame
from schemas.records import Heartbeat, PriceTick, Trade
from schemas.topics import (
    ACCOUNTS,
    DEAD_LETTERS,
    INSTRUMENTS,
    LIQUIDATIONS,
    MARGIN_CALLS,
    TICKS,
    TRADES,
    TRANSFERS,
    Topic,
)
from tests.engine_market import START_US
from tests.integration.worker.deployment import Deployment, check_events, check_positions, market
from tests.integration.worker.support import Process, eventually

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]  # only what hangs takes so long

SECOND_US = 1_000_000


def partition_of(account: str) -> int:
    return int(murmur2(account.encode()) & 0x7FFFFFFF) % Deployment.PARTITIONS


def trade(account: str, identity: str, **fields: object) -> Trade:
    values = {"instrument": "BTC-PERPETUAL", "quantity": 0.01, "price": 100_000.0, "event_time_us": START_US, **fields}
    return Trade(trade_id=identity, account=account, **values)  # type: ignore[arg-type]


def poison() -> list[tuple[Topic, int, bytes | None, bytes | None, str]]:
    """Messages that must become dead letters: topic, partition, key, value, kind of error."""
    home = partition_of("acct-1")
    good = encode(trade("acct-1", "p1"))
    return [
        (TRADES, 0, b"acct-1", b"\xff\xfe not text", "bad_utf8"),
        (TRADES, 1, b"acct-1", b'{"trade_id": ', "bad_json"),
        (TRADES, 2, b"acct-1", b"[" * 400 + b"]" * 400, "too_deep"),
        (TRADES, home, b"acct-1", good.replace(b'"price":100000.0', b'"price":-1.0'), "out_of_range"),
        (TRADES, home, b"acct-1", good.replace(b'"quantity":0.01', b'"quantity":NaN'), "not_finite"),
        (TRADES, home, None, good, "null_key"),
        (TRADES, home, b"acct-2", good, "key_mismatch"),
        (TRADES, (home + 1) % Deployment.PARTITIONS, b"acct-1", good, "wrong_partition"),
        (TRANSFERS, 3, b"acct-1", None, "null_value"),
        (ACCOUNTS, 0, b"acct-1", b"{}", "missing_field"),
        (TRADES, home, b"acct-1", encode(trade("acct-1", "p2", instrument="NOPE")), "unknown_instrument"),
        (TICKS, 0, b"BTC", b'{"kind":"price"}', "missing_field"),
        (INSTRUMENTS, 0, b"X", b"null", "wrong_type"),
    ]


def test_poison_becomes_dead_letters_and_good_records_pass(deployment: Deployment) -> None:
    """Every bad message is on the dead-letter topic with its bytes and reason, once; what is good is applied."""
    records = market(seed=6)
    deployment.publish(itertools.islice(records, 600))
    messages = poison()
    for topic, partition, key, value, _ in messages:
        deployment.broker.produce(f"{deployment.prefix}{topic.name}", [(partition, key, value)])
    deployment.publish(itertools.islice(records, 300))
    first = deployment.worker()
    first.wait_for("ready")
    deployment.wait_until_caught_up()
    eventually(lambda: sum(deployment.ends(DEAD_LETTERS).values()) >= len(messages), 120)
    assert first.terminate() == 0
    # A successor folds the market again and repeats none.
    second = deployment.worker()
    second.wait_for("ready")
    assert second.terminate() == 0

    letters = deployment.dead_letters()
    found = {
        (letter.headers["dl-source-topic"].decode(), letter.headers["dl-error-kind"].decode(), letter.value, letter.key)
        for letter in letters
    }
    wanted = {(f"{deployment.prefix}{topic.name}", kind, value, key) for topic, _, key, value, kind in messages}
    assert found == wanted
    assert len(letters) == len(messages)
    for letter in letters:
        assert int(letter.headers["dl-source-offset"]) >= 0
        assert letter.headers["dl-error-text"]
    state = deployment.state()
    check_events(deployment.events(), state)
    check_positions(deployment.published, state)


def test_a_bad_row_costs_its_row_and_not_its_frame(deployment: Deployment) -> None:
    """Of a frame with one bad row and one of a foreign account, the others are applied and those are dead letters."""
    accounts = [account for account in (f"frame-{i}" for i in range(100)) if partition_of(account) == 2][:3]
    stranger = next(account for account in (f"frame-{i}" for i in range(100)) if partition_of(account) == 1)
    deployment.publish(itertools.islice(market(seed=7), 100))
    rows = [trade(account, "1", quantity=float(number + 1)) for number, account in enumerate(accounts)]
    frame = encode_frame([*rows, trade(stranger, "1", quantity=9.0)])
    bad = encode(rows[1])
    frame = frame.replace(bad, bad.replace(b'"price":100000.0', b'"price":"x"'))
    deployment.broker.produce(f"{deployment.prefix}{TRADES.name}", [(2, None, frame)])
    worker = deployment.worker()
    worker.wait_for("ready")
    deployment.wait_until_caught_up()
    assert worker.terminate() == 0

    letters = {int(letter.headers["dl-source-index"]): letter for letter in deployment.dead_letters()}
    assert {index: letter.headers["dl-error-kind"] for index, letter in letters.items()} == {
        1: b"wrong_type", 3: b"wrong_partition",
    }  # fmt: skip
    assert json.loads(letters[3].value or b"")["account"] == stranger
    state = deployment.state()
    quantity = {name: state[name]["holdings"]["BTC-PERPETUAL"]["quantity"] for name in (accounts[0], accounts[2])}
    assert quantity == {accounts[0]: 1.0, accounts[2]: 3.0}
    assert accounts[1] not in state
    assert stranger not in state


@pytest.mark.apache_kafka  # the embedded broker has no transactions
def test_holes_of_transactions_are_passed(deployment: Deployment) -> None:
    """Transaction markers leave offsets without records; inputs beyond them are applied and committed."""
    deployment.publish(itertools.islice(market(seed=8), 100))
    account = next(name for name in (f"t-{i}" for i in range(100)) if partition_of(name) == 0)
    topic = f"{deployment.prefix}{TRADES.name}"
    for number in range(4):
        value = encode(trade(account, str(number), quantity=1.0))
        deployment.broker.produce(topic, [(0, account.encode(), value)], transaction=f"{deployment.prefix}{number}")
    deployment.broker.produce(topic, [(0, account.encode(), encode(trade(account, "last", quantity=1.0)))])
    worker = deployment.worker()
    worker.wait_for("ready")
    deployment.wait_until_caught_up()
    assert worker.terminate() == 0
    assert deployment.state()[account]["holdings"]["BTC-PERPETUAL"]["quantity"] == 5.0


def run_once(deployment: Deployment) -> None:
    """Leave state, committed offsets and an orderly end behind."""
    deployment.publish(itertools.islice(market(seed=9), 300))
    worker = deployment.worker()
    worker.wait_for("ready")
    deployment.wait_until_caught_up()
    assert worker.terminate() == 0


def refused(worker: Process) -> dict[str, str]:
    """Wait until a worker has refused to go on; return what it said."""
    assert worker.ended() == 65, worker.tail()
    assert not worker.said("ready")
    line: dict[str, str] = worker.wait_for_last("ending")
    return line


def test_a_corrupted_changelog_refuses_to_start(deployment: Deployment) -> None:
    """A record that cannot be read ends the worker with its partition and offset, and nothing is written over it."""
    run_once(deployment)
    partition = partition_of("acct-1")
    value = json.dumps(deployment.state()["acct-1"]).encode()
    deployment.broker.produce(deployment.changelog, [(partition, b"acct-1", value[:-20])])
    ends = deployment.broker.ends(deployment.changelog, deployment.PARTITIONS)
    line = refused(deployment.worker())
    assert line["reason"] == "CorruptState"
    assert f"partition {partition} offset {ends[partition] - 1}" in line["cause"]
    assert deployment.broker.ends(deployment.changelog, deployment.PARTITIONS) == ends


def test_a_lost_changelog_refuses_to_start(deployment: Deployment) -> None:
    """Inputs were consumed and their state is gone: starting would mean positions of zero."""
    run_once(deployment)
    deployment.broker.delete(deployment.changelog)
    assert refused(deployment.worker())["reason"] == "LostState"


def test_another_number_of_partitions_refuses_to_start(deployment: Deployment) -> None:
    """A worker set to another P than the topics have does not begin."""
    worker = deployment.worker("--partitions", "3")
    assert worker.ended() == 65
    assert not worker.said("ready")


def test_a_tick_from_the_future_is_reported_once_by_one_worker(deployment: Deployment) -> None:
    """A market record that the fold refuses is one dead letter, although every worker reads and refolds it."""
    deployment.publish(itertools.islice(market(seed=10), 200))
    tick = PriceTick(
        underlying="BTC", source="venue-a", price_kind="index", price=1.0, index_source=True,
        event_time_us=START_US + 3_600 * SECOND_US,
    )  # fmt: skip
    beat = Heartbeat(source="clock", event_time_us=START_US + 60 * SECOND_US)
    for record in (tick, beat):
        deployment.broker.produce(f"{deployment.prefix}{TICKS.name}", [(0, b"BTC", encode(record))])
    first = deployment.worker()
    first.wait_for("ready")
    second = deployment.worker()
    second.wait_for("ready")
    first.wait_for("ready", 2)
    eventually(deployment.dead_letters, 120)
    assert first.terminate() == 0
    second.wait_for("ready", 2)
    assert second.terminate() == 0
    letters = deployment.dead_letters()
    assert [letter.value for letter in letters] == [encode(tick)]


def test_a_worker_that_cannot_become_ready_ends(deployment: Deployment) -> None:
    """While the group waits for a member that stands still, a newcomer makes no progress and gives up in time."""
    deployment.session_s = 300.0  # longer than the newcomer can take to come, give up and be waited for
    silent = deployment.worker()
    silent.wait_for("ready")
    silent.pause()
    newcomer = deployment.worker("--ready-timeout", "3")
    assert newcomer.ended() == 75
    assert newcomer.wait_for_last("ending")["reason"] == "NotReady"


@pytest.mark.apache_kafka  # the embedded broker refuses no message
def test_a_refused_event_ends_the_worker_and_its_successor_sends_it(deployment: Deployment) -> None:
    """When the broker does not take an event, nothing is committed beyond it, and nothing of it is lost later on."""
    topics = [f"{deployment.prefix}{topic.name}" for topic in (MARGIN_CALLS, LIQUIDATIONS)]
    for topic in topics:
        deployment.broker.configure(topic, {"max.message.bytes": "100"})
    deployment.publish(itertools.islice(market(seed=12), 800))
    worker = deployment.worker()
    assert worker.ended() == 75
    assert worker.wait_for_last("ending")["reason"] == "PublishFailed"
    assert deployment.events_so_far() == 0
    for topic in topics:
        deployment.broker.configure(topic, {})
    successor = deployment.worker()
    successor.wait_for("ready")
    deployment.wait_until_caught_up()
    assert successor.terminate() == 0
    assert sum(line["sent_again"] for line in successor.said("opened")) > 0
    state = deployment.state()
    assert set(check_events(deployment.events(), state).values()) == {1}
    check_positions(deployment.published, state)
