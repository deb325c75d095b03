"""What a real worker tells of itself, and what `verify` and `dead-letters` find on its topics."""

from __future__ import annotations

import importlib
import itertools
import json
import re
import sys
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor.config import Settings
from monitor.errors import MonitorError
from schemas.codec import encode
from schemas.records import Heartbeat, Instrument, Trade
from schemas.topics import DEAD_LETTERS, INSTRUMENTS, LIQUIDATIONS, MARGIN_CALLS, TICKS, TRADES
from tests.engine_market import START_US
from tests.integration.worker.conftest import Spawn
from tests.integration.worker.deployment import Deployment, check_events, check_positions, market
from tests.integration.worker.support import Kafka, Process, Read, eventually

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]  # only what hangs takes so long


def ask(worker: Process, path: str) -> tuple[int, bytes]:
    """One GET at a worker's own endpoint."""
    where = worker.wait_for("health")
    connection = HTTPConnection(where["host"], where["port"], timeout=120)
    connection.request("GET", path)
    response = connection.getresponse()
    answer = response.status, response.read()
    connection.close()
    return answer


def readiness(worker: Process) -> dict[str, Any]:
    status, body = ask(worker, "/readyz")
    answer: dict[str, Any] = json.loads(body)
    assert (status == 200) == answer["ready"] == (not answer["reasons"])
    return answer


def reasons(worker: Process) -> set[str]:
    return {one["name"] for one in readiness(worker)["reasons"]}


def metrics(worker: Process) -> dict[str, float]:
    """All samples by name and labels."""
    lines = ask(worker, "/metrics")[1].decode().splitlines()
    samples = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def behind(found: dict[str, float]) -> list[str]:
    """Partitions with a lag."""
    return [name for name, value in found.items() if name.startswith("liqmon_lag_records") and value]


def counted(found: dict[str, float]) -> float:
    """Account events that a worker has counted."""
    kinds = {name: value for name, value in found.items() if name.startswith("liqmon_events_published_total")}
    return sum(value for name, value in kinds.items() if 'kind="regime"' not in name and 'kind="range"' not in name)


def output(deployment: Deployment, name: str, *arguments: str) -> tuple[int, bytes]:
    """Run a command in this process, where the kernels are loaded once; return its code and what it printed."""
    settings = Settings(broker_url=deployment.broker.url, topic_prefix=deployment.prefix)
    module = importlib.import_module(f"monitor.cli.{name.replace('-', '_')}")
    done = CliRunner().invoke(module.command, list(arguments), obj=settings, standalone_mode=False)
    if isinstance(done.exception, MonitorError):
        return int(done.exception.exit_code), done.stdout_bytes
    assert done.exception is None, done.exception
    return int(done.return_value), done.stdout_bytes


