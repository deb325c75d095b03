"""Trades, transfers and account settings folded into holdings and balances, and what the book needs of them.

Nothing here knows a price that is not in the record: the ledger is a function of the account's own records, so a
position equals the sum of the accepted trades whatever the market did.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Literal, Protocol

from monitor.engine.state import RECENT_IDS, Account, Holding
from schemas.records import AccountConfig, Instrument, Trade, Transfer

RejectionKind = Literal[
    "unknown_instrument",
    "account_closed",
    "instrument_delisted",
    "instrument_expired",
    "quanto_not_modelled",
    "amount_out_of_range",
    "account_not_empty",
    "settlement_forgotten",
]

DOLLAR = "USD"
DOLLAR_TOKENS = frozenset({"USDT", "USDC"})  # linear contracts may settle in them

# A record's amounts are bounded by 1e18. A sum beyond that is a broken sender, and above 2**53 a double no longer
# counts whole units, so accepting it would lose contracts silently.
MAX_AMOUNT = 1e18

# What is left after closing is rounding, not a position, below this part of the larger of the two quantities that
# were netted. Ten times larger and a dust position of 1 USD against 0.1 trillion would be dropped; a thousandth of
# it and a few ten fills with 17 digits each could leave a position that nobody holds.
RESIDUE = 1e-12

_SATOSHIS = 100_000_000  # most venues' lots have at most eight decimals: those are added as whole numbers
_EXACT = Context(prec=60)  # own context: the thread's default may be changed by any other code


class Listing(Protocol):
    """Where instruments are found by name: the instruments fold, or a dict."""

    def get(self, name: str, /) -> Instrument | None:
        """Return the instrument, or None if it is not listed."""


class RejectedRecord(Exception):
    """A record that cannot be applied; the account is as it was before.

    `kind` is the dead letter's error kind and `text` its explanation.
    """

    def __init__(self, kind: RejectionKind, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind: RejectionKind = kind
        self.text = text


@dataclass(frozen=True, slots=True)
class Exposures:
    """What one account brings to the book, in a fixed order.

    `usd`: dollars that no index moves: the USD balance and the entry side of linear futures.
    `rows`: by underlying, sorted, the rows `(instrument or None for COIN, quantity)`, COIN first, then by name; every
    other asset, dollar tokens included, is a COIN quantity of its own underlying.
    `unlisted`: holdings whose instrument is not in the listing, so that they cannot be valued.
    """

    usd: float
    rows: dict[str, list[tuple[str | None, float]]]
    unlisted: tuple[str, ...]


def apply_trade(account: Account, trade: Trade, instrument: Instrument, funding: tuple[float, int] = (0.0, 0)) -> bool:
    """Book a fill: position, average price, realised P&L, premium or spot legs, funding so far, and fee.

    `funding` is the perpetual's cumulative funding now (USD per coin; coins per USD of face of an inverse one), and
    the market time from which that counts.
    Returns False for a duplicate, which changes nothing. Raises RejectedRecord, with the account unchanged. The
    caller has found `instrument` by the trade's name.
    """
    if trade.account != account.config.account or trade.instrument != instrument.instrument:
        raise ValueError(f"trade of {trade.account}/{trade.instrument} given to {account.name}/{instrument.instrument}")
    key, known = _trade_key(trade), account.recent_ids
    if key in known:
        return False
    _refuse_trade(account, trade, instrument)
    if instrument.type == "spot":
        _book_spot(account, trade, instrument)
    else:
        _book_contract(account, trade, instrument, *funding)
    _remember(known, key)
    return True


def assets_of(instrument: Instrument) -> tuple[str, ...]:
    """Return the assets whose quantity in the book a trade can change: of its fee and legs, and of an entry side."""
    if instrument.type == "spot" or (instrument.type != "option" and instrument.contract == "inverse"):
        return instrument.settlement, instrument.underlying
    return (instrument.settlement,)


def is_duplicate(account: Account, trade: Trade) -> bool:
    """Whether the account remembers having taken this trade."""
    return _trade_key(trade) in account.recent_ids


def apply_transfer(account: Account, transfer: Transfer) -> bool:
    """Add a deposit or subtract a withdrawal.

    Returns False for a duplicate. Raises RejectedRecord, with the account unchanged. A balance may become negative:
    that is a loan, and it counts against equity.
    """
    if transfer.account != account.name:
        raise ValueError(f"transfer of {transfer.account} given to {account.name}")
    key = f"x:{transfer.transfer_id}"
    if key in account.recent_ids:
        return False
    if account.config.closed:
        raise RejectedRecord("account_closed", f"account {account.name} is closed")
    balance = _netted(account.balances.get(transfer.asset, 0.0), transfer.amount)
    _refuse_amounts(balance)
    _store(account, transfer.asset, balance)
    _remember(account.recent_ids, key)
    return True


def apply_config(account: Account, config: AccountConfig) -> bool:
    """Put an account's settings in force; the last record on the topic wins.

    Returns False where nothing changes. Raises RejectedRecord where an account with positions or debts would be
    closed: closing refuses later records, and then nothing could ever be reduced or repaid.
    """
    if config.account != account.name:
        raise ValueError(f"settings of {config.account} given to {account.name}")
    if config == account.config:
        return False
    if config.closed and (account.holdings or any(amount < 0.0 for amount in account.balances.values())):
        raise RejectedRecord("account_not_empty", f"account {account.name} still has positions or debts")
    account.config = config
    return True


def settle(account: Account, instrument: Instrument, price_usd: float) -> None:
    """End a holding at the settlement price (USD per coin): the balance takes what it is worth.

    An option pays its intrinsic value, in coins at that price if it is inverse; a future realises its P&L. Raises
    KeyError without a holding, and RejectedRecord with the account unchanged.
    """
    name, settlement = instrument.instrument, instrument.settlement
    holding = account.holdings[name]
    size = holding.quantity * instrument.contract_size
    if instrument.type == "option":
        change = size * payoff(instrument, price_usd)
    else:
        change = _pnl(size, holding.average_price, price_usd, instrument.contract == "inverse")
    held = account.balances.get(settlement, 0.0)
    balance = _without_residue(held + change, held, change)
    _refuse_amounts(balance, change)
    _store(account, settlement, balance)
    del account.holdings[name]


def payoff(option: Instrument, price_usd: float) -> float:
    """Return what one coin's worth of an option pays at a settlement price: USD, coins if it is inverse."""
    assert option.strike is not None
    intrinsic = price_usd - option.strike if option.option_type == "call" else option.strike - price_usd
    paid = max(intrinsic, 0.0)
    return paid / price_usd if option.contract == "inverse" else paid


