"""The account state machine: condition bits, timers and transitions.

Pure: `on_conditions` and `on_timer` change the status fields of one account and return its transitions. What an
account is worth is decided elsewhere; here it is eight bits. Everything is event time, and nothing counts
evaluations, so an evaluation that is skipped because no bit can have changed changes nothing. The whole table is in
docs/account-states.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from monitor.engine.state import Account
from schemas.records import EventKind, Status, StatusParameters

# Conditions; u = MM/equity, v = IM/equity.
WARN_ENTER = 1  # v >= warning_enter_v
WARN_LEAVE = 2  # v < warning_leave_v
CALL_ENTER = 4  # v >= margin_call_enter_v
CALL_LEAVE = 8  # v < margin_call_leave_v
LIQ_ENTER = 16  # u >= liquidation_enter_u
LIQ_LEAVE = 32  # v <= liquidation_leave_v
BANKRUPT = 64  # equity <= 0 while positions remain, or equity < 0 without any
HELD = 128  # the data are stale or degraded
ALL_CONDITIONS = (WARN_ENTER, WARN_LEAVE, CALL_ENTER, CALL_LEAVE, LIQ_ENTER, LIQ_LEAVE, BANKRUPT, HELD)
UNKNOWN = HELD  # this bit alone: the account could not be valued, so no condition is known to hold or not

Timer = Literal["margin_call", "leave", "recovered", "data_hold"]
DwellTimer = Literal["margin_call", "leave"]
Reason = Literal["conditions", "timer", "deposit", "hold_raised", "hold_released", "hold_expired"]

_DANGER = LIQ_ENTER | BANKRUPT
_NOT_CALM = WARN_ENTER | CALL_ENTER | _DANGER  # doubtful data alone move nobody: they only hold back
_DWELL_TIMERS: tuple[DwellTimer, ...] = ("margin_call", "leave")
_STATUS_TIMERS: tuple[Timer, ...] = (*_DWELL_TIMERS, "recovered")
_US_PER_MS = 1_000
_MAX_MOVES = 6  # of one instant: as many as there are states, since none is entered twice under one set of conditions


@dataclass(frozen=True, slots=True)
class Transition:
    """One step of one account, and exactly one event.

    `data_hold` is the flag after the step. `jump` marks a liquidation or bankruptcy without an earlier call in its
    episode. `timer` names the timer that acted. `reason` is `hold_expired` where a human has to look.
    """

    kind: EventKind
    state_from: Status
    state_to: Status
    data_hold: bool
    jump: bool
    at_us: int
    episode: int
    reason: Reason
    timer: Timer | None = None


def conditions(
    equity_usd: float, im_usd: float, mm_usd: float, has_positions: bool, held: bool, parameters: StatusParameters
) -> int:
    """Return the condition bits of one account: the reference for the kernel that does it for all.

    Ratios are compared by multiplying, never dividing: `im >= threshold * equity`, the product rounded once to a
    double, and a tie has reached its threshold (`>=`, `<=`) or not left it (`<`). Without equity every ratio is
    infinite, except that an account with neither equity, requirement nor positions is healthy. A number that is not
    finite, or a negative requirement, says nothing: UNKNOWN.
    """
    if not (math.isfinite(equity_usd) and 0.0 <= im_usd < math.inf and 0.0 <= mm_usd < math.inf):
        return UNKNOWN
    bits = HELD if held else 0
    if equity_usd < 0.0 or (equity_usd == 0.0 and has_positions):
        return bits | WARN_ENTER | CALL_ENTER | LIQ_ENTER | BANKRUPT
    if equity_usd == 0.0:
        required = im_usd > 0.0 or mm_usd > 0.0
        return bits | (WARN_ENTER | CALL_ENTER | LIQ_ENTER if required else WARN_LEAVE | CALL_LEAVE | LIQ_LEAVE)
    holds = (
        (WARN_ENTER, im_usd >= parameters.warning_enter_v * equity_usd),
        (WARN_LEAVE, im_usd < parameters.warning_leave_v * equity_usd),
        (CALL_ENTER, im_usd >= parameters.margin_call_enter_v * equity_usd),
        (CALL_LEAVE, im_usd < parameters.margin_call_leave_v * equity_usd),
        (LIQ_ENTER, mm_usd >= parameters.liquidation_enter_u * equity_usd),
        (LIQ_LEAVE, im_usd <= parameters.liquidation_leave_v * equity_usd),
    )
    return bits | sum(bit for bit, condition in holds if condition)


def next_deadline(account: Account) -> int | None:
    """Return the earliest deadline of the account's timers, or None."""
    return min(account.timers.values(), default=None)


