"""Settlement prices: the composite index averaged over the half hour before an expiry, weighed by time.

Each underlying keeps the integral of its index over every minute of the last day, and how long of that minute it was
good (known and not held). What was not good has no weight: a price that may not liquidate anybody settles nothing
either. A price holds until the next one, so nothing depends on how many ticks or heartbeats there were.

    settlement = sum(integral) / sum(good time)   over the `WINDOW_US` before the expiry

An expiry inside a minute is settled by the whole minutes before it. A window without any good price is settled by the
first minute after the expiry that has one.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

WINDOW_US = 1_800_000_000  # 30 min, as the large options venues
MINUTE_US = 60_000_000
MEMORY_MINUTES = 1_440  # a trade that comes later than a day after its expiry is a case for people
_WINDOW_MINUTES = WINDOW_US // MINUTE_US


class Settlement(NamedTuple):
    """A settlement price, USD, and the part of the window that had a good index (1 normally, 0: taken after it)."""

    price_usd: float
    covered: float


class Average(NamedTuple):
    """An average inside its window: `price_usd` over the `good_us` so far (NaN if none), `left_us` to come."""

    price_usd: float
    good_us: int
    left_us: int


class _Minutes:
    """One underlying. `integrals` and `good` are by minute from `first`; the last one is under way at `since_us`."""

    __slots__ = ("dropped", "first", "good", "holds", "integrals", "price_usd", "since_us")

    def __init__(self, now_us: int) -> None:
        self.first = now_us // MINUTE_US
        self.integrals: deque[float] = deque([0.0])
        self.good: deque[int] = deque([0])
        self.dropped = False
        self.since_us = now_us
        self.price_usd = 0.0
        self.holds = False  # the price in force since `since_us` is good

    def change(self, price_usd: float, good: bool, now_us: int) -> None:
        """Let another price hold from now on."""
        self._fill(now_us)
        self.price_usd = price_usd
        self.holds = good

    def _fill(self, now_us: int) -> None:
        minute = now_us // MINUTE_US
        newest = self.first + len(self.integrals) - 1
        if minute > newest:
            self._add(MINUTE_US - self.since_us % MINUTE_US)
            full = min(minute - newest - 1, MEMORY_MINUTES)
            self._skip(minute - newest - 1 - full)
            weight_us = MINUTE_US if self.holds else 0
            self.integrals.extend([self.price_usd * weight_us] * full)
            self.good.extend([weight_us] * full)
            self.integrals.append(0.0)
            self.good.append(0)
            self._add(now_us % MINUTE_US)
            self._drop()
        else:
            self._add(now_us - self.since_us)
        self.since_us = now_us

    def _add(self, duration_us: int) -> None:
        if self.holds:
            self.integrals[-1] += self.price_usd * duration_us
            self.good[-1] += duration_us

    def _skip(self, minutes: int) -> None:
        """Forget everything when a silence is longer than the memory."""
        if minutes:
            self.first += len(self.integrals) + minutes
            self.integrals.clear()
            self.good.clear()
            self.dropped = True

    def _drop(self) -> None:
        while len(self.integrals) > MEMORY_MINUTES:
            self.integrals.popleft()
            self.good.popleft()
            self.first += 1
            self.dropped = True

    def total(self, start: int, stop: int) -> tuple[float, int]:
        """Return integral (USD us) and good time (us) of whole minutes that have passed; reading changes nothing."""
        integral, good_us = 0.0, 0
        for minute in range(max(start, self.first), stop):
            of_minute, good_of_minute = self._of(minute)
            integral += of_minute
            good_us += good_of_minute
        return integral, good_us

    def _of(self, minute: int) -> tuple[float, int]:
        """Return one whole minute's integral and good time, the same before and after the next change is known."""
        newest = self.first + len(self.integrals) - 1
        integral, good_us, ahead_us = 0.0, 0, MINUTE_US
        if minute <= newest:
            integral, good_us = self.integrals[minute - self.first], self.good[minute - self.first]
            ahead_us = MINUTE_US - self.since_us % MINUTE_US if minute == newest else 0
        if self.holds and ahead_us:
            return integral + self.price_usd * ahead_us, good_us + ahead_us
        return integral, good_us

    def forgot(self, minute: int) -> bool:
        """Whether there were minutes from `minute` on that are no longer known."""
        return self.dropped and minute < self.first


class Averages:
    """Averages of every underlying's index; a function of the index changes it was told, in order."""

    __slots__ = ("_minutes",)

    def __init__(self) -> None:
        self._minutes: dict[str, _Minutes] = {}

    def change(self, underlying: str, price_usd: float, good: bool, now_us: int) -> None:
        """Take an index that holds from `now_us` on; times never go back."""
        minutes = self._minutes.get(underlying)
        if minutes is None:
            minutes = self._minutes[underlying] = _Minutes(now_us)
        minutes.change(price_usd, good, now_us)

    def settlement(self, underlying: str, expiry_us: int, now_us: int) -> Settlement | None:
        """Return the settlement price of an expiry that has passed, None where there is none (yet), or none any more.

        The same whenever it is asked, from the first moment it is there until it is forgotten. Raises ValueError
        before the expiry.
        """
        if now_us < expiry_us:
            raise ValueError(f"expiry {expiry_us} is after {now_us}")
        minutes = self._minutes.get(underlying)
        end = expiry_us // MINUTE_US
        if minutes is None or minutes.forgot(end - _WINDOW_MINUTES):
            return None
        integral, good_us = minutes.total(end - _WINDOW_MINUTES, end)
        if good_us:
            return Settlement(integral / good_us, good_us / WINDOW_US)
        for minute in range(max(end, minutes.first), now_us // MINUTE_US):
            integral, good_us = minutes.total(minute, minute + 1)
            if good_us:
                return Settlement(integral / good_us, 0.0)
        return None

    def forgotten(self, underlying: str, expiry_us: int) -> bool:
        """Whether an expiry's window, or what came after it, is too long ago to be known."""
        minutes = self._minutes.get(underlying)
        return minutes is not None and minutes.forgot(expiry_us // MINUTE_US - _WINDOW_MINUTES)

    def so_far(self, underlying: str, expiry_us: int, at_us: int) -> Average | None:
        """Return the average of a window at a whole minute inside it, None outside or for an unknown underlying."""
        minutes = self._minutes.get(underlying)
        end = expiry_us // MINUTE_US
        at = at_us // MINUTE_US
        if minutes is None or not end - _WINDOW_MINUTES < at <= end or minutes.forgot(end - _WINDOW_MINUTES):
            return None
        integral, good_us = minutes.total(end - _WINDOW_MINUTES, at)
        price_usd = integral / good_us if good_us else float("nan")
        return Average(price_usd, good_us, (end - at) * MINUTE_US)

    def snapshot(self) -> list[Any]:
        """Return the averages as plain JSON values."""
        return [
            [name, m.first, list(m.integrals), list(m.good), m.dropped, m.since_us, m.price_usd, m.holds]
            for name, m in self._minutes.items()
        ]

    @classmethod
    def restore(cls, state: list[Any]) -> Averages:
        """Rebuild the averages from their snapshot."""
        averages = cls()
        for name, first, integrals, good, dropped, since_us, price_usd, holds in state:
            minutes = averages._minutes[name] = _Minutes(since_us)
            minutes.first = first
            minutes.integrals = deque(integrals)
            minutes.good = deque(good)
            minutes.dropped = dropped
            minutes.price_usd = price_usd
            minutes.holds = holds
        return averages
