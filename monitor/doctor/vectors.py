"""Does LLVM vectorise here? Judged by time, kernel against kernel without vectors, never by the look of the code."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from kernels.selfcheck import Pair
from monitor.doctor.finding import Finding

ROUNDS = 21
SAMPLE_S = 0.001  # shorter than a time slice: most rounds of a busy machine are still undisturbed
ATTEMPTS = 5
STEADY = 0.15  # spread of a measurement that needs no repeat

DISABLING = ("NUMBA_DISABLE_JIT", "NUMBA_LOOP_VECTORIZE", "NUMBA_OPT", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds of one call in each of several interleaved rounds, with vectors and without."""

    vector_s: tuple[float, ...]
    scalar_s: tuple[float, ...]

    @property
    def gain(self) -> float:
        """Return the median over rounds of time without vectors over time with them."""
        return statistics.median(self._ratios())

    @property
    def spread(self) -> float:
        """Return the middle half of the rounds' ratios, relative to their median."""
        low, _, high = statistics.quantiles(self._ratios(), n=4)
        return (high - low) / self.gain

    def _ratios(self) -> list[float]:
        return [scalar / vector for vector, scalar in zip(self.vector_s, self.scalar_s, strict=True)]


Measure = Callable[[Pair], Timings]


def measure(pair: Pair) -> Timings:
    """Time both forms of a pair in turns, so that load and clock meet them alike."""
    repeats = max(1, round(SAMPLE_S / max(min(_timed(pair.scalar, 1) for _ in range(3)), 1e-9)))
    _timed(pair.vector, repeats)
    rounds = [(_timed(pair.vector, repeats), _timed(pair.scalar, repeats)) for _ in range(ROUNDS)]
    return Timings(tuple(vector for vector, _ in rounds), tuple(scalar for _, scalar in rounds))


def _timed(form: Callable[[], object], repeats: int) -> float:
    start_s = time.perf_counter()
    for _ in range(repeats):
        form()
    return (time.perf_counter() - start_s) / repeats


def check(pairs: Iterable[Pair], width_bits: int, timed: Measure = measure) -> list[Finding]:
    """Return a finding for each pair on a machine with vectors of `width_bits`: 512, 256 or 128."""
    return [judge(pair, _attempts(pair, pair.least_gain[width_bits], timed), width_bits) for pair in pairs]


def _attempts(pair: Pair, least: float, timed: Measure) -> list[Timings]:
    """Time until a steady measurement passes, or the attempts are used up."""
    attempts: list[Timings] = []
    while len(attempts) < ATTEMPTS:
        attempts.append(timed(pair))
        if attempts[-1].gain >= least and attempts[-1].spread <= STEADY:
            break
    return attempts


def judge(pair: Pair, attempts: Sequence[Timings], width_bits: int) -> Finding:
    """Return what the measurements of one kernel say; the steadiest one counts."""
    best = min(attempts, key=lambda timings: timings.spread)
    name, least = pair.name, pair.least_gain[width_bits]
    ns = statistics.median(best.vector_s) / pair.rows * 1e9
    values = {"gain": best.gain, "least": least, "spread": best.spread, "ns_per_row": ns, "attempts": len(attempts)}
    said = f"{name}: {best.gain:.1f} times faster with {width_bits}-bit vectors than without ({ns:.2f} ns a row)"
    if best.gain >= least:
        return Finding("vectors", "ok", said, values=values)
    return Finding(
        "vectors",
        "failure",
        f"numba/LLVM does not vectorise here: {name} gains {best.gain:.2f} by {width_bits}-bit vectors, not {least}",
        f"install the pinned numba and llvmlite, and unset {', '.join(DISABLING)}; option kernels are several times"
        " slower until then",
        values,
    )
