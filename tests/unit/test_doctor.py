"""What `liqmon doctor` says and how it judges; whether this machine is healthy is not asked."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numba.core.dispatcher import Dispatcher

from kernels import selfcheck
from kernels.selfcheck import LEAST_GAIN, Pair
from monitor.cli import liqmon
from monitor.config import Settings
from monitor.doctor import broker, machine, machine_code
from monitor.doctor.finding import Finding
from monitor.doctor.run import examine, exit_code
from monitor.doctor.vectors import ATTEMPTS, Timings, check, measure
from monitor.errors import ExitCode
from tests.support import ROOT

OK, WARNING, FAILURE = (Finding("x", outcome, "") for outcome in ("ok", "warning", "failure"))
UNREACHABLE = Finding("broker", "failure", "", values={"reachable": False})
PAIR = Pair("a kernel", 100, lambda: None, lambda: None, LEAST_GAIN)


def timings(gain: float, noise: float = 0.0) -> Timings:
    """Rounds in which vectors gain so much, give or take the noise."""
    swing = (1.0 - noise, 1.0, 1.0 + noise, 1.0 - noise, 1.0 + noise)
    return Timings((1e-6,) * len(swing), tuple(gain * 1e-6 * one for one in swing))


def judged(width_bits: int, *attempts: Timings) -> tuple[Finding, int]:
    """The finding on given timings, and how many of them were asked for."""
    asked: Iterator[Timings] = iter(attempts)
    (finding,) = check([PAIR], width_bits, lambda _pair: next(asked))
    return finding, len(attempts) - len(list(asked))


# --- vectors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("width_bits", [128, 256, 512])
def test_a_gain_that_the_width_must_reach_is_ok_at_once(width_bits: int) -> None:
    """A steady measurement at the least gain passes without a second one."""
    finding, asked = judged(width_bits, timings(LEAST_GAIN[width_bits]), timings(1.0))
    assert (finding.outcome, asked) == ("ok", 1)


@pytest.mark.parametrize("width_bits", [128, 256, 512])
def test_a_kernel_without_vectors_fails_on_every_width(width_bits: int) -> None:
    """A gain of one is a failure that says what to do, after all attempts."""
    finding, asked = judged(width_bits, *[timings(1.0)] * ATTEMPTS)
    assert (finding.outcome, asked) == ("failure", ATTEMPTS)
    assert finding.remedy
    assert finding.values["gain"] == pytest.approx(1.0)


def test_half_the_width_fails() -> None:
    """Vectors of 128 bits, where the CPU has 256, are too slow to be what was meant."""
    assert judged(256, *[timings(1.9)] * ATTEMPTS)[0].outcome == "failure"


def test_noise_is_measured_again() -> None:
    """A restless measurement is repeated, whatever it says."""
    assert judged(256, timings(3.5, noise=0.5), timings(3.5))[1] == 2


def test_the_steadiest_measurement_decides() -> None:
    """Load can make a kernel without vectors look fast, and one with vectors slow: neither counts."""
    restless = [timings(4.0, noise=0.6)] * (ATTEMPTS - 1)
    assert judged(256, *restless, timings(1.0, noise=0.2))[0].outcome == "failure"
    restless = [timings(1.0, noise=0.6)] * (ATTEMPTS - 1)
    assert judged(256, *restless, timings(3.5, noise=0.2))[0].outcome == "ok"


def test_timings_are_of_the_two_forms() -> None:
    """Both forms run the same number of times, interleaved."""
    calls: list[str] = []
    found = measure(Pair("", 1, lambda: calls.append("vector"), lambda: calls.append("scalar"), LEAST_GAIN))
    assert len(found.vector_s) == len(found.scalar_s) > 10
    assert min(*found.vector_s, *found.scalar_s) > 0.0
    changes = sum(one != two for one, two in pairwise(calls))
    assert changes >= 2 * len(found.vector_s) - 1


def test_the_polynomial_is_the_exponential() -> None:
    """The kernel that is timed computes what it says, to the last digit or two."""
    x, out = np.linspace(-1.0, 1.0, 1_001), np.empty(1_001)
    selfcheck.exponential(x, out)
    assert out == pytest.approx([math.exp(one) for one in x], rel=5e-16)


def vector_operations(function: Any) -> int:
    """How many packed multiplications are in a kernel's machine code."""
    (code,) = function.inspect_asm().values()
    return sum(word in code for word in ("mulpd", "fmadd132pd", "fmadd213pd", "fmadd231pd", "fmul.2d", "fmla.2d"))


def test_a_twin_has_no_vectors_and_the_same_values() -> None:
    """The twin of a kernel, called kernels included, is compiled without vectors and computes the same."""
    plain = selfcheck.twin(selfcheck.exponential)
    assert isinstance(plain, Dispatcher)
    assert vector_operations(plain) == 0
    x = np.linspace(-1.0, 1.0, selfcheck.ROWS)
    one, two = np.empty_like(x), np.empty_like(x)
    selfcheck.exponential(x, one)
    plain(x, two)
    assert one == pytest.approx(two, rel=1e-15)


def test_the_production_kernel_of_options_is_timed_too() -> None:
    """Doctor times the polynomial and the Greeks, each with its twin, and both of them run."""
    polynomial, greeks = selfcheck.pairs()
    assert (polynomial.rows, greeks.rows) == (selfcheck.ROWS, selfcheck.ROWS)
    assert greeks.name == "Black-76 Greeks"
    greeks.vector()
    greeks.scalar()


