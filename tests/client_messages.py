"""Messages as a monitor sends them, for tests of whoever reads them."""

from __future__ import annotations

import base64

import msgspec

from monitor.client import Message
from schemas import examples
from schemas.codec import encode
from schemas.headers import event_headers
from schemas.ids import event_id
from schemas.records import AccountEvent
from schemas.signatures import Keys, parse_keys, sign
from schemas.topics import LIQUIDATIONS, MARGIN_CALLS

KEYS = parse_keys(f"now hmac-sha256 {base64.b64encode(b'n' * 32).decode()}")
OTHERS = parse_keys(f"now hmac-sha256 {base64.b64encode(b'x' * 32).decode()}")
STRANGERS = parse_keys(f"stranger hmac-sha256 {base64.b64encode(b's' * 32).decode()}")


def event(
    account: str = "desk-7", sequence: int = 11, kind: str = "margin_call", shortfall: float = 1.0
) -> AccountEvent:
    """An event whose id is that of its content."""
    return msgspec.structs.replace(
        examples.EVENTS[kind], account=account, sequence=sequence, shortfall_usd=shortfall,
        id=event_id(account, examples.EVENTS[kind].episode, sequence, kind),
    )  # fmt: skip


def message(
    of: AccountEvent, *, epoch: int = 1, keys: Keys | None = KEYS, partition: int = 0, offset: int = 0
) -> Message:  # fmt: skip
    """The message that carries it."""
    body, key = encode(of), of.account.encode()
    headers = event_headers(body, source="desk", epoch=epoch)
    if keys is not None:
        headers = [*headers, sign(key, headers, body, keys)]
    topic = LIQUIDATIONS if of.kind in {"liquidation", "bankrupt", "data_hold"} else MARGIN_CALLS
    return Message(topic.name, partition, offset, key, body, headers)
