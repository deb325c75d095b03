"""Endpoints of workers: what is announced, and what a question gets whose owner cannot be asked."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from monitor.worker.endpoints import Announcer, Router, url_of
from monitor.worker.options import WorkerOptions
from monitor.worker.publisher import Outbound
from schemas.records import WorkerEndpoint

OPTIONS = WorkerOptions(broker="127.0.0.1:1", partitions=4, prefix="eu.")


class _Publisher:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Outbound] = []

    async def send(self, messages: Sequence[Outbound]) -> None:
        self.sent += messages


class _Router(Router):
    """A router whose topic says one thing."""

    def __init__(self, url: str | None, own: dict[int, Any]) -> None:
        super().__init__(OPTIONS, lambda: own, "a-token-of-some-length")
        self._url = url

    async def _owner(self, partition: int) -> str | None:  # noqa: ARG002
        return self._url


def shards(**epochs: int) -> dict[int, Any]:
    """Shards by partition, as far as announcements look at them."""
    return {int(name[1:]): SimpleNamespace(marker=SimpleNamespace(epoch=epoch)) for name, epoch in epochs.items()}


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"), ("::1", "http://[::1]:80"), ("worker-3", "http://worker-3:80"),
        ("0.0.0.0", f"http://{socket.gethostname()}:80"), ("::", f"http://{socket.gethostname()}:80"),
    ],
)  # fmt: skip
def test_others_reach_a_wildcard_by_the_name_of_the_machine(host: str, url: str) -> None:
    """And everything else as it is."""
    assert url_of(host, 80) == url


def test_a_partition_is_announced_once_in_each_epoch() -> None:
    """Again when it was away, or came back in a new epoch."""
    publisher = _Publisher()
    now: dict[int, Any] = {}
    announcer = Announcer(OPTIONS, publisher, lambda: now, "http://h:1")  # type: ignore[arg-type]

    async def look(found: dict[int, Any]) -> list[tuple[int, int]]:
        now.clear()
        now.update(found)
        publisher.sent.clear()
        await announcer.look()
        said = [msgspec.json.decode(one.value or b"", type=WorkerEndpoint) for one in publisher.sent]
        assert [one.key for one in publisher.sent] == [str(one.partition).encode() for one in said]
        assert {one.topic for one in publisher.sent} <= {"eu.risk.workers.v1"}
        assert {(one.url, one.group) for one in said} <= {("http://h:1", OPTIONS.group)}
        return [(one.partition, one.epoch) for one in said]

    async def run() -> None:
        assert await look(shards(p1=3, p2=5)) == [(1, 3), (2, 5)]
        assert await look(shards(p1=3, p2=5)) == []
        assert await look(shards(p1=4)) == [(1, 4)]
        assert await look(shards(p1=4, p2=5)) == [(2, 5)]

    asyncio.run(run())


def asked(router: Router, partition: int) -> tuple[int, dict[str, Any]] | None:
    found = asyncio.run(router.ask("/v1/accounts/a b/explain", {"shapley": ["1"]}, partition))
    return None if found is None else (found[0], json.loads(found[1]))


def test_our_own_partition_is_nobody_elses() -> None:
    """Then the account is not there at all."""
    assert asked(_Router("http://127.0.0.1:1", shards(p2=1)), 2) is None


def test_an_owner_that_cannot_be_asked_is_named() -> None:
    """421 where nobody has said anything, 502 where nobody answers, 503 where the topic cannot be read."""
    unsaid, dead = asked(_Router(None, {}), 2), asked(_Router("http://127.0.0.1:1", {}), 2)
    assert unsaid is not None
    assert dead is not None
    assert (unsaid[0], unsaid[1]["partition"]) == (421, 2)
    assert (dead[0], dead[1]["partition"]) == (502, 2)
    unread = asked(Router(OPTIONS, dict), 2)
    assert unread is not None
    assert unread[0] == 503


def test_a_question_is_passed_on_as_it_is() -> None:
    """With our token, marked as passed on; status and body come back unchanged."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async def run() -> Any:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            router = _Router(f"http://127.0.0.1:{port}", {})
            return await router.ask("/v1/accounts/a b/explain", {"trade": ["X=1", "Y=-2@3"]}, 2)

    assert asyncio.run(run()) == (400, b"{}")
    head = seen[0].decode()
    assert head.startswith("GET /v1/accounts/a%20b/explain?trade=X%3D1&trade=Y%3D-2@3&routed=1 ")
    assert "Authorization: Bearer a-token-of-some-length" in head
