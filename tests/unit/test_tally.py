"""What the demonstration counts of the topics it reads."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.demo.tally import Tally
from schemas.ids import event_id
from schemas.records import AccountEvent, Cause


def _event(account: str, sequence: int, kind: Any, state_to: Any, time_us: int, **more: Any) -> AccountEvent:
    fields: dict[str, Any] = {
        "id": event_id(account, 1, sequence, kind), "kind": kind, "account": account, "episode": 1,
        "sequence": sequence, "state_from": "healthy", "state_to": state_to, "data_hold": False, "jump": False,
        "event_time_us": time_us, "valid_until_us": time_us + 1, "cause": Cause(topic="timer"), "positions": {},
        "model": "A", "parameter_set": "default", "parameter_hash": "0", "equity_usd": 1.0,
        "im_requirement_usd": 1.0, "mm_requirement_usd": 0.8, "shortfall_usd": 0.0, "reason": "", "underlyings": (),
        "v": 1,
    }  # fmt: skip
    return AccountEvent(**{**fields, **more})


def test_a_second_delivery_is_a_repeat_and_other_bytes_under_one_id_are_a_conflict() -> None:
    """An event counts once; what comes again is counted apart, and a changed body is reported."""
    tally = Tally()
    event = _event("a", 1, "warning", "warning", 10)
    assert tally.event(b"body", event)
    assert not tally.event(b"body", event)
    assert (tally.events, tally.repeats, tally.conflicts) == (1, 1, 0)
    tally.event(b"other", event)
    assert tally.conflicts == 1


def test_a_missing_sequence_number_is_a_hole() -> None:
    """Sequences 1 and 3 leave one hole, which the late event closes."""
    tally = Tally()
    tally.event(b"1", _event("a", 1, "warning", "warning", 10))
    tally.event(b"3", _event("a", 3, "liquidation", "liquidation", 30))
    assert tally.holes == 1
    tally.event(b"2", _event("a", 2, "margin_call", "margin_call", 20))
    assert tally.holes == 0


def test_account_time_is_shared_by_status_whatever_the_order_of_delivery() -> None:
    """Two accounts over 100 us: one healthy throughout, one called at 40 and liquidated, with a hold, at 60."""
    tally = Tally()
    tally.statuses["b"] = "healthy"
    tally.event(b"2", _event("a", 2, "liquidation", "liquidation", 60))
    tally.event(b"1", _event("a", 1, "margin_call", "margin_call", 40, data_hold=True))
    share = tally.account_time(0, 100)
    assert share == pytest.approx({"healthy": 0.70, "margin_call": 0.10, "liquidation": 0.20, "data_hold": 0.10})


def test_the_first_event_of_a_kind_is_the_earliest_in_event_time() -> None:
    """Topics and partitions are read in any order; the first is by event time."""
    tally = Tally()
    tally.event(b"1", _event("a", 1, "warning", "warning", 50))
    tally.event(b"2", _event("b", 1, "warning", "warning", 20))
    assert tally.first["warning"].account == "b"
