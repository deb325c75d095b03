"""What is shipped for containers, as far as it can be judged without an engine: files, commands, settings, rights."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import click
import msgspec
import pytest
import yaml

from monitor import __version__
from monitor.alerts.settings import Alerts, check
from monitor.cli import liqmon
from monitor.config import Settings, load
from monitor.sections import section
from tests.support import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("liquidation-monitor")}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
MANIFESTS: list[dict[str, Any]] = [
    document
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
]


def kind(name: str) -> list[dict[str, Any]]:
    return [one for one in MANIFESTS if one["kind"] == name]


def pods() -> list[dict[str, Any]]:
    return [one["spec"]["template"]["spec"] for one in MANIFESTS if one["kind"] in {"StatefulSet", "Deployment", "Job"}]


def assert_is_a_command(arguments: list[str]) -> None:
    """Parse arguments as the command line would, and run nothing."""
    command: click.Command = liqmon
    context = click.Context(liqmon, info_name="liqmon")
    rest = list(arguments)
    while isinstance(command, click.Group):
        made = command.make_context("x", rest, parent=context, resilient_parsing=True)
        rest = [*made._protected_args, *made.args]
        name = rest.pop(0)
        found = command.get_command(made, name)
        assert found is not None, f"{name} of {arguments}"
        command = found
    command.make_context("x", rest, parent=context)


# --- compose ------------------------------------------------------------------------------------


def test_every_image_is_pinned_by_a_full_version() -> None:
    """No image floats: each names a version with all its parts, and ours is that of the package."""
    for name, service in SERVICES.items():
        tag = service["image"].rpartition(":")[2]
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), name
    assert {service["image"] for service in OURS.values()} == {f"liquidation-monitor:{__version__}"}
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", base) for base in re.findall(r"FROM (\S+)", DOCKERFILE))


def test_every_file_that_is_mounted_is_there() -> None:
    """Bind mounts name files of the checkout; the rest are volumes declared in the file."""
    made_by_the_user = {"./deploy/tls/secrets"}
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", mount).split(":")[0]
            if source.startswith("."):
                assert source in made_by_the_user or (ROOT / source).exists(), mount
            else:
                assert source in COMPOSE["volumes"], mount
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
        for other in service.get("depends_on", {}):
            assert other in SERVICES


def test_every_command_is_one_of_ours() -> None:
    """Arguments of our services are taken by the command line; scripts are mounted where they are started from."""
    for name, service in OURS.items():
        if "entrypoint" in service:
            script = service["entrypoint"][1]
            assert any(mount.split(":")[1] == script for mount in service["volumes"]), name
        else:
            arguments = [word for word in service["command"] if word not in {"--config", "/etc/liqmon/liqmon.toml"}]
            assert_is_a_command(arguments)


def test_every_setting_in_an_environment_is_known() -> None:
    """LIQMON_* variables of services and image are settings with values that they take."""
    for service in OURS.values():
        load(None, {name: str(value) for name, value in service.get("environment", {}).items()})
    load(None, dict(re.findall(r"(LIQMON_\w+)=(\S+)", DOCKERFILE)))


def test_nothing_of_ours_may_more_than_it_needs() -> None:
    """Read-only root, no capability, no new privileges; and what a worker writes is its own."""
    for name, service in OURS.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    data = [mount for name in ("worker-1", "worker-2") for mount in SERVICES[name]["volumes"] if "data" in mount]
    assert len(set(data)) == 2
    assert SERVICES["worker-1"]["environment"] == SERVICES["worker-2"]["environment"]
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)


def test_nobody_waits_for_what_waits_for_him() -> None:
    """Without a market no worker is ready: the replayer waits for none, and the image asks whether it lives."""
    waited = {name: each["condition"] for name, each in SERVICES["replayer"]["depends_on"].items()}
    assert waited == {"topics": "service_completed_successfully", "worker-1": "service_started"}
    assert '"/opt/liqmon/app/monitor/probe.py", "livez"]' in DOCKERFILE


def test_grace_is_longer_than_an_orderly_end() -> None:
    """Supervisors wait for longer than a worker takes to commit."""
    for name in ("worker-1", "worker-2"):
        assert float(SERVICES[name]["stop_grace_period"].removesuffix("s")) > Settings().shutdown_timeout_s
    settings = tomllib.loads(kind("ConfigMap")[0]["data"]["liqmon.toml"])
    (worker,) = kind("StatefulSet")
    assert worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > settings["shutdown_timeout_s"]


def test_grafana_opens_on_a_dashboard_that_is_provisioned() -> None:
    """Its data source is the one that panels name, its dashboards are where its provider looks, its home is one."""
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "liqmon.yml").read_text())["providers"]
    grafana = SERVICES["grafana"]
    mounts = {mount.split(":")[1]: mount.split(":")[0] for mount in grafana["volumes"]}
    home = Path(grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == provider["options"]["path"]
    folder = ROOT / mounts[str(home.parent)]
    assert (folder / home.name).exists()
    assert source["url"] == "http://prometheus:9090"
    uids = set()
    for path in folder.glob("*.json"):
        dashboard = json.loads(path.read_text())
        uids.add(dashboard["uid"])
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(ids)) == len(ids)
        assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"]}
        assert all(link["url"].startswith("/d/liqmon-") for link in dashboard["links"])
    assert uids == {"liqmon-risk", "liqmon-pipeline"}


def test_prometheus_reads_the_workers_where_they_listen() -> None:
    """Targets are the workers and their port, and the token is the file that both are given."""
    (job,) = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    environment = SERVICES["worker-1"]["environment"]
    workers = [name for name in SERVICES if name.startswith("worker-")]
    assert job["static_configs"] == [{"targets": [f"{name}:{environment['LIQMON_HEALTH_PORT']}" for name in workers]}]
    assert job["authorization"]["credentials_file"] == environment["LIQMON_HEALTH_TOKEN_FILE"]
    settings = cast("Alerts", section("alerts", DEPLOY / "compose" / "liqmon.toml", {}))
    assert check(settings).workers == tuple(f"http://{target}" for target in job["static_configs"][0]["targets"])


def test_scripts_run(tmp_path: Path) -> None:
    """The token is made once; the replayer generates files that `replay` takes, here into the engine."""
    token = tmp_path / "token"
    for _ in range(2):
        subprocess.run(
            [DEPLOY / "compose" / "token.sh", token],
            check=True,
            env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"},
        )
    assert re.fullmatch(r"[0-9a-f]{48}\n", token.read_text())
    calls = tmp_path / "python"
    calls.write_text('#!/bin/sh\necho "$@" >>calls\n')
    calls.chmod(0o755)
    environment = {"PYTHON": str(calls), "PATH": "/usr/bin:/bin", "WORK": str(tmp_path), "FILES": str(tmp_path / "no")}
    subprocess.run([DEPLOY / "compose" / "replay.sh"], check=True, env=environment, cwd=tmp_path)
    lines = [shlex.split(line) for line in (tmp_path / "calls").read_text().splitlines()]
    assert [line[2] for line in lines] == ["generate", "generate", "replay"]
    (tmp_path / "market.jsonl").touch()
    (tmp_path / "accounts.jsonl").touch()
    for line in lines:
        assert_is_a_command(line[2:])


def test_the_image_takes_what_its_build_copies() -> None:
    """What is copied is let through by .dockerignore, and its packages are those of the lock."""
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }  # fmt: skip
    copied = set(re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE, re.MULTILINE))
    assert copied == let_through
    assert all((ROOT / source).exists() for source in copied)

    def pins(name: str) -> set[str]:
        return set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))

    assert pins("run.txt") < pins("alerts.txt") <= pins("dev.txt")
    assert any(pin.startswith("apprise==") for pin in pins("alerts.txt"))


# --- the probe ----------------------------------------------------------------------------------


@pytest.fixture
def endpoint() -> Iterator[tuple[int, dict[str, int]]]:
    """An endpoint that wants a token, and the status it answers with."""
    state = {"status": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == "Bearer a-token-of-many-characters"
            self.send_response(state["status"] if known and self.path == "/readyz" else 401)
            self.end_headers()
            self.wfile.write(b'{"ready":true}')

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1], state
    server.shutdown()
    server.server_close()
    thread.join(10.0)


def test_the_probe_says_what_the_worker_says(endpoint: tuple[int, dict[str, int]], tmp_path: Path) -> None:
    """Exit code 0 for 200, 1 for anything else and for no answer; the token is that of the worker's variables."""
    port, state = endpoint
    (tmp_path / "token").write_text("a-token-of-many-characters\n")
    told = {"LIQMON_HEALTH_PORT": str(port), "LIQMON_HEALTH_HOST": "0.0.0.0"}

    def probe(**environment: str) -> int:
        words = [sys.executable, str(ROOT / "monitor" / "probe.py"), "readyz"]
        return subprocess.run(words, env={**told, **environment}, capture_output=True, check=False).returncode

    file = str(tmp_path / "token")
    assert probe(LIQMON_HEALTH_TOKEN_FILE=file) == 0
    assert probe(LIQMON_HEALTH_TOKEN="a-token-of-many-characters") == 0
    assert probe() == 1
    state["status"] = 503
    assert probe(LIQMON_HEALTH_TOKEN_FILE=file) == 1
    assert probe(LIQMON_HEALTH_PORT="1") == 1


