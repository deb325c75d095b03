"""The page's server: files, addresses, and the stream, over a real socket and without a broker."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from monitor.web import page as module
from monitor.web.page import CSP, MAX_STREAMS, Page
from monitor.web.posted import BURST, MAX_BYTES
from monitor.worker import health
from monitor.worker.clients import KAFKA
from monitor.worker.health import HealthServer
from monitor.worker.options import WorkerOptions
from schemas.topics import MARGIN_CALLS
from tests.browser.stage import made_events
from tests.support import ROOT, eventually
from tests.unit.web.test_accounts import state
from tests.unit.worker.test_health import TOKEN, WELL, ask

STATIC = ROOT / "monitor" / "web" / "static"
NOW_US = 1_760_000_000_000_000


class _Away:
    """Clients of a broker that does not answer."""

    def producer(self, **_: Any) -> Any:
        raise AssertionError("the page writes nothing")

    def admin(self, **_: Any) -> Any:
        raise AssertionError("the page changes nothing")

    def consumer(self, **_: Any) -> Any:
        class Consumer:
            async def start(self) -> None:
                raise KafkaConnectionError("away")

        return Consumer()


AWAY = WorkerOptions(broker="127.0.0.1:1", partitions=4)


class Served:
    """A page at an endpoint, with a desk that a test fills."""

    def __init__(self, stack: ExitStack, token: str = "", options: WorkerOptions = AWAY) -> None:
        ready, clients = b'{"ready":true,"reasons":[]}\n', _Away() if options.broker == AWAY.broker else KAFKA
        self.page = Page(options, lambda: ready, lambda: None, clients, token=bool(token))
        self.server = HealthServer(
            lambda: WELL, lambda: b"liqmon_x 1\n", session_timeout_s=10.0, token=token, clock=lambda: 100.0
        )
        self.server.show(self.page)
        _, self.port = self.server.start()
        stack.callback(self.server.stop)

    def get(self, path: str, **more: Any) -> tuple[int, Any]:
        status, body = ask(self.port, path, **more)
        return status, json.loads(body)

    def post(self, body: object, path: str = "/api/v1/acknowledgements", **headers: str) -> tuple[int, Any]:
        """Send an answer for an alert as the page does."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, sent, {"Content-Type": "application/json", **named})
        response = connection.getresponse()
        answer = response.status, json.loads(response.read())
        connection.close()
        return answer

    def on_loop(self, work: Callable[[], Any]) -> Any:
        """Run something where the page runs."""

        async def run() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self.server._loop).result(30.0)

    def events(self, first: int, count: int) -> None:
        """Let events be read, with consecutive offsets from `first`."""
        made = list(made_events(count, NOW_US + first, f"e{first}"))

        def add() -> None:
            assert self.page._open is not None
            for number, event in enumerate(made):
                self.page._open.desk.event((MARGIN_CALLS.name, 0, first + number), event)

        self.on_loop(add)

    def stream(self, last: str = "") -> HTTPResponse:
        """Open a stream."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/api/v1/stream", headers={"Last-Event-ID": last} if last else {})
        return connection.getresponse()


def messages(response: HTTPResponse) -> Iterator[dict[str, str]]:
    """Messages of a stream, as any reader of server-sent events takes them."""
    told: dict[str, str] = {}
    for raw in response:
        line = raw.decode().rstrip("\n")
        if not line:
            yield told
            told = {}
            continue
        name, _, value = line.partition(": ")
        told[name] = value


def of_kind(response: HTTPResponse, kind: str) -> dict[str, str]:
    return next(one for one in messages(response) if one["event"] == kind)


@pytest.fixture
def served() -> Iterator[Served]:
    """A page without a token."""
    with ExitStack() as stack:
        yield Served(stack)


def test_files_are_served_with_a_strict_policy(served: Served) -> None:
    """Each file of the page and nothing else, whatever the path tries."""
    for path in ("/", *(f"/page/{file.name}" for file in STATIC.iterdir() if file.name != "index.html")):
        connection = HTTPConnection("127.0.0.1", served.port, timeout=60)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200
        assert response.getheader("Content-Security-Policy") == CSP
        assert body == (STATIC / ("index.html" if path == "/" else path.removeprefix("/page/"))).read_bytes()
    for path in (
        "/page/",
        "/page/../page.py",
        "/page/..%2fpage.py",
        "/page/index.html",
        "/page/page.css/",
        "/api/v2/pulse",
    ):
        assert ask(served.port, path)[0] == 404


def test_the_page_needs_no_exception_from_its_policy() -> None:
    """No inline script or style, nothing from elsewhere, no markup made of strings."""
    html = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=|https?://", html)
    for file in STATIC.glob("*.js"):
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|https?://", text
        )
        assert set(re.findall(r"from '([^']+)'", text)) <= {f"./{other.name}" for other in STATIC.glob("*.js")}
    assert not re.search(r"@import|url\(", (STATIC / "page.css").read_text())


def test_without_a_broker_the_page_says_so(served: Served) -> None:
    """The worker's own part is there, and what is in the way of the rest is told."""
    told = eventually(
        lambda: (found := served.get("/api/v1/pulse")[1])["shown"]["reading"] != "starting" and found
    )  # fmt: skip
    assert told["shown"]["reading"] == "the topics cannot be read (KafkaConnectionError)"
    assert told["readiness"]["ready"] is True


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("accounts?limit=x", 400, "no number"),
        ("accounts?colour=red", 400, "no option"),
        ("pulse?a=1", 400, "no option"),
        ("nothing", 404, "accounts"),
        ("accounts/nobody", 404, "partition="),
    ],
)
def test_wrong_questions_are_told(served: Served, path: str, status: int, says: str) -> None:
    """Each with a sentence."""
    found = served.get(f"/api/v1/{path}")
    assert found[0] == status
    assert says in found[1]["error"]


