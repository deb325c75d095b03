"""Which of the framework's ways are kept out."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import faust.streams
import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from faust.types import TP

from monitor.connection import Endpoint, PlaintextRefused, Secret, client_options, make_security
from monitor.worker.app import check_copartitioned, check_framework, create_app
from monitor.worker.errors import FolderNotWritable, UnsafeFramework, WrongPartitions
from monitor.worker.intake import Intake
from monitor.worker.options import WorkerOptions
from monitor.worker.run import own_folder
from schemas.topics import ACCOUNT_TOPICS
from tests.support import ROOT

SECURITY = make_security("sasl_ssl", username="worker", password=Secret("the password of a worker"))
BROKER = Endpoint("one:9092,two:9093", SECURITY)
OPTIONS = WorkerOptions(broker=BROKER, partitions=4, prefix="desk.", application_id="app")


def settings(folder: Path, options: WorkerOptions = OPTIONS) -> Any:
    async def build() -> Any:
        return create_app(options, folder, Intake(10, asyncio.Event())).conf

    return asyncio.run(build())


def test_the_framework_runs_with_the_settings_that_were_found_safe(tmp_path: Path) -> None:
    """No web server, no leader topic, no standbys, no topics of its own making, no waiting for held messages."""
    conf = settings(tmp_path)
    assert conf.id == "desk.app"
    assert [str(url) for url in conf.broker] == ["kafka://one:9092", "kafka://two:9093"]
    assert conf.web_enabled is False
    assert conf.topic_disable_leader is True
    assert conf.topic_allow_declare is False
    assert conf.stream_wait_empty is False
    assert conf.table_standby_replicas == 0
    assert conf.processing_guarantee.value == "at_least_once"
    assert str(conf.store) == "memory:"
    assert conf.broker_session_timeout < conf.broker_request_timeout


def test_the_framework_connects_as_our_own_clients_do(tmp_path: Path) -> None:
    """Faust has the protocol, context, mechanism, user and password of the endpoint, and none in plain text."""
    auth = credentials_to_aiokafka_auth(settings(tmp_path).broker_credentials)
    ours = client_options(BROKER)
    assert auth == {name: value for name, value in ours.items() if name != "bootstrap_servers"}
    over_tls = Endpoint("one:9092", make_security("ssl"))
    assert settings(tmp_path, replace(OPTIONS, broker=over_tls)).broker_credentials.context is over_tls.security.context
    assert settings(tmp_path, replace(OPTIONS, broker="127.0.0.1:9092")).broker_credentials is None
    with pytest.raises(PlaintextRefused):
        settings(tmp_path, replace(OPTIONS, broker="one:9092"))


def assigned(**missing: int) -> set[TP]:
    names = [OPTIONS.changelog, *(OPTIONS.topic(topic) for topic in ACCOUNT_TOPICS)]
    return {TP(name, p) for name in names for p in (0, 2)} - {TP(name, p) for name, p in missing.items()}


def test_equal_partitions_of_all_inputs_are_accepted() -> None:
    """Trades, transfers, accounts and their state belong together."""
    check_copartitioned(assigned(), OPTIONS)
    check_copartitioned(set(), OPTIONS)


def test_unequal_partitions_are_refused() -> None:
    """An account's trades here and its state there would be two halves of an account."""
    with pytest.raises(WrongPartitions, match=r"risk\.trades\.v1 \[0\]"):
        check_copartitioned(assigned(**{"desk.risk.trades.v1": 2}), OPTIONS)


def test_streams_in_pure_python_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """That build acknowledges messages that it skips."""
    check_framework()
    monkeypatch.setattr(faust.streams, "_CStreamIterator", None)
    with pytest.raises(UnsafeFramework):
        check_framework()


def test_each_worker_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """A folder in use is passed over and free again when its worker is gone."""
    with own_folder(tmp_path) as first, own_folder(tmp_path) as second:
        assert (first.name, second.name) == ("worker-0", "worker-1")
    with own_folder(tmp_path) as again:
        assert again == first


def test_a_folder_that_cannot_be_written_is_an_error_of_the_operator(tmp_path: Path) -> None:
    """A file where the folder should be is named."""
    (tmp_path / "file").touch()
    with pytest.raises(FolderNotWritable, match="file"), own_folder(tmp_path / "file"):
        pass


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Be nobody for a moment if the tests run as root, whom no rights hold back."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("within", [".", "deeper/data"])
def test_a_folder_of_somebody_else_is_an_error_of_the_operator(within: str) -> None:
    """Where the worker's user may not write, the worker says so with the folder's name and starts nothing."""
    # Not below pytest's own folder, which another user cannot even enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        with ordinary_user(), pytest.raises(FolderNotWritable, match=f"{name}.*Permission denied"):
            own_folder(folder / within).__enter__()
        assert not list(folder.iterdir())
        folder.chmod(0o700)


def test_a_read_only_mount_is_an_error_of_the_operator(tmp_path: Path) -> None:
    """On a file system that is mounted read-only the error names the folder and the reason, for root as well."""
    code = (
        "import sys; from pathlib import Path; from monitor.errors import MonitorError; "
        "from monitor.worker.run import own_folder\n"
        "try:\n    own_folder(Path(sys.argv[1])).__enter__()\n"
        "except MonitorError as error:\n    sys.exit(f'{type(error).__name__}: {error}')"
    )
    mount = ["unshare", "--mount", "--map-root-user", "sh", "-c", 'mount -t tmpfs -o ro none "$0" && exec "$@"']
    if subprocess.run([*mount, tmp_path, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets us mount nothing, not even in a namespace of our own")
    told = subprocess.run(
        [*mount, tmp_path, sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert told.returncode == 1
    assert told.stderr.startswith(f"FolderNotWritable: the data folder {tmp_path}")
    assert "Read-only file system" in told.stderr
