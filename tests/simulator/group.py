"""The coordinator of the consumer group: members, sessions, generations and assignments, as Kafka's classic protocol.

At a rebalance every member gives up and joins again; who does not in time, or is silent for a session, is out and is
not asked. Members that cannot reach the coordinator learn it when they can again: until then they work on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from tests.simulator.node import Node
from tests.simulator.world import World

LOOK_S = 0.05


@dataclass(eq=False)
class Member:
    """One member: `cut_until_s` tells how long it and the coordinator do not hear of each other."""

    node: Node
    seen_s: float
    generation: int = -1
    cut_until_s: float = 0.0
    out: bool = False


class Group:
    def __init__(self, world: World) -> None:
        self._world = world
        self.generation = 0
        self.members: list[Member] = []
        self.rebalancing = False
        self.due = False
        self.outside: list[Member] = []
        self.wanted: set[int] = set(range(world.options.partitions))

    # --- membership -----------------------------------------------------------------------------

    def join(self, node: Node) -> None:
        """Let a process in; called by itself."""
        member = Member(node, self._world.loop.now_s)
        node.framework.may_commit = lambda generation: self._valid(member, generation)
        self.members.append(member)
        self.due = True

    def leave(self, node: Node) -> None:
        """Let a process go that says so."""
        self.members = [member for member in self.members if member.node is not node]
        self.outside = [member for member in self.outside if member.node is not node]
        self.due = True

    def cut(self, node: Node, seconds: float) -> None:
        """Keep a process from the coordinator, and from nothing else."""
        for member in self.members:
            if member.node is node:
                member.cut_until_s = self._world.loop.now_s + seconds

    def _reached(self, member: Member) -> bool:
        process = member.node.process
        return not process.dead and not process.paused and self._world.loop.now_s >= member.cut_until_s

    def _valid(self, member: Member, generation: int) -> bool:
        # While members join again, the group still takes what they commit for the generation that ends.
        return self._reached(member) and not member.out and generation == self.generation

    # --- the protocol ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Look at the members, for ever."""
        world = self._world
        while True:
            await asyncio.sleep(LOOK_S)
            now_s = world.loop.now_s
            for member in self.members:
                if self._reached(member):
                    member.seen_s = now_s
            for member in [m for m in self.members if now_s - m.seen_s > world.options.session_timeout_s]:
                self._put_out(member)
            for member in [m for m in self.outside if self._reached(m)]:
                self.outside.remove(member)
                world.loop.start(self._come_back(member))
            if self.due and not self.rebalancing and any(map(self._reached, self.members)):
                self.due = False
                self.rebalancing = True
                world.loop.start(self._rebalance())

    def _put_out(self, member: Member) -> None:
        self.members.remove(member)
        member.out = True
        self.due = True
        if not member.node.process.dead:
            self._world.counts["put out of the group"] += 1
            self.outside.append(member)

    async def _come_back(self, member: Member) -> None:
        """Tell a process that it is out, at its next heartbeat; it may join again."""
        world, node = self._world, member.node
        await asyncio.sleep(world.draw.uniform(0.0, world.options.session_timeout_s / 5.0))
        if node.process.dead:
            return
        node.framework.expelled = True
        if await world.loop.start(node.ending(node.revoked), node.process) and not node.process.dead:
            node.framework.expelled = False
            node.framework.member_id += "+"
            self.join(node)

    async def _rebalance(self) -> None:
        world = self._world
        world.counts["rebalance"] += 1
        asked: dict[Member, asyncio.Task[bool]] = {}
        until_s = world.loop.now_s + 30.0
        while True:
            for member in self.members:
                if member not in asked and self._reached(member):
                    asked[member] = world.loop.start(member.node.ending(member.node.revoked), member.node.process)
            joined = [member for member in self.members if member in asked and asked[member].done()]
            if len(joined) == len(self.members) or world.loop.now_s > until_s:
                break
            await asyncio.sleep(0.02)
        for member in [member for member in self.members if member not in joined]:
            self._put_out(member)
        self.generation += 1
        self.rebalancing = False
        order = [member for member in joined if not member.node.process.dead]
        world.draw.shuffle(order)
        for place, member in enumerate(order):
            member.generation = self.generation
            partitions = [p for p in range(world.options.partitions) if p % len(order) == place]
            node = member.node
            world.loop.start(node.ending(partial(node.assigned, partitions, self.generation)), node.process)
            if self.outside and world.chance(0.5):
                world.loop.start(self._kill_beside_a_zombie(node))

    async def _kill_beside_a_zombie(self, node: Node) -> None:
        """Have a successor end early: its own successor finds what both have written."""
        world = self._world
        await asyncio.sleep(world.draw.uniform(0.0, world.options.session_timeout_s))
        if world.faulty and not node.process.dead and not node.process.paused:
            world.counts["successor of a zombie killed"] += 1
            node.process.doom = 0
