from __future__ import annotations

import gzip
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from monitor.cli import liqmon
from monitor.errors import UsageError
from monitor.replay import ahead
from tests.unit.replay import files


def invoke(*arguments: object) -> Result:
    """Run a command as `main` does: its return value is the exit code, errors are raised."""
    return CliRunner().invoke(liqmon, [str(argument) for argument in arguments], standalone_mode=False)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("market") / "market.jsonl.gz"
    result = invoke("generate", "market", "--minutes", 5, "--ticks-per-second", 0.1, "--coins", 3, "--out", path)
    assert result.return_value == 0, result.output
    return path


@pytest.fixture(scope="module")
def accounts(market: Path) -> Path:
    path = market.with_name("accounts.jsonl")
    result = invoke("generate", "accounts", market, "--accounts", 30, "--seed", 4, "--out", path)
    assert result.return_value == 0, result.output
    assert "short-volatility" in result.output
    return path


def test_a_generated_market_is_a_file_of_records(market: Path) -> None:
    """Every line has a topic and a record; the same seed writes the same bytes."""
    lines = gzip.decompress(market.read_bytes()).splitlines()
    assert {json.loads(line)["topic"] for line in lines} == {
        "market.instruments.v1", "market.ticks.v1", "market.volatility.v1",
    }  # fmt: skip
    again = market.with_name("again.jsonl.gz")
    invoke("generate", "market", "--minutes", 5, "--ticks-per-second", 0.1, "--coins", 3, "--out", again)
    assert again.read_bytes() == market.read_bytes()


def test_a_replay_may_be_under_another_model(market: Path, accounts: Path, tmp_path: Path) -> None:
    """Every account has the model asked for, and what follows is what its events say."""
    models, counts = {}, {}
    for model in ("A", "E", "P"):
        out = tmp_path / f"{model}.jsonl"
        result = invoke(
            "replay", market, "--accounts", accounts, "--to", "engine", "--out", out, "--model", model, "--json"
        )
        assert result.return_value == 0, result.output
        events = [json.loads(line) for line in out.read_text().splitlines()]
        account_events = [event for event in events if "account" in event]
        models[model] = {event["model"] for event in account_events}
        counts[model] = len(account_events)
    assert models == {"A": {"A"}, "E": {"E"}, "P": {"P"}}
    assert len(set(counts.values())) > 1
    with pytest.raises(UsageError, match="--model is of the engine"):
        CliRunner().invoke(
            liqmon, ["replay", str(market), "--to", "topics", "--model", "A"], standalone_mode=False,
            catch_exceptions=False,
        )  # fmt: skip


def test_a_replay_to_the_engine_writes_events(market: Path, accounts: Path, tmp_path: Path) -> None:
    """Files go in, events come out, and the summary is one JSON object."""
    out = tmp_path / "events.jsonl"
    result = invoke("replay", market, "--accounts", accounts, "--to", "engine", "--out", out, "--json")
    assert result.return_value == 0, result.output
    summary = json.loads(result.stdout)
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert sum(summary["events"].values()) == len(events) > 0
    assert summary["accounts"] == 30
    assert summary["rejected"] == {}
    assert summary["first_events"][events[0]["kind"]]["account"] == events[0]["account"]


def test_the_summary_for_people_names_first_events(market: Path, accounts: Path) -> None:
    """Without --json the first event of each kind stands there with its reason."""
    result = invoke("replay", market, "--accounts", accounts, "--to", "engine")
    assert result.return_value == 0
    assert "margin_call" in result.output
    assert "account-time" in result.output


def test_events_can_go_to_standard_output(market: Path, accounts: Path) -> None:
    """With `--out -` standard output holds events alone."""
    result = invoke("replay", market, "--accounts", accounts, "--to", "engine", "--out", "-")
    assert all("id" in json.loads(line) for line in result.stdout.splitlines())


