"""TLS, users, rights, signatures and the client package on an Apache Kafka that asks for all of them.

One broker for all tests of this module. What is refused is refused by it; nothing here is simulated.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError

from monitor.alerts.book import provide
from monitor.brokers import acls, topics
from monitor.brokers.kafka.jars import jars_dir
from monitor.brokers.kafka.java import find_java
from monitor.brokers.probe import probe
from monitor.brokers.refusals import AuthenticationRefused, CertificateExpired, OtherHost, TlsFailed, UnknownIssuer
from monitor.brokers.rights import lacking
from monitor.client import Alert, Reason, Refusal, Standing, Subscription, read_keys, states, subscribe
from monitor.connection import Endpoint, client_options
from monitor.errors import UsageError
from monitor.worker.options import WorkerOptions
from schemas.acls import BOOKS, PRICES, ROLES, Acl, Deployment, Operation
from schemas.acls import acls as acls_of
from schemas.codec import encode, key_of
from schemas.records import Input
from schemas.signatures import SIGNATURE, Tampered, sign, verify
from schemas.topics import ALERT_NOTES, ALL, LIQUIDATIONS, MARGIN_CALLS
from tests.conftest import CLIENTS
from tests.engine_market import TOPIC_OF
from tests.integration.processes import LIQMON, assert_told, liqmon
from tests.integration.secured import Secured, secured_kafka
from tests.integration.worker.deployment import market
from tests.integration.worker.support import Process, eventually, read_all
from tests.support import ROOT
from tests.unit.client.test_conformance import rebuilt
from tests.unit.web.test_page import Served
from tests.unit.worker.test_health import TOKEN

pytestmark = [pytest.mark.broker, pytest.mark.local_broker]

OF = Deployment("sec.", "app")
SETTINGS = {"LIQMON_TOPIC_PREFIX": OF.prefix, "LIQMON_APPLICATION_ID": OF.application_id, "LIQMON_PARTITIONS": "2"}
UNREACHABLE = 3
KEY_LINES = [f"k{n} hmac-sha256 {base64.b64encode(os.urandom(32)).decode()}\n" for n in (1, 2)]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The broker, with every role's rights given by the command and the topics made by the role admin."""
    with secured_kafka(tmp_path_factory.mktemp("tls")) as made:
        # Rights as the cluster's owner gives them; one role through the command, the others by what it calls.
        by_command = made.environment("owner", **SETTINGS)
        done = liqmon("acls", "apply", "--role", "admin", "--principal", "User:admin", env=by_command)
        assert done.returncode == 0, done.stderr
        for role in ROLES:
            asyncio.run(acls.apply(made.endpoint("owner"), f"User:{role}", acls_of(role, OF)))
        done = liqmon("topics", "apply", "--changelog", env=made.environment("admin", **SETTINGS))
        assert done.returncode == 0, done.stderr
        yield made


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of two keys, the newer one first."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text("".join(reversed(KEY_LINES)))
    return file


# --- the way there ------------------------------------------------------------------------------


def test_users_come_over_tls(secured: Secured) -> None:
    """A user with the right password, and a machine with a certificate of its own, are let in."""
    machine = str(secured.folder / "machine.pem")
    assert probe(secured.endpoint("worker")).brokers
    assert probe(secured.over_tls("MUTUAL", LIQMON_TLS_CERTIFICATE_FILE=machine)).brokers


