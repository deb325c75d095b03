"""One decorator for all kernels, so that their compilation options are stated once.

* Explicit signatures compile (or load) at import and refuse every other type: an `int32` or strided array is a
  TypeError at once, never a silent second compilation between two ticks.
* `error_model="numpy"`: a division by zero gives infinity or NaN as in numpy, and the caller sees a degraded row.
* No `fastmath`, no `parallel`: NaN keeps its meaning and sums keep their order, so results repeat bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_Function = TypeVar("_Function", bound=Callable[..., object])


def kernel(signature: str) -> Callable[[_Function], _Function]:
    """Compile a function for exactly one signature, in numba's notation (`b1, f8[::1], i8`)."""
    return cast("Callable[[_Function], _Function]", njit(f"({signature},)", cache=True, error_model="numpy"))
