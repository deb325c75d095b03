"""What a hedge leaves of one segment's loss curve, eight moves at a time.

    residual = max over j of losses[j] + w m_j
"""

from __future__ import annotations

import math

from kernels import vectors
from kernels._jit import Floats, inlined
from kernels.vectors import LANES

@inlined()
def keep_curve(losses: Floats, at: int, moves: Floats, w: float, pool: Floats, to: int) -> float:
    """Copy a curve to `pool[to : to + width]`, and return the max over j of `losses[at + j] + w moves[j]`.

    The same as `kernels.netting.residual` to the last bit. The curve is finite or NaN throughout, as
    `kernels.segment_curves` leaves it.
    """
    width = moves.shape[0]
    largest = -math.inf
    if width >= LANES:
        hedge, most = vectors.splat(w), vectors.splat(-math.inf)
        for group in range(0, width, LANES):
            j = min(group, width - LANES)
            curve = vectors.load(losses, at + j)
            vectors.store(pool, to + j, curve)
            most = vectors.larger(vectors.add(curve, vectors.multiply(hedge, vectors.load(moves, j))), most)
        largest = vectors.largest_of(most)
    else:
        for j in range(width):
            pool[to + j] = losses[at + j]
            largest = max(largest, losses[at + j] + w * moves[j])
    return math.nan if math.isnan(losses[at] + w) else largest
