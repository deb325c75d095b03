"""Groups of marginal tiers and of borrowing against collateral."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from kernels import loan_to_value, marginal_tiers
from kernels.marginal_tiers import Tier
from monitor.vectors.inputs import read, refused_at

_Row = tuple[float, float | None, float]


class _MinimumCharge(msgspec.Struct, frozen=True):
    raw_minimum_charge: float
    sum_of_other_units: float
    tiers: list[_Row]


class _Depeg(msgspec.Struct, frozen=True):
    hedge_scale_usd: float
    tiers: list[_Row]


class _Collateral(msgspec.Struct, frozen=True):
    collateral_amount: float
    oracle_price: float
    ltv: float


def okx_mr7(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Raise a minimum charge by tiers: raw_minimum_charge, sum_of_other_units, tiers[[from, to or null, multiplier]].

    Returns mr7_adjusted and mmr, the larger of it and the other units.
    """
    given = read(inputs, _MinimumCharge)
    with refused_at("raw_minimum_charge"):
        raised, requirement = marginal_tiers.minimum_charge(
            given.raw_minimum_charge, given.sum_of_other_units, _tiers(given.tiers)
        )
    return {"mr7_adjusted": raised, "mmr": requirement}


def okx_mr9(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Charge a hedge between stable coins by tiers: hedge_scale_usd, tiers[[from, to or null, rate]] -> mr9.

    `uncovered_usd` is what lies in no tier of the case, and is charged nothing.
    """
    given = read(inputs, _Depeg)
    with refused_at("hedge_scale_usd"):
        charge, uncovered = marginal_tiers.marginal_charge(given.hedge_scale_usd, _tiers(given.tiers))
    return {"mr9": charge, "uncovered_usd": uncovered}


def hyperliquid_ltv(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Borrow against collateral: collateral_amount, oracle_price, ltv -> borrowable_usdc, liquidation_threshold."""
    given = read(inputs, _Collateral)
    with refused_at("ltv"):
        borrowable, threshold = loan_to_value.borrowing(given.collateral_amount, given.oracle_price, given.ltv)
    return {"borrowable_usdc": borrowable, "liquidation_threshold": threshold}


def _tiers(rows: list[_Row]) -> list[Tier]:
    return [Tier(start, math.inf if end is None else end, rate) for start, end, rate in rows]
