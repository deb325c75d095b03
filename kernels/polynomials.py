"""Exponential, logarithm of a ratio and Mills ratio without branches or calls, so that loops over them are vectors.

Coefficients: lowest power first, from `tests/coefficients.py`, which interpolates in 60 digits at Chebyshev nodes;
errors are relative and of the approximation alone, in exact arithmetic with the rounded coefficients.
"""

from __future__ import annotations

import numpy as np

from kernels._jit import inlined
from kernels._operations import bits, from_bits, horner, muladd

# e^x = E(x), |x| <= ln(2)/2, error 1.7e-17.
EXP = (
    1.0,
    1.0,
    0.5000000000000001,
    0.16666666666666669,
    0.041666666666623824,
    0.008333333333330039,
    0.0013888888917367081,
    0.00019841269863171557,
    2.4801521057868204e-05,
    2.7557268276905696e-06,
    2.7620201591031547e-07,
    2.5100472505694996e-08,
)

# ln(a/b) = 2 atanh(f) = f L(f^2), f = (a - b)/(a + b), 2/3 <= a/b <= 3/2, error 5.6e-17.
LOG = (
    2.0,
    0.6666666666666693,
    0.3999999999934565,
    0.2857142883267973,
    0.22222183180681265,
    0.18184588603804439,
    0.15284232657100633,
    0.15113680893531198,
)

# N(-x)/n(x) = P(x)/Q(x), 0 <= x <= 38: error 7.3e-17 up to 2, 3.3e-16 up to 38, 2e-13 up to 64. All coefficients are
# positive: nothing cancels.
MILLS_P = (
    1.2533141373155003,
    1.9046653703366052,
    1.4344483763223792,
    0.6862203922470475,
    0.22736790268726795,
    0.0538546872660182,
    0.00911183670258546,
    0.0010645810690412742,
    7.841886601615087e-05,
    2.8071245742558533e-06,
)
MILLS_Q = (
    1.0,
    2.3175876532903144,
    2.493691619604065,
    1.6443703925897988,
    0.737974413487707,
    0.2363228796006817,
    0.05491365495388319,
    0.00919025554384677,
    0.0010673881940934484,
    7.841886601061448e-05,
    2.807124574284678e-06,
)

LOG2_E = 1.4426950408889634
LN2 = 0.6931471805599453
# ln 2 in two parts (Cody and Waite, 1980): the first has 32 bits, so n times it is exact up to n = 2^21.
LN2_HIGH = 0.6931471803691238
LN2_LOW = 1.9082149292705877e-10
TO_INTEGER = 6755399441055744.0  # 1.5 2^52: adding it rounds to an integer, which the low bits then hold
LEAST_EXPONENT = -708.0  # e^-708 = 3e-308, just above the least normal number

FRACTION_BITS = np.uint64(52)
EXPONENT_MASK = np.uint64(0xFFF0000000000000)
BIAS_AND_HALF = np.uint64(0x3FF8000000000000)  # 1023.5 in the exponent's place
TWO_52 = np.uint64(0x4330000000000000)
TWO_52_AND_BIAS = 4503599627371519.0  # 2^52 + 1023
TWO_54 = 18014398509481984.0


@inlined()
def exp(x: float) -> float:
    """Return e^x for -708 <= x <= 709: 2^n e^r with n = x log2(e), rounded, and r = x - n ln(2)."""
    shifted = muladd(x, LOG2_E, TO_INTEGER)
    n = shifted - TO_INTEGER
    r = muladd(n, -LN2_LOW, muladd(n, -LN2_HIGH, x))
    return from_bits(bits(horner(r, EXP)) + (bits(shifted) << FRACTION_BITS))


@inlined()
def exp_or_zero(x: float) -> float:
    """Return e^x for x <= 709, zero below -708: no subnormal number, on which many CPUs stumble."""
    power = exp(max(x, LEAST_EXPONENT))
    return power if x >= LEAST_EXPONENT else 0.0


@inlined()
def log_ratio(a: float, b: float) -> float:
    """Return ln(a/b) of two positive normal numbers at most 2^1000 apart, without cancellation near 1.

    n is log2(a/b) with mantissas taken as linear, rounded, which brings a/(b 2^n) within 2/3 and 3/2.
    """
    apart = bits(a) + BIAS_AND_HALF - bits(b)
    n = from_bits((apart >> FRACTION_BITS) | TWO_52) - TWO_52_AND_BIAS
    near = b * from_bits(apart & EXPONENT_MASK)  # the exponent alone is 2^n
    f = (a - near) / (a + near)
    return muladd(n, LN2, f * horner(f * f, LOG))
