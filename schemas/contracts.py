"""Contracts for other languages, generated from the types: JSON Schema of records and messages, and field tables.

What a type says of itself is taken from its docstring, what a field says from the string below it in the source.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from functools import cache
from types import UnionType
from typing import Any, Final, get_args

import msgspec

from schemas import acls, codec, examples, records, topics
from schemas.fields import ERROR_KINDS, MAX_DEPTH, MAX_FRAME_ROWS, MAX_RECORD_BYTES, ErrorKind
from schemas.headers import schema_uri

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RECORDS: tuple[type[records.Record], ...] = (
    records.Trade,
    records.Transfer,
    records.AccountConfig,
    records.Instrument,
    records.PriceTick,
    records.Heartbeat,
    records.Funding,
    records.InstrumentVolatility,
    records.ExpiryVolatility,
    records.SviVolatility,
    records.ParameterSet,
    records.AccountEvent,
    records.AccountState,
    records.RegimeChange,
    records.RangeStep,
    records.RiskArray,
    records.Advice,
    records.Intent,
    records.Answer,
    records.Award,
    records.WorkerEndpoint,
    records.MarketSnapshotPart,
    records.SequencedRecord,
    records.DeadLetter,
)
_ARRAY_OF_NUMBERS = re.compile(r"\[[\s\d.,-]+\]")
_REF = "#/$defs/{name}"


MEANINGS: Final[dict[ErrorKind, str]] = {
    "too_large": f"The message is longer than {MAX_RECORD_BYTES:,} bytes.",
    "too_deep": f"Brackets nest deeper than {MAX_DEPTH} levels.",
    "too_many_rows": f"The frame has more than {MAX_FRAME_ROWS:,} rows.",
    "empty_frame": "The frame has no row.",
    "bad_utf8": "The bytes are no UTF-8.",
    "bad_json": "The bytes are no JSON, or more than one value.",
    "not_finite": "NaN or infinity, which JSON does not have.",
    "unknown_version": "`v` is an integer other than 1.",
    "missing_field": "A field without a default is absent.",
    "unknown_field": "A field that the record does not have.",
    "wrong_type": "A value of another JSON type; times and counts are integers without a point.",
    "bad_pattern": "A name, asset or hash has characters or a length that it may not have.",
    "unknown_value": "A word that is not in the field's list.",
    "out_of_range": "A number or length outside its range, zero quantities and amounts included.",
    "crossed_quote": "A quote with its bid above its ask.",
    "invalid_record": "Fields that contradict each other.",
    "null_value": "A null value on a topic that is not compacted.",
    "null_key": "A single record, or a tombstone, without a key.",
    "bad_key": "A tombstone whose key is no name.",
    "key_mismatch": "A key that does not name the record, or a frame with a key.",
    "frame_not_allowed": "A frame on a topic of single records.",
    "wrong_partition": "An account whose partition (murmur2) is another one.",
}
assert set(MEANINGS) == set(ERROR_KINDS)


def snake(name: str) -> str:
    """Turn `AccountEvent` into `account_event`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def types_of(topic: topics.Topic) -> tuple[type[records.Record], ...]:
    """Record types a topic carries."""
    return get_args(topic.record) if isinstance(topic.record, UnionType) else (topic.record,)


def record_schema(record: type[records.Record]) -> dict[str, Any]:
    """JSON Schema of one record; its examples are the encoded examples of the type."""
    definitions = type_schemas([record])
    own = definitions.pop(record.__name__)
    schema = {"$schema": DIALECT, "$id": schema_uri(snake(record.__name__)), **own}
    schema["examples"] = [json.loads(codec.encode(example)) for example in examples.of(record)]
    return schema | ({"$defs": definitions} if definitions else {})


def message_schema(topic: topics.Topic) -> dict[str, Any]:
    """JSON Schema of a topic's messages: a single record, or a frame where the topic has frames."""
    types = types_of(topic)
    single: list[dict[str, Any]] = [{"$ref": _REF.format(name=record.__name__)} for record in types]
    definitions = type_schemas(types)
    if topic.framed:
        definitions["Frame"] = _frame(single)
        single = [*single, {"$ref": _REF.format(name="Frame")}]
    return {
        "$schema": DIALECT,
        "$id": schema_uri(topic.name),
        "title": topic.name,
        "description": f"Messages of {topic.name}: {topic.purpose}.",
        "oneOf": single,
        "$defs": definitions,
    }


def schema_files() -> Iterator[tuple[str, bytes]]:
    """Name and content of every generated schema file."""
    for record in RECORDS:
        yield f"{snake(record.__name__)}.json", _text(record_schema(record))
    for topic in topics.ALL:
        if topic is not topics.DEAD_LETTERS:
            yield f"{topic.name}.json", _text(message_schema(topic))


# --- tables for the documentation ---------------------------------------------------------------


def fill_tables(text: str) -> str:
    """Write the generated tables and examples between the markers of a page.

    A marker is `<!-- generated: NAME -->` up to `<!-- end -->`; raises KeyError on a name that is not known.
    """
    blocks = _blocks()

    def fill(match: re.Match[str]) -> str:
        return f"{match[1]}\n\n{blocks[match[2]]}\n\n<!-- end -->"

    return re.sub(r"(<!-- generated: ([\w. -]+?) -->).*?<!-- end -->", fill, text, flags=re.DOTALL)


