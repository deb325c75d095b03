from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import msgspec
import numpy as np
import pytest

from kernels import accounts as kernel
from monitor.engine import status
from monitor.engine.state import Account
from monitor.engine.status import (
    ALL_CONDITIONS,
    BANKRUPT,
    CALL_ENTER,
    CALL_LEAVE,
    HELD,
    LIQ_ENTER,
    LIQ_LEAVE,
    UNKNOWN,
    WARN_ENTER,
    WARN_LEAVE,
    Transition,
    conditions,
    next_deadline,
    on_conditions,
    on_timer,
)
from schemas.records import AccountConfig, StatusParameters

START_US = 1_700_000_000_000_000
DEFAULT = StatusParameters()
DOCUMENT = Path(__file__).parents[3] / "docs" / "account-states.md"


@dataclass
class Run:
    """An account, its conditions in force, and everything it said, times in seconds."""

    parameters: StatusParameters = DEFAULT
    account: Account = field(
        default_factory=lambda: Account(config=AccountConfig(account="desk", event_time_us=START_US))
    )
    bits: int = WARN_LEAVE | CALL_LEAVE | LIQ_LEAVE
    transitions: list[Transition] = field(default_factory=list)

    def set(self, at_s: float, bits: int, *, deposit: bool = False) -> Run:
        """Fire what is due before `at_s`, then put conditions in force."""
        now_us = START_US + round(at_s * 1e6)
        self._fire(now_us - 1)
        self.bits = bits
        self.transitions += on_conditions(self.account, bits, now_us, self.parameters, deposit=deposit)
        return self

    def until(self, at_s: float) -> Run:
        """Fire what is due at or before `at_s`."""
        self._fire(START_US + round(at_s * 1e6))
        return self

    def _fire(self, last_us: int) -> None:
        while (deadline := next_deadline(self.account)) is not None and deadline <= last_us:
            self.transitions += on_timer(self.account, self.bits, deadline, self.parameters)

    @property
    def said(self) -> list[tuple[float, str]]:
        """Time and words of each event: the target state, or what happened to the hold; `!` marks a jump."""
        words = []
        for step in self.transitions:
            word = step.reason if step.kind == "data_hold" else step.state_to
            words.append(((step.at_us - START_US) / 1e6, word + ("!" if step.jump else "")))
        return words


def v(ratio: float, *, held: bool = False, parameters: StatusParameters = DEFAULT) -> int:
    """Conditions at v = ratio, u = 0.8 v."""
    return conditions(1_000.0, 1_000.0 * ratio, 800.0 * ratio, True, held, parameters)


def broke(*, held: bool = False) -> int:
    """Conditions without equity."""
    return conditions(-1.0, 1_000.0, 800.0, True, held, DEFAULT)


Script = list[tuple[float, int]]
Said = list[tuple[float, str]]

CALLED: Script = [(0, v(1.1))]
CALLED_SAID: Said = [(0, "warning"), (1, "margin_call")]
LIQUIDATED: Script = [(0, v(1.3))]
LIQUIDATED_SAID: Said = [(0, "liquidation!")]
RECOVERED: Script = [(0, v(1.3)), (5, v(0.9))]
RECOVERED_SAID: Said = [(0, "liquidation!"), (5, "recovered")]
HOLD: Script = [(0, v(1.3, held=True))]
HOLD_SAID: Said = [(0, "warning"), (0, "hold_raised")]

