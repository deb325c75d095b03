"""A real worker in which messages of the sources wait in Faust's queues at the end of a rebalance.

Faust resumes the sources, seeks them, and clears its queues when it resumes the flow: what was delivered in between and
not yet taken by its agent is gone. It is a matter of microseconds; here agents take nothing during the seek, and the
seek of a rebalance ends when something waits behind them.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count

from faust.transport.consumer import Consumer

from monitor.cli import main
from monitor.worker.intake import Delivered, Intake

real_seek, real_put = Consumer.perform_seek, Intake.put
seeking, seeks = asyncio.Event(), count()


async def slow_seek(self: Consumer) -> None:
    seeking.set()
    await real_seek(self)
    if next(seeks):  # at the first one, of the start, agents pass everything over: the engine reads the logs
        while not any(queue.qsize() for queue in self.app.flow_control._queues):  # noqa: ASYNC110, SLF001
            await asyncio.sleep(0.05)
    seeking.clear()


async def held_put(self: Intake, message: Delivered) -> None:
    while seeking.is_set():  # noqa: ASYNC110 (Faust's loop, not ours)
        await asyncio.sleep(0.05)
    await real_put(self, message)


Consumer.perform_seek = slow_seek  # type: ignore[method-assign]
Intake.put = held_put  # type: ignore[method-assign]
sys.argv = ["liqmon", *sys.argv[1:]]
main()
