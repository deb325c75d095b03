"""What waits for which channel, and when it goes: a state machine in the time it is given, without clock or IO.

Nothing is dropped by a limit: what may not go yet is in the next message. A notice leaves when its message was taken by
the channel, and is told a second time only where nobody acknowledged the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from monitor.alerts.digest import Text, compose
from monitor.alerts.notes import Lane, Note, Open, Remembered, Told
from monitor.alerts.notice import Notice, Place
from monitor.alerts.routing import UNKNOWN, Holder, Routed, route
from monitor.alerts.settings import Alerts, Channel

SECOND_US: Final = 1_000_000
FIRST_RETRY_S: Final = 5.0
LONGEST_RETRY_S: Final = 300.0


def again(identity: str) -> str:
    """Return under which id it is noted that a notice was told for the second time."""
    return f"{identity}!"


class Entry(NamedTuple):
    """A notice that waits for a channel until `due_us` at the latest; `again` if nobody answered the first time."""

    notice: Notice
    due_us: int
    routed: Routed
    again: bool = False


class Message(NamedTuple):
    """What goes to a channel in one piece; `lane` has to be noted before it does."""

    channel: str
    text: Text
    entries: tuple[Entry, ...]
    late: int
    lane: Lane


@dataclass
class _Waiting:
    """All that one channel has coming."""

    channel: Channel
    tokens: float
    at_us: int = 0
    entries: dict[tuple[str, bool], Entry] = field(default_factory=dict)
    late: int = 0
    busy: bool = False
    failures: int = 0
    not_before_us: int = 0

    def refill(self, now_us: int) -> None:
        every_us = self.channel.then_every_s * SECOND_US
        gained = (now_us - self.at_us) / every_us if every_us else self.channel.burst
        # A clock that went back gives nothing, and takes nothing.
        self.tokens = min(float(self.channel.burst), self.tokens + max(0.0, gained))
        self.at_us = now_us


class Dispatcher:
    """Takes notices, gives messages; `remembered` is what was noted before, and is kept up to date."""

    def __init__(self, alerts: Alerts, remembered: Remembered | None = None) -> None:
        self.remembered = remembered or Remembered()
        self._alerts = alerts
        self._max_age_us = int(alerts.max_age_s * SECOND_US)
        self._newest: dict[str, str] = {}  # id of the newest notice by what it is about
        self._waiting: dict[str, _Waiting] = {}
        for name, channel in alerts.channels.items():
            lane = self.remembered.lanes.get(name)
            tokens = min(lane.tokens, float(channel.burst)) if lane else float(channel.burst)
            self._waiting[name] = _Waiting(channel, tokens, lane.at_us if lane else 0)

    # --- in -------------------------------------------------------------------------------------

    def take(self, notice: Notice, now_us: int, holder: Holder = UNKNOWN) -> list[str]:
        """Take a notice; return the ids of open ones that it closes: whoever answers looks at the newest."""
        closed = self._close(notice)
        self._newest[notice.subject] = notice.id
        routed = route(notice, self._alerts.routes, holder)
        for target in routed.targets:
            waiting = self._waiting[target.channel]
            if (notice.id, target.channel) in self.remembered.told or (notice.id, False) in waiting.entries:
                continue
            if now_us - notice.seen_us > self._max_age_us:
                waiting.late += 1
            else:
                due_us = now_us + int(target.window_s * SECOND_US)
                waiting.entries[notice.id, False] = Entry(notice, due_us, routed)
        return closed

    def _close(self, notice: Notice) -> list[str]:
        about = self.remembered.by_subject.get(notice.subject, ())
        opened = self.remembered.opened
        closed = [
            one for one in sorted(about) if one != notice.id and opened[one].notice.time_us <= notice.time_us
        ]  # fmt: skip
        for identity in closed:
            self.remembered.close(identity)
            self.withdraw(identity)
        return closed

    def escalate(self, now_us: int, owns: Callable[[Place], bool] = lambda _: True) -> None:
        """Have open notices that nobody acknowledged in time told again."""
        for one in self.remembered.unanswered():
            if one.due_us is None or one.due_us > now_us or not owns(one.notice.place):
                continue
            for channel in one.to:
                waiting = self._waiting.get(channel)
                if waiting is not None and (again(one.notice.id), channel) not in self.remembered.told:
                    waiting.entries.setdefault((one.notice.id, True), Entry(one.notice, now_us, Routed(), again=True))

    def withdraw(self, identity: str) -> None:
        """Have a notice that was acknowledged or closed not told again."""
        for waiting in self._waiting.values():
            waiting.entries.pop((identity, True), None)

    def drop(self, lost: Callable[[Place], bool]) -> None:
        """Forget what waits and came from places that are somebody else's now."""
        for waiting in self._waiting.values():
            waiting.entries = {key: one for key, one in waiting.entries.items() if not lost(one.notice.place)}

    # --- out ------------------------------------------------------------------------------------

    def outbox(self, now_us: int) -> list[Message]:
        """Return what goes out now, one message a channel at most; each has to be `delivered` or `failed`."""
        return [message for name in self._waiting if (message := self._message(name, now_us)) is not None]

    def _message(self, name: str, now_us: int) -> Message | None:
        waiting = self._waiting[name]
        self._outdate(waiting, now_us)
        due = waiting.late or any(entry.due_us <= now_us for entry in waiting.entries.values())
        if waiting.busy or not due or now_us < waiting.not_before_us:
            return None
        waiting.refill(now_us)
        if waiting.tokens < 1.0:
            return None
        waiting.tokens -= 1.0
        waiting.busy = True
        # All that waits, also what might wait longer: one message instead of two.
        entries = tuple(waiting.entries.values())
        text = compose(
            [entry.notice for entry in entries], most_lines=waiting.channel.most_lines, late=waiting.late,
            escalated=frozenset(entry.notice.id for entry in entries if entry.again), link=self._alerts.link,
        )  # fmt: skip
        lane = Lane(channel=name, tokens=waiting.tokens, at_us=now_us)
        self.remembered.take(lane)
        return Message(name, text, entries, waiting.late, lane)

    def _outdate(self, waiting: _Waiting, now_us: int) -> None:
        if waiting.busy:
            return
        for key, entry in list(waiting.entries.items()):
            if now_us - entry.notice.seen_us > self._max_age_us and not entry.again:
                del waiting.entries[key]
                waiting.late += 1

    def delivered(self, message: Message, now_us: int) -> list[Note]:
        """Return what is to be noted now that a channel took a message."""
        waiting = self._waiting[message.channel]
        waiting.busy, waiting.failures = False, 0
        waiting.late -= message.late
        notes: list[Note] = []
        for entry in message.entries:
            waiting.entries.pop((entry.notice.id, entry.again), None)
            for note in self._noted(entry, message.channel, now_us):
                self.remembered.take(note)
                notes.append(note)
        return notes

    def _noted(self, entry: Entry, channel: str, now_us: int) -> Iterator[Note]:
        identity = entry.notice.id
        opened = self.remembered.opened.get(identity)
        if entry.again:
            yield Told(id=again(identity), channel=channel, at_us=now_us)
            if opened is not None and opened.due_us is not None and self._all_told(opened):
                yield Open(notice=opened.notice, due_us=None, to=opened.to, told_us=opened.told_us)
            return
        yield Told(id=identity, channel=channel, at_us=now_us)
        after_s = entry.routed.escalate_after_s
        if after_s is None or opened is not None or identity in self.remembered.acks:
            return
        if self._newest.get(entry.notice.subject, identity) == identity:
            due_us = now_us + int(after_s * SECOND_US)
            yield Open(notice=entry.notice, due_us=due_us, to=entry.routed.escalate_to, told_us=now_us)

    def _all_told(self, opened: Open) -> bool:
        told = self.remembered.told
        return all(
            (again(opened.notice.id), channel) in told or channel not in self._waiting for channel in opened.to
        )  # fmt: skip

    def failed(self, message: Message, now_us: int) -> float:
        """Have a message that was refused tried again, all of it; return after how many seconds."""
        waiting = self._waiting[message.channel]
        waiting.busy = False
        wait_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(waiting.failures, 10))
        waiting.failures += 1
        waiting.not_before_us = now_us + int(wait_s * SECOND_US)
        return wait_s

    # --- how far --------------------------------------------------------------------------------

    @property
    def held(self) -> int:
        """How many notices wait, counted once for each channel."""
        return sum(len(waiting.entries) for waiting in self._waiting.values())

    @property
    def busy(self) -> bool:
        """Whether anything may still go out, if nobody answers and nothing more comes."""
        waits = any(waiting.entries or waiting.late for waiting in self._waiting.values())
        return waits or any(one.due_us is not None for one in self.remembered.opened.values())

    def unfinished(self) -> dict[tuple[str, int], int]:
        """Return the lowest offset of each partition whose notice waits: from there it has to be read again."""
        lowest: dict[tuple[str, int], int] = {}
        for waiting in self._waiting.values():
            for entry in waiting.entries.values():
                topic, partition, offset = entry.notice.place
                if offset >= 0 and not entry.again:
                    at = (topic, partition)
                    lowest[at] = min(offset, lowest.get(at, offset))
        return lowest
