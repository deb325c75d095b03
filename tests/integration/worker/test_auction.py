"""`liqmon auction` on the broker: killed and started again, with answers twice, changed, late, of nobody."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import math
import sys
import time
from pathlib import Path
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
from schemas.headers import Headers
from schemas.records import Advice, Answer, Award, Intent, Record
from schemas.signatures import Keys, SignatureError, parse_keys, sign, verify
from schemas.topics import ADVICE, ANSWERS, AWARDS, INTENTS, Topic
from tests.auction_books import advice_on, short_view
from tests.integration.worker.deployment import Deployment
from tests.integration.worker.support import Process, eventually

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]  # only what hangs takes so long
OPEN_S = 8.0


Message = tuple[Topic, bytes, bytes] | tuple[Topic, bytes, bytes, Headers]


def publish(deployment: Deployment, *messages: Message) -> None:
    """Publish messages in order, to the partitions of their keys."""

    async def run() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=deployment.broker.url, acks="all")
        await producer.start()
        try:
            for topic, key, value, *headers in messages:
                await producer.send_and_wait(
                    f"{deployment.prefix}{topic.name}", value, key=key, headers=headers[0] if headers else None
                )
        finally:
            await producer.stop()

    asyncio.run(run())


def of(topic: Topic, record: Any) -> tuple[Topic, bytes, bytes]:
    return topic, record.account.encode(), encode(record)


def read(deployment: Deployment, topic: Topic, kind: type[Record]) -> list[Any]:
    return [msgspec.json.decode(one.value or b"", type=kind) for one in deployment.read(topic)]


def signed(topic: Topic, record: Any, keys: Keys) -> Message:
    """A message as who holds the first of some keys sends it."""
    key, body = record.account.encode(), encode(record)
    return topic, key, body, [sign(key, [], body, keys)]


def auction(deployment: Deployment, *, open_s: float = OPEN_S, **variables: str) -> Process:
    """Start one, with further variables in its environment."""
    environment = [f"{name}={value}" for name, value in variables.items()]
    found = deployment.spawn([
        "env", *environment, sys.executable, "-m", "monitor", "auction", "--broker", deployment.broker.url,
        "--prefix", deployment.prefix,
        "--open-s", str(open_s),
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


def keys(*names: str) -> Keys:
    """Keys under some names, alike for a name."""
    lines = (f"{name} hmac-sha256 {base64.b64encode(name.encode().ljust(32, b'.')).decode()}" for name in names)
    return parse_keys("\n".join(lines))


def key_file(path: Path, of: Keys) -> str:
    """Write keys as the settings read them."""
    path.write_text("".join(f"{k.name} hmac-sha256 {base64.b64encode(k.secret).decode()}\n" for k in of.keys))
    return str(path)


def test_what_nobody_vouches_for_does_not_count(deployment: Deployment, tmp_path: Path) -> None:
    """Forged advice, intents and awards are as if they were not there; an answer has to be signed by its solver."""
    ours, strangers, solvers = keys("desk"), keys("stranger"), keys("solver-one", "solver-two", "solver-four")
    running = auction(
        deployment, open_s=12.0, LIQMON_SIGNING_KEY_FILE=key_file(tmp_path / "ours", ours),
        LIQMON_SOLVER_KEY_FILE=key_file(tmp_path / "solvers", solvers),
    )  # fmt: skip
    advice = advice_on(short_view())
    publish(deployment, of(ADVICE, advice), signed(ADVICE, advice, strangers))
    eventually(lambda: len(running.said("unverified")) >= 2)
    publish(deployment, signed(ADVICE, advice, ours))
    intent: Intent = eventually(lambda: read(deployment, INTENTS, Intent))[0]
    one, two, three, four = (answer(advice, intent, name, 0.9, 0.9) for name in ("one", "two", "three", "four"))
    ending = Award(
        intent=intent.id, account=intent.account, episode=intent.episode, action=intent.action, taken=(), refused={},
        left_usd=0.0, event_time_us=intent.expires_us,
    )  # fmt: skip
    publish(
        deployment, signed(AWARDS, ending, strangers),
        signed(INTENTS, replace(intent, expires_us=intent.expires_us + 1), solvers),
        signed(ANSWERS, one, keys("solver-one")), of(ANSWERS, two), signed(ANSWERS, three, keys("solver-three")),
        signed(ANSWERS, four, keys("solver-one")),
        signed(ANSWERS, replace(one, cost_usd=0.0), keys("solver-two")),  # in the name of another
    )  # fmt: skip

    def ours_alone(topic: Topic) -> list[Any]:
        found = []
        for message in deployment.read(topic):
            with contextlib.suppress(SignatureError):
                verify(message.key, list(message.headers.items()), message.value, ours)
                found.append(message)
        return found

    message, *_ = eventually(lambda: ours_alone(AWARDS))
    award = msgspec.json.decode(message.value or b"", type=Award)
    assert [taken.answer for taken in award.taken] == ["one"]
    assert award.taken[0].cost_usd > 0.0
    assert award.refused == {"two": "unsigned", "three": "forged", "four": "forged"}
    assert ours_alone(INTENTS)
    assert running.terminate() == 0
