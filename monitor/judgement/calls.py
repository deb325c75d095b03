"""Who was called when: from sampled figures through the engine's own state machine, or from events of a run.

Between two samples the conditions of the earlier one hold, so dwell times run as live, and a price that came and
went between two samples is not seen. Events of `liqmon replay --to engine --out` have no such limit.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from monitor.engine import status
from monitor.engine.state import Account
from monitor.judgement.paths import Bools, Floats, Paths
from monitor.judgement.probes import KINDS as PROBES
from schemas.records import AccountConfig, AccountEvent, EventKind, StatusParameters

CALLING = ("margin_call", "liquidation", "bankrupt")


class Call(msgspec.Struct, frozen=True):
    """One transition of an account: what an event says, as far as it is judged."""

    account: str
    kind: EventKind
    at_us: int
    equity_usd: float
    im_usd: float
    mm_usd: float
    jump: bool = False


def calls_of(paths: Paths, name: str) -> list[Call]:
    """Return the transitions of all accounts but probes under a configuration, by time and account.

    An account that cannot be valued at a sample is unknown there, as it is live.
    """
    requirement = paths.of(name)
    parameters = requirement.configuration.parameters.status
    im, mm, equity = requirement.im_usd, requirement.mm_usd, paths.equity_usd
    with np.errstate(invalid="ignore"):
        stirs: Bools = ~((im < parameters.warning_enter_v * equity) & (mm < parameters.liquidation_enter_u * equity))
    found: list[Call] = []
    for n in np.flatnonzero(stirs.any(axis=0)):
        if paths.kinds[n] not in PROBES:
            found += _account_calls(paths, im, mm, stirs[:, n], int(n), parameters)
    return sorted(found, key=lambda one: (one.at_us, one.account, one.kind))


def _account_calls(
    paths: Paths, im: Floats, mm: Floats, stirs: Bools, n: int, parameters: StatusParameters
) -> list[Call]:  # fmt: skip
    name = paths.accounts[n]
    account = Account(config=AccountConfig(account=name, event_time_us=int(paths.times_us[0])))
    found: list[Call] = []
    bits = 0
    for t, now_us in enumerate(paths.times_us.tolist()):
        while (due_us := status.next_deadline(account)) is not None and due_us < now_us:
            figures = _figures(paths, im, mm, max(t - 1, 0), n)
            moves = status.on_timer(account, bits, due_us, parameters)
            found += [_call(name, one, figures) for one in moves]
        if not stirs[t] and account.status == "healthy" and not account.timers and not account.data_hold:
            bits = 0
            continue
        figures = _figures(paths, im, mm, t, n)
        bits = status.conditions(*figures, bool(paths.gross_usd[t, n] > 0.0), bool(paths.held[t, n]), parameters)
        found += [_call(name, one, figures) for one in status.on_conditions(account, bits, now_us, parameters)]
    return found


def calls_in(bodies: Iterable[bytes]) -> list[Call]:
    """Return the account events among canonical bodies, one a line, by time and account; others are passed over.

    Raises `msgspec.DecodeError` for what is no JSON.
    """
    found = []
    for body in bodies:
        try:
            event = _decode(body)
        except msgspec.ValidationError:
            continue
        found.append(
            Call(
                event.account, event.kind, event.event_time_us, event.equity_usd, event.im_requirement_usd,
                event.mm_requirement_usd, event.jump,
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (one.at_us, one.account, one.kind))


def first_calls(calls: Iterable[Call], kinds: tuple[str, ...] = CALLING) -> dict[str, Call]:
    """Return each account's first event of some kinds."""
    found: dict[str, Call] = {}
    for one in calls:
        if one.kind in kinds:
            found.setdefault(one.account, one)
    return found


_decode = msgspec.json.Decoder(AccountEvent).decode


def _figures(paths: Paths, im: Floats, mm: Floats, t: int, n: int) -> tuple[float, float, float]:
    return float(paths.equity_usd[t, n]), float(im[t, n]), float(mm[t, n])


def _call(name: str, move: status.Transition, figures: tuple[float, float, float]) -> Call:
    kind: EventKind = "data_hold" if move.reason.startswith("hold") else move.kind
    return Call(name, kind, move.at_us, *figures, jump=move.jump)
