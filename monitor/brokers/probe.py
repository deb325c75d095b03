"""Ask a broker for its metadata: the only proof that one is there and ready."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from monitor.brokers.interface import BadAddress, Unreachable
from monitor.connection import Address, as_endpoint, client_options, require_protection

# The client logs each failed attempt as an error. While a broker starts, failed attempts are what we wait for,
# so lines from inside a probe are dropped; the client's other lines are not.
_probing: contextvars.ContextVar[bool] = contextvars.ContextVar("probing", default=False)
_SERVER = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")
_CLIENT_LOGGERS = ("aiokafka", "aiokafka.client", "aiokafka.conn", "aiokafka.producer.sender")


def _outside_probe(_record: logging.LogRecord) -> bool:
    return not _probing.get()


for _name in _CLIENT_LOGGERS:
    logging.getLogger(_name).addFilter(_outside_probe)


@contextmanager
def quiet() -> Iterator[None]:
    """Drop the client's lines from inside the block: its failures are what the block looks for."""
    token = _probing.set(True)
    try:
        yield
    finally:
        _probing.reset(token)


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """Brokers of a cluster as `host:port`, by node id, and the number of topics visible to us."""

    brokers: dict[int, str]
    topics: int


def parse_address(url: str) -> str:
    """Return `host:port[,host:port...]` from an address with or without `kafka://`; raise BadAddress."""
    remedy = "give it as host:port, several separated by commas, for example BROKER_URL=127.0.0.1:9092"
    servers = [part.strip().removeprefix("kafka://") for part in url.split(",")]
    for server in servers:
        found = _SERVER.fullmatch(server)
        if found is None or not 0 < int(found["port"]) < 65536:
            raise BadAddress(f"broker address {url!r} is not valid", remedy)
    return ",".join(servers)


async def cluster_info(address: Address, timeout_s: float = 10.0) -> ClusterInfo:
    """Return what the broker at `address` answers to one metadata request.

    Raises Unreachable, what `refusal` finds of a broker that is there and refuses us, and PlaintextRefused, also where
    the brokers that the answer names are beyond loopback: everything after this goes to them.
    """
    # Imported here: it connects, and this module is what it raises through.
    from monitor.brokers.refusals import refusal  # noqa: PLC0415

    endpoint = as_endpoint(address)
    with quiet():
        client = AIOKafkaClient(
            **client_options(endpoint), client_id="liqmon-probe", request_timeout_ms=max(100, int(timeout_s * 1000))
        )
        try:
            async with asyncio.timeout(timeout_s):
                await client.bootstrap()
                brokers = {b.nodeId: f"{b.host}:{b.port}" for b in client.cluster.brokers()}
                if not brokers:
                    raise Unreachable(f"{address} answers without naming a broker", "wait until the cluster has formed")
                require_protection(endpoint, list(brokers.values()))
                return ClusterInfo(brokers, len(client.cluster.topics(exclude_internal_topics=False)))
        except (KafkaError, OSError, TimeoutError) as error:
            told = await refusal(endpoint, timeout_s)
            if told is not None:
                raise told from error
            raise Unreachable(
                f"no Kafka broker answers at {address}",
                f"check BROKER_URL, and that the broker runs and speaks {endpoint.security.protocol} at this port; "
                "or unset BROKER_URL to start a local one",
            ) from error
        finally:
            await client.close()


def probe(address: Address, timeout_s: float = 10.0) -> ClusterInfo:
    """Run `cluster_info` from blocking code, also where this thread already runs an event loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, cluster_info(address, timeout_s)).result()
