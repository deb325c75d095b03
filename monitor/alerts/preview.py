"""The messages that the events of a file would have made: the dispatcher in the events' own time, nothing sent."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from monitor.alerts.dispatch import Dispatcher, Message
from monitor.alerts.notice import Notice, Place, of_event, of_regime
from monitor.alerts.settings import Alerts
from monitor.errors import UsageError
from schemas.records import AccountEvent, RangeStep, RegimeChange, RegimeRecord

TICK_US = 1_000_000
"""How often messages are looked for between two events: finer than any window that people notice."""


class _Kind(msgspec.Struct):
    kind: str = ""


_kind = msgspec.json.Decoder(_Kind).decode
_event = msgspec.json.Decoder(AccountEvent).decode
_regime = msgspec.json.Decoder(RegimeRecord).decode
_REGIMES = {kind.__struct_config__.tag for kind in (RegimeChange, RangeStep)}


def read_events(file: Path, alerts: Alerts) -> Iterator[Notice]:
    """Yield the notices of a file of events, one JSON object a line, `.gz` unpacked; raises UsageError."""
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = Place(file.name, 0, number)
            try:
                if _kind(line).kind in _REGIMES:
                    record = _regime(line)
                    yield of_regime(record, alerts, place, record.event_time_us)
                else:
                    event = _event(line)
                    yield of_event(event, alerts, place, event.event_time_us)
            except msgspec.DecodeError as error:
                raise UsageError(
                    f"{file}, line {number} is no event ({error})", "give a file of `replay --out`"
                ) from error


def messages(notices: Iterable[Notice], alerts: Alerts) -> Iterator[tuple[int, Message]]:
    """Yield each message and when it would have gone out, if every channel takes everything and nobody answers."""
    dispatcher = Dispatcher(alerts)
    now_us: int | None = None
    for notice in notices:
        if now_us is not None:
            yield from _until(dispatcher, now_us, notice.time_us)
        now_us = max(notice.time_us, now_us or 0)
        dispatcher.take(notice, now_us)
    if now_us is not None:
        # A day beyond the last event: all windows and escalations are over by then.
        yield from _until(dispatcher, now_us, now_us + 86_400 * TICK_US)


def _until(dispatcher: Dispatcher, from_us: int, to_us: int) -> Iterator[tuple[int, Message]]:
    at_us = from_us
    while at_us < to_us and dispatcher.busy:
        dispatcher.escalate(at_us)
        for message in dispatcher.outbox(at_us):
            yield at_us, message
            dispatcher.delivered(message, at_us)
        at_us += TICK_US
