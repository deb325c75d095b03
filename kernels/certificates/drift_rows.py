"""Drifts of the rows of one underlying, options' shocked volatilities included: `kernels.certificates.drift`."""

from __future__ import annotations

import math

import numpy as np

from kernels import scenarios, surface
from kernels._jit import Bools, Floats, Ints, inlined, kernel
from kernels.certificates import book, drift
from kernels.scenarios_table import tenor_scale

RHO, TURN = range(2)  # columns of a row's drift
COLUMNS = 2


@kernel("f8, f8, f8, f8, f8[::1]")
def shocked_change(change: float, most: float, years: float, after: float, shocks: Floats) -> float:
    """Return a bound of |change of s| under every shock of volatility, from that of s itself.

    most: the largest volatility of both states; shocks: float64[6] as in `kernels.certificates.tangents`.
    """
    one, two = tenor_scale(years, shocks[3], shocks[4], shocks[5]), tenor_scale(after, shocks[3], shocks[4], shocks[5])
    stdev = most * math.sqrt(max(years, after))
    up = (1.0 + max(abs(shocks[0] * one), abs(shocks[0] * two))) * change + stdev * abs(shocks[0] * (two - one))
    up = max(up, abs(shocks[2]) * abs(math.sqrt(after) - math.sqrt(years)))
    down = change * max(1.0, abs(1.0 - shocks[1] * one)) + stdev * abs(shocks[1] * (two - one))
    most_changed: float = max(change, up, down)
    return most_changed


@kernel(
    "i8[::1], b1[::1], f8[::1], f8, f8, f8[::1], f8,"
    "f8[::1], f8[::1], f8[::1], i8[::1], f8[:, ::1], f8[::1], f8[::1],"
    "f8[::1], f8[::1], f8[::1], i8[::1], f8[:, ::1], f8[::1], f8[::1], f8[:, ::1]"
)
def drifts(
    kind: Ints, is_call: Bools, strike: Floats, least_index: float, largest_index: float, shocks: Floats,
    level: float, basis: Floats, funding: Floats, years: Floats, code: Ints, parameters: Floats, lo: Floats, hi: Floats,
    new_basis: Floats, new_funding: Floats, new_years: Floats, new_code: Ints, new_parameters: Floats, new_lo: Floats,
    new_hi: Floats, out: Floats,
) -> None:  # fmt: skip
    """Write what n rows of one underlying drifted by from one state of the market to another: float64[n, COLUMNS].

    level: change of vol sqrt(T) that is not counted, of all options alike. basis: F/S or p/S of each row; years, code,
    parameters, lo, hi: surface rows; the same with `new_` for now. least_index, largest_index: bounds of S at all
    certifications that the drift is for. RHO is of values, TURN of deltas, both relative to a row's gross; both
    infinite where a basis changed by more than 1 % and where `drift.stdev_change` is. Raises ValueError on other
    shapes.
    """
    n = kind.shape[0]
    if out.shape[0] != n or out.shape[1] != COLUMNS:
        raise ValueError("out needs two columns per row")
    for i in range(n):
        out[i, RHO] = out[i, TURN] = math.inf
        if kind[i] == scenarios.COIN:
            out[i, :] = 0.0
            continue
        h = math.log(new_basis[i] / basis[i]) if basis[i] > 0.0 and new_basis[i] > 0.0 else math.inf
        if not abs(h) <= drift.MOST_BASIS:
            continue
        funded = abs(new_funding[i] - funding[i])
        if kind[i] in (scenarios.LINEAR, scenarios.INVERSE):
            if kind[i] == scenarios.INVERSE:
                per = funded * (largest_index * max(basis[i], new_basis[i]))
            else:
                per = funded / (least_index * min(basis[i], new_basis[i]))
            out[i, RHO] = out[i, TURN] = abs(h) + per
            continue
        change = drift.stdev_change(
            code[i], parameters[i], lo[i], hi[i], years[i],
            new_code[i], new_parameters[i], new_lo[i], new_hi[i], new_years[i], h,
            level,
        )  # fmt: skip
        if not change < math.inf:
            continue
        least, most = drift.vol_range(code[i], parameters[i], lo[i], hi[i], years[i])
        fewest, highest = drift.vol_range(new_code[i], new_parameters[i], new_lo[i], new_hi[i], new_years[i])
        shocked = shocked_change(change, max(most, highest), years[i], new_years[i], shocks)
        moved = abs(h)
        if kind[i] == scenarios.INVERSE_OPTION and not is_call[i]:
            moved *= max(1.0, strike[i] / (least_index * min(basis[i], new_basis[i])))
        out[i, RHO] = moved + drift.PEAK * shocked
        deviation = min(least * math.sqrt(years[i]), fewest * math.sqrt(new_years[i]))
        out[i, TURN] = change * (drift.FIRST / deviation + drift.PEAK) + abs(h) * (1.0 + drift.PEAK / deviation)


