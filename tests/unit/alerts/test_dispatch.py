"""What goes out when: windows, limits, retries, escalation, and what a restart knows."""

from __future__ import annotations

import itertools
import random
from typing import Any

from monitor.alerts.dispatch import Dispatcher, Message
from monitor.alerts.notes import Ack, Note, Remembered, encode, key_of
from monitor.alerts.settings import Alerts
from tests.unit.alerts.books import NOON, SECOND, notice, settings

DESK: dict[str, Any] = {"channels": ["desk"], "window_s": 10}


def restarted(alerts: Alerts, notes: list[Note]) -> Dispatcher:
    """A dispatcher of a new process that reads the notes of the old one from their bytes."""
    remembered = Remembered()
    for note in notes:
        remembered.fold(key_of(note).encode(), encode(note))
    assert remembered.strange == 0
    return Dispatcher(alerts, remembered)


def out(dispatcher: Dispatcher, at_us: int) -> list[Message]:
    """Messages of a moment, all taken by their channels."""
    found = dispatcher.outbox(at_us)
    for message in found:
        dispatcher.delivered(message, at_us)
    return found


def test_a_window_gathers_many_into_one_message() -> None:
    """The first notice waits for the others; then all go at once, the worst first."""
    dispatcher = Dispatcher(settings([DESK]))
    for number in range(50):
        kind: Any = "liquidation" if number == 30 else "margin_call"
        dispatcher.take(notice(f"a-{number}", kind, NOON + number), NOON + number)
        assert out(dispatcher, NOON + number) == []
    assert out(dispatcher, NOON + 10 * SECOND - 1) == []
    (message,) = out(dispatcher, NOON + 10 * SECOND)
    assert message.text.title == "[critical] 1 liquidation, 49 margin calls"
    assert "liquidation a-30" in message.text.body.splitlines()[0]
    assert message.text.body.splitlines()[-1] == "... and 30 margin calls more."
    assert out(dispatcher, NOON + 3_600 * SECOND) == []


def test_a_window_of_nothing_sends_at_once() -> None:
    """With window_s 0 the notice leaves with the next look."""
    dispatcher = Dispatcher(settings([{**DESK, "window_s": 0}]))
    dispatcher.take(notice(), NOON)
    (message,) = out(dispatcher, NOON)
    assert message.text.title == "[critical] liquidation of desk-7"
    assert notice().id[:12] in message.text.body


def test_a_limit_delays_and_loses_nothing() -> None:
    """Of a notice a second for a quarter of an hour everything is told, in `burst` messages and one a minute after."""
    alerts = settings(
        [{**DESK, "window_s": 0}], channels={"desk": {"url_variable": "X", "burst": 3, "most_lines": 200}}
    )
    dispatcher = Dispatcher(alerts)
    sent: list[tuple[int, Message]] = []
    wanted = set()
    for second in range(900):
        at_us = NOON + second * SECOND
        one = notice(f"a-{second}", at_us=at_us)
        wanted.add(one.id)
        dispatcher.take(one, at_us)
        sent += [(at_us, message) for message in out(dispatcher, at_us)]
    sent += [(NOON + 960 * SECOND, message) for message in out(dispatcher, NOON + 960 * SECOND)]
    told = [entry.notice.id for _, message in sent for entry in message.entries]
    assert set(told) == wanted
    assert len(told) == len(wanted)
    assert len(sent) <= 3 + 900 // 60 + 1
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(sent[3:])]
    assert all(gap >= 59 * SECOND for gap in gaps)


def test_an_event_is_told_once_however_often_it_comes() -> None:
    """Repetitions while it waits, after it was told, and after a restart change nothing."""
    alerts = settings([DESK])
    dispatcher = Dispatcher(alerts)
    for _ in range(3):
        dispatcher.take(notice(), NOON)
    (message,) = dispatcher.outbox(NOON + 10 * SECOND)
    assert len(message.entries) == 1
    notes = dispatcher.delivered(message, NOON + 10 * SECOND)
    for again in (dispatcher, restarted(alerts, notes)):
        again.take(notice(), NOON + 11 * SECOND)
        assert again.outbox(NOON + 60 * SECOND) == []


def test_what_was_not_noted_is_told_again() -> None:
    """A crash between a message and its note repeats it: at least once."""
    alerts = settings([DESK])
    dispatcher = Dispatcher(alerts)
    dispatcher.take(notice(), NOON)
    (lost,) = dispatcher.outbox(NOON + 10 * SECOND)
    again = restarted(alerts, [lost.lane])
    again.take(notice(), NOON + 12 * SECOND)
    assert [entry.notice.id for m in again.outbox(NOON + 22 * SECOND) for entry in m.entries] == [notice().id]


