"""The tables of the settings file, `[alerts]` and what may follow: checked at every depth, with their origins."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from monitor.config import PREFIX, SECTIONS, Origin, parse, section_of
from monitor.errors import UsageError


def section_origins(name: str, file: Path | None, environ: Mapping[str, str]) -> list[Origin]:
    """Return what a section says, a path such as `channels.desk.burst` for each value; raises as `section`."""
    values, variables = _section_values(name, file, environ)
    given = _paths(values)
    made = _paths(msgspec.to_builtins(section(name, file, environ)))
    return [
        Origin(f"{name}.{path}", value, variables.get(path) or (str(file) if path in given else "default"))
        for path, value in made.items()
    ]  # fmt: skip


def section(name: str, file: Path | None, environ: Mapping[str, str]) -> msgspec.Struct:
    """Return one section of the settings: its variables (`LIQMON_ALERTS_GROUP`) over its table over the defaults.

    Only plain values have variables; lists and tables stand in the file. Raises UsageError.
    """
    values, _ = _section_values(name, file, environ)
    try:
        made: msgspec.Struct = msgspec.convert(values, SECTIONS[name], strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"wrong setting in [{name}]: {error}", "see docs/configuration.md") from error
    return made


def _section_values(
    name: str, file: Path | None, environ: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, str]]:  # fmt: skip
    """Return the values given for a section, and by name the variables they come from."""
    kind = SECTIONS[name]
    values: object = parse(file).get(name, {}) if file else {}
    if not isinstance(values, dict):
        raise UsageError(f"settings file {file} has {name}, which is a table", f"write [{name}]")
    require_known(values, kind, name, f"settings file {file}")
    variables: dict[str, str] = {}
    for variable, value in environ.items():
        if section_of(variable) == name and value:
            key = variable.removeprefix(f"{PREFIX}{name.upper()}_").lower()
            if key not in plain_fields(kind):
                near = difflib.get_close_matches(key, plain_fields(kind), n=1)
                spelt = f"did you mean {PREFIX}{name.upper()}_{near[0].upper()}?" if near else "write it in the file"
                raise UsageError(f"the environment has {variable}, which is no setting", spelt)
            variables[key] = variable
            values = {**values, key: value}
    return values, variables


def plain_fields(kind: type[msgspec.Struct]) -> list[str]:
    """Return the fields of a section that are one value each, and so can be given by a variable."""
    found = []
    for one in msgspec.structs.fields(kind):
        inner = {type(part) for part in _parts(msgspec.inspect.type_info(one.type))}
        if not inner & {msgspec.inspect.DictType, msgspec.inspect.VarTupleType, msgspec.inspect.StructType}:
            found.append(one.name)
    return found


def require_known(values: Mapping[str, object], kind: type[msgspec.Struct], where: str, source: str) -> None:
    """Refuse a key, at any depth, that its table does not have; raises UsageError with the one that was meant."""
    fields = {one.name: msgspec.inspect.type_info(one.type) for one in msgspec.structs.fields(kind)}
    for key, value in values.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"it has {', '.join(fields)}"
            if key in {"url", "token", "password"}:
                # Not quoted: what stands there is a secret.
                remedy = "a settings file is copied and committed: put it into a file of its own and name that"
            raise UsageError(f"{source} has {where}.{key}, which is no setting", remedy)
        for part in _parts(fields[key]):
            _require_inner(part, value, f"{where}.{key}", source)


def _require_inner(part: msgspec.inspect.Type, value: object, where: str, source: str) -> None:
    if isinstance(part, msgspec.inspect.VarTupleType) and isinstance(value, list):
        for number, item in enumerate(value):
            _require_inner(part.item_type, item, f"{where}[{number}]", source)
    elif isinstance(part, msgspec.inspect.DictType) and isinstance(value, dict):
        for key, item in value.items():
            _require_inner(part.value_type, item, f"{where}.{key}", source)
    elif isinstance(part, msgspec.inspect.StructType) and isinstance(value, dict):
        require_known(value, part.cls, where, source)


def _parts(kind: msgspec.inspect.Type) -> tuple[msgspec.inspect.Type, ...]:
    return kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)


def _paths(value: object, path: str = "") -> dict[str, object]:
    """Return the plain values within tables and lists, by path; lists of plain values are one."""
    if isinstance(value, dict) and value:
        found: dict[str, object] = {}
        for key, item in value.items():
            found |= _paths(item, f"{path}.{key}" if path else str(key))
        return found
    if isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        found = {}
        for number, item in enumerate(value):
            found |= _paths(item, f"{path}[{number}]")
        return found
    return {path: value}
