"""The topic table: names, partitions, policies and ranks."""

from __future__ import annotations

import re
from collections import Counter

import msgspec
import pytest

from schemas import topics
from schemas.contracts import types_of
from schemas.records import AccountInput, DeadLetter, MarketInput, Record
from schemas.topics import ACCOUNT_TOPICS, ALL, MARKET_TOPICS, SOURCE_RANK, Topic, full_name


def of(topic: Topic) -> str:
    return topic.name


@pytest.mark.parametrize("topic", ALL, ids=of)
def test_names_are_lower_case_with_dots_and_a_version(topic: Topic) -> None:
    """Names go from broad to narrow, end in a version, and never mix dots with underscores."""
    assert re.fullmatch(r"(risk|market)\.[a-z]+(-[a-z]+)*\.v1", topic.name)
    assert len(full_name(topic, "a" * 40 + ".")) <= 249  # Kafka's bound


def test_names_are_unique() -> None:
    """No two topics share a name, with or without a prefix."""
    assert max(Counter(full_name(topic, "eu.") for topic in ALL).values()) == 1
    assert len({id(topic) for topic in ALL}) == len(ALL) == 20


def test_a_prefix_names_the_deployment() -> None:
    """The prefix stands before the table's name and changes nothing else."""
    assert full_name(topics.TRADES) == "risk.trades.v1"
    assert full_name(topics.TRADES, "eu.") == "eu.risk.trades.v1"


@pytest.mark.parametrize("topic", MARKET_TOPICS, ids=of)
def test_market_topics_have_one_partition(topic: Topic) -> None:
    """Order decides on market data, and every worker reads all of it."""
    assert topic.partitions == 1
    assert topic.direction == "input"


@pytest.mark.parametrize("topic", [topic for topic in ALL if topic.key == "account"], ids=of)
def test_account_topics_have_the_partitions_of_the_deployment(topic: Topic) -> None:
    """Everything keyed by account is co-partitioned."""
    assert topic.partitions is None


def test_inputs_are_account_and_market_topics() -> None:
    """Every input topic is one or the other, and has a rank in the merge."""
    inputs = {topic.name for topic in ALL if topic.direction == "input"}
    assert inputs == {topic.name for topic in (*ACCOUNT_TOPICS, *MARKET_TOPICS)} == set(SOURCE_RANK)


def test_ranks_put_definitions_before_use() -> None:
    """At equal times: parameters, instruments, volatility, ticks, accounts, transfers, trades."""
    assert sorted(SOURCE_RANK, key=SOURCE_RANK.__getitem__) == [
        "risk.parameters.v1", "market.instruments.v1", "market.volatility.v1", "market.ticks.v1", "risk.accounts.v1",
        "risk.transfers.v1", "risk.trades.v1",
    ]  # fmt: skip
    assert sorted(SOURCE_RANK.values()) == list(range(7))


def test_a_record_type_decides_its_topic() -> None:
    """No record type is on two input topics, and every input type is on one."""
    types = [record for topic in (*ACCOUNT_TOPICS, *MARKET_TOPICS) for record in types_of(topic)]
    assert len(types) == len(set(types))
    assert set(types) == set(AccountInput.__args__) | set(MarketInput.__args__)


@pytest.mark.parametrize("topic", ALL, ids=of)
def test_settings_follow_the_policy(topic: Topic) -> None:
    """Compacted topics keep the latest of each key for ever and replay for 30 days; the others end."""
    settings = topic.config()
    assert settings["cleanup.policy"] == topic.policy
    assert ("retention.ms" in settings) is (topic.policy == "delete")
    assert all(isinstance(value, str) for value in settings.values())
    if topic.policy == "compact" and topic.direction == "input":
        assert settings["min.compaction.lag.ms"] == str(30 * 86_400_000)


def test_dead_letters_take_what_no_other_topic_takes() -> None:
    """A message that is too large for us still fits with its headers among the dead letters."""
    settings = topics.DEAD_LETTERS.config()
    assert int(settings["max.message.bytes"]) > 10_000_000
    assert topics.DEAD_LETTERS.record is DeadLetter
    assert all("max.message.bytes" not in topic.config() for topic in ALL if topic is not topics.DEAD_LETTERS)


def test_only_keyless_topics_have_frames() -> None:
    """A frame has a null key, which a compacted topic cannot hold; published events are always single."""
    assert {topic.name for topic in ALL if topic.framed} == {
        "risk.trades.v1", "risk.transfers.v1", "market.ticks.v1", "market.volatility.v1", "risk.sequenced.v1",
    }  # fmt: skip


@pytest.mark.parametrize("topic", ALL, ids=of)
def test_every_topic_carries_records(topic: Topic) -> None:
    """Each topic has records of ours that a decoder can be made for, and says what it is for."""
    assert all(issubclass(record, Record) for record in types_of(topic))
    msgspec.json.Decoder(topic.record)
    assert topic.purpose
