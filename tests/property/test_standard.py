"""Laws of model E."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kernels.standard import cross, derive, isolated, options, tiers
from kernels.standard.cross import Positions

EXACT = 1e-12  # of the largest amount that enters
unhurried = settings(deadline=None)  # the first example compiles

prices = st.floats(0.01, 1e6)
sizes = st.floats(0.001, 1e4)
sides = st.sampled_from([1.0, -1.0])


def amounts(low: float, high: float) -> st.SearchStrategy[float]:
    """Draw numbers whose products and quotients here have all their digits: none near the smallest doubles."""
    return st.floats(low, high).map(lambda x: x if abs(x) > 1e-100 else 0.0)


rates = amounts(0.0, 0.5)


@st.composite
def books(draw: Any) -> tuple[Positions, float]:
    """Return positions, some empty, and an equity between half and ten times what they need."""
    n = draw(st.integers(1, 6))
    columns = [draw(st.lists(one, min_size=n, max_size=n)) for one in (amounts(-100, 100), prices, rates)]
    positions = Positions(*columns)
    needed = math.fsum(rate * x for rate, x in zip(positions.mm_rate, cross.notionals(positions), strict=True))
    return positions, needed * draw(st.floats(0.5, 10.0)) + draw(amounts(0.0, 1e5))


@st.composite
def accounts(draw: Any) -> dict[str, Any]:
    """Return arguments of Derive's standard manager: two markets, a few options in two expiries."""
    markets = {}
    for name, spot in (("BTC", 60_000.0), ("ETH", 3_000.0)):
        held = [
            derive.Option(
                seconds=draw(st.sampled_from([86_400.0, 2_592_000.0])),
                strike=spot * draw(st.sampled_from([0.5, 0.8, 1.0, 1.1, 1.5])),
                is_call=draw(st.booleans()),
                amount=draw(st.sampled_from([-2.0, -0.5, 0.5, 1.0, 3.0])),
                vol=0.8, vol_confidence=1.0, forward=1.01 * spot, forward_confidence=draw(st.sampled_from([0.4, 1.0])),
            )
            for _ in range(draw(st.integers(0, 5)))
        ]  # fmt: skip
        market = derive.Market(
            spot=spot, spot_confidence=1.0, base=draw(st.sampled_from([0.0, 2.0])),
            perp_position=draw(st.sampled_from([-1.0, 0.0, 4.0])), perp_price=spot, perp_confidence=1.0,
            perp_unrealised=draw(amounts(-1e4, 1e4)), options=held,
        )  # fmt: skip
        markets[name] = (market, PARAMETERS)
    return {"cash": draw(amounts(-1e5, 1e5)), "stable_price": draw(st.sampled_from([0.9, 1.0])), "markets": markets}


PARAMETERS = derive.Parameters(
    derive.OptionRates(0.15, 0.13, 0.09, 0.09, 0.09, 1.2, 1.1, 1.05), derive.OracleRates(0.55, 0.55, 0.55, 1.0),
    0.1, 0.065, 0.8, 0.9375, 0.99, 2.0,
)  # fmt: skip


@given(sizes, sides, prices, amounts(0.0, 2.0), rates)
def test_a_linear_position_is_worth_its_maintenance_where_it_is_liquidated(
    size: float, side: float, entry: float, posted: float, rate: float
) -> None:
    """At the price equity equals maintenance; without a price equity is the larger wherever the price goes."""
    quantity, margin = side * size, posted * size * entry
    price = isolated.linear_liquidation_price(quantity, entry, margin, rate)
    if price is None:
        assert side > 0.0
        assert margin >= size * entry
        return
    at = isolated.linear_isolated(quantity, entry, price, margin, 1.0, rate)
    assert abs(at.mm_excess) <= EXACT * (margin + size * (entry + price))


@given(sizes, sides, prices, amounts(0.0, 2.0), rates)
def test_an_inverse_position_is_worth_its_maintenance_where_it_is_liquidated(
    size: float, side: float, entry: float, posted: float, rate: float
) -> None:
    """The same in coins; a short without a price holds the coins it owes."""
    face, margin = side * size, posted * size / entry
    price = isolated.inverse_liquidation_price(face, entry, margin, rate)
    if price is None:
        assert side < 0.0
        assert margin >= size / entry * (1 - 1e-15)
        return
    at = isolated.inverse_isolated(face, entry, price, margin, 1.0, rate)
    assert abs(at.mm_excess) <= EXACT * (margin + size / entry + size / price)


