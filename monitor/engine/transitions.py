"""What follows from an account's conditions and timers: transitions, their events, and what has to be stored.

The part of `step` behind the evaluation: it takes the bits that the book has, and writes to accounts and shards.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from monitor.engine import attribution, conflation, status
from monitor.engine.book import status_parameters
from monitor.engine.events import build_event, to_outgoing
from monitor.engine.grounds import own_of
from monitor.engine.kept import kept_of
from monitor.engine.parameters import ActiveSet
from monitor.engine.state import NO_DEADLINE, Account, Outgoing, Shard, State, positions_of
from schemas.records import Cause

TIMER_CAUSE = Cause(topic="timer")

FEW_NOTED = 3  # baselines that are noted one by one: arrays cost more

TIMERS_ROOM = 1_024  # stale entries that a heap of timers may hold beside two for each account


class _Trigger(NamedTuple):
    """What made an account cross; `flags` and `conflated` as in `conditions_changed`."""

    cause: Cause
    flags: tuple[str, ...] = ()
    conflated: int = 0


def conditions_changed(
    state: State, name: str, cause: Cause, events: list[Outgoing], *, deposit: bool = False,
    flags: tuple[str, ...] = (), conflated: int = 0,
) -> None:  # fmt: skip
    """Take an account's present conditions through its status machine; `flags` are what is doubtful about the cause.

    `conflated` records before the cause moved the account without an evaluation.
    """
    shard = state.shards[state.partition_of[name]]
    account = shard.accounts[name]
    bits = state.book.conditions(name)
    if status.is_at_rest(account, bits):
        return
    parameters = status_parameters(state.market, account.config.parameter_set)
    timers = dict(account.timers)
    transitions = status.on_conditions(account, bits, state.market.time_us, parameters, deposit=deposit)
    _after(state, shard, account, timers, transitions, _Trigger(cause, flags, conflated), events)


def fire_timers(state: State, deadline_us: int, events: list[Outgoing]) -> None:
    """Fire every timer with this deadline, the earliest, in order of accounts."""
    for name, shard in sorted(_due(state, deadline_us)):
        account = shard.accounts[name]
        parameters = status_parameters(state.market, account.config.parameter_set)
        timers = dict(account.timers)
        transitions = status.on_timer(account, state.book.conditions(name), deadline_us, parameters)
        _after(state, shard, account, timers, transitions, _Trigger(TIMER_CAUSE), events)
    find_next_deadline(state)


def _due(state: State, deadline_us: int) -> Iterator[tuple[str, Shard]]:
    """Pop the timers that stand at exactly this deadline and are still in force."""
    for shard in state.shards.values():
        if not shard.open:
            continue
        seen = ""
        while shard.timers and shard.timers[0][0] <= deadline_us:
            deadline, name = heapq.heappop(shard.timers)
            account = shard.accounts.get(name)
            if name != seen and account is not None and status.next_deadline(account) == deadline:
                seen = name
                yield name, shard


def _after(
    state: State, shard: Shard, account: Account, timers: dict[str, int], transitions: list[status.Transition],
    trigger: _Trigger, events: list[Outgoing],
) -> None:  # fmt: skip
    """Write down what the status machine did: events, and the account if anything of it must be stored."""
    name = account.name
    began = {one.timer: conflation.begun_at(shard, account, one.timer) for one in transitions}
    if account.timers != timers:
        shard.changed[name] = None
        push_timer(state, shard, account)
        conflation.note_timers(state, shard, account, timers)
    if not transitions:
        return
    shard.changed[name] = None
    state.book.set_status(account)
    evaluation, netted = state.book.evaluated(account, state.market)
    im_usd = evaluation.im_requirement_usd
    keep_figures(account, (evaluation.equity_usd, im_usd, evaluation.mm_requirement_usd))
    if trigger.flags:
        data_quality = tuple(sorted({*evaluation.data_quality, *trigger.flags}))
        evaluation = dataclasses.replace(evaluation, data_quality=data_quality)
    active = _active(state, account)
    positions = positions_of(state, shard, account)
    for transition in transitions:
        why = attribution.attribute(account, state.market, active, netted) if evaluation.valued else None
        base = account.base
        event = build_event(
            account, transition, evaluation, cause=trigger.cause, positions=positions, parameters=active,
            attribution=why, attribution_base=None if why is None or base is None else attribution.base_of(base),
        )  # fmt: skip
        left_out = conflation.take_left_out(state, shard, account, positions, began[transition.timer])
        if trigger.conflated or left_out is not None:
            event = msgspec.structs.replace(event, conflated_records=trigger.conflated, left_out=left_out)
        if netted is None:
            note_baseline(state, account, im_usd)
        elif math.isfinite(im_usd):
            account.note_baseline(attribution.noted(account, state.market, active, own_of(netted), im_usd))
        outgoing = to_outgoing(event)
        account.outbox.append(outgoing)
        shard.events += 1
        events.append(outgoing)


def _active(state: State, account: Account) -> ActiveSet:
    active = state.market.parameters.get(account.config.parameter_set) or state.market.parameters.get("default")
    assert active is not None, "the default set always exists"
    return active


def note_baseline(state: State, account: Account, im_usd: float) -> None:
    """Let the next attribution count from here; an account that cannot be valued keeps what it had.

    im_usd: its initial requirement.
    """
    noted = attribution.note(account, state.market, _active(state, account), state.book, im_usd)
    if noted is not None:
        account.note_baseline(noted)


def note_baselines(state: State, accounts: Sequence[tuple[Account, float]]) -> None:
    """As `note_baseline`, of several accounts that are computed with all others, with their initial requirements."""
    finite = [(account, im_usd) for account, im_usd in accounts if math.isfinite(im_usd)]
    if len(finite) < FEW_NOTED:
        for account, im_usd in finite:
            note_baseline(state, account, im_usd)
        return
    grounds = state.book.grounds_of([account.name for account, _ in finite])
    for (account, im_usd), share in zip(finite, grounds, strict=True):
        account.note_baseline(attribution.noted(account, state.market, _active(state, account), share, im_usd))


def take_figures(state: State, account: Account) -> None:
    """Keep an account's figures for its stored state; a degraded evaluation keeps the last good ones."""
    keep_figures(account, state.book.figures(account.name))


