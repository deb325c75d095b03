"""What alerts are sent to in tests: an HTTP endpoint and a mail server on loopback that keep what they get."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Web:
    """Keeps the JSON bodies that are posted; while `refusing`, answers 503 and keeps nothing.

    With `hold`, a body is kept and answered once that is set, or the client has gone.
    """

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.refusing = False
        self.refused = 0
        self.hold: threading.Event | None = None
        self.held = 0
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if kept.refusing:
                    kept.refused += 1
                    self.send_response(503)
                else:
                    kept.got.append((self.path, json.loads(body)))
                    if kept.hold is not None:
                        kept.held += 1
                        kept.hold.wait(20.0)
                    self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]

    def of(self, path: str) -> list[dict[str, Any]]:
        return [body for at, body in self.got if at == path]

    def titles(self, path: str) -> list[str]:
        return [body["title"] for body in self.of(path)]

    def text(self, path: str) -> str:
        return "\n".join(body["message"] for body in self.of(path))


@contextmanager
def web() -> Iterator[Web]:
    """An HTTP endpoint."""
    made = Web()
    thread = threading.Thread(target=made._server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made._server.shutdown()
        made._server.server_close()
        thread.join(10.0)


class Mail:
    """Keeps the letters that are handed in, as (recipients, subject, text)."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], str, str]] = []
        kept = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                to: list[str] = []
                self._say("220 test")
                while line := self.rfile.readline():
                    verb = line.split(b":")[0].split(b" ")[0].strip().upper()
                    if verb in {b"EHLO", b"HELO"}:
                        self._say("250 test")
                    elif verb == b"RCPT":
                        to.append(line.decode().partition("<")[2].partition(">")[0])
                        self._say("250 ok")
                    elif verb == b"DATA":
                        self._say("354 go on")
                        kept._take(to, self._data())
                        self._say("250 ok")
                    elif verb == b"QUIT":
                        self._say("221 bye")
                        return
                    else:
                        self._say("250 ok")

            def _say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

            def _data(self) -> bytes:
                lines = []
                while (line := self.rfile.readline()) not in {b".\r\n", b""}:
                    lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
                return b"".join(lines)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def _take(self, to: list[str], data: bytes) -> None:
        letter = message_from_bytes(data, policy=policy.default)
        part = letter.get_body(("plain", "html"))
        assert part is not None
        self.got.append((list(to), str(letter["Subject"]), part.get_content()))


@contextmanager
def mail() -> Iterator[Mail]:
    """A mail server without TLS or users."""
    made = Mail()
    thread = threading.Thread(target=made._server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made._server.shutdown()
        made._server.server_close()
        thread.join(10.0)
