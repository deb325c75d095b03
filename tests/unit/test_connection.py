"""How clients are told to connect: what is refused before anything is sent, and what never shows."""

from __future__ import annotations

import io
import json
import logging
import pickle
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import structlog

from monitor import log, redaction
from monitor.brokers.endpoint import endpoint
from monitor.cli import COMMANDS
from monitor.cli import liqmon as root_command
from monitor.config import Settings, load, origins
from monitor.connection import (
    BadCredentials,
    Endpoint,
    PlaintextRefused,
    Secret,
    client_options,
    is_loopback,
    make_security,
    read_keys,
)
from monitor.demo.stage import worker_environment
from monitor.errors import UsageError
from tests.integration.processes import environment, liqmon
from tests.support import ROOT

PLANTED = "pl4nted-s3cret-value"
CERTIFICATES = ROOT / "deploy" / "tls" / "make-certificates.sh"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates as the script makes them."""
    made = tmp_path_factory.mktemp("tls")
    subprocess.run([CERTIFICATES, made], check=True, capture_output=True)
    return made


def resolved(**variables: str) -> Endpoint:
    named = {"BROKER_URL": "kafka-1:9093", **{f"LIQMON_{name.upper()}": value for name, value in variables.items()}}
    return endpoint(load(None, named), environ=named)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST", "[::1]"])
def test_this_machine_may_be_spoken_to_in_plain_text(host: str) -> None:
    """Loopback needs no protection."""
    assert is_loopback(host)
    assert client_options(f"{host}:9092")["security_protocol"] == "PLAINTEXT"


@pytest.mark.parametrize(
    "host", ["kafka-1", "10.0.0.1", "0.0.0.0", "localhost.evil.example", "127.0.0.1.example", "[::]"]
)
def test_other_machines_may_not(host: str) -> None:
    """Plain text to anything else is refused, whatever its name looks like, also where one server of several is it."""
    assert not is_loopback(host)
    for servers in (f"{host}:9092", f"127.0.0.1:9092,{host}:9092"):
        with pytest.raises(PlaintextRefused):
            client_options(servers)
        with pytest.raises(PlaintextRefused):
            endpoint(Settings(broker_url=servers), environ={})


def test_plain_text_can_be_asked_for() -> None:
    """Said in so many words, it is allowed."""
    asked = resolved(insecure="true")
    assert client_options(asked)["security_protocol"] == "PLAINTEXT"
    assert endpoint(Settings(broker_url="kafka-1:9092", insecure=True), environ={}).security.insecure


def test_tls_checks_names_and_chains(folder: Path) -> None:
    """The context of every connection verifies certificate and host name, in TLS 1.2 or later."""
    options = client_options(resolved(security_protocol="ssl", tls_ca_file=str(folder / "ca.pem")))
    context = options["ssl_context"]
    assert (options["security_protocol"], context.check_hostname, context.verify_mode.name) == (
        "SSL",
        True,
        "CERT_REQUIRED",
    )
    assert context.minimum_version.name == "TLSv1_2"


def test_credentials_go_to_the_client_alone(folder: Path) -> None:
    """The password is in what the client takes and in no representation of what leads there."""
    password = folder / "worker-password"
    password.write_text(f"{PLANTED}\n")
    found = resolved(
        security_protocol="sasl_ssl", sasl_username="worker", sasl_password_file=str(password),
        tls_ca_file=str(folder / "ca.pem"),
    )  # fmt: skip
    options = client_options(found)
    assert (options["sasl_mechanism"], options["sasl_plain_username"]) == ("SCRAM-SHA-512", "worker")
    assert options["sasl_plain_password"] == PLANTED
    assert PLANTED not in f"{found!r} {found} {found.security!r} {found.security.password}"
    with pytest.raises(TypeError):
        pickle.dumps(found.security.password)


@pytest.mark.parametrize(
    "variables",
    [
        {"security_protocol": "sasl_ssl"},
        {"security_protocol": "sasl_ssl", "sasl_username": "worker"},
        {"security_protocol": "ssl", "sasl_username": "worker", "sasl_password": PLANTED},
        {"sasl_username": "worker", "sasl_password": PLANTED, "insecure": "true"},
        {"tls_ca_file": "ca.pem"},
        {"security_protocol": "ssl", "tls_key_file": "key.pem"},
        {"security_protocol": "sasl_ssl", "sasl_username": "w", "sasl_password": PLANTED, "sasl_password_file": "p"},
        {"security_protocol": "ssl", "tls_ca_file": "absent.pem"},
        {"security_protocol": "ssl", "tls_ca_file": __file__},
        {"security_protocol": "ssl", "tls_certificate_file": __file__},
        {"security_protocol": "sasl_ssl", "sasl_username": "w", "sasl_password_file": "absent"},
        {"security_protocol": "sasl_ssl", "sasl_username": "w", "sasl_password_file": "/dev/null"},
        {"security_protocol": "SSL"},
        {"security_protocol": "sasl_plaintext"},
        {"sasl_mechanism": "PLAIN"},
    ],
)
def test_settings_that_do_not_fit_are_refused(variables: dict[str, str]) -> None:
    """Half of a pair, contradictions, files that are not there, and protections that are none end before connecting."""
    with pytest.raises(UsageError) as caught:
        resolved(**variables)
    assert PLANTED not in str(caught.value)


def test_a_password_in_the_address_is_refused_unseen() -> None:
    """An address with user and password is wrong use, and the line that says so repeats neither."""
    for url in (f"kafka://worker:{PLANTED}@kafka-1:9093", f"worker:{PLANTED}@kafka-1:9093"):
        with pytest.raises(UsageError) as caught:
            load(None, {"BROKER_URL": url})
        assert PLANTED not in str(caught.value)


def test_a_settings_file_has_no_password(tmp_path: Path) -> None:
    """A password in the settings file is refused with the two places where it belongs."""
    file = tmp_path / "liqmon.toml"
    file.write_text(f'sasl_password = "{PLANTED}"\n')
    with pytest.raises(UsageError, match="sasl_password_file") as caught:
        load(file, {})
    assert PLANTED not in str(caught.value)


def test_there_is_no_flag_for_a_secret() -> None:
    """No command takes a password, key or token as an option: the process list would show it."""

    def names(command: click.Command) -> list[str]:
        own = [option for parameter in command.params for option in parameter.opts]
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                own += names(below)
        return own

    found = names(root_command)
    assert len(COMMANDS) <= len(found)
    assert [name for name in found if re.search("password|secret|token|key", name)] == []


def test_every_setting_has_an_origin(tmp_path: Path) -> None:
    """Each value is told with the file, the variable, the flag or the default that it comes from."""
    file = tmp_path / "liqmon.toml"
    file.write_text("partitions = 2\nqueue_records = 2000\n")
    environ = {"BROKER_URL": "127.0.0.1:1", "LIQMON_PARTITIONS": "3", "LIQMON_TOPIC_PREFIX": "a."}
    found = {one.setting: (one.value, one.origin) for one in origins(file, environ, {"topic_prefix": "b."})}
    assert found["broker_url"] == ("127.0.0.1:1", "BROKER_URL")
    assert found["partitions"] == (3, "LIQMON_PARTITIONS")
    assert found["queue_records"] == (2000, str(file))
    assert found["topic_prefix"] == ("b.", "flag")
    assert found["application_id"] == ("liquidation-monitor-v1", "default")
    assert list(found) == list(Settings.__struct_fields__)


def test_check_config_prints_origins_and_no_secret(folder: Path) -> None:
    """The command prints every setting once, tells where the password is, and prints it neither plain nor as JSON."""
    here = environment(
        BROKER_URL="kafka-1:9093", LIQMON_SECURITY_PROTOCOL="sasl_ssl", LIQMON_SASL_USERNAME="worker",
        LIQMON_TLS_CA_FILE=str(folder / "ca.pem"), LIQMON_SASL_PASSWORD=PLANTED,
    )  # fmt: skip
    plain, as_json = liqmon("check-config", env=here), liqmon("check-config", "--json", env=here)
    assert (plain.returncode, as_json.returncode) == (0, 0), plain.stderr
    told = {line["setting"]: line for line in map(json.loads, as_json.stdout.splitlines())}
    assert told["sasl_password"] == {"setting": "sasl_password", "value": "***", "origin": "LIQMON_SASL_PASSWORD"}
    assert told["sasl_username"]["origin"] == "LIQMON_SASL_USERNAME"
    assert PLANTED not in plain.stdout + plain.stderr + as_json.stdout + as_json.stderr
    refused = liqmon("check-config", env={**here, "LIQMON_SECURITY_PROTOCOL": "plaintext"})
    assert refused.returncode == 2
    assert PLANTED not in refused.stdout + refused.stderr


def test_another_machine_needs_the_flag_on_the_command_line() -> None:
    """A command refuses plain text to another machine as wrong use, and takes it with the flag: then nobody answers."""
    named = environment(BROKER_URL="192.0.2.1:9092")
    refused = liqmon("topics", "plan", env=named)
    assert (refused.returncode, "--insecure" in refused.stderr) == (2, True)
    assert liqmon("--insecure", "check-config", env=named).returncode == 0


@pytest.mark.parametrize("as_json", [True, False])
def test_lines_and_tracebacks_are_clean(as_json: bool) -> None:
    """A secret that a library puts into its exception, or that stands in a local variable, is in no log line."""
    stream = io.StringIO()
    root = logging.getLogger()
    before, hook = (root.handlers[:], root.level), sys.excepthook
    secret = Secret(PLANTED)
    try:
        log.setup("debug", stream, json=as_json)
        try:
            _fail(secret.reveal(), "-".join(("unregistered", "local")))  # noqa: FLY002 (a traceback quotes the line)
        except ValueError:
            structlog.get_logger("ours").exception("failed", connection=f"as worker with {PLANTED}", secret=secret)
            logging.getLogger("aiokafka").exception("their line with %s", PLANTED)
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        sys.excepthook = hook
        structlog.reset_defaults()
    said = stream.getvalue()
    assert "ValueError" in said
    assert said.count(redaction.MASK) >= 4
    assert PLANTED not in said
    # Nobody told us of this one: local variables of frames are not shown at all.
    assert "unregistered-local" not in said


def test_the_last_traceback_is_clean(tmp_path: Path) -> None:
    """An exception that ends the process is written without the secrets in it."""
    program = tmp_path / "program.py"
    program.write_text(
        "from monitor import log\nfrom monitor.connection import read_secret\n"
        f"log.setup()\nsecret = read_secret({str(tmp_path / 'password')!r}, 'file')\n"
        "raise ValueError(f'library says {secret.reveal()}')\n"
    )
    (tmp_path / "password").write_text(PLANTED)
    done = subprocess.run(
        [sys.executable, program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment(PYTHONPATH=str(ROOT)),
    )
    assert done.returncode == 1
    assert "ValueError: library says ***" in done.stderr
    assert PLANTED not in done.stderr


def test_keys_are_read_and_hidden(tmp_path: Path) -> None:
    """A key file is read, its keys are hidden from then on, and what is wrong with one is told without quoting it."""
    file = tmp_path / "keys"
    file.write_text("k1 hmac-sha256 " + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=" + "\n")
    assert read_keys(file).names == ("k1",)
    assert redaction.clean("x QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY= y") == "x *** y"
    for text in ("k1 hmac-sha256 QUJD\n", "QUJDREVGR0hJ\n", ""):
        file.write_text(text)
        with pytest.raises(BadCredentials) as caught:
            read_keys(file)
        assert "QUJD" not in str(caught.value)


def test_the_demos_worker_connects_as_the_demo_does() -> None:
    """A local broker's worker gets nothing that is meant for another broker; a named one's gets all of it."""
    ours = {"LIQMON_SECURITY_PROTOCOL": "ssl", "LIQMON_TLS_CA_FILE": "ca.pem", "LIQMON_SASL_PASSWORD": "x", "HOME": "/"}
    assert worker_environment("127.0.0.1:9092", ours) == {"HOME": "/", "LIQMON_LOG_LEVEL": "info"}
    asked = Endpoint("kafka-1:9092", make_security("plaintext", insecure=True))
    assert worker_environment(asked, ours) == {**ours, "LIQMON_INSECURE": "true", "LIQMON_LOG_LEVEL": "info"}


def test_every_client_takes_its_parameters_from_one_place() -> None:
    """No module but the one that decides about plain text names servers to a Kafka client."""
    found = [
        str(path.relative_to(ROOT))
        for folder in ("monitor", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "bootstrap_servers=" in path.read_text()
    ]
    assert found == []


def _fail(password: str, local: str) -> None:
    kept = local
    raise ValueError(f"cannot connect with {password}" if kept else "")
