"""Derive's auction: its path, what is sold, and what it refuses."""

from __future__ import annotations

import math

import pytest

from kernels.liquidation.auction import (
    Account,
    Auction,
    available_fraction,
    bid,
    buffer_margin,
    discount,
    insolvent_price,
    phase,
    reached,
    settled,
    start_fee,
)

TERMS = Auction(0.98, 0.8, 100.0, 14_400.0, 600.0, 0.02, 0.2)
SHORT = Account(119.30871879735243, -103.08786782886885)
BROKE = Account(-40.0, -240.0)


def test_the_fee_at_the_start_is_the_venues() -> None:
    """The published account pays 1.32 USD when its auction starts: its cash is 200 before and 198.677915 after."""
    before = Account(119.306330180774723584 + 1.322084630165343, -103.09061949052964 + 1.322084630165343)
    assert start_fee(TERMS, before) == pytest.approx(1.322084630165343, rel=1e-12)
    assert start_fee(TERMS, BROKE) == 0.0


@pytest.mark.parametrize(
    ("elapsed_s", "share"),
    [(0.0, 0.98), (50.0, 0.89), (100.0, 0.8), (7_300.0, 0.4), (14_499.0, 0.8 / 14_400), (14_500.0, 0.0), (1e9, 0.0)],
)
def test_the_share_falls_in_two_lines(elapsed_s: float, share: float) -> None:
    """From 98 to 80 % in the fast phase, to nothing in the slow one, and it stays there."""
    assert discount(TERMS, elapsed_s) == pytest.approx(share, rel=1e-12)


def test_phases_without_length_are_passed_over() -> None:
    """No fast phase begins at the cutoff, no slow one ends there, no insolvent one pays the whole at once."""
    assert discount(TERMS._replace(fast_s=0.0), 0.0) == 0.8
    assert discount(TERMS._replace(slow_s=0.0), 100.0) == 0.0
    assert insolvent_price(TERMS._replace(insolvent_s=0.0), BROKE, 0.0) == -240.0


@pytest.mark.parametrize(
    ("share", "elapsed_s"),
    [(1.0, 0.0), (0.98, 0.0), (0.89, 50.0), (0.8, 100.0), (0.4, 7_300.0), (0.0, None), (-0.1, None)],
)
def test_the_time_of_a_share_is_its_inverse(share: float, elapsed_s: float | None) -> None:
    """A share is first asked at its time; nothing is never asked, since the venue ends the auction there."""
    found = reached(TERMS, share)
    assert found == (None if elapsed_s is None else pytest.approx(elapsed_s))


def test_a_share_that_no_phase_reaches_has_no_time() -> None:
    """Without a slow phase the auction is over at the cutoff, which is thus never asked."""
    assert reached(TERMS._replace(slow_s=0.0), 0.8) is None
    assert reached(TERMS._replace(slow_s=0.0, fast_s=0.0), 1.0) is None
    assert reached(TERMS._replace(cutoff_share=0.0), 0.0) is None


@pytest.mark.parametrize(
    ("account", "elapsed_s", "now"),
    [
        (SHORT, 0.0, "fast"), (SHORT, 100.0, "slow"), (SHORT, 14_500.0, "over"),
        (Account(100.0, 16.7), 0.0, "closed"), (Account(100.0, 16.6), 0.0, "fast"),
        (SHORT._replace(reserved_usd=120.0), 0.0, "over"), (BROKE, 0.0, "insolvent"),
        (Account(0.0, -1.0), 0.0, "insolvent"),
        (Account(0.0, 0.0), 0.0, "closed"),
    ],
)  # fmt: skip
def test_phases_are_told_apart(account: Account, elapsed_s: float, now: str) -> None:
    """What is whole again, over or without value is not sold by the solvent rule."""
    assert phase(TERMS, account, elapsed_s) == now


