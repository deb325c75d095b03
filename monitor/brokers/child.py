"""A broker in a child process: it ends when we end, and it is ready when it answers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from monitor.brokers import supervise
from monitor.brokers.interface import BrokerError, Unreachable
from monitor.brokers.probe import probe


class Child:
    """One command under `supervise`, started with the object.

    Its output goes to `log`; `folder` is removed if we die before `stop`, unless it is None. `grace_s` is how long it
    may take from SIGTERM to its end. It inherits `pass_fds`, and `cwd` and `env` instead of ours if given.
    """

    def __init__(
        self, command: Sequence[str], *, log: Path, folder: Path | None, grace_s: float,
        pass_fds: Sequence[int] = (), cwd: Path | None = None, env: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._grace_s = grace_s
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", supervise.__file__, str(os.getpid()), str(grace_s), str(folder or "-"),
             str(log), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            cwd=cwd,
            env=env,
            # A session of its own: Ctrl-C is for us, and we stop the broker after those who use it.
            start_new_session=True,
            pass_fds=pass_fds,
        )  # fmt: skip
        assert self._supervisor.stdout is not None  # narrows the type
        try:
            with self._supervisor.stdout as line:
                self.pid = int(line.readline() or 0)
        except BaseException:
            self._supervisor.terminate()
            raise

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._supervisor.poll() is None

    def stop(self) -> None:
        """End it: SIGTERM, SIGKILL after the grace time."""
        self._supervisor.terminate()
        try:
            self._supervisor.wait(self._grace_s + 5.0)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()  # takes the command with it
            self._supervisor.wait()

    def await_answer(self, address: str, timeout_s: float, failed: Callable[[str], BrokerError]) -> None:
        """Return when a metadata request is answered at `address`.

        Raises what `failed` makes of "ended while starting" or "did not answer in time".
        """
        deadline = time.monotonic() + timeout_s
        while True:
            if not self.alive:
                raise failed("ended while starting")
            try:
                probe(address, timeout_s=2.0)
            except Unreachable as error:
                if time.monotonic() > deadline:
                    raise failed(f"did not answer within {timeout_s:.0f} s") from error
                time.sleep(0.1)
            else:
                return