def on_conditions(
    account: Account, bits: int, now_us: int, parameters: StatusParameters, *, deposit: bool = False
) -> list[Transition]:
    """Take the conditions that hold from `now_us` on; return the transitions in order.

    `deposit` says that money came in with this record (a transfer in, or a loss cover): a bankruptcy ends only so.
    Timers due before `now_us` should have fired; those that have not (after a recovery, when the conditions at
    their deadlines are not known any more) act now, if their condition still holds.
    """
    if deposit and account.status == "bankrupt":
        account.deposited = True
    return _settle(account, _ordered(bits), now_us, parameters, due_us=now_us - 1)


def on_timer(account: Account, bits: int, deadline_us: int, parameters: StatusParameters) -> list[Transition]:
    """Fire the timers due at `deadline_us`, under the conditions in force then; return the transitions in order."""
    return _settle(account, _ordered(bits), deadline_us, parameters, due_us=deadline_us)


def is_at_rest(account: Account, bits: int) -> bool:
    """Whether `on_conditions` would change nothing, told at a glance: healthy, in no danger, nothing under way."""
    calm = account.status == "healthy" and not bits & _NOT_CALM
    return calm and not (account.timers or account.data_hold or account.deposited)


def _ordered(bits: int) -> int:
    """Make the bits agree with each other whatever the thresholds are.

    A worse condition implies the milder ones, entering beats leaving, and having left a milder state implies having
    left the worse ones. With thresholds in their usual order this changes nothing; without it, an account that
    satisfies both `enter` and `leave` of a state would go to and fro for ever.
    """
    if bits == UNKNOWN:
        return bits
    if bits & BANKRUPT:
        bits |= LIQ_ENTER
    if bits & LIQ_ENTER:
        bits = (bits | CALL_ENTER) & ~LIQ_LEAVE
    if bits & CALL_ENTER:
        bits = (bits | WARN_ENTER) & ~CALL_LEAVE
    if bits & WARN_ENTER:
        bits &= ~WARN_LEAVE
    if bits & WARN_LEAVE:
        bits |= CALL_LEAVE
    if bits & CALL_LEAVE:
        bits |= LIQ_LEAVE
    return bits


def _settle(account: Account, bits: int, now_us: int, parameters: StatusParameters, due_us: int) -> list[Transition]:
    """Let everything act that can act now: timers first lose their reason or fire, then conditions."""
    _cancel(account, bits)
    due = [name for name in _STATUS_TIMERS if account.timers.get(name, due_us + 1) <= due_us]
    hold_due = account.timers.get("data_hold", due_us + 1) <= due_us
    for name in due:
        del account.timers[name]
    out: list[Transition] = []
    if _release(account, bits):
        account.data_hold = False
        account.timers.pop("data_hold", None)
        out.append(_hold(account, now_us, "hold_released"))
    fired: Timer | None = due[0] if due else None
    for _ in range(_MAX_MOVES):
        move = _next_status(account, bits, parameters, fired)
        if move is None:
            break
        out.append(_move(account, *move, now_us, parameters))
        fired = None
    else:
        raise AssertionError(f"account {account.name} does not come to rest under conditions {bits}")
    if not bits & HELD:
        account.deposited = False  # judged, on good data: it ended the bankruptcy or was too small
    _start(account, bits, now_us, parameters)
    if not account.data_hold and _blocked(account, bits):
        account.data_hold = True
        account.timers["data_hold"] = now_us + parameters.max_data_hold_ms * _US_PER_MS
        out.append(_hold(account, now_us, "hold_raised"))
    elif account.data_hold and hold_due:
        del account.timers["data_hold"]
        out.append(_hold(account, now_us, "hold_expired"))
    return out


def _next_status(
    account: Account, bits: int, parameters: StatusParameters, fired: Timer | None
) -> tuple[Status, Reason, Timer | None] | None:
    """Return the next state that the account must take now, with its reason, or None if it stays."""
    if bits == UNKNOWN:
        return None
    worse = _escalation(account.status, bits)
    if worse is not None:
        return worse, "conditions", None
    to = _from(account, bits, parameters, fired)
    if to is None:
        return None
    if fired is not None:
        return to, "timer", fired
    return to, "deposit" if account.status == "bankrupt" else "conditions", None


def _escalation(status: Status, bits: int) -> Status | None:
    """Return the state that danger asks for at once, on good data."""
    if bits & HELD or status == "bankrupt":
        return None
    if bits & BANKRUPT:
        return "bankrupt"
    return "liquidation" if bits & LIQ_ENTER and status != "liquidation" else None


def _from(account: Account, bits: int, parameters: StatusParameters, fired: Timer | None) -> Status | None:
    """Return the next state of an account in no fresh danger, or None."""
    match account.status:
        case "healthy":
            return _from_healthy(bits, parameters)
        case "warning" | "margin_call":
            return _from_dwelling(account, bits, parameters, fired)
        case "liquidation":
            return "recovered" if bits & LIQ_LEAVE else None
        case "bankrupt":
            return _from_bankrupt(account, bits)
        case "recovered":
            return None if "recovered" in account.timers else _from_recovered(bits)


