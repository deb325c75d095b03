"""One worker: the real parts of it, fed by a stand-in for the framework.

The stand-in does what Faust was seen to do (docs/worker.md): it tells of revocations and assignments, fetches from the
committed offsets, hands messages to agents through bounded queues, clears these at a rebalance, and loses or repeats
a message now and then.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from types import SimpleNamespace
from typing import Any

from monitor.brokers.selfcheck import Checked
from monitor.worker.app import check_copartitioned
from monitor.worker.core import Core, make_core
from monitor.worker.intake import hand_over
from schemas.topics import Topic
from tests.simulator.clients import SimulatedClients
from tests.simulator.log import Stored
from tests.simulator.loop import Process
from tests.simulator.world import World

TP = tuple[str, int]


class Framework:
    """What `Group` asks of Faust's consumer, and what feeds the agents."""

    def __init__(self, world: World, process: Process, name: str) -> None:
        self._world = world
        self._process = process
        self.rebalancing = True
        self.consumer_generation_id = -1
        self.member_id = name
        self.expelled = False
        self.may_commit: Callable[[int], bool] = lambda _generation: False
        self.queues: dict[str, deque[Stored]] = {topic.name: deque() for topic in world.options.inputs}
        self.arrived = asyncio.Event()
        self.room = asyncio.Event()
        self._ends: dict[TP, int] = {}
        self._looked_ms: dict[TP, int] = {}
        coordinator = _Coordinator(self)
        fetcher = SimpleNamespace(_fetch_max_wait_ms=500)
        inner = SimpleNamespace(
            _coordinator=coordinator, _fetcher=fetcher, last_poll_timestamp=lambda tp: self._looked_ms.get(tuple(tp), 0)
        )
        self.consumer = SimpleNamespace(
            flow_active=False, highwater=lambda tp: self._ends.get(tuple(tp), 0), _commit=self._commit,
            _thread=SimpleNamespace(_consumer=inner),
        )  # fmt: skip

    async def _commit(self, offsets: dict[Any, int]) -> bool:
        world, generation = self._world, self.consumer_generation_id
        world.point(self._process, "commit")
        await world.travel(self._process)
        if not self.may_commit(generation):
            return False
        world.committed.update({tuple(tp): offset for tp, offset in offsets.items()})
        world.point(self._process, "committed")
        if world.chance(world.plan.lost_commit):
            world.counts["answer to a commit lost"] += 1
            return False
        await world.travel(self._process)
        return True

    # --- delivery -------------------------------------------------------------------------------

    async def fetch(self, partitions: list[int], generation: int) -> None:
        """Deliver from the committed offsets on, until cancelled at the next rebalance."""
        world = self._world
        await world.travel()
        sources = [(t, (world.options.topic(t), number)) for t in world.options.inputs for number in partitions]
        position = {tp: world.committed.get(tp, 0) for _, tp in sources}
        self._ends, self._looked_ms = {}, {}
        while True:
            moved = False
            for topic, tp in sources:
                partition = world.partition_of(tp)
                end = world.visible_end(self._process, partition)
                self._ends[tp] = end
                self._looked_ms[tp] = int(world.loop.now_s * 1000.0)
                queue = self.queues[topic.name]
                room = world.plan.buffered - len(queue)
                records = partition.slice(position[tp], end, min(room, world.draw.choice(world.plan.fetch)))
                for record in records:
                    moved = True
                    position[tp] = record.offset + 1
                    if world.chance(world.plan.transport / 2):
                        world.counts["message dropped by the framework"] += 1
                        continue
                    queue.append(record._replace(generation_id=generation))
                    if world.chance(world.plan.transport / 2):
                        world.counts["message delivered twice"] += 1
                        position[tp] = max(0, record.offset - world.draw.randint(0, 3))
                        break
                if records:
                    self.arrived.set()
            if moved or any(len(queue) >= world.plan.buffered for queue in self.queues.values()):
                await world.travel()
            else:
                await world.arrival([world.partition_of(tp) for _, tp in sources], 0.2)

    async def stream(self, topic: Topic) -> AsyncIterator[Stored]:
        """Give an agent its messages."""
        queue = self.queues[topic.name]
        while True:
            while queue:
                yield queue.popleft()
                await asyncio.sleep(0)
            self.arrived.clear()
            await self.arrived.wait()

    def clear(self) -> None:
        """Forget what is queued."""
        for queue in self.queues.values():
            queue.clear()


