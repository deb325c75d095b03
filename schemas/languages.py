"""Types of the published records for TypeScript and Go, generated from the JSON Schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from schemas import contracts, topics
from schemas.base import Record
from schemas.records import AccountEvent, AccountState

_HEADER: Final = "Generated from the record types by `python -m schemas`. DO NOT EDIT."
_INITIALS: Final = {"id": "ID", "usd": "USD", "us": "US", "ms": "MS", "im": "IM", "mm": "MM", "pnl": "PnL"}
_GO: Final = {"string": "string", "integer": "int64", "number": "float64", "boolean": "bool"}
_TYPESCRIPT: Final = {
    "string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null",
}  # fmt: skip


def published() -> list[type[Record]]:
    """Return the records that stand on published topics as JSON, in the order of the table, each once."""
    found = [
        record
        for topic in topics.ALL
        if topic.direction != "internal" and topic is not topics.DEAD_LETTERS
        for record in contracts.types_of(topic)
    ]
    return list(dict.fromkeys(found))


def schemas() -> dict[str, Any]:
    """Return the schemas of the published records and of all that is in them, by the name of their type."""
    found: dict[str, Any] = json.loads(json.dumps(contracts.type_schemas(published())))
    return found


# --- TypeScript ---------------------------------------------------------------------------------


def typescript() -> str:
    """Write interfaces of all published records."""
    parts = [f"// {_HEADER}"]
    for name, schema in schemas().items():
        fields = [
            f"{_comment(field.get('description', ''), '  ')}"
            f"  readonly {key}{'' if key in schema['required'] else '?'}: {_typescript(field)};"
            for key, field in schema["properties"].items()
        ]
        parts.append("\n".join([f"{_comment(schema['description'], '')}export interface {name} {{", *fields, "}"]))
    return "\n\n".join(parts) + "\n"


def typescript_schemas() -> str:
    """Write the schemas of account events and states, which messages are held against."""
    found = contracts.type_schemas([AccountEvent, AccountState])
    text = json.dumps(found, indent=1, ensure_ascii=False)
    return f"// {_HEADER}\n\nexport const schemas = {text} as const;\n"


def _comment(text: str, indent: str) -> str:
    return f"{indent}/** {text} */\n" if text else ""


def _typescript(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1])
    if "enum" in schema or "const" in schema:
        return " | ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return " | ".join(_typescript(choice) for choice in schema[name])
    kind = schema.get("type")
    if kind == "array":
        if "prefixItems" in schema:
            return f"readonly [{', '.join(map(_typescript, schema['prefixItems']))}]"
        return f"ReadonlyArray<{_typescript(schema.get('items', {}))}>"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"Readonly<Record<string, {_typescript(inner if isinstance(inner, dict) else {})}>>"
    return _TYPESCRIPT.get(str(kind), "unknown")


# --- Go -----------------------------------------------------------------------------------------


def go() -> str:
    """Write structs, and which fields each type needs."""
    body = list(_go_structs(schemas().items()))
    uses_raw = any("json.RawMessage" in part for part in body)
    needs = [
        f"\t{json.dumps(name)}: {{{', '.join(json.dumps(key) for key in schema['required'])}}},"
        for name, schema in schemas().items()
    ]
    required = ("// Required are the fields that each type always has.", "var Required = map[string][]string{")
    parts = [
        "// Code generated from the record types by python -m schemas; DO NOT EDIT.\n\npackage liqmon",
        *(['import "encoding/json"'] if uses_raw else []),
        *body,
        "\n".join([*required, *_aligned(needs), "}"]),
    ]
    return "\n\n".join(parts) + "\n"


def _aligned(lines: list[str]) -> list[str]:
    """Align the values of a map literal as gofmt does."""
    width = max(line.index(": ") for line in lines) + 2
    return [line.replace(": ", ":".ljust(width - line.index(": ")), 1) for line in lines]


def _go_structs(types: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    for name, schema in types:
        fields = []
        for key, field in schema["properties"].items():
            needed = key in schema["required"]
            tag = key if needed else f"{key},omitempty"
            comment = f"\t// {_go_text(field.get('description', 'Kind of record.'))}\n"
            fields.append(f'{comment}\t{_go_name(key)} {_go_field(field, needed=needed)} `json:"{tag}"`')
        body = "\n\n".join(fields)
        yield f"// {name}: {_go_text(schema['description'])}\ntype {name} struct {{\n{body}\n}}"


def _go_text(text: str) -> str:
    return " ".join(text.split())


def _go_name(key: str) -> str:
    return "".join(_INITIALS.get(word, word.capitalize()) for word in re.split(r"_", key))


def _go_field(schema: dict[str, Any], *, needed: bool) -> str:
    kind = _go(schema)
    plain = kind.startswith(("[]", "map[", "*", "json."))
    return kind if needed or plain else f"*{kind}"


def _go(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1])
    if "enum" in schema or "const" in schema:
        value = schema.get("enum", [schema.get("const")])[0]
        return "string" if isinstance(value, str) else "int64"
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        real = [choice for choice in choices if choice.get("type") != "null"]
        if len(real) != 1:
            return "json.RawMessage"
        return _go_field(real[0], needed=len(real) == len(choices))
    return _go_container(schema)


def _go_container(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if kind == "array":
        places = [_go(item) for item in schema.get("prefixItems", ())]
        if places:
            return f"[{len(places)}]{places[0]}" if len(set(places)) == 1 else "json.RawMessage"
        return f"[]{_go(schema.get('items', {}))}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"map[string]{_go(inner) if isinstance(inner, dict) else 'json.RawMessage'}"
    return _GO.get(str(kind), "json.RawMessage")
