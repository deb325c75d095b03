"""Where machine code is kept: beside the modules, or wherever numba may write, under names that tell what made it.

numba's own key holds signature, CPU name, CPU features, numba and Python version and the function's own file. That is
not all that decides the code of a kernel: it holds the code of what it calls, and LLVM's options shape it. The names
here carry both (`docs/decisions/0031-kernel-cache.md`, `0143-shipped-machine-code.md`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
from numba.core import config
from numba.core.caching import Cache, CompileResultCacheImpl, InTreeCacheLocator, NullCache


def sources_digest(folder: Path) -> str:
    """Return the SHA-256 over names and contents of the Python files of a package and of those in it, in name order."""
    digest = hashlib.sha256()
    for name in sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py")):
        digest.update(name.encode() + b"\0" + (folder / name).read_bytes() + b"\0")
    return digest.hexdigest()


def _build() -> str:
    """Return 16 digits for all that decides machine code and is not in numba's key."""
    names = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK")
    options = {name: str(getattr(config, name)) for name in names}
    return hashlib.sha256(f"{SOURCES} {llvmlite.__version__} {options}".encode()).hexdigest()[:16]


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

    def __init__(self, py_func: Callable[..., object]) -> None:
        # Read wherever numba was told to write.
        switches: Any = config
        chosen, switches.CACHE_LOCATOR_CLASSES = getattr(config, "CACHE_LOCATOR_CLASSES", ""), ""
        try:
            super().__init__(py_func)  # type: ignore[no-untyped-call]
        finally:
            switches.CACHE_LOCATOR_CLASSES = chosen


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


class Kept(NamedTuple):
    """The folder for new machine code (None: nowhere), the folders read, and the files and bytes of BUILD in them."""

    folder: Path | None
    read: tuple[Path, ...]
    files: int
    size_bytes: int
    other_bytes: int


def _places(cache: Path) -> list[Path]:
    """Return where machine code of this package and of those in it is, `cache` being where that of this module is."""
    root = Path(__file__).parent
    packages = [root, *sorted(path.parent for path in root.glob("*/**/__init__.py"))]
    if cache.parent == root:
        return [package / cache.name for package in packages]
    subpath: Any = InTreeCacheLocator.get_suitable_cache_subpath
    return [cache.parent / subpath(str(package / "__init__.py")) for package in packages]


def kept() -> Kept:
    """Return what machine code of this package is kept; other_bytes is that of other builds."""
    own, shipped = _opened(_Own, sources_digest).cache_path, _opened(_Shipped, sources_digest).cache_path
    read = tuple(dict.fromkeys(place for path in (own, shipped) if path for place in _places(Path(path))))
    sizes = [(BUILD in path.name, path.stat().st_size) for place in read for path in place.glob("*.nb[ci]")]
    ours = [size for mine, size in sizes if mine]
    return Kept(Path(own) if own else None, read, len(ours), sum(ours), sum(size for mine, size in sizes if not mine))
