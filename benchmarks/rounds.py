"""Interleaved timing: each round runs every form, so that a neighbour's load or a falling clock meets all alike."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping

ROUNDS = 9
SAMPLE_S = 0.02  # a sample repeats its form until it lasts this long: far above the clock's resolution

Form = Callable[[], object]


def medians(forms: Mapping[str, Form], *, rounds: int = ROUNDS, sample_s: float = SAMPLE_S) -> dict[str, float]:
    """Return the median time of one call of each form, seconds.

    Every form runs once before the clock does, and its repeats per sample are set once, from that warm state.
    """
    repeats = {name: _repeats(form, sample_s) for name, form in forms.items()}
    samples: dict[str, list[float]] = {name: [] for name in forms}
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, form in forms.items():
                samples[name].append(_time(form, repeats[name]) / repeats[name])
    finally:
        if was_enabled:
            gc.enable()
    return {name: statistics.median(found) for name, found in samples.items()}


def _repeats(form: Form, sample_s: float) -> int:
    form()
    once_s = min(_time(form, 1) for _ in range(3))
    return max(1, math.ceil(sample_s / max(once_s, 1e-9)))


def _time(form: Form, repeats: int) -> float:
    start_s = time.perf_counter()
    for _ in range(repeats):
        form()
    return time.perf_counter() - start_s
