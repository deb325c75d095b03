"""The bot at work on a real broker and worker, and then clients in three languages on what the worker wrote."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from rich.console import Console

from examples import bot_demo
from examples.bot_demo import Found, Options
from monitor.client import Message, Reason, Subscription, read_keys, subscribe
from schemas import asyncapi
from schemas.codec import encode
from schemas.headers import event_headers
from schemas.ids import event_id
from schemas.records import AccountEvent
from schemas.signatures import Keys, sign
from schemas.topics import ACCOUNT_STATES, LIQUIDATIONS, MARGIN_CALLS, TRADES, Topic
from tests.client_messages import STRANGERS
from tests.conftest import CLIENTS
from tests.integration.processes import environment
from tests.integration.worker.support import Read, read_all
from tests.unit.client.test_conformance import rebuilt
from tests.unit.client.test_pages import CLIENTS as PAGE

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]  # only what hangs takes so long

EVENT_TOPICS = (MARGIN_CALLS, LIQUIDATIONS)


@dataclass(frozen=True)
class Played:
    """What the demonstration left: on the broker, and in a folder with the monitor's keys."""

    broker: str
    prefix: str
    folder: Path
    found: Found

    @property
    def keys(self) -> Keys:
        return read_keys(self.folder / "keys")

    def read(self, topic: str) -> list[Read]:
        return read_all(self.broker, self.prefix + topic)