def command(deployment: Deployment, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Run a command with --json; return its code and objects."""
    code, printed = output(deployment, *arguments, "--json")
    return code, [json.loads(line) for line in printed.splitlines()]


def test_a_worker_tells_how_it_is(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ready at work, with metrics that agree with the topics; a reason while its market is silent; and ready again."""
    monkeypatch.setenv("LIQMON_MARKET_SILENT_S", "5")
    deployment.publish(itertools.islice(market(seed=31), 800))
    worker = deployment.worker()
    worker.wait_for("ready")
    deployment.wait_until_caught_up()
    eventually(lambda: reasons(worker) == {"market_silent"})
    assert ask(worker, "/livez")[0] == 200
    eventually(lambda: metrics(worker)['liqmon_accounts{status="healthy"}'] > 0)
    # Prices and flushes may come after the last commit.
    eventually(lambda: not behind(metrics(worker)))
    eventually(lambda: counted(metrics(worker)) == deployment.events_so_far() > 0)
    found = metrics(worker)
    assert found['liqmon_watchdog{name="market_silent"}'] == 1.0
    assert found["liqmon_ready"] == 0.0
    trades = sum(isinstance(record, Trade) for record in deployment.published)
    assert found['liqmon_records_applied_total{topic="risk.trades.v1"}'] == trades
    assert found["liqmon_recoveries_total"] == deployment.PARTITIONS
    assert found["liqmon_step_seconds_count"] > 0
    assert found["liqmon_tick_to_event_seconds_count"] > 0
    assert found["process_resident_memory_bytes"] > 0
    assert not any("acct-" in name or "PERPETUAL" in name for name in found)

    account = next(record.account for record in deployment.published if isinstance(record, Trade))

    def explained() -> bool:
        status, body = ask(worker, f"/v1/accounts/{account}/explain")
        assert status in {200, 503}, body  # 503 while the process that answers starts
        return status == 200 and json.loads(body)["account"] == account

    eventually(explained)
    assert ask(worker, "/v1/accounts/nobody/explain")[0] == 404

    beat = encode(Heartbeat(source="clock", event_time_us=START_US + 10_000_000))

    def heard() -> bool:
        deployment.broker.produce(f"{deployment.prefix}{TICKS.name}", [(0, b"clock", beat)])
        return bool(readiness(worker)["ready"])

    eventually(heard)
    states = [(line["name"], line["state"]) for line in worker.said("watchdog")]
    assert states[:2] == [("market_silent", "raised"), ("market_silent", "over")]
    assert worker.terminate() == 0
    check_recovery(deployment)


def check_recovery(deployment: Deployment) -> None:
    """Assert that a worker that takes the state over says how far it is, at its endpoint, in metrics and in its log."""
    total = sum(deployment.broker.ends(deployment.changelog, deployment.PARTITIONS).values())
    heir = deployment.spawn([
        sys.executable, "-m", "tests.integration.worker.slow_recovery", *deployment.arguments(),
    ])  # fmt: skip
    heir.wait_for("health")
    said = eventually(lambda: [one["reason"] for one in readiness(heir)["reasons"] if one["name"] == "recovering"])
    share, read, of = re.match(r"(\d+) %.* \(([\d,]+) of ([\d,]+) offsets of the stored state\)$", said[0]).groups()  # type: ignore[union-attr]
    assert int(of.replace(",", "")) == total
    assert int(share) == round(100.0 * int(read.replace(",", "")) / total)
    eventually(lambda: 0.0 < metrics(heir).get("liqmon_recovery_share", 0.0) < 1.0)
    eventually(lambda: "s left" in str(readiness(heir)["reasons"]))
    heir.wait_for("ready")
    lines = heir.said("recovering")
    assert [line["total"] for line in lines] == [total] * len(lines)
    assert [line["read"] for line in lines] == sorted(line["read"] for line in lines)
    eventually(lambda: metrics(heir)["liqmon_recovery_share"] == 1.0)
    assert "liqmon_recovery_left_seconds" not in metrics(heir)
    assert heir.terminate() == 0


class Narrow(Deployment):
    """A deployment of one partition: a second worker has nothing to do."""

    PARTITIONS = 1


def test_a_worker_without_a_partition_idles_and_says_so(
    broker: Kafka, topic_prefix: str, create_topics: Callable[..., object], spawn: Spawn, tmp_path: Path
) -> None:  # fmt: skip
    """Of more workers than partitions one is ready and idle, and takes over when the other ends."""
    create_topics(partitions=Narrow.PARTITIONS)
    deployment = Narrow(broker, topic_prefix, spawn, tmp_path)
    deployment.publish(itertools.islice(market(seed=32), 200))
    workers = [deployment.worker() for _ in range(2)]
    for worker in workers:
        worker.wait_for("ready")
    # The endpoint's look is half a second old, and a rebalance may be under way.
    eventually(lambda: sorted(readiness(one).get("idle", False) for one in workers) == [False, True], 240)
    idler, busy = sorted(workers, key=lambda one: readiness(one)["partitions"])
    assert (metrics(idler)["liqmon_idle"], metrics(idler)["liqmon_partitions"]) == (1.0, 0.0)
    assert idler.said("idle")
    assert busy.terminate() == 0

    def took_over() -> bool:
        # Nobody publishes any more, so the market may have fallen silent.
        found = readiness(idler)
        return found.get("partitions") == 1 and {one["name"] for one in found["reasons"]} <= {"market_silent"}

    eventually(took_over, 240)
    assert idler.terminate() == 0


def test_a_record_that_was_lost_inside_ends_the_worker_before_it_is_passed(deployment: Deployment) -> None:
    """A defect that loses a record: nothing beyond it is stored or committed, and the successor applies it."""
    deployment.publish(itertools.islice(market(seed=33), 400))
    worker = deployment.spawn([
        sys.executable, "-m", "tests.integration.worker.losing_worker", *deployment.arguments(),
    ])  # fmt: skip
    assert worker.ended() == 75, worker.tail()
    assert worker.wait_for_last("ending")["reason"] == "OffsetHole"
    successor = deployment.worker()
    successor.wait_for("ready")
    deployment.wait_until_caught_up()
    assert successor.terminate() == 0
    state = deployment.state()
    check_events(deployment.events(), state)
    check_positions(deployment.published, state)


def tampered(event: Read) -> bytes:
    """The same event with another equity, in canonical form."""
    body = json.loads(event.value or b"")
    body["equity_usd"] += 1.0
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def test_events_verify_and_a_tampered_one_does_not(deployment: Deployment) -> None:
    """Across a kill, events computed in live order come out of the topics byte for byte; a changed one differs."""
    deployment.quick_takeovers()
    deployment.keep_publishing(market(seed=34), 150.0)
    first = deployment.worker()
    first.wait_for("ready")
    eventually(lambda: deployment.events_so_far() > 15, 240)
    first.kill()
    last = deployment.worker()
    last.wait_for("ready")
    eventually(lambda: deployment.events_so_far() > 40, 240)
    deployment.finish_publishing()
    deployment.wait_until_caught_up()
    assert last.terminate() == 0

    longest = max(deployment.events(), key=lambda event: json.loads(event.value or b"")["sequence"])
    identity = json.loads(longest.value or b"")["id"]
    code, (result,) = command(deployment, "verify", identity)
    assert (code, result["outcome"], result["differences"]) == (0, "equal", [])

    # Explained from the topics, at its moment and now.
    said = json.loads(longest.value or b"")
    code, (result,) = command(deployment, "explain", identity)
    assert (code, result["im_requirement_usd"]) == (0, pytest.approx(said["im_requirement_usd"], rel=1e-12))
    parts = [group["sequential_usd"] for group in result["change"]["groups"]]
    assert parts == [part["change_usd"] for part in said["attribution"]]
    code, (result,) = command(deployment, "explain", said["account"])
    assert (code, result["account"]) == (0, said["account"])

    # Given as a file, in another layout of JSON.
    file = deployment.folder / "event.json"
    file.write_text(json.dumps(json.loads(tampered(longest)), indent=2))
    code, (result,) = command(deployment, "verify", str(file))
    assert code == 1
    assert [one[0] for one in result["differences"]] == ["equity_usd"]

    # On the topic, under the same id: two contents, one of them true.
    topic = next(name for name in (MARGIN_CALLS, LIQUIDATIONS) if identity in str(deployment.read(name)))
    forged = [(longest.partition, longest.key, tampered(longest))]
    deployment.broker.produce(f"{deployment.prefix}{topic.name}", forged)
    code, results = command(deployment, "verify", identity)
    assert (code, sorted(one["outcome"] for one in results)) == (1, ["differs", "equal"])

    assert command(deployment, "verify", "0" * 32)[0] == 2
    deployment.broker.delete(f"{deployment.prefix}{TICKS.name}")
    deployment.broker.create({f"{deployment.prefix}{TICKS.name}": 1})
    code, (result,) = command(deployment, "verify", str(file))
    assert (code, result["outcome"]) == (3, "unverifiable")


def test_a_dead_letter_goes_back_when_its_fault_is_mended(deployment: Deployment) -> None:
    """A trade before its listing is refused; listed and replayed it is applied, once, and again only if asked."""
    deployment.publish(itertools.islice(market(seed=35), 200))
    late = Instrument(
        instrument="LATE-PERPETUAL", type="perpetual", underlying="BTC", settlement="USD", event_time_us=START_US
    )  # fmt: skip
    trade = Trade(
        trade_id="early", account="acct-1", instrument=late.instrument, quantity=2.0, price=10.0,
        event_time_us=START_US + 1_000_000,
    )  # fmt: skip
    trades = f"{deployment.prefix}{TRADES.name}"
    deployment.broker.produce(trades, [(None, b"acct-1", encode(trade)), (0, b"acct-1", b"\x1b[31m rubbish\xff")])
    worker = deployment.worker()
    worker.wait_for("ready")
    eventually(lambda: sum(deployment.ends(DEAD_LETTERS).values()) == 2)

    code, letters = command(deployment, "dead-letters", "list")
    assert code == 1
    assert {one["reason"] for one in letters} == {"unknown_instrument", "bad_utf8"}
    assert not any("\x1b" in one["value"] for one in letters)
    place = next(one["place"] for one in letters if one["reason"] == "unknown_instrument")
    rubbish = next(one["place"] for one in letters if one["reason"] != "unknown_instrument")
    assert output(deployment, "dead-letters", "show", place, "--raw") == (0, encode(trade))

    key = late.instrument.encode()
    deployment.broker.produce(f"{deployment.prefix}{INSTRUMENTS.name}", [(0, key, encode(late))])
    replay = ("dead-letters", "replay", "--reason", "unknown_instrument")
    assert command(deployment, *replay, "--dry-run")[0] == 0
    code, (sent,) = command(deployment, *replay)
    assert (code, sent["outcome"], sent["place"]) == (0, "sent", place)
    code, (left,) = command(deployment, *replay)
    assert (code, left["outcome"].partition(":")[0]) == (1, "left")
    assert command(deployment, *replay, "--again")[0] == 0
    deployment.wait_until_caught_up()
    back = [message for message in deployment.read(TRADES) if message.headers.get("dl-replay-of") == place.encode()]
    assert [message.value for message in back] == [encode(trade)] * 2
    assert [one["place"] for one in command(deployment, "dead-letters", "list")[1]] == [rubbish]
    assert command(deployment, "dead-letters", "replay")[0] == 2
    assert worker.terminate() == 0
    # The trade's id is known: the second copy changed nothing.
    assert deployment.state()["acct-1"]["holdings"][late.instrument]["quantity"] == 2.0
