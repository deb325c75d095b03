"""One decorator for all kernels, so that their compilation options are stated once.

* Explicit signatures compile (or load) at import and refuse every other type: an `int32` or strided array is a
  TypeError at once, never a silent second compilation between two ticks.
* `error_model="numpy"`: a division by zero gives infinity or NaN as in numpy, and the caller sees a degraded row.
* No `fastmath`, no `parallel`: NaN keeps its meaning and sums keep their order, so results repeat bit for bit.
* Machine code is cached beside the module, keyed by CPU and by the text of every module here
  (`docs/decisions/0031-kernel-cache.md`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
from numba import njit
from numba.core.caching import Cache, CompileResultCacheImpl
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_Function = TypeVar("_Function", bound=Callable[..., object])


def sources_digest(folder: Path) -> str:
    """Return the SHA-256 over names and contents of a folder's Python files, in name order."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


SOURCES = sources_digest(Path(__file__).parent)


class _PackageCacheFiles(CompileResultCacheImpl):
    """numba's cache files, with the state of this package in their names.

    numba looks at the function's own file only, while a kernel holds the machine code of what it calls: without
    this, a corrected `black76` would leave the old price inside `scenarios`.
    """

    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        base: str = super().get_filename_base(fullname, abiflags)  # type: ignore[no-untyped-call]
        return f"{base}.{SOURCES[:16]}"


class _PackageCache(Cache):
    _impl_class = _PackageCacheFiles  # type: ignore[assignment]


def kernel(signature: str) -> Callable[[_Function], _Function]:
    """Compile a function for exactly one signature, in numba's notation (`b1, f8[::1], i8`)."""

    def compile_now(function: _Function) -> _Function:
        dispatcher = njit(error_model="numpy")(function)
        if not isinstance(dispatcher, Dispatcher):
            return function  # NUMBA_DISABLE_JIT=1: a debugger steps through plain Python
        # Where no folder can be written (a read-only container), start slower rather than not at all.
        with suppress(RuntimeError):
            dispatcher._cache = _PackageCache(function)  # type: ignore[attr-defined, no-untyped-call]  # noqa: SLF001
        dispatcher.compile(f"({signature},)")
        dispatcher.disable_compile()
        return cast("_Function", dispatcher)

    return compile_now
