"""Composite index of one underlying (the table of rules is in `composite`)."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from monitor.engine.clock import DAY_US
from monitor.engine.jump import JumpWindow

MAX_DISPERSION = 0.02
DISPERSION_HOLD_US = 60_000_000
FORGET_US = DAY_US  # a source silent for a day is gone; remembered longer, it would keep the index held
MAX_SOURCES = 32  # a publisher of random source names must not make every tick slow
FAR_US = 1 << 62  # no deadline

SINGLE_SOURCE, DISPERSED, JUMP, STALE = 1, 2, 4, 8
_NAMES = {DISPERSED: "dispersed", JUMP: "jump", SINGLE_SOURCE: "single_source", STALE: "stale"}
FLAGS: tuple[tuple[str, ...], ...] = tuple(
    tuple(sorted(name for bit, name in _NAMES.items() if mask & bit)) for mask in range(16)
)


class IndexView(Struct, frozen=True, gc=False):
    """A composite index at a moment: `flags` are sorted; `sources` are those known, fresh or not."""

    price_usd: float
    held: bool
    flags: tuple[str, ...]
    fresh_sources: int
    sources: int


class Source:
    """Newest price of one index source; fresh while market time is at most `expires_us`."""

    __slots__ = ("expires_us", "price_usd", "time_us")

    def __init__(self, price_usd: float, time_us: int, expires_us: int) -> None:
        self.price_usd = price_usd
        self.time_us = time_us
        self.expires_us = expires_us


class Index:
    """Sources of one underlying and the price they make."""

    __slots__ = (
        "_view", "agreed_usd", "deadline_us", "dispersed_us", "fresh", "held", "mask", "price_usd", "sources",
        "underlying", "window",
    )  # fmt: skip

    def __init__(self, underlying: str) -> None:
        self.underlying = underlying
        self.sources: dict[str, Source] = {}
        self.price_usd = 0.0
        self.agreed_usd = 0.0  # the last index that was not dispersed
        self.mask = 0
        self.held = False
        self.fresh = 0
        self.dispersed_us = 0  # market time at which the present dispersion began; 0: none
        self.deadline_us = FAR_US  # the last market time at which the present values hold without a new tick
        self.window: JumpWindow | None = None  # of a lone source
        self._view: IndexView | None = None  # of the present values, once somebody has asked for it

    def view(self) -> IndexView:
        """Return the present values; the same object until they are made again."""
        view = self._view
        if view is None:
            view = IndexView(self.price_usd, self.held, FLAGS[self.mask], self.fresh, len(self.sources))
            self._view = view
        return view

    def add(self, name: str) -> Source:
        """Add a source, whose first price has to be taken at once."""
        source = self.sources[name] = Source(0.0, 0, 0)
        self._view = None
        return source

    def take(self, source: Source, price_usd: float, time_us: int, max_age_us: int) -> None:
        """Take a source's newest price; `settle` then makes the index."""
        source.price_usd = price_usd
        source.time_us = time_us
        source.expires_us = time_us + max_age_us
        if len(self.sources) > 1:
            self.window = None
            return
        if self.window is None:
            self.window = JumpWindow()
        self.window.add(time_us, price_usd)

    def settle(self, now_us: int) -> bool:
        """Make the index at market time `now_us`; return whether price, flags or hold changed."""
        self._view = None
        price_before, mask_before, held_before = self.price_usd, self.mask, self.held
        prices = self._fresh_prices(now_us)
        known = len(self.sources)
        fresh = self.fresh = len(prices)
        mask = 0
        if known == 1:
            mask = SINGLE_SOURCE
            if self.window is not None and self.window.jumping:
                mask |= JUMP
            if not fresh:
                mask |= STALE
            elif not mask & JUMP:
                self.price_usd = self.agreed_usd = prices[0]
        elif fresh < 2:
            mask = STALE
        elif self._combine(prices):
            mask = DISPERSED
        held = mask & (STALE | JUMP) != 0
        if not mask & DISPERSED:
            self.dispersed_us = 0
        else:
            if not self.dispersed_us:
                self.dispersed_us = now_us
            until_us = self.dispersed_us + DISPERSION_HOLD_US
            if now_us > until_us:
                held = True
            else:
                self.deadline_us = min(self.deadline_us, until_us)
        self.mask = mask
        self.held = held
        return self.price_usd != price_before or mask != mask_before or held != held_before

    def _fresh_prices(self, now_us: int) -> list[float]:
        """Prices of fresh sources, ascending; sets the deadline of freshness and forgets the long silent."""
        prices: list[float] = []
        deadline_us = FAR_US
        gone = False
        for source in self.sources.values():
            until_us = source.expires_us
            if until_us >= now_us:
                prices.append(source.price_usd)
            else:
                until_us = source.time_us + FORGET_US
                if until_us < now_us:
                    gone = len(self.sources) > 1
                    continue
            if until_us < deadline_us:  # noqa: PLR1730 - min() here is a tenth of the cost of a tick
                deadline_us = until_us
        self.deadline_us = deadline_us
        if gone:
            self._forget(now_us)
        if len(prices) > 1:
            prices.sort()
        return prices

    def _forget(self, now_us: int) -> None:
        newest = max(self.sources, key=lambda name: self.sources[name].time_us)
        self.sources = {
            name: source
            for name, source in self.sources.items()
            if name == newest or max(source.expires_us, source.time_us + FORGET_US) >= now_us
        }

    def _combine(self, prices: list[float]) -> bool:
        """Set the price from two or more fresh prices in ascending order; return whether they are dispersed."""
        n = len(prices)
        low, high = prices[0], prices[-1]
        close = high <= (1.0 + MAX_DISPERSION) * low
        if n == 2 and not close:
            # The median of the two and the agreed index: neither source alone can take it anywhere.
            self.price_usd = min(max(self.agreed_usd, low), high)
            return True
        middle = prices[n // 2] if n % 2 else 0.5 * (prices[n // 2 - 1] + prices[n // 2])
        self.price_usd = middle
        if not close and sum(1 for price in prices if abs(price - middle) <= MAX_DISPERSION * middle) < 2:
            return True
        self.agreed_usd = middle
        return False

    def snapshot(self) -> dict[str, Any]:
        """Return the index as plain JSON values."""
        return {
            "underlying": self.underlying,
            "sources": [[name, s.price_usd, s.time_us, s.expires_us] for name, s in self.sources.items()],
            "price_usd": self.price_usd,
            "agreed_usd": self.agreed_usd,
            "mask": self.mask,
            "held": self.held,
            "fresh": self.fresh,
            "dispersed_us": self.dispersed_us,
            "deadline_us": self.deadline_us,
            "window": self.window.snapshot() if self.window is not None else None,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Index:
        """Rebuild an index from its snapshot."""
        index = cls(state["underlying"])
        index.sources = {name: Source(*values) for name, *values in state["sources"]}
        for name in ("price_usd", "agreed_usd", "mask", "held", "fresh", "dispersed_us", "deadline_us"):
            setattr(index, name, state[name])
        if state["window"] is not None:
            index.window = JumpWindow.restore(state["window"])
        return index
