"""What is compared: a margin model with a parameter set, under a name; and treatments of correlation by name.

| treatment | what it changes in model P |
|---|---|
| `plain_sum` | nothing is netted over coins: k is 1 in every regime |
| `trusted` | the worst matrix is believed: k is 0 in every regime |
| `identity_floor` | the matrix of the floor is the identity: what hedges across coins is held back more, not less |
| `k_one_for_all` | no regimes: k of calm times always |
| `fixed_ranges` | price ranges are the set's own, whatever volatility says |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import get_args

import msgspec

from monitor.engine.parameters import DEFAULT_ACTIVE
from schemas.records import MarginModel, NettingParameters, ParameterSet

_NEVER_US = 1_577_836_800_000_000  # 2020-01-01: before any market, so the set is in force from the first record


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """One way to compute requirements; `parameters` carry the configuration's own name."""

    name: str
    model: str
    parameters: ParameterSet
    treatment: str = ""
    """Name of the treatment of correlation, empty for the set as it is."""


def _k(calm: float, concentration: float, breakdown: float) -> Callable[[NettingParameters], NettingParameters]:
    return lambda netting: msgspec.structs.replace(
        netting, correlation_stress=calm, concentration_stress=concentration, breakdown_stress=breakdown
    )


TREATMENTS: Mapping[str, Callable[[NettingParameters], NettingParameters]] = {
    "plain_sum": _k(1.0, 1.0, 1.0),
    "trusted": _k(0.0, 0.0, 0.0),
    "identity_floor": lambda netting: msgspec.structs.replace(netting, floor_correlation=0.0),
    "k_one_for_all": lambda netting: _k(*(netting.correlation_stress,) * 3)(netting),
    "fixed_ranges": lambda netting: msgspec.structs.replace(netting, ranges="fixed"),
}


def configuration(
    model: str, parameters: ParameterSet | None = None, *, name: str = "", treatment: str = ""
) -> Configuration:
    """Return a configuration; without parameters the built-in ones, without a name the model's and the treatment's.

    Raises ValueError for an unknown model or treatment.
    """
    if model not in get_args(MarginModel):
        raise ValueError(f"there is no model {model!r}")
    if treatment and treatment not in TREATMENTS:
        raise ValueError(f"there is no treatment {treatment!r}: it is one of {', '.join(TREATMENTS)}")
    called = name or (f"{model}.{treatment}" if treatment else model)
    chosen = parameters or DEFAULT_ACTIVE.set
    netting = TREATMENTS[treatment](chosen.netting) if treatment else chosen.netting
    chosen = msgspec.structs.replace(chosen, name=f"judged.{called}", event_time_us=_NEVER_US, netting=netting)
    return Configuration(name=called, model=model, parameters=chosen, treatment=treatment)


def parsed(texts: Iterable[str], read: Callable[[str], ParameterSet]) -> tuple[Configuration, ...]:
    """Return the configurations of texts such as `P`, `P+identity_floor`, `mine=P:set.json`; `read` reads a set.

    Raises ValueError for what cannot be read and for a name that comes twice.
    """
    found: dict[str, Configuration] = {}
    for text in texts:
        name, _, rest = text.rpartition("=")
        rest, _, file = rest.partition(":")
        model, _, treatment = rest.partition("+")
        one = configuration(model, read(file) if file else None, name=name, treatment=treatment)
        if one.name in found:
            raise ValueError(f"{one.name!r} comes twice: give one of them another name, as other={rest}")
        found[one.name] = one
    return tuple(found.values())
