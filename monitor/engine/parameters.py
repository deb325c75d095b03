"""Parameters fold: named sets of margin and status parameters, with their hashes, and the set that exists by itself.

The built-in set: BTC and ETH as their venue publishes them (price range, volatility shocks, annualised moves, slope
of the delta shock). Everything else is this project's choice:

* other coins: range 0.25 (the widest published group of a large venue), volatility shocks as ETH's, three times ETH's
  move on the term structure, a tenth of the delta threshold, a slope per coin near 1e-8 per USD of delta;
* stablecoins: range 0.05, an ordinary depeg and not a collapse; 0.20 for the synthetic USDE, which traded at 0.65 on
  one venue on 2025-10-10.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.ids import parameter_hash
from schemas.records import MIN_TIME_US, ParameterSet, RiskMatrixParameters, StatusParameters
from schemas.span import SpanParameters, SpanSet

DEFAULT = "default"
MAX_SETS = 10_000
MAX_EXTENDED_MOVES = 64  # each is a scenario of every instrument
MAX_EXTENDED_MOVE = 100.0  # a coin a hundred times dearer
LAYOUT = 1


class RejectedParameters(ValueError):
    """A parameter set the fold refuses; `kind` is for counting, `text` for people."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text


@dataclass(frozen=True, slots=True)
class ActiveSet:
    """A parameter set in force and its hash."""

    set: ParameterSet
    hash: str

    def risk_matrix(self, underlying: str) -> RiskMatrixParameters:
        """Return the values for an underlying."""
        return self.set.underlyings.get(underlying, self.set.risk_matrix)


def _coin(delta_shock_slope: float) -> RiskMatrixParameters:
    return RiskMatrixParameters(
        price_range=0.25,
        volatility_range_up=0.40,
        annualised_move_risk=0.15,
        min_annualised_move=0.015,
        delta_shock_slope=delta_shock_slope,
        delta_shock_threshold_usd=2_000_000.0,
    )


def _span_stable(price_floor: float) -> SpanParameters:
    return SpanParameters(price_floor=price_floor, assumed_annual_vol=0.02)


def _stable(price_range: float) -> RiskMatrixParameters:
    return RiskMatrixParameters(
        price_range=price_range,
        annualised_move_risk=0.02,
        min_annualised_move=0.002,
        delta_shock_slope=0.0,
    )


DEFAULT_SET = ParameterSet(
    name=DEFAULT,
    event_time_us=MIN_TIME_US,
    risk_matrix=_coin(1e-6),
    underlyings={
        "BTC": RiskMatrixParameters(),
        "ETH": RiskMatrixParameters(
            price_range=0.18,
            volatility_range_up=0.40,
            annualised_move_risk=0.05,
            min_annualised_move=0.005,
            delta_shock_slope=0.000004,
        ),
        "ADA": _coin(1e-8),
        "AVAX": _coin(2.5e-7),
        "BNB": _coin(1e-5),
        "DOGE": _coin(2.5e-9),
        "DOT": _coin(4e-8),
        "LINK": _coin(2e-7),
        "LTC": _coin(1e-6),
        "SOL": _coin(2e-6),
        "UNI": _coin(8e-8),
        "XRP": _coin(2.5e-8),
        "DAI": _stable(0.05),
        "USDC": _stable(0.05),
        "USDE": _stable(0.20),
        "USDT": _stable(0.05),
    },
    span=SpanSet(
        underlyings={
            "DAI": _span_stable(0.05), "USDC": _span_stable(0.05), "USDE": _span_stable(0.20),
            "USDT": _span_stable(0.05),
        }
    ),
)  # fmt: skip


DEFAULT_ACTIVE = ActiveSet(DEFAULT_SET, parameter_hash(DEFAULT_SET))


