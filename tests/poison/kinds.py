"""Every kind of bad record: how it is made of a good one, and the reason it has to be refused with.

A good record is the model, under an identity of its own and with other values: one that slipped through would change
what the engine says, and no duplicate filter would hide it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from monitor.replay.sequence import partition_of
from schemas.codec import encode, key_of
from schemas.fields import MAX_FRAME_ROWS, MAX_RECORD_BYTES
from schemas.records import Input
from schemas.topics import (
    ACCOUNT_TOPICS,
    ACCOUNTS,
    INSTRUMENTS,
    MARKET_TOPICS,
    PARAMETERS,
    TICKS,
    TRADES,
    TRANSFERS,
    VOLATILITY,
    Topic,
)

Json = dict[str, Any]

INPUT_TOPICS = (*MARKET_TOPICS, *ACCOUNT_TOPICS)
COMPACTED = (PARAMETERS, INSTRUMENTS, ACCOUNTS)
NOT_COMPACTED = (TRADES, TRANSFERS, TICKS, VOLATILITY)
HUGE_BYTES = 10_000_000
_FILLING = b"x" * HUGE_BYTES
_NUMBER = {TRADES: "price", TRANSFERS: "amount", TICKS: "price", VOLATILITY: "atm_vol_annual"}
_IDENTITY = {TRADES: "trade_id", TRANSFERS: "transfer_id"}
_NEEDED = {
    TRADES: "price", TRANSFERS: "asset", ACCOUNTS: "account", TICKS: "event_time_us", VOLATILITY: "expiry_us",
    INSTRUMENTS: "underlying", PARAMETERS: "event_time_us",
}  # fmt: skip


class Bad(NamedTuple):
    """One bad message: what is on the topic, and what has to be on the dead-letter topic with it."""

    topic: Topic
    partition: int
    key: bytes | None
    value: bytes | None
    reason: str


@dataclass(slots=True)
class Model:
    """A good record of a topic as an object, to be spoiled: fresh identity, other values."""

    topic: Topic
    fields: Json
    partition: int
    key: bytes

    def bad(self, value: bytes | None, reason: str, key: bytes | None = b"") -> Bad:
        """Make the message, under the model's key if no other is given."""
        return Bad(self.topic, self.partition, self.key if key == b"" else key, value, reason)

    def dumped(self, **fields: Any) -> bytes:
        """Return the object's bytes with some fields replaced; NaN and infinity as Python writes them."""
        return json.dumps({**self.fields, **fields}).encode()


def model_of(topic: Topic, record: Input, number: int, partitions: int) -> Model:
    """Return a copy of a good record that would show if it were applied."""
    fields: Json = msgspec.json.decode(encode(record))
    if topic in _IDENTITY:
        fields[_IDENTITY[topic]] = f"bad-{number}"
    if topic in _NUMBER and _NUMBER[topic] in fields:
        fields[_NUMBER[topic]] *= 0.5
    key = key_of(topic.name, record) or b""
    partition = partition_of(fields["account"], partitions) if topic in ACCOUNT_TOPICS else 0
    return Model(topic, fields, partition, key)


# --- what is no text, no JSON, or too much of it ------------------------------------------------


def bad_utf8(model: Model, draw: random.Random) -> Bad:
    """A string with a byte that is no UTF-8, or nothing but such bytes."""
    whole = model.dumped()
    at = whole.index(b'": "') + 4
    return model.bad(draw.choice((b"\xff\xfe\x00 no text", whole[:at] + b"\xc3\x28\xff" + whole[at:])), "bad_utf8")


def bad_json(model: Model, draw: random.Random) -> Bad:
    """A record that was cut, has something behind it, or is none."""
    whole = model.dumped()
    cut = whole[: draw.randrange(1, len(whole))]
    others = (whole + b"}", b"", b"\x00", b"{'a': 1}", whole.replace(b":", b"=", 1))
    return model.bad(draw.choice((cut, *others)), "bad_json")


def too_deep(model: Model, draw: random.Random) -> Bad:
    """Brackets without end, alone or in a field."""
    depth = draw.choice((40, 400, 100_000))
    nest = draw.choice((b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth))
    return model.bad(draw.choice((nest, model.dumped()[:-1] + b', "x": ' + nest + b"}")), "too_deep")


def too_large(model: Model, draw: random.Random) -> Bad:
    """More than a megabyte."""
    size = MAX_RECORD_BYTES + draw.randrange(1, 1_000)
    return model.bad(_padded(model.dumped(), size), "too_large")


def huge(model: Model, draw: random.Random) -> Bad:
    """Ten megabytes."""
    return model.bad(_padded(model.dumped(), HUGE_BYTES - draw.randrange(1_000)), "too_large")


def _padded(whole: bytes, size: int) -> bytes:
    head = whole[:-1] + b', "x": "'
    return head + _FILLING[: size - len(head) - 2] + b'"}'


# --- fields -------------------------------------------------------------------------------------