# One row of docs/account-states.md each: what is put in force when, until when time runs, and what is said.
ROWS: dict[str, tuple[Script, float, Said]] = {
    "W1": ([(0, v(0.9))], 100, [(0, "warning")]),
    "W2": ([(0, v(0.9)), (3, v(0.84))], 100, [(0, "warning"), (13, "healthy")]),
    "W3": ([(0, v(0.9)), (3, v(0.85)), (50, v(0.899))], 100, [(0, "warning")]),
    "W4": (
        [(0, v(0.9)), (3, v(0.84)), (12.9, v(0.85)), (13, v(0.84))],
        100,
        [(0, "warning"), (23, "healthy")],
    ),
    "W5": ([(k / 10, v(0.91 if k % 2 else 0.89)) for k in range(600)], 60, [(0.1, "warning")]),
    "C1": ([(2, v(1.0))], 100, [(2, "warning"), (3, "margin_call")]),
    "C2": ([(2, v(1.0)), (2.9, v(0.99))], 100, [(2, "warning")]),
    "C3": ([(0, v(1.0)), (0.6, v(0.99)), (1, v(1.0)), (1.6, v(0.99))], 100, [(0, "warning")]),
    "C4": ([*CALLED, (2, v(0.95)), (50, v(0.99))], 100, CALLED_SAID),
    "C5": ([*CALLED, (2, v(0.949))], 100, [*CALLED_SAID, (12, "warning")]),
    "C6": ([*CALLED, (2, v(0.5))], 100, [*CALLED_SAID, (12, "warning"), (22, "healthy")]),
    "C7": ([*CALLED, (2, v(0.94)), (11, v(1.1))], 100, CALLED_SAID),
    "C8": (
        [*CALLED, (2, v(0.94)), (20, v(1.1))],
        100,
        [*CALLED_SAID, (12, "warning"), (21, "margin_call")],
    ),
    "L1": ([(0, v(1.25))], 100, [(0, "liquidation!")]),
    "L2": ([(0, v(1.1)), (0.5, v(1.25))], 100, [(0, "warning"), (0.5, "liquidation!")]),
    "L3": ([*CALLED, (5, v(1.25))], 100, [*CALLED_SAID, (5, "liquidation")]),
    "L4": ([*CALLED, (2, v(0.9)), (11, v(1.25))], 100, [*CALLED_SAID, (11, "liquidation")]),
    "L5": ([*LIQUIDATED, (5, v(1.001)), (50, v(1.24))], 100, LIQUIDATED_SAID),
    "R1": ([*LIQUIDATED, (5, v(1.0))], 64.9, [*LIQUIDATED_SAID, (5, "recovered")]),
    "R2": ([*RECOVERED, (6, v(0.95))], 100, [*RECOVERED_SAID, (65, "margin_call")]),
    "R3": ([*RECOVERED, (6, v(0.85))], 100, [*RECOVERED_SAID, (65, "warning")]),
    "R4": ([*RECOVERED, (6, v(0.84))], 100, [*RECOVERED_SAID, (65, "healthy")]),
    "R5": ([*RECOVERED, (6, v(1.25))], 100, [*RECOVERED_SAID, (6, "liquidation!")]),
    "R6": ([*RECOVERED, (6, v(1.2))], 100, [*RECOVERED_SAID, (65, "margin_call")]),
    "R7": (
        [*RECOVERED, (6, v(1.2)), (30, v(0.5)), (60, v(0.9))],
        100,
        [*RECOVERED_SAID, (65, "warning")],
    ),
    "B1": ([(0, broke())], 100, [(0, "bankrupt!")]),
    "B2": ([*LIQUIDATED, (5, broke())], 100, [*LIQUIDATED_SAID, (5, "bankrupt!")]),
    "B3": ([*RECOVERED, (6, broke())], 100, [*RECOVERED_SAID, (6, "bankrupt!")]),
    "B4": ([(0, broke()), (5, v(0.1))], 100, [(0, "bankrupt!")]),
    "H1": (HOLD, 299, [*HOLD_SAID, (1, "margin_call")]),
    "H2": ([*HOLD, (0.5, v(1.3))], 100, [*HOLD_SAID, (0.5, "hold_released"), (0.5, "liquidation!")]),
    "H3": ([*HOLD, (0.5, v(1.2))], 1, [*HOLD_SAID, (0.5, "hold_released"), (1, "margin_call")]),
    "H4": ([*HOLD, (0.5, v(1.0, held=True))], 0.9, [*HOLD_SAID, (0.5, "hold_released")]),
    "H5": ([*HOLD, *[(k / 100, v(1.24 + 0.02 * (k % 2), held=True)) for k in range(1, 90)]], 0.9, HOLD_SAID),
    "H6": (
        [*HOLD, (400, v(1.3, held=True)), (900, v(1.3))],
        1000,
        [*HOLD_SAID, (1, "margin_call"), (300, "hold_expired"), (900, "hold_released"), (900, "liquidation")],
    ),
    "H7": (
        [*LIQUIDATED, (5, broke(held=True)), (9, broke())],
        100,
        [*LIQUIDATED_SAID, (5, "hold_raised"), (9, "hold_released"), (9, "bankrupt!")],
    ),
    "H8": ([*LIQUIDATED, (5, v(1.4, held=True))], 1000, LIQUIDATED_SAID),
    "H9": (HOLD, 2, [*HOLD_SAID, (1, "margin_call")]),
    "H10": ([(0, broke()), (5, broke(held=True)), (9, v(1.3, held=True))], 1000, [(0, "bankrupt!")]),
    "H11": (
        [*RECOVERED, (6, v(1.3, held=True))],
        100,
        [*RECOVERED_SAID, (6, "hold_raised"), (65, "margin_call")],
    ),
    "H12": ([*HOLD, (0.5, broke())], 100, [*HOLD_SAID, (0.5, "hold_released"), (0.5, "bankrupt!")]),
    "H13": (
        [*HOLD, (0.5, v(0.9)), (100, v(1.3, held=True))],
        401,
        [
            *HOLD_SAID,
            (0.5, "hold_released"),
            (100, "hold_raised"),
            (101, "margin_call"),
            (400, "hold_expired"),
        ],
    ),
    "U1": (
        [(0, v(0.9)), (3, v(0.84)), (12, UNKNOWN), (12.5, v(0.84))],
        100,
        [(0, "warning"), (22.5, "healthy")],
    ),
    "U2": (
        [(0, v(1.1)), (0.5, UNKNOWN), (0.6, v(1.1))],
        100,
        [(0, "warning"), (1.6, "margin_call")],
    ),
    "U3": ([*RECOVERED, (6, UNKNOWN), (80, v(0.9))], 100, [*RECOVERED_SAID, (80, "warning")]),
    "U4": ([*HOLD, (0.5, UNKNOWN)], 1000, [*HOLD_SAID, (300, "hold_expired")]),
    "U5": ([(0, UNKNOWN), (5, v(0.5)), (6, UNKNOWN)], 1000, []),
    "T1": ([(0, v(1.1)), (1, v(0.99))], 100, [(0, "warning")]),
    "T2": ([(0, v(1.1)), (1.000001, v(0.99))], 100, CALLED_SAID),
}
# Rows that need another parameter set, a deposit, or a broken sequence of calls have a test of their own below.
OWN_TESTS = {"B5", "B6", "B7", "B8", "B9", "T3", "T4", "T5", "P1", "P2", "P3", "P4", "P5", "P6"}


