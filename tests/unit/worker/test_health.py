"""The health endpoint: what it says, and to whom."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest

from monitor.errors import UsageError
from monitor.worker import health
from monitor.worker.disk import disk_trouble
from monitor.worker.health import MAX_CONNECTIONS, HealthAddress, HealthServer, check_address, livez, read_token, readyz
from monitor.worker.metrics import Figures
from monitor.worker.watchdogs import Level, Verdict
from tests.support import eventually

TOKEN = "correct-horse-battery"
WELL = Figures(at_s=100.0, ready=True, partitions=4, settled=True)
Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that are gone when the test is; returns the port."""
    with ExitStack() as stack:

        def start(figures: Figures | None = WELL, token: str = "") -> int:
            server = HealthServer(
                lambda: figures, lambda: b"liqmon_x 1\n", session_timeout_s=10.0, token=token, clock=lambda: 100.0
            )
            _, port = server.start()
            stack.callback(server.stop)
            return port

        yield start


def ask(
    port: int, path: str, method: str = "GET", host: str | None = None, authorization: str | None = None
) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Host": host or f"127.0.0.1:{port}"}
    if authorization is not None:
        headers["Authorization"] = authorization
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def test_three_paths_answer(serve: Serve) -> None:
    """Life, readiness and metrics are there, and nothing else is."""
    port = serve()
    assert ask(port, "/livez")[0] == 200
    assert ask(port, "/readyz")[0] == 200
    assert ask(port, "/metrics") == (200, b"liqmon_x 1\n")
    for path in ("/", "/table", "/metrics/x", "/../etc/passwd", "/readyz%00"):
        assert ask(port, path)[0] == 404


def test_a_raised_watchdog_is_a_reason_not_to_be_ready(serve: Serve) -> None:
    """Readiness is refused with the name and reason of each watchdog that is raised; life is not."""
    dogs = (Verdict("disk", Level.RAISED, "full"), Verdict("paused"))
    port = serve(Figures(at_s=100.0, ready=True, partitions=4, settled=True, verdicts=dogs))
    status, body = ask(port, "/readyz")
    assert status == 503
    assert json.loads(body)["reasons"] == [{"name": "disk", "reason": "full"}]
    assert ask(port, "/livez")[0] == 200


def reasons(figures: Figures | None, now_s: float) -> list[str]:
    answer = readyz(figures, now_s, 10.0)
    names = [one["name"] for one in json.loads(answer.body)["reasons"]]
    assert (answer.status == 503) == bool(names)
    return names


def test_an_old_look_tells_of_a_loop_that_does_not_turn() -> None:
    """Beyond half a session the worker is not ready, beyond a whole one not alive; before its first look it is."""
    assert reasons(WELL, 105.0) == []
    assert reasons(WELL, 105.1) == ["paused"]
    assert livez(WELL, 110.0, 10.0).status == 200
    assert livez(WELL, 110.1, 10.0).status == 503
    assert reasons(None, 1e9) == ["starting"]
    assert livez(None, 1e9, 10.0).status == 200


def test_catching_up_and_rebalancing_are_not_ready_and_idling_is() -> None:
    """A worker without partitions fails nobody: it is ready, and says that it is idle."""
    assert reasons(Figures(at_s=100.0, settled=True), 100.0) == ["catching_up"]
    assert reasons(Figures(at_s=100.0), 100.0) == ["rebalancing"]
    answer = readyz(Figures(at_s=100.0, ready=True, settled=True), 100.0, 10.0)
    assert (answer.status, json.loads(answer.body)["idle"]) == (200, True)
    assert json.loads(readyz(WELL, 100.0, 10.0).body)["idle"] is False


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"])
def test_only_get_is_answered(serve: Serve, method: str) -> None:
    """Nothing here can be changed, so nothing but reading is understood."""
    assert ask(serve(), "/metrics", method)[0] == 405


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::1", "localhost.x"]
)
def test_a_foreign_host_header_is_refused(serve: Serve, host: str) -> None:
    """A page whose name was made to resolve to this machine is told nothing."""
    port = serve()
    assert ask(port, "/metrics", host=host or "-")[0] == 421
    for own in ("localhost", f"LOCALHOST:{port}", "127.0.0.1", f"[::1]:{port}"):
        assert ask(port, "/metrics", host=own)[0] == 200


