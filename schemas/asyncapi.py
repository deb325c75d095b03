"""The published contract as one AsyncAPI 3.0 document, generated from the topic table and the types.

Channels are topics, under their names without a deployment's prefix; operations are the monitor's own: it receives
inputs and sends outputs. Internal topics are left out. Schemas are written in the dialect that every AsyncAPI tool
reads, a superset of JSON Schema draft 07; `schemas/json/` has the same types in draft 2020-12.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from schemas import codec, contracts, examples, headers, records, topics
from schemas.fields import MAX_FRAME_ROWS, NAME_PATTERN
from schemas.signatures import SIGNATURE

ASYNCAPI: Final = "3.0.0"
CONTRACT_VERSION: Final = "1.0.0"
"""Of the document: the minor number grows with optional fields and topics, the major never (docs/contract.md)."""
KAFKA: Final = "0.5.0"  # of the bindings
_SOURCE: Final = "liquidation-monitor-v1"
_EPOCH: Final = 3
_FRAME: Final = "Frame"
_TOMBSTONE: Final = "Tombstone"


def document() -> dict[str, Any]:
    """Return the whole document."""
    published = [topic for topic in topics.ALL if topic.direction != "internal"]
    return {
        "asyncapi": ASYNCAPI,
        "id": "urn:liquidation-monitor",
        "info": {
            "title": "Liquidation monitor",
            "version": CONTRACT_VERSION,
            "description": (
                "Trades, transfers, accounts and market data in; margin calls, liquidations and account states out. "
                "A deployment may put a prefix before each address. Delivery is at least once, with ids that never "
                "have two contents."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": headers.CONTENT_TYPE,
        "channels": {topic.name: _channel(topic) for topic in published},
        "operations": dict(map(_operation, published)),
        "components": {
            "schemas": _schemas(published),
            "messages": {_id(topic, name): body for topic in published for name, body in _messages(topic)},
        },
    }


def text() -> bytes:
    """Return the document as it is written."""
    return (json.dumps(document(), indent=1, ensure_ascii=False) + "\n").encode()


def draft_07(schema: Any) -> Any:
    """Return a schema of ours in draft 07, its references into the document's components."""
    if isinstance(schema, list):
        return [draft_07(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for name, value in schema.items():
        found |= _keyword(name, value, has_places="prefixItems" in schema)
    if "$ref" in found and len(found) > 1:  # beside a reference draft 07 reads nothing
        return {"allOf": [{"$ref": found.pop("$ref")}], **found}
    return found


def _keyword(name: str, value: Any, *, has_places: bool) -> dict[str, Any]:
    """One keyword of a schema in draft 07."""
    if name in {"discriminator", "$schema", "$id"}:
        return {}  # the tags of a union are constants of its members
    if name in {"default", "examples", "enum", "const"}:
        return {name: value}
    if name == "properties":  # its names are fields, whatever they are called
        return {name: {field: draft_07(item) for field, item in value.items()}}
    if name == "$ref":
        return {name: value.replace("#/$defs/", "#/components/schemas/")}
    if name == "prefixItems":
        return {"items": draft_07(value)}
    if name == "items" and has_places:
        return {"additionalItems": value}
    return {name: draft_07(value)}


# --- channels and operations --------------------------------------------------------------------


def _channel(topic: topics.Topic) -> dict[str, Any]:
    kafka: dict[str, Any] = {"topic": topic.name, "bindingVersion": KAFKA}
    if topic.partitions is not None:
        kafka["partitions"] = topic.partitions
    settings: dict[str, Any] = {"cleanup.policy": [topic.policy]}
    if topic.retention_ms is not None:
        settings["retention.ms"] = topic.retention_ms
    if topic.max_message_bytes is not None:
        settings["max.message.bytes"] = topic.max_message_bytes
    kafka["topicConfiguration"] = settings
    partitions = "" if topic.partitions else " As many partitions as the deployment has for accounts, by murmur2."
    return {
        "address": topic.name,
        "title": topic.name,
        "description": f"Carries {topic.purpose}; its key is {topic.key}.{partitions}",
        "messages": {name: {"$ref": f"#/components/messages/{_id(topic, name)}"} for name, _ in _messages(topic)},
        "tags": [{"name": topic.direction}],
        "bindings": {"kafka": kafka},
    }


def _operation(topic: topics.Topic) -> tuple[str, dict[str, Any]]:
    action = "receive" if topic.direction == "input" else "send"
    channel = f"#/channels/{topic.name}"
    return f"{action}.{topic.name}", {
        "action": action,
        "channel": {"$ref": channel},
        "summary": f"The monitor {'reads' if action == 'receive' else 'writes'} {topic.purpose}.",
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name, _ in _messages(topic)],
    }


# --- messages -----------------------------------------------------------------------------------


def _id(topic: topics.Topic, name: str) -> str:
    return f"{topic.name}.{name}"


def _messages(topic: topics.Topic) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and bodies of a topic's messages."""
    if topic is topics.DEAD_LETTERS:
        yield "DeadLetter", _dead_letter()
        return
    for record in contracts.types_of(topic):
        yield record.__name__, _single(topic, record)
    if topic.framed:
        yield _FRAME, _frame(topic)
    if topic.policy == "compact":
        yield _TOMBSTONE, _message(topic, _TOMBSTONE, {"type": "null"}, "Nothing: what the key names is gone.")


def _message(
    topic: topics.Topic, name: str, payload: dict[str, Any], summary: str, *, keyed: bool = True
) -> dict[str, Any]:
    key: dict[str, Any] = {"type": "null"}
    if keyed and topic.key != "none":
        key = {"type": "string", "description": f"UTF-8: {topic.key}."}
        if topic.key in {"account", "instrument"}:
            key["pattern"] = NAME_PATTERN
    return {
        "name": name,
        "title": name,
        "summary": summary,
        "contentType": headers.CONTENT_TYPE,
        "payload": payload,
        "bindings": {"kafka": {"key": key, "bindingVersion": KAFKA}},
    }


def _single(topic: topics.Topic, record: type[records.Record]) -> dict[str, Any]:
    summary = contracts.summary(record)
    message = _message(topic, record.__name__, {"$ref": f"#/components/schemas/{record.__name__}"}, summary)
    described = _described_headers(topic, record)
    if described:
        message["headers"] = {"$ref": f"#/components/schemas/{described}"}
    message["examples"] = [_example(topic, example) for example in examples.of(record)]
    return message


def _example(topic: topics.Topic, example: records.Record) -> dict[str, Any]:
    body = codec.encode(example)
    found: dict[str, Any] = {"payload": json.loads(body)}
    described = _described_headers(topic, type(example))
    if described == "EventHeaders":
        of = headers.event_headers if isinstance(example, records.AccountEvent) else headers.regime_headers
        found["headers"] = _as_text(of(body, source=_SOURCE, epoch=_EPOCH))
    elif described == "StateHeaders":
        found["headers"] = _as_text(headers.state_headers(_EPOCH))
    elif described in {"AuctionHeaders", "AnswerHeaders"}:
        found["headers"] = _as_text(headers.AUCTION)
    return found


def _frame(topic: topics.Topic) -> dict[str, Any]:
    types = contracts.types_of(topic)
    choices = [{"$ref": f"#/components/schemas/{record.__name__}"} for record in types]
    payload = {
        "type": "object",
        "properties": {
            "v": {"enum": [1], "default": 1},
            "rows": {
                "type": "array", "minItems": 1, "maxItems": MAX_FRAME_ROWS,
                "items": choices[0] if len(choices) == 1 else {"oneOf": choices},
            },
        },
        "required": ["rows"],
        "additionalProperties": False,
    }  # fmt: skip
    message = _message(topic, _FRAME, payload, "Many records in one message with a null key.", keyed=False)
    rows = [example for record in types for example in examples.of(record)]
    message["examples"] = [{"payload": json.loads(codec.encode_frame(rows))}]
    return message


def _dead_letter() -> dict[str, Any]:
    (letter, *_) = examples.of(records.DeadLetter)
    assert isinstance(letter, records.DeadLetter)  # narrows the type
    message = _message(
        topics.DEAD_LETTERS, "DeadLetter", {}, "The original bytes of what was refused, whatever they are."
    )
    message["contentType"] = "application/octet-stream"
    message["headers"] = {"$ref": "#/components/schemas/DeadLetterHeaders"}
    message["bindings"]["kafka"]["key"] = {"type": ["string", "null"], "description": "The original key."}
    message["examples"] = [{"headers": _as_text(headers.dead_letter_headers(letter)), "payload": {"quantity": 0}}]
    return message


def _described_headers(topic: topics.Topic, record: type[records.Record]) -> str | None:
    """Component that describes the headers of a record on a topic; None where nothing is said of them."""
    if topic.direction == "input":
        return None
    if record in {records.AccountEvent, records.RegimeChange, records.RangeStep}:
        return "EventHeaders"
    if record in {records.Intent, records.Award}:
        return "AuctionHeaders"
    if record is records.Answer:
        return "AnswerHeaders"
    return "StateHeaders" if record in {records.AccountState, records.RiskArray} else None


def _as_text(found: headers.Headers) -> dict[str, str]:
    return {name: value.decode() for name, value in found}


# --- components ---------------------------------------------------------------------------------


def _schemas(published: list[topics.Topic]) -> dict[str, Any]:
    types = [record for topic in published if topic is not topics.DEAD_LETTERS for record in contracts.types_of(topic)]
    found = {name: draft_07(schema) for name, schema in contracts.type_schemas(types).items()}
    (event, *_), (letter, *_) = examples.of(records.AccountEvent), examples.of(records.DeadLetter)
    assert isinstance(letter, records.DeadLetter)  # narrows the type
    cloud = headers.event_headers(codec.encode(event), source=_SOURCE, epoch=_EPOCH)
    found["EventHeaders"] = _header_schema("CloudEvents 1.0, binary mode, and the sender's epoch.", cloud)
    found["StateHeaders"] = _header_schema("The form, and the sender's epoch.", headers.state_headers(_EPOCH))
    found["AuctionHeaders"] = _header_schema("The form.", headers.AUCTION, signed=True)
    answers = _header_schema("Those of a solver that signs.", headers.AUCTION, signed=True)
    found["AnswerHeaders"] = {**answers, "required": []}
    found["DeadLetterHeaders"] = _header_schema(
        "Where it stood, and why it was refused.", headers.dead_letter_headers(letter)
    )
    return dict(sorted(found.items()))


def _header_schema(description: str, found: headers.Headers, *, signed: bool = False) -> dict[str, Any]:
    """Describe headers from an example: all of them are there in every message, the signature where it is `signed`."""
    properties: dict[str, Any] = {name: {"type": "string", "description": _HEADERS[name]} for name, _ in found}
    for name in properties.keys() & _PATTERNS.keys():
        properties[name]["pattern"] = _PATTERNS[name]
    if signed or headers.EPOCH in properties:
        properties[SIGNATURE] = {"type": "string", "description": _HEADERS[SIGNATURE]}
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": [name for name, _ in found],
    }


