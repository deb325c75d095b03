"""Many seeds: what they showed together, and the seeds that are kept because they found something."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulator.plan import draw_plan
from tests.simulator.run import Outcome, run_seed

KEPT = Path(__file__).parent / "seeds.txt"
LONG = 2_000
"""Records of one seed in a long run."""
SHORT = 100
"""Records of one seed in the test run, so that 200 seeds take a minute."""


@dataclass
class Campaign:
    """Sums over seeds: `killed` is how many runs count, because something was killed in them."""

    seeds: int = 0
    killed: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    failed: list[Outcome] = field(default_factory=list)

    def run(self, seed: int, records: int) -> Outcome:
        """Run one seed and add it up."""
        outcome = run_seed(draw_plan(seed, records))
        self.seeds += 1
        self.killed += outcome.counts_as_run
        self.counts += outcome.counts
        self.figures += outcome.figures
        if outcome.failures:
            self.failed.append(outcome)
        return outcome


def told(outcome: Outcome) -> str:
    """Say what a seed is and what it showed."""
    plan = outcome.plan
    lines = [f"seed {plan.seed} ({plan.order} order, {plan.workers} workers, {plan.partitions} partitions)"]
    lines += [f"  {failure}" for failure in outcome.failures[:10]]
    lines.append(f"  faults: {dict(sorted(outcome.counts.items()))}")
    lines.append(f"  again: python -m tests.simulator --first {plan.seed} --seeds 1 --records {plan.records}")
    return "\n".join(lines)


def kept_seeds(path: Path = KEPT) -> list[tuple[int, int]]:
    """Return the kept seeds with their numbers of records."""
    lines = [line.split("#")[0].split() for line in path.read_text().splitlines()]
    return [(int(line[0]), int(line[1])) for line in lines if line]


def keep(outcome: Outcome, path: Path = KEPT) -> None:
    """Append a seed to the kept ones, once."""
    entry = (outcome.plan.seed, outcome.plan.records)
    if entry not in kept_seeds(path):
        with path.open("a") as file:
            file.write(f"{entry[0]} {entry[1]}  # {outcome.failures[0][:80]}\n")
