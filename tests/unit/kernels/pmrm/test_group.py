"""The group `derive_pmrm2` beyond what its cases compare."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from monitor.vectors.inputs import InvalidInputs
from monitor.vectors.registry import CALLABLES
from tests.golden.vectors import pmrm

derive_pmrm2 = CALLABLES["derive_pmrm2"]
BOOK = pmrm.books()["covered-straddle"]


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return BOOK with the value at a path replaced; None removes it."""
    inputs = copy.deepcopy(BOOK)
    *keys, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    at: Any = inputs
    for key in keys:
        at = at[key]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return inputs


def test_components_of_a_margin_followed_by_hand() -> None:
    """Components, worst scenario and warnings of the hedged perpetual are those of the hand calculation."""
    got = derive_pmrm2(pmrm.hedged_perpetual())
    want = {
        "scan_im_usd": 223.75, "depeg_usd": 26.85, "scan_mm_usd": 179.0, "mm_perp_usd": 120.0, "mm_option_usd": 0.0,
        "mm_collateral_usd": 312.5, "im_perp_usd": 40.0, "im_option_usd": 0.0, "im_collateral_usd": 156.25,
        "confidence_usd": 2000.0, "cash_usd": -1000.0, "perp_unrealised_usd": 25.0, "option_mtm_usd": 0.0,
        "collateral_usd": 3125.0,
    }  # fmt: skip
    assert got["components"] == pytest.approx(want, rel=1e-14)
    assert (got["worst_scenario"], got["warnings"]) == (2, ["low_confidence", "depeg"])


def test_a_rewarding_discount_is_computed_and_warned_of() -> None:
    """A case with the deployment script's discounts has a margin, and a warning in its result."""
    inputs = copy.deepcopy(BOOK)
    inputs["params"]["margin"] |= {"long_static_discount": 1.05, "short_static_discount": 0.95}
    got = derive_pmrm2(inputs)
    assert got["warnings"] == ["rewarding_discount"]
    assert got["im"] > derive_pmrm2(BOOK)["im"]


def test_the_basis_contingency_has_a_name_as_the_worst() -> None:
    """Where no scenario is worse than the basis contingency, it is the worst scenario."""
    assert derive_pmrm2(changed("params.scenarios", [[1.0, "none", 0.0]]))["worst_scenario"] == "basis"


def test_what_the_layout_does_not_name_is_ignored() -> None:
    """Further fields, in parameters too, change nothing."""
    inputs = changed("params.margin.note", 1.0)
    inputs["params"]["comment"] = inputs["comment"] = "as of today"
    assert derive_pmrm2(inputs) == derive_pmrm2(BOOK)


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("spot", 0.0, "spot"),
        ("stable_price", -1.0, "stable_price"),
        ("perp.price", None, "perp"),
        ("collaterals.0.amount", -1.0, "collaterals[0].amount"),
        ("expiries.0.expiry_s", 5.0, "options[0].expiry_s"),
        ("expiries", [BOOK["expiries"][0]] * 2, "expiries[1].expiry_s"),
        ("expiries.0.forward_variable", 0.0, "forward[0]"),
        ("options.0.strike", 0.0, "options[0].strike"),
        ("options.0.type", "straddle", "options[0].type"),
        ("options.2", {**BOOK["options"][0], "mark_vol": 0.9}, "options"),
        ("params.skew", None, "params"),
        ("params.skew.abs_c", None, "params.skew"),
        ("params.skew.abs_c", 99.0, "params.skew.abs_c"),
        ("params.skew", 1.0, "params.skew"),
        ("params.scenarios", [], "params.scenarios"),
        ("params.scenarios", [[1.0, "sideways", 1.0]], "params.scenarios[0][1]"),
        ("params.margin.mm_factor", "0.8", "params.margin.mm_factor"),
    ],
)
def test_inputs_that_mean_nothing_are_refused_at_their_place(path: str, value: Any, place: str) -> None:
    """A value out of range, a field that is missing, an option without its expiry: each by name."""
    with pytest.raises(InvalidInputs) as caught:
        derive_pmrm2(changed(path, value))
    assert caught.value.place == place
