"""What levels of volatilities cost a certificate, against figures priced from nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import scenarios, surface
from kernels._jit import Floats, Ints
from kernels.certificates import (
    book,
    drift,
    drift_rows,
    joint,
    levels,
    places,
    priced_places,
    shared,
    shared_levels,
    smile,
    tangents,
    vegas,
)
from kernels.certificates import rows as row_kernels
from kernels.netted_bounds import mixture
from tests.certificate_books import SHOCKS, Coin, World, coin, held
from tests.property.test_certificates import drift_of, drifted
from tests.unit.kernels.test_joint_certificates import kept, worth
from tests.unit.kernels.test_priced_places import contracts

SEEDS = st.integers(0, 2**32 - 1)
RADII = (0.01, 0.05, 0.25)


def smiles(rng: np.random.Generator) -> Coin:
    """One underlying whose options are priced by smiles and volatilities of their own, some of them cut off."""
    of = coin(rng, options=40)
    parameters, code = of.parameters.copy(), of.code.copy()
    svi = code == surface.SVI
    code[svi] = surface.SMILE
    parameters[svi] = (0.5, -0.05, 0.02, 0.0, 0.0)
    lo, hi = np.where(svi, -2.0, of.lo), np.where(svi, 2.5, of.hi)
    return replace(of, code=code, parameters=parameters, lo=lo, hi=hi)


def classes(of: Coin) -> list[Ints]:
    """The rows of each expiry."""
    option = of.kind >= scenarios.LINEAR_OPTION
    return [np.flatnonzero(option & (of.years == years)) for years in np.unique(of.years[option])]


def shifted(of: Coin, by: Floats) -> Coin | None:
    """The same underlying with all vol sqrt(T) of each expiry moved; None where that cuts volatilities off."""
    parameters = of.parameters.copy()
    for rows, moved in zip(classes(of), by, strict=True):
        parameters[rows, 0] += moved / np.sqrt(of.years[rows])
    found = replace(of, parameters=parameters)
    for rows in classes(of):
        for i in rows:
            own = of.code[i] == surface.CONSTANT and surface.MIN_VOL <= parameters[i, 0] <= surface.MAX_VOL
            if not (own or (of.code[i] != surface.CONSTANT and drift.is_parallel(parameters[i], of.lo[i], of.hi[i]))):
                return None
    return found


@dataclass
class Place:
    """What one account has in one underlying, bounded around the present prices and levels."""

    of: Coin
    rows: Ints
    quantity: Floats
    multiplier: Floats
    raised: float
    curves: Floats
    mixed: tuple[int, int, float]
    rounding: float

    @property
    def levels(self) -> Floats:
        """The five numbers of each level, a view."""
        return self.curves[0, joint.LEVELS_AT : joint.LOWER_AT].reshape(joint.EXPIRIES, levels.LEVEL)

    def terms(self, now: Coin) -> tuple[float, float]:
        """Both constraints' terms, priced from nothing."""
        pnl, value, _, _ = now.priced()
        c, d, _, e, hedge = self.multiplier[:5]
        q, p = self.quantity, pnl[self.rows]
        upper = c * (q @ value[self.rows]) + d * (q @ p) - d * hedge * now.move_number
        one, two, share = self.mixed
        frozen = share * (q @ p[:, one]) + (1.0 - share) * (q @ p[:, two])
        return upper.min(), -self.raised * (q @ value[self.rows]) - e * frozen

    def bounds(self, x: float, by: Floats) -> tuple[float, float]:
        """What both are at least, after a move of the index and of the levels."""
        of, moved = self.levels[: len(by)], by
        straight = np.where(moved > 0.0, of[:, levels.UP], -of[:, levels.DOWN]) * moved
        cost = (straight + of[:, levels.BEND] * moved**2 / 2.0 + of[:, levels.CROSS] * np.abs(moved * x)).sum()
        lower = self.curves[0, joint.LOWER_AT : joint.UPPER_AT].reshape(-1, 1)
        return worth(kept(self.curves, 0), x).min() - cost, worth(lower, x)[0] - cost


