"""Several models side by side on one portfolio: capital efficiency, and where they disagree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.models.margin import Margin
from monitor.models.portfolio import Portfolio
from monitor.models.registry import BASELINE, MODELS
from schemas.parameters import ParameterSet


@dataclass(frozen=True, slots=True)
class Disagreement:
    """How far the computed requirements of several models lie apart.

    `highest` and `lowest` are model names, `ratio` the one requirement over the other (infinite over 0, NaN between
    fewer than two). `calls` are the models under which equity is below IM, `liquidates` those with equity below MM.
    """

    highest: str
    lowest: str
    spread_usd: float
    ratio: float
    calls: tuple[str, ...]
    liquidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Margins in the order asked for, each with its initial requirement over that of the baseline."""

    margins: tuple[Margin, ...]
    ratio_to_isolated: dict[str, float]
    disagreement: Disagreement


def compare(portfolio: Portfolio, names: Sequence[str], chosen: ParameterSet, parameter_hash: str) -> Comparison:
    """Return the margins of a portfolio under several models; raises KeyError for a name that is no model's."""
    margins = tuple(MODELS[name].compute(portfolio, chosen, parameter_hash) for name in names)
    baseline = next(
        (margin for margin in margins if margin.model == BASELINE), None
    ) or MODELS[BASELINE].compute(portfolio, chosen, parameter_hash)  # fmt: skip
    ratios = {margin.model: _ratio(margin.im_requirement_usd, baseline.im_requirement_usd) for margin in margins}
    return Comparison(margins, ratios, _disagreement(margins))


def _disagreement(margins: Sequence[Margin]) -> Disagreement:
    computed = sorted((margin for margin in margins if margin.computed), key=lambda margin: margin.im_requirement_usd)
    calls = tuple(margin.model for margin in margins if margin.computed and margin.im_excess_usd < 0.0)
    liquidates = tuple(margin.model for margin in margins if margin.computed and margin.mm_excess_usd < 0.0)
    if len(computed) < 2:
        return Disagreement("", "", math.nan, math.nan, calls, liquidates)
    low, high = computed[0], computed[-1]
    spread_usd = high.im_requirement_usd - low.im_requirement_usd
    ratio = _ratio(high.im_requirement_usd, low.im_requirement_usd)
    return Disagreement(high.model, low.model, spread_usd, ratio, calls, liquidates)


def _ratio(above: float, below: float) -> float:
    """Return above/below: 1 where both are zero, infinite over zero."""
    if below == 0.0:
        return 1.0 if above == 0.0 else math.inf
    return above / below