def test_each_wrong_thing_is_refused_by_its_name(secured: Secured, tmp_path: Path) -> None:
    """Another authority or host, an expired certificate, a wrong password or mechanism, and no certificate of ours."""
    (tmp_path / "password").write_text("not the password")
    other = tmp_path / "other"
    subprocess.run([ROOT / "deploy" / "tls" / "make-certificates.sh", other], check=True, capture_output=True)
    wrong = secured.variables("worker", LIQMON_SASL_PASSWORD_FILE=str(tmp_path / "password"))
    weaker = secured.variables("worker", LIQMON_SASL_MECHANISM="SCRAM-SHA-256")
    nobody = secured.variables("worker", LIQMON_SASL_USERNAME="nobody")
    cases: list[tuple[type[Exception], Endpoint]] = [
        (
            UnknownIssuer,
            secured.endpoint(variables=secured.variables("worker", LIQMON_TLS_CA_FILE=str(other / "ca.pem"))),
        ),
        (OtherHost, secured.over_tls("ELSEWHERE")),
        (CertificateExpired, secured.over_tls("EXPIRED")),
        (AuthenticationRefused, secured.endpoint(variables=wrong)),
        (AuthenticationRefused, secured.endpoint(variables=weaker)),
        (AuthenticationRefused, secured.endpoint(variables=nobody)),
        (TlsFailed, secured.over_tls("MUTUAL")),
    ]
    for refused, address in cases:
        with pytest.raises(refused) as caught:
            probe(address)
        assert "not the password" not in str(caught.value)


def test_a_command_says_it_in_one_line(secured: Secured, tmp_path: Path) -> None:
    """The worker with a wrong password ends before it does anything, with the line that says so and exit code 3."""
    (tmp_path / "password").write_text("not the password")
    wrong = secured.environment("worker", LIQMON_SASL_PASSWORD_FILE=str(tmp_path / "password"), **SETTINGS)
    assert_told(liqmon("topics", "plan", env=wrong), UNREACHABLE, "refuses user 'worker'", "sasl_username")


# --- rights -------------------------------------------------------------------------------------


def everything() -> list[Acl]:
    """Every right that can be tried, on every topic and group there is, and on names that no role knows."""
    names = [*(f"{OF.prefix}{topic.name}" for topic in ALL), *OF.changelogs, "elsewhere.risk.trades.v1"]
    exact = [*OF.groups, f"{OF.prefix}replay"]
    begun = [f"{OF.prefix}bot-", f"{OF.prefix}letters-", "elsewhere.bot-"]
    tried: tuple[Operation, ...] = ("Read", "Write", "DescribeConfigs")
    return [
        *(Acl("topic", name, "literal", operation) for name in names for operation in tried),
        *(Acl("group", name, "literal", "Read") for name in exact),
        *(Acl("group", name, "prefixed", "Read") for name in begun),
    ]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_the_table_says_and_nothing_else(secured: Secured, role: str) -> None:
    """Every right of the table is there, and each of all others, tried one by one, is denied by the broker."""
    granted = set(acls_of(role, OF))
    denied = asyncio.run(lacking(secured.endpoint(role), everything()))
    # Whoever may alter a configuration may see it: Kafka's rule, and the same line in the table.
    assert set(denied) == set(everything()) - granted
    assert len(denied) >= 20


def test_the_worst_is_denied(secured: Secured) -> None:
    """Written down without the table: who must not do what, whatever the table says."""
    denied = {
        "bot": ["Write risk.liquidations.v1", "Read risk.trades.v1", "Write market.ticks.v1"],
        "feed": ["Write risk.trades.v1", "Read risk.liquidations.v1", "Write risk.parameters.v1"],
        "books": ["Write market.ticks.v1", "Write risk.margin-calls.v1"],
        "worker": ["Write market.ticks.v1", "Write risk.trades.v1", "Read risk.dead-letters.v1"],
        "solver": ["Write risk.awards.v1", "Write risk.intents.v1", "Read risk.trades.v1", "Write risk.advice.v1"],
        "auction": ["Write risk.answers.v1", "Write risk.advice.v1", "Write risk.liquidations.v1"],
        "letters": ["Write risk.margin-calls.v1", "Write risk.account-states.v1"],
        "admin": ["Read risk.trades.v1", "Write risk.liquidations.v1"],
        "replay": ["Write risk.liquidations.v1", "Read app-state-changelog"],
        "auditor": ["Write risk.liquidations.v1", "Read risk.dead-letters.v1", "Write risk.trades.v1"],
    }
    assert denied.keys() == ROLES.keys()
    for role, told in denied.items():
        wanted = [
            Acl("topic", f"{OF.prefix}{name}", "literal", "Read" if operation == "Read" else "Write")
            for operation, name in (each.split() for each in told)
        ]
        assert asyncio.run(lacking(secured.endpoint(role), wanted)) == wanted, role