def test_crashing_at_every_start_is_no_storm() -> None:
    """A process that dies after each message, before it notes it, is held to the limit of one that lives."""
    alerts = settings([{**DESK, "window_s": 0}], channels={"desk": {"url_variable": "X", "burst": 4}})
    notes: list[Note] = []
    sent = 0
    for second in range(600):
        at_us = NOON + second * SECOND
        dispatcher = restarted(alerts, notes)
        dispatcher.take(notice(), at_us)
        for message in dispatcher.outbox(at_us):
            notes.append(message.lane)
            sent += 1
    assert 4 <= sent <= 4 + 600 // 60


def test_a_refused_message_is_tried_again_whole_and_ever_later() -> None:
    """Nothing of it is lost or noted, what came meanwhile goes with it, and offsets behind it are not committed."""
    dispatcher = Dispatcher(settings([{**DESK, "window_s": 0}]))
    dispatcher.take(notice(offset=7), NOON)
    at_us, waits = NOON, []
    for number in range(8):
        (message,) = dispatcher.outbox(at_us)
        assert len(message.entries) == 1 + number
        assert dispatcher.outbox(at_us) == []  # one message of a channel at a time
        wait_s = dispatcher.failed(message, at_us)
        waits.append(wait_s)
        assert dispatcher.outbox(at_us + int(wait_s * SECOND) - 1) == []
        at_us += int(wait_s * SECOND)
        dispatcher.take(notice(f"b-{number}", at_us=at_us, offset=8 + number), at_us)
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]
    assert dispatcher.unfinished() == {("risk.liquidations.v1", 0): 7}
    assert len(out(dispatcher, at_us)[0].entries) == 9
    assert dispatcher.unfinished() == {}


def test_one_channel_that_fails_holds_up_no_other() -> None:
    """A notice for two channels is told on the one that works, once; after a restart only the other is tried."""
    alerts = settings([{"channels": ["desk", "pager"], "window_s": 0}])
    dispatcher = Dispatcher(alerts)
    dispatcher.take(notice(), NOON)
    desk, pager = dispatcher.outbox(NOON)
    notes = dispatcher.delivered(desk, NOON)
    dispatcher.failed(pager, NOON)
    again = restarted(alerts, notes)
    again.take(notice(), NOON + SECOND)
    assert [message.channel for message in again.outbox(NOON + SECOND)] == ["pager"]


def test_old_alerts_are_counted_not_told() -> None:
    """A first start behind a month of events sends one message that says how many there were."""
    dispatcher = Dispatcher(settings([DESK], max_age_s=3_600))
    for number in range(5_000):
        dispatcher.take(
            notice(f"a-{number}", at_us=NOON + number),
            NOON + 7_200 * SECOND,
        )
    dispatcher.take(notice("new", at_us=NOON + 7_200 * SECOND), NOON + 7_200 * SECOND)
    (message,) = out(dispatcher, NOON + 7_210 * SECOND)
    assert [entry.notice.account for entry in message.entries] == ["new"]
    assert message.text.body.splitlines()[-1] == "Not told one by one, because they are old: 5,000."
    assert out(dispatcher, NOON + 9_000 * SECOND) == []


def escalating(**others: Any) -> Alerts:
    return settings([{**DESK, "window_s": 0, "escalate_after_s": 60, "escalate_to": ["pager"]}], **others)


def test_what_nobody_answers_is_told_again_once() -> None:
    """After escalate_after_s, to the other channel, marked; also when the process was restarted in between."""
    alerts = escalating()
    dispatcher = Dispatcher(alerts)
    dispatcher.take(notice(), NOON)
    (first,) = dispatcher.outbox(NOON)
    again = restarted(alerts, dispatcher.delivered(first, NOON))
    again.escalate(NOON + 59 * SECOND)
    assert again.outbox(NOON + 59 * SECOND) == []
    again.escalate(NOON + 60 * SECOND)
    (second,) = again.outbox(NOON + 60 * SECOND)
    assert second.channel == "pager"
    assert second.text.title == "[critical] not acknowledged: liquidation of desk-7"
    notes = again.delivered(second, NOON + 60 * SECOND)
    for late in (again, restarted(alerts, [*dispatcher.remembered.opened.values(), *notes])):
        late.escalate(NOON + 600 * SECOND)
        assert late.outbox(NOON + 600 * SECOND) == []
    assert [one.due_us for one in again.remembered.unanswered()] == [None]


