"""`liqmon alerts` as its user runs it: real topics, a real HTTP endpoint, a real mail server, real crashes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from monitor.worker.options import WorkerOptions
from schemas import examples
from schemas.codec import encode
from schemas.headers import regime_headers
from schemas.ids import event_id
from schemas.records import AccountConfig, AccountEvent, RegimeChange
from schemas.topics import ACCOUNTS, REGIMES
from tests.client_messages import event, message
from tests.engine_market import START_US
from tests.integration.processes import environment, liqmon
from tests.integration.receivers import Mail, Web, mail, web
from tests.integration.worker.support import Process, eventually
from tests.unit.web.test_page import Served

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

SECRET = "token-4711-of-the-desk"
ROUTES = """
[alerts]
watch_every_s = 1
watch_for_s = 0
workers = ["http://127.0.0.1:{worker}"]

[alerts.channels.desk]
url_file = "{folder}/desk"
[alerts.channels.letters]
url_file = "{folder}/letters"
[alerts.channels.pager]
url_variable = "PAGER_ADDRESS"

[[alerts.routes]]
channels = ["desk"]
kinds = ["margin_call", "liquidation", "regime", "watchdog", "watchdog_over", "resolved"]
window_s = 0.5
[[alerts.routes]]
channels = ["letters"]
venues = ["okx"]
least_severity = "critical"
window_s = 0.5
[[alerts.routes]]
channels = ["pager"]
kinds = ["data_hold"]
window_s = 0
escalate_after_s = 2
escalate_to = ["desk"]
"""


def hold(account: str) -> AccountEvent:
    """A data hold whose id is that of its content."""
    of = event(account, kind="liquidation")
    identity = event_id(account, of.episode, of.sequence, "data_hold")
    return msgspec.structs.replace(of, kind="data_hold", id=identity, state_to=of.state_from, data_hold=True)


class Readyz:
    """A worker's `/readyz` whose answer the test sets."""

    def __init__(self) -> None:
        self.reasons: list[dict[str, str]] = []
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"ready": not kept.reasons, "reasons": kept.reasons}).encode()
                self.send_response(503 if kept.reasons else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]


class Scene:
    """Topics under a prefix, two receivers, a settings file, and processes of `liqmon alerts`."""

    def __init__(self, kafka: str, prefix: str, folder: Path, at: Web, letters: Mail, readyz: Readyz) -> None:
        self.kafka, self.prefix, self.web, self.mail, self.readyz = kafka, prefix, at, letters, readyz
        (folder / "desk").write_text(f"json://{SECRET}:pw-{SECRET}@127.0.0.1:{at.port}/desk\n")
        (folder / "letters").write_text(
            f"mailto://127.0.0.1:{letters.port}?from=liqmon@example.org&to=risk@example.org&mode=insecure\n"
        )
        self.file = folder / "liqmon.toml"
        self.file.write_text(ROUTES.format(folder=folder, worker=readyz.port))
        self.variables = {
            "LIQMON_CONFIG": str(self.file), "BROKER_URL": kafka, "LIQMON_TOPIC_PREFIX": prefix,
            "PAGER_ADDRESS": f"json://127.0.0.1:{at.port}/pager",
        }  # fmt: skip
        self.processes: list[Process] = []

    def start(self, *arguments: str) -> Process:
        made = Process([sys.executable, "-m", "monitor", "alerts", "run", *arguments], self.variables)
        self.processes.append(made)
        made.wait_for("alerts_ready")
        return made

    def wait(self, condition: Callable[[], Any]) -> None:
        """Wait for what must come; say what the last process wrote if it does not."""
        try:
            eventually(condition, 60.0)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.web.got}\n{self.processes[-1].tail()}") from error

    def liqmon(self, *arguments: str) -> Any:
        return liqmon("alerts", *arguments, env=environment(**self.variables))

    def publish(self, *events: AccountEvent, **how: Any) -> None:
        """Publish events, on partition 0 or `spread` over all, and `raw` messages."""
        asyncio.run(self._publish(list(events), how.get("raw", []), spread=how.get("spread", False)))

    async def _publish(
        self, events: list[AccountEvent], raw: list[tuple[str, bytes, bytes, Any]], *, spread: bool = False
    ) -> None:  # fmt: skip
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka)
        await producer.start()
        try:
            for one in events:
                of = message(one, keys=None)
                await producer.send_and_wait(
                    f"{self.prefix}{of.topic}",
                    of.value,
                    key=of.key,
                    headers=of.headers,
                    partition=None if spread else 0,
                )
            for topic, key, value, headers in raw:
                await producer.send_and_wait(f"{self.prefix}{topic}", value, key=key, headers=headers)
        finally:
            await producer.stop()


