"""Paradex: the share of a partial liquidation."""

from __future__ import annotations

import math

import pytest

from kernels.liquidation.paradex import Position, Terms, liquidation_share, margin_ratio, partial_liquidation

BTC, ETH = Position(0.1, 60_000.0, 54_800.0, 0.01), Position(-1.0, 3_000.0, 3_400.0, 0.01)
HALF = Terms(fee_of_mm=0.5)


@pytest.mark.parametrize(
    ("collateral_usd", "share", "ratio"),
    # Ratios of the venue's table at 20, 40, 60 and 80 %: 99.9, 85.6, 66.6 and 39.9 %.
    [(1_008.8, 0.0, 1.0), (1_000.0, 0.4, 0.856), (985.0, 0.8, 17.76 / (65.0 - 35.52)), (920.0, 1.0, 0.0)],
)
def test_the_smallest_multiple_that_suffices_is_taken(collateral_usd: float, share: float, ratio: float) -> None:
    """None while maintenance is met, as much as is needed below it, all where the value is gone."""
    done = partial_liquidation(collateral_usd, [BTC, ETH], HALF)
    assert done.share == pytest.approx(share)
    assert done.margin_ratio_after == pytest.approx(ratio, rel=1e-3)


def test_the_account_afterwards_adds_up() -> None:
    """Value is collateral and what is still open; the penalty is all that is lost."""
    done = partial_liquidation(1_000.0, [BTC, ETH], HALF)
    left = [p._replace(quantity_coins=q) for p, q in zip((BTC, ETH), done.quantities_after_coins, strict=True)]
    again = partial_liquidation(done.collateral_after_usd, left, HALF)
    assert again.account_value_usd == pytest.approx(done.value_after_usd)
    assert done.account_value_usd - done.value_after_usd == pytest.approx(done.penalty_usd)
    assert (again.share, again.penalty_usd) == (0.0, 0.0)


def test_on_the_line_is_not_over_it() -> None:
    """Maintenance of exactly the value is met, and a ratio of exactly the target is not below it, however rounded."""
    for factor in (0.1, 0.3, 1.0 / 3.0, 1e6 / 7.0):
        assert liquidation_share(88.8 * factor, 88.8 * factor, HALF) == 0.0
        # (1 - s)/(v - s/2) = 0.9 at s = 0.4 with v = 0.6/0.9 + 0.2: that share is not enough.
        assert liquidation_share((0.6 / 0.9 + 0.2) * factor, factor, HALF) == pytest.approx(0.6)


def test_steps_that_do_not_divide_end_at_the_whole() -> None:
    """The last multiple is all, also where n steps add up to a rounding less."""
    assert liquidation_share(0.01, 1.0, Terms(share_step=0.3)) == 1.0
    assert liquidation_share(0.01, 1.0, Terms(share_step=1.0 / 49.0, fee_of_mm=0.0)) == 1.0
    assert liquidation_share(0.95, 1.0, Terms(share_step=1.0)) == 1.0


def test_a_penalty_that_outweighs_the_relief_closes_all() -> None:
    """Where closing more makes the ratio worse no part helps."""
    assert liquidation_share(0.99, 1.0, Terms(fee_of_mm=1.2)) == 1.0


def test_an_account_without_value_owes_the_rest() -> None:
    """All is closed and what it cannot pay is told; a debt without positions is nobody's to close."""
    done = partial_liquidation(900.0, [BTC, ETH], HALF)
    assert done.share == 1.0
    assert done.shortfall_usd == pytest.approx(64.4)
    assert done.collateral_after_usd == done.value_after_usd == pytest.approx(-64.4)
    empty = partial_liquidation(-5.0, [], HALF)
    assert (empty.share, empty.margin_ratio_after, empty.shortfall_usd) == (0.0, 0.0, 0.0)


def test_ratios_have_their_limits() -> None:
    """Nothing to maintain is 0 whatever the value, something to maintain without value infinite."""
    assert [margin_ratio(*x) for x in ((0.0, -1.0), (1.0, 2.0), (1.0, 0.0), (1.0, -1.0))] == [
        0.0,
        0.5,
        math.inf,
        math.inf,
    ]


@pytest.mark.parametrize(
    ("collateral_usd", "position", "terms"),
    [
        (math.nan, BTC, HALF), (1.0, BTC._replace(mark_price=0.0), HALF), (1.0, BTC._replace(entry_price=-1.0), HALF),
        (1.0, BTC._replace(quantity_coins=math.inf), HALF), (1.0, BTC._replace(mm_rate=-0.1), HALF),
        (1.0, BTC, HALF._replace(target_ratio=0.0)), (1.0, BTC, HALF._replace(share_step=1.1)),
        (1.0, BTC, HALF._replace(share_step=0.0)), (1.0, BTC, HALF._replace(fee_of_mm=math.nan)),
    ],
)  # fmt: skip
def test_what_no_venue_could_mean_is_refused(collateral_usd: float, position: Position, terms: Terms) -> None:
    """Prices, rates, target and step are checked."""
    with pytest.raises(ValueError, match=r"positive|finite|negative|lie in"):
        partial_liquidation(collateral_usd, [position], terms)
