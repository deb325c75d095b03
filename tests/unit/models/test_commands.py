"""`liqmon models` and `liqmon margin`, as they are used."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.cli import liqmon
from monitor.errors import UsageError
from monitor.models.registry import BASELINE, MODELS, Model
from schemas.base import Record
from tests.support import ROOT

MARKET_US = 1_736_121_660_000_000  # a minute after the generated market begins
PAGE = ROOT / "docs" / "margin-models.md"


def _perpetual(market: Path) -> str:
    """The name of a linear perpetual on bitcoin."""
    for line in market.read_text().splitlines():
        found = json.loads(line)
        if found["topic"] == "market.instruments.v1" and found["record"]["type"] == "perpetual":
            record = found["record"]
            if record["underlying"] == "BTC" and record.get("contract", "linear") == "linear":
                return str(record["instrument"])
    raise AssertionError("no perpetual in the market")


def invoke(*arguments: object) -> Result:
    """Run a command as `main` does: its return value is the exit code, errors are raised."""
    return CliRunner().invoke(liqmon, [str(argument) for argument in arguments], standalone_mode=False)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A generated market and its accounts."""
    folder = tmp_path_factory.mktemp("margin")
    market, accounts = folder / "market.jsonl", folder / "accounts.jsonl"
    invoke("generate", "market", "--minutes", 5, "--ticks-per-second", 0.1, "--coins", 3, "--out", market)
    invoke("generate", "accounts", market, "--accounts", 8, "--seed", 4, "--out", accounts)
    return market, accounts


@pytest.fixture(scope="module")
def printed(files: tuple[Path, Path]) -> dict[str, Any]:
    """All accounts under all models; the one that needs a history has no figures, which is a finding."""
    market, accounts = files
    result = invoke("margin", "--portfolio", accounts, "--market", market, "--model", "all", "--json")
    assert result.return_value == 1
    return dict(json.loads(result.stdout))


def test_all_models_stand_side_by_side(printed: dict[str, Any]) -> None:
    """Each account has every model once, with figures that fit each other and the ratio to isolated positions."""
    assert printed["v"] == 1
    assert len(printed["accounts"]) == 8
    for account in printed["accounts"]:
        found = {margin["model"]: margin for margin in account["models"]}
        assert list(found) == list(MODELS)
        assert found["D-history"]["im_requirement_usd"] is None
        assert any(reason.startswith("no_history") for reason in found.pop("D-history")["degraded"])
        assert len({margin["equity_usd"] for margin in found.values()}) == 1
        for margin in found.values():
            assert math.isclose(math.fsum(margin["im_components"].values()), margin["im_requirement_usd"], abs_tol=1e-6)
            ratio = margin["im_requirement_usd"] / found[BASELINE]["im_requirement_usd"]
            assert math.isclose(margin["ratio_to_isolated"], ratio, rel_tol=1e-12)
            assert margin["market_time_us"] == printed["market_time_us"]
        assert len({margin["parameter_hash"] for margin in found.values()}) == 1


def test_the_disagreement_names_the_ends(printed: dict[str, Any]) -> None:
    """Highest and lowest are those of the figures, and so are the models under which the account is short."""
    for account in printed["accounts"]:
        by_model = {margin["model"]: margin for margin in account["models"] if margin["im_requirement_usd"] is not None}
        im = {name: margin["im_requirement_usd"] for name, margin in by_model.items()}
        found = account["disagreement"]
        assert im[found["highest"]] == max(im.values())
        assert im[found["lowest"]] == min(im.values())
        assert math.isclose(found["spread_usd"], max(im.values()) - min(im.values()), rel_tol=1e-12)
        assert found["calls"] == [name for name, margin in by_model.items() if margin["im_excess_usd"] < 0.0]


def test_one_model_and_one_account(files: tuple[Path, Path], printed: dict[str, Any]) -> None:
    """What is asked for alone has the figures that it has among others."""
    market, accounts = files
    name = printed["accounts"][0]["account"]
    result = invoke("margin", "--portfolio", accounts, "--market", market, "--model", "C", "--account", name, "--json")
    (account,) = json.loads(result.stdout)["accounts"]
    (margin,) = account["models"]
    assert margin == next(one for one in printed["accounts"][0]["models"] if one["model"] == "C")
    assert account["disagreement"]["ratio"] is None


