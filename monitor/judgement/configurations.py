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

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

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
    """Name of the treatment of correlation, or what `varied` changed; empty for the set as it is."""


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


def varied(base: ParameterSet, texts: Iterable[str]) -> tuple[Configuration, ...]:
    """Return model P under every combination of texts such as `netting.floor_correlation=0.3,0.5`: P.1, P.2, ...

    A field is `part.name`; `matrices.name` is that of every risk matrix. A value `x1.5` multiplies what stands there.
    Raises ValueError for what is no field, msgspec.ValidationError for values out of range.
    """
    grids = [_grid(text) for text in texts]
    if not grids:
        return ()
    found: list[Configuration] = []
    for chosen in itertools.product(*([(field, value) for value in values] for field, values in grids)):
        parameters = base
        for field, value in chosen:
            parameters = _changed(parameters, field, value)
        said = " ".join(f"{field.rpartition('.')[2]}={value}" for field, value in chosen)
        one = configuration("P", parameters, name=f"P.{len(found) + 1}")
        found.append(msgspec.structs.replace(one, treatment=said))
    return tuple(found)


def _grid(text: str) -> tuple[str, list[str]]:
    field, equals, values = text.partition("=")
    listed = [value for value in values.split(",") if value]
    if not (field and equals and listed):
        raise ValueError(f"{text!r} is no FIELD=VALUE,VALUE")
    return field, listed


def _changed(base: ParameterSet, field: str, text: str) -> ParameterSet:
    """Return a set with one field changed, or that of every risk matrix."""
    part, _, name = field.rpartition(".")
    if part == "matrices":
        by_coin = {coin: _with(one, field, name, text) for coin, one in base.underlyings.items()}
        return msgspec.structs.replace(
            base, risk_matrix=_with(base.risk_matrix, field, name, text), underlyings=by_coin
        )
    return msgspec.structs.replace(base, **{part: _with(getattr(base, part, None), field, name, text)})


def _with(part: Any, field: str, name: str, text: str) -> Any:
    if not isinstance(part, msgspec.Struct) or name not in part.__struct_fields__:
        raise ValueError(f"{field} is no field of a parameter set")
    before = getattr(part, name)
    if isinstance(before, float):
        value: object = before * float(text[1:]) if text.startswith("x") else float(text)
    elif isinstance(before, str):
        value = text
    else:
        raise ValueError(f"{field} is neither a number nor a word")  # noqa: TRY004 (of the text, not of a type)
    changed = msgspec.structs.replace(part, **{name: value})
    return msgspec.json.decode(msgspec.json.encode(changed), type=type(part))  # bounds are checked here
