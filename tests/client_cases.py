"""What every client has to make of which messages: `clients/conformance.json`, read by the tests of all languages.

`python -m tests.client_cases` writes it. What is expected is said here by hand, and not taken from any client.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

import msgspec

from monitor.client import Message
from schemas.codec import encode
from schemas.headers import Headers, event_headers
from schemas.signatures import SIGNATURE, Keys, sign
from schemas.topics import LIQUIDATIONS, TRADES
from tests.client_messages import KEYS, OTHERS, STRANGERS, event, message
from tests.support import ROOT

FILE = ROOT / "clients" / "conformance.json"
EVENT = event()
BODY = encode(EVENT)
ON_TIME, TOO_LATE = EVENT.valid_until_us, EVENT.valid_until_us + 1
Judged = tuple[Message, str]


def _with_body(body: bytes | None, *, keys: Keys | None = KEYS) -> Message:
    """A message with other bytes under the headers of the event, signed as it is."""
    headers = event_headers(BODY, source="desk", epoch=1)
    signed = headers if keys is None else [*headers, sign(b"desk-7", headers, body, keys)]
    return message(EVENT)._replace(value=body, headers=signed)


def _with_headers(headers: Headers) -> Message:
    return message(EVENT)._replace(headers=[*headers, sign(b"desk-7", headers, BODY, KEYS)])


def _changed(name: str, value: bytes | None) -> Message:
    """The event with one header changed, or left out."""
    headers = event_headers(BODY, source="desk", epoch=1)
    return _with_headers([(n, v if n != name else value) for n, v in headers if n != name or value is not None])  # type: ignore[misc]


def _signed_as(value: bytes) -> Message:
    whole = message(EVENT)
    return whole._replace(headers=[(n, value if n == SIGNATURE else v) for n, v in whole.headers])


def _body(**changes: Any) -> bytes:
    """The event's bytes with fields changed; those that are None are left out."""
    return json.dumps({n: v for n, v in (json.loads(BODY) | changes).items() if v is not None}).encode()