def test_accounts_are_answered(served: Served) -> None:
    """From what is known, with names that need quoting."""
    served.get("/api/v1/pulse")
    served.on_loop(lambda: served.page._open.desk.accounts.state(state("a b"), 1))  # type: ignore[union-attr]
    assert served.get("/api/v1/accounts?q=A%20B")[1]["matching"] == 1
    found = served.get("/api/v1/accounts/a%20b")[1]
    assert (found["account"]["account"], found["here"], found["history"][0][1]) == ("a b", False, 100.0)


def test_another_site_may_not_ask(served: Served) -> None:
    """A page of another site has the browser say so; the answer is a refusal."""
    for path in ("/api/v1/pulse", "/api/v1/stream"):
        connection = HTTPConnection("127.0.0.1", served.port, timeout=60)
        connection.request("GET", path, headers={"Sec-Fetch-Site": "cross-site"})
        assert connection.getresponse().status == 403


ANSWER = {"id": "9f2c41d07a559f2c41d07a559f2c41d0", "by": "Ada"}


def test_an_answer_is_taken_from_this_page_alone(served: Served) -> None:
    """What another site, a form or a too long body would do is refused with a code, and nothing else takes a POST."""
    for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        found = served.post(ANSWER, **headers)
        assert (found[0], found[1]["code"]) == (403, "cross_site")
    assert served.post(ANSWER, Content_Type="text/plain")[1]["code"] == "not_json"
    assert served.post(b"x" * (MAX_BYTES + 1))[1]["code"] == "too_large"
    assert served.post({"id": "1"})[1]["code"] == "wrong_body"
    assert served.post(ANSWER, "/api/v1/acknowledgements?a=1")[0] == 400
    for path in ("/", "/api/v1/pulse", "/api/v1/accounts/a", "/api/v1/stream", "/v1/accounts/a/plan", "/metrics"):
        assert served.post(ANSWER, path)[0] == 405
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
        assert ask(served.port, "/api/v1/acknowledgements", method)[0] == 405
    assert ask(served.port, "/api/v1/acknowledgements", "POST", "evil.example")[0] == 421


