"""Recent prices of a lone index source, to tell a move from a jump.

With one source nothing else can vouch for a price, so one that differs by more than `MAX_JUMP` from any price in force
during the last `WINDOW_S` seconds is a jump: the index keeps its value and is held. It is taken again, at the new level
or back at the old one, with the first tick that finds all prices of the last `WINDOW_S` seconds within `SETTLED` of
itself. Only a tick releases, never time alone: a print that no later one confirms moves nothing.
"""

from __future__ import annotations

from typing import Any

MAX_JUMP = 0.10
SETTLED = 0.05  # leaving at the limit of entry, prices that alternate around it would hold and release at each print
WINDOW_S = 10
MEMORY_S = 300  # the last price before the window counts if it is no older: after a longer silence a move is no jump
_SECOND_US = 1_000_000


class JumpWindow:
    """Lowest, highest and last price of each of the last `WINDOW_S` seconds, and the price in force before them."""

    __slots__ = ("_before", "_before_s", "_buckets", "_high", "_low", "jumping")

    def __init__(self) -> None:
        self.jumping = False
        self._before = 0.0  # 0: none
        self._before_s = 0  # its second
        self._buckets: list[list[Any]] = []  # [second, low, high, last], oldest first
        self._low = self._high = 0.0  # over `_before` and `_buckets`

    def add(self, time_us: int, price_usd: float) -> None:
        """Take the newest price (times never go back) and judge it."""
        second = time_us // _SECOND_US
        buckets = self._buckets
        if buckets and buckets[-1][0] == second:
            bucket = buckets[-1]
            bucket[3] = price_usd
            if price_usd < bucket[1]:
                bucket[1] = price_usd
                self._low = min(self._low, price_usd)
            elif price_usd > bucket[2]:
                bucket[2] = price_usd
                self._high = max(self._high, price_usd)
        else:
            self._drop_before(second)
            low = high = price_usd
            for _, lowest, highest, _ in buckets:  # every tick of a quiet coin comes here
                if lowest < low:  # noqa: PLR1730 - min() over these is three times as long
                    low = lowest
                if highest > high:  # noqa: PLR1730
                    high = highest
            buckets.append([second, price_usd, price_usd, price_usd])
            self._low = min(low, self._before) if self._before else low
            self._high = max(high, self._before)
        limit = SETTLED if self.jumping else MAX_JUMP
        self.jumping = price_usd > (1.0 + limit) * self._low or price_usd < (1.0 - limit) * self._high

    def _drop_before(self, second: int) -> None:
        while self._buckets and self._buckets[0][0] < second - WINDOW_S:
            self._before_s, _, _, self._before = self._buckets.pop(0)
        if self._before_s < second - MEMORY_S:
            self._before = 0.0

    def snapshot(self) -> dict[str, Any]:
        """Return the window as plain JSON values."""
        return {
            "jumping": self.jumping,
            "before": self._before,
            "before_s": self._before_s,
            "buckets": [list(bucket) for bucket in self._buckets],
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> JumpWindow:
        """Rebuild a window from its snapshot."""
        window = cls()
        window.jumping = state["jumping"]
        window._before = state["before"]
        window._before_s = state["before_s"]
        window._buckets = [list(bucket) for bucket in state["buckets"]]
        prices = [bucket[1] for bucket in window._buckets] + [bucket[2] for bucket in window._buckets]
        if window._before:
            prices.append(window._before)
        if prices:
            window._low, window._high = min(prices), max(prices)
        return window
