"""Where partitions end, also on a broker that says it wrongly."""

from __future__ import annotations

import time
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition

from monitor.connection import Address, client_options

_ANSWER_S = 30.0


async def end_offsets(
    address: Address, partitions: Iterable[TopicPartition], *, exact: bool
) -> dict[TopicPartition, int]:  # fmt: skip
    """Return the offset after the last of each partition's log.

    `exact` tells whether the broker's ListOffsets can be believed (see `selfcheck`). If not, the last record it knows
    of is fetched as well, because the high watermark that comes with it is right: the larger of both is the end.
    Raises TimeoutError when fetches are not answered.
    """
    wanted = list(dict.fromkeys(partitions))
    if not wanted:
        return {}
    # A consumer of its own for each call: it belongs to no group, and to nobody who may be in the middle of reading.
    consumer = AIOKafkaConsumer(
        **client_options(address), client_id="liqmon-ends", enable_auto_commit=False, auto_offset_reset="none",
        fetch_max_wait_ms=20,
    )  # fmt: skip
    await consumer.start()
    try:
        told: dict[TopicPartition, int] = await consumer.end_offsets(wanted)
        return told if exact else await _with_fetches(consumer, told)
    finally:
        await consumer.stop()


async def _with_fetches(consumer: AIOKafkaConsumer, told: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
    begins = await consumer.beginning_offsets(list(told))
    # An empty partition has nothing to fetch; where all has been deleted, an offset below the end is out of range.
    starts = {partition: end - 1 for partition, end in told.items() if end > begins[partition]}
    consumer.assign(list(starts))
    for partition, start in starts.items():
        consumer.seek(partition, start)
    deadline_s = time.monotonic() + _ANSWER_S
    while waiting := [partition for partition in starts if consumer.highwater(partition) is None]:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"no answer to fetches of {len(waiting)} partitions, first {waiting[0]}")
        await consumer.getmany(*waiting, timeout_ms=20)
    return {
        partition: max(end, consumer.highwater(partition)) if partition in starts else end
        for partition, end in told.items()
    }