@given(books())
def test_a_cross_account_is_worth_its_maintenance_at_each_price(book: tuple[Positions, float]) -> None:
    """With one price moved to where it liquidates and all others left, equity is the sum of all maintenance."""
    positions, equity = book
    for i, price in enumerate(cross.cross_liquidation_prices(positions, equity)):
        if price is None:
            continue
        moved = list(positions.mark_price)
        moved[i] = price
        pnl = positions.quantity_coins[i] * (price - positions.mark_price[i])
        there = positions._replace(mark_price=moved)
        found = cross.cross_margin(there, [1.0] * len(moved), equity + pnl)
        scale = abs(equity) + math.fsum(cross.notionals(positions)) + math.fsum(cross.notionals(there))
        assert abs(found.mm_excess) <= EXACT * scale


@given(books(), st.lists(amounts(-1.0, 3.0), min_size=6, max_size=6))
def test_a_cross_account_is_worth_its_maintenance_after_the_move(
    book: tuple[Positions, float], betas: list[float]
) -> None:
    """After the market's move all prices together leave just the maintenance."""
    positions, equity = book
    beta = betas[: len(positions.mark_price)]
    found = cross.market_liquidation(positions, beta, equity)
    assume(found is not None)
    assert found is not None
    moves = [after - p for after, p in zip(found.price, positions.mark_price, strict=True)]
    pnl = math.fsum(q * move for q, move in zip(positions.quantity_coins, moves, strict=True))
    margin = cross.cross_margin(positions._replace(mark_price=found.price), [1.0] * len(beta), equity + pnl)
    columns = zip(positions.quantity_coins, positions.mark_price, moves, strict=True)
    scale = abs(equity) + math.fsum(abs(q) * (p + abs(move)) for q, p, move in columns)
    assert abs(margin.mm_excess) <= EXACT * scale


@given(books(), st.permutations(range(6)))
def test_the_order_of_cross_positions_does_not_matter(book: tuple[Positions, float], order: list[int]) -> None:
    """Margins and prices of positions in another order are the same, to the last bit."""
    positions, equity = book
    order = [i for i in order if i < len(positions.mark_price)]
    other = Positions(*([column[i] for i in order] for column in positions))
    prices_ = cross.cross_liquidation_prices(positions, equity)
    assert cross.cross_liquidation_prices(other, equity) == [prices_[i] for i in order]
    ones = [1.0] * len(order)
    assert cross.cross_margin(other, ones, equity)[:5] == cross.cross_margin(positions, ones, equity)[:5]


@given(books(), amounts(-1e6, 1e6))
def test_cash_moves_a_cross_account_and_its_prices(book: tuple[Positions, float], cash: float) -> None:
    """Cash moves both excesses one for one and no requirement, and a price by itself over what a coin gains."""
    positions, equity = book
    ones, change = [1.0] * len(positions.mark_price), cash - equity
    before, after = (cross.cross_margin(positions, ones, amount) for amount in (equity, cash))
    assert (after.im_requirement, after.mm_requirement) == (before.im_requirement, before.mm_requirement)
    scale = abs(equity) + abs(cash) + before.im_requirement
    for name in ("equity", "im_excess", "mm_excess"):
        assert getattr(after, name) - getattr(before, name) == pytest.approx(change, abs=EXACT * scale)
    moved = zip(*(cross.cross_liquidation_prices(positions, amount) for amount in (equity, cash)), strict=True)
    for i, (old, new) in enumerate(moved):
        if old is not None and new is not None:
            gained = positions.quantity_coins[i] - positions.mm_rate[i] * abs(positions.quantity_coins[i])
            assert abs((old - new) * gained - change) <= EXACT * (scale + abs(gained) * (old + new))