def wrong_type(model: Model, draw: random.Random) -> Bad:
    """Another type than the field's, or no object at all."""
    name = _NEEDED[model.topic]
    wrong: Any = draw.choice(([1], {"a": 1}, True, None))
    values = [model.dumped(**{name: wrong}), b"null", b"[]", b"7", b'"text"', b"true"]
    return model.bad(draw.choice(values), "wrong_type")


def missing_field(model: Model, draw: random.Random) -> Bad:
    """A field that has to be there is not."""
    del draw
    fields = {name: value for name, value in model.fields.items() if name != _NEEDED[model.topic]}
    return model.bad(json.dumps(fields).encode(), "missing_field")


def unknown_field(model: Model, draw: random.Random) -> Bad:
    """A field that nobody knows."""
    return model.bad(model.dumped(**{f"note{draw.randrange(100)}": 1}), "unknown_field")


def unknown_version(model: Model, draw: random.Random) -> Bad:
    """A layout of the future."""
    return model.bad(model.dumped(v=draw.choice((0, 2, 99)), later=[1]), "unknown_version")


def not_finite(model: Model, draw: random.Random) -> Bad:
    """NaN or infinity where a number has to be."""
    number = draw.choice((float("nan"), float("inf"), -float("inf")))
    return model.bad(model.dumped(**{_NUMBER[model.topic]: number}), "not_finite")


def negative_price(model: Model, draw: random.Random) -> Bad:
    """A price below zero, zero, or beyond all prices."""
    return model.bad(model.dumped(price=draw.choice((-1.0, -1e-9, 0.0, 1e13, 1e300))), "out_of_range")


def zero_quantity(model: Model, draw: random.Random) -> Bad:
    """A fill or a transfer of nothing."""
    name = "quantity" if model.topic is TRADES else "amount"
    return model.bad(model.dumped(**{name: draw.choice((0, 0.0, -0.0))}), "out_of_range")


def wrong_volatility(model: Model, draw: random.Random) -> Bad:
    """A volatility below zero or above 500 %."""
    return model.bad(model.dumped(atm_vol_annual=draw.choice((-0.5, 0.0, 5.1))), "out_of_range")


