"""`/livez`, `/readyz`, `/metrics`, questions about accounts and the desk page of one worker, in a thread of their own.

A thread, because the loop that owns the engine is exactly what a supervisor asks about: one that is busy for a second,
or stuck for good, must not take its own alarm down. The thread reads one immutable set of figures, which the loop puts
there twice a second, and judges by their age whether the loop still turns.

What it says is for machines on this host. So it listens on loopback unless it was told otherwise, and then only with a
token; it answers GET alone, but for people's answers on the page (`monitor.web.posted`), to a bounded number of
short-lived connections (and a few streams), and on loopback only to a Host that names loopback, because a page in a
browser can have its own name resolve to this address.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from monitor.config import HEALTH_TOKEN_VARIABLE
from monitor.errors import MonitorError, UsageError
from monitor.web.page import Page
from monitor.worker.metrics import CONTENT_TYPE, Figures
from monitor.worker.questions import PREFIX, Questions
from monitor.worker.watchdogs import worst
from monitor.worker.whole_book import PREFIX as BOOK
from monitor.worker.whole_book import WholeBook

MAX_CONNECTIONS: Final = 16  # a Prometheus, a supervisor, a person; the rest is refused
CONNECTION_S: Final = 10.0  # then a connection is closed, whatever it is doing: idle ones do not stay
LOOK_S: Final = 0.5  # how often the loop looks at itself
MIN_TOKEN: Final = 16

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Server": "liqmon"}
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class HealthAddress(MonitorError):
    """The endpoint's address cannot be used."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: int
    body: bytes
    content_type: str = "application/json"


def livez(figures: Figures | None, now_s: float, session_timeout_s: float) -> Answer:
    """Answer whether the process is worth keeping: its loop turns, or it has not begun to."""
    age_s = 0.0 if figures is None else now_s - figures.at_s
    live = age_s <= session_timeout_s
    return _json(live, {"live": live, "loop_age_s": round(age_s, 1)})


def readyz(figures: Figures | None, now_s: float, session_timeout_s: float) -> Answer:
    """Answer whether the worker does its work; if not, why.

    A worker without a partition is ready, and says that it is idle: there is nothing that it fails to do, and a
    roll-out of more workers than partitions has to be able to end.
    """
    if figures is None:
        return _json(False, {"ready": False, "reasons": [{"name": "starting", "reason": "not connected yet"}]})
    reasons = [{"name": one.name, "reason": one.reason} for one in worst(figures.verdicts)]
    age_s = now_s - figures.at_s
    if age_s * 2.0 > session_timeout_s and all(one["name"] != "paused" for one in reasons):
        reasons.insert(0, {"name": "paused", "reason": f"the worker's loop has not turned for {age_s:.1f} s"})
    if not figures.ready and figures.recovery is not None:
        reasons.append({"name": figures.recovery.stage, "reason": figures.recovery.text})
    elif not figures.ready:
        what = "accounts are not evaluated yet" if figures.settled else "the group is rebalancing"
        reasons.append({"name": "catching_up" if figures.settled else "rebalancing", "reason": what})
    ready = not reasons
    body = {"ready": ready, "idle": figures.ready and not figures.partitions, "partitions": figures.partitions}
    return _json(ready, {**body, "reasons": reasons})


def _json(well: bool, body: dict[str, object]) -> Answer:
    return Answer(200 if well else 503, orjson.dumps(body) + b"\n")


def is_loopback(host: str) -> bool:
    """Whether an address to bind to is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_token(file: Path | None, environ: Mapping[str, str]) -> str:
    """Return the token of the environment or the file's first line, empty without either; raises UsageError."""
    said = environ.get(HEALTH_TOKEN_VARIABLE, "")
    if file is None:
        return said
    if said:
        raise UsageError(f"the token is in {HEALTH_TOKEN_VARIABLE} and in health_token_file", "unset one")
    try:
        with file.open(encoding="utf-8") as lines:
            token = lines.readline().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"health_token_file {file} cannot be read", "check its name and rights") from error
    if not token:
        raise UsageError(f"health_token_file {file} is empty", "write a token into its first line")
    return token


def check_address(host: str, token: str) -> None:
    """Refuse an address that others reach without a token, and a token that can be guessed; raises UsageError."""
    if token and len(token) < MIN_TOKEN:
        raise UsageError(f"the health token has fewer than {MIN_TOKEN} characters", "make a longer one")
    if not token and not is_loopback(host):
        raise UsageError(
            f"health_host {host} is not loopback, and there is no token",
            f"set {HEALTH_TOKEN_VARIABLE} or health_token_file, or leave health_host at 127.0.0.1",
        )


@dataclass(frozen=True, slots=True)
class Guard:
    """Who may ask: `token` empty means nobody needs one."""

    token: str = ""

    def refusal(
        self, method: str, host: str, authorization: str, *, public: bool = False, takes: bool = False
    ) -> Answer | None:
        """Return the refusal of a request, None if it may pass; what is `public` needs no token.

        `takes` is whether something may be sent there; who may send it is for the page to say.
        """
        if method != "GET" and not (takes and method == "POST"):
            return Answer(405, b'{"error":"GET only"}\n')
        if self.token and public:
            return None
        if self.token:
            # Compared as bytes: a header may hold what is not ASCII.
            given = authorization.encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(given, f"Bearer {self.token}".encode()):
                return Answer(401, b'{"error":"a bearer token is needed"}\n')
            return None  # whoever has it is no page in a browser
        if _name_of(host) not in _LOOPBACK_NAMES:
            return Answer(421, b'{"error":"the Host header does not name loopback"}\n')
        return None


