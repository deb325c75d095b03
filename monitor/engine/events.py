"""Account events: what a transition says on its topic, word for word the same whenever it is computed.

Nothing here reads a clock or a locale. An event is a function of the transition, the account and the evaluation that
led to it; its id is fixed before it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from monitor.engine.evaluation import Evaluation, finite
from monitor.engine.reasons import reason
from monitor.engine.regime import RegimeTransition
from monitor.engine.state import Account, Outgoing
from monitor.engine.status import Transition
from schemas.fields import Position
from schemas.ids import canonical, event_id, regime_id
from schemas.records import (
    AccountEvent,
    AttributionBase,
    AttributionPart,
    Cause,
    EventKind,
    ParameterSet,
    RangeStep,
    RegimeChange,
    UnderlyingRisk,
)
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS, REGIMES

TOPIC_OF: Final[Mapping[EventKind, str]] = {
    "warning": MARGIN_CALLS.name,
    "margin_call": MARGIN_CALLS.name,
    "recovered": MARGIN_CALLS.name,
    "resolved": MARGIN_CALLS.name,
    "liquidation": LIQUIDATIONS.name,
    "bankrupt": LIQUIDATIONS.name,
    "data_hold": LIQUIDATIONS.name,
}
LAST_GOOD = "unvalued:last_good_figures"


class ActiveParameters(Protocol):
    """A parameter set in force, with the hash of its values."""

    @property
    def set(self) -> ParameterSet:
        """The published set."""

    @property
    def hash(self) -> str:
        """Its parameter hash."""


def build_event(
    account: Account, transition: Transition, evaluation: Evaluation, *, cause: Cause,
    positions: Mapping[str, Position], parameters: ActiveParameters,
    attribution: tuple[AttributionPart, ...] | None = None, attribution_base: AttributionBase | None = None,
) -> AccountEvent:  # fmt: skip
    """Build the event of one transition and take the account's next sequence number for it.

    `evaluation` is the one whose conditions led to the transition, `positions` where every input stood. Figures that
    are not finite never reach a body: an account that could not be valued (which can only end a hold's patience)
    speaks with its last good figures and says so in `data_quality`; an underlying without finite figures is left out
    and flagged `unvalued:X`.
    """
    evaluation = _sayable(account, evaluation)
    sequence = _take_sequence(account)
    return AccountEvent(
        id=event_id(account.name, transition.episode, sequence, transition.kind),
        kind=transition.kind,
        account=account.name,
        episode=transition.episode,
        sequence=sequence,
        state_from=transition.state_from,
        state_to=transition.state_to,
        data_hold=transition.data_hold,
        jump=transition.jump,
        event_time_us=transition.at_us,
        valid_until_us=transition.at_us + parameters.set.status.event_validity_ms * 1_000,
        cause=cause,
        positions=dict(positions),
        model=account.config.margin_model,
        parameter_set=parameters.set.name,
        parameter_hash=parameters.hash,
        equity_usd=evaluation.equity_usd,
        im_requirement_usd=evaluation.im_requirement_usd,
        mm_requirement_usd=evaluation.mm_requirement_usd,
        shortfall_usd=shortfall_usd(transition.kind, evaluation),
        reason=reason(transition, evaluation, parameters.set.status),
        underlyings=evaluation.underlyings,
        data_quality=evaluation.data_quality,
        components=evaluation.components,
        correlation=evaluation.correlation,
        attribution=attribution,
        attribution_base=attribution_base,
        v=1,
    )


def to_outgoing(event: AccountEvent) -> Outgoing:
    """Return the event as the bytes that go to its topic; raises ValueError on NaN or infinity."""
    return Outgoing(topic=TOPIC_OF[event.kind], id=event.id, body=canonical(event).decode())


def regime_outgoing(transition: RegimeTransition) -> Outgoing:
    """Return a change of the correlation regime as the bytes that go to its topic."""
    entered, view = transition.entered, transition.view
    change = RegimeChange(
        id=regime_id(view.underlyings, entered.since_us, entered.regime),
        regime=entered.regime,
        regime_from=transition.left,
        trigger=transition.trigger,
        underlyings=view.underlyings,
        distance=entered.distance,
        absorption_ratio=entered.absorption_ratio,
        absorption_rise=entered.rise,
        version=view.version,
        matrix_digest=view.digest,
        stale=entered.stale,
        event_time_us=entered.since_us,
        v=1,
    )
    return Outgoing(topic=REGIMES.name, id=change.id, body=canonical(change).decode())


def step_outgoing(step: RangeStep) -> Outgoing:
    """Return a step of a price range as the bytes that go to its topic."""
    return Outgoing(topic=REGIMES.name, id=step.id, body=canonical(step).decode())


def shortfall_usd(kind: EventKind, evaluation: Evaluation) -> float:
    """Return the equity that is missing, USD: to IM, for a liquidation or hold to MM, for a bankruptcy to zero."""
    if kind == "bankrupt":
        target = 0.0
    elif kind in ("liquidation", "data_hold"):
        target = evaluation.mm_requirement_usd
    else:
        target = evaluation.im_requirement_usd
    return max(0.0, target - evaluation.equity_usd)


def _take_sequence(account: Account) -> int:
    """Count one event: the only place where `sequence` changes. The first event has sequence 1."""
    account.sequence += 1
    return account.sequence


def _sayable(account: Account, evaluation: Evaluation) -> Evaluation:
    """Return the evaluation with finite figures only, largest requirement first, ties by name."""
    kept: list[UnderlyingRisk] = []
    flags = list(evaluation.data_quality)
    for risk in evaluation.underlyings:
        if finite(risk):
            kept.append(risk)
        else:
            flags.append(f"unvalued:{risk.underlying}")
    kept.sort(key=lambda risk: (-risk.im_usd, risk.underlying))
    equity, im, mm = evaluation.equity_usd, evaluation.im_requirement_usd, evaluation.mm_requirement_usd
    components = evaluation.components
    if not evaluation.valued:
        components = None  # of a requirement that is not there
        equity, im, mm = account.equity_usd, account.im_requirement_usd, account.mm_requirement_usd
        flags.append(LAST_GOOD)
    return Evaluation(
        equity, im, mm, underlyings=tuple(kept), data_quality=tuple(sorted(set(flags))),
        correlation=evaluation.correlation, components=components,
    )  # fmt: skip
