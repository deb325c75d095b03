"""What one check found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["ok", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what was looked at, what was found, and in one sentence what to do about it."""

    name: str
    outcome: Outcome
    said: str
    remedy: str = ""
    values: Mapping[str, float | int | str | bool | None] = field(default_factory=dict)