def test_a_long_body_of_no_stated_length_is_not_read(served: Served) -> None:
    """One in pieces, which has no length beforehand, ends where the bound is."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as raw:
        raw.sendall(
            b"POST /api/v1/acknowledgements HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1_024 + b"\r\n"
        )
        for _ in range(6):
            raw.sendall(b"400\r\n" + b"x" * 1_024 + b"\r\n")
        assert raw.recv(65_536).startswith(b"HTTP/1.1 413 ")


def test_without_a_broker_an_answer_is_not_noted(served: Served) -> None:
    """It says so, to be tried again; nobody believes that it was noted."""
    served.get("/api/v1/pulse")
    status, told = served.post(ANSWER)
    assert (status, told["code"]) == (503, "not_ready")
    eventually(lambda: "cannot be read" in served.get("/api/v1/acknowledgements")[1]["reading"])
    found = served.get("/api/v1/acknowledgements")[1]
    assert (found["acks"], found["alerts"], found["writable"]) == ([], [], True)


def test_a_page_that_is_read_only_says_why() -> None:
    """By the setting: the reason is told to who looks and to who answers."""
    with ExitStack() as stack:
        served = Served(stack, options=replace(AWAY, page_acknowledgements="off"))
        assert served.post(ANSWER) == (
            403, {"error": "this page does not write: page_acknowledgements is off", "code": "read_only"}
        )  # fmt: skip
        found = served.get("/api/v1/acknowledgements")[1]
        assert (found["writable"], found["why"]) == (False, "page_acknowledgements is off")


def test_answers_are_counted_before_they_are_read(served: Served) -> None:
    """So many at once, wrong ones included; refusals of other sites take nothing from them."""
    for _ in range(BURST):
        served.post(ANSWER, Origin="https://evil.example")
    assert [served.post(b"{") for _ in range(BURST)][-1][0] == 400
    found = {served.post(b"{")[0] for _ in range(BURST)}
    assert 429 in found


def test_an_answer_needs_the_token() -> None:
    """Where the endpoint has one."""
    with ExitStack() as stack:
        served = Served(stack, TOKEN)
        assert served.post(ANSWER)[0] == 401
        assert served.post(b"{", Authorization=f"Bearer {TOKEN}")[1]["code"] == "wrong_body"


def test_a_token_guards_all_but_the_empty_page() -> None:
    """Files tell nothing and need none; every address that tells something does."""
    with ExitStack() as stack:
        served = Served(stack, TOKEN)
        for path in ("/", "/page/app.js", "/page/page.css"):
            assert ask(served.port, path)[0] == 200
            assert ask(served.port, path, "POST")[0] == 405
        for path in ("/api/v1/pulse", "/api/v1/stream", "/api/v1/accounts", "/readyz", "/page/nothing.js"):
            assert ask(served.port, path)[0] == 401
        assert served.get("/api/v1/pulse", authorization=f"Bearer {TOKEN}")[0] == 200


def test_a_stream_goes_on_where_it_broke(served: Served) -> None:
    """With the last id everything that followed comes, once and in order; without one what comes from now on."""
    served.get("/api/v1/pulse")
    served.events(0, 5)
    first = served.stream()
    assert of_kind(first, "pulse")
    served.events(5, 3)
    told = of_kind(first, "events")
    assert [row["event_time_us"] - NOW_US for row in json.loads(told["data"])] == [5, 6, 7]
    first.close()
    served.events(8, 600)
    again = served.stream(told["id"])
    seen: list[int] = []
    for one in messages(again):
        assert one["event"] != "reload"
        if one["event"] == "events":
            seen += [row["event_time_us"] - NOW_US for row in json.loads(one["data"])]
        if len(seen) >= 600:
            break
    assert seen == list(range(8, 608))
    again.close()


@pytest.mark.parametrize("last", ["nonsense", "00000000.c.0.3", "{}.c.0.999", "{}.l.0.3"])
def test_an_id_that_is_not_known_reloads(served: Served, last: str) -> None:
    """Another worker's, one that is forgotten, or rubbish: the page is told to load its figures anew."""
    instance = served.get("/api/v1/pulse")[1]["instance"]
    served.events(0, 5)
    response = served.stream(last.format(instance))
    assert next(messages(response))["event"] == "reload"
    response.close()


def test_who_reads_slowly_is_dropped_to_a_snapshot(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not take what comes holds nothing back; when it reads again it is told to reload, counted."""
    monkeypatch.setattr(module, "MAX_LAG", 300)
    served.get("/api/v1/pulse")
    raw = socket.create_connection(("127.0.0.1", served.port))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    eventually(lambda: served.page.streams == 1)
    for part in range(60):
        served.events(part * 250, 250)
        assert served.get("/api/v1/events?limit=1")[1]["events"][0]["event_time_us"] == NOW_US + part * 250 + 249
    raw.settimeout(60)
    data = b""
    while b"event: reload" not in data:
        data = data[-100:] + raw.recv(65_536)
    raw.close()
    assert served.page.dropped >= 1


def test_streams_are_counted_and_outlive_other_connections(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many and no more; each stays open beyond the bound of a question, and makes room when it ends."""
    monkeypatch.setattr(health, "CONNECTION_S", 1.0)
    streams = [served.stream() for _ in range(MAX_STREAMS)]
    refused = served.stream()
    assert refused.status == 503
    assert "streams are open" in json.loads(refused.read())["error"]
    for response in streams:
        found = messages(response)
        assert [next(found)["event"] for _ in range(3)] == ["pulse"] * 3  # two seconds
    assert served.get("/api/v1/pulse")[1]["streams"] == MAX_STREAMS
    for response in streams:
        response.close()
    eventually(lambda: served.page.streams == 0)
    assert served.stream().status == 200


def test_when_nobody_looks_nothing_is_read(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some time after the last question all is dropped, and the next one begins anew under another name."""
    monkeypatch.setattr(module, "LINGER_S", 0.5)
    before = served.get("/api/v1/pulse")[1]["instance"]
    eventually(lambda: served.page._open is None)
    assert served.get("/api/v1/pulse")[1]["instance"] != before
