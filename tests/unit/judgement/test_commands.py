"""A generated market sampled, judged, compared, calibrated and reported from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli import liqmon
from monitor.errors import UsageError
from monitor.judgement import store

UNDER = ("--under", "P", "--under", "E", "--under", "P+plain_sum", "--every", "20")


def ask(*args: str) -> Result:
    """Run a command, its errors raised."""
    return CliRunner().invoke(liqmon, args, standalone_mode=False, catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a market, its accounts, and a run."""
    where = tmp_path_factory.mktemp("judged")
    market, accounts = str(where / "market.jsonl"), str(where / "accounts.jsonl")
    ask("generate", "market", "--minutes", "4", "--out", market)
    ask("generate", "accounts", market, "--accounts", "12", "--opening-s", "30", "--out", accounts)
    said = json.loads(
        ask("sample", market, "--accounts", accounts, *UNDER, "--out", str(where / "run"), "--json").stdout
    )
    assert said["accounts"] > 12  # and probes
    return where


def test_a_run_has_every_configuration_and_does_not_depend_on_processes(folder: Path) -> None:
    """Netting never asks for more than the plain sum; two processes say what one says."""
    paths = store.load(folder / "run")
    assert paths.names == ("P", "E", "P.plain_sum")
    plain, netted = paths.of("P.plain_sum").im_usd, paths.of("P").im_usd
    assert (netted <= plain * (1.0 + 1e-9)).all()
    assert (netted > 0.0).all()
    sampled = ask(
        "sample", str(folder / "market.jsonl"), "--accounts", str(folder / "accounts.jsonl"), *UNDER,
        "--jobs", "2", "--out", str(folder / "parts"), "--json",
    )  # fmt: skip
    assert json.loads(sampled.stdout)["digest"] == paths.digest()


def test_an_account_is_worth_what_the_margin_command_says(folder: Path) -> None:
    """Figures of the last sample are those of `liqmon margin` at the same moment, computed account by account."""
    paths = store.load(folder / "run")
    # A sample is taken before the first heartbeat beyond it: the market ends there.
    until_us = int(paths.times_us[-1]) + 1_000_000
    said = ask(
        "margin", "--portfolio", str(folder / "accounts.jsonl"), "--market", str(folder / "market.jsonl"),
        "--model", "E", "--model", "P", "--until-us", str(until_us), "--json",
    )  # fmt: skip
    found = {one["account"]: one for one in json.loads(said.stdout)["accounts"]}
    compared = 0
    for n, name in enumerate(paths.accounts):
        if name not in found:
            continue
        compared += 1
        for margin in found[name]["models"]:
            im = float(paths.of(margin["model"]).im_usd[-1, n])
            assert im == pytest.approx(margin["im_requirement_usd"], rel=1e-6)
            assert float(paths.equity_usd[-1, n]) == pytest.approx(margin["equity_usd"], rel=1e-6)
    assert compared == 12


def test_a_report_is_whole_and_the_same_again(folder: Path) -> None:
    """The page has five pictures, the digest and every table; twice the same bytes."""
    pytest.importorskip("matplotlib")
    made = []
    for name in ("a", "b"):
        out = folder / name / "report.html"
        ask("report", str(folder / "run"), "--out", str(out), "--horizon", "20")
        made.append({file.name: file.read_bytes() for file in sorted(out.parent.iterdir())})
    assert made[0] == made[1]
    page = made[0]["report.html"].decode()
    assert page.count("<svg") == 5
    assert store.load(folder / "run").digest() in page
    assert "<script" not in page
    assert 'src="' not in page
    assert len([name for name in made[0] if name.endswith(".png")]) == 5
    assert json.loads(made[0]["report.json"])["v"] == 1


def test_the_other_commands_answer(folder: Path) -> None:
    """Judge, compare and calibrate print JSON; what is not there is refused."""
    run = str(folder / "run")
    judged = json.loads(ask("judge", run, "--horizon", "20", "--json").stdout)
    assert {one["configuration"] for one in judged["quality"]} == {"P", "E", "P.plain_sum"}
    compared = json.loads(ask("compare-runs", f"{run}:P", f"{run}:P", "--json").stdout)
    assert all(not one["accounts"] for one in compared)
    with pytest.raises(UsageError, match="no configuration"):
        ask("compare-runs", f"{run}:P", f"{run}:Z")
    with pytest.raises(UsageError, match="nothing to judge on"):
        ask("calibrate", run)
    with pytest.raises(UsageError, match="multiple of the step"):
        ask("judge", run, "--horizon", "7")


def test_a_grid_is_sampled_and_calibrated(folder: Path) -> None:
    """Two factors on every range: the wider asks for more, and what was varied stands in the table and in the run."""
    market, accounts, out = (str(folder / name) for name in ("market.jsonl", "accounts.jsonl", "grid"))
    grid = ("--under", "P", "--vary", "matrices.price_range=x1,x1.5", "--every", "20", "--no-probes")
    ask("sample", market, "--accounts", accounts, *grid, "--out", out, "--json")
    paths = store.load(folder / "grid")
    assert paths.names == ("P", "P.1", "P.2")
    assert [one.configuration.treatment for one in paths.requirements[1:]] == ["price_range=x1", "price_range=x1.5"]
    assert (paths.of("P.1").im_usd == paths.of("P").im_usd).all()
    assert paths.of("P.2").im_usd.sum() > paths.of("P").im_usd.sum()
    printed = ask("calibrate", out, "--on", out, "--call", "1.0", "--horizon", "20", "--false-after", "60").stdout
    assert "price_range=x1.5" in printed
    with pytest.raises(UsageError, match="no field of a parameter set"):
        ask("sample", market, "--accounts", accounts, "--vary", "netting.none=1", "--out", out)
