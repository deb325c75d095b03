"""How far data are trusted, by their flags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def confidence_of(flags: Iterable[str], confidence: Mapping[str, float]) -> float:
    """Return the least of what flags such as `stale:BTC` stand for, 1 without any that is listed."""
    return min((confidence.get(flag.split(":")[0], 1.0) for flag in flags), default=1.0)
