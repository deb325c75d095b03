"""Two processes of alerts that share partitions: nothing is lost, nothing told twice but what a kill leaves open."""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from aiokafka.partitioner import murmur2

from monitor.alerts.book import provide
from monitor.alerts.digest import Text
from monitor.alerts.run import LEADS, Runner
from monitor.alerts.settings import Alerts, check
from schemas.topics import ALERT_NOTES
from tests.client_messages import event
from tests.integration.test_alerts import Scene, scene
from tests.integration.worker.support import Process, read_all

__all__ = ["scene"]  # a fixture
pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

PARTITIONS = 2 + 2 + 1  # of margin calls, of liquidations, of regimes
WAIT_S = 120.0


def settings(worker: int) -> Alerts:
    """One channel that everything goes to, and one worker that is asked."""
    return check(
        msgspec.convert(
            {
                "channels": {"desk": {"url_variable": "DESK", "burst": 1_000, "most_lines": 200}},
                "routes": [{"channels": ["desk"], "window_s": 0.2}],
                "workers": [f"http://127.0.0.1:{worker}"], "watch_every_s": 1, "watch_for_s": 0,
            },
            Alerts,
        )
    )  # fmt: skip


class Kept:
    """A channel that keeps what it is given; while it is shut, a message stays on its way."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.under_way = 0

    async def send(self, text: Text) -> bool:
        """Take one message."""
        self.under_way += 1
        await self.open.wait()
        self.under_way -= 1
        self.bodies.append(text.body)
        return True


def told(bodies: list[str]) -> Counter[str]:
    """How often each account was told."""
    return Counter(re.findall(r"(?:margin call|liquidation) (\S+): ", "\n".join(bodies)))


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 (of several objects)
            await asyncio.sleep(0.02)


def names(wave: int, count: int = 8) -> list[str]:
    return [f"wave-{wave}-{number}" for number in range(count)]


def test_what_is_under_way_is_finished_before_partitions_move(scene: Scene) -> None:
    """Another process comes while a message is on its way, then one ends: each alert is told once, by one of them.

    So is a watchdog that stands while the process that asks for it ends: the other one knows that it was told.
    """

    async def publish(wave: int) -> None:
        await scene._publish([event(name, kind="liquidation") for name in names(wave)], [], spread=True)

    async def work() -> Counter[str]:
        await provide(scene.kafka, scene.prefix)
        channels, ends = (Kept(), Kept()), (asyncio.Event(), asyncio.Event())
        alerts = settings(scene.readyz.port)
        one, two = (Runner(scene.kafka, scene.prefix, alerts, {"desk": channel}) for channel in channels)
        first = asyncio.create_task(one.run(ends[0]))
        await until(lambda: len(one._owned) == PARTITIONS)
        channels[0].open.clear()
        await publish(0)
        await until(lambda: channels[0].under_way)
        second = asyncio.create_task(two.run(ends[1]))
        await until(lambda: one._between)
        await publish(1)
        assert not two._owned
        channels[0].open.set()
        await until(lambda: len(one._owned) + len(two._owned) == PARTITIONS and one._owned and two._owned)
        await publish(2)
        await until(lambda: len(told(channels[0].bodies + channels[1].bodies)) == 24)
        leading = 0 if one._owns(LEADS) else 1
        scene.readyz.reasons = [{"name": "disk", "reason": "full"}]
        await until(lambda: "disk at http" in "".join(channels[leading].bodies))
        ends[leading].set()
        await (first, second)[leading]
        await publish(3)
        await until(lambda: len(told(channels[0].bodies + channels[1].bodies)) == 32)
        scene.readyz.reasons = []
        await until(lambda: "is over" in "".join(channels[1 - leading].bodies))
        ends[1 - leading].set()
        await (first, second)[1 - leading]
        assert all(channel.bodies for channel in channels)
        lines = "\n".join(channels[0].bodies + channels[1].bodies).splitlines()
        said = ["watchdog over: " in line for line in lines if "disk at http" in line]
        assert sorted(said) == [False, True]
        return told(channels[0].bodies + channels[1].bodies)

    counts = asyncio.run(work())
    assert counts == dict.fromkeys([name for wave in range(4) for name in names(wave)], 1)
    notes = [one.key for one in read_all(scene.kafka, scene.prefix + ALERT_NOTES.name) if one.value is not None]
    keys = Counter(key for key in notes if key is not None and key.startswith(b"told/"))
    assert len(keys) == 32 + 2
    assert set(keys.values()) == {1}


def test_a_kill_9_repeats_the_message_that_was_under_way(scene: Scene) -> None:
    """A process dies with a message handed over and not noted: the other tells just that again, and all the rest."""
    processes = [scene.start(), scene.start()]
    scene.wait(lambda: sorted(shared(one) for one in processes) == [2, 3])
    scene.web.hold = threading.Event()
    scene.publish(*(event(name) for name in names(0)), spread=True)
    scene.wait(lambda: scene.web.held)
    under_way = set(told([scene.web.of("/desk")[0]["message"]]))
    # Partitions of a topic go to members in order: who has 0 has that of the regimes, too, and so three.
    partitions = {murmur2(name.encode()) % 2 for name in under_way}
    assert len(partitions) == 1
    dying, heir = sorted(processes, key=shared, reverse=partitions == {0})
    dying.kill()
    scene.web.hold.set()
    scene.wait(lambda: shared(heir) == PARTITIONS)
    scene.publish(*(event(name) for name in names(1)), spread=True)
    scene.wait(lambda: len(told([scene.web.text("/desk")])) == 16 and told([scene.web.text("/desk")]).total() > 16)
    assert heir.terminate() == 0
    counts = told([scene.web.text("/desk")])
    assert counts == {name: 1 + (name in under_way) for name in names(0) + names(1)}


def shared(process: Process) -> int:
    """How many partitions a process was given last."""
    lines = process.said("alerts_shared")
    return int(lines[-1]["partitions"]) if lines else 0
