"""Record what is on the topics of a broker, and give it back."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.cli import liqmon
from monitor.errors import UsageError
from monitor.replay import offline
from monitor.replay.arrival import Merged
from monitor.replay.digest import of_bodies
from monitor.replay.publish import publish
from monitor.replay.sources import open_sources
from monitor.replay.sources.base import TOPIC_OF
from schemas.codec import encode
from tests.integration.conftest import CreateTopics
from tests.integration.test_publish import stream

pytestmark = pytest.mark.broker

P = 4


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(liqmon, [str(argument) for argument in arguments], standalone_mode=False)


def lines(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        path.name: [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        for path in sorted(folder.glob("*.jsonl.gz"))
    }


def records(folder: Path) -> dict[str, list[Any]]:
    return {name: [line["record"] for line in found] for name, found in lines(folder).items()}


def test_what_is_recorded_comes_back(
    kafka: str, topic_prefix: str, create_topics: CreateTopics, tmp_path: Path
) -> None:  # fmt: skip
    """Every partition has its records in their order with their places; again on topics, and through the engine."""
    create_topics(partitions=P)
    asyncio.run(publish(stream(), kafka, prefix=topic_prefix))
    first, second = tmp_path / "first", tmp_path / "second"
    where = ("--broker", kafka, "--prefix", topic_prefix)
    result = invoke("record", *where, "--out", first, "--json")
    assert result.return_value == 0, result.output
    told = json.loads(result.stdout)
    published = [(TOPIC_OF[type(record)], json.loads(encode(record))) for _, record in stream()]
    assert sum(told["records"].values()) == len(published)
    found = lines(first)
    for topic in {topic for topic, _ in published}:
        files = [name for name in found if name.startswith(topic)]
        if len(files) == 1:
            assert records(first)[files[0]] == [record for its_topic, record in published if its_topic == topic]
    for name, rows in found.items():
        places = [(row["offset"], row["index"]) for row in rows]
        assert places == sorted(set(places))
        assert {f"{row['topic']}-{row['partition']}.jsonl.gz" for row in rows} == {name}
    assert isinstance(invoke("record", *where, "--out", first).exception, UsageError)

    # Behind the first, on the same topics: the second half of each partition is the first once more.
    assert invoke("replay", first, *where, "--no-check").return_value == 0
    assert invoke("record", *where, "--out", second, "--seconds", 0).return_value == 0
    again = records(second)
    assert {name: rows[: len(rows) // 2] for name, rows in again.items()} == records(first)
    assert {name: rows[len(rows) // 2 :] for name, rows in again.items()} == records(first)

    direct, replayed = io.BytesIO(), io.BytesIO()
    offline.run(stream(), direct, partitions=P)
    offline.run(Merged(open_sources([first])), replayed, partitions=P)
    digests = [of_bodies(out.getvalue().splitlines()) for out in (direct, replayed)]
    assert digests[0].events > 5
    assert digests[0].sha256 == digests[1].sha256


def test_missing_topics_are_a_usage_error(kafka: str, topic_prefix: str, tmp_path: Path) -> None:
    """Nothing is written."""
    result = invoke("record", "--broker", kafka, "--prefix", topic_prefix, "--out", tmp_path / "none")
    assert isinstance(result.exception, UsageError)
    assert not (tmp_path / "none").exists()
