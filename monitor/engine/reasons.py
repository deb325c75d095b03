"""The sentence in an event that says why, from its numbers alone and without any locale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from monitor.engine.evaluation import Evaluation
from monitor.engine.status import Transition
from schemas.records import EventKind, StatusParameters

MAX_REASON = 512  # characters, the bound of `AccountEvent.reason`


def reason(transition: Transition, evaluation: Evaluation, thresholds: StatusParameters) -> str:
    """Say what happened, which underlying weighs most and in which scenario, in at most 512 characters."""
    parts = [_SENTENCES[transition.kind](transition, evaluation, thresholds)]
    if evaluation.underlyings and transition.kind != "resolved":
        parts.append(_where(evaluation))
    if evaluation.data_quality:
        parts.append("Data: " + ", ".join(evaluation.data_quality) + ".")
    text = " ".join(parts)
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 3] + "..."


def _warning(transition: Transition, evaluation: Evaluation, limits: StatusParameters) -> str:
    if transition.state_from == "healthy":
        return f"Warning {_after(transition)}: {_initial(evaluation, 'at or above', limits.warning_enter_v)}."
    return f"Back to warning {_after(transition)}: {_initial(evaluation, 'below', limits.margin_call_leave_v)}."


def _margin_call(transition: Transition, evaluation: Evaluation, limits: StatusParameters) -> str:
    if transition.state_from == "recovered":
        return f"Margin call {_after(transition)}: {_initial(evaluation, 'at or above', limits.margin_call_leave_v)}."
    dwelt = f" for {_seconds(limits.margin_call_dwell_ms)}" if transition.timer else ""
    return (
        f"Margin call {_after(transition)}: {_initial(evaluation, 'at or above', limits.margin_call_enter_v)}{dwelt}."
    )


def _recovered(transition: Transition, evaluation: Evaluation, limits: StatusParameters) -> str:
    return f"Recovered {_after(transition)}: {_initial(evaluation, 'at or below', limits.liquidation_leave_v)}."


def _resolved(transition: Transition, evaluation: Evaluation, limits: StatusParameters) -> str:
    return f"Resolved {_after(transition)}: {_initial(evaluation, 'below', limits.warning_leave_v)}."


def _liquidation(transition: Transition, evaluation: Evaluation, limits: StatusParameters) -> str:
    if transition.state_from == "bankrupt":
        return f"Liquidation {_after(transition)}: {_initial(evaluation, 'above', limits.liquidation_leave_v)}."
    jump = " without an earlier margin call" if transition.jump else ""
    return f"Liquidation {_after(transition)}{jump}: {_maintenance(evaluation, limits)}."


def _bankrupt(transition: Transition, evaluation: Evaluation, _limits: StatusParameters) -> str:
    return f"Bankrupt {_after(transition)}: equity {_usd(evaluation.equity_usd)}."


def _data_hold(transition: Transition, evaluation: Evaluation, limits: StatusParameters) -> str:
    what = "bankruptcy" if transition.state_from == "liquidation" else "liquidation"
    figures = _ratio("maintenance margin", evaluation.mm_requirement_usd, evaluation.equity_usd)
    if transition.reason == "hold_expired":
        waited = _seconds(limits.max_data_hold_ms)
        return f"Data hold lasts {waited}: a human has to decide on {what}, {figures} by data that are not good."
    if transition.reason == "hold_released":
        return f"Data hold released: {figures}."
    return f"Data hold: no {what} on stale or degraded data, by which {figures}."


_SENTENCES: Final[Mapping[EventKind, Callable[[Transition, Evaluation, StatusParameters], str]]] = {
    "warning": _warning,
    "margin_call": _margin_call,
    "recovered": _recovered,
    "resolved": _resolved,
    "liquidation": _liquidation,
    "bankrupt": _bankrupt,
    "data_hold": _data_hold,
}


def _where(evaluation: Evaluation) -> str:
    worst = evaluation.underlyings[0]
    share = ""
    if evaluation.im_requirement_usd > 0.0:
        share = f" ({_percent(worst.im_usd / evaluation.im_requirement_usd)})"
    if worst.worst is not None:
        return (
            f"Most of it {worst.underlying} {_usd(worst.im_usd)}{share}: worst scenario {worst.worst}, "
            f"index {_usd(worst.index_price)}."
        )
    return (
        f"Most of it {worst.underlying} {_usd(worst.im_usd)}{share}: worst scenario price {_move(worst.price_move)}, "
        f"volatility {worst.vol_shock}, P&L {_usd(worst.scenario_pnl_usd)}, index {_usd(worst.index_price)}."
    )


def _initial(evaluation: Evaluation, relation: str, limit: float) -> str:
    ratio = _ratio("initial margin", evaluation.im_requirement_usd, evaluation.equity_usd)
    return f"{ratio}, {relation} {_limit(limit)}" if evaluation.equity_usd > 0.0 else ratio


def _maintenance(evaluation: Evaluation, limits: StatusParameters) -> str:
    ratio = _ratio("maintenance margin", evaluation.mm_requirement_usd, evaluation.equity_usd)
    return f"{ratio}, at or above {_limit(limits.liquidation_enter_u)}" if evaluation.equity_usd > 0.0 else ratio


def _ratio(name: str, requirement_usd: float, equity_usd: float) -> str:
    if equity_usd > 0.0:
        share = _percent(requirement_usd / equity_usd)
        return f"{name} {_usd(requirement_usd)} is {share} of equity {_usd(equity_usd)}"
    return f"{name} {_usd(requirement_usd)} against equity {_usd(equity_usd)}"


def _after(transition: Transition) -> str:
    ended = ", ended by a deposit" if transition.reason == "deposit" else ""
    return f"after {transition.state_from.replace('_', ' ')}{ended}"


def _usd(amount: float) -> str:
    return f"{amount:z,.2f} USD"


def _percent(ratio: float) -> str:
    return f"{100.0 * ratio:z,.2f} %"


def _limit(threshold: float) -> str:
    return f"{100.0 * threshold:g} %"


def _move(move: float) -> str:
    return f"{100.0 * move:+z.1f} %"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1_000:g} s"
