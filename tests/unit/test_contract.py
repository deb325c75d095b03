"""The published contract: the AsyncAPI document, and what old readers and senders rely on."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from monitor.cli.schema import command
from schemas import asyncapi, codec, examples, topics
from schemas.compatibility import breaks
from schemas.contracts import RECORDS, record_schema, snake, types_of

GOLDEN = Path(__file__).parents[1] / "golden"
RELEASED = sorted((GOLDEN / "contracts").glob("v*/*.json"))
BY_NAME = {snake(record.__name__): record for record in RECORDS}
DOCUMENT = json.loads(asyncapi.text())
PUBLISHED = [topic for topic in topics.ALL if topic.direction != "internal"]


STRANGE: tuple[Any, ...] = (None, "?", -1, 1.5, [], {}, [1, 2, 3])


def schema_of(name: str) -> Any:
    return json.loads(json.dumps(record_schema(BY_NAME[name])))


def below(value: Any) -> Iterator[Any]:
    yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from below(item)


def resolved(reference: str) -> Any:
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def with_components(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": {"schemas": DOCUMENT["components"]["schemas"]}}


# --- AsyncAPI -----------------------------------------------------------------------------------


def test_every_reference_leads_somewhere() -> None:
    """No reference of the document is into nothing, and every component is used."""
    references = {item["$ref"] for item in below(DOCUMENT) if isinstance(item, dict) and "$ref" in item}
    assert all(resolved(reference) for reference in references)
    components = {f"#/components/{kind}/{name}" for kind, all_ in DOCUMENT["components"].items() for name in all_}
    assert components <= references


def test_channels_are_the_topics_and_operations_go_their_way() -> None:
    """Each published topic is one channel with its settings; the monitor receives inputs and sends outputs."""
    assert DOCUMENT["asyncapi"].startswith("3.")
    assert list(DOCUMENT["channels"]) == [topic.name for topic in PUBLISHED]
    operations = {one["channel"]["$ref"]: one for one in DOCUMENT["operations"].values()}
    assert len(operations) == len(DOCUMENT["operations"]) == len(PUBLISHED)
    for topic in PUBLISHED:
        channel = DOCUMENT["channels"][topic.name]
        operation = operations[f"#/channels/{topic.name}"]
        assert operation["action"] == ("receive" if topic.direction == "input" else "send")
        listed = {f"#/channels/{topic.name}/messages/{name}" for name in channel["messages"]}
        assert {message["$ref"] for message in operation["messages"]} == listed
        kafka = channel["bindings"]["kafka"]
        assert (kafka["topic"], kafka.get("partitions")) == (channel["address"], topic.partitions)
        said = {name: ",".join(v) if isinstance(v, list) else str(v) for name, v in kafka["topicConfiguration"].items()}
        assert said.items() <= topic.config().items()
        assert kafka["bindingVersion"] == "0.5.0"


def test_messages_are_the_records_of_their_topic() -> None:
    """A topic has a message for each record, for frames and tombstones where it has them, each with its key."""
    for topic in PUBLISHED:
        names = set(DOCUMENT["channels"][topic.name]["messages"])
        extra = {"Frame"} if topic.framed else set()
        extra |= {"Tombstone"} if topic.policy == "compact" else set()
        assert names == {record.__name__ for record in types_of(topic)} | extra
        for name, link in DOCUMENT["channels"][topic.name]["messages"].items():
            key = resolved(link["$ref"])["bindings"]["kafka"]["key"]
            assert key["type"] == ("null" if name == "Frame" else key["type"])


def messages() -> list[tuple[str, dict[str, Any]]]:
    return list(DOCUMENT["components"]["messages"].items())


@pytest.mark.parametrize(("name", "message"), messages(), ids=[name for name, _ in messages()])
def test_examples_keep_what_their_message_says(name: str, message: dict[str, Any]) -> None:
    """Payload and headers of every example are valid in the document's own dialect."""
    payload = with_components(message["payload"])
    jsonschema.Draft7Validator.check_schema(payload)
    assert name.endswith("Tombstone") or message["examples"]
    for example in message.get("examples", ()):
        jsonschema.Draft7Validator(payload).validate(example["payload"])
        assert ("headers" in example) == ("headers" in message)
        if "headers" in message:
            jsonschema.Draft7Validator(with_components(message["headers"])).validate(example["headers"])


def test_both_dialects_say_the_same() -> None:
    """What the document's schema of a record takes and refuses is what the JSON Schema in its file does."""
    for record in RECORDS:
        if record.__name__ not in DOCUMENT["components"]["schemas"]:
            continue
        here = jsonschema.Draft7Validator(with_components(DOCUMENT["components"]["schemas"][record.__name__]))
        there = jsonschema.Draft202012Validator(record_schema(record))
        (example, *_) = record_schema(record)["examples"]
        for field in example:
            for value in STRANGE:
                changed = {**example, field: value}
                assert here.is_valid(changed) == there.is_valid(changed), (record.__name__, field, value)


# --- evolution ----------------------------------------------------------------------------------


