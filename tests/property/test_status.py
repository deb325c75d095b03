from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.state import Account
from monitor.engine.status import (
    BANKRUPT,
    HELD,
    LIQ_ENTER,
    LIQ_LEAVE,
    UNKNOWN,
    Transition,
    conditions,
    next_deadline,
    on_conditions,
    on_timer,
)
from schemas.records import AccountConfig, StatusParameters

START_US = 1_700_000_000_000_000


class Situation(NamedTuple):
    """What an account is worth: v (u is 0.8 v), None without equity; or nothing known at all."""

    v: Fraction | None
    held: bool
    known: bool = True


class Dwells(NamedTuple):
    """Dwell times in milliseconds, one tick of the grid each."""

    call: int
    leave: int
    recovered: int
    hold: int

    def parameters(self) -> StatusParameters:
        return StatusParameters(
            margin_call_dwell_ms=self.call,
            leave_dwell_ms=self.leave,
            recovered_dwell_ms=self.recovered,
            max_data_hold_ms=self.hold,
        )


Said = tuple[int, str, str, str, bool, bool, int]  # tick, event, from, to, hold, jump, episode


@dataclass
class Grid:
    """The table of account states on a grid of milliseconds, by looking back over the whole past at every tick.

    It has no timers and no condition bits: how long something has held is counted in the past itself.
    """

    dwells: Dwells
    past: list[Situation] = field(default_factory=list)
    status: str = "healthy"
    entered: int = 0
    held_since: int | None = None
    told: bool = False
    called: bool = False
    episode: int = 0
    deposit: bool = False
    said: list[Said] = field(default_factory=list)

    def tick(self, now: Situation, deposit: bool) -> None:
        self.past.append(now)
        self.deposit |= deposit and self.status == "bankrupt"
        good = now.known and not now.held
        if self.held_since is not None and (good or (now.known and now.v is not None and now.v <= 1)):
            self.held_since = None
            self._say("hold_released", self.status)
        while (to := self._at_once(now)) is not None:
            self._say(to, to)
        self.deposit = self.deposit and not good
        if self.held_since is None and self._held_back(now):
            self.held_since, self.told = self._t, False
            self._say("hold_raised", self.status)
        while (to := self._in_time()) is not None:
            self._say(to, to)
        if self.held_since is not None and not self.told and self._t >= self.held_since + self.dwells.hold:
            self.told = True
            self._say("hold_expired", self.status)

    @property
    def _t(self) -> int:
        return len(self.past) - 1

    def _at_once(self, now: Situation) -> str | None:
        if not now.known:
            return None
        broke, in_danger = now.v is None, now.v is None or now.v * 4 >= 5
        if not now.held and broke and self.status != "bankrupt":
            return "bankrupt"
        if not now.held and in_danger and self.status not in ("liquidation", "bankrupt"):
            return "liquidation"
        if self.status == "healthy" and (now.v is None or now.v >= Fraction(9, 10)):
            return "warning"
        if self.status == "liquidation" and now.v is not None and now.v <= 1:
            return "recovered"
        if self.status == "bankrupt" and self.deposit and not now.held and now.v is not None:
            return "recovered" if now.v <= 1 else "liquidation"
        if self.status == "recovered" and self._t > self.entered + self.dwells.recovered:
            return self._after_recovery(now)
        return None

    def _in_time(self) -> str | None:
        if self.status == "warning":
            if self._lasted(lambda v: v is None or v >= 1, self.dwells.call):
                return "margin_call"
            if self._lasted(lambda v: v is not None and v < Fraction(85, 100), self.dwells.leave):
                return "healthy"
        if self.status == "margin_call" and self._lasted(
            lambda v: v is not None and v < Fraction(95, 100), self.dwells.leave
        ):
            return "warning"
        now = self.past[-1]
        if self.status == "recovered" and now.known and self._t == self.entered + self.dwells.recovered:
            return self._after_recovery(now)
        return None

    def _lasted(self, holds: Callable[[Fraction | None], bool], ticks: int) -> bool:
        first = self._t - ticks
        return first >= self.entered and all(
            situation.known and holds(situation.v) for situation in self.past[first : self._t + 1]
        )

    def _held_back(self, now: Situation) -> bool:
        if not now.known or not now.held or self.status == "bankrupt":
            return False
        return now.v is None or (self.status != "liquidation" and now.v * 4 >= 5)

    @staticmethod
    def _after_recovery(now: Situation) -> str:
        if now.v is None or now.v >= Fraction(95, 100):
            return "margin_call"
        return "warning" if now.v >= Fraction(85, 100) else "healthy"

    def _say(self, event: str, to: str) -> None:
        before = self.status
        if event == to:
            if before == "healthy":
                self.episode, self.called = self.episode + 1, False
            self.called |= to == "margin_call"
            self.status, self.entered = to, self._t
        jump = event in ("liquidation", "bankrupt") and not self.called
        self.said.append((self._t, event, before, to, self.held_since is not None, jump, self.episode))


