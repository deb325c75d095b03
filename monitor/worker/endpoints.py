"""Where each partition's owner answers questions, said on a topic; and questions for others, asked there.

A worker that is asked about an account of another worker's reads the topic and asks its owner in the place of whoever
asked; what comes back is the answer. A question goes on once: an owner that has lost the partition says so.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import aiohttp
import msgspec
import orjson
import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from monitor.worker.log_view import LogView
from monitor.worker.publisher import Outbound
from monitor.worker.questions import ROUTED, Query, Reply
from schemas.codec import encode
from schemas.headers import state_headers
from schemas.keys import record_key
from schemas.records import WorkerEndpoint
from schemas.topics import WORKERS

if TYPE_CHECKING:
    from monitor.engine.state import Shard
    from monitor.worker.options import WorkerOptions
    from monitor.worker.publisher import Publisher

LOOK_S: Final = 0.5
FORWARD_S: Final = 9.0  # below the endpoint's bound on connections, above that of an answer
WILDCARDS: Final = ("0.0.0.0", "::")  # noqa: S104 (not listened on here)

_read = msgspec.json.Decoder(WorkerEndpoint).decode

log = structlog.get_logger("monitor.worker")


def url_of(host: str, port: int) -> str:
    """Return where others reach an endpoint: by this machine's name if it listens on every address."""
    name = socket.gethostname() if host in WILDCARDS else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"


class Announcer:
    """Says where the partitions of one worker are answered for, in the worker's loop."""

    def __init__(self, options: WorkerOptions, publisher: Publisher, shards: Callable[[], Mapping[int, Shard]],
                 url: str) -> None:  # fmt: skip
        self._options = options
        self._publisher = publisher
        self._shards = shards
        self._url = url
        self._said: dict[int, int] = {}

    async def run(self) -> None:
        """Say what is new, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Say which partitions have come since the last look."""
        epochs = {partition: shard.marker.epoch for partition, shard in self._shards().items()}
        now_us = int(time.time() * 1e6)
        found = [
            WorkerEndpoint(
                partition=partition, url=self._url, group=self._options.group, epoch=epoch, announced_us=now_us, v=1
            )
            for partition, epoch in epochs.items() if self._said.get(partition) != epoch
        ]  # fmt: skip
        topic = self._options.topic(WORKERS)
        await self._publisher.send(
            [Outbound(topic, 0, record_key(one), encode(one), state_headers(one.epoch)) for one in found]
        )
        self._said = epochs


class Router:
    """Asks owners, in the loop of the endpoint; each question reads the topic, so no former owner is asked."""

    def __init__(self, options: WorkerOptions, own: Callable[[], Mapping[int, Shard]], token: str = "") -> None:
        self._options = options
        self._own = own
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def ask(self, path: str, query: Query, partition: int) -> Reply | None:
        """Return the owner's answer; None for a partition of our own, 421 or 502 where no owner can be asked."""
        if partition in self._own():
            return None
        try:
            url = await self._owner(partition)
        except (KafkaError, OSError) as error:  # what is not answered in time is an OSError, too
            return _error(503, f"the topic of endpoints could not be read ({error!r})", partition)
        if url is None:
            return _error(421, "another worker has this account, and has not said where it answers", partition)
        return await self._ask(url, path, query, partition)

    async def _ask(self, url: str, path: str, query: Query, partition: int) -> Reply:
        parameters = [*((name, value) for name, values in query.items() for value in values), (ROUTED, "1")]
        limit = aiohttp.ClientTimeout(total=FORWARD_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit, headers=self._headers) as session,
                session.get(url + quote(path), params=parameters, allow_redirects=False) as answer,
            ):
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            log.info("not_routed", partition=partition, url=url, reason=repr(error))
            return _error(502, f"the owner at {url} does not answer", partition)

    async def ask_others(self, path: str, query: Query) -> list[Reply]:
        """Return what each other worker says; 421 or 502 for one that cannot be asked."""
        try:
            owners = await self._owners()
        except (KafkaError, OSError) as error:
            return [_error(503, f"the topic of endpoints could not be read ({error!r})", -1)]
        wanted = [partition for partition in range(self._options.partitions) if partition not in self._own()]
        silent = next((partition for partition in wanted if partition not in owners), None)
        if silent is not None:
            return [_error(421, "another worker has this partition, and has not said where it answers", silent)]
        urls = {owners[partition].url: partition for partition in reversed(wanted)}
        return list(await asyncio.gather(*(self._ask(url, path, query, p) for url, p in sorted(urls.items()))))

    async def _owner(self, partition: int) -> str | None:
        newest = (await self._owners()).get(partition)
        return None if newest is None else newest.url

    async def _owners(self) -> dict[int, WorkerEndpoint]:
        """Return where each partition's owner said that it answers, the one of the largest epoch."""
        view = LogView(self._options.broker, f"{self._options.group}-endpoints")
        newest: dict[int, WorkerEndpoint] = {}
        try:
            await view.start()
            async for record in view.read_all([TopicPartition(self._options.topic(WORKERS), 0)]):
                try:
                    found = _read(record.value or b"")
                except msgspec.MsgspecError:
                    continue
                before = newest.get(found.partition)
                if found.group == self._options.group and (before is None or found.epoch >= before.epoch):
                    newest[found.partition] = found
        finally:
            await view.stop()
        return newest


def _error(status: int, text: str, partition: int) -> Reply:
    return status, orjson.dumps({"error": text, "partition": partition})
