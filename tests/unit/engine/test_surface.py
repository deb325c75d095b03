from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from kernels.surface import volatility
from monitor.engine import surface
from monitor.engine.surface import NO_ROW, RejectedVolatility, SurfaceRow, VolatilityFold
from schemas.records import ExpiryVolatility, VolatilityUpdate
from tests.unit.engine.market_records import DAY_S, at, option, own_vol, smile, svi

E30, E60, E90 = 30 * DAY_S, 60 * DAY_S, 90 * DAY_S


def fold_of(*updates: VolatilityUpdate) -> VolatilityFold:
    fold = VolatilityFold()
    for update in updates:
        fold.apply(update)
    return fold


def price_vol(row: SurfaceRow, strike: float, years: float, forward: float = 100.0) -> float:
    return float(volatility(*row[:6], row.lo, row.hi, strike, forward, years))


# --- which volatility ---------------------------------------------------------------------------------


def test_an_unquoted_option_has_no_row() -> None:
    """Without any volatility of the underlying the code is -1."""
    assert fold_of().row(option("X", E30)) == NO_ROW
    assert fold_of(own_vol(0, "OTHER", 0.5)).row(option("X", E30)) == NO_ROW
    assert fold_of(smile(0, E30, 0.5)).row(option("X", E30, underlying="ETH")) == NO_ROW


def test_the_newer_of_own_volatility_and_slice_counts() -> None:
    """Own volatility and slice are compared by event time; at equal times the option's own is nearer the truth."""
    fold = fold_of(own_vol(10, "X", 0.5), smile(9, E30, 0.6))
    assert fold.row(option("X", E30)) == SurfaceRow(0, 0.5)
    fold.apply(smile(10, E30, 0.61))
    assert fold.row(option("X", E30)) == SurfaceRow(0, 0.5)
    fold.apply(smile(11, E30, 0.62))
    assert fold.row(option("X", E30)) == SurfaceRow(1, 0.62, lo=-1.0, hi=1.0)
    assert fold.row(option("Y", E30)) == SurfaceRow(1, 0.62, lo=-1.0, hi=1.0)
    fold.apply(own_vol(12, "X", 0.7))
    assert fold.row(option("X", E30)) == SurfaceRow(0, 0.7)


def test_a_smile_may_give_way_to_svi() -> None:
    """The newest slice of an expiry counts, whichever form it has."""
    fold = fold_of(smile(0, E30, 0.5, slope=-0.1, curvature=0.05, x_min=-0.7, x_max=0.8))
    assert fold.row(option("X", E30)) == SurfaceRow(1, 0.5, -0.1, 0.05, lo=-0.7, hi=0.8)
    fold.apply(svi(1, E30, k_min=-0.5, k_max=0.6))
    assert fold.row(option("X", E30)) == SurfaceRow(2, 0.01, 0.05, -0.3, 0.0, 0.2, -0.5, 0.6)


def test_late_updates_are_counted_and_move_nothing_back() -> None:
    """An update older than what it would replace changes nothing; one of the same time replaces it."""
    fold = fold_of(own_vol(10, "X", 0.5), smile(10, E30, 0.6))
    before = fold.snapshot()
    assert fold.apply(own_vol(9, "X", 0.9)) == ()
    assert fold.apply(smile(9, E30, 0.9)) == ()
    assert fold.apply(svi(9, E30)) == ()
    assert fold.late_updates == 3
    assert fold.snapshot() == {**before, "late_updates": 3}
    assert fold.apply(own_vol(10, "X", 0.51)) == ("BTC",)
    assert fold.row(option("X", E30)) == SurfaceRow(0, 0.51)


# --- expiries that nobody quotes --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (smile(0, E30, 0.4, slope=-0.1), smile(5, E90, 0.6, slope=-0.2, curvature=0.1)),
        (svi(0, E30), smile(5, E90, 0.6)),
        (smile(0, E30, 0.4), svi(5, E90, a=0.06)),
        (svi(0, E30), svi(5, E90, a=0.06, rho=0.2)),
    ],
)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.7])
def test_total_variance_at_the_money_is_linear_between_expiries(first: Any, second: Any, share: float) -> None:
    """Between two quoted expiries the at-the-money total variance lies on a straight line in time."""
    fold = fold_of(first, second)
    expiry_s = E30 + share * (E90 - E30)
    years = [(seconds - 5) / (365 * DAY_S) for seconds in (E30, expiry_s, E90)]
    # An SVI slice states total variance at its own event time; a smile states volatility.
    own = [(one.expiry_us - one.event_time_us) / (365 * DAY_S * 1e6) for one in (first, second)]
    rows = [fold.row(option("X", seconds)) for seconds in (E30, expiry_s, E90)]
    w_first = price_vol(rows[0], 100.0, own[0]) ** 2 * years[0]
    w_second = price_vol(rows[2], 100.0, own[1]) ** 2 * years[2]
    w = price_vol(rows[1], 100.0, years[1]) ** 2 * years[1]
    assert w == pytest.approx((1.0 - share) * w_first + share * w_second, rel=1e-9)


