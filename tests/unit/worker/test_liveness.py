"""How a worker notices that it stood still, and how it ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from monitor.worker.errors import Paused
from monitor.worker.liveness import Pulse
from tests.support import ROOT


def test_a_pause_beyond_the_session_is_noticed_by_whoever_comes_first() -> None:
    """A gap between two beats longer than the session raises; shorter ones add up to nothing."""
    now_s = [100.0]
    pulse = Pulse(6.0, clock=lambda: now_s[0])
    for _ in range(10):
        now_s[0] += 5.9
        pulse.check()
    now_s[0] += 6.1
    with pytest.raises(Paused, match=r"6\.1 s"):
        pulse.check()


def test_a_slow_start_is_no_pause() -> None:
    """Beats count from the first on: a worker that took long to get there has stood still for nobody."""
    times = iter([100.0, 150.0, 150.0, 155.0, 162.0])
    pulse = Pulse(6.0, clock=lambda: next(times))
    with pytest.raises(Paused, match=r"7\.0 s"):
        asyncio.run(pulse.run())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("errors.Paused('a', 'b')", 75),
        ("errors.CorruptState('a', 'b')", 65),
        ("TimeoutError()", 75),
        ("KeyError('a')", 70),
    ],
)
def test_an_exception_of_a_task_ends_the_process_at_once(error: str, code: int) -> None:
    """Nothing runs after it: no handler, no other task, no exit function; the code says what to do."""
    program = f"""
import asyncio, atexit
from monitor.worker import errors
from monitor.worker.run import _ending

async def fail():
    raise {error}

async def main():
    try:
        await asyncio.gather(_ending(fail()), asyncio.sleep(60))
    finally:
        print("tidied up")

atexit.register(print, "exit function")
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert done.returncode == code
    assert not {"tidied up", "exit function"} & set(done.stdout.splitlines())