class ParametersFold:
    """Folds `risk.parameters`; `late_sets` counts records older than the set in force."""

    __slots__ = ("_active", "late_sets")

    def __init__(self) -> None:
        self._active = {DEFAULT: DEFAULT_ACTIVE}
        self.late_sets = 0

    def get(self, name: str) -> ActiveSet | None:
        """Return the set in force under a name, None if nobody defined it; `default` always exists."""
        return self._active.get(name)

    def apply(self, record: ParameterSet) -> tuple[str, ...]:
        """Fold a set and return the names of the sets whose values changed.

        Raises `RejectedParameters` if its values contradict each other. A set older than the one in force (by event
        time) changes nothing and is counted.
        """
        validate(record)
        known = self._active.get(record.name)
        if known is None and len(self._active) >= MAX_SETS:
            raise RejectedParameters("too_many", f"more than {MAX_SETS} parameter sets")
        if known is not None and record.event_time_us < known.set.event_time_us:
            self.late_sets += 1
            return ()
        active = ActiveSet(record, parameter_hash(record))
        self._active[record.name] = active
        return () if known is not None and known.hash == active.hash else (record.name,)

    def snapshot(self) -> dict[str, Any]:
        """Return the fold as plain JSON values."""
        return {
            "layout": LAYOUT,
            "sets": [msgspec.to_builtins(active.set) for active in self._active.values()],
            "late_sets": self.late_sets,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> ParametersFold:
        """Rebuild a fold from its snapshot; raises ValueError for another layout."""
        if state["layout"] != LAYOUT:
            raise ValueError(f"parameters snapshot has layout {state['layout']}, this build reads {LAYOUT}")
        fold = cls()
        for item in state["sets"]:
            record = msgspec.convert(item, ParameterSet)
            fold._active[record.name] = ActiveSet(record, parameter_hash(record))
        fold.late_sets = state["late_sets"]
        return fold


def validate(parameters: ParameterSet) -> None:
    """Raise `RejectedParameters` where values contradict each other (their ranges are the record's own)."""
    _validate_status(parameters.status)
    for name, matrix in (("risk_matrix", parameters.risk_matrix), *parameters.underlyings.items()):
        _validate_matrix(name, matrix)
        factor = matrix.mm_factor * parameters.status.liquidation_leave_v
        if factor >= parameters.status.liquidation_enter_u:
            # u = mm_factor v: with less, an account could meet the conditions to enter and to leave at once.
            raise RejectedParameters(
                "thresholds",
                f"{name}: mm_factor x liquidation_leave_v must be below liquidation_enter_u",
            )
    if parameters.netting.mm_factor * parameters.status.liquidation_leave_v >= parameters.status.liquidation_enter_u:
        raise RejectedParameters(
            "thresholds", "netting: mm_factor x liquidation_leave_v must be below liquidation_enter_u"
        )


def _validate_status(status: StatusParameters) -> None:
    thresholds = {name: getattr(status, name) for name in status.__struct_fields__ if name.endswith(("_v", "_u"))}
    for name, value in thresholds.items():
        if not (math.isfinite(value) and 0.0 < value <= 10.0):
            raise RejectedParameters("thresholds", f"{name} must lie in (0, 10]")
    for lower, upper in (
        ("warning_leave_v", "warning_enter_v"),
        ("margin_call_leave_v", "margin_call_enter_v"),
        ("warning_leave_v", "margin_call_leave_v"),
        ("warning_enter_v", "margin_call_enter_v"),
    ):
        if not thresholds[lower] < thresholds[upper]:
            raise RejectedParameters("thresholds", f"{lower} must be below {upper}")
    if status.event_validity_ms == 0 or status.max_data_hold_ms == 0:
        raise RejectedParameters("thresholds", "event_validity_ms and max_data_hold_ms must be positive")


def _validate_matrix(name: str, matrix: RiskMatrixParameters) -> None:
    moves = matrix.extended_moves
    if len(moves) > MAX_EXTENDED_MOVES:
        raise RejectedParameters("extended_moves", f"{name}: more than {MAX_EXTENDED_MOVES} extended moves")
    for move in moves:
        if not -1.0 < move <= MAX_EXTENDED_MOVE or move == 0.0:
            raise RejectedParameters("extended_moves", f"{name}: an extended move must lie in (-1, 100] and not be 0")
    if len(dict.fromkeys(moves)) != len(moves):
        raise RejectedParameters("extended_moves", f"{name}: extended moves must differ")
    if matrix.delta_shock_threshold_usd < 0.0:
        raise RejectedParameters("delta_shock", f"{name}: delta_shock_threshold_usd must not be negative")