def test_the_shape_is_that_of_the_nearest_expiry() -> None:
    """Slope and curvature between two expiries are those of the nearer one, in proportion to its level."""
    fold = fold_of(smile(0, E30, 0.4, slope=-0.1, curvature=0.05), smile(0, E90, 0.6, slope=-0.2, x_max=0.5))
    near_first = fold.row(option("X", E30 + 10 * DAY_S))
    assert near_first.p1 / near_first.p0 == pytest.approx(-0.1 / 0.4)
    assert near_first.p2 / near_first.p0 == pytest.approx(0.05 / 0.4)
    near_second = fold.row(option("X", E90 - 10 * DAY_S))
    assert near_second.p1 / near_second.p0 == pytest.approx(-0.2 / 0.6)
    assert (near_second.lo, near_second.hi) == (-1.0, 0.5)
    middle = fold.row(option("X", E60))
    assert middle.p1 / middle.p0 == pytest.approx(-0.1 / 0.4)


def test_outside_the_quoted_expiries_volatility_is_that_of_the_nearest() -> None:
    """Before the first and after the last expiry a smile is taken as it is, and SVI at equal volatility."""
    fold = fold_of(smile(0, E30, 0.4, slope=-0.1), svi(0, E60))
    assert fold.row(option("X", DAY_S)) == fold.row(option("X", E30))
    known = price_vol(fold.row(option("X", E60)), 110.0, 60 / 365)
    assert price_vol(fold.row(option("X", E90)), 110.0, 90 / 365) == pytest.approx(known, rel=1e-12)


def test_a_row_does_not_depend_on_when_it_is_asked_for() -> None:
    """Updates of other underlyings leave every row as it was."""
    fold = fold_of(svi(0, E30), svi(1, E90))
    before = fold.row(option("X", E60))
    other = msgspec.structs.replace(smile(20 * DAY_S, E60, 0.9), underlying="ETH")
    assert fold.apply(other) == ("ETH",)
    assert fold.row(option("X", E60)) == before


def test_forward_basis_between_and_outside() -> None:
    """The forward basis is exact where quoted, linear between, the nearest outside, None where unknown."""
    fold = fold_of(
        smile(0, E30, 0.4, forward_basis=0.01),
        own_vol(0, "Y", 0.4, expiry_us=at(E90), forward_basis=0.03),
        own_vol(0, "Z", 0.4, forward_basis=0.5),
        smile(0, E60 + 1, 0.4),
    )
    assert fold.forward_basis("BTC", at(E30)) == 0.01
    assert fold.forward_basis("BTC", at(E60)) == pytest.approx(0.02)
    assert fold.forward_basis("BTC", at(DAY_S)) == 0.01
    assert fold.forward_basis("BTC", at(2 * E90)) == 0.03
    assert fold.forward_basis("ETH", at(E30)) is None
    assert fold_of(smile(0, E30, 0.4)).forward_basis("BTC", at(E30)) is None


def test_the_newest_basis_of_an_expiry_counts() -> None:
    """Options of one expiry share its forward basis: the newest by event time."""
    fold = fold_of(
        own_vol(5, "X", 0.4, expiry_us=at(E30), forward_basis=0.01),
        own_vol(4, "Y", 0.4, expiry_us=at(E30), forward_basis=0.09),
    )
    assert fold.forward_basis("BTC", at(E30)) == 0.01
    fold.apply(own_vol(6, "Y", 0.4, expiry_us=at(E30), forward_basis=0.02))
    assert fold.forward_basis("BTC", at(E30)) == 0.02