def exposures(account: Account, listing: Listing) -> Exposures:
    """Return the account's constants and rows for the book; sums run in sorted instrument order.

    A linear future adds `-q size average` to `usd`; an inverse one `+q size / average` coins to its underlying's
    COIN row; options add their row only, because their premium has been paid.
    """
    usd = account.balances.get(DOLLAR, 0.0)
    coins = {asset: amount for asset, amount in account.balances.items() if asset != DOLLAR}
    rows: dict[str, list[tuple[str | None, float]]] = {}
    unlisted: list[str] = []
    for name in sorted(account.holdings):
        instrument = listing.get(name)
        if instrument is None:
            unlisted.append(name)
            continue
        holding = account.holdings[name]
        entry_usd, entry_coins = entry_constant(holding, instrument)
        usd += entry_usd
        if entry_coins != 0.0:
            coins[instrument.underlying] = coins.get(instrument.underlying, 0.0) + entry_coins
        rows.setdefault(instrument.underlying, []).append((name, holding.quantity))
    joined: dict[str, list[tuple[str | None, float]]] = {}
    for underlying in sorted(rows.keys() | coins.keys()):
        coin = coins.get(underlying, 0.0)
        first: list[tuple[str | None, float]] = [(None, coin)] if coin != 0.0 else []
        joined[underlying] = first + rows.get(underlying, [])
    return Exposures(usd=usd, rows={name: found for name, found in joined.items() if found}, unlisted=tuple(unlisted))


