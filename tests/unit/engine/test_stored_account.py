"""Stored values of accounts: what is missing is null, and a number that is none is never written as that."""

from __future__ import annotations

import math

import msgspec
import pytest

from monitor.engine import decode_account
from monitor.engine.baseline import Baseline, Coin, Contract
from monitor.engine.state import Account, encode
from schemas.ids import canonical
from schemas.records import AccountConfig
from tests.engine_market import START_US


def _baseline(price_range: float | None = None, basis: float = 0.01) -> Baseline:
    return Baseline(
        sequence=0, time_us=START_US, im_usd=5.0, model="P", parameter_hash="0" * 16, grid_us=START_US,
        coins={"BTC": Coin(1e5, 0.5, 0.0, 1, price_range), "ETH": Coin(4e3, 0.0, 0.0, 2)},
        contracts={"BTC-C": Contract(1.0, basis, 0.5)},
    )  # fmt: skip


def _account(name: str = "a", baseline: Baseline | None = None, equity_usd: float = 1.0) -> Account:
    config = AccountConfig(account=name, event_time_us=START_US)
    return Account(config=config, stored_baseline=baseline, equity_usd=equity_usd)


@pytest.mark.parametrize("name", ["a", "null", "nullnull"])
@pytest.mark.parametrize("baseline", [None, _baseline(), _baseline(0.15)])
def test_a_stored_account_is_read_again(name: str, baseline: Baseline | None) -> None:
    """The value is the canonical encoding, whatever is missing in it and however the account is called."""
    account = _account(name, baseline)
    assert encode(account) == canonical(account)
    assert decode_account(encode(account)) == account
    assert msgspec.json.decode(encode(account))["baseline"] == msgspec.to_builtins(baseline)


@pytest.mark.parametrize("name", ["a", "null"])
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_that_is_none_is_refused(name: str, number: float) -> None:
    """NaN and infinity are refused in every field, where nulls are expected as well."""
    for account in (
        _account(name, equity_usd=number),
        _account(name, _baseline(), equity_usd=number),
        _account(name, _baseline(number)),
        _account(name, _baseline(basis=number)),
    ):
        with pytest.raises(ValueError, match="no JSON form"):
            encode(account)