def wrong_time(model: Model, draw: random.Random) -> Bad:
    """Seconds, or nanoseconds, for microseconds."""
    time_us = model.fields["event_time_us"]
    wrong_us = draw.choice((time_us // 1_000_000, time_us * 1_000, -1))
    return model.bad(model.dumped(event_time_us=wrong_us), "out_of_range")


def bad_pattern(model: Model, draw: random.Random) -> Bad:
    """A name that could be a path, a formula or a script."""
    name = draw.choice(("../../etc/passwd", "=1+1", "<script>", "a b", "x" * 65, "", "new\nline"))
    field = "instrument" if model.topic is INSTRUMENTS else "underlying" if model.topic in MARKET_TOPICS else "account"
    return model.bad(model.dumped(**{field: name}), "bad_pattern")


def unknown_value(model: Model, draw: random.Random) -> Bad:
    """A word that is not in the list."""
    field = {TICKS: "kind", INSTRUMENTS: "type", ACCOUNTS: "margin_model", VOLATILITY: "kind"}[model.topic]
    return model.bad(model.dumped(**{field: draw.choice(("swap", "", "PRICE"))}), "unknown_value")


def crossed_quote(model: Model, draw: random.Random) -> Bad:
    """A bid above its ask."""
    fields = {name: value for name, value in model.fields.items() if name != "price"}
    price, instrument = model.fields["price"], model.fields.get("instrument", "BTC-USD")
    crossed = {"price_kind": "quote", "instrument": instrument, "ask": price, "bid": price * draw.uniform(1.01, 2.0)}
    return model.bad(json.dumps({**fields, **crossed}).encode(), "crossed_quote")


def contradiction(model: Model, draw: random.Random) -> Bad:
    """Fields that are right one by one and not together."""
    if model.topic is TICKS:
        return model.bad(model.dumped(bid=1.0), "invalid_record")
    fields = {**model.fields, "type": "option", "contract": draw.choice(("linear", "inverse"))}
    fields.pop("strike", None)
    return model.bad(json.dumps(fields).encode(), "invalid_record")


# --- keys, nulls and frames ---------------------------------------------------------------------


def null_key(model: Model, draw: random.Random) -> Bad:
    """A single record without its key."""
    del draw
    return model.bad(model.dumped(), "null_key", None)


def null_value(model: Model, draw: random.Random) -> Bad:
    """A tombstone where nothing is compacted."""
    return model.bad(None, "null_value", draw.choice((model.key, b"anything")))


def bad_key(model: Model, draw: random.Random) -> Bad:
    """A tombstone for what cannot be a name."""
    return model.bad(None, "bad_key", draw.choice((b"\xff\xfe", b"a b", b"x" * 65)))


def key_mismatch(model: Model, draw: random.Random) -> Bad:
    """A key that names another."""
    return model.bad(model.dumped(), "key_mismatch", model.key + draw.choice((b"x", b"2")))


def wrong_partition(model: Model, draw: random.Random) -> Bad:
    """An account's record on another account's partition."""
    partitions = 4
    away = (model.partition + draw.randrange(1, partitions)) % partitions
    return model.bad(model.dumped(), "wrong_partition")._replace(partition=away)


def empty_frame(model: Model, draw: random.Random) -> Bad:
    """A frame with no row."""
    del draw
    return model.bad(b'{"v":1,"rows":[]}', "empty_frame", None)


def too_many_rows(model: Model, draw: random.Random) -> Bad:
    """A frame with more rows than may be, each of them good."""
    row = model.dumped()
    return model.bad(_frame([row] * (MAX_FRAME_ROWS + draw.randrange(1, 50))), "too_many_rows", None)


def frame_not_allowed(model: Model, draw: random.Random) -> Bad:
    """A frame on a compacted topic."""
    return model.bad(_frame([model.dumped()] * draw.randrange(1, 4)), "frame_not_allowed")


def _frame(rows: list[bytes]) -> bytes:
    return b'{"v":1,"rows":[' + b",".join(rows) + b"]}"


# --- what only the engine can see ---------------------------------------------------------------


def unknown_instrument(model: Model, draw: random.Random) -> Bad:
    """A fill in a contract that is not listed."""
    return model.bad(model.dumped(instrument=f"NOPE-{draw.randrange(10**6)}"), "unknown_instrument")


def clock_ahead(model: Model, draw: random.Random) -> Bad:
    """A price from a clock that is ahead of the arrival of its own record."""
    time_us = model.fields["event_time_us"]
    ahead_us = draw.choice((6, 3_600, 86_400 * 30)) * 1_000_000
    return model.bad(model.dumped(event_time_us=time_us + ahead_us, received_time_us=time_us), "clock_ahead")


def redefined(model: Model, draw: random.Random) -> Bad:
    """Other terms under the name of a listed contract."""
    fields = {"contract_size": model.fields.get("contract_size", 1.0) * draw.choice((2.0, 10.0))}
    return model.bad(model.dumped(event_time_us=model.fields["event_time_us"] + 1, **fields), "redefined")


def thresholds(model: Model, draw: random.Random) -> Bad:
    """A set under which a warning would come behind the call."""
    status = {"warning_enter_v": 1.5, "warning_leave_v": draw.choice((1.2, 1.4))}
    return model.bad(model.dumped(status=status), "thresholds")


class Kind(NamedTuple):
    """A kind of bad record: how it is made, and of which topics' records. `row` tells whether it can be in a frame."""

    make: Callable[[Model, random.Random], Bad]
    topics: tuple[Topic, ...]
    row: bool = False


_ALL = INPUT_TOPICS
KINDS: tuple[Kind, ...] = (
    Kind(bad_utf8, _ALL),
    Kind(bad_json, _ALL),
    Kind(too_deep, _ALL),
    Kind(too_large, (TRADES, TICKS, INSTRUMENTS)),
    Kind(huge, (TRADES, TICKS)),
    Kind(wrong_type, _ALL, row=True),
    Kind(missing_field, _ALL, row=True),
    Kind(unknown_field, _ALL, row=True),
    Kind(unknown_version, _ALL, row=True),
    Kind(not_finite, (TRADES, TRANSFERS, TICKS, VOLATILITY), row=True),
    Kind(negative_price, (TRADES, TICKS), row=True),
    Kind(zero_quantity, (TRADES, TRANSFERS), row=True),
    Kind(wrong_volatility, (VOLATILITY,), row=True),
    Kind(wrong_time, _ALL, row=True),
    Kind(bad_pattern, (TRADES, TRANSFERS, ACCOUNTS, TICKS, VOLATILITY, INSTRUMENTS), row=True),
    Kind(unknown_value, (TICKS, VOLATILITY, INSTRUMENTS, ACCOUNTS), row=True),
    Kind(crossed_quote, (TICKS,), row=True),
    Kind(contradiction, (TICKS, INSTRUMENTS), row=True),
    Kind(null_key, NOT_COMPACTED),  # on the others brokers refuse it
    Kind(null_value, NOT_COMPACTED),
    Kind(bad_key, COMPACTED),
    Kind(key_mismatch, (TRADES, TRANSFERS, *COMPACTED)),
    Kind(wrong_partition, ACCOUNT_TOPICS),
    Kind(empty_frame, NOT_COMPACTED),
    Kind(too_many_rows, NOT_COMPACTED),
    Kind(frame_not_allowed, COMPACTED),
    Kind(unknown_instrument, (TRADES,), row=True),
    Kind(clock_ahead, (TICKS,), row=True),
    Kind(redefined, (INSTRUMENTS,)),
    Kind(thresholds, (PARAMETERS,)),
)
"""The list. Sizes are bounded by the stream, which draws the large ones seldom."""

LARGE = {too_large, huge, too_many_rows}
BY_ENGINE = {"unknown_instrument", "clock_ahead", "redefined", "thresholds"}
"""Reasons that the engine gives: these records are dealt with, so positions move past them."""
