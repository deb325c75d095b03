"""From messages and watchdogs to notices, from notices to words, and what of an address is hidden."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from monitor import redaction
from monitor.alerts.channels import addresses, parts, senders
from monitor.alerts.digest import MAX_CHARACTERS, NAMES, compose
from monitor.alerts.intake import Intake, Received
from monitor.alerts.notes import Ack, Remembered, encode, find, key_of
from monitor.alerts.notice import Place, identity, of_event
from monitor.alerts.preview import messages
from monitor.alerts.settings import DEFAULT_SEVERITIES, Alerts
from monitor.alerts.watching import SILENT, Watch, reasons
from monitor.client.screen import Message
from monitor.errors import UsageError
from schemas import examples
from schemas.codec import encode as encode_record
from schemas.headers import regime_headers
from schemas.records import RangeStep, RegimeChange
from schemas.topics import REGIMES
from tests.client_messages import KEYS, OTHERS, event, message
from tests.unit.alerts.books import NOON, SECOND, notice, settings

ALERTS = Alerts()


def received(of: Message) -> Received:
    return Received(of.topic, of.partition, of.offset, of.key, of.value, of.headers, NOON)


def test_events_are_screened_as_bots_screen_them() -> None:
    """A signed event is a notice once; a repetition none; one of another key is told as what it is."""
    intake = Intake(ALERTS, KEYS)
    of = message(event(kind="liquidation"))
    found = intake.notice(received(of))
    assert found is not None
    assert (found.id, found.kind, found.severity, found.seen_us) == (
        event(kind="liquidation").id,
        "liquidation",
        "critical",
        NOON,
    )
    assert intake.notice(received(of)) is None
    forged = intake.notice(received(message(event("x"), keys=OTHERS, offset=5)))
    assert forged is not None
    assert (forged.kind, forged.severity) == ("refused", "critical")
    two = intake.notice(received(message(event(kind="liquidation", shortfall=9.0), offset=6)))
    assert two is not None
    assert two.kind == "refused"
    assert (
        intake.notice(received(message(event("y"))._replace(value=b"no JSON", offset=7))) is not None
    )  # not signed so


def test_without_keys_rubbish_is_counted_and_not_told() -> None:
    """What cannot be read is the screen's business; nobody is woken for it."""
    intake = Intake(ALERTS)
    assert intake.notice(received(message(event("y"), keys=None)._replace(value=b"no JSON"))) is None
    assert intake.counts["malformed"] == 1


@pytest.mark.parametrize("kind", [RegimeChange, RangeStep])
def test_regimes_and_ranges_are_notices(kind: type) -> None:
    """Both records of the topic; a return to calm is information."""
    record: Any = next(one for one in examples.of(kind) if isinstance(one, kind))
    body = encode_record(record)
    key = ",".join(record.underlyings) if isinstance(record, RegimeChange) else record.underlying
    headers = regime_headers(body, source="desk", epoch=1)
    found = Intake(ALERTS).notice(Received(REGIMES.name, 0, 3, key.encode(), body, headers, NOON))
    assert found is not None
    # An example may have none: then it is that of its content.
    assert found.id == (record.id or identity(found.kind, found.subject, str(record.event_time_us)))
    assert found.place == Place(REGIMES.name, 0, 3)
    if isinstance(record, RegimeChange):
        calm = encode_record(msgspec.structs.replace(record, regime="calm"))
        back = Intake(ALERTS).notice(Received(REGIMES.name, 0, 4, key.encode(), calm, headers, NOON))
        assert back is not None
        assert back.severity == "info"


def test_a_hold_and_its_end_are_two_kinds() -> None:
    """They are about the hold, and close nothing of what the account is called for."""
    raised = msgspec.structs.replace(event(kind="liquidation"), kind="data_hold", data_hold=True)
    over = msgspec.structs.replace(raised, data_hold=False)
    kinds = [of_event(one, ALERTS, Place("t", 0), NOON) for one in (raised, over)]
    assert [one.kind for one in kinds] == ["data_hold", "hold_over"]
    assert {one.subject for one in kinds} == {f"hold:{raised.account}"}
    assert kinds[1].closes


def test_a_watchdog_is_told_when_it_stays_and_when_it_is_over() -> None:
    """Not a short one, not twice, not its end if its beginning was not told; silence of a worker is one, too."""
    alerts = settings([], watch_for_s=10)
    watch = Watch(alerts, Place("t", 0))
    raised = {"market_silent": "no tick"}
    assert watch.look("w", raised, NOON) == []
    assert watch.look("w", {}, NOON + 5 * SECOND) == []
    told = [one for n in range(30) for one in watch.look("w", raised, NOON + (10 + n) * SECOND)]
    assert [(one.kind, one.severity) for one in told] == [("watchdog", "critical")]
    assert "no tick" in told[0].text
    (over,) = watch.look("w", {}, NOON + 60 * SECOND)
    assert over.kind == "watchdog_over"
    assert over.subject == told[0].subject
    assert over.id != told[0].id
    assert watch.look("other", reasons(None), NOON) == []
    (silent,) = watch.look("other", reasons(b"<html>"), NOON + 10 * SECOND)
    assert SILENT in silent.text


