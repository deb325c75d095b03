"""What a fault module gets: how often, on which brokers, and where its row goes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.faults.cluster import Cluster
from tests.faults.feed import Order
from tests.faults.stage import Stage
from tests.faults.table import Row

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """How often and how faults are met.

    `full` counts are those before a release; `cluster` is one node that all faults but those of brokers share; faults
    that know both orders are met in `orders`; `times` stands in place of how often each is met; `keep` is a folder for
    what broke. On a machine that is `busy` with other things times are told, and break nothing.
    """

    cluster: Cluster
    full: bool
    seed: int = 1
    orders: Sequence[Order] = ("strict", "live")
    times: int | None = None
    keep: Path | None = None
    busy: bool = False

    def choose(self, smoke: T, full: T) -> T:
        """Return what belongs to this plan."""
        return full if self.full else smoke

    def count(self, smoke: int, full: int) -> int:
        """Return how often a fault is met."""
        return self.times or self.choose(smoke, full)

    def draw(self, name: str) -> random.Random:
        """Return random moments that are the same in every run."""
        return random.Random(f"{self.seed} {name}")


Fault = Callable[[Plan], Iterator[Row]]


def rounds(count: int, size: int) -> list[int]:
    """Split a count into rounds of at most `size`."""
    return [min(size, count - first) for first in range(0, count, size)]


@contextmanager
def staged(plan: Plan, order: Order, row: Row, **options: object) -> Iterator[Stage]:
    """Give a stage on the shared broker; what breaks in it is in the row."""
    with Stage(plan.cluster, order, row, keep=plan.keep, **options) as stage:  # type: ignore[arg-type]
        yield stage


def seconds_since(start_s: float) -> float:
    """Return elapsed seconds."""
    return time.monotonic() - start_s
