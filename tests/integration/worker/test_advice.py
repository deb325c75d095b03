"""Advice behind events, and questions that one worker passes on to another: real workers on the broker."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.answers import bundle as bundles
from monitor.answers.view import decode
from monitor.asking.about import About
from monitor.asking.advise import advise
from monitor.asking.build import this_build
from schemas.codec import encode
from schemas.headers import read_event_headers
from schemas.ids import advice_id, canonical
from schemas.records import Advice
from schemas.topics import ADVICE
from tests.engine_market import START_US, TOPIC_OF
from tests.integration.worker.deployment import ACCOUNTS, Deployment, market
from tests.integration.worker.support import Process, eventually
from tests.integration.worker.test_health import ask, command, metrics, output
from tests.integration.worker.test_worker import share_out

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]  # only what hangs takes so long


def test_calls_are_followed_by_advice(deployment: Deployment, tmp_path: Path) -> None:
    """Each advice is about an event on the topics, and is what anyone computes from the view that it carries.

    Liquidations are proved from the topics, by bundles that give them again without these.
    """
    deployment.keep_publishing(market(seed=31), 150.0)
    worker = deployment.worker()
    worker.wait_for("ready")
    eventually(lambda: metrics(worker).get('liqmon_advice_total{outcome="published"}', 0.0) >= 5.0, 240)
    deployment.finish_publishing()
    deployment.wait_until_caught_up()
    wanted = {"margin_call", "liquidation"}

    def settled() -> bool:
        """Whether every event that calls for advice is accounted for."""
        called = sum(json.loads(one.value or b"")["kind"] in wanted for one in deployment.events())
        found = metrics(worker)
        return sum(value for name, value in found.items() if name.startswith("liqmon_advice_total")) >= called > 0

    eventually(settled, 240)
    published = metrics(worker)['liqmon_advice_total{outcome="published"}']
    assert worker.terminate() == 0
    events = {}
    for one in deployment.events():
        body = json.loads(one.value or b"")
        events[body["id"]] = body
    messages = list(deployment.read(ADVICE))
    assert len(messages) == published >= 5
    carried = 0
    for message in messages:
        found = msgspec.json.decode(message.value or b"", type=Advice)
        event = events[found.event]
        assert message.key == found.account.encode()
        assert (found.kind, found.account, found.episode, found.sequence) == (
            event["kind"], event["account"], event["episode"], event["sequence"]
        )  # fmt: skip
        assert found.id == advice_id(found.event, found.positions) == read_event_headers(message.headers.items()).id
        reached = {topic: tuple(position) for topic, position in event["positions"].items()}
        assert all(found.positions[topic] >= position for topic, position in reached.items())
        assert found.event_time_us >= event["event_time_us"]
        if found.view is None:
            continue
        carried += 1
        about = About(
            id=found.event, kind=found.kind, account=found.account, episode=found.episode, sequence=found.sequence
        )  # fmt: skip
        assert encode(advise(decode(canonical(found.view)), about)) == message.value
    assert carried == sum(json.loads(m.value or b"")["kind"] == "liquidation" for m in messages)
    proved = [name for name, body in events.items() if body["kind"] == "liquidation"][:4]
    for name in proved:
        file = tmp_path / f"{name}.json"
        assert output(deployment, "bundle", name, "--out", str(file))[0] == 0, events[name]
        assert bundles.check(bundles.read(file.read_bytes()), this_build()).outcome == "equal"
    assert proved


def test_any_worker_answers_for_an_account_of_another(deployment: Deployment) -> None:
    """Two workers share the partitions; each gives the same answer about every account, whoever has it."""
    deployment.publish(itertools.islice(market(seed=32), 400))
    one, other = deployment.worker(), deployment.worker()
    share_out(one, other)
    deployment.wait_until_caught_up()
    asked = 0
    for name in ACCOUNTS[:12]:
        answers = [answered(worker, f"/v1/accounts/{name}/what-if?trade=BTC-PERPETUAL=0.01") for worker in (one, other)]
        assert answers[0] == answers[1]
        asked += answers[0]["account"] == name
    assert asked == 12
    trades = [
        answered(worker, f"/v1/accounts/{ACCOUNTS[0]}/pre-trade?trade=BTC-PERPETUAL=0.01") for worker in (one, other)
    ]
    assert trades[0] == trades[1]
    books = [answered(worker, "/v1/book/breaches?shock=BTC=-30%25") for worker in (one, other)]
    assert books[0] == books[1]
    assert books[0]["partitions"] == list(range(deployment.PARTITIONS))
    assert books[0]["answer"]["accounts"] >= 12
    unknown = [ask(worker, "/v1/accounts/nobody/explain") for worker in (one, other)]
    assert [status for status, _ in unknown] == [404, 404]
    # A question goes on once: the second of these is told that the account is elsewhere.
    routed = sorted(ask(worker, f"/v1/accounts/{ACCOUNTS[0]}/explain?routed=1")[0] for worker in (one, other))
    assert routed == [200, 404]
    assert one.terminate() == 0
    assert other.terminate() == 0


def test_questions_about_the_whole_book_read_the_topics(deployment: Deployment, tmp_path: Path) -> None:
    """Without a worker, and with the answers that files of the same records give."""
    deployment.publish(itertools.islice(market(seed=33), 700))
    own, prices = tmp_path / "accounts.jsonl", tmp_path / "market.jsonl"
    for path, wanted in ((own, True), (prices, False)):
        lines = (
            json.dumps({"topic": TOPIC_OF[type(one)].name, "record": json.loads(encode(one))})
            for one in deployment.published if hasattr(one, "account") is wanted
        )  # fmt: skip
        path.write_text("\n".join(lines) + "\n")
    files = ("--market", str(prices), "--portfolio", str(own))
    shock = ("--shock", "BTC=-20%")
    chosen = tmp_path / "set.json"
    chosen.write_text(json.dumps({"name": "default", "event_time_us": START_US, "risk_matrix": {"price_range": 0.9}}))
    for name, options in (
        ("breaches", shock), ("preview", ("--parameters", str(chosen))), ("cascade", (*shock, "--policy", "stagger")),
        ("plan", (ACCOUNTS[0],)),
    ):  # fmt: skip
        code, found = command(deployment, name, *options)
        assert (code, found) == command(deployment, name, *options, *files)
        assert len(json.dumps(found)) > 100, (name, code)


def answered(worker: Process, path: str) -> dict[str, Any]:
    """The answer, once the process that computes is there."""

    def found() -> dict[str, Any] | None:
        status, body = ask(worker, path)
        assert status in {200, 503}, body
        return json.loads(body) if status == 200 else None

    answer: dict[str, Any] = eventually(found)
    return answer