def test_nobody_creates_alters_or_gives_rights_but_who_should(secured: Secured) -> None:
    """Only admin creates topics of the table, nobody others, and no role reads or changes rights."""
    mine = topics.Wanted(f"{OF.prefix}{MARGIN_CALLS.name}", 2, {"retention.ms": "1000"})
    foreign = topics.Wanted("elsewhere.v1", 1)
    for role in ROLES:
        with pytest.raises(topics.TopicsError):
            asyncio.run(topics.apply(secured.endpoint(role), [foreign]))
        with pytest.raises(acls.AclsError):
            asyncio.run(acls.apply(secured.endpoint(role), f"User:{role}", acls_of("admin", OF)))
        if role != "admin":
            with pytest.raises(topics.TopicsError):
                asyncio.run(topics.apply(secured.endpoint(role), [mine]))
    assert asyncio.run(topics.plan(secured.plain, [topics.Wanted("elsewhere.v1", 1)]))[0].kind == "missing"
    assert liqmon("topics", "plan", "--changelog", env=secured.environment("admin", **SETTINGS)).returncode == 0


def test_doctor_tells_of_certificates_and_rights(secured: Secured) -> None:
    """The doctor says until when the certificate is good and which rights of a role this user lacks."""
    from monitor.config import load  # noqa: PLC0415
    from monitor.doctor.security import connection, rights  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        for name, value in secured.variables("worker", **SETTINGS).items():
            patch.setenv(name, value)
        settings = load(None, os.environ)
        found = {one.name: one for one in (*connection(settings), *rights(settings, "worker"))}
        assert (found["security"].outcome, found["rights"].outcome) == ("ok", "ok")
        assert found["secrets"].outcome == "warning"  # the script's files are for a container's user to read
        (lack,) = rights(settings, "books")
        assert (lack.outcome, lack.values["missing"]) == ("failure", len(BOOKS))


# --- the whole path -----------------------------------------------------------------------------


async def _publish(secured: Secured, records: Iterable[Input]) -> None:
    """Publish prices as the feed and everything else as the books, in order."""
    producers = {}
    for role in ("feed", "books"):
        producers[role] = AIOKafkaProducer(
            **client_options(secured.endpoint(role)), acks="all", enable_idempotence=True
        )
        await producers[role].start()
    try:
        for record in records:
            topic = TOPIC_OF[type(record)]
            assert topic in (*PRICES, *BOOKS)
            producer = producers["feed" if topic in PRICES else "books"]
            await producer.send_and_wait(f"{OF.prefix}{topic.name}", encode(record), key=key_of(topic.name, record))
    finally:
        for producer in producers.values():
            await producer.stop()


async def _alerts(secured: Secured, keys: Path, count: int, **options: Any) -> tuple[list[Alert], list[Refusal]]:
    """Take `count` alerts as a bot does."""
    refused: list[Refusal] = []
    taken: list[Alert] = []
    async with subscribe(
        broker=secured.endpoint("bot"), prefix=OF.prefix, group=f"{OF.prefix}bot-1", keys=read_keys(keys),
        on_refused=refused.append, **{"now_us": lambda: 0, **options},
    ) as alerts, asyncio.timeout(60):  # fmt: skip
        async for alert in alerts:
            taken.append(alert)
            if len(taken) == count:
                break
    return taken, refused