def bits_of(situation: Situation) -> int:
    """The same situation as the engine sees it."""
    if not situation.known:
        return conditions(float("nan"), 1.0, 0.8, True, situation.held, StatusParameters())
    if situation.v is None:
        return conditions(-5.0, 100.0, 80.0, True, situation.held, StatusParameters())
    im = float(1_000 * situation.v)
    return conditions(1_000.0, im, 0.8 * im, True, situation.held, StatusParameters())


@dataclass
class Machine:
    """The state machine, driven as the engine drives it: records of an instant first, then its timers."""

    parameters: StatusParameters
    account: Account = field(
        default_factory=lambda: Account(config=AccountConfig(account="desk", event_time_us=START_US))
    )
    bits: int = 0
    steps: list[Transition] = field(default_factory=list)
    stored: bool = False  # write and read the account back after every call, as a crash would

    def put(self, now_us: int, bits: int, *, deposit: bool = False) -> None:
        self.fire(now_us - 1)
        self.bits = bits
        self.steps += on_conditions(self.account, bits, now_us, self.parameters, deposit=deposit)
        self._store()

    def fire(self, last_us: int) -> None:
        while (deadline := next_deadline(self.account)) is not None and deadline <= last_us:
            self.steps += on_timer(self.account, self.bits, deadline, self.parameters)
            self._store()

    def _store(self) -> None:
        if self.stored:
            self.account = msgspec.json.decode(msgspec.json.encode(self.account), type=Account)

    def said(self) -> list[Said]:
        return [
            (
                (step.at_us - START_US) // 1_000,
                step.reason if step.kind == "data_hold" else step.state_to,
                step.state_from,
                step.state_to,
                step.data_hold,
                step.jump,
                step.episode,
            )
            for step in self.steps
        ]


RATIOS = [Fraction(n, 1000) for n in (500, 849, 850, 875, 900, 949, 950, 999, 1000, 1001, 1100, 1249, 1250, 1400)]
SITUATIONS = st.one_of(
    st.builds(Situation, st.sampled_from(RATIOS), st.sampled_from([False, False, True])),
    st.builds(Situation, st.none(), st.booleans()),
    st.just(Situation(None, held=True, known=False)),
)
CHANGES = st.lists(st.tuples(st.integers(1, 9), SITUATIONS, st.sampled_from([False, False, True])), max_size=60)
DWELLS = st.builds(Dwells, st.integers(1, 4), st.integers(1, 6), st.integers(1, 8), st.integers(1, 12))
HEALTHY = Situation(Fraction(1, 2), held=False)


def ticks(changes: list[tuple[int, Situation, bool]]) -> Iterator[tuple[Situation, bool]]:
    """One situation per millisecond, with whether a deposit came in it; the last one lasts."""
    now = HEALTHY
    for gap, situation, deposit in changes:
        for _ in range(gap - 1):
            yield now, False
        now = situation
        yield now, deposit
    for _ in range(30):
        yield now, False


@settings(max_examples=300, deadline=None)
@given(CHANGES, DWELLS)
def test_agrees_with_the_table_on_a_fine_grid(changes: list[tuple[int, Situation, bool]], dwells: Dwells) -> None:
    """The machine says what the table says when it is read at every millisecond, in the same order."""
    grid, machine = Grid(dwells), Machine(dwells.parameters())
    before: Situation | None = None
    for t, (situation, deposit) in enumerate(ticks(changes)):
        grid.tick(situation, deposit)
        now_us = START_US + t * 1_000
        if situation != before or deposit:
            machine.put(now_us, bits_of(situation), deposit=deposit)
        before = situation
        machine.fire(now_us)
        assert machine.said() == grid.said
    assert machine.account.status == grid.status
    assert machine.account.data_hold == (grid.held_since is not None)