@given(books(), st.sampled_from([0.5, 2.0, 1024.0]))
def test_a_larger_cross_account_needs_as_much_more_at_the_same_prices(
    book: tuple[Positions, float], factor: float
) -> None:
    """Quantities and equity times a power of two are each amount times it, exactly, and no price changes."""
    positions, equity = book
    large = positions._replace(quantity_coins=[factor * q for q in positions.quantity_coins])
    ones = [1.0] * len(positions.mark_price)
    once, more = cross.cross_margin(positions, ones, equity), cross.cross_margin(large, ones, factor * equity)
    assert more[:5] == tuple(factor * x for x in once[:5])
    assert cross.cross_liquidation_prices(large, factor * equity) == cross.cross_liquidation_prices(positions, equity)
    market = [cross.market_liquidation(*x) for x in ((positions, ones, equity), (large, ones, factor * equity))]
    assert market[0] == market[1]


@given(books())
def test_a_cross_account_and_its_mirror_need_nothing(book: tuple[Positions, float]) -> None:
    """Netted by instrument nothing is left, so nothing is required and no price liquidates."""
    positions, equity = book
    netted = positions._replace(quantity_coins=[q + -q for q in positions.quantity_coins])
    ones = [1.0] * len(positions.mark_price)
    assert cross.cross_margin(netted, ones, equity)[:5] == (equity, 0.0, 0.0, equity, equity)
    assert set(cross.cross_liquidation_prices(netted, equity)) == {None}
    assert cross.market_liquidation(netted, ones, equity) is None


@given(books(), st.lists(amounts(-100, 100), min_size=6, max_size=6), st.floats(0.0, 1.0))
def test_the_cross_requirement_is_convex_and_subadditive(
    book: tuple[Positions, float], others: list[float], share: float
) -> None:
    """A mixture of two accounts in the same instruments needs at most the mixture, both together at most the sum."""
    one, _ = book
    ones, n = [1.0] * len(one.mark_price), len(one.mark_price)
    other = one._replace(quantity_coins=others[:n])

    def required(weight: float, rest: float) -> tuple[float, float]:
        pairs = zip(one.quantity_coins, other.quantity_coins, strict=True)
        margin = cross.cross_margin(one._replace(quantity_coins=[weight * a + rest * b for a, b in pairs]), ones, 0.0)
        return margin.im_requirement, margin.mm_requirement

    alone, beside = required(1.0, 0.0), required(0.0, 1.0)
    for weight, rest in ((share, 1.0 - share), (1.0, 1.0)):
        for together, a, b in zip(required(weight, rest), alone, beside, strict=True):
            assert together <= (weight * a + rest * b) * (1.0 + EXACT) + 1e-300


@given(sizes, sides, prices, amounts(0.0, 0.9), rates, st.sampled_from([0.5, 2.0, 1024.0]))
def test_an_isolated_position_of_another_size_has_the_same_price(
    size: float, side: float, entry: float, posted: float, rate: float, factor: float
) -> None:
    """Size and margin times a power of two leave both prices; more margin moves a linear one by its share of a coin."""
    quantity, margin = side * size, posted * size * entry
    price = isolated.linear_liquidation_price(quantity, entry, margin, rate)
    assert isolated.linear_liquidation_price(factor * quantity, entry, factor * margin, rate) == price
    coins = posted * size / entry
    inverse = isolated.inverse_liquidation_price(quantity, entry, coins, rate)
    assert isolated.inverse_liquidation_price(factor * quantity, entry, factor * coins, rate) == inverse
    assert price is not None
    further = isolated.linear_liquidation_price(quantity, entry, margin + 0.05 * size * entry, rate)
    assert further is not None
    assert (price - further) * (quantity - rate * size) == pytest.approx(0.05 * size * entry, rel=1e-9)


@st.composite
def tables(draw: Any) -> tiers.Tiers:
    """Return one to five rising tiers."""
    n = draw(st.integers(1, 5))
    steps = draw(st.lists(st.floats(1.0, 1e6), min_size=n - 1, max_size=n - 1))
    mm = sorted(draw(st.lists(st.floats(0.0, 0.5), min_size=n, max_size=n)))
    return tiers.tiers([0.0, *(sum(steps[: k + 1]) for k in range(n - 1))], mm, [min(1.0, 2 * rate) for rate in mm])


@given(tables(), amounts(0.0, 1e7))
def test_tiers_charge_each_slice_at_its_own_rate(table: tiers.Tiers, notional: float) -> None:
    """The requirement is the sum over slices, as an income tax is."""
    ends = [*table.floor_usd[1:], math.inf]
    slices = (max(0.0, min(notional, end) - floor) for floor, end in zip(table.floor_usd, ends, strict=True))
    expected = math.fsum(rate * x for rate, x in zip(table.mm_rate, slices, strict=True))
    found = tiers.tiered_maintenance(table, notional)
    assert abs(found - expected) <= EXACT * max(1.0, notional, *table.floor_usd)


