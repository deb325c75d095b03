"""The page at a worker's endpoint: its files, `/api/v1/...` and the stream of events.

Everything here runs in the endpoint's thread. The worker's loop is asked for nothing: it leaves looks and samples where
they can be taken (`monitor.web.sampler`), and only while somebody asks. Then the published topics are read as well, and
when nobody has asked for ten minutes all of it is dropped.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

import msgspec
import structlog
from aiohttp import web

from monitor.errors import UsageError
from monitor.web import posted, views
from monitor.web.answers import Answers, read_only
from monitor.web.desk import Desk
from monitor.web.posted import Refused
from monitor.web.reader import Reader
from monitor.web.ring import MAX_LAG
from monitor.web.rows import VERSION, Acknowledged, AckRow
from monitor.web.sampler import Sampler
from monitor.worker.clients import KAFKA, Clients
from monitor.worker.options import WorkerOptions

API: Final = "/api/v1/"
ANSWERS: Final = "acknowledgements"
FILES: Final = "/page/"
MAX_STREAMS: Final = 8
LINGER_S: Final = 600.0  # after the last question; an open page asks twice a second
TEND_S: Final = 0.25
KEEP_S: Final = 2.0  # between two points over time
PULSE_S: Final = 1.0
GATHER_S: Final = 0.1  # events of such a time go out together
BATCH: Final = 250
WRITE_S: Final = 20.0  # a client that takes nothing for so long is hung up on
WATCH_S: Final = 15.0  # an account whose page was asked for is sampled first for so long
HIGHEST: Final = 25

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP, "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store", "Server": "liqmon",
}  # fmt: skip
_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

log = structlog.get_logger("monitor.worker")
_write = msgspec.json.Encoder().encode
Release = Callable[[], None]


@dataclass(slots=True)
class _Open:
    """What is there while somebody looks."""

    desk: Desk
    reader: Reader
    answers: Answers
    tasks: list[asyncio.Task[None]]
    instance: str


class Page:
    """Serves one worker's page; `readiness` gives the body of `/readyz`, `loop_at_s` when its loop was seen to turn.

    `token` tells whether the endpoint asks for one.
    """

    def __init__(
        self, options: WorkerOptions, readiness: Callable[[], bytes], loop_at_s: Callable[[], float | None],
        clients: Clients = KAFKA, *, token: bool = False,
    ) -> None:  # fmt: skip
        self._options = options
        self._why_not = read_only(options.page_acknowledgements, token=token, address=options.broker)
        self._bucket = posted.Bucket()
        self._readiness = readiness
        self._loop_at_s = loop_at_s
        self._clients = clients
        self._sampler: Sampler | None = None
        self._open: _Open | None = None
        self._asked_s = float("-inf")
        self._kept_s = 0.0
        self._watched: dict[str, float] = {}
        self._beaten = (float("-inf"), b"")
        self._files = _load()
        self.streams = 0
        self.dropped = 0

    def attach(self, sampler: Sampler) -> None:
        """Take looks at the worker from a sampler from now on."""
        self._sampler = sampler

    def is_public(self, path: str) -> bool:
        """Whether a path is a file of the page: it tells nothing of any account, and asks for the token itself."""
        return path in self._files

    def has(self, path: str) -> bool:
        """Whether a path is answered here."""
        return path in self._files or path.startswith(API)

    def takes(self, path: str) -> bool:
        """Whether something may be written to a path."""
        return path == API + ANSWERS

    async def respond(self, request: web.BaseRequest, release: Release) -> web.StreamResponse:
        """Answer a request; `release` is called for a stream, which stays open."""
        if request.path in self._files:
            body, content_type = self._files[request.path]
            return _response(200, body, f"{content_type}; charset=utf-8")
        if request.method == "POST":
            return await self._post(request)
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            return _error(403, "another site may not ask")
        query = {name: request.query.getall(name) for name in request.query}
        path = request.path.removeprefix(API)
        try:
            if path == "stream":
                views.no_query(query)
                return await self._stream(request, release)
            return self._answer(path, query)
        except UsageError as error:
            return _error(400, str(error))

    async def stop(self) -> None:
        """End what runs for the page."""
        opened, self._open = self._open, None
        if opened is not None:
            for task in opened.tasks:
                task.cancel()
            await asyncio.gather(*opened.tasks, return_exceptions=True)

    # --- answers --------------------------------------------------------------------------------

    def _answer(self, path: str, query: Mapping[str, list[str]]) -> web.Response:
        opened = self._ask()
        desk, seen = opened.desk, None if self._sampler is None else self._sampler.seen
        if path == "accounts":
            return _json(views.accounts(desk, seen, views.query_of(query)))
        if path == "events":
            kinds, text, limit = views.events_query(query)
            return _json(views.events(desk, opened.instance, kinds=kinds, text=text, limit=limit))
        views.no_query(query)
        if path.startswith("accounts/"):
            return self._account(desk, path.removeprefix("accounts/"))
        answers: dict[str, Callable[[], object]] = {
            "pulse": lambda: self._pulse(opened), "history": lambda: views.history(desk),
            "market": lambda: views.market(seen), "correlation": lambda: views.correlation(desk, seen),
            ANSWERS: opened.answers.page,
        }  # fmt: skip
        if path not in answers:
            known = ", ".join(["accounts", "accounts/ACCOUNT", "events", *answers, "stream"])
            return _error(404, f"{API} and one of {known}")
        return _json(answers[path]())

    def _account(self, desk: Desk, name: str) -> web.Response:
        partition = self._options.partition_of(name.encode())
        found = views.account(desk, None if self._sampler is None else self._sampler.seen, name, partition)
        if found is None:
            return _error(404, f"no state of an account {name!r} has been published; it belongs to {partition=}")
        self._watched[name] = time.monotonic() + WATCH_S
        return _json(found)

    def _pulse(self, opened: _Open) -> object:
        reader = opened.reader
        around = views.Around(
            now_s=time.monotonic(), now_us=time.time_ns() // 1000, instance=opened.instance,
            partitions=self._options.partitions, reading=reader.reading, behind=reader.behind,
            unreadable=reader.unreadable, readiness=self._readiness(), loop_at_s=self._loop_at_s(),
            streams=self.streams, dropped=self.dropped, answers=opened.answers.version,
        )  # fmt: skip
        return views.pulse(opened.desk, None if self._sampler is None else self._sampler.seen, around)

    # --- answers of people ----------------------------------------------------------------------

    async def _post(self, request: web.BaseRequest) -> web.Response:
        """Take an answer for an alert."""
        try:
            posted.check_origin(request.headers)
            self._bucket.take(time.monotonic())
            posted.check_type(request.headers)
            views.no_query({name: request.query.getall(name) for name in request.query})
            told = posted.read(await _body(request))
            opened = self._ask()
            known = opened.desk.ring.has(told.id) or (False if opened.reader.reading == "live" else None)
            ack, new = await opened.answers.acknowledge(told, known=known)
        except UsageError as error:
            return _error(400, str(error), "wrong_query")
        except Refused as refused:
            log.info("alert_not_acknowledged", status=refused.status, code=refused.code)
            return _error(refused.status, str(refused), refused.code)
        if new:
            log.info("alert_acknowledged", id=ack.id, by=ack.by, text=ack.text)
        row = AckRow(id=ack.id, by=ack.by, at_us=ack.at_us, text=ack.text)
        return _response(201 if new else 200, _write(Acknowledged(v=VERSION, ack=row)), "application/json")

    # --- while somebody looks -------------------------------------------------------------------

    def _ask(self) -> _Open:
        """Note that somebody looks, and begin to read if nobody did."""
        self._asked_s = time.monotonic()
        if self._sampler is not None:
            self._sampler.wanted_until_s = self._asked_s + LINGER_S
        if self._open is None:
            desk = Desk()
            reader = Reader(self._options, desk, self._clients)
            answers = Answers(self._options.broker, self._options.prefix, self._why_not)
            opened = self._open = _Open(desk, reader, answers, [], secrets.token_hex(4))
            self._beaten = (float("-inf"), b"")
            opened.tasks += [
                asyncio.create_task(_told(work)) for work in (self._tend(opened), reader.run(), answers.run())
            ]
        return self._open

    async def _tend(self, opened: _Open) -> None:
        """Take samples, keep figures over time, and end when nobody looks any more."""
        partitions: tuple[int, ...] = ()
        while self.streams or time.monotonic() - self._asked_s < LINGER_S:
            await asyncio.sleep(TEND_S)
            sampler, now_s = self._sampler, time.monotonic()
            if sampler is None:
                continue
            sampler.wanted_until_s = max(self._asked_s, now_s if self.streams else 0.0) + LINGER_S
            if sampler.seen is not None and sampler.seen.partitions != partitions:
                partitions = sampler.seen.partitions
                opened.desk.accounts.disown()
            while sampler.samples:
                opened.desk.sample(sampler.samples.popleft())
            if now_s - self._kept_s >= KEEP_S:
                self._kept_s = now_s
                whole = sampler.rounds > 0 and opened.reader.reading == "live"
                opened.desk.keep(0 if sampler.seen is None else sampler.seen.market.time_us, whole=whole)
                sampler.highest = tuple(opened.desk.accounts.highest(HIGHEST))
            self._watched = {name: until_s for name, until_s in self._watched.items() if until_s > now_s}
            sampler.watched = tuple(self._watched)[-8:]
        self._open = None
        for task in opened.tasks[1:]:
            task.cancel()

    # --- the stream -----------------------------------------------------------------------------

    async def _stream(self, request: web.BaseRequest, release: Release) -> web.StreamResponse:
        if self.streams >= MAX_STREAMS:
            return _error(503, f"{MAX_STREAMS} streams are open; close a page")
        opened = self._ask()
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream; charset=utf-8"})
        response.force_close()
        release()
        self.streams += 1
        try:
            await response.prepare(request)
            await self._send(response, opened, request.headers.get("Last-Event-ID", ""))
        except (ConnectionError, TimeoutError):
            pass
        finally:
            self.streams -= 1
            self._asked_s = time.monotonic()
        return response

    async def _send(self, response: web.StreamResponse, opened: _Open, last: str) -> None:
        ring, pulsed_s = opened.desk.ring, 0.0
        number, gap = self._begin(opened, last)
        if gap:
            await _put(response, b"event: reload\ndata: {}\n\n")
        while self._open is opened:
            if ring.end - number > MAX_LAG or number < ring.begin:
                # Too far behind: its figures come in one piece instead.
                self.dropped += 1
                number = ring.end
                await _put(response, b"event: reload\ndata: {}\n\n")
            found = ring.after(number, BATCH)
            if found:
                number += len(found)
                identity = views.event_id(opened.instance, found[-1][0])
                rows = _write([row for _, row in found])
                await _put(response, b"event: events\nid: %s\ndata: %s\n\n" % (identity.encode(), rows))
            if time.monotonic() - pulsed_s >= PULSE_S:
                pulsed_s = time.monotonic()
                await _put(response, b"event: pulse\ndata: %s\n\n" % self._beat(opened))
            if number == ring.end:
                await asyncio.sleep(GATHER_S)

    def _beat(self, opened: _Open) -> bytes:
        """Return a pulse for a stream: made once for all of them, because sums over 100,000 accounts take 10 ms."""
        now_s = time.monotonic()
        if now_s - self._beaten[0] >= PULSE_S / 2.0:
            self._beaten = (now_s, _write(self._pulse(opened)))
        return self._beaten[1]

    def _begin(self, opened: _Open, last: str) -> tuple[int, bool]:
        """Return where a stream begins, and whether what came before that was missed."""
        ring = opened.desk.ring
        if not last:
            return ring.end, False
        place = views.place_of(last, opened.instance)
        number = None if place is None else ring.number(place)
        return (ring.end, True) if number is None else (number + 1, False)


async def _put(response: web.StreamResponse, data: bytes) -> None:
    """Write and wait until the client has taken enough of it; raises TimeoutError."""
    async with asyncio.timeout(WRITE_S):
        await response.write(data)


async def _told(work: Awaitable[None]) -> None:
    """Have a defect of the page in the log; the worker goes on without it."""
    try:
        await work
    except Exception:
        log.exception("page_failed")


def _response(status: int, body: bytes, content_type: str) -> web.Response:
    response = web.Response(status=status, body=body, headers=HEADERS)
    response.headers["Content-Type"] = content_type
    response.force_close()
    return response


def _json(told: object) -> web.Response:
    return _response(200, _write(told), "application/json")


def _error(status: int, text: str, code: str = "") -> web.Response:
    return _response(status, _write({"error": text, "code": code} if code else {"error": text}), "application/json")


async def _body(request: web.BaseRequest) -> bytes:
    """Return a short body; raises Refused for a long one, without reading it."""
    body = b""
    async for part in request.content.iter_chunked(posted.MAX_BYTES):
        body += part
        if len(body) > posted.MAX_BYTES:
            raise posted.too_large()
    return body


def _load() -> dict[str, tuple[bytes, str]]:
    """Return the page's files by path: nothing else can be asked for."""
    found: dict[str, tuple[bytes, str]] = {}
    for file in files("monitor.web").joinpath("static").iterdir():
        suffix = f".{file.name.rpartition('.')[2]}"
        if suffix in _TYPES:
            found[FILES + file.name] = (file.read_bytes(), _TYPES[suffix])
    found["/"] = found.pop(f"{FILES}index.html")
    return found