def _blocks() -> dict[str, str]:
    """Everything that can stand between markers."""
    kinds = [f"| `{kind}` | {meaning} |" for kind, meaning in MEANINGS.items()]
    blocks = {
        "topics": _topic_table(),
        "acls": acls.markdown(),
        "error kinds": "\n".join(["| kind | meaning |", "|---|---|", *kinds]),
    }
    for record in (*RECORDS, *_parts()):
        blocks[f"fields {snake(record.__name__)}"] = _field_table(record)
    for name, event in examples.EVENTS.items():
        body = _ARRAY_OF_NUMBERS.sub(
            lambda match: " ".join(match[0].split()), json.dumps(json.loads(codec.encode(event)), indent=2)
        )
        blocks[f"example {name}"] = f"```json\n{body}\n```"
    return blocks


def _parts() -> tuple[type[records.Record], ...]:
    return (
        records.Cause,
        records.UnderlyingRisk,
        records.AttributionPart,
        records.PlanLine,
        records.AdvisedTrade,
        records.SingleTrade,
        records.ShadowPrice,
        records.Taken,
        records.RiskMatrixParameters,
        records.StatusParameters,
    )


def _topic_table() -> str:
    rows = ["| topic | key | partitions | kept | messages | carries |", "|---|---|---|---|---|---|"]
    for topic in topics.ALL:
        kept = "latest per key" if topic.policy == "compact" else f"{(topic.retention_ms or 0) // topics.DAY_MS} days"
        form = "single or frame" if topic.framed else "single"
        if topic is topics.DEAD_LETTERS:
            form = "original bytes"
        rows.append(f"| `{topic.name}` | {topic.key} | {topic.partitions or 'P'} | {kept} | {form} | {topic.purpose} |")
    return "\n".join(rows)


def _field_table(record: type[records.Record]) -> str:
    rows = ["| field | type | meaning |", "|---|---|---|"]
    config = record.__struct_config__
    if config.tag_field is not None:
        rows.append(f"| `{config.tag_field}` | `{config.tag}` | Kind of record. |")
    schema = type_schemas([record])[record.__name__]
    for name, description in field_docs(record).items():
        field = schema["properties"][name]
        rows.append(f"| `{name}` | {_type(field)}{_default(field, name in schema['required'])} | {description} |")
    return "\n".join(rows)


def _default(schema: dict[str, Any], required: bool) -> str:
    """Say what an absent field means."""
    if required:
        return ""
    default = schema.get("default")
    return (
        ", optional" if isinstance(default, dict | list) or default is None else f", `{json.dumps(default)}` if absent"
    )


def _type(schema: dict[str, Any]) -> str:
    """Type of a field in a few words."""
    if "$ref" in schema:
        return snake(schema["$ref"].rsplit("/", 1)[1])
    if "enum" in schema:
        return " ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"] if choice.get("type") != "null")
    if schema.get("type") == "array":
        items = schema.get("items") or (schema.get("prefixItems") or [{}])[0]
        return f"list of {_type(items)}"
    return str(schema.get("type", "any"))


# --- from types to schemas ----------------------------------------------------------------------


def type_schemas(types: Iterable[type[records.Record]]) -> dict[str, Any]:
    """Schemas of the types and of all records in them, with their documentation."""
    _, definitions = msgspec.json.schema_components(types, ref_template=_REF)
    known = {record.__name__: record for record in _below(records.Record)}
    for name, schema in definitions.items():
        record = known[name]
        schema["description"] = " ".join(inspect.cleandoc(record.__doc__ or "").split())
        for field, description in field_docs(record).items():
            schema["properties"][field]["description"] = description
    return dict(sorted(definitions.items()))


def summary(record: type[records.Record]) -> str:
    """Return the first line of a type's own documentation."""
    return inspect.cleandoc(record.__doc__ or "").partition("\n")[0]


def _below(record: type[records.Record]) -> Iterator[type[records.Record]]:
    """Yield every type of record that is defined from this one."""
    for child in record.__subclasses__():
        yield child
        yield from _below(child)


def _frame(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "title": "Frame",
        "description": "Many records in one message with a null key.",
        "type": "object",
        "properties": {
            "v": {"enum": [1], "default": 1, "description": "Layout of the frame."},
            "rows": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_FRAME_ROWS,
                "items": rows[0] if len(rows) == 1 else {"oneOf": rows},
                "description": "Single records, in their order.",
            },
        },
        "required": ["rows"],
        "additionalProperties": False,
    }


@cache
def field_docs(record: type[records.Record]) -> dict[str, str]:
    """Return the string below each field of a record; every field has one."""
    body = ast.parse(textwrap.dedent(inspect.getsource(record))).body[0]
    assert isinstance(body, ast.ClassDef)
    docs: dict[str, str] = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(value))):
                docs[name] = value
    missing = set(record.__struct_fields__) - docs.keys()
    assert not missing, f"{record.__name__}: no documentation of {missing}"
    return docs


def _text(schema: dict[str, Any]) -> bytes:
    return (json.dumps(schema, indent=2, ensure_ascii=False) + "\n").encode()
