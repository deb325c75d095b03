"""Writes the table of differences in docs/vectors.md: `python -m tests.unit.vectors.accuracy`."""

from __future__ import annotations

import random

from monitor.vectors.contract import leaves
from monitor.vectors.registry import CALLABLES
from tests.unit.vectors.generated import DRAWS
from tests.unit.vectors.held import largest
from tests.unit.vectors.moved import moved
from tests.unit.vectors.second import SECOND, plain

DRAWN = 25
SLOW = {"psd_repair_higham": 3, "black76_greeks_edge": 3, "derive_pmrm2": 3}  # a minute each otherwise


def difference(group: str) -> tuple[int, float]:
    """Return how many variants were compared, and the largest difference in units of the largest input or 1."""
    dice, variants, worst = random.Random(f"accuracy of {group}"), 0, 0.0
    for _ in range(SLOW.get(group, DRAWN)):
        drawn = DRAWS[group](dice)
        for inputs in (drawn, *(variant for _, variant in moved(drawn))):
            exact, got = dict(leaves(plain(SECOND[group](inputs)))), dict(leaves(CALLABLES[group](inputs)))
            scale = max(1.0, *largest(inputs))
            numbers = {at: value for at, value in exact.items() if value is not None}
            assert {at for at in exact if got[at] is not None} == set(numbers)
            worst = max(worst, 0.0, *(abs(got[at] - value) / scale for at, value in numbers.items()))
            variants += 1
    return variants, worst


if __name__ == "__main__":
    print("| group | variants | difference |\n|---|---|---|")  # noqa: T201
    for name in sorted(CALLABLES):
        count, size = difference(name)
        print(f"| `{name}` | {count:,} | {size:.1e} |")  # noqa: T201