def entry_constant(holding: Holding, instrument: Instrument) -> tuple[float, float]:
    """Return the entry side of a holding: USD of a linear future, coins of an inverse one, (0, 0) of an option.

    A perpetual's value contains its whole cumulative funding, so the part that was there before the holding is given
    back here.
    """
    if instrument.type == "option":
        return 0.0, 0.0
    size = holding.quantity * instrument.contract_size
    before = size * holding.funding_index if holding.funding_index else 0.0
    if instrument.contract == "inverse":
        return 0.0, size / holding.average_price + before
    return -size * holding.average_price + before, 0.0


def _trade_key(trade: Trade) -> str:
    return f"t:{trade.instrument}:{trade.trade_id}"


def _is_dollar(asset: str) -> bool:
    return asset == DOLLAR or asset in DOLLAR_TOKENS


def _refuse_trade(account: Account, trade: Trade, instrument: Instrument) -> None:
    name = instrument.instrument
    if account.config.closed:
        raise RejectedRecord("account_closed", f"account {account.name} is closed")
    if instrument.expiry_us is not None and trade.event_time_us >= instrument.expiry_us:
        raise RejectedRecord("instrument_expired", f"{name} expired at {instrument.expiry_us} us")
    # A fill from before the delisting may come late and is still a fill.
    if instrument.delisted and trade.event_time_us >= instrument.event_time_us:
        raise RejectedRecord("instrument_delisted", f"{name} is delisted since {instrument.event_time_us} us")
    if instrument.type != "spot" and instrument.contract == "linear" and not _is_dollar(instrument.settlement):
        raise RejectedRecord("quanto_not_modelled", f"{name} is linear and settles in {instrument.settlement}")


def _book_spot(account: Account, trade: Trade, instrument: Instrument) -> None:
    """Swap the two legs; there is no holding, the coins are a balance."""
    base, quote = instrument.underlying, instrument.settlement
    coins = _product(trade.quantity, instrument.contract_size)
    paid = _product(trade.quantity, instrument.contract_size, trade.price)
    changed = {quote: _netted(account.balances.get(quote, 0.0), -(paid + trade.fee))}
    changed[base] = _netted(changed.get(base, account.balances.get(base, 0.0)), coins)
    _refuse_amounts(coins, paid, *changed.values())
    for asset, amount in changed.items():
        _store(account, asset, amount)


def _book_contract(
    account: Account, trade: Trade, instrument: Instrument, funding_index: float, funding_since_us: int
) -> None:
    """Change the holding, and the settlement balance by realised P&L or premium, funding since then, and the fee."""
    name, settlement, size = trade.instrument, instrument.settlement, instrument.contract_size
    option, traded, fee = instrument.type == "option", trade.quantity, trade.fee
    holdings = account.holdings
    old = holdings.get(name) or Holding()
    before = old.quantity
    quantity = _netted(before, traded)
    closed = _closed(before, traded, quantity)
    inverse = not option and instrument.contract == "inverse"
    average = _average(old, trade, quantity, inverse)
    realised = 0.0
    if closed != 0.0:
        realised = _pnl(closed * size, old.average_price, trade.price, inverse)
    if old.funding_index != funding_index:
        realised -= before * size * (funding_index - old.funding_index)
    # The premium style pays everything at the trade: booking realised P&L as well would count it twice.
    cash = -traded * size * trade.price if option else realised
    change = cash - fee
    held = account.balances.get(settlement, 0.0)
    # P&L is a product of rounded numbers, so adding decimals would cost time and give nothing.
    balance = _without_residue(held + change, held, change)
    earned, fees = old.realised_pnl + realised, old.fees + fee
    _refuse_amounts(quantity, balance, earned, fees, change)
    _store(account, settlement, balance)
    if quantity == 0.0:
        holdings.pop(name, None)
    else:
        holdings[name] = Holding(quantity, average, earned, fees, funding_index, funding_since_us)