_HEADERS: Final = {
    "ce_specversion": "Version of CloudEvents.",
    "ce_id": "The event's id: the same at every delivery.",
    "ce_type": "What happened.",
    "ce_source": "The deployment that says it.",
    "ce_subject": "The account, or the coins.",
    "ce_time": "Event time, RFC 3339.",
    "ce_dataschema": "The contract of the body.",
    "content-type": "Form of the body.",
    headers.EPOCH: "Decimal. Grows each time a partition changes hands; drop what is below the highest you have seen.",
    SIGNATURE: "Layout;algorithm;key id;signature, where the deployment signs (docs/security.md).",
    "dl-source-topic": "Topic it was read from.",
    "dl-source-partition": "Its partition.",
    "dl-source-offset": "Its offset.",
    "dl-source-index": "Its place in its frame, from 0.",
    "dl-error-kind": "Why, in one word.",
    "dl-error-text": "Why, for people.",
    "dl-schema": "The contract that it broke.",
    "dl-first-seen": "When it was refused, RFC 3339.",
}
_PATTERNS: Final = {
    "ce_specversion": r"^1\.0$",
    "ce_id": r"^([0-9a-f]{32})?$",  # range steps of the first layouts had none
    headers.EPOCH: r"^[0-9]{1,19}$",
    "dl-source-partition": r"^[0-9]+$",
    "dl-source-offset": r"^[0-9]+$",
    "dl-source-index": r"^[0-9]+$",
}