@pytest.fixture
def scene(
    kafka: str, topic_prefix: str, create_topics: Callable[..., object], tmp_path: Path
) -> Iterator[Scene]:  # fmt: skip
    create_topics(partitions=2)
    readyz = Readyz()
    serving = Thread(target=readyz.server.serve_forever, daemon=True)
    serving.start()
    with web() as at, mail() as letters:
        made = Scene(kafka, topic_prefix, tmp_path, at, letters, readyz)
        yield made
        for process in made.processes:
            process.end()
    readyz.server.shutdown()
    readyz.server.server_close()


def test_people_are_told_once_through_crashes(scene: Scene) -> None:  # noqa: PLR0915 (one deployment's life)
    """Routing, digest, refusal and retry, e-mail by venue, watchdogs, escalation, answers, and kills in between."""
    account = AccountConfig(account="okx-1", venue="okx", event_time_us=START_US)
    scene.publish(raw=[(ACCOUNTS.name, b"okx-1", encode(account), [])])
    first = scene.start()

    # One message for many events; what only a venue routes goes by mail.
    many = [event(f"acct-{number}", kind="margin_call") for number in range(30)]
    scene.publish(*many, event("okx-1", kind="liquidation"))
    scene.wait(lambda: len(scene.web.text("/desk").split("#")) > 20 and scene.mail.got)
    assert len(scene.web.titles("/desk")) <= 3
    ((to, subject, text),) = scene.mail.got
    assert to == ["risk@example.org"]
    assert subject == "[critical] liquidation of okx-1"
    assert "okx-1" in text

    # A channel that refuses holds the events back, and a kill -9 meanwhile loses none of them.
    scene.web.refusing = True
    scene.publish(event("held-1", kind="liquidation"), event("held-2", kind="liquidation"))
    scene.wait(lambda: scene.web.refused > 0)
    first.kill()
    scene.web.refusing = False
    before = len(scene.web.got)
    second = scene.start()
    scene.wait(lambda: "held-2" in scene.web.text("/desk"))
    told = "\n".join(body["message"] for _, body in scene.web.got[before:])
    assert "acct-" not in told  # what was told before the crash is not told again
    assert told.count("held-1: ") == 1

    # A repetition by the monitor, as after its own crash, is the same event.
    scene.publish(event("held-1", kind="liquidation"))

    # Regimes and watchdogs come the same way.
    regime = next(one for one in examples.of(RegimeChange) if isinstance(one, RegimeChange))
    body = encode(regime)
    key = ",".join(regime.underlyings).encode()
    scene.publish(raw=[(REGIMES.name, key, body, regime_headers(body, source="desk", epoch=1))])
    scene.readyz.reasons = [{"name": "market_silent", "reason": "no tick or heartbeat came for 12 s"}]
    scene.wait(lambda: "no tick or heartbeat" in scene.web.text("/desk") and "regime" in scene.web.text("/desk"))

    # Nobody answers: told again elsewhere. Somebody answers: not told again.
    scene.publish(hold("poor-1"), hold("poor-2"), hold("poor-3"))
    scene.wait(lambda: all(f"poor-{number}" in scene.web.text("/pager") for number in (1, 2, 3)))
    listed = scene.liqmon("list", "--json")
    assert listed.returncode == 1, listed.stderr
    waiting = {row["account"]: row for row in map(json.loads, listed.stdout.splitlines())}
    assert set(waiting) == {"poor-1", "poor-2", "poor-3"}
    check_page(scene, waiting["poor-3"]["id"])
    done = scene.liqmon("ack", waiting["poor-1"]["id"][:12], "--by", "somebody", "--text", "hedging")
    assert done.returncode == 0, done.stderr
    scene.wait(lambda: "not acknowledged" in " ".join(scene.web.titles("/desk")))
    left = [json.loads(line)["account"] for line in scene.liqmon("list", "--json").stdout.splitlines()]
    assert left == ["poor-2"]
    assert scene.liqmon("ack", "ffff").returncode == 1

    # An orderly end and a third process: the watchdog is known to be raised, its end is told, nothing else is.
    assert second.terminate() == 0
    before = len(scene.web.got)
    scene.readyz.reasons = []
    third = scene.start()
    scene.wait(lambda: "watchdog over" in " ".join(scene.web.titles("/desk")))
    assert len(scene.web.got) == before + 1
    assert third.terminate() == 0
    everything = scene.web.text("/desk") + scene.web.text("/pager")
    assert everything.count("held-1: ") == 1
    assert len(scene.mail.got) == 1

    # No line of any process has a secret.
    for process in scene.processes:
        assert SECRET not in "".join(process.text)


