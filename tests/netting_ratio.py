"""How much model P asks above the worst joint move of the ellipsoid: prints the table of `docs/margin-model-p.md`.

python -m tests.netting_ratio
"""

from __future__ import annotations

import sys

import numpy as np

from tests.netting_books import KINDS, books, requirement
from tests.netting_oracle import Book, ellipsoid_worst

COLUMNS = ("least", "median", "90 %", "largest")


def ratios(kind: str, size: int, per_axis: int) -> list[float]:
    """Requirement over sampled worst of 60 books whose underlyings have equal size."""
    found = []
    for book in books(60, seed=100, sizes=(size, size), kinds=(kind,)):
        curves = tuple(curve / np.abs(curve).max() for curve in book.curves)
        one = Book(curves, book.matrices[:1], 0.0)
        worst = ellipsoid_worst(one, per_axis)
        if worst > 1e-6:  # books that cannot lose have no ratio
            found.append(requirement(one) / worst)
    return found


def table() -> str:
    """The table in Markdown."""
    lines = [f"| books | underlyings | {' | '.join(COLUMNS)} |", "|---|---|---|---|---|---|"]
    for kind in KINDS:
        for size, per_axis in ((2, 321), (3, 61)):
            quantiles = np.quantile(ratios(kind, size, per_axis), [0.0, 0.5, 0.9, 1.0])
            lines.append(f"| {kind} | {size} | {' | '.join(f'{q:.3f}' for q in quantiles)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