def _name_of(host: str) -> str:
    """Return a Host header without its port."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()


class HealthServer:
    """Serves one worker; `figures` and `metrics` are called in its thread and must not block."""

    def __init__(
        self, figures: Callable[[], Figures | None], metrics: Callable[[], bytes], *, session_timeout_s: float,
        host: str = "127.0.0.1", port: int = 0, token: str = "", clock: Callable[[], float] = time.monotonic,
        questions: Questions | None = None,
    ) -> None:  # fmt: skip
        check_address(host, token)
        self._figures = figures
        self._metrics = metrics
        self._session_timeout_s = session_timeout_s
        self._host, self._port = host, port
        self._guard = Guard(token)
        self._clock = clock
        self._questions = questions
        self._book: WholeBook | None = None
        self._page: Page | None = None
        self._timers: dict[object, asyncio.TimerHandle] = {}
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._end = asyncio.Event()

    def ask(self, book: WholeBook) -> None:
        """Answer questions about the whole book as well; before `start`."""
        self._book = book

    def show(self, page: Page) -> None:
        """Serve a page as well; before `start`."""
        self._page = page

    def start(self) -> tuple[str, int]:
        """Listen; return host and port. Raises HealthAddress if the address is taken or not ours."""
        try:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            listening = socket.create_server((self._host, self._port), family=family, backlog=MAX_CONNECTIONS)
        except OSError as error:
            self._loop.close()
            raise HealthAddress(
                f"the health endpoint cannot listen on {self._host}:{self._port} ({error.strerror})",
                "choose another health_port, or 0 for any free one",
            ) from error
        host, port = listening.getsockname()[:2]
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(listening, started), name="liqmon-health", daemon=True)
        self._thread.start()
        started.result()
        return str(host), int(port)

    def stop(self) -> None:
        """Close all connections and end the thread."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()

    def _run(self, listening: socket.socket, started: Future[None]) -> None:
        try:
            self._loop.run_until_complete(self._serve(listening, started))
        except Exception as error:
            if started.done():
                raise
            started.set_exception(error)
        finally:
            self._loop.close()

    async def _serve(self, listening: socket.socket, started: Future[None]) -> None:
        quiet = logging.getLogger("monitor.worker.health.http")
        quiet.setLevel(logging.CRITICAL)  # what strangers send is no event of ours
        server = web.Server(self._answer, access_log=None, logger=quiet)
        listener = await self._loop.create_server(lambda: self._connection(server), sock=listening)
        started.set_result(None)
        await self._end.wait()
        listener.close()
        if self._page is not None:
            await self._page.stop()  # its streams end with it
        await server.shutdown(timeout=0.5)
        if self._questions is not None:
            await self._questions.stop()

    def _connection(self, server: web.Server) -> asyncio.Protocol:
        streams = 0 if self._page is None else self._page.streams
        if len(server.connections) - streams >= MAX_CONNECTIONS:
            return _Refused()
        handler = server()
        # Not by keep-alive's timer: a peer that never sends its first request is not subject to it.
        self._timers[handler] = self._loop.call_later(CONNECTION_S, self._close, handler)
        return handler

    def _close(self, handler: web.RequestHandler) -> None:
        self._timers.pop(handler, None)
        if handler.transport is not None:
            handler.transport.abort()

    def _keep_open(self, handler: object) -> None:
        """Let a connection stay: it is a stream, and those are counted by themselves."""
        timer = self._timers.pop(handler, None)
        if timer is not None:
            timer.cancel()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        headers, page = request.headers, self._page
        answer = self._guard.refusal(
            request.method, headers.get("Host", ""), headers.get("Authorization", ""),
            public=page is not None and page.is_public(request.path),
            takes=page is not None and page.takes(request.path),
        )  # fmt: skip
        if answer is None and page is not None and page.has(request.path):
            return await page.respond(request, lambda: self._keep_open(request.protocol))
        if answer is None and self._questions is not None and request.path.startswith(PREFIX):
            query = {name: request.query.getall(name) for name in request.query}
            answer = Answer(*await self._questions.answer(request.path, query))
        if answer is None and self._book is not None and request.path.startswith(BOOK):
            query = {name: request.query.getall(name) for name in request.query}
            answer = Answer(*await self._book.answer(request.path, query))
        answer = answer or self._route(request.path)
        response = web.Response(status=answer.status, body=answer.body, headers=_HEADERS)
        response.headers["Content-Type"] = answer.content_type
        response.force_close()
        return response

    def _route(self, path: str) -> Answer:
        if path == "/livez":
            return livez(self._figures(), self._clock(), self._session_timeout_s)
        if path == "/readyz":
            return readyz(self._figures(), self._clock(), self._session_timeout_s)
        if path == "/metrics":
            return Answer(200, self._metrics(), CONTENT_TYPE)
        return Answer(
            404, b'{"error":"/livez, /readyz, /metrics, /v1/accounts/ACCOUNT/QUESTION or /v1/book/QUESTION"}\n'
        )


class _Refused(asyncio.Protocol):
    """Closes a connection beyond the bound at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hang up."""
        assert isinstance(transport, asyncio.Transport)
        transport.abort()
