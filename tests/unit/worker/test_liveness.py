"""How a worker notices that it stood still."""

from __future__ import annotations

import pytest

from monitor.worker.errors import Paused
from monitor.worker.liveness import Pulse


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
