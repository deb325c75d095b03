"""Speeds of a replay, as options."""

from __future__ import annotations

import re
from typing import Any

import click

_SPEED = re.compile(r"(?P<times>[0-9]+(\.[0-9]+)?)x?")


class Speed(click.ParamType):
    """`max`, or a multiple of real time such as `60x`; None is max."""

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds of market a second; infinity for max."""
        if isinstance(value, float):
            return value
        if value == "max":
            return float("inf")
        found = _SPEED.fullmatch(value)
        if found is None or not float(found["times"]) > 0.0:
            self.fail(f"{value!r} is no speed such as 60x or max", param, ctx)
        return float(found["times"])
