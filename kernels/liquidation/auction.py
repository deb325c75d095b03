"""Derive's Dutch auction of an account: what may be bought, at what price, and what is left.

MtM is the value of the account at its marks, MM its net maintenance margin (negative: short of margin), R the cash
reserved from earlier bids, BM = MM + buffer (MM - MtM). The discount d(t), the share of the value that a bidder pays,
falls linearly from `start` to `cutoff` in the fast phase and from there to 0 in the slow one. While it runs

  largest fraction  f = BM/(BM - MtM d - R (1 - d)), which brings BM to 0; 1 below the small-account cutoff
  price of f        (MtM - R) d f, paid to the account and reserved there; the bidder takes f of everything but R

and it ends at BM >= 0. An account without value pays instead of being paid for: the security module gives the bidder
-MtM for the whole at first, and linearly more until -MM after the insolvent length. When a bid pays is the business of
`kernels.liquidation.bidding`. Source: derivexyz/v2-core, DutchAuction.sol; its integration cases are golden vectors.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from kernels.liquidation import checks

Phase = Literal["closed", "fast", "slow", "over", "insolvent"]


class Auction(NamedTuple):
    """Terms of an auction: shares of the value, lengths in seconds, rates; `small_account_usd` sells accounts whole."""

    start_share: float
    cutoff_share: float
    fast_s: float
    slow_s: float
    insolvent_s: float
    fee_rate: float
    buffer_share: float
    small_account_usd: float = 0.0


class Account(NamedTuple):
    """An account just before a bid: value at the marks, net maintenance margin, cash reserved from earlier bids."""

    value_usd: float
    mm_excess_usd: float
    reserved_usd: float = 0.0


class Bid(NamedTuple):
    """What became of a bid: phase, buffer margin before it, fractions of what the account holds then, and the cash."""

    phase: Phase
    buffer_margin_usd: float
    available: float
    fraction: float
    cash_from_bidder_usd: float
    cash_to_bidder_usd: float


def check(auction: Auction, account: Account) -> None:
    """Refuse terms that do not fall from start to cutoff to 0, and an account that is no number; raises ValueError."""
    checks.share(start_share=auction.start_share, cutoff_share=auction.cutoff_share)
    checks.not_negative(
        fast_s=auction.fast_s, slow_s=auction.slow_s, insolvent_s=auction.insolvent_s, fee_rate=auction.fee_rate,
        buffer_share=auction.buffer_share, reserved_usd=account.reserved_usd,
    )  # fmt: skip
    checks.finite(
        value_usd=account.value_usd, mm_excess_usd=account.mm_excess_usd, small_account_usd=auction.small_account_usd
    )
    if auction.cutoff_share > auction.start_share:
        raise ValueError("the share of the value falls from start to cutoff")


def buffer_margin(auction: Auction, account: Account) -> float:
    """Return MM + buffer (MM - MtM) in USD: what has to reach 0, a little more than maintenance."""
    return account.mm_excess_usd + auction.buffer_share * (account.mm_excess_usd - account.value_usd)


def discount(auction: Auction, elapsed_s: float) -> float:
    """Return the share of the value that a bidder pays, 0 once the slow phase is over."""
    if elapsed_s < auction.fast_s:
        return auction.start_share - (auction.start_share - auction.cutoff_share) * elapsed_s / auction.fast_s
    slow_s = elapsed_s - auction.fast_s
    return auction.cutoff_share * (1.0 - slow_s / auction.slow_s) if slow_s < auction.slow_s else 0.0


def reached(auction: Auction, share: float) -> float | None:
    """Return the first time in seconds at which a bidder pays at most this share, None if the auction ends before."""
    start, cutoff = auction.start_share, auction.cutoff_share
    if share <= 0.0:
        return None
    if share >= start:
        elapsed_s = 0.0
    elif share >= cutoff:
        elapsed_s = auction.fast_s * (start - share) / (start - cutoff)
    else:
        elapsed_s = auction.fast_s + auction.slow_s * (1.0 - share / cutoff)
    return elapsed_s if elapsed_s < auction.fast_s + auction.slow_s else None


def phase(auction: Auction, account: Account, elapsed_s: float) -> Phase:
    """Return where an auction stands.

    `closed`: the account is whole again and nothing is sold. `over`: the price has fallen to 0, or the cash reserved is
    worth more than the account; the venue refuses bids until the auction is started anew. `elapsed_s` counts from the
    start of the auction, of the insolvent one where the account has no value.
    """
    if account.value_usd <= 0.0:
        return "insolvent" if account.mm_excess_usd < 0.0 else "closed"
    if buffer_margin(auction, account) >= 0.0:
        return "closed"
    if elapsed_s >= auction.fast_s + auction.slow_s or account.reserved_usd >= account.value_usd:
        return "over"
    return "fast" if elapsed_s < auction.fast_s else "slow"


def available_fraction(auction: Auction, account: Account, share: float) -> float:
    """Return the largest fraction of what the account holds that is sold at a share of its value, in [0, 1]."""
    margin = buffer_margin(auction, account)
    if margin >= 0.0:
        return 0.0
    if account.value_usd < auction.small_account_usd:
        return 1.0
    needed = margin - account.value_usd * share - account.reserved_usd * (1.0 - share)
    return min(max(margin / needed, 0.0), 1.0) if needed < 0.0 else 1.0


def insolvent_price(auction: Auction, account: Account, elapsed_s: float) -> float:
    """Return the price of the whole of an account without value, USD: 0 or less, since the bidder is paid."""
    if account.mm_excess_usd >= 0.0:
        return 0.0
    first = min(account.value_usd, 0.0)
    if elapsed_s >= auction.insolvent_s:
        return account.mm_excess_usd
    return first + (account.mm_excess_usd - first) * elapsed_s / auction.insolvent_s


def start_fee(auction: Auction, account: Account) -> float:
    """Return the fee in USD that a solvent account pays when its auction starts, 0 else: f(d = 1) MtM rate.

    Raises ValueError as `check`.
    """
    check(auction, account)
    if account.value_usd <= 0.0:
        return 0.0
    return available_fraction(auction, account, 1.0) * account.value_usd * auction.fee_rate


def bid(auction: Auction, account: Account, elapsed_s: float, requested: float) -> Bid:
    """Return what a bid for a fraction of what the account holds buys and costs; who asks for more gets what is sold.

    Raises ValueError on a fraction or time that is negative, and as `check`.
    """
    check(auction, account)
    checks.not_negative(elapsed_s=elapsed_s, requested=requested)
    now, margin = phase(auction, account, elapsed_s), buffer_margin(auction, account)
    if now == "insolvent":
        fraction = min(requested, 1.0)
        return Bid(now, margin, 1.0, fraction, 0.0, -insolvent_price(auction, account, elapsed_s) * fraction)
    if now in {"closed", "over"}:
        return Bid(now, margin, 0.0, 0.0, 0.0, 0.0)
    share = discount(auction, elapsed_s)
    available = available_fraction(auction, account, share)
    fraction = min(requested, available)
    return Bid(now, margin, available, fraction, (account.value_usd - account.reserved_usd) * share * fraction, 0.0)


def settled(account: Account, done: Bid) -> Account:
    """Return the account after a bid at unchanged marks: all but the cash reserved shrinks, and that cash grows."""
    kept, held = 1.0 - done.fraction, account.reserved_usd
    reserved = held + done.cash_from_bidder_usd
    return Account(
        (account.value_usd - held) * kept + reserved, (account.mm_excess_usd - held) * kept + reserved, reserved
    )