@pytest.fixture(scope="module")
def worker(secured: Secured, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A worker as its role, at the most talkative level, signing, with a crash of some minutes behind it."""
    asyncio.run(_publish(secured, itertools.islice(market(seed=5), 900)))
    here = secured.variables("worker", **SETTINGS, LIQMON_SIGNING_KEY_FILE=str(keys), LIQMON_LOG_LEVEL="debug")
    # No broker of the settings: it is in the variables.
    process = Process([*LIQMON, "worker", "--session-timeout", "30", "--data", str(tmp_path_factory.mktemp("w"))], here)
    process.wait_for("ready")
    eventually(lambda: sum(_count(secured, topic.name) for topic in (MARGIN_CALLS, LIQUIDATIONS)) >= 20)
    yield process
    process.end()


def _count(secured: Secured, topic: str) -> int:
    return len(read_all(secured.plain, f"{OF.prefix}{topic}"))


def test_the_whole_path_over_tls(secured: Secured, worker: Process, keys: Path) -> None:
    """Feed, books, worker and bot each as its own user: events are computed, signed, and reach the bot once each."""
    messages = [
        *read_all(secured.plain, f"{OF.prefix}{MARGIN_CALLS.name}"),
        *read_all(secured.plain, f"{OF.prefix}{LIQUIDATIONS.name}"),
    ]
    ring = read_keys(keys)
    for message in messages:
        assert verify(message.key, list(message.headers.items()), message.value, ring) == "k2"
    taken, refused = asyncio.run(_alerts(secured, keys, 20))
    assert len({alert.id for alert in taken}) == 20
    assert refused == []
    assert {alert.signed_by for alert in taken} == {"k2"}
    assert worker.child.poll() is None


def test_the_page_answers_for_whom_it_knows(secured: Secured, worker: Process) -> None:
    """Without a token it lends the worker's name to nobody; with one an answer is written, once the topic was made."""
    del worker
    event = json.loads(read_all(secured.plain, f"{OF.prefix}{LIQUIDATIONS.name}")[0].value or b"")
    told = {"id": event["id"], "by": "Ada", "text": "hedging"}
    options = WorkerOptions(
        broker=secured.endpoint("worker"), partitions=2, prefix=OF.prefix, application_id=OF.application_id
    )
    bearer = f"Bearer {TOKEN}"
    with ExitStack() as stack:
        stranger = Served(stack, options=options)
        assert stranger.post(told)[1]["code"] == "read_only"
        assert stranger.get("/api/v1/acknowledgements")[1]["writable"] is False
        desk = Served(stack, TOKEN, options)

        def post() -> tuple[int, str]:
            status, said = desk.post(told, Authorization=bearer)
            return status, said.get("code", "")

        # The worker may not make the topic; who may does, as `liqmon alerts run` with the rights of its page.
        eventually(lambda: post() == (503, "not_written"), every_s=2.0)
        asyncio.run(provide(secured.plain, OF.prefix))
        eventually(lambda: post()[0] in {200, 201}, every_s=2.0)
        (ack,) = desk.get("/api/v1/acknowledgements", authorization=bearer)[1]["acks"]
        assert (ack["id"], ack["by"], ack["text"]) == (event["id"], "Ada", "hedging")
    (note,) = read_all(secured.plain, f"{OF.prefix}{ALERT_NOTES.name}")
    assert note.key == f"ack/{event['id']}".encode()


def test_an_auditor_digests_and_verifies(secured: Secured, worker: Process) -> None:
    """With the rights of its role alone, a person gets the digest of all events and one of them verified."""
    del worker
    environment = secured.environment("auditor", **SETTINGS)
    digest = liqmon("digest", "--json", env=environment)
    assert digest.returncode == 0, digest.stderr
    assert json.loads(digest.stdout)["events"] >= 20
    (first, *_) = read_all(secured.plain, f"{OF.prefix}{MARGIN_CALLS.name}")
    verified = liqmon("verify", json.loads(first.value or b"")["id"], "--json", env=environment)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_bot_goes_on_where_it_stopped(secured: Secured, worker: Process, keys: Path) -> None:
    """What was finished is not delivered again, what was in hand when the bot failed is, and nothing is left out."""
    del worker
    everything_once: list[str] = []

    async def failing() -> None:
        async with subscribe(
            broker=secured.endpoint("bot"), prefix=OF.prefix, group=f"{OF.prefix}bot-2", keys=read_keys(keys),
            now_us=lambda: 0,
        ) as alerts, asyncio.timeout(60):  # fmt: skip
            async for alert in alerts:
                if len(everything_once) == 7:
                    raise RuntimeError(alert.id)
                everything_once.append(alert.id)

    with pytest.raises(RuntimeError) as caught:
        asyncio.run(failing())
    sent = _count(secured, MARGIN_CALLS.name) + _count(secured, LIQUIDATIONS.name)

    async def rest() -> list[str]:
        taken = []
        async with subscribe(
            broker=secured.endpoint("bot"), prefix=OF.prefix, group=f"{OF.prefix}bot-2", keys=read_keys(keys),
            now_us=lambda: 0,
        ) as alerts, asyncio.timeout(60):  # fmt: skip
            async for alert in alerts:
                taken.append(alert.id)
                if len(taken) == sent - 7:
                    break
        return taken

    again = asyncio.run(rest())
    assert str(caught.value) in again
    assert not set(again) & set(everything_once)
    assert len({*again, *everything_once}) == sent


def _printed(secured: Secured, keys: Path, command: list[str], flag: str) -> None:
    """Have a client in another language read as the bot's user, and hold its ids against the topics."""
    rebuilt()
    said = [f"{flag}broker", secured.at("OUTSIDE"), f"{flag}prefix", OF.prefix, f"{flag}keys", str(keys)]
    done = subprocess.run(
        [*command, *said, f"{flag}until-end", f"{flag}replay"], env=secured.environment("bot"), capture_output=True,
        text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    messages = [
        message
        for topic in (MARGIN_CALLS, LIQUIDATIONS)
        for message in read_all(secured.plain, f"{OF.prefix}{topic.name}")
    ]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["id"] for line in lines} == {message.headers["ce_id"].decode() for message in messages}
    assert {line["signed_by"] for line in lines} == {"k2"}


@pytest.mark.go_client
def test_the_go_client_comes_over_tls(secured: Secured, worker: Process, keys: Path) -> None:
    """With the variables of liqmon the Go client reads as the bot's user, with that role's rights alone."""
    del worker
    _printed(secured, keys, [str(CLIENTS / "go" / "bin" / "liqmon-events")], "-")


@pytest.mark.typescript_client
def test_the_typescript_client_comes_over_tls(secured: Secured, worker: Process, keys: Path) -> None:
    """With the variables of liqmon the TypeScript client reads as the bot's user, with that role's rights alone."""
    del worker
    _printed(secured, keys, [str(shutil.which("node")), str(CLIENTS / "typescript" / "dist" / "events.js")], "--")


def test_bots_of_a_group_share_the_accounts(secured: Secured, worker: Process, keys: Path) -> None:
    """When a second bot joins, each account goes to one of both, and at most the alert in hand then comes to both."""
    del worker
    sent = _events(secured)
    taken: tuple[list[str], list[str]] = ([], [])

    def member() -> Subscription:
        return subscribe(
            broker=secured.endpoint("bot"), prefix=OF.prefix, group=f"{OF.prefix}bot-6", keys=read_keys(keys),
            now_us=lambda: 0,
        )  # fmt: skip

    async def share() -> None:
        everything = asyncio.Event()

        async def take(alerts: Subscription, into: list[str]) -> None:
            while True:
                into.append((await anext(alerts)).id)
                if set(taken[0]) | set(taken[1]) >= sent:
                    everything.set()

        async with member() as first, asyncio.timeout(90):
            taken[0].append((await anext(first)).id)
            async with member() as second:
                tasks = [asyncio.create_task(take(*pair)) for pair in zip((first, second), taken, strict=True)]
                await everything.wait()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(share())
    first, second = taken
    assert second
    assert set(first) | set(second) == sent
    assert len(first) + len(second) <= len(sent) + 1
    assert len(set(first)) == len(first)


def _events(secured: Secured) -> set[str]:
    """Ids of all events on both topics."""
    names = [f"{OF.prefix}{topic.name}" for topic in (MARGIN_CALLS, LIQUIDATIONS)]
    return {message.headers["ce_id"].decode() for name in names for message in read_all(secured.plain, name)}


def test_forgeries_on_the_topic_are_refused(secured: Secured, worker: Process, tmp_path: Path, keys: Path) -> None:
    """Of events that somebody with the right to write altered, re-keyed, stripped or repeated, none reaches the bot."""
    del worker
    name = f"{OF.prefix}{LIQUIDATIONS.name}"
    whole = read_all(secured.plain, name)[0]
    headers = [(n, v) for n, v in whole.headers.items() if n != SIGNATURE]
    stranger = tmp_path / "stranger"
    stranger.write_text(KEY_LINES[0].replace("k1", "k9"))
    imposter = tmp_path / "imposter"
    imposter.write_text(f"k2 hmac-sha256 {base64.b64encode(os.urandom(32)).decode()}\n")
    signature = (SIGNATURE, whole.headers[SIGNATURE])
    assert whole.value is not None
    forged = [
        (Reason.UNSIGNED, whole.value, headers),
        (Reason.TAMPERED, whole.value.replace(b'"kind"', b'"kind" '), [*headers, signature]),
        (Reason.UNKNOWN_KEY, whole.value, [*headers, sign(whole.key, headers, whole.value, read_keys(stranger))]),
        (Reason.TAMPERED, whole.value, [*headers, sign(whole.key, headers, whole.value, read_keys(imposter))]),
        (Reason.REPEATED, whole.value, [*headers, signature]),
    ]
    with pytest.raises(Tampered):
        verify(whole.key, forged[1][2], forged[1][1], read_keys(keys))

    async def publish() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=secured.plain, acks="all")
        await producer.start()
        for _, value, told in forged:
            await producer.send_and_wait(name, value, key=whole.key, headers=told)
        await producer.stop()

    asyncio.run(publish())

    refused, _ = asyncio.run(_refusals(secured, keys, "3", len(forged), now_us=lambda: 0))
    assert [one.reason for one in refused] == [reason for reason, _, _ in forged]


