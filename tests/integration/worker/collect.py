"""Print every message of a topic as JSON lines (bytes in hex): the reader that shares no code with the project."""

import asyncio
import json
import sys

from aiokafka import AIOKafkaConsumer, TopicPartition


async def collect(broker: str, topic: str) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = consumer.partitions_for_topic(topic)
        if partitions is None:
            await consumer._client.force_metadata_update()
            partitions = consumer.partitions_for_topic(topic) or set()
        tps = [TopicPartition(topic, partition) for partition in sorted(partitions)]
        if not tps:
            raise SystemExit(f"no topic {topic}")
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        waiting = {tp for tp in tps if ends[tp] > 0}
        while waiting:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    sys.stdout.write(
                        json.dumps(
                            {
                                "partition": record.partition,
                                "offset": record.offset,
                                "key": None if record.key is None else record.key.hex(),
                                "value": None if record.value is None else record.value.hex(),
                                "headers": [(name, value.hex()) for name, value in record.headers],
                            }
                        )
                        + "\n"
                    )
            for tp in list(waiting):
                # Not every broker names the end before it is asked for records.
                ends[tp] = max(ends[tp], consumer.highwater(tp) or 0)
                if await consumer.position(tp) >= ends[tp]:
                    waiting.discard(tp)
    finally:
        await consumer.stop()


if __name__ == "__main__":
    asyncio.run(collect(sys.argv[1], sys.argv[2]))
