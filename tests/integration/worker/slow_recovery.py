"""A real worker that reads its changelog slowly: 20 ms a record, so that a test sees how far it is.

Usage: slow_recovery.py arguments of `liqmon worker`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable
from typing import Any

from aiokafka import TopicPartition

from monitor.cli import main
from monitor.worker.log_view import LogView

real_read_all = LogView.read_all


async def slow_read_all(self: LogView, partitions: Iterable[TopicPartition]) -> AsyncIterator[Any]:
    async for record in real_read_all(self, partitions):
        if record.topic.endswith("-changelog"):
            await asyncio.sleep(0.02)
        yield record


LogView.read_all = slow_read_all  # type: ignore[method-assign]
sys.argv = ["liqmon", *sys.argv[1:]]
main()
