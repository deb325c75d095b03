"""Where machine code is kept: beside the modules, or wherever numba may write, under names that tell what made it.

numba's own key holds signature, CPU name, CPU features, numba and Python version and the function's own file. That is
not all that decides the code of a kernel: it holds the code of what it calls, and LLVM's options shape it. The names
here carry both (`docs/decisions/0031-kernel-cache.md`, `0143-shipped-machine-code.md`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
from numba.core import config
from numba.core.caching import Cache, CompileResultCacheImpl, InTreeCacheLocator, NullCache


def sources_digest(folder: Path) -> str:
    """Return the SHA-256 over names and contents of a folder's Python files, in name order."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _build() -> str:
    """Return 16 digits for all that decides machine code and is not in numba's key."""
    options = (llvmlite.__version__, config.OPT, config.LOOP_VECTORIZE, config.SLP_VECTORIZE, config.BOUNDSCHECK)
    return hashlib.sha256(f"{SOURCES} {options}".encode()).hexdigest()[:16]


SOURCES = sources_digest(Path(__file__).parent)
BUILD = _build()


class _Files(CompileResultCacheImpl):
    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        base: str = super().get_filename_base(fullname, abiflags)  # type: ignore[no-untyped-call]
        return f"{base}.{BUILD}"


class _ShippedLocator(InTreeCacheLocator):
    def ensure_cache_path(self) -> None:
        if not Path(self.get_cache_path()).is_dir():  # type: ignore[no-untyped-call]
            raise FileNotFoundError


class _ShippedFiles(_Files):
    _locator_classes = [_ShippedLocator]  # noqa: RUF012 (numba's interface)


class _Own(Cache):
    _impl_class = _Files  # type: ignore[assignment]


class _Shipped(Cache):
    _impl_class = _ShippedFiles  # type: ignore[assignment]


def _opened(kind: Callable[[Any], Any], function: Callable[..., object]) -> Any:
    try:
        return kind(function)
    except RuntimeError:  # no folder for it
        return NullCache()


class PackageCache(NullCache):
    """Machine code from the folder that can be written or, failing that, from beside the module though read-only.

    An image whose code was compiled when it was built starts at once then, wherever its own files go. Where no folder
    can be written, a kernel that is found nowhere is compiled in memory: slower rather than not at all.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self._own: Any = _opened(_Own, function)
        self._shipped: Any = _opened(_Shipped, function)

    @property
    def cache_path(self) -> str | None:
        """Return the folder that new machine code goes to, None if there is none."""
        path: str | None = self._own.cache_path
        return path

    def load_overload(self, sig: object, target_context: object) -> object:
        """Return the machine code of one signature, None if it has to be compiled."""
        found: object = self._own.load_overload(sig, target_context)
        return self._shipped.load_overload(sig, target_context) if found is None else found

    def save_overload(self, sig: object, data: object) -> None:
        """Keep the machine code of one signature, if there is a folder for it."""
        self._own.save_overload(sig, data)


def folder() -> Path | None:
    """Return the folder that this package's new machine code goes to, None if none can be written."""
    path = PackageCache(sources_digest).cache_path
    return Path(path) if path else None