async def _refusals(
    secured: Secured, keys: Path, group: str, count: int, **options: Any
) -> tuple[list[Refusal], int]:  # fmt: skip
    """Return the first `count` refusals of a new group, and how many alerts it got meanwhile."""
    refused: list[Refusal] = []
    enough = asyncio.Event()

    def note(one: Refusal) -> None:
        refused.append(one)
        if len(refused) >= count:
            enough.set()

    async with subscribe(
        broker=secured.endpoint("bot"), prefix=OF.prefix, group=f"{OF.prefix}bot-{group}", keys=read_keys(keys),
        on_refused=note, **options,
    ) as alerts, asyncio.timeout(60):  # fmt: skip
        following = asyncio.ensure_future(_drain(alerts))
        await enough.wait()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    return refused, alerts.counts["delivered"]


async def _drain(alerts: Any) -> None:
    async for _ in alerts:
        pass


def test_what_is_over_is_not_acted_on(secured: Secured, worker: Process, keys: Path) -> None:
    """With today's clock, events of another year are refused for their age, and none is delivered."""
    del worker

    refused, delivered = asyncio.run(_refusals(secured, keys, "4", 20))
    assert sum(one.reason == Reason.EXPIRED for one in refused) >= 15
    assert delivered == 0


def test_states_say_what_still_stands(secured: Secured, worker: Process, keys: Path) -> None:
    """Of each account the last alert stands or is held, and every earlier one is superseded."""
    del worker
    sent = len(_events(secured))

    async def look() -> dict[str, list[tuple[int, Standing]]]:
        found: dict[str, list[tuple[int, Standing]]] = {}
        ring, broker = read_keys(keys), secured.endpoint("bot")
        async with (
            states(broker=broker, prefix=OF.prefix, keys=ring) as view,
            subscribe(
                broker=broker, prefix=OF.prefix, group=f"{OF.prefix}bot-5", keys=ring, now_us=lambda: 0
            ) as alerts,
            asyncio.timeout(60),
        ):
            async for alert in alerts:
                standing = await view.recheck(alert)
                found.setdefault(alert.account, []).append((alert.event.sequence, standing))
                if sum(map(len, found.values())) == sent:
                    break
        return found

    for told in asyncio.run(look()).values():
        *earlier, (_, last) = sorted(told)
        assert {standing for _, standing in earlier} <= {Standing.SUPERSEDED}
        assert last in {Standing.STANDS, Standing.HELD}


