"""The page of model D says what the model and the parameters do."""

from __future__ import annotations

import doctest
import math
import re
from typing import Any

import mpmath
import msgspec
import pytest

from schemas.joint import JointBasis, JointParameters, JointVolatility
from tests.support import ROOT

PAGE = ROOT / "docs" / "margin-model-d.md"
TEXT = PAGE.read_text()
PRINTED = dict(re.findall(r"^(\w[\w-]+) +(-?\d+\.\d\d)$", TEXT, re.MULTILINE))
mp = mpmath.mp.clone()
mp.dps = 20


def test_the_examples_print_what_the_page_shows() -> None:
    """Every line of the worked example is what the model returns."""
    failed, attempted = doctest.testfile(str(PAGE), module_relative=False)
    assert attempted > 10
    assert failed == 0


def student_shortfall() -> float:
    """Return the shortfall at 99 % of a Student t variable of four degrees and variance 1, from its distribution."""
    t = mp.findroot(
        lambda x: mp.mpf(1) / 2 - x * (6 + x * x) / (2 * (4 + x * x) ** mp.mpf("1.5")) - mp.mpf("0.01"), 3.7
    )
    density = mp.mpf(3) / 8 * (1 + t * t / 4) ** mp.mpf("-2.5")
    return float(density / mp.mpf("0.01") * (4 + t * t) / 3 / mp.sqrt(2))


def test_the_figures_by_hand_are_right() -> None:
    """Deviations, the closed form under each correlation, and how far the draws are from it."""
    bitcoin, ether = 1.5 * 60_000.0 * 0.50 / math.sqrt(365.0), -20.0 * 2_500.0 * 0.73 / math.sqrt(365.0)

    def deviation(rho: float) -> float:
        return math.sqrt(bitcoin**2 + ether**2 + 2.0 * rho * bitcoin * ether)

    unit = student_shortfall()
    error = float(PRINTED["standard_error_usd"])
    for name, rho in (("fast", 0.85), ("slow", 0.75), ("floor", 0.5)):
        assert f"{unit * deviation(rho):,.0f}" in TEXT
        assert float(PRINTED[f"es_matrix_{name}_usd"]) == pytest.approx(unit * deviation(rho), abs=3.0 * error)
    assert f"{bitcoin:,.0f} USD" in TEXT
    assert f"{ether:,.0f}" in TEXT
    assert f"{deviation(0.5):,.0f}, and a Student" in TEXT
    assert f"{unit:.3f} deviations" in TEXT
    above = (float(PRINTED["es_usd"]) - unit * deviation(0.5)) / error
    assert f"{above:.1f} standard errors above" in TEXT
    assert f"{unit * deviation(0.9 * 0.5 - 0.1):,.0f}, at draws {float(PRINTED['es_against_me_usd']):,.0f}" in TEXT
    assert float(PRINTED["delta_normal_var_usd"]) == pytest.approx(2.3263478740408408 * deviation(0.5), abs=0.005)
    assert float(PRINTED["stress_2026-02-05_usd"]) == pytest.approx(0.13 * 90_000.0 - 0.13 * 50_000.0)
    assert float(PRINTED["correlation"]) == pytest.approx(
        float(PRINTED["es_against_me_usd"]) - float(PRINTED["es_usd"]), abs=0.01
    )


def shown(value: Any) -> set[str]:
    """Return how a page may write a default."""
    if isinstance(value, bool):
        return {"yes" if value else "no"}
    if isinstance(value, float | int):
        return {f"{value:,}", f"{value:g}", f"{value:.2f}", f"{value:.1f}", str(value), f"{100.0 * value:g}"}
    if isinstance(value, str):
        return {value}
    return {"all three", "in force", "none by name", "four", "7, 30, 90", "0.1, 0.2, 0.4, 0.8 %"}


@pytest.mark.parametrize(
    ("prefix", "parameters"),
    [("", JointParameters()), ("volatility.", JointVolatility()), ("basis.", JointBasis())],
)
def test_the_page_names_every_parameter_with_its_default(prefix: str, parameters: msgspec.Struct) -> None:
    """No parameter is missing from the table, and its default stands in the row."""
    rows = re.findall(r"^\| (`.+`.*?) \| (.+?) \| (.+?) \|$", TEXT.split("## Parameters")[1], re.MULTILINE)
    for name, value in msgspec.structs.asdict(parameters).items():
        if isinstance(value, msgspec.Struct):
            continue
        found = [row for row in rows if f"`{prefix}{name}`" in row[0] or (prefix in row[0] and f"`{name}`" in row[0])]
        assert len(found) == 1, name
        assert any(text in found[0][1] for text in shown(value)), (name, found[0][1])


def test_falls_of_the_page_are_those_of_the_parameters() -> None:
    """Both recorded crashes stand on the page, coin by coin, in percent."""
    for one in JointParameters().stress_moves[:2]:
        (listed,) = re.findall(rf"{one.name} (BTC [^;.]+)", " ".join(TEXT.split("## What it tells")[0].split()))
        coins = {name: int(percent) for name, percent in re.findall(r"(\w+) (\d+)", listed)}
        assert coins == {name: round(-100.0 * move) for name, move in one.moves.items()} | {
            "others": round(-100.0 * one.other)
        }
