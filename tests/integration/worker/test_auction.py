"""`liqmon auction` on the broker: killed and started again, with answers twice, changed, late and of no sense."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from msgspec.structs import replace

from monitor.answers.plan import Policy
from monitor.answers.plan.engine import situation_of
from monitor.answers.view import View
from monitor.liquidation.intents import excess_of
from schemas.codec import encode
from schemas.records import Advice, Answer, Award, Intent, Record
from schemas.topics import ADVICE, ANSWERS, AWARDS, INTENTS, Topic
from tests.auction_books import advice_on, short_view
from tests.integration.worker.deployment import Deployment
from tests.integration.worker.support import Process, eventually

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]  # only what hangs takes so long
OPEN_S = 8.0


def publish(deployment: Deployment, *messages: tuple[Topic, bytes, bytes]) -> None:
    """Publish messages in order, to the partitions of their keys."""

    async def run() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=deployment.broker.url, acks="all")
        await producer.start()
        try:
            for topic, key, value in messages:
                await producer.send_and_wait(f"{deployment.prefix}{topic.name}", value, key=key)
        finally:
            await producer.stop()

    asyncio.run(run())


def of(topic: Topic, record: Any) -> tuple[Topic, bytes, bytes]:
    return topic, record.account.encode(), encode(record)


def read(deployment: Deployment, topic: Topic, kind: type[Record]) -> list[Any]:
    return [msgspec.json.decode(one.value or b"", type=kind) for one in deployment.read(topic)]


def auction(deployment: Deployment) -> Process:
    """Start one."""
    found = deployment.spawn([
        sys.executable, "-m", "monitor", "auction", "--broker", deployment.broker.url, "--prefix", deployment.prefix,
        "--open-s", str(OPEN_S),
    ])  # fmt: skip
    found.wait_for("ready")
    return found


def test_what_is_awarded_does_not_depend_on_who_survives(deployment: Deployment) -> None:
    """Two processes, one killed with an action open and one started anew: one award of each intent."""
    view = short_view()
    advice = advice_on(view)
    first, second = auction(deployment), auction(deployment)
    publish(deployment, of(ADVICE, advice))
    intent: Intent = eventually(lambda: read(deployment, INTENTS, Intent))[0]
    cheap = answer(advice, intent, "one", 0.4, 0.3)
    dear = answer(advice, intent, "two", 0.9, 1.1)
    changed = answer(advice, intent, "three", 0.5, 0.4)
    publish(
        deployment, of(ANSWERS, cheap), of(ANSWERS, dear), of(ANSWERS, cheap), of(ANSWERS, changed),
        of(ANSWERS, replace(changed, cost_usd=0.0)), (ANSWERS, b"x", b"{"), (ANSWERS, b"x", encode(cheap)),
    )  # fmt: skip
    first.kill()
    second.kill()
    third = auction(deployment)
    award: Award = eventually(lambda: read(deployment, AWARDS, Award))[0]
    publish(deployment, of(ANSWERS, replace(cheap, id="late")))
    eventually(lambda: [line for line in third.said("answered") if line["answer"] == "late"])
    assert third.said("answered")[-1]["reply"] == "late"
    assert third.terminate() == 0

    assert award.intent == intent.id
    assert award.refused == {"three": "changed"}
    assert [one.answer for one in award.taken] == ["one", "two"]
    assert award.left_usd == 0.0
    judge(view, advice, award)
    # Another start finds it awarded and says nothing more about it.
    awards, intents = read(deployment, AWARDS, Award), read(deployment, INTENTS, Intent)
    fourth = auction(deployment)
    assert fourth.terminate() == 0
    assert read(deployment, AWARDS, Award) == awards
    assert read(deployment, INTENTS, Intent) == intents
    assert len({one.id for one in intents}) == len({(one.episode, one.action) for one in intents})
    assert {one.intent for one in awards} <= {one.id for one in intents}
    assert len({encode(one) for one in awards if one.intent == intent.id}) == 1


def answer(advice: Advice, intent: Intent, name: str, share: float, cost: float) -> Answer:
    """A share of the plan's trades, at so much of its cost."""
    return Answer(
        id=name, intent=intent.id, account=intent.account, solver=f"solver-{name}",
        basket={one.instrument: share * one.quantity for one in advice.trades}, cost_usd=cost * advice.cost_usd,
        event_time_us=time.time_ns() // 1_000,
    )  # fmt: skip


def judge(view: View, advice: Advice, award: Award) -> None:
    """What was taken ends the account's state by the exact model, or leaves what it says."""
    exact = excess_of(situation_of(view.account, view.market()), Policy(), advice.target_v)
    trades: dict[str, float] = {}
    for one in award.taken:
        for name, quantity in one.trades.items():
            trades[name] = trades.get(name, 0.0) + quantity
    spent = math.fsum(one.cost_usd for one in award.taken)
    assert spent <= 1.5 * advice.cost_usd
    assert math.isclose(award.left_usd, max(0.0, -exact(trades, spent)), rel_tol=1e-9, abs_tol=1e-6)