def test_a_table_for_people_has_every_model(files: tuple[Path, Path], printed: dict[str, Any]) -> None:
    """Without --json each account is a table, and a sentence says who asks for most."""
    market, accounts = files
    result = invoke("margin", "--portfolio", accounts, "--market", market)
    for account in printed["accounts"]:
        assert account["account"] in result.stdout
    assert result.stdout.count("asks for most") == 8
    assert all(f"│ {name} " in result.stdout for name in MODELS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--model", "Z"), "no model 'Z'"),
        (("--account", "nobody"), "no account 'nobody'"),
        (("--parameters", "other"), "no parameter set 'other'"),
    ],
)
def test_what_is_not_there_is_named(files: tuple[Path, Path], options: tuple[str, str], said: str) -> None:
    """A wrong name is the user's to repair: exit code 2 and what there is."""
    market, accounts = files
    result = invoke("margin", "--portfolio", accounts, "--market", market, *options)
    assert isinstance(result.exception, UsageError)
    assert said in str(result.exception)


def test_accounts_of_one_owner_together(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Two hedged halves at two venues need their margins apart, and almost nothing together."""
    market, _ = files
    settings = {"group": "fund", "event_time_us": MARKET_US}
    records: list[dict[str, Any]] = [
        {"topic": "risk.accounts.v1", "record": {"account": name, "venue": venue, **settings}}
        for name, venue in (("fund-a", "north"), ("fund-b", "south"))
    ]
    for name, quantity in (("fund-a", 1.0), ("fund-b", -1.0)):
        records.append(
            {
                "topic": "risk.transfers.v1",
                "record": {
                    "transfer_id": "1",
                    "account": name,
                    "asset": "USD",
                    "amount": 100_000.0,
                    "event_time_us": MARKET_US,
                },
            }
        )
        records.append({"topic": "risk.trades.v1", "record": {
            "trade_id": "1", "account": name, "instrument": _perpetual(market), "quantity": quantity, "price": 90_000.0,
            "event_time_us": MARKET_US}})  # fmt: skip
    file = tmp_path / "fund.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    result = invoke("margin", "--portfolio", file, "--market", market, "--owners", "--json")
    (owner,) = json.loads(result.stdout)["owners"]
    assert owner["owner"] == "fund"
    assert [venue["venue"] for venue in owner["venues"]] == ["north", "south"]
    apart = math.fsum(venue["im_requirement_usd"] for venue in owner["venues"])
    assert apart > 10.0
    assert owner["economic_im_requirement_usd"] < 1e-6
    assert math.isclose(owner["netting_benefit_usd"], apart, rel_tol=1e-9)
    assert "owner fund" in invoke("margin", "--portfolio", file, "--market", market, "--owners").stdout


def test_refused_records_are_findings(files: tuple[Path, Path], tmp_path: Path) -> None:
    """A trade in a contract that nobody listed is told, and the exit code is 1."""
    market, accounts = files
    lines = accounts.read_text().splitlines()
    trade = json.loads(next(line for line in lines if '"risk.trades.v1"' in line))
    trade["record"] |= {"instrument": "XYZ-PERPETUAL", "trade_id": "stray"}
    more = tmp_path / "accounts.jsonl"
    more.write_text("\n".join([*lines, json.dumps(trade)]) + "\n")
    result = invoke("margin", "--portfolio", more, "--market", market, "--model", "B", "--json")
    assert result.return_value == 1
    assert json.loads(result.stdout)["rejected"] == {"unknown_instrument": 1}


def test_models_are_listed_with_their_sources() -> None:
    """Every model has a line with its source and a page that exists; its parameters come with default and meaning."""
    listed = json.loads(invoke("models", "--json").stdout)["models"]
    assert [one["model"] for one in listed] == list(MODELS)
    for one in listed:
        assert one["source"]
        assert (ROOT / "docs" / one["page"]).is_file()
        assert one["parameters"]
        assert all(parameter["meaning"] for parameter in one["parameters"])
    table = invoke("models").stdout
    assert all(f"│ {name} " in table for name in MODELS)
    assert "covered_fraction" in invoke("models", "C").stdout


def test_a_model_says_which_parameters_it_reads() -> None:
    """The parameters of a model are parts of a parameter set."""
    from monitor.engine.parameters import DEFAULT_SET  # noqa: PLC0415

    for model in MODELS.values():
        found = model.parameters(DEFAULT_SET)
        assert set(found) == set(model.fields)
        assert all(isinstance(value, Record | dict) for value in found.values())


def row(model: Model) -> str:
    """A model's line in the page."""
    runs = "all accounts at once" if model.name in ("A", "P") else "each tick" if model.each_tick else "minute"
    return f"| `{model.name}` | {model.title} | {model.source} | {runs} | [page]({model.page}) |"


def test_the_page_has_every_model() -> None:
    """The table of the page is the registry."""
    text = PAGE.read_text()
    table = text[text.index("<!-- models -->") : text.index("<!-- /models -->")].splitlines()[3:]
    assert [line for line in table if line] == [row(model) for model in MODELS.values()]