# --- what is refused (F14) ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("update", "kind"),
    [
        (own_vol(0, "X", 0.0), "bad_volatility"),
        (own_vol(0, "X", -0.4), "bad_volatility"),
        (own_vol(0, "X", 5.01), "bad_volatility"),
        (own_vol(0, "X", math.nan), "bad_volatility"),
        (smile(0, E30, 0.4, slope=0.5), "bad_volatility"),
        (smile(0, E30, 0.4, slope=0.0, curvature=-0.5), "bad_volatility"),
        (smile(0, E30, 0.4, slope=-0.9, curvature=0.4), "bad_volatility"),
        (smile(0, E30, 0.6, curvature=6.0), "bad_volatility"),
        (smile(0, E30, math.nan), "bad_volatility"),
        (smile(0, E30, 0.4, curvature=-1.5, x_min=-0.3, x_max=0.3), "butterfly"),
        (smile(0, E30, 0.4, slope=1.0, x_min=-0.3, x_max=3.0), "butterfly"),
        (svi(0, E30, b=1.9, rho=0.3), "wing"),
        (svi(0, E30, a=-0.00999999, rho=0.0), "butterfly"),
        (svi(0, E30, a=-0.00999999, rho=0.0, k_min=0.0, k_max=0.0), "bad_volatility"),
        (svi(0, E30, a=3.0), "bad_volatility"),
        (own_vol(DAY_S, "X", 0.4, expiry_us=at(DAY_S)), "expired"),
        (smile(DAY_S, DAY_S, 0.4), "expired"),
        (svi(20 * DAY_S, 10 * DAY_S), "expired"),
        (smile(0, E30, 0.4, received_time_us=at(-6)), "clock_ahead"),
    ],
)
def test_what_is_absurd_is_refused(update: VolatilityUpdate, kind: str) -> None:
    """Negative, undefined or huge volatility, arbitrage, expired slices and future times change nothing."""
    fold = fold_of(smile(-1, E30, 0.45))
    before = fold.snapshot()
    with pytest.raises(RejectedVolatility) as refusal:
        fold.apply(update)
    assert refusal.value.kind == kind
    assert fold.snapshot() == before


def test_ordinary_slices_pass() -> None:
    """Smiles and SVI slices as markets quote them are taken."""
    for update in (
        smile(0, E30, 0.45, slope=-0.15, curvature=0.2),
        smile(0, 7 * DAY_S, 0.9, slope=-0.2, curvature=0.1, x_min=-3.0, x_max=3.0),
        svi(0, E30),
        # The slice of Gatheral and Jacquier (2014), example 3.1, has butterfly arbitrage; with wider wings it has not.
        svi(0, 365 * DAY_S, a=0.0401, b=0.1331, rho=0.3060, m=0.3586, sigma=0.4153),
    ):
        assert fold_of().apply(update) == ("BTC",)


def test_the_published_example_of_butterfly_arbitrage_is_refused() -> None:
    """Axel Vogt's slice, the standard example of a raw SVI slice with a negative density, is refused."""
    vogt = svi(0, 365 * DAY_S, a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, sigma=0.4153, k_min=-1.5, k_max=1.5)
    with pytest.raises(RejectedVolatility) as refusal:
        fold_of().apply(vogt)
    assert refusal.value.kind == "butterfly"


# --- bounds -------------------------------------------------------------------------------------------


def test_what_expired_long_ago_is_forgotten() -> None:
    """A week after their expiry, volatilities and bases leave the state, and their underlying is reported."""
    fold = fold_of(
        smile(0, DAY_S, 0.4, forward_basis=0.01),
        own_vol(0, "X", 0.4, expiry_us=at(DAY_S)),
        own_vol(0, "Y", 0.4),
        smile(0, E30, 0.5, forward_basis=0.02),
    )
    assert fold.row(option("X", DAY_S)).p0 == 0.4
    later = msgspec.structs.replace(smile(8 * DAY_S + 1, E60, 0.9), underlying="ETH")
    assert fold.apply(later) == ("ETH", "BTC")
    assert fold.row(option("X", DAY_S)).p0 == 0.5
    assert fold.row(option("Y", DAY_S)).p0 == 0.4
    assert fold.forward_basis("BTC", at(DAY_S)) == 0.02


def test_random_names_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options and expiries of an underlying are bounded."""
    monkeypatch.setattr(surface, "MAX_INSTRUMENTS", 2)
    monkeypatch.setattr(surface, "MAX_EXPIRIES", 2)
    fold = fold_of(own_vol(0, "X", 0.4), own_vol(0, "Y", 0.4), smile(0, E30, 0.4), smile(0, E60, 0.4))
    updates: list[VolatilityUpdate] = [own_vol(0, "Z", 0.4), smile(0, E90, 0.4)]
    for update in updates:
        with pytest.raises(RejectedVolatility) as refusal:
            fold.apply(update)
        assert refusal.value.kind == "too_many"
    assert fold.apply(smile(1, E60, 0.5)) == ("BTC",)


def test_another_layout_of_snapshot_is_refused() -> None:
    """A snapshot of another build's layout is not read."""
    with pytest.raises(ValueError, match="layout"):
        VolatilityFold.restore({**VolatilityFold().snapshot(), "layout": 99})


def test_a_slice_survives_its_snapshot() -> None:
    """Snapshots keep what kind of slice it was."""
    fold = fold_of(smile(0, E30, 0.4, forward_basis=0.01), svi(0, E60))
    copy = VolatilityFold.restore(msgspec.json.decode(msgspec.json.encode(fold.snapshot())))
    for seconds in (DAY_S, E30, 45 * DAY_S, E60, E90):
        assert copy.row(option("X", seconds)) == fold.row(option("X", seconds))
    assert isinstance(fold._surfaces["BTC"].slices[at(E30)], ExpiryVolatility)
