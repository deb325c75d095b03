"""What tests of several folders need."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).parent.parent


def eventually(condition: Callable[[], T], *, within_s: float = 30.0, every_s: float = 0.1) -> T:
    """Return the first true value of `condition`; fail with its last value after `within_s`."""
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s; last value {value!r}")
        time.sleep(every_s)
