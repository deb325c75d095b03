"""Settlement of expired contracts.

An expiry acts like a timer: at its own moment, after records of the same microsecond and before any later one. All
holders are settled then, in order of their names. What is left of it is in the account alone: a settled position is no
holding any more, so a crash before the account is stored repeats the settlement, and one after it cannot.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from monitor.engine import ledger
from monitor.engine.expiries import NEVER_US, Expiries
from monitor.engine.ledger import RejectedRecord
from monitor.engine.settlement import MINUTE_US

if TYPE_CHECKING:
    from monitor.engine.market import Market
    from monitor.engine.state import Account
    from schemas.records import Instrument


def settle(account: Account, names: Iterable[str], market: Market, expiries: Expiries) -> tuple[str, ...]:
    """Settle an account's holdings of contracts whose expiry has passed, and note those that have to wait.

    Returns flags: `partly_settled:X` where a settlement price rests on less than the whole window, `unsettled:X` where
    there is none yet. Without a price a position stays as it is and is tried again after each minute; once the window
    is forgotten nothing can settle it by itself.
    """
    flags: list[str] = []
    averages = market.ticks.averages
    for name in names:
        instrument = market.instruments.get(name)
        assert instrument is not None, f"{name} was held without being listed"
        expiry_us = _expiry_us(instrument)
        settlement = averages.settlement(instrument.underlying, expiry_us, max(market.time_us, expiry_us))
        if settlement is not None:
            try:
                ledger.settle(account, instrument, settlement.price_usd)
            except RejectedRecord:
                settlement = None  # beyond what an account can hold: a case for people, like a missing price
            else:
                expiries.release(account.name, name)
                if settlement.covered < 1.0:
                    flags.append(f"partly_settled:{name}")
        if settlement is None:
            flags.append(f"unsettled:{name}")
            again_us = retry_us(expiry_us, market.time_us)
            forgotten = averages.forgotten(instrument.underlying, expiry_us)
            expiries.hold(account.name, name, NEVER_US if forgotten else again_us)
    return tuple(flags)


def take(account: Account, names: Iterable[str], market: Market, expiries: Expiries) -> bool:
    """Note which of the contracts `names` an account holds, and settle those whose expiry has passed.

    Returns whether anything was settled.
    """
    settled = False
    for name in names:
        instrument = market.instruments.get(name)
        if instrument is not None and instrument.expiry_us is not None:
            settled |= take_one(account, instrument, instrument.expiry_us, market, expiries)
    return settled


def take_one(account: Account, instrument: Instrument, expiry_us: int, market: Market, expiries: Expiries) -> bool:
    """As `take`, of one contract that expires."""
    name = instrument.instrument
    if name not in account.holdings:
        expiries.release(account.name, name)
    elif expiry_us >= market.time_us:
        expiries.hold(account.config.account, name, expiry_us)
    else:
        settle(account, (name,), market, expiries)
        return name not in account.holdings
    return False


def is_forgotten(instrument: Instrument, market: Market) -> bool:
    """Whether a contract expired so long ago that its settlement price is no longer known."""
    expiry_us = instrument.expiry_us
    if expiry_us is None or expiry_us >= market.time_us:
        return False
    return market.ticks.averages.forgotten(instrument.underlying, expiry_us)


def refuse_forgotten(instrument: Instrument) -> None:
    """Raise RejectedRecord: a trade came when its contract's settlement price was forgotten."""
    raise RejectedRecord(
        "settlement_forgotten", f"{instrument.instrument} expired at {instrument.expiry_us} us, too long ago"
    )


def unsettled(account: Account, market: Market) -> tuple[str, ...]:
    """Return the holdings whose expiry has passed, sorted."""
    found, listed, now_us = [], market.instruments.get, market.time_us
    for name in account.holdings:
        instrument = listed(name)
        if instrument is not None and instrument.expiry_us is not None and instrument.expiry_us < now_us:
            found.append(name)
    return tuple(sorted(found))


def retry_us(expiry_us: int, now_us: int) -> int:
    """Return when to try again: right after the expiry, as a position begins to count as unsettled, then by minute."""
    return max(expiry_us + 1, (now_us // MINUTE_US + 1) * MINUTE_US if now_us > expiry_us else 0)


def _expiry_us(instrument: Instrument) -> int:
    assert instrument.expiry_us is not None, f"{instrument.instrument} does not expire"
    return instrument.expiry_us