def _same(work: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
    return work


class _Coordinator:
    def __init__(self, framework: Framework) -> None:
        self._framework = framework

    @property
    def member_id(self) -> str:
        return self._framework.member_id

    @property
    def generation(self) -> int:
        return -1 if self._framework.expelled else self._framework.consumer_generation_id


class Node:
    """A worker's process, from its start to its end."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.process = world.process(name)
        self.core: Core
        self.framework: Framework
        self.started = False
        self.taking_over = False
        self._fetching: asyncio.Task[None] | None = None
        self.most_held = 0

    async def start(self, joined: Callable[[], None]) -> None:
        """Run in its process: connect, begin, and ask for a place in the group."""
        world = self.world
        checked = Checked(idempotent=world.plan.idempotent)
        self.core = core = make_core(world.options, checked, clients=SimulatedClients(world, self.process))
        self.framework = Framework(world, self.process, self.name)
        core.group.attach(self.framework)
        await core.publisher.start()
        await core.view.start()
        for work in (core.engine.run, core.group.run, core.pulse.run, self._watch):
            world.loop.start(self.ending(work), self.process)
        for reader in core.order.readers():
            world.loop.start(self.ending(partial(_same, reader)), self.process)
        for topic in world.options.inputs:
            world.loop.start(self.ending(partial(self._agent, topic)), self.process)
        self.started = True
        joined()

    async def ending(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> bool:
        """Make an exception the end of the process; return whether there was none."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 (the process ends)
            self.world.ended(self.process, error)
            # As after `os._exit`: nothing of this process runs any more.
            await asyncio.sleep(0)
            return False
        return True

    async def _agent(self, topic: Topic) -> None:
        await hand_over(self.framework.stream(topic), topic, self.world.options, self.core.intake)

    async def _watch(self) -> None:
        """Note how full the intake was, and announce readiness."""
        while True:
            await asyncio.sleep(0.1)
            self.most_held = max(self.most_held, self.core.intake.held)
            self.core.ownership.announce()

    # --- the group ------------------------------------------------------------------------------

    async def revoked(self) -> None:
        """Give all partitions up, as the framework asks before it joins again."""
        self.framework.rebalancing = True
        self.world.point(self.process, "revoked")
        await self.core.ownership.give_up()
        if self._fetching is not None:
            self._fetching.cancel()
            self._fetching = None
        self.framework.clear()
        self.framework.consumer.flow_active = False

    async def assigned(self, partitions: list[int], generation: int) -> None:
        """Take over what the group assigned."""
        world, framework, options = self.world, self.framework, self.world.options
        framework.consumer_generation_id = generation
        framework.rebalancing = False
        self.taking_over = True
        world.point(self.process, "assigned")
        names = (options.changelog, *(options.topic(topic) for topic in options.inputs))
        check_copartitioned([SimpleNamespace(topic=n, partition=p) for n in names for p in partitions], options)  # type: ignore[misc]
        self.core.ownership.quicken()
        await self.core.ownership.changelog_ends(partitions)
        if framework.consumer_generation_id != generation:
            return
        early = world.chance(0.5)
        fetch = partial(framework.fetch, partitions, generation)
        if early:  # it begins to read before it ends its recovery, and clears its queues then
            self._fetching = world.loop.start(self.ending(fetch), self.process)
        before = Counter(self.core.order.figures())
        await self.core.ownership.take_over(partitions)
        done = Counter(self.core.order.figures()) - before
        world.counts["folds begun from a snapshot"] += done["snapshots_loaded"]
        world.counts["snapshots passed over"] += done["snapshots_refused"]
        if framework.rebalancing or framework.consumer_generation_id != generation:
            return  # overtaken by another rebalance
        if early and any(framework.queues.values()) and world.chance(0.5):
            world.counts["queues cleared after a recovery"] += 1
            framework.clear()
        if not early:
            self._fetching = world.loop.start(self.ending(fetch), self.process)
        framework.consumer.flow_active = True
        self.taking_over = False

    async def stop(self) -> None:
        """End in an orderly way, as on SIGTERM."""
        await self.core.ownership.shut_down()
        await self.core.publisher.stop()
        await self.core.view.stop()
