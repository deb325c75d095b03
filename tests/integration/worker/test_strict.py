"""Strict order on Apache Kafka: one answer, whoever gives it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from monitor.replay import offline
from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.arrival import Merged
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.publish_sequenced import publish_sequenced
from monitor.replay.sequence import Sequence, partition_of
from monitor.replay.sources import ACCOUNTS_FILE_TOPICS, ListSource
from schemas.codec import encode, encode_frame
from schemas.records import Input, Instrument, SequencedRecord, Trade
from schemas.topics import INSTRUMENTS, SEQUENCED, TRADES
from tests.integration.processes import LIQMON
from tests.integration.worker.deployment import Deployment, check_events
from tests.integration.worker.support import ROOT, Kafka, Process, Read, eventually

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]  # only what hangs takes so long

P = Deployment.PARTITIONS
MARKET = MarketParameters(seed=8, minutes=8, ticks_per_second=0.4, coins=3)
Spawn = Callable[[list[str]], Process]


@cache
def accounts() -> list[tuple[str, Input]]:
    parameters = AccountParameters(seed=6, accounts=80, fills_per_hour=10.0)
    return generate_accounts(Merged([GeneratedMarket(MARKET)]), parameters).records


def stream() -> Merged:
    return Merged([GeneratedMarket(MARKET), ListSource("accounts", accounts(), ACCOUNTS_FILE_TOPICS)])


@cache
def expected() -> tuple[bytes, ...]:
    """Canonical bodies of what the engine says, by account and sequence."""
    out = io.BytesIO()
    offline.run(stream(), out, partitions=P)
    return ordered(out.getvalue().splitlines())


def ordered(bodies: list[bytes]) -> tuple[bytes, ...]:
    def place(body: bytes) -> tuple[str, int]:
        event = json.loads(body)
        return event["account"], event["sequence"]

    return tuple(sorted(set(bodies), key=place))


@dataclass(repr=False)
class Strict(Deployment):
    """Workers in strict order, and what is on the topic of the sequence."""

    def worker(self, *options: str) -> Process:
        return super().worker("--order", "strict", *options)

    @property
    def group(self) -> str:
        return f"{self.prefix}{self.application}-strict"

    @property
    def changelog(self) -> str:
        return f"{self.group}-state-changelog"

    @property
    def topic(self) -> str:
        return f"{self.prefix}{SEQUENCED.name}"

    def caught_up(self) -> bool:
        ends = self.broker.ends(self.topic, P)
        committed = self.broker.committed(self.group, {self.topic: P})
        return all(committed.get((self.topic, partition), 0) == end > 0 for partition, end in ends.items())

    def publish_all(self, frame_rows: int = 1_000, speed: float | None = None) -> None:
        asyncio.run(
            publish_sequenced(stream(), self.broker.url, prefix=self.prefix, frame_rows=frame_rows, speed=speed)
        )  # fmt: skip

    def publish_paced(self, speed: float) -> None:
        """Publish at a pace in the background; `finish_publishing` waits for the end."""
        self._publisher = threading.Thread(target=self.publish_all, args=(1_000, speed))
        self._publisher.start()


@pytest.fixture
def deployment(
    broker: Kafka, topic_prefix: str, create_topics: Callable[..., object], spawn: Spawn, tmp_path: Path
) -> Iterator[Strict]:
    create_topics(partitions=P)
    made = Strict(broker, topic_prefix, spawn, tmp_path)
    yield made
    made.finish_publishing()


def said(deployment: Strict) -> Counter[str]:
    """Check that the topics hold the engine's events, byte for byte; return how often each is there."""
    deployment.wait_until_caught_up()
    events = deployment.events()
    assert ordered([event.value or b"" for event in events]) == expected()
    counts = check_events(events, deployment.state())
    digest = hashlib.sha256(b"".join(body + b"\n" for body in expected())).hexdigest()
    command = [
        sys.executable, "-m", "monitor", "digest", "--broker", deployment.broker.url, "--prefix", deployment.prefix,
    ]  # fmt: skip
    told = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(told.stdout)
    assert (found["sha256"], found["findings"], found["events"]) == (digest, 0, len(expected()))
    return counts


