"""Laws of liquidation: auctions, closes that cost nobody, sizes that cover, shares that suffice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kernels.liquidation import auction, drift, dydx, paradex
from kernels.liquidation.auction import Account, Auction
from kernels.liquidation.bidding import first_bid

ROUNDING = 1e-9  # of the largest amount that enters
shares = st.floats(0.0, 1.0)
amounts = st.floats(1.0, 1e7)


@st.composite
def auctions(draw: Any) -> tuple[Auction, Account, float]:
    """Return terms, an account that is short of margin and has value, and a time before the end."""
    start, fast, slow = draw(st.floats(0.5, 1.0)), draw(st.floats(1.0, 1e4)), draw(st.floats(1.0, 1e5))
    terms = Auction(
        start, start * draw(st.floats(0.1, 1.0)), fast, slow, draw(st.floats(1.0, 1e4)), 0.1, draw(st.floats(0.0, 0.5))
    )
    value = draw(amounts)
    account = Account(value, -value * draw(st.floats(0.01, 5.0)), value * draw(st.floats(0.0, 0.9)))
    return terms, account, (fast + slow) * draw(st.floats(0.0, 0.99))


@given(auctions())
def test_the_largest_bid_just_ends_the_auction(drawn: tuple[Auction, Account, float]) -> None:
    """It brings the buffer margin to zero, and any smaller one leaves it short."""
    terms, account, elapsed = drawn
    whole = auction.bid(terms, account, elapsed, 1.0)
    scale = abs(account.mm_excess_usd) + account.value_usd
    assert abs(auction.buffer_margin(terms, auction.settled(account, whole))) <= ROUNDING * scale
    part = auction.settled(account, auction.bid(terms, account, elapsed, 0.9 * whole.fraction))
    assert auction.buffer_margin(terms, part) < 0.0


@given(auctions(), shares, shares)
def test_two_bids_at_a_moment_are_one(drawn: tuple[Auction, Account, float], one: float, other: float) -> None:
    """A part, and a part of what it leaves, cost what both cost at once and leave the same account."""
    terms, account, elapsed = drawn
    available = auction.bid(terms, account, elapsed, 1.0).available
    first = auction.bid(terms, account, elapsed, one * available)
    between = auction.settled(account, first)
    second = auction.bid(terms, between, elapsed, other * (available - first.fraction) / (1.0 - first.fraction + 1e-12))
    both = auction.bid(terms, account, elapsed, 1.0 - (1.0 - first.fraction) * (1.0 - second.fraction))
    scale = abs(account.mm_excess_usd) + account.value_usd
    paid = first.cash_from_bidder_usd + second.cash_from_bidder_usd
    assert paid == pytest.approx(both.cash_from_bidder_usd, abs=ROUNDING * scale)
    assert auction.settled(between, second) == pytest.approx(auction.settled(account, both), abs=ROUNDING * scale)


@given(auctions(), shares)
def test_the_discount_falls_and_its_time_is_its_inverse(drawn: tuple[Auction, Account, float], share: float) -> None:
    """A share that is asked at all is asked at its time for the first time."""
    terms, _, elapsed = drawn
    assert auction.discount(terms, elapsed) >= auction.discount(terms, elapsed + 1.0)
    found = auction.reached(terms, share)
    if found is None:
        assert share < terms.start_share * 1e-9
        return
    assert auction.discount(terms, found) <= share + 1e-12
    assert found == 0.0 or auction.discount(terms, found * 0.999) >= share - 1e-12


@given(auctions(), st.floats(0.0, 1.0), st.floats(0.0, 0.5), st.floats(0.01, 1.0))
def test_waiting_never_costs_the_bidder(
    drawn: tuple[Auction, Account, float], edge: float, cost: float, most: float
) -> None:
    """The first bid that pays earns the edge, a bid half as late does not, and one twice as late earns more."""
    terms, account, _ = drawn
    exposed = account.value_usd - account.reserved_usd
    found = first_bid(terms, account, edge * exposed, cost * exposed, most)
    assume(found is not None)
    assert found is not None
    scale = abs(account.mm_excess_usd) + account.value_usd
    assert found.edge_usd >= edge * exposed - ROUNDING * scale

    def earned(elapsed: float) -> float:
        done = auction.bid(terms, account, elapsed, most)
        return exposed * (1.0 - cost) * done.fraction - done.cash_from_bidder_usd

    assert found.elapsed_s == 0.0 or earned(found.elapsed_s / 2.0) <= edge * exposed + ROUNDING * scale
    later = min(2.0 * found.elapsed_s, found.elapsed_s + 0.9 * (terms.fast_s + terms.slow_s - found.elapsed_s))
    assert earned(later) >= found.edge_usd - ROUNDING * scale


sizes = st.tuples(st.sampled_from([-1.0, 1.0]), st.floats(0.01, 100.0), st.floats(1.0, 1e5), st.floats(0.01, 0.5))
markets = st.lists(sizes, min_size=1, max_size=4)


def held(rows: list[tuple[float, float, float, float]]) -> dict[str, dydx.Position]:
    return {str(i): dydx.Position(side * size, price, rate) for i, (side, size, price, rate) in enumerate(rows)}


@given(markets, st.floats(-3.0, 3.0), shares)
def test_a_close_at_bankruptcy_leaves_an_account_as_it_was(
    rows: list[tuple[float, float, float, float]], rating: float, part: float
) -> None:
    """Collateral over maintenance is the same after it, and both prices are those of every order of positions."""
    assume(part > 0.01)
    positions = held(rows)
    mm = dydx.maintenance(positions)
    balance = rating * mm - dydx.net_collateral(0.0, positions)
    closed = part * abs(positions["0"].quantity_coins)
    value = dydx.bankruptcy_value(balance, positions, "0", closed)
    left = positions["0"].quantity_coins * (1.0 - part)
    rest = {**positions, "0": positions["0"]._replace(quantity_coins=left)}
    scale = abs(balance) + sum(abs(p.quantity_coins) * p.oracle_price for p in positions.values())
    after = dydx.net_collateral(balance + value, rest)
    assert after * mm == pytest.approx(rating * mm * dydx.maintenance(rest), abs=ROUNDING * scale * mm)
    turned = dict(reversed(positions.items()))
    assert dydx.bankruptcy_value(balance, turned, "0", closed) == value
    price = dydx.fillable_price(balance, positions, "0", 1.0, 0.1)
    assert dydx.fillable_price(balance, turned, "0", 1.0, 0.1) == price
    away = positions["0"].oracle_price - price
    assert 0.0 <= away * rows[0][0] <= 0.1 * rows[0][3] * rows[0][2] * (1.0 + ROUNDING)


@given(markets, st.floats(-3.0, 3.0), st.floats(0.5, 1.5), st.floats(0.0, 0.05))
def test_the_fund_gains_no_more_than_its_fee_and_pays_what_lacks(
    rows: list[tuple[float, float, float, float]], rating: float, fill: float, fee: float
) -> None:
    """What a fill brings over the value at bankruptcy is the fund's up to the fee; what it lacks the fund pays."""
    positions = held(rows)
    position = positions["0"]
    balance = rating * dydx.maintenance(positions) - dydx.net_collateral(0.0, positions)
    price = fill * position.oracle_price
    delta = dydx.insurance_delta(balance, positions, "0", position.quantity_coins, price, fee)
    over = position.quantity_coins * price - dydx.bankruptcy_value(balance, positions, "0", position.quantity_coins)
    assert delta <= fee * abs(position.quantity_coins) * price * (1.0 + ROUNDING) + 1e-300  # of fees of no size
    assert delta == over if over <= 0.0 else 0.0 <= delta <= over


