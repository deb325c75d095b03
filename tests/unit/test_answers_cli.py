"""Questions from the command line, about files: JSON that can be read, tables with units, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from monitor.cli import liqmon
from monitor.errors import MonitorError, UsageError
from monitor.replay.sources.base import TOPIC_OF
from schemas.records import AccountConfig, AccountEvent, Heartbeat, Transfer
from tests.engine_market import START_US, random_market

ACCOUNTS = ("acc0", "acc1", "acc2")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a market and its accounts as files."""
    folder = tmp_path_factory.mktemp("asked")
    own: list[str] = []
    market: list[str] = []
    for record in random_market(2, 400, ACCOUNTS, 5):
        line = json.dumps({"topic": TOPIC_OF[type(record)], "record": msgspec.to_builtins(record)})
        (own if getattr(record, "account", None) else market).append(line)
    own.insert(0, json.dumps({
        "topic": TOPIC_OF[AccountConfig],
        "record": msgspec.to_builtins(AccountConfig(account="acc0", event_time_us=START_US)),
    }))  # fmt: skip
    assert Heartbeat in TOPIC_OF
    assert Transfer in TOPIC_OF
    (folder / "market.jsonl").write_text("\n".join(market) + "\n")
    (folder / "accounts.jsonl").write_text("\n".join(own) + "\n")
    return folder


def ask(files: Path, *args: str) -> Result:
    """Run a command over the files."""
    where = ["--market", str(files / "market.jsonl"), "--portfolio", str(files / "accounts.jsonl")]
    return CliRunner().invoke(liqmon, [*args, *where], standalone_mode=False)


def data_of(result: Result) -> dict[str, object]:
    """Return the JSON that a command printed; raises what it raised."""
    if result.exception is not None:
        raise result.exception
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_explain_and_distance(files: Path) -> None:
    """Both answer for an account, as JSON and as tables with units."""
    explained = data_of(ask(files, "explain", "acc1", "--shapley", "--json"))
    assert explained["account"] == "acc1"
    assert explained["positions"]
    assert "IM, USD" in ask(files, "explain", "acc1").stdout
    found = data_of(ask(files, "distance", "acc1", "--to", "margin_call", "--json"))
    assert found["directions"]
    assert "first crossings" in ask(files, "distance", "acc1").stdout


def test_what_if_breaches_and_preview(files: Path, tmp_path: Path) -> None:
    """A hypothesis, a shock and a parameter set are read as people type them."""
    found = data_of(
        ask(files, "what-if", "acc1", "--trade", "BTC-PERPETUAL=-0.1@90000", "--transfer", "USD=500", "--shock",
            "BTC=-7%", "--vol", "30", "--json")
    )  # fmt: skip
    assert found["prices"] == {"BTC-PERPETUAL": 90_000.0}
    swept = data_of(ask(files, "breaches", "--shock", "BTC=-30%", "--shock", "ETH=-30%", "--json"))
    assert swept["accounts"] == len(ACCOUNTS)
    path = tmp_path / "set.json"
    path.write_text(json.dumps({"name": "default", "event_time_us": START_US, "risk_matrix": {"price_range": 0.9}}))
    assert data_of(ask(files, "preview", "--parameters", str(path), "--json"))["accounts"] == len(ACCOUNTS)


