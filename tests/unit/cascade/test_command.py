"""`liqmon cascade` from files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from monitor.cli import liqmon
from monitor.errors import UsageError
from schemas.records import Input
from tests.engine_market import SPOT_USD, START_US, TOPIC_OF, both, opening
from tests.unit.cascade.test_cascade import leveraged


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The options that name a market's and its accounts' files."""
    folder: Path = tmp_path_factory.mktemp("cascade")
    market, accounts = folder / "market.jsonl", folder / "accounts.jsonl"
    last = [tick for name, usd in SPOT_USD.items() for tick in both(name, usd, START_US + 1_000_000)]
    market.write_bytes(_lines([*opening(), *last]))
    accounts.write_bytes(_lines(leveraged(3)))
    return ["--market", str(market), "--portfolio", str(accounts)]


def _lines(records: Iterable[Input]) -> bytes:
    """Records as JSON lines of our own layout."""
    lines = (msgspec.json.encode({"topic": TOPIC_OF[type(one)].name, "record": one}) for one in records)
    return b"".join(line + b"\n" for line in lines)


def run(*arguments: str) -> Result:
    """Run the command as `main` does."""
    return CliRunner().invoke(liqmon, ["cascade", *arguments], standalone_mode=False)


def test_policies_stand_side_by_side(files: list[str]) -> None:
    """All five policies are played from the same state, and JSON has every round."""
    found = run(*files, "--shock", "BTC=-5%", "--depth", "0.0001", "--json")
    assert found.exception is None
    played = msgspec.json.decode(found.stdout)["cascades"]
    assert [one["policy"] for one in played] == ["at_once", "stagger", "cap", "auction", "hedge_first"]
    assert {round(one["initial_move"]["BTC"], 9) for one in played} == {-0.05}
    assert played[0]["amplification"]["BTC"] > 1.2
    assert played[0]["rounds"][0]["new"] == played[1]["rounds"][0]["new"] > 5


def test_the_tables_name_who_falls(files: list[str]) -> None:
    """Rounds and pushes are printed when they are asked for, and the gain in their place."""
    found = run(*files, "--shock", "BTC=-5%", "--depth", "0.0001", "--policy", "cap", "--rounds", "--max-rounds", "5")
    assert found.exception is None
    assert "cap: rounds" in found.stdout
    assert "shock" in found.stdout
    assert "Loop gain along BTC" in run(*files, "--shock", "BTC=-20%", "--gain").stdout


@pytest.mark.parametrize("wrong", [[], ["--shock", "DOGE=-5%"], ["--shock", "BTC=-5%", "--shock", "ETH=-5%", "--gain"]])
def test_what_has_no_answer_is_refused(files: list[str], wrong: list[str]) -> None:
    """No move, a coin without a price, and a gain along two moves are usage errors."""
    assert isinstance(run(*files, *wrong).exception, UsageError)
