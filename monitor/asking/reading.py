"""What people type: `BTC=-7%`, `+30` points, `BTC-PERPETUAL=-3@61000`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from monitor.errors import UsageError
from schemas.records import ParameterSet

if TYPE_CHECKING:
    from monitor.answers.shock import Shock
    from monitor.answers.what_if import Fill, Move

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_SHOCK = re.compile(rf"([A-Za-z0-9.]+)=({_NUMBER})%")
_FILL = re.compile(rf"([^=]+)=({_NUMBER})(?:@({_NUMBER}))?")
_MOVE = re.compile(rf"([A-Za-z0-9.]+)=({_NUMBER})")


def shock_from(moves: Iterable[str], vol_points: float | None, stress: float | None) -> Shock:
    """Read `COIN=-7%` (or `market=-7%`), points of volatility and k; raises UsageError."""
    from monitor.answers.shock import Shock  # noqa: PLC0415 (`--help` needs no kernels)

    found = {}
    for text in moves:
        match = _SHOCK.fullmatch(text)
        if match is None:
            raise UsageError(f"{text!r} is no shock", "write BTC=-7% or market=-7%")
        found[match[1]] = float(match[2]) / 100.0
    vol = 0.0 if vol_points is None else vol_points / 100.0
    if not math.isfinite(vol):
        raise UsageError("a shift of volatility is a number", "write --vol +30 for 30 points")
    return Shock(moves=found, vol=vol, stress=stress)


def fills_from(texts: Iterable[str]) -> tuple[Fill, ...]:
    """Read `INSTRUMENT=CONTRACTS[@PRICE]`; raises UsageError."""
    from monitor.answers.what_if import Fill  # noqa: PLC0415

    found = []
    for text in texts:
        match = _FILL.fullmatch(text)
        if match is None:
            raise UsageError(f"{text!r} is no trade", "write BTC-PERPETUAL=-3 or BTC-PERPETUAL=-3@61000")
        found.append(Fill(match[1], float(match[2]), None if match[3] is None else float(match[3])))
    return tuple(found)


def transfers_from(texts: Iterable[str]) -> tuple[Move, ...]:
    """Read `ASSET=UNITS`; raises UsageError."""
    from monitor.answers.what_if import Move  # noqa: PLC0415

    found = []
    for text in texts:
        match = _MOVE.fullmatch(text)
        if match is None:
            raise UsageError(f"{text!r} is no transfer", "write USD=5000 or BTC=-0.5")
        found.append(Move(match[1], float(match[2])))
    return tuple(found)


def set_from(path: Path) -> ParameterSet:
    """Read a parameter set, a record of `risk.parameters`; raises UsageError."""
    return set_in(path.read_bytes(), str(path))


def set_in(data: bytes, name: str) -> ParameterSet:
    """Read a parameter set from its JSON; raises UsageError, with the `name` of where it is."""
    from monitor.engine.parameters import RejectedParameters, validate  # noqa: PLC0415

    try:
        found = msgspec.json.decode(data, type=ParameterSet)
        validate(found)
    except (msgspec.MsgspecError, RejectedParameters, ValueError) as error:
        raise UsageError(f"{name} holds no parameter set ({error})", "give one record as on risk.parameters") from error
    return found


shock_options = (
    click.option("--shock", "moves", multiple=True, metavar="COIN=PERCENT%",
                 help="Move of a price, as BTC=-7%; `market` moves all by their betas. May be repeated."),
    click.option("--vol", "vol_points", type=float, metavar="POINTS", help="Points added to every volatility."),
    click.option("--stress", type=float, metavar="K", help="k of model P in every regime, 0 to 1."),
)  # fmt: skip