def place(rng: np.random.Generator, of: Coin, radius: float) -> Place | None:
    """A random place of a random account, as `renew` bounds it; None where rows cannot be certified."""
    h = held(rng, World([of], np.ones((1, 1, 1)), 0.1), 0, int(rng.integers(1, 10)))
    rows, n = h.rows, len(h.rows)
    pnl, value, _, _ = of.priced()
    wide = len(of.table.move)
    priced = np.zeros((book.PRICED, n))
    columns = {
        book.PRICED_SIZE: of.size, book.PRICED_STRIKE: of.strike, book.PRICE: of.forward,
        book.PRICED_FUNDING: of.funding, book.PRICED_YEARS: of.years, book.VOL: of.vol(), book.PRICED_LOW: of.lo,
        book.PRICED_HIGH: of.hi, book.VALUE: value,
    }  # fmt: skip
    for field, column in columns.items():
        priced[field] = column[rows]
    now = np.zeros(joint.NOW_FIELDS)
    for k, members in enumerate(classes(of)):
        priced[book.PRICED_CLASS, np.isin(rows, members)] = k + 1
        now[joint.LEVEL + k] = of.parameters[members[0], 0] * math.sqrt(of.years[members[0]])
    kind, is_call, own_pnl = of.kind[rows], of.is_call[rows], np.ascontiguousarray(pnl[rows])
    path, own = np.empty((n, smile.DIRECTIONS, smile.PATH)), np.empty((n, tangents.VALUE))
    good, every = np.empty(n, dtype=np.bool_), np.arange(n)
    row_kernels.prepare(
        every, kind, is_call, priced[book.PRICED_SIZE], priced[book.PRICED_STRIKE], priced[book.PRICE], np.zeros(n),
        priced[book.PRICED_FUNDING], priced[book.PRICED_YEARS], priced[book.VOL], of.code[rows], of.parameters[rows],
        priced[book.PRICED_LOW], priced[book.PRICED_HIGH], of.index, SHOCKS, radius, path, own, good,
    )  # fmt: skip
    if not good.all():
        return None
    _, summed, swing = places.gross(every, h.quantity, priced[book.VALUE], own)
    constraints = rng.choice([0.8, 0.9, 1.0, 1.25], 2)
    hedge = rng.normal(0.0, 3e4)
    multiplier = np.array([constraints[0], 1.0, constraints[1], 1.0, hedge, rng.uniform(-1.0, 1.0)])
    raised = constraints[1] * float(rng.choice([1.0, 1.05]))
    table = of.table
    scenario = np.array(
        [table.move, table.linear_move, table.vol_direction.astype(float), table.weight, of.move_number]
    )
    losses = np.zeros(of.width)
    for move in range(of.width):
        worst = places.worst_cell(every, h.quantity, own_pnl, of.side, of.width, move)
        losses[move] = -(h.quantity @ own_pnl[:, worst])
    reach = places.reach(multiplier[0], multiplier[1], table.move, table.weight)
    upper, lower = np.empty((places.CURVES, wide + 2)), np.empty((places.CURVES, 1))
    chosen = np.empty(wide + 2, dtype=np.int64)
    count = priced_places.bound_place(
        h.quantity, radius, kind, is_call, priced, own_pnl, of.side, losses, multiplier, raised, scenario, path, own,
        good, reach * swing * radius, chosen, upper, lower,
    )  # fmt: skip
    curves = np.zeros((1, joint.CURVE_FIELDS))
    curves[0, joint.CENTER], curves[0, joint.RADIUS] = of.index, radius
    joint.keep(upper, count, radius, 0, curves)
    curves[0, joint.LOWER_AT : joint.UPPER_AT] = lower[:, 0]
    joint.count_drift(0, now, curves)
    vegas.write_levels(
        0, h.quantity, kind, priced, own_pnl, losses, multiplier, raised, scenario, SHOCKS, path, own,
        reach * swing * radius, chosen[:count], upper, curves,
    )  # fmt: skip
    _, first, second, right = mixture(losses, of.width, multiplier[5])
    one, two = (places.worst_cell(every, h.quantity, own_pnl, of.side, of.width, move) for move in (first, second))
    return Place(of, rows, h.quantity, multiplier, raised, curves, (one, two, 1.0 - right), 1e-11 * summed)


