"""A small Faust app that isolates one behaviour of the framework; the experiments run it as a process.

Modes
-----
acks      agents put into a bounded queue, one task applies in commit order and acks afterwards
fence     as acks, with a state written to a changelog under a stored epoch (see `Fenced`)
queue     ordinary acks, frames handed over through an own `asyncio.Queue`
channel   ordinary acks, frames handed over through `app.channel()`

Every mode publishes what it applied to `<topic>.out`, acknowledged before any ack of the source.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from typing import Any, cast

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

STATE_KEYS = 20  # keys of the fenced state per partition


def say(event: str, **fields: object) -> None:
    """Write one JSON line that the experiment waits for."""
    sys.stderr.write(json.dumps({"event": event, "pid": os.getpid(), **fields}) + "\n")
    sys.stderr.flush()


class Experiment:
    """The app of one mode, with its queue and its engine task."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.app = faust.App(
            options.app_id,
            broker=f"kafka://{options.broker}",
            store="memory://",
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            stream_wait_empty=False,
            broker_commit_interval=0.5,
            broker_session_timeout=options.session_s,
            broker_heartbeat_interval=1.0,
            broker_max_poll_records=500,
            key_serializer="raw",
            value_serializer="raw",
            datadir=options.datadir,
        )
        self.queue: asyncio.Queue[Any] = asyncio.Queue(maxsize=options.queue)
        self.channel: Any = self.app.channel(maxsize=options.queue)
        self.producer: AIOKafkaProducer
        self.assigned: set[int] = set()
        self.epochs: dict[int, int] = {}
        source = self.app.topic(
            options.topic, key_type=bytes, value_type=bytes, allow_empty=True, acks=True, maxsize=4096
        )
        self.app.agent(source, name="reader")(self.read)
        self.app.task(self.engine)
        assigned, revoked = cast("Any", self.app.on_partitions_assigned), cast("Any", self.app.on_partitions_revoked)
        assigned.connect(self.on_assigned)
        revoked.connect(self.on_revoked)

    async def read(self, stream: Any) -> None:
        """Hand every message over; nothing else happens in an agent."""
        if self.options.mode in ("acks", "fence"):
            async for event in stream.noack().events():
                await self.queue.put(event)
            return
        async for event in stream.events():
            if self.options.mode == "channel":
                await self.channel.put((event.message.partition, event.message.offset))
            else:
                await self.queue.put((event.message.partition, event.message.offset))

    async def on_assigned(self, _app: object, assigned: set[Any], **_: object) -> None:
        self.assigned = {tp.partition for tp in assigned}
        say("assigned", partitions=sorted(self.assigned), generation=self.app.consumer_generation_id)

    async def on_revoked(self, _app: object, revoked: set[Any], **_: object) -> None:
        say("revoked", partitions=sorted(tp.partition for tp in revoked))

    async def engine(self) -> None:
        """Apply what the queue holds; any exception ends the process, not only this task."""
        try:
            self.producer = AIOKafkaProducer(
                bootstrap_servers=self.options.broker, acks="all", linger_ms=2,
                enable_idempotence=not self.options.repeats,
            )  # fmt: skip
            await self.producer.start()
            say("ready")
            if self.options.mode == "fence":
                await self.run_fenced()
            elif self.options.mode == "acks":
                await self.run_acks()
            else:
                await self.run_handover()
        except Exception:
            logging.getLogger(__name__).exception("engine failed")
            os._exit(70)

    async def take(self) -> list[Any]:
        batch = [await self.queue.get()]
        while len(batch) < self.options.batch and not self.queue.empty():
            batch.append(self.queue.get_nowait())
        return batch

    async def publish(self, applied: list[tuple[int, int]]) -> None:
        value = json.dumps({"pid": os.getpid(), "applied": applied}).encode()
        await self.producer.send_and_wait(f"{self.options.topic}.out", value, partition=0)

    async def run_acks(self) -> None:
        while True:
            events = await self.take()
            current = self.app.consumer_generation_id
            events = [event for event in events if event.message.generation_id == current]
            await asyncio.sleep(self.options.work_s)
            await self.publish([(e.message.partition, e.message.offset) for e in events])
            for event in events:
                if event.message.generation_id == self.app.consumer_generation_id:
                    event.ack()

    async def run_handover(self) -> None:
        frames: AsyncIterator[Any] | None = None
        if self.options.mode == "channel":
            frames = aiter(self.channel.stream())
        while True:
            batch = [await anext(frames)] if frames is not None else [await self.queue.get()]
            await asyncio.sleep(self.options.work_s)
            await self.publish(batch)

    # --- fenced state ------------------------------------------------------------------------------

    async def open_partition(self, partition: int) -> None:
        """Read the changelog of one partition and take the next epoch, written before anything else."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.options.broker, auto_offset_reset="earliest")
        await consumer.start()
        changelog = TopicPartition(f"{self.options.topic}.state", partition)
        consumer.assign([changelog])
        end = (await consumer.end_offsets([changelog]))[changelog]
        epoch = 0
        while end and await consumer.position(changelog) < end:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                epoch = max([epoch, *(json.loads(record.value)["epoch"] for record in records)])
            end = max(end, consumer.highwater(changelog) or 0)
        await consumer.stop()
        self.epochs[partition] = epoch + 1
        await self.write(partition, "!marker", 0)
        say("opened", partition=partition, epoch=epoch + 1)

    async def write(self, partition: int, key: str, version: int) -> Any:
        value = {"epoch": self.epochs[partition], "version": version, "pid": os.getpid()}
        return await self.producer.send(
            f"{self.options.topic}.state", json.dumps(value).encode(), key=key.encode(), partition=partition
        )

    async def run_fenced(self) -> None:
        """Write state without ever looking at the generation of a message: the most careless zombie there is."""
        version = 0
        opened: dict[int, int] = {}
        while True:
            events = await self.take()
            for event in events:
                partition, generation = event.message.partition, event.message.generation_id
                if opened.get(partition, -1) < generation:
                    await self.open_partition(partition)
                    opened[partition] = generation
            version += 1
            sent = [
                await self.write(partition, f"{partition}-{key}", version)
                for partition in {event.message.partition for event in events} for key in range(STATE_KEYS)
            ]  # fmt: skip
            await asyncio.gather(*sent)
            await asyncio.sleep(self.options.work_s)
            for event in events:
                if event.message.generation_id == self.app.consumer_generation_id:
                    event.ack()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["acks", "fence", "queue", "channel"])
    parser.add_argument("--broker", required=True)
    parser.add_argument("--app-id", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--datadir", required=True)
    parser.add_argument("--session-s", type=float, default=6.0)
    parser.add_argument("--queue", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--work-s", type=float, default=0.0)
    parser.add_argument("--repeats", action="store_true", help="the broker has no idempotent producers")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = faust.Worker(Experiment(parser.parse_args()).app, loglevel="WARN", redirect_stdouts=False, loop=loop)
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