def check_page(scene: Scene, waiting: str) -> None:
    """Assert that a worker's page lists what waits and what stands, and that an answer given there counts here."""
    path = "/api/v1/acknowledgements"
    with ExitStack() as stack:
        served = Served(stack, options=WorkerOptions(broker=scene.kafka, partitions=2, prefix=scene.prefix))
        eventually(lambda: served.get(path)[1]["reading"] == "live")
        rows = served.get(path)[1]["alerts"]
        open_ = {row["account"]: row for row in rows if row["waits"]}
        assert set(open_) == {"poor-1", "poor-2", "poor-3"}
        (watchdog,) = (row for row in rows if row["kind"] == "watchdog")
        # Under the id that people were told.
        assert f"#{watchdog['id'][:12]}" in scene.web.text("/desk")
        version = served.get("/api/v1/pulse")[1]["answers"]
        told = {"id": waiting, "by": "Ada", "text": "called the client"}
        status, done = served.post(told)
        assert (status, done["ack"]["by"], done["ack"]["text"]) == (201, "Ada", "called the client")
        assert served.post(told) == (200, done)  # the same again is no second answer
        assert served.post({**told, "by": "Grace"})[1] == {
            "error": "Ada has answered for it already",
            "code": "answered",
        }
        assert served.post({**told, "id": "0" * 32})[1]["code"] in {"unknown_alert", "not_ready"}
        assert served.post({**told, "id": watchdog["id"]})[0] == 201
        assert {row["id"] for row in served.get(path)[1]["acks"]} == {waiting, watchdog["id"]}
        eventually(lambda: served.get("/api/v1/pulse")[1]["answers"] > version)
    left = [json.loads(line)["account"] for line in scene.liqmon("list", "--json").stdout.splitlines()]
    assert left == ["poor-1", "poor-2"]


def test_a_dry_run_shows_and_changes_nothing(scene: Scene) -> None:
    """Messages are printed; nothing is sent, noted or committed, so a real run tells all of it."""
    scene.publish(event("dry-1", kind="liquidation"))
    process = scene.start("--dry-run")
    assert scene.web.got == []
    assert process.terminate() == 0
    assert scene.liqmon("list").returncode == 0
    scene.start()
    scene.wait(lambda: "dry-1" in scene.web.text("/desk"))


def test_a_trial_names_the_channel_that_refuses(scene: Scene) -> None:
    """`alerts test` sends one message to each channel; exit code 1 and its name where one does not take it."""
    done = scene.liqmon("test")
    assert (done.returncode, sorted(done.stdout.split())) == (0, ["desk:", "letters:", "pager:", *["taken"] * 3])
    scene.web.refusing = True
    done = scene.liqmon("test", "desk")
    assert (done.returncode, done.stdout) == (1, "desk: REFUSED\n")
    assert SECRET not in done.stderr