def test_every_record_was_released() -> None:
    """Each record of the first contract is still there under its name."""
    assert {path.stem for path in RELEASED} <= BY_NAME.keys()
    assert len(RELEASED) >= 19


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_todays_records_keep_the_released_contract(path: Path) -> None:
    """What is written today is valid for a reader who has the schema of then, a field added since aside."""
    old = json.loads(path.read_bytes())
    validator = jsonschema.Draft202012Validator(old)
    for example in examples.of(BY_NAME[path.stem]):
        body = json.loads(codec.encode(example))
        assert validator.is_valid({name: value for name, value in body.items() if name in old["properties"]}), body
        if old.get("additionalProperties", True):
            assert validator.is_valid(body)


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_todays_contract_breaks_nothing_that_was_released(path: Path) -> None:
    """No field is gone, renamed, of another type or newly needed; no value, bound or default has moved."""
    assert breaks(json.loads(path.read_bytes()), schema_of(path.stem)) == []


@pytest.mark.parametrize("path", sorted((GOLDEN / "records").glob("v*/*.json")), ids=lambda path: path.stem)
def test_golden_records_keep_the_released_contract(path: Path) -> None:
    """Records and contract were released together: the bytes of then are valid under the schema of then."""
    released = GOLDEN / "contracts" / path.parent.name / path.name
    if path.stem in BY_NAME and released.exists():
        jsonschema.validate(json.loads(path.read_bytes()), json.loads(released.read_bytes()))
    else:
        assert path.name.endswith(".frame.json") or path.parent.name != "v1"


OLD = schema_of("account_event")


def _drop(schema: dict[str, Any]) -> None:
    del schema["properties"]["reason"]


def _rename(schema: dict[str, Any]) -> None:
    schema["properties"]["equity"] = schema["properties"].pop("equity_usd")


def _retype(schema: dict[str, Any]) -> None:
    schema["$defs"]["Cause"]["properties"]["offset"]["type"] = "string"


def _need(schema: dict[str, Any]) -> None:
    schema["required"].append("plan")


def _need_new(schema: dict[str, Any]) -> None:
    schema["properties"]["new"] = {"type": "string"}
    schema["required"].append("new")


def _loosen(schema: dict[str, Any]) -> None:
    schema["required"].remove("equity_usd")


def _tighten(schema: dict[str, Any]) -> None:
    schema["properties"]["reason"]["maxLength"] = 100


def _close(schema: dict[str, Any]) -> None:
    schema["additionalProperties"] = False


def _forget(schema: dict[str, Any]) -> None:
    schema["properties"]["kind"]["enum"].remove("bankrupt")


def _redefine(schema: dict[str, Any]) -> None:
    schema["properties"]["conflated_records"]["default"] = 1


def _nullable(schema: dict[str, Any]) -> None:
    schema["properties"]["plan"]["anyOf"].remove({"type": "null"})


CHANGES = (_drop, _rename, _retype, _need, _need_new, _loosen, _tighten, _close, _forget, _redefine, _nullable)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_the_comparison_sees_what_breaks(change: Callable[[dict[str, Any]], None]) -> None:
    """Each way to break a reader or a sender is found."""
    new = copy.deepcopy(OLD)
    change(new)
    assert breaks(OLD, new)


def test_the_comparison_lets_additions_pass() -> None:
    """An optional field, a further value and a wider bound break nobody."""
    new = copy.deepcopy(OLD)
    new["properties"]["tomorrow"] = {"type": "string", "default": ""}
    new["properties"]["kind"]["enum"].append("tomorrow")
    new["properties"]["reason"]["maxLength"] = 1_024
    assert breaks(OLD, new) == []


# --- export -------------------------------------------------------------------------------------


def test_the_contract_is_exported(tmp_path: Path) -> None:
    """`schema export` prints one contract, writes all of them, and names what there is."""
    run = CliRunner().invoke
    printed = run(command, ["export", "asyncapi"])
    assert json.loads(printed.stdout) == DOCUMENT
    one = run(command, ["export", "account_event"])
    assert json.loads(one.stdout) == OLD
    written = run(command, ["export", "--out", str(tmp_path)])
    assert written.exit_code == 0
    assert json.loads((tmp_path / "asyncapi.json").read_bytes()) == DOCUMENT
    assert {f"{name}.json" for name in BY_NAME} <= {path.name for path in (tmp_path / "json").iterdir()}
    assert "account_event" in run(command, ["list"]).stdout.split()
    assert run(command, ["export", "nothing"]).exit_code != 0


def test_a_folder_of_old_contracts_is_checked(tmp_path: Path) -> None:
    """`schema check` says what broke since an export, with exit code 1."""
    run = CliRunner().invoke
    run(command, ["export", "--out", str(tmp_path)])
    assert run(command, ["check", str(tmp_path / "json")], standalone_mode=False).return_value == 0
    old = copy.deepcopy(OLD)
    old["properties"]["gone"] = {"type": "string"}
    (tmp_path / "json" / "account_event.json").write_text(json.dumps(old))
    found = run(command, ["check", str(tmp_path / "json")], standalone_mode=False)
    assert found.return_value == 1
    assert "gone" in found.stdout