@given(amounts, st.floats(0.01, 0.5), shares, shares, st.floats(0.01, 1e5))
def test_closing_the_size_covers_the_shortage(
    shortage: float, ratio: float, fee: float, fund: float, price: float
) -> None:
    """Maintenance released less both fees is the shortage, and no size does it where fees eat the ratio."""
    coins = drift.base_to_cover(shortage, ratio, fee * ratio, fund * ratio, price)
    released = price * (ratio - fee * ratio - fund * ratio)
    if released < 1e-8 * price:
        assume(released < 1e-10 * price)
        assert coins == float("inf")
    else:
        assert coins * released == pytest.approx(shortage, rel=1e-6)


@given(amounts, shares, st.floats(1.0, 1e4), st.lists(st.floats(0.0, 500.0), min_size=1, max_size=20))
def test_steps_never_free_more_than_the_time_allows(
    shortage: float, initial: float, duration: float, waits: list[float]
) -> None:
    """Step by step, what is freed in all is at most its share of the shortage at the start, and all in the end."""
    left, freed, slots = shortage, 0.0, 0.0
    for wait in [*waits, duration]:
        slots += wait
        share = drift.step_share(left, freed, slots, initial, duration)
        assert 0.0 <= share <= 1.0
        if share == 1.0:
            break
        freed, left = freed + share * left, left - share * left
        assert freed <= shortage * min(1.0, initial + slots / duration) * (1.0 + ROUNDING)
    assert share == 1.0


@given(amounts, st.floats(-1.0, 1.5), st.floats(0.5, 1.0), st.integers(1, 20), st.floats(0.0, 0.9))
def test_the_share_is_the_smallest_multiple_that_suffices(
    mm: float, worth: float, target: float, steps: int, fee: float
) -> None:
    """One step less leaves the ratio at the target or above."""
    terms, value = paradex.Terms(target, 1.0 / steps, fee), worth * mm
    share = paradex.liquidation_share(value, mm, terms)

    def short(part: float) -> float:
        """How far maintenance is above the target's share of the value after closing a part."""
        return mm * (1.0 - part) - target * (value - part * fee * mm)

    if share == 0.0:
        assert mm <= value + ROUNDING * mm
        return
    assert share == pytest.approx(round(share * steps) / steps)
    assert share == 1.0 or short(share) < 0.0
    assert share <= 1.5 / steps or short(share - 1.0 / steps) >= -2.0 * ROUNDING * mm
