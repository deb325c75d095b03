"""What `liqmon watch` shows: the right state of each account, each event once, the nearest to trouble first."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest
from rich.console import Console

from monitor.watching.board import RECENT, Board, Wanted, utilisation
from monitor.watching.run import tables
from monitor.watching.tables import event_line, headline
from monitor.watching.workers import Workers
from schemas import examples
from schemas.records import AccountState
from tests.client_messages import event

(STATE,) = (one for one in examples.of(AccountState) if isinstance(one, AccountState))


def state(account: str = "desk-7", **changes: Any) -> AccountState:
    return msgspec.structs.replace(STATE, account=account, **{"closed": False, **changes})


def shown(board: Board, height: int = 40) -> str:
    console = Console(width=200, file=io.StringIO())
    with console.capture() as captured:
        console.print(tables(board, height, Workers()))
    return captured.get()


def test_the_largest_epoch_and_version_count() -> None:
    """A worker that was taken for dead brings no older state back; a tombstone takes the account away."""
    board = Board()
    board.state(state(version=5, status="warning"), 2, 10)
    board.state(state(version=9, status="bankrupt"), 1, 11)
    board.state(state(version=4, status="bankrupt"), 2, 12)
    assert [one.status for one in board.nearest(9)] == ["warning"]
    assert board.last_sent_ms == 12
    board.gone("desk-7")
    assert board.nearest(9) == []


def test_an_event_comes_once() -> None:
    """A second delivery is neither counted nor shown."""
    board = Board()
    assert board.event(event(), 1)
    assert not board.event(event(), 2)
    assert board.kinds == {"margin_call": 1}
    assert list(board.recent) == [event()]


def test_only_so_many_events_are_kept() -> None:
    """All are counted, the latest are shown."""
    board = Board()
    for number in range(RECENT + 5):
        board.event(event(sequence=number + 1), number)
    assert board.kinds["margin_call"] == RECENT + 5
    assert [one.sequence for one in board.recent] == list(range(6, RECENT + 6))


@pytest.mark.parametrize(
    ("wanted", "accounts", "kinds"),
    [
        (Wanted(), {"desk-7", "pair-1"}, {"margin_call", "liquidation"}),
        (Wanted(accounts=("desk-*",)), {"desk-7"}, {"margin_call"}),
        (Wanted(accounts=("x", "pair-?")), {"pair-1"}, {"liquidation"}),
        (Wanted(statuses=("margin_call",)), {"desk-7"}, {"margin_call", "liquidation"}),
        (Wanted(kinds=("liquidation",)), {"desk-7", "pair-1"}, {"liquidation"}),
    ],
)
def test_only_what_is_wanted_is_shown(wanted: Wanted, accounts: set[str], kinds: set[str]) -> None:
    """Patterns choose accounts in both tables, statuses choose accounts, kinds choose events."""
    board = Board(wanted)
    board.state(state("desk-7", status="margin_call"), 1, 1)
    board.state(state("pair-1", status="healthy"), 1, 1)
    board.event(event("desk-7"), 1)
    board.event(event("pair-1", kind="liquidation"), 1)
    assert {one.account for one in board.nearest(9)} == accounts
    assert set(board.kinds) == kinds


def test_the_nearest_to_trouble_come_first() -> None:
    """Status counts before figures; an account without equity is beyond all with some; closed ones are left out."""
    board = Board()
    for account, status, equity, mm in (
        ("calm", "healthy", 100.0, 1.0), ("empty", "healthy", 0.0, 0.0), ("near", "healthy", 100.0, 99.0),
        ("called", "margin_call", 100.0, 90.0), ("gone", "bankrupt", -5.0, 10.0), ("under", "bankrupt", 100.0, 400.0),
    ):  # fmt: skip
        board.state(state(account, status=status, equity_usd=equity, mm_requirement_usd=mm), 1, 1)
    board.state(state("left", status="bankrupt", closed=True), 1, 1)
    assert [one.account for one in board.nearest(9)] == ["gone", "under", "called", "near", "calm", "empty"]
    assert board.called()
    assert utilisation(board.nearest(9)[1]) == 4.0
    assert utilisation(board.nearest(9)[5]) == 0.0


def test_the_headline_says_how_old_the_last_record_is() -> None:
    """Counts by status and kind, and the age of what was read last; before anything it says so."""
    board = Board()
    assert "no record yet" in headline(board, 5_000)
    board.state(state(status="margin_call", data_hold=True), 1, 1_000)
    board.event(event(), 800)
    said = headline(board, 5_200)
    assert "1 margin_call, 1 data_hold" in said
    assert "events: 1 margin_call" in said
    assert "last record 4.2 s ago" in said


def test_tables_fit_the_screen() -> None:
    """However many accounts and events there are, no more lines are printed than a screen has."""
    board = Board()
    for number in range(100):
        board.state(state(f"a{number:03}"), 1, 1)
        board.event(event(f"a{number:03}", kind="liquidation"), 1)
    text = shown(board)
    assert len(text.splitlines()) <= 40
    assert text.count("Liquidation after") == 14
    assert "a099" in text


def test_a_line_has_what_happened_to_whom_and_why() -> None:
    """Time, kind, account and the reason in words."""
    found = event()
    line = event_line(found)
    assert found.kind in line
    assert found.account in line
    assert line.endswith(found.reason)