def _from_healthy(bits: int, parameters: StatusParameters) -> Status | None:
    if bits & CALL_ENTER and parameters.margin_call_dwell_ms == 0:
        return "margin_call"
    return "warning" if bits & WARN_ENTER else None


def _from_dwelling(account: Account, bits: int, parameters: StatusParameters, fired: Timer | None) -> Status | None:
    """Leave warning or margin_call, up or one level down, when the dwell of its condition is over."""
    if fired == "margin_call" or _at_once(account, "margin_call", bits, parameters):
        return "margin_call"
    if fired == "leave" or _at_once(account, "leave", bits, parameters):
        return "healthy" if account.status == "warning" else "warning"
    return None


def _from_bankrupt(account: Account, bits: int) -> Status | None:
    """Leave bankruptcy, by a deposit and on good data only, for where these conditions leave a liquidation."""
    if not account.deposited or bits & (HELD | BANKRUPT):
        return None
    return "recovered" if bits & LIQ_LEAVE else "liquidation"


def _from_recovered(bits: int) -> Status:
    """Take the state whose leave condition does not hold."""
    if not bits & CALL_LEAVE:
        return "margin_call"
    return "healthy" if bits & WARN_LEAVE else "warning"


def _condition_of(timer: DwellTimer, status: Status) -> int:
    """Return the bit that keeps a dwell timer alive in a state; 0 where the timer has no place."""
    if timer == "margin_call":
        return CALL_ENTER if status == "warning" else 0
    return {"warning": WARN_LEAVE, "margin_call": CALL_LEAVE}.get(status, 0)


def _at_once(account: Account, timer: DwellTimer, bits: int, parameters: StatusParameters) -> bool:
    """Whether a dwell of zero lets a condition act without a timer; one already running keeps its deadline."""
    return (
        bool(bits & _condition_of(timer, account.status))
        and _dwell_us(timer, parameters) == 0
        and timer not in account.timers
    )


def _dwell_us(timer: Timer, parameters: StatusParameters) -> int:
    if timer == "margin_call":
        return parameters.margin_call_dwell_ms * _US_PER_MS
    if timer == "leave":
        return parameters.leave_dwell_ms * _US_PER_MS
    if timer == "recovered":
        return parameters.recovered_dwell_ms * _US_PER_MS
    return parameters.max_data_hold_ms * _US_PER_MS


def _cancel(account: Account, bits: int) -> None:
    """Stop the dwell timers whose condition no longer holds, or is no longer known to hold."""
    for timer in _DWELL_TIMERS:
        if timer in account.timers and not bits & _condition_of(timer, account.status):
            del account.timers[timer]


def _start(account: Account, bits: int, now_us: int, parameters: StatusParameters) -> None:
    """Start the dwell timers whose condition holds and that are not running."""
    for timer in _DWELL_TIMERS:
        if timer not in account.timers and bits & _condition_of(timer, account.status):
            account.timers[timer] = now_us + _dwell_us(timer, parameters)


def _move(
    account: Account, to: Status, reason: Reason, timer: Timer | None, now_us: int, parameters: StatusParameters
) -> Transition:
    """Change the state: the only place where `status`, `episode` and `called` change."""
    before = account.status
    if before == "healthy":
        account.episode += 1
        account.called = False
    account.status = to
    account.status_since_us = now_us
    account.called |= to == "margin_call"
    for name in _STATUS_TIMERS:
        account.timers.pop(name, None)
    if to == "recovered" and parameters.recovered_dwell_ms > 0:
        account.timers["recovered"] = now_us + _dwell_us("recovered", parameters)
    return Transition(
        kind="resolved" if to == "healthy" else to,
        state_from=before,
        state_to=to,
        data_hold=account.data_hold,
        jump=to in ("liquidation", "bankrupt") and not account.called,
        at_us=now_us,
        episode=account.episode,
        reason=reason,
        timer=timer,
    )


def _blocked(account: Account, bits: int) -> bool:
    """Whether doubtful data keep the account from liquidation or bankruptcy."""
    if not bits & HELD or account.status == "bankrupt":
        return False
    return bool(bits & (BANKRUPT if account.status == "liquidation" else _DANGER))


def _release(account: Account, bits: int) -> bool:
    """Whether a data hold ends: the data are good, or the danger is gone by the margin that ends a liquidation.

    Without that margin an account on the threshold would raise and release its hold with every tick.
    """
    return account.data_hold and bool(not bits & HELD or bits & LIQ_LEAVE)


def _hold(account: Account, now_us: int, reason: Reason) -> Transition:
    return Transition(
        kind="data_hold",
        state_from=account.status,
        state_to=account.status,
        data_hold=account.data_hold,
        jump=False,
        at_us=now_us,
        episode=account.episode,
        reason=reason,
        timer="data_hold" if reason == "hold_expired" else None,
    )
