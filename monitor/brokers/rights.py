"""Which rights we really have, found out by asking for nothing.

Kafka looks at rights before it looks at partitions. So a fetch from and a record for a partition that no topic has are
refused as unauthorized where the right is missing, and as unknown where it is there: nothing is read or written, and no
right on the cluster is needed to ask.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    KafkaError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from monitor.brokers.acls import AclsError
from monitor.brokers.probe import cluster_info
from monitor.connection import Address, client_options
from schemas.acls import Acl

_NOWHERE = 2**31 - 1  # a partition
_TIMEOUT_MS = 10_000
_REFUSED = TopicAuthorizationFailedError.errno


async def lacking(address: Address, wanted: list[Acl]) -> list[Acl]:
    """Return those of `wanted` that this connection does not have, in their order; raises BrokerError.

    Asks for Read, Write and DescribeConfigs on topics and for Read on groups; rights to create and alter cannot be
    found out without creating and altering, and are taken for granted. A prefix is asked for with a name of its own.
    """
    await cluster_info(address)
    admin = AIOKafkaAdminClient(**client_options(address), client_id="liqmon-rights", request_timeout_ms=_TIMEOUT_MS)
    try:
        await admin.start()
        refused = await _refused(admin, wanted)
    except (KafkaError, TimeoutError, OSError) as error:
        raise AclsError(f"the cluster at {address} did not answer ({error!r})", "check its health") from error
    finally:
        await admin.close()
    return [acl for acl in wanted if acl in refused]


async def _refused(admin: AIOKafkaAdminClient, wanted: list[Acl]) -> set[Acl]:
    refused: set[Acl] = set()
    for operation, ask in (("Read", _fetch), ("Write", _produce), ("DescribeConfigs", _describe)):
        asked = [acl for acl in wanted if acl.resource == "topic" and acl.operation == operation]
        codes = await ask(admin, [_name(acl) for acl in asked]) if asked else {}
        refused |= {acl for acl in asked if codes.get(_name(acl)) == _REFUSED}
    for acl in wanted:
        if acl.resource == "group":
            try:
                await admin.list_consumer_group_offsets(_name(acl))
            except GroupAuthorizationFailedError:
                refused.add(acl)
            except GroupCoordinatorNotAvailableError:
                continue  # a new cluster has none yet, and says so only to whom it may
    return refused


def _name(acl: Acl) -> str:
    return f"{acl.name}liqmon-check" if acl.pattern == "prefixed" else acl.name


async def _fetch(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    request = FetchRequest(0, 0, 1, 0, [(name, [(_NOWHERE, 0, 1)]) for name in names])
    answer = await _ask(admin, request)
    return {name: partition[1] for name, partitions in answer.topics for partition in partitions}


async def _produce(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    batch = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 4096)
    batch.append(0, 0, None, b"", [])
    records = bytes(batch.build())
    request = ProduceRequest(None, 1, _TIMEOUT_MS, [(name, [(_NOWHERE, records)]) for name in names])
    answer = await _ask(admin, request)
    return {name: partition[1] for name, partitions in answer.topics for partition in partitions}


async def _describe(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    return {name: code for answer in answers for code, _, _, name, _ in answer.resources}


async def _ask(admin: AIOKafkaAdminClient, request: Any) -> Any:
    async with asyncio.timeout(_TIMEOUT_MS / 1000):
        answer = await admin._send_request(request)  # noqa: SLF001 (the client has the request and no method)
    if getattr(answer, "error_code", 0):
        raise for_code(answer.error_code)
    return answer
