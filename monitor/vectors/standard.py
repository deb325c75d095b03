"""Group `drift_imf`: weights that change with the size of a position."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from kernels.standard import scaling
from monitor.vectors.inputs import read

NotNegative = Annotated[float, Meta(ge=0.0)]


class _Case(msgspec.Struct, frozen=True):
    kind: Literal["asset", "liability"]
    weight: NotNegative
    imf: NotNegative
    size_units: float


class _Inputs(msgspec.Struct, frozen=True):
    cases: list[_Case]


def drift_imf(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Weigh assets and liabilities by their size: cases[{kind, weight, imf, size_units}] -> weight[]."""
    weigh = {"asset": scaling.asset_weight, "liability": scaling.liability_weight}
    given = read(inputs, _Inputs)
    return {"weight": [weigh[case.kind](case.weight, case.imf, case.size_units) for case in given.cases]}
