"""The polynomials: where their numbers come from, and how exact they are as they run."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kernels import black76, polynomials
from kernels._jit import kernel
from tests import coefficients
from tests.property.kernels_oracle import mp, normal_cdf
from tests.support import ROOT


@kernel("f8[::1], f8[::1]")
def exp_of(x: Any, out: Any) -> None:
    """Write e^x, or zero, of each x."""
    for i in range(out.shape[0]):
        out[i] = polynomials.exp_or_zero(x[i])


@kernel("f8[::1], f8[::1], f8[::1]")
def log_of(a: Any, b: Any, out: Any) -> None:
    """Write ln(a/b) of each pair."""
    for i in range(out.shape[0]):
        out[i] = polynomials.log_ratio(a[i], b[i])


def worst(found: Any, expected: Callable[[int], Any]) -> float:
    """Return the largest relative error."""
    return float(max(abs(mp.mpf(float(y)) / expected(i) - 1) for i, y in enumerate(found)))


@pytest.fixture(scope="module")
def tables() -> dict[str, tuple[float, ...]]:
    """The coefficients, computed anew."""
    return coefficients.tables()


@pytest.mark.parametrize("name", ["EXP", "LOG", "MILLS_P", "MILLS_Q"])
def test_coefficients_are_regenerated_bit_for_bit(name: str, tables: dict[str, tuple[float, ...]]) -> None:
    """The generator gives exactly the coefficients in the kernels."""
    assert getattr(polynomials, name) == tables[name]


def test_the_bounds_in_c_have_the_same_coefficients(tables: dict[str, tuple[float, ...]]) -> None:
    """The header of the C side is what the generator writes."""
    assert (ROOT / "benchmarks" / "c" / "polynomials.h").read_text() == coefficients.header()
    assert set(re.findall(r"double (\w+)\[\]", coefficients.header())) == set(tables)


def test_each_approximation_has_the_error_written_beside_it() -> None:
    """The errors of the approximations are within what `kernels.polynomials` says of them."""
    found = coefficients.errors()
    limits = {"EXP": 1.7e-17, "LOG": 5.6e-17, "MILLS to 2": 7.4e-17, "MILLS to 38": 3.3e-16}
    assert {name for name, limit in limits.items() if found[name] > mp.mpf(limit)} == set()
    assert set(found) == set(limits)


def test_the_mills_ratio_has_no_coefficient_that_could_cancel() -> None:
    """All its coefficients are positive."""
    assert min(polynomials.MILLS_P + polynomials.MILLS_Q) > 0.0


def test_exponential() -> None:
    """e^x has a relative error of at most 2.3e-16 on all of its range, and is zero below it."""
    x = np.concatenate([np.linspace(-708.0, 709.0, 3_001), np.linspace(-1.0, 1.0, 1_001)])
    out = np.empty_like(x)
    exp_of(x, out)
    assert worst(out, lambda i: mp.exp(mp.mpf(float(x[i])))) <= 2.3e-16
    below, zero = np.array([-708.1, -1e4, -1e300]), np.ones(3)
    exp_of(below, zero)
    assert zero.tolist() == [0.0, 0.0, 0.0]


def test_logarithm() -> None:
    """ln(a/b) has a relative error of at most 5e-16, at ratios near one too."""
    rng = np.random.default_rng(3)
    near = 10.0 ** rng.uniform(-15.0, -0.5, 1_500) * rng.choice([-1.0, 1.0], 1_500)
    b = 10.0 ** rng.uniform(-100.0, 100.0, 4_500)
    ratio = np.concatenate(
        [1.0 + near, 10.0 ** rng.uniform(-1.0, 1.0, 1_500), 10.0 ** rng.uniform(-190.0, 190.0, 1_500)]
    )
    a = b * ratio
    keep = a != b
    a, b = a[keep], b[keep]
    out = np.empty_like(a)
    log_of(a, b, out)
    assert worst(out, lambda i: mp.log(mp.mpf(float(a[i])) / mp.mpf(float(b[i])))) <= 5e-16


def test_logarithm_is_antisymmetric() -> None:
    """ln(a/b) is -ln(b/a) bit for bit, a factor of one and a half from a power of two apart."""
    rng = np.random.default_rng(4)
    a, b = rng.uniform(0.5, 4.0, 5_000), rng.uniform(0.5, 4.0, 5_000)
    one, other = np.empty(5_000), np.empty(5_000)
    log_of(a, b, one)
    log_of(b, a, other)
    assert (one == -other).all()


def test_normal_distribution() -> None:
    """N(x) is within 1e-15 relative from -37 to 10, two orders below what is asked for."""
    x = np.concatenate([np.linspace(-37.0, 10.0, 3_000), -(10.0 ** np.linspace(-20.0, 0.0, 200))])
    found = [black76.normal_cdf(float(y)) for y in x]
    assert worst(found, lambda i: normal_cdf(mp.mpf(float(x[i])))) <= 1e-15


def test_normal_distribution_at_its_ends() -> None:
    """Beyond the floats N is exactly zero and one, and NaN stays NaN."""
    assert [black76.normal_cdf(x) for x in (-math.inf, -1e300, -38.0, 38.0, math.inf)] == [0.0, 0.0, 0.0, 1.0, 1.0]
    assert math.isnan(black76.normal_cdf(math.nan))
