"""Publish the merged sequence and read it back with a plain consumer."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor.cli import liqmon
from monitor.errors import UsageError
from monitor.replay.progress import Step
from monitor.replay.publish_sequenced import publish_sequenced
from monitor.replay.sequence import Sequence
from monitor.replay.sources import TOPIC_OF
from schemas.topics import MARKET_TOPICS, SEQUENCED
from tests.integration.conftest import CreateTopics
from tests.integration.test_publish import plain, stream
from tests.integration.worker.support import read_all
from tests.unit.replay import files

pytestmark = pytest.mark.broker

P = 4
MARKET = {topic.name for topic in MARKET_TOPICS}


def rows_of(kafka: str, prefix: str) -> tuple[list[list[dict[str, Any]]], list[int]]:
    """Rows of each partition in order, and the rows of each message."""
    rows: list[list[dict[str, Any]]] = [[] for _ in range(P)]
    sizes = []
    for message in read_all(kafka, f"{prefix}{SEQUENCED.name}"):
        assert message.key is None
        frame = json.loads(message.value or b"")["rows"]
        sizes.append(len(frame))
        rows[message.partition] += frame
    return rows, sizes


@pytest.mark.parametrize("frame_rows", [1, 100, 1_000])
def test_each_partition_has_the_market_and_its_accounts(
    kafka: str, topic_prefix: str, create_topics: CreateTopics, frame_rows: int
) -> None:
    """Rows of a partition are the sequence without the accounts of others, in frames of the size asked for."""
    create_topics(partitions=P)
    done = asyncio.run(publish_sequenced(stream(), kafka, prefix=topic_prefix, frame_rows=frame_rows))
    rows, sizes = rows_of(kafka, topic_prefix)
    items = list(Sequence(stream(), P))
    for partition in range(P):
        assert rows[partition] == [
            {"ordinal": item.offset, "topic": TOPIC_OF[type(item.record)], "record": plain(item.record), "v": 1}
            for item in items
            if item.topic in MARKET or item.partition == partition
        ]
    assert max(sizes) <= frame_rows
    assert sum(size < frame_rows for size in sizes) <= P
    assert done.total == len(items)
    assert done.messages == {SEQUENCED.name: len(sizes)}


def test_a_topic_takes_one_sequence(
    kafka: str, topic_prefix: str, create_topics: CreateTopics, tmp_path: Path
) -> None:  # fmt: skip
    """The command publishes, and refuses to publish another sequence behind the first."""
    create_topics(partitions=P)
    path = files.write(tmp_path / "t.csv.gz", files.TRADES_HEADER, *(files.trade(s, 100 + s) for s in range(5)))
    command = ["replay", str(path), "--broker", kafka, "--prefix", topic_prefix, "--to", "sequenced", "--json"]
    first = CliRunner().invoke(liqmon, command, standalone_mode=False)
    assert first.return_value == 0, first.output
    summary = json.loads(first.stdout)
    assert (summary["to"], summary["total_records"]) == ("sequenced", 10)
    again = CliRunner().invoke(liqmon, command, standalone_mode=False)
    assert isinstance(again.exception, UsageError)
    rows, _ = rows_of(kafka, topic_prefix)
    assert [len(found) for found in rows] == [10] * P


def test_a_missing_topic_is_a_usage_error(kafka: str, topic_prefix: str) -> None:
    """Nothing is created by accident: the remedy is named."""
    with pytest.raises(UsageError, match="liqmon topics apply"):
        asyncio.run(publish_sequenced(stream(), kafka, prefix=topic_prefix))


def test_a_paced_sequence_keeps_to_its_speed(kafka: str, topic_prefix: str, create_topics: CreateTopics) -> None:
    """Records go out no earlier than their event time is due."""
    create_topics(partitions=P)
    steps: list[tuple[float, Step]] = []
    merged, speed, start_s = stream(), 60.0, time.monotonic()
    asyncio.run(
        publish_sequenced(
            merged, kafka, prefix=topic_prefix, speed=speed, on_step=lambda s: steps.append((time.monotonic(), s))
        )
    )
    assert merged.first_us is not None
    assert len(steps) > 3
    for real_s, step in steps:
        assert (step.market_time_us - merged.first_us) * 1e-6 / speed <= real_s - start_s
