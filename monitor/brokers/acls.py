"""Compare the rights of a principal with the table of roles, and add what is missing. Nothing is ever taken away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import ClusterAuthorizationFailedError, KafkaError, for_code
from aiokafka.protocol.admin import CreateAclsRequest, DescribeAclsRequest

from monitor.brokers.interface import BrokerError
from monitor.brokers.probe import cluster_info
from monitor.connection import Address, client_options
from schemas.acls import Acl, Operation, Pattern, Resource

# Numbers of Kafka's protocol.
RESOURCES: dict[Resource, int] = {"topic": 2, "group": 3}
PATTERNS: dict[Pattern, int] = {"literal": 3, "prefixed": 4}
OPERATIONS: dict[Operation, int] = {
    "Read": 3, "Write": 4, "Create": 5, "Describe": 8, "DescribeConfigs": 10, "AlterConfigs": 11,
}  # fmt: skip
_ANY, _ALLOW = 1, 3
_TIMEOUT_S = 30.0


class AclsError(BrokerError):
    """The cluster did not tell or change rights."""


async def missing(address: Address, principal: str, wanted: list[Acl]) -> list[Acl]:
    """Return those of `wanted` that `principal` ("User:name") does not have, in their order; raises BrokerError.

    Needs Describe on the cluster.
    """
    async with _admin(address) as admin:
        return await _missing(admin, principal, wanted)


async def apply(address: Address, principal: str, wanted: list[Acl]) -> list[Acl]:
    """Give `principal` what it lacks of `wanted`, from any host, and return that; raises BrokerError.

    Needs Alter and Describe on the cluster: this is the work of whoever owns the cluster, not of any role of ours.
    """
    async with _admin(address) as admin:
        lacking = await _missing(admin, principal, wanted)
        requests = [
            CreateAclsRequest(
                RESOURCES[acl.resource],
                acl.name,
                PATTERNS[acl.pattern],
                principal,
                "*",
                OPERATIONS[acl.operation],
                _ALLOW,
            )
            for acl in lacking
        ]
        # The client has the request and no method for it.
        answers = await asyncio.gather(*(admin._send_request(request) for request in requests))  # noqa: SLF001
        for answer in answers:
            for code, message in answer.creation_responses:
                _check(code, message)
        return lacking


async def _missing(admin: AIOKafkaAdminClient, principal: str, wanted: list[Acl]) -> list[Acl]:
    # All of them: the filter by principal alone is what every version of the request has.
    answer = await admin._send_request(DescribeAclsRequest(_ANY, None, _ANY, principal, None, _ANY, _ANY))  # noqa: SLF001
    _check(answer.error_code, answer.error_message)
    held = {
        (resource, name, pattern, operation)
        for resource, name, pattern, entries in answer.resources
        for _, host, operation, permission in entries
        if host == "*" and permission == _ALLOW
    }
    return [
        acl for acl in wanted
        if (RESOURCES[acl.resource], acl.name, PATTERNS[acl.pattern], OPERATIONS[acl.operation]) not in held
    ]  # fmt: skip


@asynccontextmanager
async def _admin(address: Address) -> AsyncIterator[AIOKafkaAdminClient]:
    await cluster_info(address)
    admin = AIOKafkaAdminClient(
        **client_options(address), client_id="liqmon-acls", request_timeout_ms=int(_TIMEOUT_S * 1000)
    )
    try:
        await admin.start()
        yield admin
    except (KafkaError, TimeoutError, OSError) as error:
        raise AclsError(
            f"the cluster at {address} did not carry out a request ({error})", "check its health"
        ) from error
    finally:
        await admin.close()


def _check(code: int, message: str | None) -> None:
    if code:
        # What the broker writes beside a lack of rights is a dump of its own objects.
        refused = for_code(code)
        told = refused.__name__ if refused is ClusterAuthorizationFailedError or not message else message
        raise AclsError(
            f"the cluster refused: {told}",
            "rights are given by the cluster's owner, and only where the cluster has an authorizer",
        )