def test_a_restart_knows_what_was_raised() -> None:
    """A watchdog that was told before is not told again; its end is, under the id that it would have had."""
    alerts = settings([], watch_for_s=0)
    first = Watch(alerts, Place("t", 0))
    (told,) = first.look("w", {"disk": "full"}, NOON)
    second = Watch(alerts, Place("t", 0), {("w", "disk"): told.time_us})
    assert second.look("w", {"disk": "full"}, NOON + 99 * SECOND) == []
    assert [one.id for one in second.look("w", {}, NOON + 100 * SECOND)] == [
        one.id for one in first.look("w", {}, NOON + 100 * SECOND)
    ]


def test_readyz_is_read_as_a_worker_writes_it() -> None:
    """Names and reasons; a worker that is well complains of nothing."""
    said = b'{"ready":false,"idle":false,"partitions":6,"reasons":[{"name":"disk","reason":"5 MB are left"}]}'
    assert reasons(said) == {"disk": "5 MB are left"}
    assert reasons(b'{"ready":true,"idle":false,"partitions":6,"reasons":[]}') == {}


def test_a_message_is_never_longer_than_a_channel_takes() -> None:
    """Ten thousand alerts with long words are one message; what is not written out is counted, none is lost."""
    many = [notice(f"account-{n}", at_us=NOON + n, text="word " * 200) for n in range(10_000)]
    text = compose(many, most_lines=200)
    assert len(text.body) <= MAX_CHARACTERS + 200
    lines = text.body.splitlines()
    assert lines[-1] == f"... and {10_000 - (len(lines) - 1):,} liquidations more."
    assert text.title == "[critical] 10,000 liquidations"


def test_the_worst_comes_first() -> None:
    """Severity, then what is missing, then time."""
    notices = [
        notice("late", at_us=NOON + 5), notice("early", at_us=NOON), notice("poor", at_us=NOON + 9, shortfall_usd=5.0),
        notice("call", "margin_call", shortfall_usd=1e9),
    ]  # fmt: skip
    body = compose(notices, most_lines=9, link="https://desk/{account}").body
    assert [line.split()[2].rstrip(":") for line in body.splitlines()][:3] == ["poor", "early", "late"]
    assert "https://desk/poor #" in body


def test_every_kind_has_a_name_and_a_severity() -> None:
    """Words for one and for many."""
    assert set(NAMES) == set(DEFAULT_SEVERITIES)


def test_an_address_is_hidden_whole_and_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens, user, password and values of any service; hosts of web and mail stay readable."""
    monkeypatch.setattr(redaction, "_hidden", set())
    alerts = settings([])
    environ = {
        "DESK": "slack://TokenAAAA1/TokenBBBB2/TokenCCCC3/#channel-of-desk", "PAGER": "json://me:pass%20word@hooks.example/path-secret?x=val-secret",
    }  # fmt: skip
    found = addresses(alerts, environ)
    line = f"{environ} TokenAAAA1 TokenBBBB2 TokenCCCC3 pass word path-secret val-secret hooks.example {found}"
    clean = redaction.clean(line)
    for secret in ("Token", "pass", "path-secret", "val-secret"):
        assert secret not in clean
    assert "hooks.example" in clean
    assert "localhost" not in parts("json://localhost/x")


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # apprise, on importing it
def test_an_address_that_apprise_does_not_know_is_named_by_its_channel() -> None:
    """The error has the channel and never the address."""
    environ = {"DESK": "json://127.0.0.1/x", "PAGER": "nonsense://very-secret"}
    with pytest.raises(UsageError) as caught:
        senders(settings([]), environ)
    assert "pager" in caught.value.cause
    assert "very-secret" not in str(caught.value)


def test_notes_that_are_none_change_nothing() -> None:
    """Rubbish, another key than the note's, and tombstones of what is not there are counted or passed over."""
    remembered = Remembered()
    ack = Ack(id="a" * 32, by="me", at_us=NOON)
    remembered.fold(b"told/x/y", encode(ack))
    remembered.fold(b"ack/x", b"{")
    remembered.fold(b"\xff", b"{}")
    remembered.fold(b"unknown/x", None)
    assert (remembered.strange, remembered.acks) == (4, {})
    remembered.fold(key_of(ack).encode(), encode(ack))
    remembered.fold(b"open/not-there", None)
    assert remembered.acks == {ack.id: ack}
    assert find([ack.id, "b" * 32], "aaaa") == [ack.id]


def test_a_preview_tells_each_event_in_its_own_time() -> None:
    """A day of events becomes the messages that it would have made; escalations that nobody answers are in it."""
    alerts = settings([{"channels": ["desk"], "window_s": 30, "escalate_after_s": 60, "escalate_to": ["pager"]}])
    events = [notice(f"a-{n}", at_us=NOON + n * 10 * SECOND) for n in range(10)]
    made = list(messages(events, alerts))
    told = [entry.notice.id for _, one in made if one.channel == "desk" for entry in one.entries]
    assert told == [one.id for one in events]
    again = {entry.notice.id for _, one in made if one.channel == "pager" for entry in one.entries}
    assert again == {one.id for one in events}
    assert [at_us for at_us, _ in made] == sorted(at_us for at_us, _ in made)
