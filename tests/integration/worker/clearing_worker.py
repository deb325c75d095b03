"""A real worker in which messages of the sources wait in Faust's queues at the end of a recovery.

Faust resumes the sources, seeks them, and clears its queues when it resumes the flow: what was delivered in between and
not yet taken by its agent is gone. It is a matter of microseconds; here the seek takes long and agents wait for it.
"""

from __future__ import annotations

import asyncio
import sys

from faust.transport.consumer import Consumer

from monitor.cli import main
from monitor.worker.intake import Delivered, Intake

real_seek, real_put = Consumer.perform_seek, Intake.put
seeking = False


async def slow_seek(self: Consumer) -> None:
    global seeking  # noqa: PLW0603 (one process, one recovery at a time)
    seeking = True
    await real_seek(self)
    await asyncio.sleep(1.5)  # the reading task looks for sources once a second
    seeking = False


async def held_put(self: Intake, message: Delivered) -> None:
    while seeking:  # noqa: ASYNC110 (Faust's loop, not ours)
        await asyncio.sleep(0.05)
    await real_put(self, message)


Consumer.perform_seek = slow_seek  # type: ignore[method-assign]
Intake.put = held_put  # type: ignore[method-assign]
sys.argv = ["liqmon", *sys.argv[1:]]
main()