def test_a_role_that_may_not_write_is_told(secured: Secured) -> None:
    """A bot that tries to publish an event gets the broker's refusal."""

    async def forge() -> None:
        producer = AIOKafkaProducer(**client_options(secured.endpoint("bot")))
        await producer.start()
        try:
            await producer.send_and_wait(f"{OF.prefix}{LIQUIDATIONS.name}", b"{}", key=b"desk-7")
        finally:
            await producer.stop()

    with pytest.raises(TopicAuthorizationFailedError):
        asyncio.run(forge())


def test_no_secret_is_in_what_a_worker_says(secured: Secured, worker: Process, keys: Path) -> None:
    """Neither password nor keys are in any line of a worker at its most talkative, nor a token from a poisoned record.

    The record itself is a dead letter with its bytes as they were: whoever may read those sees them.
    """
    token = b"tok3n-" + os.urandom(12).hex().encode()
    asyncio.run(_poison(secured, b'{"account":"desk-7","api_token":"' + token + b'"}'))
    name = f"{OF.prefix}risk.dead-letters.v1"
    (letter,) = eventually(lambda: read_all(secured.plain, name))
    assert token in (letter.value or b"")
    assert not any(token in value for value in letter.headers.values())
    # A clean end flushes everything that there is to say.
    assert worker.terminate() == 0, worker.tail()
    said = "".join(worker.text)
    assert len(worker.text) > 100
    planted = [(secured.folder / "passwords" / "worker").read_text().strip(), token.decode()]
    planted += [line.split()[2] for line in KEY_LINES]
    assert [value for value in planted if value in said] == []
    del keys


