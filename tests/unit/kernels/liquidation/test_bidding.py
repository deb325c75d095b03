"""When a bid pays: against the auction itself, second by second."""

from __future__ import annotations

import pytest

from kernels.liquidation.auction import Account, Auction, bid
from kernels.liquidation.bidding import FirstBid, first_bid

TERMS = Auction(0.98, 0.8, 100.0, 1_000.0, 600.0, 0.02, 0.2)
SHORT = Account(1_200.0, -1_000.0)
BROKE = Account(-40.0, -240.0)


def edge_usd(terms: Auction, account: Account, elapsed_s: float, cost_usd: float, most: float) -> float:
    """What a bid earns at the account's own marks."""
    done = bid(terms, account, elapsed_s, most)
    worth = (account.value_usd - account.reserved_usd - cost_usd) * done.fraction
    return worth - done.cash_from_bidder_usd + done.cash_to_bidder_usd


def by_the_clock(
    terms: Auction, account: Account, least_usd: float, cost_usd: float, most: float, until_s: int
) -> int | None:
    """The first whole second at which a bid earns the edge."""
    times = range(until_s)
    return next((t for t in times if edge_usd(terms, account, float(t), cost_usd, most) >= least_usd - 1e-9), None)


@pytest.mark.parametrize("most", [1.0, 0.3])
@pytest.mark.parametrize("cost_usd", [0.0, 100.0])
@pytest.mark.parametrize("least_usd", [0.0, 5.0, 80.0, 250.0, 2_000.0])
@pytest.mark.parametrize("account", [SHORT, Account(1_200.0, -1_000.0, 400.0), BROKE])
def test_the_first_bid_is_the_first_that_the_auction_pays(
    account: Account, least_usd: float, cost_usd: float, most: float
) -> None:
    """Bidding every second finds it within the second after; where it finds none there is none."""
    found = first_bid(TERMS, account, least_usd, cost_usd, most)
    second = by_the_clock(TERMS, account, least_usd, cost_usd, most, 1_100 if account.value_usd > 0.0 else 601)
    assert (found is None) == (second is None)
    if found is not None and second is not None:
        assert second - 1.0 < found.elapsed_s <= second
        done = bid(TERMS, account, found.elapsed_s, most)
        assert found.fraction == pytest.approx(done.fraction)
        assert found.edge_usd == pytest.approx(edge_usd(TERMS, account, found.elapsed_s, cost_usd, most), abs=1e-9)
        assert found.edge_usd >= least_usd - 1e-9


def test_a_small_account_pays_as_soon_as_the_discount_does() -> None:
    """Sold whole, 1,200 USD earn 120 at a share of 90 %, a whole fraction at once."""
    found = first_bid(TERMS._replace(small_account_usd=2_000.0), SHORT, 120.0)
    assert found == pytest.approx((100.0 * 0.08 / 0.18, 1.0, 120.0))


@pytest.mark.parametrize("account", [Account(100.0, 20.0), Account(100.0, -20.0, 120.0), Account(-10.0, 0.0)])
def test_an_auction_that_sells_nothing_has_no_first_bid(account: Account) -> None:
    """Accounts that are whole, or whose reserve is worth more than they are, are not bid for."""
    assert first_bid(TERMS, account, 0.0) is None


def test_an_insolvent_account_at_the_end_of_its_length() -> None:
    """The most it ever pays over its debt is the whole distance to its maintenance, at the end."""
    assert first_bid(TERMS, BROKE, 200.0) == FirstBid(600.0, 1.0, 200.0)
    assert first_bid(TERMS, BROKE, 200.1) is None
    assert first_bid(TERMS._replace(insolvent_s=0.0), BROKE, 150.0) == FirstBid(0.0, 1.0, 200.0)


@pytest.mark.parametrize(
    ("least_usd", "cost_usd", "most"), [(-1.0, 0.0, 1.0), (0.0, -1.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 2.0)]
)
def test_a_bidder_without_meaning_is_refused(least_usd: float, cost_usd: float, most: float) -> None:
    """Amounts are not negative and a bidder takes a part above nothing."""
    with pytest.raises(ValueError, match=r"is not negative|lies in|takes nothing"):
        first_bid(TERMS, SHORT, least_usd, cost_usd, most)