def test_the_market_of_these_tests_is_no_toy() -> None:
    """Events of several kinds and accounts in every partition, from records of every topic, options among them."""
    sequence = Sequence(stream(), P)
    items = list(sequence)
    assert len(sequence.counts) == 6
    assert len(items) > 3_000
    assert any(isinstance(item.record, Instrument) and item.record.type == "option" for item in items)
    assert {item.partition for item in items if isinstance(item.record, Trade)} == set(range(P))
    by_partition: dict[int, set[str]] = defaultdict(set)
    kinds = set()
    for body in expected():
        event = json.loads(body)
        by_partition[partition_of(event["account"], P)].add(event["account"])
        kinds.add(event["kind"])
    assert set(by_partition) == set(range(P))
    assert len(kinds) >= 3


@pytest.mark.parametrize(("workers", "frame_rows"), [(1, 1_000), (2, 100), (3, 1)])
def test_any_number_of_workers_says_what_the_engine_says(
    deployment: Strict, workers: int, frame_rows: int
) -> None:  # fmt: skip
    """Through frames of any size and any number of workers the events are those of the engine, byte for byte."""
    deployment.publish_all(frame_rows)
    running = [deployment.worker() for _ in range(workers)]
    for worker in running:
        worker.wait_for("ready")
    counts = said(deployment)
    assert set(counts.values()) == {1}
    assert not deployment.dead_letters()
    for worker in running:
        assert worker.terminate() == 0