@pytest.fixture(scope="module")
def played(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A crash with one worker, a venue, and a bot that is killed once while it works."""
    folder, prefix = tmp_path_factory.mktemp("bot"), f"clients{os.getpid()}."
    options = Options(broker=kafka, accounts=200, kills=1, speed=6.0, prefix=prefix, keep_topics=True, folder=folder)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("LIQBOT_")]:
            patch.delenv(name)
        found = asyncio.run(bot_demo.run(options, Console(quiet=True)))
    return Played(kafka, prefix, folder, found)


# --- the bot ------------------------------------------------------------------------------------


def test_the_bot_brings_accounts_back_and_everybody_agrees(played: Played) -> None:
    """Each account that it traded for is above maintenance, and its ledger, the venue and the monitor say the same."""
    found = played.found
    log = (played.folder / "bot.log").read_text()[-3_000:]
    assert found.bot_code == 0, log
    assert found.kills == 1
    assert len(found.acted) >= 2, log
    assert not found.still
    assert not found.differing
    events = [msgspec.json.decode(one.value or b"", type=AccountEvent) for one in played.read(LIQUIDATIONS.name)]
    called = {event.account: event for event in events if event.kind == "liquidation"}
    for name in found.acted:
        before, after = called[name], found.after[name]
        assert before.equity_usd <= before.mm_requirement_usd
        assert after.equity_usd > after.mm_requirement_usd
        assert after.status not in {"liquidation", "bankrupt"}
        assert after.sequence > before.sequence


def test_an_action_is_carried_out_once_though_the_bot_was_killed(played: Played) -> None:
    """On the topic every order is there once, and the orders sum to the bot's ledger."""
    trades = [
        row
        for message in played.read(TRADES.name)
        for body in [json.loads(message.value or b"")]
        for row in body.get("rows", [body])
        if row["trade_id"].startswith("liq-")
    ]
    assert trades
    assert max(Counter(trade["trade_id"] for trade in trades).values()) == 1
    sums: dict[str, dict[str, float]] = defaultdict(dict)
    for trade in trades:
        held = sums[trade["account"]]
        held[trade["instrument"]] = held.get(trade["instrument"], 0.0) + trade["quantity"]
    assert {name: pytest.approx(held) for name, held in sums.items()} == {
        name: played.found.ledger[name] for name in played.found.acted
    }
    lines = [json.loads(line) for line in (played.folder / "journal.jsonl").read_text().splitlines()]
    actions = Counter((one["account"], one["episode"], one["action"]) for one in lines if one["type"] == "intent")
    assert max(actions.values()) == 1
    assert {(one["account"], one["episode"], one["action"]) for one in lines if one["type"] == "outcome"} == set(
        actions
    )


def test_run_once_and_dry_run_send_nothing(played: Played) -> None:
    """By default the bot is dry: one round over the end of the demonstration writes neither trade nor journal."""
    before = len(played.read(TRADES.name))
    journal = played.folder / "dry.jsonl"
    done = subprocess.run(
        [
            sys.executable, "-m", "examples.liquidation_bot", "--run-once", "--broker", played.broker,
            "--prefix", played.prefix,
        ],
        env=environment(LIQBOT_KEYS_FILE=str(played.folder / "keys"), LIQBOT_JOURNAL=str(journal)),
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict)
    assert not journal.exists()
    assert len(played.read(TRADES.name)) == before


# --- the contract -------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", [MARGIN_CALLS, LIQUIDATIONS, ACCOUNT_STATES], ids=lambda topic: topic.name)
def test_what_a_worker_writes_keeps_the_published_document(played: Played, topic: Topic) -> None:
    """Every message of a real worker is one of those that the AsyncAPI document says, with its key and headers."""
    document = json.loads(asyncapi.text())
    names = document["channels"][topic.name]["messages"]
    said = [document["components"]["messages"][f"{topic.name}.{name}"] for name in names]
    judges = [
        [jsonschema.Draft7Validator({**part, "components": document["components"]}) for part in (
            message["payload"], message.get("headers", {}), message["bindings"]["kafka"]["key"]
        )]
        for message in said
    ]  # fmt: skip
    written = [one for one in played.read(topic.name) if one.headers.get("ce_source") != b"forged"]
    assert written
    for one in written:
        value = None if one.value is None else json.loads(one.value)
        parts = (value, {name: text.decode() for name, text in one.headers.items()}, (one.key or b"").decode())
        fitting = [all(judge.is_valid(part) for judge, part in zip(of, parts, strict=True)) for of in judges]
        assert sum(fitting) == 1, one


# --- clients ------------------------------------------------------------------------------------


def _event(like: AccountEvent, account: str, **changes: Any) -> AccountEvent:
    return msgspec.structs.replace(
        like, account=account, id=event_id(account, like.episode, like.sequence, like.kind), **changes
    )


def _message(event: AccountEvent, keys: Keys, epoch: int = 1) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    body, key = encode(event), event.account.encode()
    headers = event_headers(body, source="forged", epoch=epoch)
    return key, body, [*headers, sign(key, headers, body, keys)]


@pytest.fixture(scope="module")
def forged(played: Played) -> Counter[str]:
    """Put what no client may act on behind the worker's own events; return how many of each."""
    real = [one for one in played.read(LIQUIDATIONS.name) if one.headers["ce_type"] == b"risk.liquidation.v1"]
    like = msgspec.json.decode(real[0].value or b"", type=AccountEvent)
    highest = max(int(one.headers["risk-epoch"]) for one in real)
    key, body, headers = _message(_event(like, "forged-1"), played.keys, highest)
    again = [(name, value) for name, value in real[0].headers.items()]
    later = [(n, v.replace(b":1", b":2") if n == "ce_dataschema" else v) for n, v in headers if n != "risk-signature"]
    messages = [
        ("repeated", real[0].key, real[0].value, again),
        ("tampered", key, body.replace(b"forged-1", b"forged-2"), headers),
        ("unsigned", key, body, headers[:-1]),
        ("unknown_key", *_message(_event(like, "forged-1"), STRANGERS, highest)),
        ("unknown_version", key, body, [*later, sign(key, later, body, played.keys)]),
        ("malformed", key, b"{}", [*headers[:-1], sign(key, headers[:-1], b"{}", played.keys)]),
        ("two_contents", *_message(
            msgspec.structs.replace(like, shortfall_usd=1.0), played.keys, int(real[0].headers["risk-epoch"])
        )),
    ]  # fmt: skip
    asyncio.run(_produce(played, [(key, value, headers) for _, key, value, headers in messages], real[0].partition))
    # Of an owner before the first one; where that was epoch 1, nobody was before.
    stale = _message(_event(like, "forged-3"), played.keys, int(real[0].headers["risk-epoch"]) - 1)
    asyncio.run(_produce(played, [stale], real[0].partition))
    return Counter([reason for reason, *_ in messages] + ["stale_epoch"])


async def _produce(played: Played, messages: list[tuple[Any, Any, Any]], partition: int) -> None:
    async with AIOKafkaProducer(bootstrap_servers=played.broker) as producer:
        for key, value, headers in messages:
            await producer.send_and_wait(
                played.prefix + LIQUIDATIONS.name, value, key=key, headers=headers, partition=partition
            )


@pytest.fixture(scope="module")
def told(played: Played, forged: Counter[str]) -> tuple[list[tuple[Any, ...]], Counter[str]]:
    """What the Python client makes of both topics: alerts, and messages by reason."""
    assert forged
    total = sum(len(played.read(topic.name)) for topic in EVENT_TOPICS)

    found: list[tuple[Any, ...]] = []

    async def read() -> Counter[str]:
        async with subscribe(
            group=f"{played.prefix}bot-python", broker=played.broker, prefix=played.prefix, keys=played.keys,
            now_us=lambda: 0,
        ) as alerts:  # fmt: skip
            reading = asyncio.create_task(_collect(alerts, found))
            async with asyncio.timeout(60.0):
                while sum(alerts.counts.values()) < total or len(found) < alerts.counts["delivered"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            return alerts.counts

    return found, asyncio.run(read())


async def _collect(alerts: Subscription, found: list[tuple[Any, ...]]) -> None:
    async for alert in alerts:  # one by one: what is there counts while more is waited for
        found.append(_line(alert.message, alert.event, alert.epoch, alert.signed_by))  # noqa: PERF401


def _line(message: Message, event: AccountEvent, epoch: int, signed_by: str | None) -> tuple[Any, ...]:
    digest = hashlib.sha256(message.value or b"").hexdigest()
    return (
        message.topic,
        message.partition,
        message.offset,
        event.id,
        event.kind,
        event.account,
        epoch,
        signed_by,
        digest,
    )


def _agrees(command: list[str], played: Played, told: tuple[list[tuple[Any, ...]], Counter[str]], flag: str) -> None:
    """Run a client over both topics to their end, and hold what it says against the Python client."""
    rebuilt()
    done = subprocess.run(
        [
            *command, f"{flag}broker", played.broker, f"{flag}prefix", played.prefix, f"{flag}keys",
            str(played.folder / "keys"), f"{flag}until-end", f"{flag}replay",
        ],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    names = ("topic", "partition", "offset", "id", "kind", "account", "epoch", "signed_by", "digest")
    lines = [tuple(json.loads(line)[name] for name in names) for line in done.stdout.splitlines()]
    alerts, counts = told
    assert sorted(lines) == sorted(alerts)
    assert json.loads(done.stderr.splitlines()[-1]) == {str(name): count for name, count in counts.items()}


def test_the_python_client_refuses_what_is_forged(
    played: Played, forged: Counter[str], told: tuple[list[tuple[Any, ...]], Counter[str]]
) -> None:
    """Of the worker's own events each comes once, and of the forged ones none, each for its reason."""
    alerts, counts = told
    refused = {str(reason): count for reason, count in counts.items() if reason in set(Reason)}
    assert refused == forged
    ids = {json.loads(one.value or b"")["id"] for topic in EVENT_TOPICS for one in played.read(topic.name)
           if one.headers.get("ce_source") != b"forged"}  # fmt: skip
    assert sorted(line[3] for line in alerts) == sorted(ids)
    assert {line[7] for line in alerts} == {"demo"}


@pytest.mark.apache_kafka
@pytest.mark.go_client
def test_the_go_client_reads_the_same(played: Played, told: tuple[list[tuple[Any, ...]], Counter[str]]) -> None:
    """The Go client gives the same alerts with the same bodies, and refuses the same messages."""
    _agrees([str(CLIENTS / "go" / "bin" / "liqmon-events")], played, told, "-")


@pytest.mark.apache_kafka
@pytest.mark.typescript_client
def test_the_typescript_client_reads_the_same(played: Played, told: tuple[list[tuple[Any, ...]], Counter[str]]) -> None:
    """The TypeScript client gives the same alerts with the same bodies, and refuses the same messages."""
    node = str(shutil.which("node"))
    _agrees([node, str(CLIENTS / "typescript" / "dist" / "events.js")], played, told, "--")


def test_the_page_s_first_example_runs(played: Played) -> None:
    """The program of docs/clients.md, as it stands there, prints an event that is valid now."""
    source = PAGE.partition("```python\n")[2].partition("```")[0]
    like = next(
        msgspec.json.decode(one.value or b"", type=AccountEvent)
        for one in played.read(LIQUIDATIONS.name) if one.headers["ce_type"] == b"risk.liquidation.v1"
    )  # fmt: skip
    now_us = time.time_ns() // 1000
    fresh = _event(like, "example-1", event_time_us=now_us, valid_until_us=now_us + 600_000_000)
    asyncio.run(_produce(played, [_message(fresh, played.keys, epoch=1_000_000)], 0))
    program = subprocess.Popen(
        [sys.executable, "-u", "-c", source], cwd=played.folder, stdout=subprocess.PIPE, text=True,
        env=environment(BROKER_URL=played.broker, LIQMON_TOPIC_PREFIX=played.prefix, PYTHONPATH=str(CLIENTS.parent)),
    )  # fmt: skip
    try:
        assert program.stdout is not None
        line = program.stdout.readline()
    finally:
        program.kill()
        program.communicate()
    assert line.split()[:2] == ["liquidation", "example-1"]