def cases() -> dict[str, tuple[dict[str, Any], list[Judged]]]:
    """Options and judged messages by what they show."""
    later, second = event(sequence=12), message(EVENT, offset=1)
    liquidation = event(sequence=13, kind="liquidation")
    mac = message(EVENT).headers[-1][1].rpartition(b";")[2]
    return {
        "a signed event comes through, once": ({}, [(message(EVENT), "delivered"), (second, "repeated")]),
        "an id with two contents": (
            {}, [(message(EVENT), "delivered"), (message(event(shortfall=2.0), offset=1), "two_contents")],
        ),
        "signatures": ({}, [
            (message(EVENT, keys=None), "unsigned"), (message(EVENT, keys=STRANGERS), "unknown_key"),
            (message(EVENT, keys=OTHERS), "tampered"), (message(EVENT)._replace(value=encode(later)), "tampered"),
            (message(EVENT)._replace(key=b"desk-8"), "tampered"), (message(EVENT)._replace(key=None), "tampered"),
            (message(EVENT)._replace(headers=[*message(EVENT).headers, message(EVENT).headers[-1]]), "tampered"),
            (message(EVENT)._replace(headers=[("risk-later", b"1"), *message(EVENT).headers]), "tampered"),
            (_signed_as(b"1;hmac-sha256;now"), "tampered"), (_signed_as(b"1;hmac-sha256;now;!!"), "tampered"),
            (_signed_as(b"2;hmac-sha256;now;" + mac), "unknown_key"),
            (_signed_as(b"1;ed25519;now;" + mac), "unknown_key"),
            (message(EVENT)._replace(headers=[("x-way", b"\xff"), *message(EVENT).headers]), "delivered"),
        ]),
        "unsigned events may pass, wrongly signed ones never": ({"allow_unsigned": True}, [
            (message(EVENT, keys=None), "delivered"), (message(later, keys=OTHERS), "tampered"),
        ]),
        "nobody asks for signatures": ({"keys": False}, [(message(EVENT, keys=OTHERS), "delivered")]),
        "epochs are of a partition and a topic": ({"now_us": 0}, [
            (message(EVENT, epoch=5), "delivered"), (message(later, epoch=4), "stale_epoch"),
            (message(event("other"), epoch=4, partition=1), "delivered"),
            (message(liquidation, epoch=4), "delivered"), (message(later, epoch=5), "delivered"),
        ]),
        "a forged epoch shuts nobody out": ({}, [
            (message(EVENT, epoch=99, keys=OTHERS), "tampered"), (message(EVENT, epoch=1), "delivered"),
        ]),
        "an event has an end": ({"now_us": TOO_LATE}, [(message(EVENT), "expired"), (message(EVENT), "expired")]),
        "contradictions": ({}, [
            (message(EVENT)._replace(topic=LIQUIDATIONS.name), "contradictory"),
            (message(EVENT)._replace(topic=TRADES.name), "contradictory"),
            (_with_body(encode(later)), "contradictory"), (_changed("ce_id", b"0" * 32), "contradictory"),
            (_changed("ce_type", b"risk.warning.v1"), "contradictory"), (_changed("ce_subject", b"a"), "contradictory"),
            (_changed("ce_time", b"2025-10-10T21:15:00.000001Z"), "contradictory"),
            (message(msgspec.structs.replace(EVENT, id="0" * 32)), "contradictory"),
        ]),
        "headers that cannot be read": ({}, [
            *((_changed(name, None), "malformed") for name in ("ce_id", "ce_time", "ce_dataschema", "risk-epoch")),
            (_changed("ce_specversion", b"0.3"), "malformed"), (_changed("ce_id", b"\xff"), "malformed"),
            (_changed("ce_time", b"yesterday"), "malformed"), (_changed("risk-epoch", b"1.5"), "malformed"),
        ]),
        "later versions": ({}, [
            (_with_body(_body(v=2)), "unknown_version"),
            (_changed("ce_dataschema", b"urn:liquidation-monitor:schema:account_event:2"), "unknown_version"),
            (_with_body(_body(a_later_field=[{"x": None}])), "delivered"),
        ]),
        "what is no event": ({}, [
            *((_with_body(value), "malformed") for value in (None, b"", b"{}", b"[]", b"null", b"\xff", b"[" * 99)),
            *((_with_body(_body(**{name: None})), "malformed") for name in ("equity_usd", "reason", "cause", "v")),
            (_with_body(_body(equity_usd="1")), "malformed"), (_with_body(_body(sequence=1.5)), "malformed"),
            (_with_body(_body(sequence=-1)), "malformed"), (_with_body(_body(kind="panic")), "malformed"),
            (_with_body(_body(cause={"offset": 1})), "malformed"), (_with_body(_body(underlyings=[{}])), "malformed"),
            (_with_body(_body(positions={"market.ticks.v1": [1]})), "malformed"),
        ]),
    }  # fmt: skip


def _plain(one: Message) -> dict[str, Any]:
    def text(value: bytes | None) -> str | None:
        return None if value is None else base64.b64encode(value).decode()

    headers = [[name, text(value)] for name, value in one.headers]
    return {**one._asdict(), "key": text(one.key), "value": text(one.value), "headers": headers}


def _written(found: Iterable[tuple[str, tuple[dict[str, Any], list[Judged]]]]) -> bytes:
    plain = [
        {
            "name": name, "keys": True, "allow_unsigned": False, "now_us": ON_TIME, **options,
            "messages": [_plain(one) for one, _ in judged], "expect": [reason for _, reason in judged],
        }
        for name, (options, judged) in found
    ]  # fmt: skip
    (key,) = KEYS.keys
    line = f"{key.name} hmac-sha256 {base64.b64encode(key.secret).decode()}"
    return (json.dumps({"key_file": line, "cases": plain}, indent=1) + "\n").encode()


def text() -> bytes:
    """The file's content."""
    return _written(cases().items())


if __name__ == "__main__":
    FILE.write_bytes(text())