@given(tables(), amounts(0.0, 1e7), st.floats(0.0, 1e7))
def test_tiered_maintenance_is_convex(table: tiers.Tiers, one: float, other: float) -> None:
    """Two positions in one cost at least what their middle costs twice: larger is dearer."""
    middle = tiers.tiered_maintenance(table, (one + other) / 2)
    ends = tiers.tiered_maintenance(table, one) + tiers.tiered_maintenance(table, other)
    assert 2 * middle <= ends + EXACT * max(1.0, one, other, *table.floor_usd)


@given(tables(), sizes, sides, prices, amounts(0.0, 2.0))
def test_a_tiered_position_is_worth_its_maintenance_where_it_is_liquidated(
    table: tiers.Tiers, size: float, side: float, entry: float, posted: float
) -> None:
    """Whatever tier the price leads to, equity there is the maintenance of that tier."""
    margin = posted * size * entry
    price = tiers.tiered_liquidation_price(table, side * size, entry, margin)
    if price is None:
        assert side > 0.0
        assert margin >= size * entry
        return
    left = margin + side * size * (price - entry) - tiers.tiered_maintenance(table, size * price)
    assert abs(left) <= EXACT * max(margin + size * (entry + price), *table.floor_usd)


@unhurried
@given(accounts(), amounts(-1e5, 1e5))
def test_cash_shifts_net_margins_one_for_one(account: dict[str, Any], cash: float) -> None:
    """Cash changes value and both excesses by itself, and the requirements not at all."""
    before, after = derive.standard_manager(**account), derive.standard_manager(**account | {"cash": cash})
    shift = cash - account["cash"]
    for a, b, by in zip(after[:5], before[:5], (shift, 0.0, 0.0, shift, shift), strict=True):
        assert a - b == pytest.approx(by, abs=1e-8)


@unhurried
@given(accounts(), st.sampled_from([2.0, 1024.0]))
def test_a_larger_account_needs_as_much_more(account: dict[str, Any], factor: float) -> None:
    """Everything times a power of two is every number times it, exactly: nothing depends on size."""
    scaled = {
        name: (
            market._replace(
                base=factor * market.base,
                perp_position=factor * market.perp_position,
                perp_unrealised=factor * market.perp_unrealised,
                options=[option._replace(amount=factor * option.amount) for option in market.options],
            ),
            parameters,
        )
        for name, (market, parameters) in account["markets"].items()
    }
    once = derive.standard_manager(**account)
    large = derive.standard_manager(factor * account["cash"], account["stable_price"], scaled)
    assert large[:5] == tuple(factor * x for x in once[:5])


@unhurried
@given(accounts())
def test_an_account_and_its_mirror_need_nothing(account: dict[str, Any]) -> None:
    """Together they hold cash alone."""
    both = {
        name: (
            market._replace(
                base=0.0, perp_position=0.0,
                options=[*market.options, *(option._replace(amount=-option.amount) for option in market.options)],
            ),
            parameters,
        )
        for name, (market, parameters) in account["markets"].items()
    }  # fmt: skip
    found = derive.standard_manager(account["cash"], account["stable_price"], both)
    assert found[:5] == (account["cash"], 0.0, 0.0, account["cash"], account["cash"])


@unhurried
@given(accounts(), st.randoms())
def test_the_order_of_options_and_markets_does_not_matter(account: dict[str, Any], dice: Any) -> None:
    """Options and markets in another order give the same numbers, to the last bit."""
    markets = {
        name: (market._replace(options=dice.sample(market.options, len(market.options))), parameters)
        for name, (market, parameters) in reversed(account["markets"].items())
    }
    assert derive.standard_manager(**account | {"markets": markets})[:5] == derive.standard_manager(**account)[:5]


@unhurried
@given(accounts())
def test_initial_margin_is_the_stricter(account: dict[str, Any]) -> None:
    """An account that may open risk may also keep what it has."""
    found = derive.standard_manager(**account)
    assert found.im_excess <= found.mm_excess + 1e-9
    for market, parameters in account["markets"].values():
        for expiry in derive.expiries(market, parameters.option):
            assert expiry.margin(1) == max(expiry.isolated[1], expiry.bounded[1])