# --- Kubernetes ---------------------------------------------------------------------------------


def test_every_manifest_is_named_once_and_listed() -> None:
    """All are in the namespace and in the kustomization."""
    (kustomization,) = kind("Kustomization")
    files = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files
    rest = [one for one in MANIFESTS if one["kind"] not in {"Kustomization", "Namespace"}]
    assert {one["metadata"]["namespace"] for one in rest} == {"liqmon"}
    names = [(one["kind"], one["metadata"]["name"]) for one in rest]
    assert len(set(names)) == len(names)


def test_pods_are_not_root_and_write_only_where_they_are_told() -> None:
    """What the restricted profile of pod security asks for, limits, and no token of the cluster."""
    for pod in pods():
        assert not pod["automountServiceAccountToken"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == int(re.findall(r"^USER (\d+)", DOCKERFILE, re.MULTILINE)[0])
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"]
            assert not context["allowPrivilegeEscalation"]
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} <= set(container["resources"]["limits"])
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert container["image"] == f"liquidation-monitor:{__version__}"
            volumes = {volume["name"] for volume in pod["volumes"]} | {"data"}
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_commands_and_settings_of_pods_are_ours(tmp_path: Path) -> None:
    """Arguments, variables and the settings file are taken; secrets that settings name are in a mounted folder."""
    (config,) = kind("ConfigMap")
    file = tmp_path / "liqmon.toml"
    file.write_text(config["data"]["liqmon.toml"])
    for pod in pods():
        for container in pod["containers"]:
            assert_is_a_command(container["args"])
            variables = {one["name"]: one["value"] for one in container["env"]}
            assert variables.pop("LIQMON_CONFIG") == "/etc/liqmon/liqmon.toml"
            settings = load(file, variables)
            folders = [mount["mountPath"] for mount in container["volumeMounts"]]
            for name, value in msgspec.to_builtins(settings).items():
                if name.endswith("_file") and value:
                    assert any(str(value).startswith(folder + "/") for folder in folders), name
    alerts = check(cast("Alerts", section("alerts", file, {})))
    (worker,) = kind("StatefulSet")
    name = worker["metadata"]["name"]
    assert alerts.workers == tuple(f"http://{name}-{n}.{name}:9101" for n in range(worker["spec"]["replicas"]))