def from_shared_rows(rng: np.random.Generator, of: Coin) -> Place | None:
    """A random place of a random account, bounded by sums of rows that were made for its column."""
    h = held(rng, World([of], np.ones((1, 1, 1)), 0.1), 0, int(rng.integers(1, 10)))
    table, rows = of.table, contracts(of)
    scenario = np.array(
        [table.move, table.linear_move, table.vol_direction.astype(float), table.weight, of.move_number]
    )
    now, cells = np.zeros(joint.NOW_FIELDS), len(table.move)
    for k, members in enumerate(classes(of)):
        rows[members, book.CLASS] = k + 1
        now[joint.LEVEL + k] = of.parameters[members[0], 0] * math.sqrt(of.years[members[0]])
    tables, center = np.zeros(len(rows) * shared.row_length(cells)), np.array([of.index, 1.0])
    if not shared.have(rows, h.rows, scenario, np.concatenate([[of.index], SHOCKS]), now, center, tables, 0):
        return None
    sums, base = np.empty(shared.SUMS * cells), np.empty(shared.BASE)
    shared.add_up(h.rows, h.quantity, tables, 0, cells, sums, base)
    constraints, hedge = rng.choice([0.8, 0.9, 1.0, 1.25], 2), rng.normal(0.0, 3e4)
    multiplier = np.array([constraints[0], 1.0, constraints[1], 1.0, hedge, 0.0])
    raised = constraints[1] * float(rng.choice([1.0, 1.05]))
    reach = places.reach(multiplier[0], multiplier[1], table.move, table.weight)
    upper, lower, curves = np.empty((places.CURVES, cells)), np.empty(places.CURVES), np.zeros((1, joint.CURVE_FIELDS))
    swing, chosen = reach * base[shared.SWINGING] * shared.RADIUS, np.empty(cells, dtype=np.int64)
    count, _ = shared.upper_curves(
        sums, base, scenario, multiplier[0], multiplier[1], hedge, 0.0, swing, chosen, upper
    )  # fmt: skip
    curves[0, joint.CENTER], curves[0, joint.RADIUS] = of.index, shared.RADIUS
    joint.keep(upper, count, shared.RADIUS, 0, curves)
    one, two = (int(cell) for cell in rng.integers(cells, size=2))
    share = float(rng.random())
    shared.lower_curve(
        h.rows, h.quantity, tables, 0, sums, base, scenario, one, two, share, raised, multiplier[3], lower
    )
    curves[0, joint.LOWER_AT : joint.UPPER_AT] = lower
    joint.count_drift(0, now, curves)
    assert shared_levels.write(
        0, h.rows, h.quantity, tables, 0, sums, scenario, multiplier[:4], raised, hedge, swing, one, two, share,
        chosen[:count], upper, curves,
    )  # fmt: skip
    return Place(of, h.rows, h.quantity, multiplier, raised, curves, (one, two, share), 1e-11 * base[shared.SUMMED])


def drawn(rng: np.random.Generator, found: Place, size: float) -> tuple[Coin | None, Floats]:
    """The underlying with other levels, some of them as far as their cost is bounded."""
    most = levels.relative_span(found.curves[0, joint.RADIUS])
    span = most * np.abs(found.levels[: len(classes(found.of)), levels.AT])
    by = span * size * rng.choice([-1.0, 1.0, 0.0, rng.uniform(-1.0, 1.0)], len(span))
    return shifted(found.of, by), by


def stay_above(rng: np.random.Generator, found: Place, radius: float) -> None:
    """Assert that terms are above their bounds at the ends of the radius, within it, and at levels near and far."""
    for size in (1.0, 0.3, 0.05, 0.003):
        for x in (0.0, -radius, radius, *rng.uniform(-radius, radius, 2)):
            other, by = drawn(rng, found, size)
            if other is None:
                continue
            terms, bounds = found.terms(other.moved(float(x))), found.bounds(float(x), by)
            assert terms[0] >= bounds[0] - found.rounding
            assert terms[1] >= bounds[1] - found.rounding


@given(SEEDS)
@settings(max_examples=150, deadline=None)
def test_terms_stay_above_their_bounds_with_levels_and_prices_anywhere(seed: int) -> None:
    """Options near and far, long and short, hours or months long, levels up and down while the index moves."""
    rng = np.random.default_rng(seed)
    radius = float(rng.choice(RADII))
    found = place(rng, smiles(rng), radius)
    if found is None:
        return
    stay_above(rng, found, radius)