def keep_figures(account: Account, figures: tuple[float, float, float]) -> None:
    """As `take_figures`, where equity and both requirements are known."""
    equity, im, mm = figures
    if math.isfinite(equity) and math.isfinite(im) and math.isfinite(mm):
        account.equity_usd, account.im_requirement_usd, account.mm_requirement_usd = equity, im, mm


def keep_requirements(state: State) -> None:
    """Let accounts be stored with requirements that cannot be computed again from a later market."""
    for name, margin in state.book.take_kept().items():
        shard = state.shards[state.partition_of[name]]
        shard.accounts[name].kept = kept_of(margin)
        shard.changed[name] = None


def push_timer(state: State, shard: Shard, account: Account) -> None:
    """Let the account's earliest timer, if it has one, fall due."""
    deadline = status.next_deadline(account)
    if deadline is not None:
        if len(shard.timers) > TIMERS_ROOM + 2 * len(shard.accounts):
            _drop_stale_timers(state, shard)
        heapq.heappush(shard.timers, (deadline, account.name))
        state.next_deadline_us = min(state.next_deadline_us, deadline)


def _drop_stale_timers(state: State, shard: Shard) -> None:
    """Keep one entry for each account: one that goes to and fro leaves entries faster than they fall due."""
    evaluated = ((name, account) for name, account in shard.accounts.items() if name in state.book)
    deadlines = ((status.next_deadline(account), name) for name, account in evaluated)
    shard.timers = [(deadline, name) for deadline, name in deadlines if deadline is not None]
    heapq.heapify(shard.timers)


def find_next_deadline(state: State) -> None:
    """Find the earliest expiry, or timer of the open shards, stale ones included (firing a stale one does nothing)."""
    heads = [shard.timers[0][0] for shard in state.shards.values() if shard.open and shard.timers]
    heads.append(state.expiries.next_us)
    state.next_deadline_us = min(heads, default=NO_DEADLINE)
