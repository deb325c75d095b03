"""What the page knows: accounts, the newest events, changes of regime, and figures over time. A pure fold."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import Final

from monitor.web.accounts import Accounts, Sample
from monitor.web.ring import Place, Ring
from monitor.web.rows import EventRow, Point
from schemas.records import AccountEvent, RegimeChange

HISTORY: Final = 1_800  # points of the book, an hour of every two seconds
ACCOUNT_HISTORY: Final = 900
FOLLOWED: Final = 64  # accounts whose figures are kept over time, because somebody looked at them
CHANGES: Final = 200  # of regimes


class Desk:
    """Fed by the reader of the topics and by samples; asked by `monitor.web.views`."""

    def __init__(self) -> None:
        self.accounts = Accounts()
        self.ring = Ring()
        self.kinds: Counter[str] = Counter()
        self.changes: deque[EventRow] = deque(maxlen=CHANGES)
        self.history: deque[Point] = deque(maxlen=HISTORY)
        self._followed: OrderedDict[str, deque[Point]] = OrderedDict()

    def event(self, place: Place, event: AccountEvent) -> None:
        """Take an event that was not seen before."""
        self.kinds[event.kind] += 1
        self.ring.add(place, row_of(event))

    def regime(self, change: RegimeChange) -> None:
        """Take a change of regime."""
        if not self.changes or change.event_time_us >= self.changes[-1].event_time_us:
            self.changes.append(regime_row(change))

    def sample(self, sample: Sample) -> None:
        """Take figures of an account."""
        self.accounts.sample(sample)

    def keep(self, time_us: int, *, whole: bool) -> None:
        """Keep the figures of now, at a market time, for what is shown over time; a moment that is kept is replaced.

        All accounts together are kept once they are `whole`: before that the sum would move because they come in.
        """
        totals = self.accounts.totals()
        if whole and totals.accounts and time_us:
            point = Point(time_us, totals.equity_usd, totals.im_requirement_usd, totals.mm_requirement_usd)
            _add(self.history, point)
        for name, points in self._followed.items():
            found = self.accounts.point(name)
            if found is not None:
                _add(points, found)

    def follow(self, name: str) -> list[Point]:
        """Return what is kept of an account over time, and keep it from now on.

        Before its first sample it has what its events say.
        """
        points = self._followed.pop(name, None)
        if points is None:
            points = deque(maxlen=ACCOUNT_HISTORY)
            for row in sorted(self.events_of(name), key=lambda one: one.event_time_us):
                _add(points, Point(row.event_time_us, row.equity_usd, row.im_requirement_usd, row.mm_requirement_usd))
            found = self.accounts.point(name)
            if found is not None:
                _add(points, found)
        self._followed[name] = points
        if len(self._followed) > FOLLOWED:
            self._followed.popitem(last=False)
        return list(points)

    def events_of(self, name: str, limit: int = 200) -> list[EventRow]:
        """Return the newest events of an account, the newest first."""
        found = (row for _, row in self.ring.newest() if row.account == name)
        return [row for row, _ in zip(found, range(limit), strict=False)]


def row_of(event: AccountEvent) -> EventRow:
    """Return an event as the page lists it."""
    return EventRow(
        id=event.id, kind=event.kind, account=event.account, event_time_us=event.event_time_us,
        sequence=event.sequence, episode=event.episode, state_from=event.state_from, state_to=event.state_to,
        data_hold=event.data_hold, jump=event.jump, equity_usd=event.equity_usd,
        im_requirement_usd=event.im_requirement_usd, mm_requirement_usd=event.mm_requirement_usd,
        shortfall_usd=event.shortfall_usd, reason=event.reason, data_quality=event.data_quality,
        most=event.underlyings[0].underlying if event.underlyings else "",
    )  # fmt: skip


def regime_row(change: RegimeChange) -> EventRow:
    """Return a change of regime as the page lists it."""
    return EventRow(
        id=change.id, kind="regime", account="", event_time_us=change.event_time_us, state_from=change.regime_from,
        state_to=change.regime, reason=change.trigger,
    )  # fmt: skip


def _add(points: deque[Point], point: Point) -> None:
    if points and points[-1].time_us > point.time_us:
        return
    if points and points[-1].time_us == point.time_us:
        points.pop()
    points.append(point)