@given(SEEDS)
@settings(max_examples=150, deadline=None)
def test_terms_from_shared_rows_stay_above_their_bounds_wherever_levels_are(seed: int) -> None:
    """As above, of curves that are sums of a column's rows, around the center of these."""
    rng = np.random.default_rng(seed)
    found = from_shared_rows(rng, smiles(rng))
    if found is None:
        return
    stay_above(rng, found, shared.RADIUS)


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_levels_and_all_else_add_up(seed: int) -> None:
    """A row that moves by a level and by anything else drifts by the rest alone, as far as is charged for it."""
    rng = np.random.default_rng(seed)
    radius = float(rng.choice(RADII))
    found = place(rng, smiles(rng), radius)
    if found is None:
        return
    other, by = drawn(rng, found, float(rng.choice([0.3, 0.01])))
    if other is None:
        return
    after = drifted(rng, other, float(10.0 ** rng.uniform(-6.0, -3.0)))
    _, own, good = found.of.tangents(found.rows, radius)
    assert good.all()
    reach = max(
        places.reach(c, d, found.of.table.move, found.of.table.weight)
        for c, d in ((found.multiplier[0], found.multiplier[1]), (found.raised, found.multiplier[3]))
    )
    rho = np.zeros(len(found.of.kind))
    rho[:5] = drift_of(found.of, after, radius)[:5, drift_rows.RHO]
    for members, moved in zip(classes(found.of), by, strict=True):
        rho[members] = drift_of(found.of, after, radius, float(moved))[members, drift_rows.RHO]
    charged = drift.DRIFT_ROOM * (1.0 + radius) * reach * np.abs(found.quantity) * own[:, tangents.GROSS]
    rest = charged @ rho[found.rows]
    if not math.isfinite(rest):
        return
    for x in (0.0, -radius, radius, *rng.uniform(-radius, radius, 2)):
        terms, bounds = found.terms(after.moved(float(x))), found.bounds(float(x), by)
        assert terms[0] >= bounds[0] - rest - found.rounding
        assert terms[1] >= bounds[1] - rest - found.rounding


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_a_pure_move_of_levels_is_no_drift(seed: int) -> None:
    """Smiles and own volatilities that move by one level have drifted by rounding."""
    rng = np.random.default_rng(seed)
    of = smiles(rng)
    by = 0.1 * rng.uniform(-1.0, 1.0, len(classes(of))) * np.array([math.sqrt(of.years[m[0]]) for m in classes(of)])
    other = shifted(of, by)
    if other is None or shifted(of, 0.0 * by) is None:
        return
    for members, moved in zip(classes(of), by, strict=True):
        assert drift_of(of, other, 0.05, float(moved))[members, drift_rows.RHO].max() <= 1e-15


@pytest.mark.parametrize(
    ("part", "radius", "size"),
    [(levels.UP, 0.01, 0.3), (levels.DOWN, 0.01, 0.3), (levels.BEND, 0.01, 1.0), (levels.CROSS, 0.01, 0.03)],
)
def test_without_any_of_its_parts_the_bound_is_wrong(part: int, radius: float, size: float) -> None:
    """Slopes alone do not bound what a move of prices and levels does, and neither do slopes with one of both rests."""
    broken = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        found = place(rng, smiles(rng), radius)
        broken += 0 if found is None else broken_without(part, found, rng, (-radius, 0.0, radius), size)
    assert broken > 0


@pytest.mark.parametrize(
    ("part", "far", "size"),
    [(levels.UP, 0.01, 0.3), (levels.DOWN, 0.01, 0.3), (levels.BEND, 0.01, 1.0), (levels.CROSS, 0.001, 0.01)],
)
def test_without_any_of_its_parts_the_bound_of_shared_rows_is_wrong(part: int, far: float, size: float) -> None:
    """As above, of sums of shared rows."""
    moves, broken = tuple(far * part_of for part_of in (-1.0, -0.3, -0.1, 0.0, 0.1, 0.3, 1.0)), 0
    for seed in range(800):
        rng = np.random.default_rng(seed)
        found = from_shared_rows(rng, smiles(rng))
        broken += 0 if found is None else broken_without(part, found, rng, moves, size)
    assert broken > 0


def broken_without(part: int, found: Place, rng: np.random.Generator, moves: tuple[float, ...], size: float) -> int:
    """How often a place's terms are below their bounds without a part of what levels cost it."""
    found.levels[:, part], broken = 0.0, 0
    for x in moves:
        other, by = drawn(rng, found, size)
        if other is None:
            continue
        terms, bounds = found.terms(other.moved(x)), found.bounds(x, by)
        broken += min(terms[0] - bounds[0], terms[1] - bounds[1]) < -found.rounding
    return broken
