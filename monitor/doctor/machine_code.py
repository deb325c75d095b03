"""Where the kernels' machine code is kept, and how long a process takes to get it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kernels
from kernels.machine_code import BUILD, kept
from monitor.doctor.finding import Finding

ROOT = Path(kernels.__path__[0]).parent
MIB = 1 << 20
WARN_OLD = 200 * MIB
TIMEOUT_S = 900.0
PROGRAM = (
    "import json, time; start = time.perf_counter(); from kernels.warmup import warm_up; told = warm_up()._asdict();"
    "print(json.dumps({**told, 'all_s': time.perf_counter() - start}))"
)


def cache() -> Finding:
    """Return the folder of compiled kernels and what is in it."""
    found = kept()
    values = {
        "folder": str(found.folder) if found.folder else None,
        "build": BUILD,
        "files": found.files,
        "size_bytes": found.size_bytes,
        "other_builds_bytes": found.other_bytes,
    }
    size = f"{found.files} files, {found.size_bytes / MIB:.1f} MiB, of build {BUILD}"
    key = "named by sources and LLVM, indexed by CPU"
    if found.folder is None:
        remedy = "set NUMBA_CACHE_DIR to a folder that can be written, or compile where the image is built"
        if found.files:
            return Finding("cache", "ok", f"read-only, {size} beside the package; {key}", values=values)
        return Finding("cache", "warning", "no folder can be written: every start compiles everything", remedy, values)
    said = f"{found.folder} can be written; {size}; {key}"
    if found.other_bytes > WARN_OLD:
        old = f"{found.other_bytes / MIB:.0f} MiB of other builds"
        return Finding("cache", "warning", f"{said}; {old}", "delete the folder: it fills itself again", values)
    return Finding("cache", "ok", said, values=values)


def _start(environ: Mapping[str, str], root: Path = ROOT) -> dict[str, Any]:
    """Return what a fresh process says of the warm-up of the kernels below `root`."""
    path = os.pathsep.join(filter(None, [environ.get("PYTHONPATH"), str(root)]))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=root, env={**environ, "PYTHONPATH": path}, capture_output=True, text=True,
        timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise RuntimeError(last)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def warm_up(*, cold: bool, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Start fresh processes and return how long they take: from the cache, and (`cold`) with an empty one."""
    try:
        first = _start(environ)
        if first["compiled"]:
            yield _told("warm-up", "cold", first)
            first = _start(environ)
        yield _from_cache(first)
        if cold:
            yield _told("warm-up", "cold", _cold(environ))
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        yield Finding("warm-up", "failure", f"the kernels do not load: {error}", "reinstall numba and this package")


def _cold(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what a process says that starts from a copy of the sources: no machine code is beside it."""
    with tempfile.TemporaryDirectory(prefix="liqmon-doctor-") as folder:
        shutil.copytree(ROOT / "kernels", Path(folder, "kernels"), ignore=shutil.ignore_patterns("__pycache__"))
        return _start({**environ, "NUMBA_CACHE_DIR": str(Path(folder, "code"))}, Path(folder))


def _told(name: str, which: str, told: dict[str, Any]) -> Finding:
    said = f"{which}: {told['load_s']:.1f} s for {told['compiled']} kernels compiled and {told['loaded']} loaded"
    return Finding(name, "ok", f"{said}; first calls {told['first_calls_s'] * 1000:.1f} ms", values=told)


def _from_cache(told: dict[str, Any]) -> Finding:
    if not told["compiled"]:
        return _told("warm-up", "from the cache", told)
    return Finding(
        "warm-up", "warning", f"{told['compiled']} kernels are compiled at every start, {told['load_s']:.1f} s",
        "let the cache's folder be written, or set NUMBA_CACHE_DIR", told,
    )  # fmt: skip
