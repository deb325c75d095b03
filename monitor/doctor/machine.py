"""The machine as Python, LLVM and the kernel of the system see it."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from monitor.doctor.finding import Finding, Outcome

DISTRIBUTIONS = ("numba", "llvmlite", "numpy", "faust-streaming", "aiokafka", "msgspec")
LEAST_NUMBA = (0, 62)  # 0.60 is known not to vectorise the kernels
MIB = 1 << 20
WARN_MEMORY, LEAST_MEMORY = 1024 * MIB, 256 * MIB
WARN_DISK, LEAST_DISK = 1024 * MIB, 64 * MIB
SLOW_CLOCK_NS = 500.0  # a vDSO clock takes 20 to 60
WIDTHS = ((512, ("avx512f",)), (256, ("avx2", "avx")), (128, ("sse2", "neon")))
# Switches of numba that make kernels slower, and the value that does no harm.
SWITCHES = {
    "NUMBA_DISABLE_JIT": "0",
    "NUMBA_LOOP_VECTORIZE": "1",
    "NUMBA_OPT": "3",
    "NUMBA_BOUNDSCHECK": "0",
    "NUMBA_DEBUGINFO": "0",
    "NUMBA_ENABLE_AVX": "1",
    "NUMBA_CPU_NAME": "",
    "NUMBA_CPU_FEATURES": "",
}


def versions() -> Finding:
    """Return the versions of what the kernels and the worker stand on."""
    import llvmlite.binding  # noqa: PLC0415 (numba's own import is slow: only where it is asked for)

    found: dict[str, str] = {"python": platform.python_version()}
    missing = []
    for name in DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    found["llvm"] = ".".join(map(str, llvmlite.binding.llvm_version_info))
    said = ", ".join(f"{name} {version}" for name, version in found.items())
    if missing:
        return Finding("versions", "failure", f"not installed: {', '.join(missing)}", "install the project's lock file")
    if tuple(int(part) for part in found["numba"].split(".")[:2]) < LEAST_NUMBA:
        least = ".".join(map(str, LEAST_NUMBA))
        return Finding(
            "versions", "failure", said, f"install numba {least} or later: older ones do not vectorise", found
        )
    return Finding("versions", "ok", said, values=found)


def width_bits(features: frozenset[str]) -> int:
    """Return the widest vectors of a CPU in bits, by its features as LLVM names them; at least 128."""
    return next((bits for bits, names in WIDTHS if features & set(names)), 128)


def features() -> frozenset[str]:
    """Return the features that numba compiles for: this CPU's, or those of NUMBA_CPU_NAME and NUMBA_CPU_FEATURES."""
    from numba.core import config  # noqa: PLC0415
    from numba.core.codegen import get_host_cpu_features  # noqa: PLC0415

    named = getattr(config, "CPU_FEATURES", None)
    flags = str(get_host_cpu_features() if named is None else named)  # type: ignore[no-untyped-call]
    return frozenset(flag[1:] for flag in flags.split(",") if flag.startswith("+"))


def cpu(found: frozenset[str]) -> Finding:
    """Return the CPU's name and the width of its vectors, and what to expect of narrow ones."""
    import llvmlite.binding  # noqa: PLC0415

    bits = width_bits(found)
    llvm_name = os.environ.get("NUMBA_CPU_NAME") or llvmlite.binding.get_host_cpu_name()
    fused = "fma" in found or platform.machine() == "aarch64"
    said = f"{_model()} ({llvm_name} to LLVM), {bits}-bit vectors, {'with' if fused else 'without'} fused multiply-add"
    values = {"model": _model(), "llvm_name": llvm_name, "width_bits": bits, "fused": fused}
    if bits > 128:
        return Finding("cpu", "ok", said, values=values)
    return Finding("cpu", "warning", said, "expect option kernels at a third of the speed of a CPU with AVX2", values)