@pytest.mark.parametrize("account", [Account(100.0, 16.7), SHORT._replace(reserved_usd=120.0)])
def test_nothing_is_sold_when_it_is_over(account: Account) -> None:
    """A bid on an auction that has ended fills nothing and leaves the account as it is."""
    done = bid(TERMS, account, 0.0, 1.0)
    assert (done.available, done.fraction, done.cash_from_bidder_usd, done.cash_to_bidder_usd) == (0.0, 0.0, 0.0, 0.0)
    assert settled(account, done) == pytest.approx(account)


def test_a_small_account_is_sold_whole() -> None:
    """Below the cutoff of value all is sold, above it what brings the buffer margin to zero."""
    small = TERMS._replace(small_account_usd=120.0)
    assert bid(small, SHORT, 30.0, 1.0).fraction == 1.0
    assert settled(SHORT, bid(small, SHORT, 30.0, 1.0)).mm_excess_usd == pytest.approx(119.30871879735243 * 0.926)
    assert bid(TERMS, SHORT, 30.0, 1.0).fraction == pytest.approx(0.5718615273623249, rel=1e-13)


def test_who_asks_for_more_gets_what_is_sold() -> None:
    """A request beyond what is available, or beyond the whole, is filled with it."""
    assert bid(TERMS, SHORT, 30.0, 1.5) == bid(TERMS, SHORT, 30.0, 1.0)
    assert bid(TERMS, BROKE, 30.0, 1.5) == bid(TERMS, BROKE, 30.0, 1.0)


def test_an_insolvent_account_pays_the_bidder() -> None:
    """It pays its debt at first and its whole maintenance at the end, from outside, and keeps what is not sold."""
    assert [insolvent_price(TERMS, BROKE, t) for t in (0.0, 150.0, 600.0, 1e6)] == [-40.0, -90.0, -240.0, -240.0]
    done = bid(TERMS, BROKE, 150.0, 0.5)
    assert (done.cash_from_bidder_usd, done.cash_to_bidder_usd) == (0.0, 45.0)
    assert settled(BROKE, done) == Account(-20.0, -120.0, 0.0)
    assert insolvent_price(TERMS, Account(-40.0, 0.0), 0.0) == 0.0


def test_a_converted_auction_starts_at_nothing() -> None:
    """An account with value whose solvent auction ran out is offered at zero and then for pay."""
    assert [insolvent_price(TERMS, SHORT, t) for t in (0.0, 300.0)] == [0.0, pytest.approx(-51.54393391443442)]


def test_the_largest_bid_leaves_a_buffer_of_zero() -> None:
    """What is available is what ends the auction."""
    after = settled(SHORT, bid(TERMS, SHORT, 30.0, 1.0))
    assert buffer_margin(TERMS, after) == pytest.approx(0.0, abs=1e-12)
    assert available_fraction(TERMS, after._replace(mm_excess_usd=after.mm_excess_usd + 1e-9), 0.926) == 0.0


@pytest.mark.parametrize(
    ("terms", "account", "elapsed_s", "requested"),
    [
        (TERMS._replace(start_share=1.1), SHORT, 0.0, 0.5), (TERMS._replace(cutoff_share=0.99), SHORT, 0.0, 0.5),
        (TERMS._replace(fast_s=-1.0), SHORT, 0.0, 0.5), (TERMS._replace(slow_s=math.inf), SHORT, 0.0, 0.5),
        (TERMS._replace(buffer_share=math.nan), SHORT, 0.0, 0.5), (TERMS, Account(math.nan, -1.0), 0.0, 0.5),
        (TERMS, Account(1.0, math.inf), 0.0, 0.5), (TERMS, SHORT._replace(reserved_usd=-1.0), 0.0, 0.5),
        (TERMS, SHORT, -1.0, 0.5), (TERMS, SHORT, 0.0, -0.1), (TERMS, SHORT, math.nan, 0.5),
    ],
)  # fmt: skip
def test_what_no_auction_could_be_is_refused(
    terms: Auction, account: Account, elapsed_s: float, requested: float
) -> None:
    """Shares, lengths and amounts are checked, and NaN is never taken for a number."""
    with pytest.raises(ValueError, match=r"lies in|is not negative|has to be finite|falls from"):
        bid(terms, account, elapsed_s, requested)
