"""One seed: workers over the simulated log, faults while records come, then calm, an orderly end, and the checks."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import structlog

from tests.simulator import check, scenario
from tests.simulator.group import Group
from tests.simulator.loop import Clock, Process, SimulatedLoop
from tests.simulator.node import Node
from tests.simulator.plan import Plan, options_of
from tests.simulator.world import World

SETTLE_S = 400.0  # virtual seconds that the workers have to finish in when no fault comes any more
# What sends events is most of them: an event is rare, and the moments around it matter most.
POINTS = (
    "send state", "acknowledged state", *2 * ("send margin-calls", "send liquidations"), "acknowledged margin-calls",
    "acknowledged liquidations", "send dead-letters", "acknowledged dead-letters", "acknowledged account-states",
    "read state", "commit", "committed", "revoked", "assigned",
    *3 * ("send market-snapshots", "acknowledged market-snapshots", "read market-snapshots"),
)  # fmt: skip


@dataclass
class Outcome:
    """What a seed showed: `failures` are broken guarantees, `counts` faults that happened, `figures` sizes."""

    plan: Plan
    failures: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)

    @property
    def counts_as_run(self) -> bool:
        """Whether something was killed: a run in which nothing was says nothing about crashes."""
        return self.counts["crash"] > 0


def run_seed(plan: Plan, mutant: AbstractContextManager[None] | None = None) -> Outcome:
    """Run one plan and judge it."""
    loop = SimulatedLoop()
    world = World(plan, options_of(plan), loop, Clock(loop, plan.clock_cost_s))
    loop.on_death = world.killed
    told = scenario.make(plan)
    published: list[check.Published] = []
    outcome = Outcome(plan)
    stage = Stage(world, told, published)
    try:
        with _quiet(), plan.in_force(), _clock(world.clock), mutant or nullcontext():
            asyncio.set_event_loop(loop)
            try:
                loop.run_until_complete(loop.start(stage.play()))
            except Stuck as stuck:
                world.failures.append(str(stuck))
            finally:
                loop.end(world.processes)
                asyncio.set_event_loop(None)
    finally:
        outcome.counts = world.counts
    outcome.failures += world.failures
    outcome.figures["virtual_s"] = round(loop.now_s)
    outcome.figures["callbacks"] = loop.callbacks
    if not outcome.failures:
        check.check(world, told, published, outcome.failures, outcome.figures)
    return outcome


class Stuck(Exception):
    """The workers did not finish."""


class Stage:
    """Publisher, supervisor and chaos of one run."""

    def __init__(self, world: World, told: scenario.Scenario, published: list[check.Published]) -> None:
        self._world = world
        self._told = told
        self._published = published
        self._group = Group(world)
        self._nodes: dict[int, Node] = {}
        self._wanted = set(range(world.plan.workers))
        self._number = 0
        self._publishing = True
        world.stopped = self._stopped

    async def play(self) -> None:
        world = self._world
        world.loop.start(self._group.run())
        publishing = world.loop.start(self._publish())
        for slot in sorted(self._wanted):
            self._start(slot)
        chaos = world.loop.start(self._chaos()) if world.plan.calm_s else None
        await publishing
        await asyncio.sleep(world.draw.uniform(0.0, 3.0))
        if chaos is not None:
            chaos.cancel()
        self._calm()
        await self._settle()
        await self._end()

    # --- input ----------------------------------------------------------------------------------

    async def _publish(self) -> None:
        world = self._world
        for at_s, message in self._told.messages:
            if at_s > world.loop.now_s:
                await asyncio.sleep(at_s - world.loop.now_s)
            topic = world.options.topic(message.topic)
            if message.hole:
                world.log.mark(topic, message.partition)
                continue
            record = world.log.append(topic, message.partition, message.key, message.value)
            self._published.append(check.Published(message, record.offset))

    # --- supervisor -----------------------------------------------------------------------------

    def _start(self, slot: int) -> None:
        self._number += 1
        node = self._nodes[slot] = Node(self._world, f"worker-{slot}.{self._number}")
        world = self._world
        if world.plan.calm_s and world.chance(0.5):
            world.armed[node.process] = world.draw.choice(POINTS)
        world.loop.start(node.ending(lambda: node.start(lambda: self._group.join(node))), node.process)

    def _stopped(self, process: Process) -> None:
        """Start a worker again whose process is gone."""
        for slot, node in self._nodes.items():
            if node.process is process:
                if node.taking_over:
                    self._world.counts["ended while taking over"] += 1
                self._world.loop.start(self._restart(slot, node))

    async def _restart(self, slot: int, old: Node) -> None:
        await asyncio.sleep(self._world.draw.choice((0.05, 0.5, 2.0)))
        if slot in self._wanted and self._nodes.get(slot) is old:
            self._start(slot)

    async def _shut_down(self, slot: int) -> bool:
        """Have a worker end in an orderly way; return whether it did."""
        node = self._nodes.pop(slot)
        if node.process.dead:
            self._group.leave(node)
            return False
        world = self._world
        stopping = world.loop.start(node.ending(node.stop), node.process)
        while not stopping.done() and not node.process.dead:  # noqa: ASYNC110 (time is virtual)
            await asyncio.sleep(0.01)
        orderly = not node.process.dead
        node.process.kill()
        self._group.leave(node)
        return orderly

    # --- faults ---------------------------------------------------------------------------------

    async def _chaos(self) -> None:
        world, draw = self._world, self._world.draw
        while True:
            await asyncio.sleep(draw.expovariate(1.0 / world.plan.calm_s))
            kind = draw.choices(
                ("kill", "point", "pause", "cut", "scale", "slow", "behind", "clock", "down", "rebalance"),
                (6, 12, 3, 6, 3, 3, 4, 1, 1, 2),
            )[0]
            live = [node for node in self._nodes.values() if not node.process.dead and node.started]
            if not live:
                continue
            self._strike(kind, draw.choice(live))

    def _strike(self, kind: str, node: Node) -> None:  # noqa: C901 (one line a fault)
        world, draw, process, session_s = self._world, self._world.draw, node.process, self._world.plan.session_s
        now_s = world.loop.now_s
        if kind == "kill":
            process.doom = draw.randint(0, 300)
        elif kind == "point":
            world.armed[process] = draw.choice(POINTS)
        elif kind == "pause" and not process.paused:
            world.counts["pause"] += 1
            process.held = []
            world.loop.start(self._continue(process, draw.uniform(0.2, 3.0) * session_s))
        elif kind == "cut":
            world.counts["cut from the coordinator"] += 1
            self._group.cut(node, draw.uniform(0.5, 4.0) * session_s)
        elif kind == "scale":
            world.loop.start(self._scale())
        elif kind == "slow":
            world.counts["slow sends"] += 1
            world.slow[process] = now_s + draw.uniform(0.1, 2.0)
        elif kind == "behind":
            self._hold_back(node)
        elif kind == "clock":
            world.counts["wall clock set"] += 1
            world.clock.wall_s += draw.uniform(-300.0, 300.0)
        elif kind == "down":
            world.counts["broker away"] += 1
            world.down_until_s = now_s + draw.choice((0.3, 2.0, 8.0))
        elif kind == "rebalance":
            self._group.due = True

    def _hold_back(self, node: Node) -> None:
        """Let one topic be behind the others, for one process."""
        world = self._world
        world.counts["topic behind the others"] += 1
        names = sorted({message.topic.name for _, message in self._told.messages})
        topic = world.draw.choice(names)
        ends = {p: world.log.partition(topic, p).end for p in range(world.plan.partitions)}
        world.frozen[node.process, topic] = (world.loop.now_s + world.draw.uniform(0.05, 2.0), ends)

    async def _continue(self, process: Process, after_s: float) -> None:
        await asyncio.sleep(after_s)
        if not process.dead and process.paused:
            self._world.loop.resume(process)

    async def _scale(self) -> None:
        """Take a worker away, or have one more."""
        world = self._world
        if len(self._wanted) > 1 and world.draw.random() < 0.5:
            slot = world.draw.choice(sorted(self._wanted))
            node = self._nodes.get(slot)
            if node is not None and node.started and not node.process.paused:
                self._wanted.discard(slot)
                world.counts["orderly end"] += 1
                await self._shut_down(slot)
        elif len(self._wanted) < 3:
            world.counts["worker added"] += 1
            slot = min(set(range(3)) - self._wanted)
            self._wanted.add(slot)
            self._start(slot)

    def _calm(self) -> None:
        world = self._world
        world.faulty = False
        world.armed.clear()
        world.frozen.clear()
        world.slow.clear()
        for node in self._nodes.values():
            node.process.doom = None
            if node.process.paused:
                world.loop.resume(node.process)
        for member in self._group.members:
            member.cut_until_s = 0.0

    # --- the end --------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Wait until everything that was published is applied, flushed and committed."""
        world = self._world
        until_s = world.loop.now_s + SETTLE_S
        while not self._done():
            if world.failures:
                raise Stuck("a worker ended for good")
            if world.loop.now_s > until_s:
                raise Stuck(f"not finished {SETTLE_S:.0f} s after the last fault: {self._why()}")
            await asyncio.sleep(0.25)

    def _done(self) -> bool:
        return not self._why()

    def _why(self) -> str:  # noqa: C901 (one line a reason)
        world, options = self._world, self._world.options
        owned: Counter[int] = Counter()
        for node in self._nodes.values():
            if node.process.dead or not node.started or node.framework.rebalancing:
                return f"{node.name} is not running"
            engine = node.core.engine
            if not engine.active or engine.lock.locked():
                return f"{node.name} is busy"
            owned.update(list(engine.order.shards))
            if not all(shard.open for shard in engine.order.shards.values()):
                return f"a gate of {node.name} is closed"
            if (late := check.behind(world, engine)) is not None:
                return f"{node.name} is behind on {late}"
            if engine.intake.held:
                return f"{node.name} holds {engine.intake.held}"
        if sorted(owned.elements()) != list(range(options.partitions)):
            return f"owned are {sorted(owned.elements())}"
        for topic in options.inputs:
            for number in range(options.partitions):
                tp = (options.topic(topic), number)
                records = world.log.partition(*tp).records
                if records and world.committed.get(tp, 0) <= records[-1].offset:
                    return f"{tp} is committed up to {world.committed.get(tp)}"
        return ""

    async def _end(self) -> None:
        for node in self._nodes.values():
            world_bound = self._world.options.queue_records
            if node.most_held > 2 * world_bound + 12_000:
                self._world.failures.append(f"{node.name} held {node.most_held} records")
        before = self._world.log.appended.copy()
        orderly = await self._end_all()
        for topic in ("risk.margin-calls.v1", "risk.liquidations.v1"):
            if self._world.log.appended[topic] != before[topic]:
                self._world.counts["events sent at the orderly end"] += 1
        if orderly:
            return
        # One stood still until a moment ago, and ends without a word: recovery is its end, so a successor has to come.
        self._world.counts["ended instead of an orderly end"] += 1
        self._wanted.add(0)
        self._start(0)
        await self._settle()
        if not await self._end_all():
            self._world.failures.append("a worker does not end in an orderly way")

    async def _end_all(self) -> bool:
        """Have all workers end; return whether all did in an orderly way."""
        self._wanted.clear()
        return all([await self._shut_down(slot) for slot in sorted(self._nodes)])


# --- seams ------------------------------------------------------------------------------------------


@contextmanager
def _clock(clock: Clock) -> Iterator[None]:
    """Have every module of the worker read the simulation's clock."""
    found = [m for name, m in sys.modules.items() if name.startswith("monitor.worker") and vars(m).get("time") is time]
    for module in found:
        vars(module)["time"] = clock
    try:
        yield
    finally:
        for module in found:
            vars(module)["time"] = time


@contextmanager
def _quiet() -> Iterator[None]:
    """Say nothing: thousands of runs would."""
    before: Any = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        yield
    finally:
        structlog.configure(**before)
