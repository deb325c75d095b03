"""Logarithm and normal quantile that have the same bits on every processor.

Libraries choose their logarithm by processor, and its last digit with it. Here are products, sums, quotients and roots
only, rounded apart (a `kernel` without `fast` is never fused), so the draws of a parameter set are the same everywhere.
Normal quantile: Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988): error of the approximation 1e-16.
"""

from __future__ import annotations

import math

import numpy as np

from kernels._jit import Floats, inlined, kernel
from kernels._operations import bits, from_bits
from kernels.polynomials import LOG

LN2_HIGH = 0.6931471805598903  # 43 bits, so that its product with an exponent is exact
LN2_LOW = 5.497923018708371e-14
SQRT_2 = 1.4142135623730951
FRACTION = np.uint64((1 << 52) - 1)
ONE = np.uint64(1023 << 52)
MANTISSA_BITS = np.uint64(52)

CENTRE_P = (
    3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
    4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
)  # fmt: skip
CENTRE_Q = (
    1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
    3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3,
)  # fmt: skip
MIDDLE_P = (
    1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
    1.27045825245236838258, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
)  # fmt: skip
MIDDLE_Q = (
    1.0, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
    1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
)  # fmt: skip
FAR_P = (
    6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 2.96560571828504891230e-1,
    2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
)  # fmt: skip
FAR_Q = (
    1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
    7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15,
)  # fmt: skip


@inlined()
def _polynomial(coefficients: tuple[float, ...], x: float) -> float:
    total = coefficients[7]
    for k in range(6, -1, -1):
        total = total * x + coefficients[k]
    return total


@inlined()
def _log(x: float) -> float:
    word = bits(x)
    exponent = int(word >> MANTISSA_BITS) - 1023
    mantissa = from_bits((word & FRACTION) | ONE)
    if mantissa > SQRT_2:
        mantissa *= 0.5
        exponent += 1
    f = (mantissa - 1.0) / (mantissa + 1.0)
    return exponent * LN2_HIGH + (f * _polynomial(LOG, f * f) + exponent * LN2_LOW)


@inlined()
def _normal_quantile(p: float) -> float:
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return q * (_polynomial(CENTRE_P, r) / _polynomial(CENTRE_Q, r))
    r = math.sqrt(-_log(p if q < 0.0 else 1.0 - p))
    if r <= 5.0:
        r -= 1.6
        x = _polynomial(MIDDLE_P, r) / _polynomial(MIDDLE_Q, r)
    else:
        r -= 5.0
        x = _polynomial(FAR_P, r) / _polynomial(FAR_Q, r)
    return -x if q < 0.0 else x


@kernel("f8[::1], f8[::1]")
def logarithms(x: Floats, out: Floats) -> None:
    """Write natural logarithms: x, out float64[n], x positive, finite and not subnormal; relative error 4e-16."""
    for i in range(x.shape[0]):
        out[i] = _log(x[i])


@kernel("f8[::1], f8[::1]")
def normal_quantiles(p: Floats, out: Floats) -> None:
    """Write what a standard normal number is below with probability p, in (0, 1): float64[n]; relative error 1e-15."""
    for i in range(p.shape[0]):
        out[i] = _normal_quantile(p[i])