def test_a_token_is_needed_where_there_is_one(serve: Serve) -> None:
    """With a token every path asks for it, whole; then any Host will do."""
    port = serve(token=TOKEN)
    for path in ("/livez", "/readyz", "/metrics"):
        assert ask(port, path)[0] == 401
        for wrong in ("", TOKEN, f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"bearer {TOKEN}", "Bearer \xff"):
            assert ask(port, path, authorization=wrong)[0] == 401
        assert ask(port, path, authorization=f"Bearer {TOKEN}", host="pod.example:9")[0] == 200


def test_other_addresses_than_loopback_need_a_token() -> None:
    """Listening for others without a token, or with one that can be guessed, is refused before anything starts."""
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        check_address(host, "")
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", "127.0.0.1.example.org"):
        check_address(host, TOKEN)
        with pytest.raises(UsageError):
            check_address(host, "")
        with pytest.raises(UsageError):
            check_address(host, "short")


def test_a_token_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    """One place has it; two, an empty or a missing file are refused, without a word of what is in them."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\nanything else\n")
    assert read_token(file, {}) == TOKEN
    assert read_token(None, {"LIQMON_HEALTH_TOKEN": TOKEN}) == TOKEN
    assert read_token(None, {}) == ""
    with pytest.raises(UsageError) as caught:
        read_token(file, {"LIQMON_HEALTH_TOKEN": "another-one-entirely"})
    assert "another" not in str(caught.value)
    (tmp_path / "empty").write_text("\n")
    for name in ("empty", "absent"):
        with pytest.raises(UsageError):
            read_token(tmp_path / name, {})


def test_a_taken_port_is_told(serve: Serve) -> None:
    """A second server on the same port is refused with what to do."""
    port = serve()
    with pytest.raises(HealthAddress):
        HealthServer(lambda: None, lambda: b"", session_timeout_s=10.0, port=port).start()


def test_idle_connections_are_bounded_and_do_not_stay(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """More connections than the bound are hung up on; those that say nothing are closed, and then others are served."""
    monkeypatch.setattr(health, "CONNECTION_S", 1.0)
    port = serve()
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(MAX_CONNECTIONS)]
        extra = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        extra.settimeout(60)
        assert closed(extra)
        for one in idle:
            one.settimeout(60)
            assert closed(one)

    def answers() -> bool:
        try:
            return ask(port, "/livez")[0] == 200
        except OSError:
            return False

    assert eventually(answers)


def closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "sent", [b"\x00\xff\x16\x03\x01", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"x" * 100_000, b"\r\n" * 50]
)
def test_rubbish_does_not_end_it(serve: Serve, sent: bytes) -> None:
    """Whatever somebody sends, the next one is answered."""
    port = serve()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(60)
        closed(connection)
    assert ask(port, "/livez")[0] == 200


def test_it_answers_while_the_interpreter_is_busy(serve: Serve) -> None:
    """A main thread that computes without a pause does not keep the endpoint from answering."""
    port = serve()
    answered: list[int] = []
    import threading  # noqa: PLC0415 (this test alone)

    asking = threading.Thread(target=lambda: answered.append(ask(port, "/livez")[0]))
    asking.start()
    deadline_s = time.monotonic() + 60.0
    while not answered and time.monotonic() < deadline_s:
        sum(range(100_000))
    asking.join()
    assert answered == [200]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A missing folder and one with too little room are troubles, an ordinary one is none, and no probe stays."""
    assert disk_trouble(tmp_path, 0) == ""
    assert not list(tmp_path.iterdir())
    assert "left" in disk_trouble(tmp_path, 1 << 62)
    assert "cannot be written" in disk_trouble(tmp_path / "absent", 0)
