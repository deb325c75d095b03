"""What follows from an account's conditions and timers: transitions, their events, and what has to be stored.

The part of `step` behind the evaluation: it takes the bits that the book has, and writes to accounts and shards.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from monitor.engine import attribution, status
from monitor.engine.book import status_parameters
from monitor.engine.events import build_event, to_outgoing
from monitor.engine.kept import kept_of
from monitor.engine.parameters import ActiveSet
from monitor.engine.state import NO_DEADLINE, Account, Outgoing, Shard, State
from schemas.records import START, Cause

TIMER_CAUSE = Cause(topic="timer")

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
    if account.timers != timers:
        shard.changed[name] = None
        push_timer(state, shard, account)
    if not transitions:
        return
    shard.changed[name] = None
    state.book.set_status(account)
    take_figures(state, account)
    evaluation = state.book.evaluation(account, state.market)
    if trigger.flags:
        data_quality = tuple(sorted({*evaluation.data_quality, *trigger.flags}))
        evaluation = dataclasses.replace(evaluation, data_quality=data_quality)
    active = _active(state, account)
    positions = {**shard.marker.positions, **state.market.positions}
    for topic, position in account.positions.items():  # an account may have been recovered ahead of its shard
        if topic not in state.market.positions:
            positions[topic] = max(position, positions.get(topic, START))
    for transition in transitions:
        why = attribution.attribute(account, state.market, active) if evaluation.valued else None
        base = account.baseline
        event = build_event(
            account, transition, evaluation, cause=trigger.cause, positions=positions, parameters=active,
            attribution=why, attribution_base=None if why is None or base is None else attribution.base_of(base),
        )  # fmt: skip
        if trigger.conflated:
            event = msgspec.structs.replace(event, conflated_records=trigger.conflated)
        take_baseline(state, account)
        outgoing = to_outgoing(event)
        account.outbox.append(outgoing)
        shard.events += 1
        events.append(outgoing)


def _active(state: State, account: Account) -> ActiveSet:
    active = state.market.parameters.get(account.config.parameter_set) or state.market.parameters.get("default")
    assert active is not None, "the default set always exists"
    return active


def take_baseline(state: State, account: Account) -> None:
    """Let the next attribution count from here; an account that cannot be valued keeps what it had."""
    note_baseline(state, account, state.book.figures(account.name)[1])


def note_baseline(state: State, account: Account, im_usd: float) -> None:
    """As `take_baseline`, of an account whose initial requirement is known."""
    noted = attribution.note(account, state.market, _active(state, account), state.book, im_usd)
    if noted is not None:
        account.note_baseline(noted)


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