def test_a_kill_changes_no_byte(deployment: Strict) -> None:
    """Three workers, one killed on the way and started again: the same events, none is lost, and one verifies."""
    deployment.quick_takeovers()
    deployment.publish_paced(speed=25.0)
    running = [deployment.worker() for _ in range(3)]
    enough = len(expected()) // 3
    eventually(lambda: deployment.events_so_far() >= enough, 240)
    running[1].kill()
    running[1] = deployment.worker()
    eventually(lambda: deployment.events_so_far() >= 2 * enough, 240)
    running[2].kill()
    deployment.finish_publishing()
    said(deployment)
    assert not deployment.dead_letters()
    identity = json.loads(expected()[-1])["id"]
    command = [*LIQMON, "verify", identity, "--broker", deployment.broker.url, "--prefix", deployment.prefix, "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(told.stdout)
    assert (found["outcome"], found["order"]) == ("equal", "sequence")
    for worker in running[:2]:
        worker.wait_for("ready")  # the others may have done all the work before it is up
        assert worker.terminate() == 0


def test_a_kill_at_any_point_of_a_flush_is_repaired(deployment: Strict) -> None:
    """Killed after its state, its events, its account states or before its commit, a flush is completed by the next."""
    deployment.quick_takeovers()
    deployment.publish_all()
    # What the killed ones did not commit is left for the last, so there is a first commit.
    for point, count in (("values", "2"), ("events", "2"), ("states", "2"), ("before-commit", "1")):
        arguments = deployment.arguments("--order", "strict")
        module = "tests.integration.worker.killed_worker"
        worker = deployment.spawn([sys.executable, "-m", module, point, count, "SIGKILL", "--", *arguments])
        worker.wait_for("killed")
        worker.ended()
    last = deployment.worker()
    said(deployment)
    assert last.terminate() == 0


def test_partitions_that_move_repeat_nothing(deployment: Strict) -> None:
    """Workers that come and go in an orderly way hand their partitions over: every event is sent once."""
    deployment.publish_paced(speed=25.0)
    first = deployment.worker()
    first.wait_for("ready")
    eventually(lambda: deployment.events_so_far() >= 3, 240)
    second = deployment.worker()
    second.wait_for("ready")
    eventually(lambda: deployment.events_so_far() >= len(expected()) // 2, 240)
    assert first.terminate() == 0
    deployment.finish_publishing()
    assert set(said(deployment).values()) == {1}
    assert second.terminate() == 0


def letters_of(deployment: Strict) -> list[tuple[str, int, int, str, bytes | None]]:
    """Dead letters: topic they name, partition, offset, kind, bytes."""

    def known(letter: Read) -> tuple[str, int, int, str, bytes | None]:
        text = {name: value.decode() for name, value in letter.headers.items()}
        topic = text["dl-source-topic"].removeprefix(deployment.prefix)
        return (
            topic, int(text["dl-source-partition"]), int(text["dl-source-offset"]), text["dl-error-kind"], letter.value
        )  # fmt: skip

    return sorted(map(known, deployment.dead_letters()), key=repr)


def test_what_cannot_be_applied_is_a_dead_letter_once(deployment: Strict) -> None:
    """Broken messages, rows out of order and refused records are reported once, over workers and restarts."""
    deployment.publish_all()
    ends = deployment.broker.ends(deployment.topic, P)
    beyond = len(list(Sequence(stream(), P)))
    listed = next(item.record for item in Sequence(stream(), P) if isinstance(item.record, Instrument))
    redefined = encode(replace(listed, underlying="OTHER"))
    account = next(name for name in (f"x{k}" for k in range(99)) if partition_of(name, P) == 2)
    stray = encode(
        Trade(trade_id="1", account=account, instrument="NOPE", quantity=1.0, price=1.0,
              event_time_us=listed.event_time_us)
    )  # fmt: skip

    def row(ordinal: int, topic: str, record: bytes) -> SequencedRecord:
        return SequencedRecord(ordinal=ordinal, topic=topic, record=Raw(record), v=1)

    again = row(0, INSTRUMENTS.name, encode(listed))
    faulty = [(p, None, encode_frame([row(beyond, INSTRUMENTS.name, redefined)])) for p in range(P)]
    faulty += [(1, None, b"rubbish"), (3, None, encode_frame([again]))]
    faulty += [(2, None, encode_frame([row(beyond + 1, TRADES.name, stray)]))]
    deployment.broker.produce(deployment.topic, faulty)
    wanted = sorted(
        [
            (INSTRUMENTS.name, 0, beyond, "redefined", redefined),
            (TRADES.name, 2, beyond + 1, "unknown_instrument", stray),
            (SEQUENCED.name, 1, ends[1] + 1, "bad_json", b"rubbish"),
            (SEQUENCED.name, 3, ends[3] + 1, "out_of_order", encode(again)),
        ],
        key=repr,
    )
    first, second = deployment.worker(), deployment.worker()
    first.wait_for("ready")
    second.wait_for("ready")  # before it is told to end
    said(deployment)
    assert letters_of(deployment) == wanted
    assert first.terminate() == 0
    assert second.terminate() == 0
    third = deployment.worker()
    third.wait_for("ready")
    said(deployment)
    assert third.terminate() == 0
    assert letters_of(deployment) == wanted


def test_another_sequence_under_the_same_state_is_refused(deployment: Strict) -> None:
    """A topic that was made anew and holds less than the state knows ends the worker for a person to look."""
    deployment.publish_all()
    worker = deployment.worker()
    worker.wait_for("ready")
    deployment.wait_until_caught_up()
    assert worker.terminate() == 0
    deployment.broker.delete(deployment.topic)
    eventually(lambda: _created(deployment), 120)
    value = encode_frame([SequencedRecord(ordinal=0, topic=INSTRUMENTS.name, record=Raw(b"{}"), v=1)])
    deployment.broker.produce(deployment.topic, [(p, None, value) for p in range(P)])
    successor = deployment.worker()
    assert successor.ended() == 65, successor.tail()
    assert successor.wait_for_last("ending")["reason"] == "LostInput"


def _created(deployment: Strict) -> bool:
    deployment.broker.create({deployment.topic: P})
    return deployment.broker.ends(deployment.topic, P) == dict.fromkeys(range(P), 0)
