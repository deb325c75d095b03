"""The process beside a worker that computes what would hold its loop up: answers to questions, and advice."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from monitor.asking.question import READY

ANSWER_S: Final = 8.0  # below the endpoint's bound on connections
COMMAND: Final = (sys.executable, "-m", "monitor.asking.serve")


class NotNow(Exception):
    """The question can be asked again in a moment, and why not now."""


class Helper:
    """The process that computes, started when it is needed; one line in, one line out.

    A thread waits for it, one question after the other. Who asks gives up after ANSWER_S; what is computed for it by
    then is ended, a process that is only starting goes on for the next question.
    """

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command
        self._running: subprocess.Popen[bytes] | None = None
        self._thread = ThreadPoolExecutor(1, "liqmon-questions")

    async def ask(self, line: bytes) -> bytes:
        """Return the line that answers one; raises NotNow if there is none in time."""
        begun: list[subprocess.Popen[bytes]] = []
        asked = asyncio.get_running_loop().run_in_executor(self._thread, self._ask, line, begun)
        done, _ = await asyncio.wait([asked], timeout=ANSWER_S)
        if done:
            return asked.result()
        asked.cancel()
        asked.add_done_callback(lambda one: one.cancelled() or one.exception())
        for process in begun:
            process.kill()  # what it says next would be the answer to this question
        raise NotNow("the answer takes too long, or its process is starting")

    def end(self) -> None:
        """End the process and the thread that waits for it."""
        if self._running is not None:
            self._running.kill()
        self._thread.shutdown(cancel_futures=True)
        self._forget()

    def _ask(self, line: bytes, begun: list[subprocess.Popen[bytes]]) -> bytes:
        process = self._started()
        begun.append(process)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line + b"\n")
            process.stdin.flush()
            found = process.stdout.readline()
        except OSError:
            found = b""
        begun.clear()
        if not found.endswith(b"\n"):
            self._forget()
            raise NotNow("the process that answers has ended")
        return found

    def _started(self) -> subprocess.Popen[bytes]:
        if self._running is not None and self._running.poll() is None:
            return self._running
        self._forget()
        try:
            process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise NotNow(f"the process that answers does not start ({error})") from None
        self._running = process
        assert process.stdout is not None
        if process.stdout.readline() != READY:
            self._forget()
            raise NotNow("the process that answers does not start")
        return process

    def _forget(self) -> None:
        if self._running is not None:
            process, self._running = self._running, None
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):  # of what it did not read
                    pipe and pipe.close()
