"""Accounts that the state machine need not see."""

from __future__ import annotations

import msgspec
import pytest

from monitor.engine import status
from monitor.engine.state import Account
from schemas.records import AccountConfig, StatusParameters
from tests.engine_market import START_US

STATES = ("healthy", "warning", "margin_call", "liquidation", "bankrupt", "recovered")


def _accounts() -> list[Account]:
    """Return an account in each state, bare, with each timer, held, and with a deposit that is to be judged."""
    found = []
    for name in STATES:
        for timer in (None, "margin_call", "leave", "recovered", "data_hold"):
            for held in (False, True):
                for deposited in (False, True):
                    account = Account(AccountConfig(account="a", event_time_us=START_US), status=name)  # type: ignore[arg-type]
                    account.timers = {} if timer is None else {timer: START_US + 5}
                    account.data_hold, account.deposited = held, deposited
                    found.append(account)
    return found


@pytest.mark.parametrize("dwell_ms", [0, 1_000])
@pytest.mark.parametrize("deposit", [False, True])
def test_the_state_machine_does_nothing_to_an_account_at_rest(dwell_ms: int, deposit: bool) -> None:
    """Under any condition bits, whatever is at rest has no transition and is not changed."""
    parameters = StatusParameters(margin_call_dwell_ms=dwell_ms, recovered_dwell_ms=dwell_ms)
    resting = 0
    for account in _accounts():
        for bits in range(256):
            if status.is_at_rest(account, bits):
                before = msgspec.to_builtins(account)
                assert status.on_conditions(account, bits, START_US, parameters, deposit=deposit) == []
                assert msgspec.to_builtins(account) == before
                resting += 1
    assert resting == 256 // 16  # one account in all, and four of the eight conditions must not hold
