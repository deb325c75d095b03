"""Compare the topic table with a cluster, and create or alter what differs. Nothing is ever deleted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from monitor.brokers.interface import BrokerError
from monitor.brokers.probe import cluster_info
from monitor.connection import Address, client_options
from schemas import topics as table

DEFAULT_PARTITIONS = 12
# Kafka's code for "set on this topic"; other sources are broker settings and defaults.
_SET_ON_TOPIC = 1
_TIMEOUT_S = 30.0
Kind = Literal["missing", "partitions", "replication", "config"]


class TopicsError(BrokerError):
    """The cluster refused to create or alter a topic."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One topic as it should be on the cluster; `replication` None means any."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    replication: int | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the cluster differs from the table.

    `changeable` tells whether `apply` can remove it. Partitions are not: another count sends an account to another
    partition than the one that holds its history.
    """

    topic: str
    kind: Kind
    setting: str
    wanted: str
    found: str
    changeable: bool


def wanted_topics(
    prefix: str = "",
    partitions: int = DEFAULT_PARTITIONS,
    replication: int | None = None,
    topics: Iterable[table.Topic] = table.ALL,
) -> tuple[Wanted, ...]:
    """Return the table's topics under `prefix`, account topics with `partitions` partitions."""
    return tuple(
        Wanted(table.full_name(topic, prefix), topic.partitions or partitions, topic.config(), replication)
        for topic in topics
    )


async def plan(address: Address, wanted: Sequence[Wanted]) -> tuple[Difference, ...]:
    """Return how the cluster at `address` differs from `wanted`, in its order; raise BrokerError."""
    async with _admin(address) as admin:
        return await _differences(admin, wanted)


async def apply(address: Address, wanted: Sequence[Wanted]) -> tuple[Difference, ...]:
    """Create and alter until the cluster is as `wanted`, and return the differences that were removed.

    What cannot be changed is left; `plan` names it. A new topic gets its `replication`, or 3 copies or one on each
    broker of a smaller cluster. Returns after the cluster shows the new state. Raises BrokerError.
    """
    async with _admin(address) as admin:
        before = await _differences(admin, wanted)
        missing = {d.topic for d in before if d.kind == "missing"}
        altered = {d.topic for d in before if d.kind == "config"}
        await _create(admin, address, [topic for topic in wanted if topic.name in missing])
        await _alter(admin, [topic for topic in wanted if topic.name in altered])
        deadline = time.monotonic() + _TIMEOUT_S
        while left := [d for d in await _differences(admin, wanted) if d.changeable]:
            if time.monotonic() > deadline:
                raise TopicsError(
                    f"{len(left)} changes are not visible after {_TIMEOUT_S:.0f} s, first {left[0].topic}",
                    "run `liqmon topics plan` again when the cluster is healthy",
                )
            await asyncio.sleep(0.05)
        return tuple(d for d in before if d.changeable)


@asynccontextmanager
async def _admin(address: Address) -> AsyncIterator[AIOKafkaAdminClient]:
    await cluster_info(address)  # a clear error, where the admin client would retry for its whole timeout
    admin = AIOKafkaAdminClient(
        **client_options(address), client_id="liqmon-topics", request_timeout_ms=int(_TIMEOUT_S * 1000)
    )
    try:
        await admin.start()
        yield admin
    except (KafkaError, TimeoutError, OSError) as error:
        raise TopicsError(
            f"the cluster at {address} did not carry out a topic request ({error})", "check its health and our rights"
        ) from error
    finally:
        await admin.close()


async def _differences(admin: AIOKafkaAdminClient, wanted: Sequence[Wanted]) -> tuple[Difference, ...]:
    names = {topic.name for topic in wanted}
    # All topics, not `names`: asking for a missing one by name creates it on clusters with auto-creation.
    described = {t["topic"]: t for t in await admin.describe_topics() if t["topic"] in names}
    configs = await _configs(admin, sorted(described))
    found: list[Difference] = []
    for topic in wanted:
        if topic.name not in configs:
            found.append(Difference(topic.name, "missing", "", f"{topic.partitions} partitions", "", True))
            continue
        found.extend(_shape_differences(topic, described[topic.name]["partitions"]))
        settings = configs[topic.name]
        for key, value in topic.config.items():
            actual = settings.get(key, ("", 0))[0]
            if actual != value:
                found.append(Difference(topic.name, "config", key, value, actual, True))
    return tuple(found)


def _shape_differences(topic: Wanted, partitions: Sequence[Mapping[str, Any]]) -> list[Difference]:
    found = []
    if len(partitions) != topic.partitions:
        shape = Difference(topic.name, "partitions", "", str(topic.partitions), str(len(partitions)), False)
        found.append(shape)
    copies = min((len(p["replicas"]) for p in partitions), default=0)
    if topic.replication is not None and copies != topic.replication:
        found.append(Difference(topic.name, "replication", "", str(topic.replication), str(copies), False))
    return found


async def _configs(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, tuple[str, int]]]:
    """Return value and source code of each setting of each topic.

    A topic that was just made is left out: brokers of a cluster learn of it one after the other.
    """
    if not names:
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    configs: dict[str, dict[str, tuple[str, int]]] = {}
    for answer in answers:
        for code, message, _kind, name, entries in answer.resources:
            if for_code(code) is UnknownTopicOrPartitionError:
                continue
            _check(code, name, message)
            configs[name] = {entry[0]: (entry[1], entry[3]) for entry in entries}
    return configs


async def _create(admin: AIOKafkaAdminClient, address: Address, topics: Sequence[Wanted]) -> None:
    if not topics:
        return
    copies = min(3, len((await cluster_info(address)).brokers))
    new = [
        NewTopic(topic.name, topic.partitions, topic.replication or copies, topic_configs=dict(topic.config))
        for topic in topics
    ]
    answer = await admin.create_topics(new)
    for name, code, *message in answer.topic_errors:
        # Somebody else was faster; the comparison that follows tells whether with the same settings.
        if for_code(code) is not TopicAlreadyExistsError:
            _check(code, name, message[0] if message else None)


async def _alter(admin: AIOKafkaAdminClient, topics: Sequence[Wanted]) -> None:
    if not topics:
        return
    # This request replaces all settings of a topic, so those that an operator set beside ours are sent along.
    now = await _configs(admin, [topic.name for topic in topics])
    resources = []
    for topic in topics:
        own = {key: value for key, (value, source) in now[topic.name].items() if source == _SET_ON_TOPIC}
        resources.append(ConfigResource(ConfigResourceType.TOPIC, topic.name, {**own, **topic.config}))
    for answer in await admin.alter_configs(resources):
        for code, message, _kind, name in answer.resources:
            _check(code, name, message)


def _check(code: int, topic: str, message: str | None) -> None:
    if code:
        raise TopicsError(
            f"the cluster refused topic {topic}: {message or for_code(code).__name__}",
            "check its limits and our rights",
        )