def _model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def switches(environ: Mapping[str, str]) -> Finding:
    """Return the variables of numba's that slow the kernels down."""
    found = {
        name: environ[name] for name, harmless in SWITCHES.items() if environ.get(name, harmless) not in {harmless, ""}
    }
    if not found:
        return Finding("switches", "ok", "no variable slows numba down")
    said = ", ".join(f"{name}={value}" for name, value in found.items())
    outcome: Outcome = "failure" if "NUMBA_DISABLE_JIT" in found else "warning"
    return Finding("switches", outcome, said, f"unset {', '.join(found)}", found)


def cores() -> Finding:
    """Return how many cores this process may use and how busy they are."""
    usable, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    quota = _quota()
    said = f"{usable} of {os.cpu_count()} cores usable, load {load:.1f}"
    values = {"usable": usable, "present": os.cpu_count(), "load": load, "quota": quota}
    if quota is not None and quota < 1.0:
        said += f", held to {quota:.2f} cores"
        return Finding(
            "cores", "warning", said, "give the container a whole core: a tick waits for its next slice", values
        )
    if load > 1.5 * usable:
        return Finding(
            "cores", "warning", said, "other work holds the cores: ticks will be late and timings noisy", values
        )
    return Finding("cores", "ok", said, values=values)


def _quota() -> float | None:
    """Return the cores that a control group allows, None without a limit."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def _memory_bytes() -> int:
    """Return what is free: of the machine, or less where a control group allows less."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
    except OSError:
        return free
    return free if limit == "max" else min(free, int(limit) - used)


def memory() -> Finding:
    """Return the free memory."""
    free = _memory_bytes()
    outcome: Outcome = "failure" if free < LEAST_MEMORY else "warning" if free < WARN_MEMORY else "ok"
    remedy = "" if outcome == "ok" else "free some, or raise the limit: 100,000 accounts need about a GiB"
    return Finding("memory", outcome, f"{free / MIB:,.0f} MiB free", remedy, {"free_bytes": free})


def disks(data_dir: str | None) -> Iterator[Finding]:
    """Return the free disk under the temporary folder and under `data_dir`."""
    for place in dict.fromkeys((data_dir or tempfile.gettempdir(), tempfile.gettempdir())):
        folder = next(path for path in (Path(place), *Path(place).absolute().parents) if path.exists())
        free = shutil.disk_usage(folder).free
        outcome: Outcome = "failure" if free < LEAST_DISK else "warning" if free < WARN_DISK else "ok"
        remedy = "" if outcome == "ok" else "free some: changelogs of a local broker fill it"
        yield Finding("disk", outcome, f"{free / MIB:,.0f} MiB free under {place}", remedy, {"free_bytes": free})


class _Timex(ctypes.Structure):
    """The head of the system's `struct timex`; the rest is room for it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    )


UNSYNCHRONISED = 0x40  # of the status


def clock() -> Finding:
    """Return whether the clock is disciplined, by how much it may be off, and what reading it costs."""
    cost_ns = min(_cost_ns() for _ in range(5))
    state, call = _Timex(), getattr(ctypes.CDLL(None), "adjtimex", None)
    known = call is not None and call(ctypes.byref(state)) >= 0
    synchronised = known and not state.status & UNSYNCHRONISED
    error_ms = state.maxerror / 1000 if known else None
    values = {"read_ns": cost_ns, "synchronised": synchronised if known else None, "largest_error_ms": error_ms}
    said = f"{cost_ns:.0f} ns to read"
    if cost_ns > SLOW_CLOCK_NS:
        return Finding("clock", "warning", said, "choose a faster clock source, such as tsc or kvm-clock", values)
    if not known:
        return Finding("clock", "ok", f"{said}; whether it is synchronised cannot be told here", values=values)
    if not synchronised:
        return Finding(
            "clock",
            "warning",
            f"{said}, not synchronised",
            "run chrony or ntpd: freshness compares clocks of machines",
            values,
        )
    return Finding("clock", "ok", f"{said}, synchronised within {error_ms:.0f} ms", values=values)


def _cost_ns(reads: int = 20_000) -> float:
    start = time.perf_counter_ns()
    for _ in range(reads):
        time.time_ns()
    return (time.perf_counter_ns() - start) / reads
