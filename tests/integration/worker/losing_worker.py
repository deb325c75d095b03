"""A real worker with a defect that no worker should have: one message's records never reach its merge.

Everything else is the command's own code. Usage: losing_worker.py arguments of `liqmon worker`.
"""

from __future__ import annotations

import sys

from monitor.cli import main
from monitor.worker.dead_letters import Letter
from monitor.worker.intake import Delivered, Source
from monitor.worker.live_order import LiveOrder
from schemas.topics import TRADES

real_push = LiveOrder.push
lost: list[int] = []


def losing_push(self: LiveOrder, source: Source, message: Delivered) -> list[Letter]:
    if source.topic == TRADES.name and not lost:
        lost.append(message.offset)
        return []
    return real_push(self, source, message)


LiveOrder.push = losing_push  # type: ignore[method-assign]
sys.argv = ["liqmon", *sys.argv[1:]]
main()
