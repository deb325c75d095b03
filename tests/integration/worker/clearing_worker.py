"""A real worker in which messages of the sources wait in Faust's queues at the end of a recovery.

Faust resumes the sources, seeks them, and clears its queues when it resumes the flow: what was delivered in between and
not yet taken by its agent is gone. It is a matter of microseconds; here agents and the seek take longer.
"""

from __future__ import annotations

import asyncio
import sys

from faust.transport.consumer import Consumer

from monitor.cli import main
from monitor.worker.intake import Delivered, Intake

real_seek, real_put = Consumer.perform_seek, Intake.put


async def slow_seek(self: Consumer) -> None:
    await real_seek(self)
    await asyncio.sleep(0.5)


async def slow_put(self: Intake, message: Delivered) -> None:
    await asyncio.sleep(0.02)
    await real_put(self, message)


Consumer.perform_seek = slow_seek  # type: ignore[method-assign]
Intake.put = slow_put  # type: ignore[method-assign]
sys.argv = ["liqmon", *sys.argv[1:]]
main()
