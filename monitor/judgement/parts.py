"""One run by several processes: each folds the whole market, and looks at its part of the accounts."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from monitor.judgement.configurations import Configuration
from monitor.judgement.paths import Paths, beside
from monitor.judgement.sampling import Sampling, sample
from monitor.replay.arrival import Merged
from monitor.replay.progress import OnStep


def in_parts(
    stream: Merged, configurations: tuple[Configuration, ...], sampling: Sampling, jobs: int, on_step: OnStep
) -> Paths:  # fmt: skip
    """Return what `sample` returns, by so many processes; the result is the same to the last bit."""
    if jobs <= 1:
        return sample(stream, configurations, sampling, on_step)
    shares = [replace(sampling, share=(number, jobs)) for number in range(jobs)]
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = beside(pool.map(sample, [stream] * jobs, [configurations] * jobs, shares))
    # Defaults are left out of canonical bytes by identity, which another process does not keep.
    own = zip(found.requirements, configurations, strict=True)
    return replace(found, requirements=tuple(replace(one, configuration=of) for one, of in own))
