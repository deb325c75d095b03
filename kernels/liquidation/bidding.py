"""When a bid in Derive's auction pays: the bot's side of `kernels.liquidation.auction`.

With A = MtM - R, B = -BM and C the cost of unwinding all of it, a bid for the largest fraction at a share d earns
(A (1 - d) - C) f(d) with f = B/(B + R + A d): more the longer one waits, since the price falls and the fraction grows.
It earns at least E once d <= ((A - C) B - E (B + R))/(A (B + E)). A bidder who takes at most a fraction F needs
d <= (A - C - E/F)/A as well, and the time is the one at which the discount reaches the smaller of the two.
An insolvent account earns (MtM - MM) t/length - C, so its time is length (E/F + C)/(MtM - MM).
"""

from __future__ import annotations

from typing import NamedTuple

from kernels.liquidation import checks
from kernels.liquidation.auction import (
    Account,
    Auction,
    available_fraction,
    buffer_margin,
    check,
    discount,
    insolvent_price,
    phase,
    reached,
)


class FirstBid(NamedTuple):
    """The first bid that pays: seconds since the start, the largest fraction then, and what it earns."""

    elapsed_s: float
    fraction: float
    edge_usd: float


def first_bid(
    auction: Auction, account: Account, min_edge_usd: float, cost_usd: float = 0.0, most: float = 1.0
) -> FirstBid | None:
    """Return the first bid that earns a minimum edge if marks stay and nobody bids before, None if none does.

    The account is worth its marks to the bidder; `cost_usd` is what closing all of it costs, in proportion to the
    fraction taken, and `most` the largest fraction that the bidder takes. Raises ValueError on amounts that are
    negative, `most` outside (0, 1], and as `auction.check`.
    """
    check(auction, account)
    checks.not_negative(min_edge_usd=min_edge_usd, cost_usd=cost_usd)
    checks.share(most=most)
    if most == 0.0:
        raise ValueError("a bidder who takes nothing never bids")
    start = phase(auction, account, 0.0)
    if start == "insolvent":
        return _first_insolvent(auction, account, min_edge_usd, cost_usd, most)
    if start in {"closed", "over"}:
        return None
    elapsed_s = reached(auction, _largest_share(auction, account, min_edge_usd, cost_usd, most))
    if elapsed_s is None:
        return None
    share = discount(auction, elapsed_s)
    fraction = min(most, available_fraction(auction, account, share))
    exposed = account.value_usd - account.reserved_usd
    return FirstBid(elapsed_s, fraction, (exposed - cost_usd - exposed * share) * fraction)


def _largest_share(auction: Auction, account: Account, min_edge_usd: float, cost_usd: float, most: float) -> float:
    """Return the largest share of the value at which a bid earns the edge; negative if none does."""
    exposed, reserved = account.value_usd - account.reserved_usd, account.reserved_usd
    share = (exposed - cost_usd - min_edge_usd / most) / exposed
    if account.value_usd < auction.small_account_usd:
        return share
    short = -buffer_margin(auction, account)
    earned = (exposed - cost_usd) * short - min_edge_usd * (short + reserved)
    return min(share, earned / (exposed * (short + min_edge_usd)))


def _first_insolvent(
    auction: Auction, account: Account, min_edge_usd: float, cost_usd: float, most: float
) -> FirstBid | None:
    needed, grows_usd = min_edge_usd / most + cost_usd, account.value_usd - account.mm_excess_usd
    if needed > max(grows_usd, 0.0):
        return None
    elapsed_s = auction.insolvent_s * needed / grows_usd if needed > 0.0 else 0.0
    paid_usd = -insolvent_price(auction, account, elapsed_s)
    return FirstBid(elapsed_s, most, (paid_usd + account.value_usd - cost_usd) * most)
