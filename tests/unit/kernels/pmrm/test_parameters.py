"""Parameters of model B as data."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from monitor.models.pmrm import scenarios_of, terms_of
from schemas.fields import InvalidRecord
from schemas.pmrm import (
    SCENARIOS,
    PmrmMargin,
    PmrmParameters,
    PmrmSkew,
    imprudence,
)


def test_the_default_scenarios_are_the_deployed_ones() -> None:
    """33 of them: 18 % with volatility up only, seven moves with three volatilities, eight damped tails, two skews."""
    assert len(SCENARIOS) == 33
    assert [row[:2] for row in SCENARIOS[:4]] == [(1.18, "up"), (1.135, "down"), (1.135, "none"), (1.135, "up")]
    assert SCENARIOS[22] == (0.82, "up", 1.0)
    tails = {spot: damping for spot, _, damping in SCENARIOS[23:31]}
    assert tails == {0.34: 0.21, 0.67: 0.42, 1.5: 0.2772, 2.0: 0.1386, 3.0: 0.0693, 4.0: 0.0462, 5.0: 0.03465,
                     6.0: 0.02772}  # fmt: skip
    assert SCENARIOS[31:] == ((1.0, "linear", 1.0), (1.0, "abs", 1.0))
    assert all(damping == 1.0 for _, _, damping in SCENARIOS[:23])


def test_a_set_survives_its_wire_form() -> None:
    """Encoded and decoded, parameters are the same; what is left at its default is not on the wire."""
    given = PmrmParameters(scenarios=((0.9, "none", 0.5),), skew=PmrmSkew(abs_c=-0.2))
    raw = msgspec.json.encode(given)
    assert msgspec.json.decode(raw, type=PmrmParameters) == given
    assert raw == b'{"scenarios":[[0.9,"none",0.5]],"skew":{"abs_c":-0.2}}'


def test_kernels_get_every_value_under_its_name() -> None:
    """No field is lost or exchanged between the record and what the kernels take."""
    parameters = PmrmParameters()
    terms = terms_of(parameters)
    for record, taken in (
        (parameters.vol_shock, terms.vol_shock), (parameters.basis, terms.basis), (parameters.other, terms.charges),
        (parameters.skew, terms.skew),
    ):  # fmt: skip
        assert msgspec.structs.asdict(record) == taken._asdict()
    factors = {"im_factor": terms.im_factor, "mm_factor": terms.mm_factor, **terms.discounting._asdict()}
    assert msgspec.structs.asdict(parameters.margin) == factors
    table = scenarios_of(parameters)
    assert table.spot.tolist() == [row[0] for row in SCENARIOS]
    assert table.damping.tolist() == [row[2] for row in SCENARIOS]
    assert table.direction.tolist()[:4] == [1, -1, 0, 1]
    assert table.direction.tolist()[-2:] == [2, 3]


@pytest.mark.parametrize(
    ("margin", "named"),
    [
        (PmrmMargin(long_static_discount=1.05, short_static_discount=0.95), "rewarding_discount"),
        (PmrmMargin(long_static_discount=0.97, short_static_discount=0.96), "rewarding_discount"),
        (PmrmMargin(long_static_discount=1.01), "rewarding_discount"),
        (PmrmMargin(im_factor=0.7), "initial_below_maintenance"),
    ],
)
def test_parameters_that_reward_risk_are_refused_unless_meant(margin: PmrmMargin, named: str) -> None:
    """The deployment script's discounts are refused by name, and accepted with a flag that says they are meant."""
    with pytest.raises(InvalidRecord, match=named):
        PmrmParameters(margin=margin)
    assert imprudence(PmrmParameters(margin=margin, allow_imprudent=True)) == (named,)


def test_the_default_is_prudent() -> None:
    """Nothing in the defaults rewards risk."""
    assert imprudence(PmrmParameters()) == ()


@pytest.mark.parametrize(
    "raw",
    [
        {"scenarios": []}, {"scenarios": [[0.0, "up", 1.0]]}, {"scenarios": [[1.0, "sideways", 1.0]]},
        {"scenarios": [[1.0, "up", -0.1]]}, {"scenarios": [[1.0, "up"]]}, {"vol_shock": {"dte_floor_days": 0.0}},
        {"margin": {"mm_factor": 0.4}}, {"margin": {"long_static_discount": 0.0}}, {"basis": {"spot_up": 1.0}},
        {"basis": {"spot_down": 1.0}}, {"other": {"conf_threshold": 1.1}}, {"skew": {"min_k_star": 0.0}},
        {"skew": {"linear_cap": 0.1}}, {"other": {"mm_perp_pct": "0.03"}}, {"unknown": 1},
    ],
)  # fmt: skip
def test_values_out_of_range_and_unknown_names_are_refused(raw: dict[str, Any]) -> None:
    """Each is a validation error, not a default."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, PmrmParameters)
