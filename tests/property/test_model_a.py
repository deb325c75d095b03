"""Model A as a function of a portfolio: the engine's numbers, and what must hold of any risk matrix."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from functools import partial

import msgspec
import numpy as np
import pytest

from monitor.engine import evaluate_account
from monitor.engine.parameters import DEFAULT_ACTIVE, DEFAULT_SET
from monitor.engine.portfolio import portfolio_of
from monitor.models.margin import Margin
from monitor.models.risk_matrix import COMPONENTS, margin
from schemas.deribit import deribit_set
from schemas.parameters import ParameterSet, RiskMatrixParameters
from tests.property.kernels_oracle import Contract
from tests.unit.models.books import (
    NOW_US,
    Held,
    mixed,
    permuted,
    portfolio,
    random_book,
    random_state,
    underlying_of,
)

DERIBIT = deribit_set(NOW_US)
EVERYTHING = ParameterSet(
    name="everything",
    event_time_us=NOW_US,
    risk_matrix=RiskMatrixParameters(
        pnl_offset=0.5, max_offsetable_pnl_usd=30_000.0, extended_table="dampened", extended_factor=0.9,
        extended_dampener_usd=2_000.0, correlation_contingency_rate=0.02, short_option_rate=0.01,
        futures_offset_rate=0.01, vega_offset_rate=0.25,
    ),
    underlyings={"SOL": RiskMatrixParameters(price_range=0.6), "DOGE": RiskMatrixParameters(pnl_offset=0.2)},
)  # fmt: skip
DAMPENED = ParameterSet(
    name="dampened",
    event_time_us=NOW_US,
    risk_matrix=RiskMatrixParameters(extended_table="dampened", extended_dampener_usd=3_000.0, short_option_rate=0.01),
)
SEEDS = range(12)


def of(seed: int, parameters: ParameterSet = DERIBIT, **fields: float) -> Margin:
    return margin(random_book(seed, **fields), parameters, "0" * 16)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(6))
def test_the_model_says_what_the_engine_says(seed: int) -> None:
    """Equity, requirements and every part of random accounts are the engine's own under model A, to 1e-12."""
    state = random_state(seed)
    seen = 0
    for name, account in state.shards[0].accounts.items():
        wanted = evaluate_account(state, name)
        active = state.market.parameters.get(account.config.parameter_set) or DEFAULT_ACTIVE
        got = margin(portfolio_of(account, state.market), active.set, active.hash)
        assert got.computed == wanted.valued
        if not got.computed:
            assert got.degraded
            continue
        scale = max(abs(part.value_usd) for part in wanted.underlyings) + abs(got.equity_usd)
        close = partial(pytest.approx, rel=1e-12, abs=1e-12 * scale)
        assert got.equity_usd == close(wanted.equity_usd)
        assert got.im_requirement_usd == close(wanted.im_requirement_usd)
        assert got.mm_requirement_usd == close(wanted.mm_requirement_usd)
        by_name = {part.underlying: part for part in got.parts}
        worst = {one.underlying: one for one in got.worst}
        for part in wanted.underlyings:
            own = by_name[part.underlying]
            assert own.im_usd == close(part.im_usd)
            assert own.value_usd == close(part.value_usd)
            assert own.delta_coins == pytest.approx(part.delta_coins, rel=1e-12, abs=1e-12)
            assert worst[part.underlying].scenario == part.scenario
        assert got.flags == tuple(sorted(wanted.data_quality))
        seen += 1
    assert seen > 3


