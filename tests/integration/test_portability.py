"""Other CPUs give the same decisions: the kernels compiled for them, run here, against those compiled for this one."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.doctor.machine import features
from tests.support import ROOT

pytestmark = pytest.mark.portability

REL = 1e-12
HASWELL = (
    "+64bit,+avx,+avx2,+bmi,+bmi2,+cmov,+crc32,+cx16,+cx8,+f16c,+fma,+fsgsbase,+fxsr,+invpcid,+lzcnt,+mmx,+movbe,"
    "+pclmul,+popcnt,+rdrnd,+sahf,+sse,+sse2,+sse3,+sse4.1,+sse4.2,+ssse3,+xsave,+xsaveopt"
)
# Machines by what numba is told. "generic" is the x86-64 of 2003: SSE2, no fused multiply-add.
MACHINES = {
    "baseline": {"NUMBA_CPU_NAME": "generic"},
    "avx2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": HASWELL},
}


def machines() -> list[Any]:
    """The machines that this one can imitate and is not."""
    x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="only an x86-64 can imitate another one")
    same = pytest.mark.skipif("avx512f" not in features(), reason="no AVX-512 here: AVX2 would be compared with itself")
    return [pytest.param("baseline", marks=x86), pytest.param("avx2", marks=[x86, same])]


def computed(folder: Path, cache: Path | None, **environment: str) -> dict[str, Any]:
    """What `tests.portability` computes in a fresh process."""
    out = folder / "out.npz"
    kept = {"NUMBA_CACHE_DIR": str(cache)} if cache else {}
    subprocess.run(
        [sys.executable, "-m", "tests.portability", str(out)],
        cwd=ROOT, env={**os.environ, **kept, **environment}, check=True, timeout=900,
    )  # fmt: skip
    with np.load(out) as found:
        return {name: found[name] for name in found.files}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return computed(tmp_path_factory.mktemp("here"), None)


def largest(value: Any) -> float:
    """The largest magnitude of the floats in a decoded JSON value."""
    if isinstance(value, float):
        return abs(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max(map(largest, inner), default=0.0)


def differences(one: Any, two: Any, scale: float, path: str = "") -> list[str]:
    """Where two decoded JSON values differ: floats by more than REL of the scale, all else at all."""
    if isinstance(one, float) and isinstance(two, float):
        return [] if abs(one - two) <= REL * scale else [f"{path}: {one!r} {two!r}"]
    if isinstance(one, dict) and isinstance(two, dict) and one.keys() == two.keys():
        return [text for key in one for text in differences(one[key], two[key], scale, f"{path}.{key}")]
    if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        pairs = enumerate(zip(one, two, strict=True))
        return [text for i, (a, b) in pairs for text in differences(a, b, scale, f"{path}[{i}]")]
    return [] if type(one) is type(two) and one == two else [f"{path}: {one!r} {two!r}"]


@pytest.mark.timeout(900)  # all kernels are compiled for that machine
@pytest.mark.parametrize("machine", machines())
def test_another_cpu_gives_the_same_figures_and_decisions(
    machine: str, here: dict[str, Any], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Prices, Greeks, risk arrays, sweeps and requirements agree within 1e-12; bits, scenarios and events are equal."""
    assert pytestconfig.cache is not None
    cache = pytestconfig.cache.mkdir(f"kernels-{machine}")  # compiled once for as long as the kernels stay
    there = computed(tmp_path, cache, **MACHINES[machine])
    assert there.keys() == here.keys()
    for name in here.keys() - {"decisions"}:
        assert np.array_equal(np.isfinite(here[name]), np.isfinite(there[name])), name
        np.testing.assert_allclose(there[name], here[name], rtol=REL, atol=REL, err_msg=name)
    mine, theirs = json.loads(str(here["decisions"])), json.loads(str(there["decisions"]))
    events, others = mine.pop("events"), theirs.pop("events")
    assert mine == theirs
    assert len(events) == len(others) > 100
    assert {event["kind"] for event in events} >= {"margin_call", "liquidation"}
    # Attributions are differences of sums of money: their rounding is that of the event's largest amount.
    assert [differences(a, b, largest(a)) for a, b in zip(events, others, strict=True)] == [[]] * len(events)


def test_the_number_of_threads_changes_nothing(here: dict[str, Any], tmp_path: Path) -> None:
    """No kernel is parallel: with one thread or four the bits are the same."""
    for threads in ("1", "4"):
        again = computed(tmp_path, None, NUMBA_NUM_THREADS=threads, OMP_NUM_THREADS=threads)
        assert again.keys() == here.keys()
        assert all(np.array_equal(again[name], here[name], equal_nan=True) for name in here.keys() - {"decisions"})
        assert str(again["decisions"]) == str(here["decisions"])


def test_differences_are_seen() -> None:
    """A figure off by more than the tolerance, another word, a missing element: each is a difference."""
    one = {"a": [1.0, "call", 3], "b": None}
    assert largest(one) == 1.0
    assert differences(one, {"a": [1.0 + 1e-13, "call", 3], "b": None}, 1.0) == []
    assert differences(one, {"a": [1.0 + 1e-11, "call", 3], "b": None}, 1.0) == [".a[0]: 1.0 1.00000000001"]
    assert len(differences(one, {"a": [1.0, "warn", 4], "b": None}, 1.0)) == 2
    assert len(differences(one, {"a": [1.0, "call"], "b": None}, 1.0)) == 1
    assert len(differences(one, {"a": [1.0, "call", 3]}, 1.0)) == 1
