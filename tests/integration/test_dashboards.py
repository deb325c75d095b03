"""Every query of the dashboards and rules, asked of a real Prometheus that reads a real worker."""

from __future__ import annotations

import itertools
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.brokers.selfcheck import Checked
from schemas.topics import TRADES
from tests.engine_market import random_market
from tests.integration.worker.deployment import ACCOUNTS, Deployment
from tests.integration.worker.support import Kafka, Process, eventually
from tests.support import ROOT

pytestmark = [pytest.mark.broker, pytest.mark.prometheus, pytest.mark.timeout(600)]

DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
TOKEN = "a-token-of-thirty-two-characters"


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    return found


def panels() -> list[tuple[str, str]]:
    """Title and query of every panel."""
    return [
        (f"{path.stem}: {panel['title']}", target["expr"])
        for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
        for panel in json.loads(path.read_text())["panels"]
        for target in panel["targets"]
    ]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class Prometheus:
    """A Prometheus with the shipped configuration, whose targets and files are those of a test."""

    def __init__(self, folder: Path, target: str) -> None:
        (folder / "token").write_text(TOKEN + "\n")
        config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
        assert config["rule_files"] == ["rules.yml"]
        config["rule_files"] = [str(RULES)]
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        (job,) = config["scrape_configs"]
        job["static_configs"] = [{"targets": [target]}]
        job["authorization"]["credentials_file"] = str(folder / "token")
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.port = free_port()
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def get(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}", timeout=30) as answer:
            return json.load(answer)["data"]

    def ask(self, expression: str) -> list[dict[str, Any]]:
        found = self.get("query", query=expression)
        if found["resultType"] == "scalar":
            return [{"metric": {}, "value": found["result"]}]
        result: list[dict[str, Any]] = found["result"]
        return result

    def up(self) -> bool:
        try:
            return bool(self.ask('up{job="liqmon"} == 1'))
        except OSError:
            return False


class Scene:
    """A worker in a crash with a refused record, and the Prometheus that reads it."""

    def __init__(self, worker: Process, prometheus: Prometheus) -> None:
        self.worker, self.prometheus = worker, prometheus

    def metrics(self) -> str:
        where = self.worker.said("health")[0]
        connection = HTTPConnection(where["host"], where["port"], timeout=60)
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        return connection.getresponse().read().decode()


@pytest.fixture(scope="module")
def scene(kafka: str, checked: Checked, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("prometheus")
    broker = Kafka(kafka, checked)
    started: list[Process] = []

    def spawn(arguments: list[str]) -> Process:
        process = Process(arguments, {"LIQMON_HEALTH_TOKEN": TOKEN, "LIQMON_SHUTDOWN_TIMEOUT_S": "60"})
        started.append(process)
        return process

    deployment = Deployment(broker, f"dash{os.getpid()}.", spawn, folder)
    subprocess.run(
        [sys.executable, "-m", "monitor", "topics", "apply", "--broker", kafka, "--prefix", deployment.prefix,
         "--partitions", str(deployment.PARTITIONS)],
        check=True, capture_output=True, cwd=ROOT,
    )  # fmt: skip
    worker = deployment.worker()
    worker.wait_for("ready")
    prometheus = Prometheus(folder, "{host}:{port}".format(**worker.wait_for("health")))
    try:
        eventually(prometheus.up)
        # While Prometheus looks on, so that counters are seen to grow.
        deployment.publish(random_market(8, 900, ACCOUNTS[:6], pace=20))
        broker.produce(f"{deployment.prefix}{TRADES.name}", [(0, b"x", b"no JSON")])
        deployment.wait_until_caught_up()
        made = Scene(worker, prometheus)
        eventually(lambda: prometheus.ask("sum(liqmon_dead_letters_total) > 0"))
        # Accounts are counted every 5 s.
        eventually(lambda: prometheus.ask("liqmon_correlation_ratio and on () liqmon_utilisation_ratio"))
        yield made
    finally:
        prometheus.process.terminate()
        prometheus.process.wait(30)
        for process in started:
            process.end()
        broker.close()


def test_every_panel_has_an_answer(scene: Scene) -> None:
    """No query is refused, and each has values on a worker that has seen a crash."""
    assert len(panels()) > 40

    def unanswered() -> dict[str, str]:
        return {title: query for title, query in panels() if not scene.prometheus.ask(query)}

    deadline_s = time.monotonic() + 60.0
    while (missing := unanswered()) and time.monotonic() < deadline_s:
        time.sleep(0.5)
    assert not missing


def test_every_rule_is_evaluated(scene: Scene) -> None:
    """Prometheus takes the file, evaluates all of it without an error, and what is wrong here has its alert."""
    wanted = {rule["alert"] for rule in rules()}

    def loaded() -> list[dict[str, Any]]:
        found = scene.prometheus.get("rules")["groups"]
        return [rule for group in found for rule in group["rules"] if rule["health"] != "unknown"]

    eventually(lambda: {rule["name"] for rule in loaded()} == wanted)
    assert {rule["name"]: rule.get("lastError") for rule in loaded() if rule["health"] != "ok"} == {}
    eventually(lambda: any(rule["name"] == "LiqmonDeadLetters" and rule["state"] == "firing" for rule in loaded()))


def test_every_name_and_label_is_that_of_a_live_worker(scene: Scene) -> None:
    """Metrics, labels and closed values that queries name are there; a misspelt one would be silent for ever."""
    exposed = scene.metrics()
    names = set(re.findall(r"^([a-z_]+)", exposed, re.MULTILINE)) | set(
        re.findall(r"^# TYPE (\S+)", exposed, re.MULTILINE)
    )
    labels = set(re.findall(r"[{,]([a-z_]+)=", exposed)) | {"job", "instance", "le"}
    for query in [query for _, query in panels()] + [rule["expr"] for rule in rules()]:
        used = set(re.findall(r"\b((?:liqmon|process)_[a-z_]+)\b", query))
        assert used or "up{" in query
        assert used <= names, query
        grouped = set(
            itertools.chain(*(re.split(r",\s*", one) for one in re.findall(r"(?:by|on) \(([a-z_, ]+)\)", query)))
        )
        selected = set(re.findall(r"[{,]\s*([a-z_]+)\s*[=!]", query))
        assert grouped | selected <= labels, query


def test_no_label_grows_with_the_book(scene: Scene) -> None:
    """No account and no instrument is in a label, and the series of a worker are few."""
    exposed = scene.metrics()
    series = [line for line in exposed.splitlines() if line and not line.startswith("#")]
    assert not [line for line in series if any(account in line for account in ACCOUNTS) or "PERPETUAL" in line]
    labels = {name for line in series for name in re.findall(r"[{,]([a-z_]+)=", line)}
    closed = "topic partition status kind reason name le rank level state regime outcome"
    assert labels <= {*closed.split(), "a", "b"}  # the last two are at most twelve coins
    assert len(series) < 1_000


@pytest.mark.parametrize("arguments", [("check", "rules", "rules.yml"), ("test", "rules", "rules.test.yml")])
def test_promtool_is_content(arguments: tuple[str, ...]) -> None:
    """The rules are rules, and each fires and is silent when it has to be."""
    done = subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, check=False, cwd=DEPLOY / "prometheus"
    )
    assert done.returncode == 0, done.stdout + done.stderr