@pytest.mark.parametrize(("switch", "vectors"), [({}, True), ({"NUMBA_LOOP_VECTORIZE": "0"}, False)])
def test_what_disables_vectors_disables_those_of_the_kernel(switch: dict[str, str], vectors: bool) -> None:
    """With the compiler's vectoriser off the timed kernel is its own twin, so its gain is one; else it is not."""
    program = (
        "from kernels.selfcheck import exponential, recompiled; from tests.unit.test_doctor import vector_operations;"
        "anew = recompiled(exponential); anew.compile(exponential.declared); print(vector_operations(anew) > 0)"
    )
    environment = {**os.environ, **switch}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(vectors)


# --- machine ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "width_bits"),
    [
        ({"sse2", "avx", "avx2", "avx512f"}, 512),
        ({"sse2", "avx", "avx2"}, 256),
        ({"sse2", "fma"}, 128),
        ({"neon"}, 128),
        (set(), 128),
    ],
)
def test_the_width_of_vectors(features: set[str], width_bits: int) -> None:
    """The widest vectors that the features name; 128 bits at least, as on every 64-bit CPU."""
    assert machine.width_bits(frozenset(features)) == width_bits


def test_a_cpu_without_wide_vectors_is_told_what_to_expect() -> None:
    """SSE2 alone is a warning with an expectation, AVX2 is not."""
    assert machine.cpu(frozenset({"avx2", "fma"})).outcome == "ok"
    narrow = machine.cpu(frozenset({"sse2"}))
    assert (narrow.outcome, bool(narrow.remedy)) == ("warning", True)


@pytest.mark.parametrize(
    ("environ", "outcome"),
    [
        ({}, "ok"),
        ({"NUMBA_OPT": "3", "NUMBA_LOOP_VECTORIZE": "1", "NUMBA_DISABLE_JIT": "0"}, "ok"),
        ({"NUMBA_OPT": "0"}, "warning"),
        ({"NUMBA_CPU_NAME": "generic"}, "warning"),
        ({"NUMBA_DISABLE_JIT": "1"}, "failure"),
    ],
)
def test_switches_that_slow_numba_down(environ: dict[str, str], outcome: str) -> None:
    """Each variable that costs speed is named; no compilation at all is a failure."""
    finding = machine.switches(environ)
    assert finding.outcome == outcome
    assert set(finding.values) == (set(environ) if outcome != "ok" else set())


def test_the_machine_is_described() -> None:
    """Versions, cores, memory, disk and clock have values for a program to read."""
    assert machine.versions().values["numba"]
    assert machine.cores().values["usable"]
    assert machine.memory().values["free_bytes"]
    assert [finding.values["free_bytes"] for finding in machine.disks("not/there/yet")]
    assert machine.clock().values["read_ns"]


# --- machine code -------------------------------------------------------------------------------


def test_the_cache_is_described() -> None:
    """Folder, build and size of the compiled kernels."""
    finding = machine_code.cache()
    assert finding.values["build"]
    assert finding.values["size_bytes"]


def test_a_process_that_cannot_load_the_kernels_is_a_failure(tmp_path: Path) -> None:
    """The last line of what went wrong is told."""
    (tmp_path / "numba.py").write_text("raise ImportError('numba is broken here')")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    (finding,) = machine_code.warm_up(cold=False, environ=environ)
    assert finding.outcome == "failure"
    assert "numba is broken here" in finding.said


# --- broker -------------------------------------------------------------------------------------


def test_a_broker_that_does_not_answer_is_a_failure() -> None:
    """A port that nobody listens on is not reachable; an address that is none is wrong."""
    (silent,) = broker.choice(Settings(broker_url="127.0.0.1:1"))
    assert (silent.outcome, silent.values) == ("failure", {"reachable": False})
    (wrong,) = broker.choice(Settings(broker_url="nonsense"))
    assert (wrong.outcome, wrong.values) == ("failure", {})


def test_a_broker_to_start_is_named() -> None:
    """Without BROKER_URL the finding is about the one that commands would start."""
    (asked,) = broker.choice(Settings(local_broker="tansu"))
    assert "Tansu" in asked.said + asked.remedy
    (kafka,) = broker.choice(Settings(local_broker="kafka"))
    assert (kafka.outcome, "Apache Kafka" in kafka.said) == ("ok", True)


# --- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([OK, WARNING], ExitCode.OK),
        ([OK, FAILURE], ExitCode.FINDINGS),
        ([OK, UNREACHABLE], ExitCode.UNREACHABLE),
        ([FAILURE, UNREACHABLE], ExitCode.FINDINGS),
    ],
)
def test_the_exit_code(findings: list[Finding], code: ExitCode) -> None:
    """0 without a failure, 3 for a broker alone, 1 for anything else."""
    assert exit_code(findings) is code


def test_the_command_prints_every_check() -> None:
    """One object whose findings cover all checks, each that is not ok with a remedy, and the exit code it returns."""
    result = CliRunner().invoke(liqmon, ["doctor", "--json"], standalone_mode=False, env={"BROKER_URL": "127.0.0.1:1"})
    told = json.loads(result.output)
    assert result.return_value == told["exit_code"] in {ExitCode.FINDINGS, ExitCode.UNREACHABLE}
    names = {finding["name"] for finding in told["findings"]}
    assert names == {
        "versions", "cpu", "switches", "cores", "vectors", "warm-up", "cache", "memory", "disk", "clock", "kafka",
        "broker", "security",
    }  # fmt: skip
    assert all(finding["remedy"] for finding in told["findings"] if finding["outcome"] != "ok")


def test_a_check_that_cannot_be_made_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that raises is a failure of its own, and the rest is still told."""

    def broken() -> Finding:
        raise OSError("no such thing here")

    monkeypatch.setattr(machine, "memory", broken)
    monkeypatch.setattr(machine_code, "warm_up", lambda **_: iter(()))
    findings = {finding.name: finding for finding in examine(Settings())}
    assert findings["memory"].outcome == "failure"
    assert "disk" in findings
    assert "broker" in findings
