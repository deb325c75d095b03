"""The C side of a comparison, compiled on the spot for this very machine."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCES = Path(__file__).parent / "c"
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", "-shared", "-fPIC")


class NoCompilerError(RuntimeError):
    """Neither gcc nor clang is here, so there is no bound to compare with."""


def compilers() -> list[str]:
    """Return the C compilers of this machine; `CC` alone, if it is set."""
    chosen = os.environ.get("CC")
    return [chosen] if chosen else [name for name in ("gcc", "clang") if shutil.which(name)]


@functools.cache
def libraries(name: str) -> dict[str, ctypes.CDLL]:
    """Compile `benchmarks/c/NAME.c` with every compiler here; raises NoCompilerError without any."""
    found = compilers()
    if not found:
        raise NoCompilerError("a C compiler is needed for the bound: install gcc or clang")
    folder = Path(tempfile.mkdtemp(prefix="liqmon-bench-"))
    try:
        return {compiler: _load(compiler, SOURCES / f"{name}.c", folder) for compiler in found}
    finally:
        shutil.rmtree(folder)  # a loaded library stays mapped


def _load(compiler: str, source: Path, folder: Path) -> ctypes.CDLL:
    target = folder / f"{source.stem}-{compiler}.so"
    subprocess.run([compiler, *FLAGS, str(source), "-o", str(target), "-lm"], check=True)
    return ctypes.CDLL(str(target))
