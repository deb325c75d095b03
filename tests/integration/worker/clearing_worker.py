"""A real worker that loses messages between Faust's queues and its own, once for each partition and assignment.

Faust resumes the sources, seeks them, and clears its queues when it resumes the flow: what was delivered in between and
not yet taken by its agent is gone, and the consumer has read past it. That is a matter of microseconds; here the first
message of each partition in each generation of the group is lost in the same place, however fast the machine is.
"""

from __future__ import annotations

import sys

from monitor.cli import main
from monitor.worker.intake import Delivered, Intake

real_put = Intake.put
lost: set[tuple[str, int, int]] = set()


async def losing_put(self: Intake, message: Delivered) -> None:
    place = message.topic, message.partition, message.generation
    if place in lost:
        await real_put(self, message)
    lost.add(place)


Intake.put = losing_put  # type: ignore[method-assign]
sys.argv = ["liqmon", *sys.argv[1:]]
main()
