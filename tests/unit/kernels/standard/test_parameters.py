"""Parameters of model E: what a set may say, and that the kernels take what it says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kernels.standard import derive, options, tiers
from schemas.standard import DeriveStandardParameters, StandardOptionParameters, StandardParameters, TierParameters

TIER = {"floor_usd": 0.0, "mm_rate": 0.1, "im_rate": 0.2}


@pytest.mark.parametrize(
    "wrong",
    [
        {"perpetual": {"im_rate": 0.05, "mm_rate": 0.06}},
        {"perpetual": {"mm_rate": 0.0}},
        {"perpetual": {"leverage": 10}},
        {"tiered": {"tiers": []}},
        {"tiered": {"tiers": [{"floor_usd": 1.0, "mm_rate": 0.1, "im_rate": 0.2}]}},
        {"tiered": {"tiers": [{"floor_usd": 0.0, "mm_rate": 0.2, "im_rate": 0.1}]}},
        {"tiered": {"tiers": [TIER, TIER]}},
        {"tiered": {"tiers": [TIER, {**TIER, "floor_usd": 1, "mm_rate": 0.05}]}},
        {"open_interest": {"lower_cap_usd": 2.0, "upper_cap_usd": 1.0}},
        {"size": {"imf": -0.1}},
        {"option": {"maintenance": 0.12}},
        {"derive": {"option": {"unpaired_im_scale": 0.9}}},
        {"derive": {"depeg_factor": 4.0}},
        {"isolated": {}},
    ],
)  # fmt: skip
def test_a_set_that_no_venue_could_mean_is_refused(wrong: dict[str, Any]) -> None:
    """Ranges, order and names are checked, also of what is nested."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, StandardParameters)


def test_a_set_survives_the_wire() -> None:
    """Defaults are left out and come back."""
    assert msgspec.json.encode(StandardParameters()) == b"{}"
    assert msgspec.json.decode(b"{}", type=StandardParameters) == StandardParameters()


def test_kernels_take_the_parameters_by_their_names() -> None:
    """Rates of options and oracles are the kernels' fields, and the default tiers are tiers."""
    given = DeriveStandardParameters()
    assert derive.OptionRates(**msgspec.structs.asdict(given.option)).max_spot_req == 0.15
    assert derive.OracleRates(**msgspec.structs.asdict(given.oracle)).factor == 1.0
    assert options.OptionRates(**msgspec.structs.asdict(StandardOptionParameters())) == options.OptionRates()
    rows = TierParameters().tiers
    table = tiers.tiers([t.floor_usd for t in rows], [t.mm_rate for t in rows], [t.im_rate for t in rows])
    assert len(table.cum_usd) == 10