def test_an_answer_keeps_it_from_being_told_again() -> None:
    """An acknowledgement before the time, and one while the second message waits for its limit."""
    dispatcher = Dispatcher(escalating())
    dispatcher.take(notice(), NOON)
    out(dispatcher, NOON)
    dispatcher.remembered.take(Ack(id=notice().id, by="somebody", at_us=NOON + 1))
    dispatcher.withdraw(notice().id)
    dispatcher.escalate(NOON + 60 * SECOND)
    assert dispatcher.outbox(NOON + 60 * SECOND) == []
    assert dispatcher.remembered.unanswered() == []


def test_a_later_event_of_the_account_takes_its_place() -> None:
    """A call is not told again when the account is liquidated or resolved; the liquidation is."""
    dispatcher = Dispatcher(escalating())
    dispatcher.take(notice(kind="margin_call"), NOON)
    out(dispatcher, NOON)
    closed = dispatcher.take(notice(at_us=NOON + SECOND), NOON + SECOND)
    assert closed == [notice(kind="margin_call").id]
    out(dispatcher, NOON + SECOND)
    assert [one.notice.kind for one in dispatcher.remembered.unanswered()] == ["liquidation"]
    assert dispatcher.take(notice(kind="resolved", at_us=NOON + 2 * SECOND), NOON + 2 * SECOND)
    assert dispatcher.remembered.unanswered() == []


def test_what_is_over_before_it_is_told_waits_for_nobody() -> None:
    """Call and end in one window are both told and neither is open."""
    dispatcher = Dispatcher(settings([{**DESK, "escalate_after_s": 60}]))
    dispatcher.take(notice(kind="margin_call"), NOON)
    dispatcher.take(notice(kind="resolved", at_us=NOON + SECOND), NOON + SECOND)
    (message,) = out(dispatcher, NOON + 10 * SECOND)
    assert len(message.entries) == 2
    assert dispatcher.remembered.unanswered() == []


def test_places_that_went_to_others_are_dropped() -> None:
    """What waits and came from a partition that is somebody else's is theirs to tell."""
    dispatcher = Dispatcher(settings([DESK]))
    dispatcher.take(notice(offset=3), NOON)
    dispatcher.drop(lambda place: place.offset >= 0)
    assert dispatcher.held == 0
    assert dispatcher.outbox(NOON + 60 * SECOND) == []


def test_what_is_outdated_is_forgotten() -> None:
    """Notes before a time are named by key, and gone with their tombstones."""
    dispatcher = Dispatcher(escalating())
    dispatcher.take(notice(), NOON)
    out(dispatcher, NOON)
    remembered = dispatcher.remembered
    assert remembered.outdated(NOON) == []
    keys = remembered.outdated(NOON + 1)
    assert sorted(key.split("/")[0] for key in keys) == ["open", "told"]
    for key in keys:
        remembered.fold(key.encode(), None)
    assert (remembered.told, remembered.opened, remembered.by_subject) == ({}, {}, {})


def test_random_crashes_lose_nothing() -> None:
    """Whatever is refused or dies in between, each event of an hour is told on each channel, and few more than once."""
    draw = random.Random(5)
    alerts = settings([{"channels": ["desk", "pager"], "window_s": 5}], max_age_s=86_400)
    events = [notice(f"a-{n}", at_us=NOON + n * SECOND, offset=n) for n in range(400)]
    notes: list[Note] = []
    told: dict[tuple[str, str], int] = {}
    dispatcher, committed, at_us = restarted(alerts, notes), 0, NOON
    read = 0
    while at_us < NOON + 4_000 * SECOND:
        at_us += SECOND
        while read < len(events) and events[read].time_us <= at_us:
            dispatcher.take(events[read], at_us)
            read += 1
        for message in dispatcher.outbox(at_us):
            notes.append(message.lane)
            fate = draw.random()
            if fate < 0.2:
                dispatcher.failed(message, at_us)
                continue
            for entry in message.entries:
                key = (entry.notice.id, message.channel)
                told[key] = told.get(key, 0) + 1
            if fate < 0.3:  # it dies before it notes
                dispatcher, read = restarted(alerts, notes), committed
                break
            notes += dispatcher.delivered(message, at_us)
        committed = min([read, *dispatcher.unfinished().values()])
    assert set(told) == {(one.id, channel) for one in events for channel in ("desk", "pager")}
    assert committed == len(events)
