"""`liqmon replay --to engine` on every way through the engine, and what cannot be together."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli import liqmon
from monitor.errors import UsageError
from monitor.replay.arrival import Merged
from monitor.replay.digest import of_bodies
from monitor.replay.engine_run import outputs, settings_of
from monitor.replay.lane import Settings
from monitor.replay.pause import Pause
from monitor.replay.progress import ignore
from monitor.replay.publish import Pace
from monitor.replay.sources import TOPIC_OF
from monitor.replay.sources.records_file import write_lines
from tests.unit.replay.paths import PARTITIONS, accounts, stream


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(liqmon, [str(argument) for argument in arguments], standalone_mode=False)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Arguments of a run: a market and its accounts in files."""
    folder = tmp_path_factory.mktemp("run")
    topics = {topic for topic, _ in accounts()}
    with (folder / "accounts.jsonl").open("wb") as file:
        write_lines(file, accounts())
    with (folder / "market.jsonl").open("wb") as file:
        records = ((TOPIC_OF[type(record)], record) for _, record in stream() if TOPIC_OF[type(record)] not in topics)
        write_lines(file, records)
    return [folder / "market.jsonl", "--accounts", folder / "accounts.jsonl", "--to", "engine", "--no-check",
            "--partitions", PARTITIONS, "--json"]  # fmt: skip


def sha(path: Path) -> str:
    found = of_bodies(path.read_bytes().splitlines())
    assert found.findings == 0
    assert found.events > 5
    return found.sha256


def test_every_way_writes_one_answer(files: list[object], tmp_path: Path) -> None:
    """One engine, two processes, settings beside it, checkpoints, and a run that went on from one."""
    alone = tmp_path / "alone.jsonl"
    assert invoke("replay", *files, "--out", alone).return_value == 0
    assert invoke("replay", *files, "--out", tmp_path / "two.jsonl", "--processes", 2).return_value == 0
    told = json.loads(
        invoke("replay", *files, "--out", tmp_path / "own.jsonl", "--also", "matrix=A", "--also", "plain=E").stdout
    )
    assert set(told["settings"]) == {"matrix", "plain"}
    under = tmp_path / "under.jsonl"
    assert invoke("replay", *files, "--out", under, "--model", "A").return_value == 0
    keeping = ["--checkpoint", tmp_path / "kept", "--checkpoint-minutes", 2]
    assert invoke("replay", *files, "--out", tmp_path / "kept.jsonl", *keeping).return_value == 0
    assert invoke("replay", *files, "--out", tmp_path / "on.jsonl", *keeping, "--resume").return_value == 0
    for name in ("two", "own", "kept", "on"):
        assert sha(tmp_path / f"{name}.jsonl") == sha(alone), name
    assert sha(tmp_path / "own.matrix.jsonl") == sha(under) != sha(alone)
    with pytest.raises(UsageError, match="another run"):
        raise invoke("replay", *files, *keeping, "--resume", "--model", "E").exception or AssertionError


@pytest.mark.parametrize(
    "more",
    [["--resume"], ["--also", "x"], ["--also", "x=NONE"], ["--also", "a/b=E"], ["--also", "x=E", "--also", "x=A"],
     ["--checkpoint", "c", "--processes", 2], ["--checkpoint", "c", "--also", "x=E"], ["--out", "-", "--also", "x=E"]],
    ids=lambda more: " ".join(map(str, more)),
)  # fmt: skip
def test_what_cannot_be_together_is_refused(files: list[object], tmp_path: Path, more: list[object]) -> None:
    """Before anything runs, and with a remedy."""
    more = [tmp_path / "c" if one == "c" else one for one in more]
    assert isinstance(invoke("replay", *files, *more).exception, UsageError)


@pytest.mark.parametrize("option", [["--processes", 2], ["--also", "x=E"], ["--checkpoint", "x"], ["--model", "E"]])
def test_topics_take_no_options_of_the_engine(files: list[object], option: list[object]) -> None:
    """What workers decide is not decided here."""
    assert isinstance(invoke("replay", files[0], "--to", "topics", *option).exception, UsageError)


def test_settings_are_read_and_named(tmp_path: Path) -> None:
    """A model, a set, or both; each has a file beside the first."""
    assert settings_of("a=E") == Settings("a", "E", None)
    assert settings_of("wide=P/wide-ranges") == Settings("wide", "P", "wide-ranges")
    assert settings_of("s=/low") == Settings("s", None, "low")
    assert outputs(tmp_path / "e.jsonl.gz", [Settings(), Settings("a")]) == [
        tmp_path / "e.jsonl.gz", tmp_path / "e.a.jsonl.gz",
    ]  # fmt: skip


def test_a_pause_takes_no_time_of_the_replay() -> None:
    """Ctrl-Z is asked for, and done by the replay; its clock goes on where it was."""
    now = [100.0]

    def stopped() -> None:
        now[0] += 3_600.0

    pace = Pace(Merged([]), 1.0, ignore, lambda: now[0])
    now[0] += 5.0
    with Pause(stopped) as pause:
        assert not pause.asked
        os.kill(os.getpid(), signal.SIGTSTP)
        assert pause.asked
        pace.pause(pause)
        assert not pause.asked
    assert pace.elapsed_s == 5.0
