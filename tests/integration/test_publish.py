"""Publish to a broker and read back with a plain consumer."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.partitioner import DefaultPartitioner
from click.testing import CliRunner

from monitor.cli import liqmon
from monitor.errors import UsageError
from monitor.replay.accounts import AccountParameters, generate_accounts
from monitor.replay.arrival import Merged
from monitor.replay.market import GeneratedMarket, MarketParameters
from monitor.replay.progress import Step
from monitor.replay.publish import Published, publish
from monitor.replay.sources import ACCOUNTS_FILE_TOPICS, TOPIC_OF, ListSource
from schemas.records import Input
from schemas.topics import ACCOUNT_TOPICS, ACCOUNTS, MARKET_TOPICS, SOURCE_RANK, TRADES
from tests.integration.conftest import CreateTopics
from tests.unit.replay import files

pytestmark = pytest.mark.broker

MARKET = MarketParameters(seed=12, minutes=4, ticks_per_second=0.2, coins=3)
Rows = dict[tuple[str, int], list[dict[str, Any]]]


@cache
def accounts() -> list[tuple[str, Input]]:
    parameters = AccountParameters(seed=5, accounts=40, fills_per_hour=20.0)
    return generate_accounts(Merged([GeneratedMarket(MARKET)]), parameters).records


def stream() -> Merged:
    return Merged([GeneratedMarket(MARKET), ListSource("accounts", accounts(), ACCOUNTS_FILE_TOPICS)])


async def read_back(address: str, prefix: str) -> tuple[Rows, dict[str, list[Any]]]:
    """Every row of every input topic by partition, and the messages, read with nothing of ours but the names."""
    consumer = AIOKafkaConsumer(
        *(prefix + name for name in SOURCE_RANK),
        bootstrap_servers=address,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        parts = sorted(consumer.assignment())
        ends = await consumer.end_offsets(parts)
        rows: Rows = defaultdict(list)
        messages: dict[str, list[Any]] = defaultdict(list)
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for part, batch in (await consumer.getmany(timeout_ms=500)).items():
                # Not every broker names the end before it is asked for records.
                ends[part] = max(ends[part], consumer.highwater(part) or 0)
                for message in batch:
                    body = json.loads(message.value)
                    topic = part.topic.removeprefix(prefix)
                    messages[topic].append(message)
                    rows[topic, part.partition] += body.get("rows", [body])
        return rows, messages
    finally:
        await consumer.stop()


def plain(record: Input) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(msgspec.json.encode(record))
    return body


def test_what_is_published_is_read_back_in_order(kafka: str, topic_prefix: str, create_topics: CreateTopics) -> None:
    """Every record arrives once: market topics in arrival order, each account's records on one partition in order."""
    create_topics(partitions=4)
    done = asyncio.run(publish(stream(), kafka, prefix=topic_prefix))
    rows, messages = asyncio.run(read_back(kafka, topic_prefix))
    expected: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for _, record in stream():
        expected[TOPIC_OF[type(record)]].append(plain(record))
    for topic in MARKET_TOPICS:
        assert rows.get((topic.name, 0)) == expected.get(topic.name)
    partition_of: dict[str, int] = {}
    for topic in ACCOUNT_TOPICS:
        by_account: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for partition in range(4):
            for row in rows.get((topic.name, partition), []):
                assert partition_of.setdefault(row["account"], partition) == partition
                by_account[row["account"]].append(row)
        wanted: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in expected[topic.name]:
            wanted[row["account"]].append(row)
        assert by_account == wanted
    assert len(set(partition_of.values())) == 4
    assert done.records == {topic: len(found) for topic, found in expected.items()}
    assert done.messages == {topic: len(found) for topic, found in messages.items()}
    assert all(message.key is not None for message in messages[ACCOUNTS.name])
    assert any(message.key is None for message in messages[TRADES.name])


def test_keys_and_explicit_partitions_agree(kafka: str, topic_prefix: str, create_topics: CreateTopics) -> None:
    """A keyed record lies where the client's own partitioner would have put it."""
    create_topics(partitions=4)
    asyncio.run(publish(stream(), kafka, prefix=topic_prefix))
    _, messages = asyncio.run(read_back(kafka, topic_prefix))
    for message in messages[ACCOUNTS.name]:
        assert message.partition == DefaultPartitioner()(message.key, list(range(4)), list(range(4)))


def test_a_paced_replay_keeps_to_its_speed(kafka: str, topic_prefix: str, create_topics: CreateTopics) -> None:
    """Send times follow arrival times: never ahead of the pace."""
    create_topics(partitions=2)
    speed = 60.0
    short = Merged([GeneratedMarket(MarketParameters(seed=1, minutes=3, ticks_per_second=0.1, coins=2))])
    steps: list[tuple[float, Step]] = []
    start_s = time.monotonic()
    done: Published = asyncio.run(
        publish(short, kafka, prefix=topic_prefix, speed=speed, on_step=lambda s: steps.append((time.monotonic(), s)))
    )
    assert done.last_us - done.first_us > 170_000_000
    assert len(steps) > 3
    for real_s, step in steps:
        assert (step.market_time_us - done.first_us) * 1e-6 / speed <= real_s - start_s


def test_missing_topics_are_a_usage_error(kafka: str, topic_prefix: str) -> None:
    """Nothing is created by accident: the remedy is named."""
    with pytest.raises(UsageError, match="liqmon topics apply"):
        asyncio.run(publish(stream(), kafka, prefix=topic_prefix))


def test_the_command_publishes_files(
    kafka: str, topic_prefix: str, create_topics: CreateTopics, tmp_path: Path
) -> None:
    """`liqmon replay` prints what it sent; a wrong number of partitions is refused before anything is sent."""
    create_topics(partitions=3)
    path = files.write(tmp_path / "t.csv.gz", files.TRADES_HEADER, *(files.trade(s, 100 + s) for s in range(5)))
    base = ["replay", str(path), "--broker", kafka, "--prefix", topic_prefix, "--json"]
    wrong = CliRunner().invoke(liqmon, [*base, "--partitions", "4"], standalone_mode=False)
    assert isinstance(wrong.exception, UsageError)
    right = CliRunner().invoke(liqmon, [*base, "--partitions", "3", "--speed", "max"], standalone_mode=False)
    assert right.return_value == 0, right.output
    summary = json.loads(right.stdout)
    assert summary["records"] == {"market.instruments.v1": 1, "market.ticks.v1": 5 + 4}
    rows, _ = asyncio.run(read_back(kafka, topic_prefix))
    assert sum(len(found) for found in rows.values()) == 10
