"""`distance`: the standing changes at each crossing, and nowhere before it."""

from __future__ import annotations

import math

import mpmath
import msgspec
import numpy as np
import pytest

from monitor.answers import view as views
from monitor.answers.crossing import Point, first_crossing
from monitor.answers.distance import Direction, distance, touch
from monitor.answers.figures import Evaluator, standing_of
from monitor.answers.shock import MARKET, Shock, betas, shocked
from monitor.engine import State, new_state, open_shard, step
from monitor.engine import status as machine
from monitor.engine.state import Holding
from tests.engine_market import Log, random_market

ACCOUNTS = tuple(f"acc{n}" for n in range(6))
NEAR = 1e-6
BIT = {"warning": machine.WARN_ENTER, "margin_call": machine.CALL_ENTER, "liquidation": machine.LIQ_ENTER}


def folded(seed: int) -> State:
    """Return a market with accounts of models A and P; hours long, so that correlations are estimated."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in random_market(seed, 300, ACCOUNTS, 40)])
    return state


@pytest.fixture(scope="module")
def taken() -> list[views.View]:
    """Return the accounts of two markets that have figures."""
    found = [views.take(state, name) for state in (folded(2), folded(4)) for name in ACCOUNTS]
    return [view for view in found if view.evaluation().valued and view.account.holdings]


def shock_of(view: views.View, direction: Direction, level: float) -> views.View:
    """Return the view at a level of a direction."""
    if direction.kind == "vol":
        return shocked(view, Shock(vol=level))
    if direction.kind == "correlation":
        return shocked(view, Shock(stress=level))
    move = level / direction.now - 1.0
    name = MARKET if direction.kind == MARKET else direction.underlying
    return shocked(view, Shock(moves={name: move}))


def over_in_a_book(view: views.View, target: str) -> bool:
    """Return what the engine's book says of the threshold."""
    return bool(view.book().conditions(view.account.name) & BIT[target])


@pytest.mark.parametrize("target", ["liquidation", "margin_call", "warning"])
def test_the_standing_differs_at_each_crossing(taken: list[views.View], target: str) -> None:
    """A millionth to either side of each reported level the engine's conditions differ, whatever the path."""
    kinds: set[str] = set()
    for view in taken:
        for one in distance(view, target, surface=None).directions:  # type: ignore[arg-type]
            for crossing in (one.below, one.above):
                if crossing is None:
                    continue
                if one.kind in ("vol", "correlation"):
                    levels = (crossing.level - NEAR, crossing.level + NEAR)
                    if one.kind == "correlation" and not all(0.0 <= level <= 1.0 for level in levels):
                        continue
                else:
                    levels = (crossing.level * (1.0 - NEAR), crossing.level * (1.0 + NEAR))
                sides = [over_in_a_book(shock_of(view, one, level), target) for level in levels]
                assert sides[0] != sides[1], (view.account.name, one)
                kinds.add(one.kind)
    assert {"price", "market"} <= kinds


def test_no_earlier_crossing_was_missed(taken: list[views.View]) -> None:
    """On a grid of a hundredth from now to each crossing, or to the end without one, the standing is that of now."""
    seen = 0
    for view in taken:
        evaluator = Evaluator(view)
        found = distance(view, surface=None)
        start = bool(evaluator.bits(view) & machine.LIQ_ENTER)
        for one in found.directions:
            if one.kind not in ("price", MARKET):
                continue
            for crossing, end in ((one.below, one.least), (one.above, one.most)):
                last = math.log((end if crossing is None else crossing.level) / one.now)
                if crossing is not None:
                    last -= math.copysign(1e-6, last)
                for x in np.linspace(0.0, last, max(3, int(abs(last) / 1e-2))):
                    at = shock_of(view, one, one.now * math.exp(x))
                    assert bool(evaluator.bits(at) & machine.LIQ_ENTER) == start, (view.account.name, one, x)
                    seen += 1
    assert seen > 1_000


def test_a_short_breach_is_not_stepped_over() -> None:
    """A breach between two places where all is well is found at its beginning, from either side."""

    def at(x: float) -> Point:
        excess = 1.0 - 3.0 * math.exp(-(((x - 0.8) / 0.05) ** 2))
        return Point(excess <= 0.0, excess)

    root = float(
        mpmath.findroot(lambda x: 1 - 3 * mpmath.exp(-(((x - 0.8) / 0.05) ** 2)), (0.7, 0.76), solver="anderson")
    )
    slope = 3.0 / 0.05  # above 3 sqrt(2/e) / 0.05, the largest
    found = first_crossing(at, lambda _x: slope, 2.0, resolution=1e-3, width=1e-9)
    assert found.inside == pytest.approx(root, abs=1e-8)
    assert found.outside == pytest.approx(root, abs=1e-8)
    assert first_crossing(at, lambda _x: slope, -2.0, resolution=1e-3, width=1e-9).inside is None