@pytest.mark.parametrize("row", ROWS)
def test_row_of_the_table(row: str) -> None:
    """Each row of the document's table happens as it says, at the time it says."""
    script, until_s, said = ROWS[row]
    run = Run()
    for at_s, bits in script:
        run.set(at_s, bits)
    assert run.until(until_s).said == said


def test_every_row_of_the_document_is_tested() -> None:
    """The document and the tests have the same rows."""
    documented = re.findall(r"^\| ([A-Z]\d+) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == set(ROWS) | OWN_TESTS


def bankrupt() -> Run:
    """A bankrupt account at 0 s."""
    return Run().set(0, broke())


def test_b5_deposit_recovers() -> None:
    """B5: a deposit that restores equity beyond the initial requirement ends a bankruptcy in recovered."""
    run = bankrupt().set(5, v(1.0), deposit=True).until(64)
    assert run.said == [(0, "bankrupt!"), (5, "recovered")]
    assert run.transitions[-1].reason == "deposit"


@pytest.mark.parametrize("ratio", [1.01, 1.3])
def test_b6_deposit_leaves_in_liquidation(ratio: float) -> None:
    """B6: a deposit that leaves v above 1 ends a bankruptcy in liquidation, which v <= 1 ends."""
    run = bankrupt().set(5, v(ratio), deposit=True).set(9, v(1.0)).until(10)
    assert run.said == [(0, "bankrupt!"), (5, "liquidation!"), (9, "recovered")]


def test_b7_small_deposit_and_price() -> None:
    """B7: a deposit that is too small is forgotten; only a further one, with equity positive, ends a bankruptcy."""
    run = bankrupt().set(5, broke(), deposit=True).set(6, v(0.5)).until(50)
    assert run.said == [(0, "bankrupt!")]
    assert run.set(60, v(0.5), deposit=True).said[-1] == (60, "recovered")


@pytest.mark.parametrize("doubtful", [v(0.5, held=True), v(1.3, held=True), UNKNOWN], ids=["B8", "B8-bad", "B9"])
def test_b8_b9_deposit_on_doubtful_data(doubtful: int) -> None:
    """B8, B9: a deposit on doubtful data is judged by the first good conditions, and only by them."""
    run = bankrupt().set(5, doubtful, deposit=True)
    assert run.said == [(0, "bankrupt!")]
    saved = msgspec.json.decode(msgspec.json.encode(run.account), type=Account)
    assert Run(account=saved).set(9, v(0.5)).said == [(9, "recovered")]
    assert run.set(9, broke()).set(10, v(0.5)).said == [(0, "bankrupt!")]


def test_t3_state_before_hold_at_one_deadline() -> None:
    """T3: when both timers stand at one instant, the state moves first and the hold speaks after it."""
    run = Run(parameters=StatusParameters(max_data_hold_ms=59_000))
    run.set(0, v(1.3)).set(5, v(0.9)).set(6, v(1.3, held=True)).until(65)
    assert run.said[3:] == [(65, "margin_call"), (65, "hold_expired")]
    assert [step.timer for step in run.transitions[3:]] == ["recovered", "data_hold"]


@pytest.mark.parametrize(("ratio", "said"), [(0.84, [(500, "healthy")]), (0.86, [])], ids=["T4", "T5"])
def test_t4_t5_overdue_timer(ratio: float, said: Said) -> None:
    """T4, T5: a timer found overdue acts when it is seen if its condition holds, and is dropped if not."""
    run = Run().set(0, v(0.9)).set(3, v(0.84))
    late = Run(account=run.account)
    late.transitions = on_conditions(run.account, v(ratio), START_US + 500_000_000, DEFAULT)
    assert late.said == said
    assert run.account.timers == {}


def test_p1_running_timer_keeps_its_deadline() -> None:
    """P1: a changed dwell time acts on timers that start later."""
    run = Run().set(0, v(0.9)).set(3, v(0.84))
    run.parameters = StatusParameters(leave_dwell_ms=100_000)
    assert run.set(4, v(0.84)).until(50).said == [(0, "warning"), (13, "healthy")]
    run.set(60, v(0.9)).set(61, v(0.84)).until(1000)
    assert run.said[2:] == [(60, "warning"), (161, "healthy")]


def test_p2_changed_threshold_acts_at_once() -> None:
    """P2: a threshold that falls below v changes the state without a tick."""
    lower = StatusParameters(warning_enter_v=0.7, warning_leave_v=0.6)
    run = Run().set(0, v(0.8))
    run.parameters = lower
    assert run.set(5, v(0.8, parameters=lower)).said == [(5, "warning")]


def test_p3_no_dwell_skips_warning() -> None:
    """P3: without a dwell a margin call comes at once and skips the warning."""
    assert Run(parameters=StatusParameters(margin_call_dwell_ms=0)).set(0, v(1.0)).said == [(0, "margin_call")]


def test_p4_no_leave_dwell() -> None:
    """P4: without a leave dwell each level is still left by its own event."""
    run = Run(parameters=StatusParameters(leave_dwell_ms=0)).set(0, v(1.0)).until(1).set(2, v(0.5))
    assert run.said == [(0, "warning"), (1, "margin_call"), (2, "warning"), (2, "healthy")]


def test_p5_no_recovery_dwell() -> None:
    """P5: without a recovery dwell an account passes through recovered with an event."""
    run = Run(parameters=StatusParameters(recovered_dwell_ms=0)).set(0, v(1.3)).set(2, v(0.5))
    assert run.said == [(0, "liquidation!"), (2, "recovered"), (2, "healthy")]


def test_p6_disordered_thresholds() -> None:
    """P6: where an account satisfies both enter and leave of a state, it enters and stays."""
    odd = StatusParameters(liquidation_enter_u=0.5, recovered_dwell_ms=0)
    run = Run(parameters=odd)
    for at_s in range(20):
        run.set(at_s, v(0.7, parameters=odd))
    assert run.said == [(0, "liquidation!")]


def test_hold_flag_is_carried_by_other_events() -> None:
    """A margin call during a data hold says that the hold is on."""
    run = Run().set(0, v(1.3, held=True)).until(2)
    assert [(step.kind, step.data_hold) for step in run.transitions] == [
        ("warning", False),
        ("data_hold", True),
        ("margin_call", True),
    ]
    assert run.set(3, v(1.3)).transitions[-2].data_hold is False
    assert run.account.timers == {}


def test_episode_and_kinds() -> None:
    """An episode grows when healthy is left, and lasts until the next time."""
    run = Run().set(0, v(1.3)).set(5, v(0.5)).until(100).set(200, v(1.0)).until(300)
    assert [(step.kind, step.episode) for step in run.transitions] == [
        ("liquidation", 1),
        ("recovered", 1),
        ("resolved", 1),
        ("warning", 2),
        ("margin_call", 2),
    ]
    assert run.account.status_since_us == START_US + 201_000_000


def test_call_of_an_earlier_episode_does_not_count() -> None:
    """A liquidation is a jump if the only margin call was in an earlier episode."""
    run = Run().set(0, v(1.1)).set(5, v(0.5)).until(100).set(200, v(1.3))
    assert run.said[-2:] == [(25, "healthy"), (200, "liquidation!")]


def test_sequence_is_not_touched() -> None:
    """The state machine changes status fields only."""
    before = Account(config=AccountConfig(account="desk", event_time_us=START_US), sequence=7, balances={"USD": 1.0})
    run = Run(account=before).set(0, v(1.3)).set(1, v(0.5)).until(100)
    fields = {"status", "status_since_us", "data_hold", "called", "deposited", "episode", "timers"}
    clean = Account(config=before.config, sequence=7, balances={"USD": 1.0})
    for name in Account.__struct_fields__:
        if name not in fields:
            assert getattr(run.account, name) == getattr(clean, name), name


LEFT = WARN_LEAVE | CALL_LEAVE | LIQ_LEAVE
ENTERED = WARN_ENTER | CALL_ENTER | LIQ_ENTER


@pytest.mark.parametrize(
    ("equity", "im", "mm", "positions", "bits"),
    [
        (0.0, 0.0, 0.0, False, LEFT),
        (0.0, 0.0, 0.0, True, ENTERED | BANKRUPT),
        (0.0, 1.0, 0.8, False, ENTERED),
        (-0.0, 0.0, 0.0, False, LEFT),
        (-1.0, 0.0, 0.0, False, ENTERED | BANKRUPT),
        (-1.0, 5.0, 4.0, True, ENTERED | BANKRUPT),
        (1.0, 0.0, 0.0, True, LEFT),
        (100.0, 90.0, 72.0, True, WARN_ENTER | CALL_LEAVE | LIQ_LEAVE),
        (100.0, 85.0, 68.0, True, CALL_LEAVE | LIQ_LEAVE),
        (100.0, 95.0, 76.0, True, WARN_ENTER | LIQ_LEAVE),
        (100.0, 100.0, 80.0, True, WARN_ENTER | CALL_ENTER | LIQ_LEAVE),
        (100.0, 100.0, 100.0, True, WARN_ENTER | CALL_ENTER | LIQ_ENTER | LIQ_LEAVE),
        (100.0, 125.0, 100.0, True, ENTERED),
        (math.nan, 1.0, 1.0, True, UNKNOWN),
        (1.0, math.nan, 1.0, True, UNKNOWN),
        (1.0, 1.0, math.nan, True, UNKNOWN),
        (math.inf, 1.0, 1.0, True, UNKNOWN),
        (-math.inf, 1.0, 1.0, True, UNKNOWN),
        (1.0, math.inf, 1.0, True, UNKNOWN),
        (1.0, 1.0, math.inf, True, UNKNOWN),
        (1.0, -1e-9, 0.0, True, UNKNOWN),
        (1.0, 0.0, -1e-9, True, UNKNOWN),
    ],
)
def test_conditions(equity: float, im: float, mm: float, positions: bool, bits: int) -> None:
    """Ties reach their threshold, degenerate accounts are decided, and figures that are no numbers are unknown."""
    assert conditions(equity, im, mm, positions, False, DEFAULT) == bits
    assert conditions(equity, im, mm, positions, True, DEFAULT) == bits | HELD


def test_conditions_agree_with_exact_ratios() -> None:
    """Away from a tie by more than one rounding the conditions are those of exact fractions."""
    random = np.random.default_rng(7)
    for _ in range(2_000):
        equity, im = random.uniform(1.0, 1e7, 2)
        if random.random() < 0.5:
            im = equity * random.choice([0.85, 0.90, 0.95, 1.0]) * (1.0 + random.choice([-1e-12, 1e-12]))
        bits = conditions(equity, im, 0.8 * im, True, False, DEFAULT)
        ratio = Fraction(im) / Fraction(equity)
        assert bool(bits & WARN_ENTER) == (ratio >= Fraction(90, 100))
        assert bool(bits & WARN_LEAVE) == (ratio < Fraction(85, 100))
        assert bool(bits & CALL_ENTER) == (ratio >= 1)
        assert bool(bits & CALL_LEAVE) == (ratio < Fraction(95, 100))
        assert bool(bits & LIQ_LEAVE) == (ratio <= 1)
        assert bool(bits & LIQ_ENTER) == (Fraction(0.8 * im) >= Fraction(equity))


def test_kernel_computes_the_same_conditions() -> None:
    """The compiled conditions of all accounts equal the reference, bit for bit, special values included."""
    thresholds = np.array([0.90, 0.85, 1.0, 0.95, 1.0, 1.0])
    flags = np.array(ALL_CONDITIONS, dtype=np.int64)
    values = [-math.inf, -1e6, -1.0, -0.0, 0.0, 1e-300, 0.85, 0.9, 0.95, 1.0, 1.25, 1e300, math.inf, math.nan]
    for equity in values:
        for im in values:
            for mm in (0.0, 0.8 * im, im, 1.0, -1.0, math.nan):
                for positions in (False, True):
                    for held in (False, True):
                        expected = conditions(equity, im, mm, positions, held, DEFAULT)
                        found = kernel.conditions(equity, im, mm, positions, held, thresholds, flags)
                        assert found == expected, (equity, im, mm, positions, held)


def test_stale_timer_fires_nothing() -> None:
    """A deadline at which no timer stands changes nothing."""
    run = Run().set(0, v(0.9))
    before = msgspec.json.encode(run.account)
    assert on_timer(run.account, run.bits, START_US + 5_000_000, DEFAULT) == []
    assert msgspec.json.encode(run.account) == before


def test_flags_are_distinct_bits() -> None:
    """The eight conditions are eight bits."""
    assert sum(ALL_CONDITIONS) == 255
    assert len(set(ALL_CONDITIONS)) == 8
    assert status.UNKNOWN in ALL_CONDITIONS
