"""OKX's and Paradex's portfolio margin against a plain implementation, and what must hold of both."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from monitor.models import okx, paradex
from monitor.models.margin import Margin
from monitor.models.portfolio import Portfolio
from schemas.okx import OkxGroup, OkxParameters
from schemas.paradex import ParadexParameters, ParadexScan, ParadexTail
from schemas.tiers import MarginalTier, MarginalTiers
from tests.property import plain_margins
from tests.unit.models.books import mixed, permuted, random_book, random_portfolios

SEEDS = range(8)
OKX, PARADEX = OkxParameters(), ParadexParameters()
Model = Callable[[Portfolio], Margin]


def on_okx(book: Portfolio) -> Margin:
    return okx.margin(book, OKX, "0" * 16)


def on_paradex(book: Portfolio) -> Margin:
    return paradex.margin(book, PARADEX, "0" * 16)


both = pytest.mark.parametrize("model", [on_okx, on_paradex])


def book_of(seed: int, size: float) -> Portfolio:
    return random_book(seed, ("BTC", "SOL", "DOGE"), size=size)


@pytest.mark.parametrize("size", [1.0, 40.0])
@pytest.mark.parametrize("seed", range(4))
def test_okx_charges_are_those_of_a_plain_implementation(seed: int, size: float) -> None:
    """Every charge of every unit, MMR and IMR agree to 1e-9, small books and such as reach the upper tiers."""
    book = book_of(seed, size)
    wanted, got = plain_margins.okx(book), on_okx(book)
    for number in (1, 2, 3, 4, 5, 6, 7, 9):
        total = float(sum(unit[number] for unit in wanted["units"].values()))
        assert got.statistics[f"mr{number}_usd"] == pytest.approx(total, rel=1e-9, abs=1e-6 * size), number
    assert got.statistics["mr8_usd"] == pytest.approx(float(wanted["mr8"]), rel=1e-12)
    assert got.mm_requirement_usd == pytest.approx(float(wanted["mmr"]), rel=1e-9)
    assert got.im_requirement_usd == pytest.approx(float(wanted["imr"]), rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_paradex_requirements_are_those_of_a_plain_implementation(seed: int) -> None:
    """Net margin, both provisions, IM and MM agree to 1e-9."""
    book = book_of(seed, 1.0)
    wanted, got = plain_margins.paradex(book), on_paradex(book)
    net = got.im_components["scan_usd"] + got.im_components["minimum_usd"]
    assert net == pytest.approx(float(wanted["net"]), rel=1e-9)
    assert got.im_components["funding_provision_usd"] == pytest.approx(float(wanted["funding"]), rel=1e-9)
    assert got.im_components["fee_provision_usd"] == pytest.approx(float(wanted["fee"]), rel=1e-9)
    assert got.im_requirement_usd == pytest.approx(float(wanted["im"]), rel=1e-9)
    assert got.mm_requirement_usd == pytest.approx(float(wanted["mm"]), rel=1e-9)


@both
@pytest.mark.parametrize("seed", SEEDS)
def test_components_and_parts_sum_to_the_requirement(model: Model, seed: int) -> None:
    """Components of IM and MM sum to them, none is negative, and parts leave only what has no underlying."""
    got = model(random_book(seed))
    assert got.im_requirement_usd == pytest.approx(math.fsum(got.im_components.values()), rel=1e-14)
    assert got.mm_requirement_usd == pytest.approx(math.fsum(got.mm_components.values()), rel=1e-14)
    assert all(value >= 0.0 for value in (*got.im_components.values(), *got.mm_components.values()))
    apart = got.mm_components.get("borrowing_usd", 0.0)
    assert got.mm_requirement_usd - apart == pytest.approx(math.fsum(part.mm_usd for part in got.parts), rel=1e-12)


@both
@pytest.mark.parametrize("seed", SEEDS)
def test_cash_counts_one_for_one(model: Model, seed: int) -> None:
    """A deposit of dollars into a positive balance raises equity by itself and changes no requirement."""
    book = random_book(seed)
    book = replace(book, cash_usd=book.cash_usd + 1e9)
    before, after = model(book), model(replace(book, cash_usd=book.cash_usd + 4_096.0))
    assert after.equity_usd == before.equity_usd + 4_096.0
    assert after.im_components == before.im_components


@both
@pytest.mark.parametrize("seed", SEEDS)
def test_a_book_and_its_mirror_need_nothing(model: Model, seed: int) -> None:
    """Merged with its mirror image every book is flat and needs nothing."""
    book = random_book(seed)
    assert model(mixed((1.0, book), (-1.0, book))).im_requirement_usd == 0.0


def flat(rate: float) -> MarginalTiers:
    return MarginalTiers(tiers=(MarginalTier(rate=rate),))


@pytest.mark.parametrize("seed", SEEDS)
def test_requirements_scale_where_tiers_have_one_rate(seed: int) -> None:
    """OKX with flat tables, and Paradex as it is, ask three times as much for a book three times as large."""
    sizeless = msgspec.structs.replace(OKX, minimum_charge=flat(1.0), borrowing=flat(0.05), depeg=flat(0.01))
    book = random_book(seed)
    for model in (lambda one: okx.margin(one, sizeless, ""), on_paradex):
        one, three = (model(mixed((factor, book))).im_requirement_usd for factor in (1.0, 3.0))
        assert three == pytest.approx(3.0 * one, rel=1e-12)


@both
@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_positions_does_not_matter(model: Model, seed: int) -> None:
    """Positions and underlyings in any order give the same components, up to the rounding of sums."""
    book, draw = random_book(seed), random.Random(seed)
    other = replace(book, underlyings=tuple(permuted(one, draw) for one in reversed(book.underlyings)))
    wanted, got = model(book), model(other)
    for name, value in wanted.im_components.items():
        assert got.im_components[name] == pytest.approx(value, rel=1e-10, abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_more_scenarios_never_lower_the_requirement(seed: int) -> None:
    """A further spot move under OKX and a further tail under Paradex only raise what is asked."""
    book = random_book(seed)
    others = OkxGroup(spot_moves=(0.08, 0.16, 0.2, 0.25), basis_move=0.30, extreme_move=0.50)
    few = msgspec.structs.replace(OKX, groups=())
    more = msgspec.structs.replace(few, others=others)
    assert okx.margin(book, more, "").im_requirement_usd >= okx.margin(book, few, "").im_requirement_usd - 1e-9
    tails = (*PARADEX.scan.tails, ParadexTail(move=-0.5, weight=0.32))
    wider = ParadexParameters(scan=ParadexScan(tails=tails))
    assert paradex.margin(book, wider, "").im_requirement_usd >= on_paradex(book).im_requirement_usd - 1e-9


@pytest.mark.parametrize("seed", SEEDS)
def test_net_margin_is_concave_under_paradex(seed: int) -> None:
    """Half of each of two books has at least half of each net margin, minimum and provisions included."""
    first = random_book(seed)
    second = random_book(seed + 1_000)
    second = replace(
        first,
        underlyings=tuple(
            replace(one, quantity=other.quantity)
            for one, other in zip(first.underlyings, second.underlyings, strict=True)
        ),
    )
    pair = [on_paradex(one) for one in (first, second)]
    middle = on_paradex(mixed((0.5, first), (0.5, second)))
    net = [one.im_excess_usd for one in (*pair, middle)]
    assert net[2] >= 0.5 * (net[0] + net[1]) - 1e-9 * max(map(abs, net))


@both
@pytest.mark.parametrize("seed", range(3))
def test_accounts_of_the_engine_have_a_margin(model: Model, seed: int) -> None:
    """Portfolios that the engine builds have settlements; what has no funding rate is named and nothing else is."""
    books = [book for book in random_portfolios(seed) if not book.missing]
    assert books
    for book in books:
        got = model(book)
        assert got.computed
        assert got.flags == book.flags
        assert all(reason.startswith("no_funding_rate:") for reason in got.degraded)
