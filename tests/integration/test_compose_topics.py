"""The topics service of docker-compose.yml, run by hand with Kafka's own tool."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.brokers import topics
from monitor.brokers.kafka.jars import jars_dir
from monitor.brokers.kafka.java import find_java
from schemas.topics import ALL
from tests.support import ROOT

TOOL = "/opt/kafka/bin/kafka-topics.sh"
SERVICE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["topics"]


def _script() -> str:
    (script,) = SERVICE["command"]
    return str(script).replace("$$", "$")  # compose's escape


def test_it_creates_every_topic_of_the_table() -> None:
    """Names, partitions and settings in the script are those of the topic table."""
    told = {}
    for line in _script().splitlines():
        if line.startswith("create "):
            _, name, partitions, *settings = line.split()
            pairs = (word.partition("=") for word in settings if word != "--config")
            told[name] = (int(partitions), {key: value for key, _, value in pairs})
    assert told == {topic.name: (topic.partitions or 12, topic.config()) for topic in ALL}


@pytest.mark.broker
@pytest.mark.local_broker
def test_the_script_runs_and_leaves_nothing_to_plan(kafka: str, tmp_path: Path) -> None:
    """The script, with the tool's place and the broker's address exchanged, makes what `liqmon topics plan` wants."""
    prefix = "compose."
    tool = tmp_path / "kafka-topics.sh"
    tool.write_text(
        f'#!/bin/sh\nexec {find_java()} -Xmx128m -cp "{jars_dir()}/*" org.apache.kafka.tools.TopicCommand "$@"'
    )
    tool.chmod(0o755)
    script = _script().replace(TOOL, str(tool)).replace("kafka:19092", kafka)
    wanted = list(ALL)[:3]  # each call starts a Java of its own
    lines = [line for line in script.splitlines() if not line.startswith("create ")]
    lines += [
        line.replace("create ", f"create {prefix}") for line in script.splitlines() if line.startswith("create ")
    ][:3]
    done = subprocess.run(
        [*SERVICE["entrypoint"], "\n".join(lines)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert asyncio.run(topics.plan(kafka, topics.wanted_topics(prefix, 12, topics=wanted))) == ()
