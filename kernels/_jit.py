"""One decorator for all kernels, so that their compilation options are stated once.

* A kernel is compiled, or loaded, at its first call or for the first kernel that calls it, and for its one declared
  signature: an `int32` or strided array is a TypeError, never a second compilation between two ticks. An import costs
  nothing; `kernels.warmup` makes the first calls before the first tick. A loaded kernel holds those that it calls.
* `error_model="numpy"`: a division by zero gives infinity or NaN as in numpy, and the caller sees a degraded row.
* No `parallel`, and sums keep their order, so results repeat bit for bit. `fast` allows LLVM everything but reordering
  (`FAST`): only for arrays that hold neither NaN nor infinity, which the caller has to make sure of.
* Machine code is cached, keyed by CPU, by LLVM's options and by the text of every module here (`kernels.machine_code`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeVar, cast

import llvmlite.binding
import numpy as np
from numba import njit
from numba.core import config
from numba.core.codegen import get_host_cpu_features
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import CPUDispatcher
from numpy.typing import NDArray

from kernels.machine_code import PackageCache

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Shorts = NDArray[np.int16]
Bools = NDArray[np.bool_]

_Function = TypeVar("_Function", bound=Callable[..., object])

# What numba compiles for: this CPU, or what NUMBA_CPU_NAME and NUMBA_CPU_FEATURES say.
_CHOSEN = cast("Any", config).CPU_FEATURES
FEATURES = frozenset((cast("Any", get_host_cpu_features)() if _CHOSEN is None else _CHOSEN).split(","))
FUSED = "+fma" in FEATURES

# Vectors side by side in a loop. With 32 registers two are best: each coefficient is loaded once for both. With 16 it
# is LLVM's own choice, one in loops with polynomials: two already keep results in memory (`docs/performance.md`).
if "+avx512f" in FEATURES:
    llvmlite.binding.set_option("kernels", "-force-vector-interleave=2")


@dataclass(slots=True)
class Tally:
    """How this process came by its machine code: kernels compiled and loaded, and the seconds of both."""

    compiled: int = 0
    loaded: int = 0
    seconds: float = 0.0


TALLY = Tally()
FAST = frozenset({"nsz", "arcp", "contract", "afn", "nnan", "ninf"})  # not `reassoc`: sums and splits keep their order


def inlined(*, fast: bool = False) -> Callable[[_Function], _Function]:
    """Mark a helper that becomes part of each kernel that calls it: a call inside a loop keeps LLVM from vectors.

    It takes any types. `fast` is as in `kernel`, and of the helper alone: a caller does not hand its own down.
    """

    def mark(function: _Function) -> _Function:
        return cast("_Function", njit(error_model="numpy", forceinline=True, fastmath=_flags(fast))(function))

    return mark


def _flags(fast: bool) -> set[str] | bool:
    return set(FAST) if fast else False


class Kernel(CPUDispatcher):
    """A function that is compiled or loaded when it is first needed, for its declared types and then for no other."""

    declared: str
    _can_compile: bool

    def compile(self, sig: object) -> Any:
        """Compile or load what was declared, whatever types the first call has; return its entry point."""
        del sig
        with global_compiler_lock:
            if self._can_compile:
                start, before = perf_counter(), TALLY.seconds
                self._cache = PackageCache(self.py_func)
                super().compile(self.declared)
                self.disable_compile()
                TALLY.seconds = before + perf_counter() - start  # kernels that this one calls are part of it
                if self.stats.cache_hits:
                    TALLY.loaded += 1
                else:
                    TALLY.compiled += 1
            found: Any
            (found,) = self.overloads.values()
            return found.entry_point

    def _compile_for_args(self, *args: object, **kws: object) -> Kernel:
        # What this returns numba calls with the arguments at hand. The entry point would take them for what was
        # declared; the dispatcher, which compiles nothing any more, looks at their types first.
        del args, kws
        self.compile(self.declared)
        return self


def kernel(signature: str, *, fast: bool = False) -> Callable[[_Function], _Function]:
    """Declare a function to be compiled for exactly one signature, in numba's notation (`b1, f8[::1], i8`)."""

    def mark(function: _Function) -> _Function:
        if config.DISABLE_JIT:  # type: ignore[attr-defined]
            return function  # NUMBA_DISABLE_JIT=1: a debugger steps through plain Python
        options = {
            "nopython": True,
            "boundscheck": None,  # numba's own switch decides
            # Nobody passes kernels as C callbacks: a wrapper less to compile for each.
            "no_cfunc_wrapper": True,
            # A kernel that is first needed inside another one would have what is not stated here from that one.
            "error_model": "numpy",
            "fastmath": _flags(fast),
            "forceinline": False,
        }
        made = Kernel(function, targetoptions=options)
        made.declared = f"({signature},)"
        return cast("_Function", made)

    return mark
