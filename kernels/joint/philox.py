"""Random numbers by position: Philox4x32-10, a counter enciphered by a key.

Number i of a stream is a function of (seed, stream, i) alone: it can be computed without those before it, and streams
do not overlap. Integer arithmetic, so the same everywhere. Source: Salmon, Moraes, Dror and Shaw, Parallel random
numbers: as easy as 1, 2, 3 (2011); test vectors of their Random123.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kernels._jit import Floats, inlined, kernel

Words: TypeAlias = NDArray[np.uint64]

ROUNDS = 10
LOW = np.uint64(0xFFFF_FFFF)
HALF = np.uint64(32)
MULTIPLY_0, MULTIPLY_1 = np.uint64(0xD251_1F53), np.uint64(0xCD9E_8D57)
ADD_0, ADD_1 = np.uint64(0x9E37_79B9), np.uint64(0xBB67_AE85)
TOP = np.uint64(12)  # bits dropped of 64
SPACING = 2.0**-52


@inlined()
def _words(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, k0: np.uint64, k1: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    for _ in range(ROUNDS):
        a, b = MULTIPLY_0 * c0, MULTIPLY_1 * c2
        c0, c1, c2, c3 = (b >> HALF) ^ c1 ^ k0, b & LOW, (a >> HALF) ^ c3 ^ k1, a & LOW
        k0, k1 = (k0 + ADD_0) & LOW, (k1 + ADD_1) & LOW
    return c0, c1, c2, c3


@kernel("u8[::1], u8[::1], u8[::1]")
def words(counter: Words, key: Words, out: Words) -> None:
    """Write the four words of 32 bits of one counter (four words) under one key (two words)."""
    out[0], out[1], out[2], out[3] = _words(counter[0], counter[1], counter[2], counter[3], key[0], key[1])


@kernel("u8, u8, f8[::1]")
def uniforms(seed: np.uint64, stream: np.uint64, out: Floats) -> None:
    """Write the first numbers of a stream, float64[n], uniform in (0, 1): odd multiples of 2^-53.

    Neither 0 nor 1 can occur, and 1 - u is exact and as likely as u. Two numbers come of one counter.
    """
    for i in range(0, out.shape[0], 2):
        count = np.uint64(i // 2)
        w0, w1, w2, w3 = _words(count & LOW, count >> HALF, stream & LOW, stream >> HALF, seed & LOW, seed >> HALF)
        out[i] = (float((w0 << HALF | w1) >> TOP) + 0.5) * SPACING
        if i + 1 < out.shape[0]:
            out[i + 1] = (float((w2 << HALF | w3) >> TOP) + 0.5) * SPACING