@kernel("f8[:, ::1], i8[::1], f8")
def part_level(now: Floats, rows: Ints, before: float) -> float:
    """Return the level of the options of one expiry: that of their slice's vol sqrt(T) at the money.

    Without a slice, that of their one volatility; `before` where there is no such thing, or volatilities are cut off.
    now, rows: as in `part_drift`.
    """
    level = math.nan
    for k in range(rows.shape[0]):
        of = now[rows[k]]
        code, years = int(of[book.CODE]), of[book.YEARS]
        if code == surface.SMILE:
            parallel = drift.is_parallel(of[book.SURFACE :], of[book.LOW], of[book.HIGH])
            return of[book.SURFACE] * math.sqrt(years) if parallel and years > 0.0 else before
        own = of[book.SURFACE] * math.sqrt(years) if code == surface.CONSTANT and years > 0.0 else before
        own = own if surface.MIN_VOL <= of[book.SURFACE] <= surface.MAX_VOL else before
        if k == 0:
            level = own
        elif own != level:
            level = before
    return level if math.isfinite(level) else before


@inlined()
def _are_alike(before: Floats, now: Floats, i: int, j: int) -> bool:
    """Return whether two rows drift alike, but for what the strike of an inverse put does to it."""
    alike: bool = now[i, book.KIND] == now[j, book.KIND]
    for of in (before, now):
        for field in (book.BASIS, book.FUNDING, book.YEARS, book.CODE, book.LOW, book.HIGH):
            alike &= of[i, field] == of[j, field]
        for field in range(book.SURFACE, book.FIELDS):
            alike &= of[i, field] == of[j, field]
    return alike


@kernel("f8[:, ::1], f8[:, ::1], i8[::1], i8[::1]")
def _unlike(before: Floats, now: Floats, rows: Ints, holders: Ints) -> Ints:
    """Return those of some rows that are held, of neighbours that drift alike the one that drifts most."""
    found, n = np.empty(rows.shape[0], dtype=np.int64), 0
    for k in range(rows.shape[0]):
        i = rows[k]
        if holders[i] == 0:
            continue
        if n == 0 or not _are_alike(before, now, i, found[n - 1]):
            found[n] = i
            n += 1
        elif now[i, book.IS_CALL] == 0.0:
            last = found[n - 1]
            if now[last, book.IS_CALL] != 0.0 or now[last, book.STRIKE] < now[i, book.STRIKE]:
                found[n - 1] = i  # an inverse put of a larger strike, of others it makes no difference
    return found[:n]


@kernel("f8[:, ::1], f8[:, ::1], i8[::1], i8[::1], f8, f8, f8[::1], f8")
def part_drift(
    before: Floats, now: Floats, rows: Ints, holders: Ints, least_index: float, largest_index: float, shocks: Floats,
    level: float,
) -> float:  # fmt: skip
    """Return the largest RHO of those of some rows of one underlying that are held.

    before, now: float64[n, FIELDS] of `kernels.certificates.book`, a row's place being the same in both; rows:
    int64[k]; holders: int64[n], how many accounts hold a row; level: by how much the level of their class changed.
    """
    some = _unlike(before, now, rows, holders)
    n = some.shape[0]
    kind, is_call, code = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.bool_), np.empty((2, n), dtype=np.int64)
    parameters, fields = np.empty((2, n, surface.PARAMETERS)), np.empty((2, 5, n))
    strike, out = np.empty(n), np.empty((n, COLUMNS))
    for k in range(n):
        i = some[k]
        kind[k], is_call[k], strike[k] = int(now[i, book.KIND]), now[i, book.IS_CALL] != 0.0, now[i, book.STRIKE]
        for t in range(2):
            of = before[i] if t == 0 else now[i]
            code[t, k] = int(of[book.CODE])
            parameters[t, k] = of[book.SURFACE :]
            fields[t, 0, k], fields[t, 1, k], fields[t, 2, k] = of[book.BASIS] + 1.0, of[book.FUNDING], of[book.YEARS]
            fields[t, 3, k], fields[t, 4, k] = of[book.LOW], of[book.HIGH]
    one, two = fields[0], fields[1]
    drifts(
        kind, is_call, strike, least_index, largest_index, shocks, level, one[0], one[1], one[2], code[0],
        parameters[0], one[3], one[4], two[0], two[1], two[2], code[1], parameters[1], two[3], two[4], out,
    )  # fmt: skip
    most = 0.0
    for k in range(n):
        most = max(most, out[k, RHO])
    largest: float = most
    return largest