@given(st.lists(st.tuples(st.booleans(), st.floats(1.0, 1e5), amounts(0.0, 3.0), amounts(-10, 10)), max_size=6))
def test_standard_options_add_up_and_longs_are_free(rows: list[tuple[bool, float, float, float]]) -> None:
    """The requirement of a list is the sum of its shorts', and initial margin is not below maintenance."""
    positions = [options.OptionPosition(*row) for row in rows]
    found = options.option_margin(positions, 10_000.0, 0.0, options.OptionRates())
    alone = [options.option_margin([p], 10_000.0, 0.0, options.OptionRates()) for p in positions if p.quantity < 0.0]
    assert found.im_requirement == pytest.approx(math.fsum(one.im_requirement for one in alone), rel=1e-14)
    assert found.im_requirement >= found.mm_requirement


rows = st.tuples(st.booleans(), st.floats(1.0, 1e5), amounts(0.0, 3.0), amounts(-10, 10))


@given(st.lists(rows, max_size=6), amounts(-1e3, 1e3), st.randoms(use_true_random=False))
def test_standard_options_shift_scale_and_have_no_order(
    drawn: list[tuple[bool, float, float, float]], cash: float, dice: Any
) -> None:
    """Cash moves the excesses, a power of two scales, order changes no bit, and bought rows alone need nothing."""
    positions, rates_ = [options.OptionPosition(*row) for row in drawn], options.OptionRates()
    found = options.option_margin(positions, 10_000.0, cash, rates_)
    bare = options.option_margin(positions, 10_000.0, 0.0, rates_)
    assert (found.im_requirement, found.mm_requirement) == (bare.im_requirement, bare.mm_requirement)
    assert (found.im_excess, found.mm_excess) == (cash - found.im_requirement, cash - found.mm_requirement)
    turned = dice.sample(positions, len(positions))
    assert options.option_margin(turned, 10_000.0, cash, rates_) == found
    larger = [p._replace(quantity=2.0 * p.quantity) for p in positions]
    assert options.option_margin(larger, 10_000.0, 2.0 * cash, rates_)[:5] == tuple(2.0 * x for x in found[:5])
    bought = [p._replace(quantity=abs(p.quantity)) for p in positions]
    assert options.option_margin(bought, 10_000.0, cash, rates_)[:5] == (cash, 0.0, 0.0, cash, cash)


@given(rows, amounts(-10, 10), st.floats(0.0, 1.0))
def test_a_standard_option_is_convex_in_its_quantity(
    row: tuple[bool, float, float, float], other: float, share: float
) -> None:
    """Between two quantities it needs at most the mixture of what they need."""
    position = options.OptionPosition(*row)

    def required(quantity: float) -> float:
        one = [position._replace(quantity=quantity)]
        return options.option_margin(one, 10_000.0, 0.0, options.OptionRates()).im_requirement

    mixed = share * position.quantity + (1.0 - share) * other
    assert required(mixed) <= (share * required(position.quantity) + (1.0 - share) * required(other)) * (1.0 + EXACT)


@unhurried
@given(accounts(), st.lists(st.floats(0.1, 3.0), min_size=1, max_size=4))
def test_more_prices_than_the_strikes_never_lower_the_standard_managers_margin(
    account: dict[str, Any], moves: list[float]
) -> None:
    """Prices up to the last strike tried besides find no loss that the strikes, its scenarios, did not."""
    for market, parameters in account["markets"].values():
        scale = parameters.option.unpaired_im_scale
        for expiry in derive.expiries(market, parameters.option):
            held = [option for option in market.options if option.seconds == expiry.seconds]
            calls = min(0.0, sum(option.amount for option in held if option.is_call))
            last = max(option.strike for option in held)
            for price in (min(move * market.spot, last) for move in moves):
                worth = sum(
                    o.amount * max(0.0, (price - o.strike) if o.is_call else (o.strike - price)) for o in held
                )  # fmt: skip
                loss = min(0.0, worth) + scale * held[0].forward * calls
                assert expiry.bounded[0] <= loss + 1e-9 * last