def test_an_event_and_its_bundle(files: Path, tmp_path: Path) -> None:
    """An event by its id has the attribution that it says, and a liquidation's bundle is verified without anything."""
    out = tmp_path / "events.jsonl"
    done = CliRunner().invoke(
        liqmon,
        ["replay", str(files / "market.jsonl"), "--accounts", str(files / "accounts.jsonl"), "--to", "engine", "--out",
         str(out)],
        standalone_mode=False,
    )  # fmt: skip
    assert done.exception is None, done.output
    events = [
        msgspec.json.decode(line, type=AccountEvent) for line in out.read_bytes().splitlines() if b'"sequence":' in line
    ]
    attributed = next(event for event in events if event.attribution is not None)
    explained = data_of(ask(files, "explain", attributed.id, "--json"))
    change = explained["change"]
    assert isinstance(change, dict)
    assert [group["sequential_usd"] for group in change["groups"]] == [
        part.change_usd for part in attributed.attribution or ()
    ]
    proved = [event for event in events if event.kind in ("liquidation", "bankrupt")]
    assert proved
    for number, event in enumerate(proved[:3]):
        path = tmp_path / f"{number}.json"
        made = ask(files, "bundle", event.id, "--out", str(path))
        assert made.exception is None, made.output
        assert made.return_value == 0
        checked = CliRunner().invoke(liqmon, ["verify", "--bundle", str(path), "--json"], standalone_mode=False)
        assert json.loads(checked.stdout)["outcome"] == "equal"
        assert checked.return_value == 0
    text = path.read_bytes().replace(b'"equity_usd":', b'"equity_usd":1', 1)
    path.write_bytes(text)
    changed = CliRunner().invoke(liqmon, ["verify", "--bundle", str(path)], standalone_mode=False)
    assert changed.return_value == 1 or isinstance(changed.exception, UsageError)


@pytest.mark.parametrize(
    "args",
    [
        ("explain", "nobody"), ("distance", "nobody"), ("breaches", "--shock", "BTC"),
        ("breaches", "--shock", "XYZ=-5%"), ("what-if", "acc1", "--trade", "NOTHING=1"),
        ("what-if", "acc1", "--model", "Z"), ("explain", "0" * 32),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told(files: Path, args: tuple[str, ...]) -> None:
    """Wrong use ends with an error that says what to do, not with a traceback."""
    assert isinstance(ask(files, *args).exception, MonitorError)


TREASURY = {
    "venues": [
        {"name": "here", "requirement_usd": 80_000, "equity_usd": 20_000, "haircuts": {"BTC": 0.1, "USDC": 0.0},
         "now": {"BTC": 0.2}, "buffer": 0.05},
        {"name": "there", "requirement_usd": 30_000, "equity_usd": 10_000, "haircuts": {"USDC": 0.0},
         "now": {"USDC": 60_000}},
    ],
    "assets": [{"name": "BTC", "units": 0.5, "value_usd": 100_000}, {"name": "USDC", "units": 70_000, "value_usd": 1}],
}  # fmt: skip


def allocated(tmp_path: Path, treasury: object, *args: str) -> Result:
    """Run `allocate` over a file."""
    (tmp_path / "treasury.json").write_text(json.dumps(treasury))
    return CliRunner().invoke(liqmon, ["allocate", str(tmp_path / "treasury.json"), *args], standalone_mode=False)


def test_collateral_is_allocated(tmp_path: Path) -> None:
    """What is proposed meets both requirements; with less to move something is missing, and the exit code says so."""
    found = data_of(allocated(tmp_path, TREASURY, "--json"))
    assert found["shortfall_usd"] == pytest.approx({"here": 0.0, "there": 0.0}, abs=0.01)
    units: dict[str, dict[str, float]] = found["units"]  # type: ignore[assignment]
    counted = 0.9 * 100_000 * units["here"]["BTC"] + units["here"]["USDC"]
    assert counted == pytest.approx(64_000.0, abs=1.0)
    shown = allocated(tmp_path, TREASURY)
    assert "missing, USD" in shown.stdout
    assert shown.return_value == 0
    poor = {**TREASURY, "assets": [{"name": "BTC", "units": 0.5, "value_usd": 100_000}]}
    assert allocated(tmp_path, poor).return_value == 1


@pytest.mark.parametrize(
    ("treasury", "says"),
    [([], "no treasury"), ({**TREASURY, "more": 1}, "no treasury"), ({**TREASURY, "assets": TREASURY["assets"] * 2},
     "twice"), ({"venues": [{**TREASURY["venues"][0], "haircuts": {"BTC": 2.0}}], "assets": []}, "haircut")],
)  # fmt: skip
def test_what_is_no_treasury_is_told(tmp_path: Path, treasury: object, says: str) -> None:
    """A file that cannot be asked about is refused with what is wrong with it."""
    result = allocated(tmp_path, treasury)
    assert isinstance(result.exception, UsageError)
    assert says in str(result.exception)
