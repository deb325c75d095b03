"""What the closed forms of this package refuse."""

from __future__ import annotations

import math


def finite(**values: float) -> None:
    """Refuse what is not a finite number, by its name; raises ValueError."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise ValueError(f"{name} has to be finite, got {value}")


def not_negative(**values: float) -> None:
    """Refuse what is negative or not finite, by its name; raises ValueError."""
    finite(**values)
    for name, value in values.items():
        if value < 0.0:
            raise ValueError(f"{name} is not negative, got {value}")


def share(**values: float) -> None:
    """Refuse what is not from 0 to 1, by its name; raises ValueError."""
    for name, value in values.items():
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} lies in [0, 1], got {value}")