def test_reading_on_another_core_changes_nothing_that_a_replay_says(
    market: Path, accounts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are the same bytes, and the summary differs in its times only."""
    said = []
    for least_bytes in (ahead.LEAST_BYTES, 1):
        monkeypatch.setattr(ahead, "LEAST_BYTES", least_bytes)
        monkeypatch.setattr(ahead, "cores", lambda: 2)
        out = market.with_name(f"events-{least_bytes}.jsonl")
        result = invoke("replay", market, "--accounts", accounts, "--to", "engine", "--out", out, "--json")
        data = json.loads(result.stdout)
        del data["seconds"], data["records_per_second"]
        said.append((result.return_value, data, out.read_bytes()))
    assert said[0][2].count(b"\n") > 5
    assert said[0] == said[1]


def test_malformed_lines_are_findings(tmp_path: Path) -> None:
    """Exit code 1, with file and line."""
    path = files.write(tmp_path / "t.csv", files.TRADES_HEADER, files.trade(0, 1), "rubbish", files.trade(5, 1))
    result = invoke("replay", path, "--to", "engine")
    assert result.return_value == 1
    assert "t.csv:3" in result.stderr
    as_json = json.loads(invoke("replay", path, "--to", "engine", "--json").stdout)
    assert as_json["sources"][0]["malformed"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--to", "engine", "--speed", "60x"],
        ["--out", "events.jsonl"],
        ["--to", "topics"],
        ["--to", "sequenced"],
        ["--to", "sequenced", "--out", "events.jsonl"],
        ["--to", "engine", "--frame-rows", "10"],
        ["--to", "topics", "--batch", "10"],
        ["--to", "engine", "--accounts", "BAD"],
        ["--to", "engine", "--out", "NOWHERE/deep/events.jsonl"],
    ],
    ids=[
        "speed",
        "out",
        "no broker",
        "no broker for a sequence",
        "out of a sequence",
        "frames of the engine",
        "steps of topics",
        "no accounts",
        "unwritable",
    ],
)
def test_wrong_use_is_a_usage_error(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be meant is refused before anything is replayed."""
    monkeypatch.delenv("BROKER_URL", raising=False)
    path = files.write(tmp_path / "t.csv", files.TRADES_HEADER, files.trade(0, 1))
    (tmp_path / "BAD").write_text("a,b\n1,2\n")
    arguments = [str(tmp_path / a) if a in ("BAD", "NOWHERE/deep/events.jsonl") else a for a in arguments]
    assert isinstance(invoke("replay", path, *arguments).exception, UsageError)


@pytest.mark.parametrize("arguments", [["--speed", "fast"], ["--speed", "0x"], ["--from", "noon"], ["--to", "moon"]])
def test_unreadable_options_are_refused(arguments: list[str], tmp_path: Path) -> None:
    """An option that cannot be read is wrong use, exit code 2."""
    path = files.write(tmp_path / "t.csv", files.TRADES_HEADER, files.trade(0, 1))
    error = invoke("replay", path, *arguments).exception
    assert isinstance(error, click.UsageError)
    assert error.exit_code == 2


def test_a_failed_generation_leaves_no_file(tmp_path: Path) -> None:
    """A file is complete or not there."""
    path = files.write(tmp_path / "t.csv", files.TRADES_HEADER, files.trade(0, 1))
    out = tmp_path / "accounts.jsonl"
    assert isinstance(invoke("generate", "accounts", path, "--out", out).exception, UsageError)
    assert list(tmp_path.iterdir()) == [path]


def test_an_accounts_file_with_market_records_is_findings(market: Path) -> None:
    """Ticks in a file of accounts are refused line by line."""
    result = invoke("replay", market, "--accounts", market, "--to", "engine", "--json")
    assert result.return_value == 1
    assert json.loads(result.stdout)["sources"][1]["malformed"] > 0


@pytest.mark.parametrize("words", [["replay"], ["generate"], ["generate", "market"], ["generate", "accounts"]])
def test_help_has_an_example(words: list[str]) -> None:
    """Every --help shows how it is called."""
    assert f"liqmon {' '.join(words)}" in invoke(*words, "--help").output.split("Example:")[1]