@settings(max_examples=100, deadline=None)
@given(CHANGES, DWELLS, st.data())
def test_further_evaluations_change_nothing(
    changes: list[tuple[int, Situation, bool]], dwells: Dwells, data: st.DataObject
) -> None:
    """Evaluating between changes, or writing the account down and reading it back, changes no event and no state."""
    seldom, often = Machine(dwells.parameters()), Machine(dwells.parameters(), stored=True)
    before: Situation | None = None
    for t, (situation, deposit) in enumerate(ticks(changes)):
        now_us = START_US + t * 1_000
        if situation != before or deposit:
            seldom.put(now_us, bits_of(situation), deposit=deposit)
            often.put(now_us, bits_of(situation), deposit=deposit)
        before = situation
        for _ in range(data.draw(st.integers(0, 2))):
            often.put(now_us, bits_of(situation))
    end_us = START_US + 1_000_000
    seldom.fire(end_us)
    often.fire(end_us)
    assert often.said() == seldom.said()
    assert often.account == seldom.account


ANY_PARAMETERS = st.builds(Dwells, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 5)).map(
    Dwells.parameters
)
ANY_BITS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 255), st.booleans(), ANY_PARAMETERS), max_size=60)


@settings(max_examples=300, deadline=None)
@given(ANY_BITS)
def test_invariants_under_any_bits(inputs: list[tuple[int, int, bool, StatusParameters]]) -> None:
    """Any bits, even impossible ones, and any change of dwell times leave a chain of events that makes sense."""
    machine = Machine(StatusParameters())
    now_us = START_US
    paid = False
    for gap, bits, deposit, parameters in inputs:
        now_us += gap * 1_000
        machine.fire(now_us - 1)
        machine.parameters = parameters
        count = len(machine.steps)
        before = machine.account.status
        paid = before == "bankrupt" and (paid or deposit)
        machine.put(now_us, bits, deposit=deposit)
        for step in machine.steps[count:]:
            _check_step(step, bits, before, paid=paid)
        frozen = msgspec.json.encode(machine.account)
        assert on_conditions(machine.account, bits, now_us, parameters) == []
        assert msgspec.json.encode(machine.account) == frozen
        assert all(deadline >= now_us for deadline in machine.account.timers.values())
    _check_chain(machine.steps)


def _check_step(step: Transition, bits: int, before: str, *, paid: bool) -> None:
    if step.kind in ("liquidation", "bankrupt"):
        assert not bits & HELD
        assert bits & (LIQ_ENTER | BANKRUPT) or before == "bankrupt"
    if step.kind == "recovered":
        assert bits & LIQ_LEAVE or not bits & LIQ_ENTER
    if step.state_from == "bankrupt" and step.state_to != "bankrupt":
        assert not bits & (HELD | BANKRUPT)
        assert paid
    if step.reason == "hold_raised":
        assert bits & HELD
        assert bits != UNKNOWN


def _check_chain(steps: list[Transition]) -> None:
    status, hold, expired, episode, called, at_us = "healthy", False, False, 0, False, 0
    for step in steps:
        assert step.state_from == status
        assert step.at_us >= at_us
        if step.kind == "data_hold":
            assert step.state_to == status
            if step.reason == "hold_expired":
                assert hold
                assert step.data_hold
                assert not expired
                expired = True
            else:
                assert step.data_hold is not hold
                hold, expired = step.data_hold, False
        else:
            assert step.state_to != status
            assert step.kind == ("resolved" if step.state_to == "healthy" else step.state_to)
            episode, called = (episode + 1, False) if status == "healthy" else (episode, called)
            called |= step.kind == "margin_call"
        assert step.data_hold == hold
        assert step.episode == episode
        assert step.jump == (step.kind in ("liquidation", "bankrupt") and not called)
        status, at_us = step.state_to, step.at_us
