"""Charges put on top of a model's margin, component by component."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from monitor.models.margin import Margin, Part
from monitor.models.portfolio import Portfolio, Underlying


class Charge(NamedTuple):
    """One charge, USD; `underlying` is empty where it has none, `degraded` says what stands in for something better."""

    name: str
    underlying: str
    im_usd: float
    mm_usd: float
    degraded: tuple[str, ...] = ()


class Totals(NamedTuple):
    """Charges by name, USD, and why they are degraded."""

    im: dict[str, float]
    mm: dict[str, float]
    degraded: tuple[str, ...]


def totals(charges: Sequence[Charge], portfolio: Portfolio) -> Totals:
    """Sum charges by name; every sum of a portfolio that cannot be valued is NaN, with its reasons."""
    missing = portfolio.missing
    names = dict.fromkeys(charge.name for charge in charges)
    im = {name: math.fsum(c.im_usd for c in charges if c.name == name) for name in names}
    mm = {name: math.fsum(c.mm_usd for c in charges if c.name == name) for name in names}
    if missing:
        im, mm = dict.fromkeys(im, math.nan), dict.fromkeys(mm, math.nan)
    return Totals(im, mm, tuple(sorted({*missing, *(reason for charge in charges for reason in charge.degraded)})))


def charged(
    margin: Margin, portfolio: Portfolio, charges: Sequence[Charge], statistics: Mapping[str, float] | None = None
) -> Margin:
    """Return a margin with charges as components; requirements become the sums of all components, rounded once.

    A charge whose name the model has already is added to that component. Parts take the charges of their underlying;
    an underlying without a part gets one. A requirement that was NaN stays NaN.
    """
    more = totals(charges, portfolio)
    im, mm = _joined(margin.im_components, more.im), _joined(margin.mm_components, more.mm)
    return replace(
        margin,
        im_requirement_usd=_sum(margin.im_requirement_usd, im),
        mm_requirement_usd=_sum(margin.mm_requirement_usd, mm),
        im_components=im,
        mm_components=mm,
        parts=_parts(margin.parts, portfolio, charges),
        statistics={**margin.statistics, **(statistics or {})},
        flags=tuple(sorted({*margin.flags, *portfolio.flags})),
        degraded=tuple(sorted({*margin.degraded, *more.degraded})),
    )


def _joined(components: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    return {**components, **{name: components.get(name, 0.0) + usd for name, usd in more.items()}}


def _sum(requirement_usd: float, components: Mapping[str, float]) -> float:
    return requirement_usd if math.isnan(requirement_usd) else math.fsum(components.values())


def _parts(parts: Iterable[Part], portfolio: Portfolio, charges: Iterable[Charge]) -> tuple[Part, ...]:
    found = {part.underlying: part for part in parts}
    underlyings = {underlying.name: underlying for underlying in portfolio.underlyings}
    for _, name, im_usd, mm_usd, _ in charges:
        if name not in underlyings:
            continue
        part = found.get(name) or _empty(underlyings[name])
        found[name] = replace(part, im_usd=part.im_usd + im_usd, mm_usd=part.mm_usd + mm_usd)
    return tuple(found.values())


def _empty(underlying: Underlying) -> Part:
    delta_coins = math.fsum(underlying.quantity * underlying.rows.delta_coins)
    return Part(underlying.name, underlying.position_usd, 0.0, 0.0, delta_coins)