def test_where_figures_end_the_search_says_so() -> None:
    """A path whose figures end before anything crosses is reported as not known to its end."""

    def at(x: float) -> Point:
        return Point(None if x > 0.5 else False, 1.0)

    assert not first_crossing(at, lambda _x: 1.0, 1.0, resolution=1e-3, width=1e-9).known


def test_the_chance_of_a_touch_is_that_of_the_reflection() -> None:
    """2 N(-b / (sigma sqrt h)) in many digits, and as a share of random walks."""
    b, vol, seconds = 0.03, 0.6, 86_400.0
    exact = 2 * mpmath.ncdf(-b / (vol * mpmath.sqrt(seconds / 31_536_000.0)))
    assert touch(b, vol, seconds) == pytest.approx(float(exact), rel=1e-12)
    steps = np.random.default_rng(5).normal(0.0, vol * math.sqrt(seconds / 31_536_000.0 / 2_000), (4_000, 2_000))
    touched = (np.cumsum(steps, axis=1).max(axis=1) >= b).mean()
    assert touched == pytest.approx(float(exact), abs=0.03)


def hedged(share: float) -> views.View:
    """Return an account long BTC and short ETH whose equity is `share` of the way from its IM to that at k = 1."""
    state = folded(2)
    view = views.take(state, "acc0", also=("BTC-PERPETUAL", "ETH-PERPETUAL"))
    account = views.copy_account(view.account)
    account.config = msgspec.structs.replace(account.config, margin_model="P", parameter_set="default")
    prices = {name: view.facts.coins[name].index for name in ("BTC", "ETH")}
    assert all(prices.values())
    account.holdings = {
        f"{name}-PERPETUAL": Holding(quantity=sign * 100_000.0 / price.price_usd, average_price=price.price_usd)
        for sign, (name, price) in zip((1.0, -1.0), prices.items(), strict=True)
        if price is not None
    }
    account.balances = {"USD": 0.0}
    view = view.with_account(account)
    equity, im, _ = view.book().figures("acc0")
    plain = shocked(view, Shock(stress=1.0)).book().figures("acc0")[1]
    assert plain > 1.1 * im
    account = views.copy_account(account)
    account.balances = {"USD": im + share * (plain - im) - equity}
    return view.with_account(account)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_k_of_a_margin_call_lies_above_its_bounds(share: float) -> None:
    """Where correlation alone brings a call, the crossing is where IM meets equity, and both bounds lie below it."""
    view = hedged(share)
    (one,) = [one for one in distance(view, "margin_call", surface=None).directions if one.kind == "correlation"]
    assert one.below is None
    assert one.above is not None
    assert one.lower_bound is not None
    assert one.closed_form is not None
    assert one.closed_form <= one.lower_bound + 1e-9
    assert one.lower_bound <= one.above.level + 1e-6
    assert one.now < one.above.level < 1.0
    sides = [over_in_a_book(shocked(view, Shock(stress=one.above.level + way)), "margin_call") for way in (-NEAR, NEAR)]
    assert sides == [False, True]
    equity, im, _ = shocked(view, Shock(stress=one.above.level)).book().figures("acc0")
    assert im == pytest.approx(equity, rel=1e-7)


def test_contracts_are_priced_with_all_other_positions(taken: list[views.View]) -> None:
    """A contract's liquidation price is its own price at the crossing of its coin's index."""
    seen = 0
    for view in taken:
        found = distance(view, surface=None)
        crossings = {one.underlying: one for one in found.directions if one.kind == "price"}
        for contract in found.contracts:
            one = crossings[contract.underlying]
            for level, end in ((contract.below, one.below), (contract.above, one.above)):
                assert (level is None) == (end is None)
                if level is None or end is None or contract.instrument == contract.underlying:
                    continue
                basis = view.facts.contracts[contract.instrument].basis
                assert level == pytest.approx(end.level * (1.0 + basis), rel=1e-9)
                seen += 1
    assert seen >= 3


def test_the_surface_is_made_of_books(taken: list[views.View]) -> None:
    """Each cell of the surface says what the engine's book says there."""
    view = taken[0]
    found = distance(view, surface=MARKET).surface
    assert found is not None
    for k, move in list(enumerate(found.moves))[::4]:
        for j, vol in list(enumerate(found.vols))[::3]:
            moves = {u: (1.0 + move) ** beta - 1.0 for u, beta in betas(view, view.underlyings).items()}
            book = shocked(view, Shock(moves=moves, vol=vol)).book()
            held = book.conditions(view.account.name) & ~machine.HELD
            assert found.standings[k][j] == standing_of(held or machine.UNKNOWN)
