"""What counts as an account's latest state, and what that says about an alert."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.client import Alert, Screen, Standing, StateView
from schemas import examples
from schemas.codec import encode
from schemas.headers import state_headers
from schemas.records import AccountState
from schemas.signatures import Keys, sign
from tests.client_messages import KEYS, OTHERS, event, message

(STATE,) = (one for one in examples.of(AccountState) if isinstance(one, AccountState))
ACCOUNT = STATE.account.encode()


def view(keys: Keys | None = KEYS) -> StateView:
    return StateView("127.0.0.1:1", "risk.account-states.v1", keys, True)


def put(into: StateView, state: AccountState | None, *, epoch: int = 1, keys: Keys | None = KEYS) -> None:
    body, headers = None if state is None else encode(state), state_headers(epoch)
    if keys is not None:
        headers = [*headers, sign(ACCOUNT, headers, body, keys)]
    into._apply(ACCOUNT, body, headers)


def state(**changes: Any) -> AccountState:
    return msgspec.structs.replace(STATE, **changes)


def standing(of: StateView, sequence: int) -> Standing:
    alert = Screen().judge(message(event(STATE.account, sequence)), 0)
    assert isinstance(alert, Alert)
    return of._standing(alert)


def test_the_largest_epoch_and_version_count() -> None:
    """A fenced worker's later message and an older version change nothing; a repeat and what is newer do no harm."""
    found = view()
    put(found, state(version=5, equity_usd=5.0), epoch=2)
    put(found, state(version=9, equity_usd=9.0), epoch=1)
    put(found, state(version=4, equity_usd=4.0), epoch=2)
    put(found, state(version=5, equity_usd=5.0), epoch=2)
    latest = found.latest(STATE.account)
    assert latest is not None
    assert (latest.version, latest.equity_usd) == (5, 5.0)
    put(found, state(version=1, equity_usd=1.0), epoch=3)
    assert found.latest(STATE.account) == state(version=1, equity_usd=1.0)
    assert found.counts == {"applied": 3, "older": 2}


def test_forged_states_and_tombstones_are_passed_over() -> None:
    """Without the right signature nothing is stored and nothing removed; with it a tombstone removes."""
    found = view()
    put(found, state(version=5))
    for keys in (None, OTHERS):
        put(found, state(version=6), epoch=9, keys=keys)
        put(found, None, keys=keys)
    assert found.latest(STATE.account) == state(version=5)
    assert found.counts == {"applied": 1, "Unsigned": 2, "Tampered": 2}
    put(found, None)
    assert found.latest(STATE.account) is None


def test_rubbish_is_counted() -> None:
    """What is no state, or has an epoch that is no number, is refused and raises nothing."""
    found = view(None)
    found._apply(ACCOUNT, b"{}", [])
    found._apply(ACCOUNT, encode(STATE), [("risk-epoch", b"first")])
    found._apply(None, None, [])
    assert found.counts["refused"] == 3


def test_what_a_state_says_about_an_alert() -> None:
    """The latest alert stands, or is held; an earlier one is superseded; a later one is not known yet."""
    found = view()
    assert standing(found, 7) is Standing.UNKNOWN
    put(found, state(sequence=7, version=1, data_hold=False))
    assert [standing(found, sequence) for sequence in (6, 7, 8)] == [
        Standing.SUPERSEDED, Standing.STANDS, Standing.UNKNOWN,
    ]  # fmt: skip
    put(found, state(sequence=7, version=2, data_hold=True))
    assert standing(found, 7) is Standing.HELD
    put(found, state(sequence=7, version=3, closed=True))
    assert standing(found, 7) is Standing.SUPERSEDED
