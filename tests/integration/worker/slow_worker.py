"""A real worker with a book that is expensive to evaluate: each step that conflates nothing takes 20 ms longer.

So its capacity is some 3,000 market records a second on any machine, and a burst of many more is an overload.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from monitor.cli import main
from monitor.engine import Sourced, State, step
from monitor.engine.state import Outgoing
from monitor.worker import live_order


def slow_step(state: State, records: Sequence[Sourced], *, conflate: bool = False) -> list[Outgoing]:
    if not conflate:
        time.sleep(0.02)
    return step(state, records, conflate=conflate)


vars(live_order)["step"] = slow_step
sys.argv = ["liqmon", *sys.argv[1:]]
main()
