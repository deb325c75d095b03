"""The sentence in an event that says why, from its numbers alone and without any locale."""

from __future__ import annotations

from typing import assert_never

from monitor.engine.evaluation import Evaluation
from monitor.engine.status import Transition
from schemas.records import Status, StatusParameters

MAX_REASON = 512  # characters, the bound of `AccountEvent.reason`


def reason(transition: Transition, evaluation: Evaluation, thresholds: StatusParameters) -> str:
    """Say what happened, which underlying weighs most and in which scenario, in at most 512 characters."""
    parts = [_what(transition, evaluation, thresholds)]
    if evaluation.underlyings and transition.kind != "resolved":
        parts.append(_where(evaluation))
    if evaluation.data_quality:
        parts.append("Data: " + ", ".join(evaluation.data_quality) + ".")
    text = " ".join(parts)
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 3] + "..."


def _what(transition: Transition, evaluation: Evaluation, limits: StatusParameters) -> str:
    before = transition.state_from
    after = f"after {_state(before)}"
    match transition.kind:
        case "warning":
            if before == "healthy":
                return f"Warning {after}: {_initial(evaluation, 'at or above', limits.warning_enter_v)}."
            return f"Back to warning {after}: {_initial(evaluation, 'below', limits.margin_call_leave_v)}."
        case "margin_call":
            if before == "recovered":
                return f"Margin call {after}: {_initial(evaluation, 'at or above', limits.margin_call_leave_v)}."
            dwelt = f" for {_seconds(limits.margin_call_dwell_ms)}" if transition.timer else ""
            return f"Margin call {after}: {_initial(evaluation, 'at or above', limits.margin_call_enter_v)}{dwelt}."
        case "liquidation":
            if before == "bankrupt":
                rest = _initial(evaluation, "above", limits.liquidation_leave_v)
                return f"Liquidation {after}, ended by a deposit: {rest}."
            jump = " without an earlier margin call" if transition.jump else ""
            return f"Liquidation {after}{jump}: {_maintenance(evaluation, limits)}."
        case "bankrupt":
            return f"Bankrupt {after}: equity {_usd(evaluation.equity_usd)}."
        case "recovered":
            cause = ", ended by a deposit" if before == "bankrupt" else ""
            return f"Recovered {after}{cause}: {_initial(evaluation, 'at or below', limits.liquidation_leave_v)}."
        case "resolved":
            return f"Resolved {after}: {_initial(evaluation, 'below', limits.warning_leave_v)}."
        case "data_hold":
            return _held(transition, evaluation, limits)
        case _:
            assert_never(transition.kind)


def _held(transition: Transition, evaluation: Evaluation, limits: StatusParameters) -> str:
    what = "bankruptcy" if transition.state_from == "liquidation" else "liquidation"
    figures = _ratio("maintenance margin", evaluation.mm_requirement_usd, evaluation.equity_usd)
    if transition.reason == "hold_expired":
        waited = _seconds(limits.max_data_hold_ms)
        return f"Data hold lasts {waited}: a human has to decide on {what}, {figures} by data that are not good."
    if transition.reason == "hold_released":
        return f"Data hold released: {figures}."
    return f"Data hold: no {what} on stale or degraded data, by which {figures}."


def _where(evaluation: Evaluation) -> str:
    worst = evaluation.underlyings[0]
    share = ""
    if evaluation.im_requirement_usd > 0.0:
        share = f" ({_percent(worst.im_usd / evaluation.im_requirement_usd)})"
    return (
        f"Most of it {worst.underlying} {_usd(worst.im_usd)}{share}: worst scenario price {_move(worst.price_move)}, "
        f"volatility {worst.vol_shock}, P&L {_usd(worst.scenario_pnl_usd)}, index {_usd(worst.index_price)}."
    )


def _initial(evaluation: Evaluation, relation: str, limit: float) -> str:
    ratio = _ratio("initial margin", evaluation.im_requirement_usd, evaluation.equity_usd)
    return f"{ratio}, {relation} {_percent(limit)}" if evaluation.equity_usd > 0.0 else ratio


def _maintenance(evaluation: Evaluation, limits: StatusParameters) -> str:
    ratio = _ratio("maintenance margin", evaluation.mm_requirement_usd, evaluation.equity_usd)
    return f"{ratio}, at or above {_percent(limits.liquidation_enter_u)}" if evaluation.equity_usd > 0.0 else ratio


def _ratio(name: str, requirement_usd: float, equity_usd: float) -> str:
    if equity_usd > 0.0:
        return f"{name} {_usd(requirement_usd)} is {_percent(requirement_usd / equity_usd)} of equity {_usd(equity_usd)}"
    return f"{name} {_usd(requirement_usd)} against equity {_usd(equity_usd)}"


def _state(status: Status) -> str:
    return status.replace("_", " ")


def _usd(amount: float) -> str:
    return f"{amount:z,.2f} USD"


def _percent(ratio: float) -> str:
    return f"{100.0 * ratio:z,.1f} %"


def _move(move: float) -> str:
    return f"{100.0 * move:+z.1f} %"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1_000:g} s"