@pytest.mark.parametrize("parameters", [DEFAULT_SET, DERIBIT, EVERYTHING])
@pytest.mark.parametrize("seed", SEEDS)
def test_components_and_parts_sum_to_the_requirement(seed: int, parameters: ParameterSet) -> None:
    """Every component is named, components of IM and of MM sum to them, and so do the parts of underlyings."""
    got = of(seed, parameters)
    assert tuple(got.im_components) == tuple(got.mm_components) == COMPONENTS
    assert got.im_requirement_usd == pytest.approx(math.fsum(got.im_components.values()), rel=1e-14)
    assert got.mm_requirement_usd == pytest.approx(math.fsum(got.mm_components.values()), rel=1e-14)
    assert got.im_requirement_usd == pytest.approx(math.fsum(part.im_usd for part in got.parts), rel=1e-12)
    assert got.mm_requirement_usd == pytest.approx(math.fsum(part.mm_usd for part in got.parts), rel=1e-12)
    assert all(value >= 0.0 for value in got.im_components.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_cash_counts_one_for_one(seed: int) -> None:
    """A deposit raises equity by itself and changes no requirement."""
    book = random_book(seed)
    before, after = (margin(one, EVERYTHING, "") for one in (book, replace(book, cash_usd=book.cash_usd + 512.0)))
    assert after.equity_usd == pytest.approx(before.equity_usd + 512.0, rel=1e-13)
    assert after.im_components == before.im_components


@pytest.mark.parametrize("seed", SEEDS)
def test_a_book_and_its_mirror_need_nothing(seed: int) -> None:
    """Merged with its mirror image every book is flat and needs nothing, whatever is switched on."""
    book = random_book(seed)
    assert margin(mixed((1.0, book), (-1.0, book)), EVERYTHING, "").im_requirement_usd == 0.0


@pytest.mark.parametrize("seed", SEEDS)
def test_requirements_scale_where_no_term_depends_on_size(seed: int) -> None:
    """Without threshold, cap and dampener a book three times as large needs three times as much."""
    flat = {"delta_shock_slope": 0.0, "max_offsetable_pnl_usd": 1e15, "extended_dampener_usd": 0.0}
    sizeless = msgspec.structs.replace(
        EVERYTHING, risk_matrix=msgspec.structs.replace(EVERYTHING.risk_matrix, **flat), underlyings={}
    )
    book = random_book(seed)
    one, three = (margin(mixed((factor, book)), sizeless, "").im_requirement_usd for factor in (1.0, 3.0))
    assert three == pytest.approx(3.0 * one, rel=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_positions_does_not_matter(seed: int) -> None:
    """Positions and underlyings in any order give the same requirement, up to the rounding of sums."""
    book, draw = random_book(seed), random.Random(seed)
    other = replace(book, underlyings=tuple(permuted(one, draw) for one in reversed(book.underlyings)))
    wanted, got = margin(book, EVERYTHING, ""), margin(other, EVERYTHING, "")
    for name, value in wanted.im_components.items():
        assert got.im_components[name] == pytest.approx(value, rel=1e-10, abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_more_scenarios_never_lower_the_requirement(seed: int) -> None:
    """Twice as many moves, which contain the first ones, and a further extended move only raise the scan."""
    finer = msgspec.structs.replace(
        DERIBIT.risk_matrix, buckets_each_side=8, extended_moves=(*DERIBIT.risk_matrix.extended_moves, -0.5, 0.3)
    )
    few = msgspec.structs.replace(DERIBIT, underlyings={})
    many = msgspec.structs.replace(DERIBIT, risk_matrix=finer, underlyings={})
    book = random_book(seed)
    assert margin(book, many, "").im_requirement_usd >= margin(book, few, "").im_requirement_usd - 1e-9


@pytest.mark.parametrize("parameters", [DEFAULT_SET, DERIBIT, DAMPENED])
@pytest.mark.parametrize("seed", SEEDS)
def test_net_margin_is_concave(seed: int, parameters: ParameterSet) -> None:
    """Half of each of two books has at least half of each net margin: default, with offsets, and dampened."""
    draw = random.Random(seed)
    first = random_book(seed)
    second = replace(
        first,
        underlyings=tuple(
            replace(one, quantity=np.array([draw.gauss(0.0, 2.0) * (abs(q) + 0.1) for q in one.quantity]))
            for one in first.underlyings
        ),
    )
    margins = [margin(one, parameters, "") for one in (first, second, mixed((0.5, first), (0.5, second)))]
    net = [one.im_excess_usd for one in margins]
    assert net[2] >= 0.5 * (net[0] + net[1]) - 1e-9 * max(map(abs, net))


@pytest.mark.parametrize("seed", SEEDS)
def test_an_offset_only_lowers_and_only_where_it_is_on(seed: int) -> None:
    """Offsets never raise a requirement above the sum of own worst cases, and leave alone what stands alone."""
    alone = msgspec.structs.replace(
        DERIBIT,
        risk_matrix=msgspec.structs.replace(DERIBIT.risk_matrix, pnl_offset=0.0),
        underlyings={
            "BTC": DERIBIT.underlyings["BTC"],
            "ETH": msgspec.structs.replace(DERIBIT.underlyings["ETH"], pnl_offset=0.0),
        },
    )
    apart, together = of(seed, alone), of(seed, DERIBIT)
    assert together.im_requirement_usd <= apart.im_requirement_usd + 1e-9
    of_bitcoin = [next(part for part in one.parts if part.underlying == "BTC") for one in (apart, together)]
    assert of_bitcoin[0] == of_bitcoin[1]  # it has no offset: it stands alone


def test_a_missing_price_gives_no_number() -> None:
    """Without an index there is no figure, and a reason."""
    lost = underlying_of("SOL", 150.0, Held(1.0, Contract("linear", 1.0, 150.0)))
    got = margin(portfolio(replace(lost, index_price=math.nan)), DERIBIT, "")
    assert not got.computed
    assert got.degraded == ("no_price:SOL",)
    assert got.im_components == {}