def _closed(old: float, traded: float, new: float) -> float:
    """Return the signed part of the old position that the trade closes."""
    if old == 0.0 or (old > 0.0) == (traded > 0.0):
        return 0.0
    if new != 0.0 and (new > 0.0) == (old > 0.0):
        return -traded
    return old


def _average(old: Holding, trade: Trade, quantity: float, inverse: bool) -> float:
    """Return the average entry price after the trade.

    Inverse futures average harmonically: coins are linear in 1/price, so only the harmonic average keeps
    `face (1/average - 1/price)` equal to the sum over the fills.
    """
    if quantity == 0.0:
        return 0.0
    if old.quantity == 0.0 or (quantity > 0.0) != (old.quantity > 0.0):
        return trade.price
    if (trade.quantity > 0.0) != (old.quantity > 0.0) or trade.price == old.average_price:
        return old.average_price
    # A weight instead of sums of products: the result stays between the two prices in floating point too.
    weight = trade.quantity / quantity
    if inverse:
        average = 1.0 / ((1.0 - weight) / old.average_price + weight / trade.price)
    else:
        average = old.average_price + weight * (trade.price - old.average_price)
    if not 0.0 < average < math.inf:
        raise RejectedRecord("amount_out_of_range", f"no average price of {old.average_price:g} and {trade.price:g}")
    return average


def _pnl(size: float, bought: float, sold: float, inverse: bool) -> float:
    """Return the P&L of a signed size between two prices: coins of a face in USD, or USD of a size in coins."""
    return size / bought - size / sold if inverse else size * (sold - bought)


def _netted(amount: float, change: float) -> float:
    """Return the decimal sum of two amounts, rounded once; what is left of netting by rounding is zero.

    Venues count in decimal lots. Adding the decimals that the doubles stand for gives 0.1 + 0.2 - 0.3 = 0 and keeps
    a large position that is closed in small lots exact, which no tolerance on a binary sum can do.
    """
    if amount == 0.0:
        return change or 0.0
    before, moved = round(amount * _SATOSHIS), round(change * _SATOSHIS)
    if before / _SATOSHIS == amount and moved / _SATOSHIS == change:
        total = (before + moved) / _SATOSHIS  # whole numbers, and their quotient is correctly rounded
    else:
        total = float(_EXACT.add(Decimal(repr(amount)), Decimal(repr(change))))
    return _without_residue(total, amount, change)


def _without_residue(total: float, amount: float, change: float) -> float:
    left = abs(total)  # beside the larger of both
    return 0.0 if left <= RESIDUE * abs(amount) or left <= RESIDUE * abs(change) else total


def _product(*factors: float) -> float:
    """Return the decimal product, rounded once, so that equal lots bought and sold cancel exactly."""
    product = Decimal(1)
    for factor in factors:
        product = _EXACT.multiply(product, Decimal(repr(factor)))
    return float(product)


def _refuse_amounts(*amounts: float) -> None:
    for amount in amounts:
        if not -MAX_AMOUNT <= amount <= MAX_AMOUNT:  # also refuses NaN
            raise RejectedRecord("amount_out_of_range", f"an amount would become {amount!r}, beyond {MAX_AMOUNT:g}")


def _store(account: Account, asset: str, amount: float) -> None:
    if amount == 0.0:
        account.balances.pop(asset, None)
    else:
        account.balances[asset] = amount


def _remember(known: list[str], key: str) -> None:
    known.append(key)
    if len(known) > RECENT_IDS:
        del known[:-RECENT_IDS]