def test_workers_are_probed_and_evicted_one_at_a_time() -> None:
    """Probes ask what they should, the budget and the service select the pods, and each pod has a volume of its own."""
    (worker,) = kind("StatefulSet")
    (budget,) = kind("PodDisruptionBudget")
    (service,) = kind("Service")
    labels = worker["spec"]["template"]["metadata"]["labels"]
    assert budget["spec"]["selector"]["matchLabels"] == worker["spec"]["selector"]["matchLabels"] == labels
    assert budget["spec"]["maxUnavailable"] == 1
    assert service["spec"]["selector"] == labels
    assert service["metadata"]["name"] == worker["spec"]["serviceName"]
    assert service["spec"]["publishNotReadyAddresses"]
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    asked = {name: container[name]["exec"]["command"] for name in container if name.endswith("Probe")}
    assert {name: words[-1] for name, words in asked.items()} == {
        "startupProbe": "livez", "livenessProbe": "livez", "readinessProbe": "readyz",
    }  # fmt: skip
    python, script, _ = asked["livenessProbe"]
    assert f'"{python}", "{script}"' in DOCKERFILE
    (claim,) = worker["spec"]["volumeClaimTemplates"]
    assert {"name": claim["metadata"]["name"], "mountPath": "/var/lib/liqmon"} in container["volumeMounts"]


def test_policies_deny_all_and_name_pods_that_are_there() -> None:
    """Everything is denied first, and each selector finds a pod of ours."""
    policies = {one["metadata"]["name"]: one["spec"] for one in kind("NetworkPolicy")}
    assert policies["liqmon-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    labels = [
        one["spec"]["template"]["metadata"]["labels"] for one in MANIFESTS if "template" in one.get("spec", {})
    ]  # fmt: skip
    for spec in policies.values():
        selected = spec["podSelector"].get("matchLabels")
        assert selected is None or selected in labels