async def _poison(secured: Secured, value: bytes) -> None:
    producer = AIOKafkaProducer(**client_options(secured.endpoint("books")))
    await producer.start()
    await producer.send_and_wait(f"{OF.prefix}risk.trades.v1", value, key=b"desk-7")
    await producer.stop()


# --- compose ------------------------------------------------------------------------------------


def test_the_users_of_the_compose_file_are_made(secured: Secured, tmp_path: Path) -> None:
    """The script of its service, with the tool's place and the broker's address exchanged, makes a user who gets in."""
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["users-tls"]
    (script,) = service["command"]
    tool = tmp_path / "kafka-configs.sh"
    tool.write_text(f'#!/bin/sh\nexec {find_java()} -Xmx128m -cp "{jars_dir()}/*" kafka.admin.ConfigCommand "$@"')
    tool.chmod(0o755)
    passwords = tmp_path / "passwords"
    passwords.mkdir()
    (passwords / "newcomer").write_text("the-password-of-a-newcomer\n")
    script = script.replace("$$", "$").replace("/opt/kafka/bin/kafka-configs.sh", str(tool))
    script = script.replace("/etc/kafka/secrets/passwords", str(passwords)).replace("localhost:19093", secured.plain)
    done = subprocess.run([*service["entrypoint"], script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "the-password" not in done.stdout + done.stderr
    came = secured.variables(
        "worker", LIQMON_SASL_USERNAME="newcomer", LIQMON_SASL_PASSWORD_FILE=str(passwords / "newcomer")
    )
    assert eventually(lambda: _answers(secured.endpoint(variables=came)))


def _answers(address: Endpoint) -> bool:
    try:
        return bool(probe(address).brokers)
    except AuthenticationRefused:  # the controller has it, the broker not yet
        return False


def test_plain_text_needs_no_refusal_by_the_broker(secured: Secured) -> None:
    """What is refused on the way to another machine is refused here, before a single byte is sent."""
    with pytest.raises(UsageError):
        probe(Endpoint(f"kafka.invalid:{secured.broker.port}"))
