"""The coefficients of `kernels.polynomials`, computed anew: `python -m tests.coefficients` prints them.

Every one interpolates its function at Chebyshev nodes, in 60 digits: one linear system, no iteration, within a factor
of two or three of the best polynomial of its degree. `ERRORS` measures what is left, as the functions there use it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath

mp = mpmath.mp.clone()
mp.dps = 60

Real = Any  # mpmath's numbers have no types
Table = tuple[float, ...]

EXP_REACH = mp.log(2) / 2 * mp.mpf("1.001")  # rounding may choose the other of two neighbours beyond the middle
LOG_REACH = mp.mpf("0.2") ** 2  # (a - b)/(a + b) of a ratio within 2/3 .. 3/2, squared
MILLS_REACH, MILLS_SCALE = mp.mpf(38), mp.mpf(3)  # N(-38) is below the normal floats


def chebyshev(count: int) -> list[Real]:
    """Return the zeros of the Chebyshev polynomial of this degree, within (-1, 1)."""
    return [mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]


def interpolate(function: Callable[[Real], Real], nodes: list[Real]) -> list[Real]:
    """Return the coefficients, lowest first, of the polynomial through the nodes."""
    powers = mp.matrix([[x**j for j in range(len(nodes))] for x in nodes])
    return list(mp.lu_solve(powers, mp.matrix([function(x) for x in nodes])))


def exp_rest(x: Real) -> Real:
    """Return (e^x - 1 - x)/x^2."""
    return (mp.expm1(x) - x) / x**2 if x else mp.mpf("0.5")


def log_rest(z: Real) -> Real:
    """Return 2 (atanh(f)/f - 1)/f^2 with f^2 = z."""
    f = mp.sqrt(z)
    return 2 * (mp.atanh(f) / f - 1) / z if z else mp.mpf(2) / 3


def mills(x: Real) -> Real:
    """Return the Mills ratio N(-x)/n(x)."""
    return mp.sqrt(mp.pi / 2) * mp.exp(x * x / 2) * mp.erfc(x / mp.sqrt(2))


def exp_table() -> Table:
    """Return e^x on |x| <= ln(2)/2, its first two coefficients those of the series."""
    return (1.0, 1.0, *map(float, interpolate(exp_rest, [EXP_REACH * t for t in chebyshev(10)])))


def log_table() -> Table:
    """Return 2 atanh(f)/f in f^2, f = (a - b)/(a + b), for 2/3 <= a/b <= 3/2, its first coefficient the series'."""
    return (2.0, *map(float, interpolate(log_rest, [LOG_REACH * (1 + t) / 2 for t in chebyshev(7)])))


def mills_tables() -> tuple[Table, Table]:
    """Return P and Q of N(-x)/n(x) = P(x)/Q(x) on 0 <= x <= 38, degrees 9 and 10, Q(0) = 1.

    The nodes are Chebyshev's in t = (x - 3)/(x + 3), which puts half of them below 3.
    """
    degree = 9
    count = 2 * degree + 2
    top = (MILLS_REACH - MILLS_SCALE) / (MILLS_REACH + MILLS_SCALE)
    rows, values = [], []
    for t in chebyshev(count):
        s = -1 + (t + 1) / 2 * (top + 1)
        x = MILLS_SCALE * (1 + s) / (1 - s)
        y = mills(x)
        scale = (x + MILLS_SCALE) ** (degree + 1)
        rows.append([x**j / scale for j in range(degree + 1)] + [-y * x**j / scale for j in range(1, degree + 2)])
        values.append(y / scale)
    found = list(mp.lu_solve(mp.matrix(rows), mp.matrix(values)))
    numerator = tuple(float(c) for c in found[: degree + 1])
    return numerator, (1.0, *(float(c) for c in found[degree + 1 :]))


def tables() -> dict[str, Table]:
    """Return every table under its name in `kernels.polynomials`."""
    numerator, denominator = mills_tables()
    return {"EXP": exp_table(), "LOG": log_table(), "MILLS_P": numerator, "MILLS_Q": denominator}


def value(table: Table, x: Real) -> Real:
    """Return the polynomial of rounded coefficients at x, exactly."""
    return mp.fsum(mp.mpf(c) * x**power for power, c in enumerate(table))


def errors(points: int = 500) -> dict[str, Real]:
    """Return the largest relative error of each approximation, arithmetic apart."""
    found = tables()
    grid = [mp.mpf(i) / points for i in range(1, points + 1)]

    def exp_error(x: Real) -> Real:
        return value(found["EXP"], x) / mp.exp(x) - 1

    def log_error(z: Real) -> Real:
        f = mp.sqrt(z)
        return f * value(found["LOG"], z) / (2 * mp.atanh(f)) - 1

    def mills_error(x: Real) -> Real:
        return value(found["MILLS_P"], x) / value(found["MILLS_Q"], x) / mills(x) - 1

    return {
        "EXP": max(abs(exp_error(s * EXP_REACH * t)) for t in grid for s in (-1, 1)),
        "LOG": max(abs(log_error(LOG_REACH * t)) for t in grid),
        "MILLS to 2": max(abs(mills_error(2 * t)) for t in grid),
        "MILLS to 38": max(abs(mills_error(MILLS_REACH * t)) for t in grid),
    }


def header() -> str:
    """Return the tables as C, for the bounds in `benchmarks/c`."""
    lines = ["/* Written by `python -m tests.coefficients`. */"]
    for name, table in tables().items():
        lines.append(f"static const double {name}[] = {{{', '.join(map(repr, table))}}};")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for _name, _table in tables().items():
        print(f"{_name} = (\n" + "".join(f"    {c!r},\n" for c in _table) + ")")  # noqa: T201
    print(header())  # noqa: T201
    print({name: mp.nstr(error, 3) for name, error in errors().items()})  # noqa: T201
