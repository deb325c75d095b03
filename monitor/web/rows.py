"""What the page is told: the records of its JSON, version 1. Money is USD, times are microseconds since 1970 UTC.

A number that is not known is null.
"""

from __future__ import annotations

from typing import Final

from msgspec import Raw, Struct

VERSION: Final = 1


class EventRow(Struct, frozen=True, kw_only=True, gc=False):
    """One event of an account, or a change of regime (`account` is then empty)."""

    id: str
    kind: str
    account: str
    event_time_us: int
    sequence: int = 0
    episode: int = 0
    state_from: str = ""
    state_to: str = ""
    data_hold: bool = False
    jump: bool = False
    equity_usd: float = 0.0
    im_requirement_usd: float = 0.0
    mm_requirement_usd: float = 0.0
    shortfall_usd: float = 0.0
    reason: str = ""
    data_quality: tuple[str, ...] = ()
    most: str = ""
    """The underlying with the largest part of the requirement."""


class AccountRow(Struct, frozen=True, kw_only=True):
    """One account; `u` is MM over equity, `v` IM over equity, null without equity.

    `here` says that its figures are sampled by this worker; otherwise they are as last published, at `time_us`.
    """

    account: str
    status: str
    data_hold: bool
    equity_usd: float | None
    im_requirement_usd: float | None
    mm_requirement_usd: float | None
    u: float | None
    v: float | None
    time_us: int
    here: bool
    model: str


class Point(Struct, frozen=True, array_like=True):
    """Figures at one moment, written as a list in this order."""

    time_us: int
    equity_usd: float
    im_requirement_usd: float
    mm_requirement_usd: float


class Totals(Struct, frozen=True, kw_only=True):
    """All accounts together; those without figures are left out of the sums."""

    accounts: int = 0
    unknown: int = 0
    equity_usd: float = 0.0
    im_requirement_usd: float = 0.0
    mm_requirement_usd: float = 0.0


class IndexRow(Struct, frozen=True, kw_only=True):
    """One underlying: composite index, its sources and flags, and how old what it rests on is.

    `quiet_s` is for how long the index has not changed, as this worker saw it. `slice_age_s` is the age of its oldest
    volatility slice in market time, `without_slice` how many listed expiries have none of their own.
    """

    underlying: str
    price_usd: float | None
    held: bool
    flags: tuple[str, ...]
    fresh_sources: int
    sources: int
    quiet_s: float
    annual_vol: float | None
    price_range: float | None
    options: int = 0
    expiries: int = 0
    without_slice: int = 0
    slice_age_s: float | None = None


class ContractRow(Struct, frozen=True, kw_only=True):
    """One perpetual or future. `rests_on` is `mark` (fresh), `average` (no fresh mark) or `none` (the index alone)."""

    instrument: str
    underlying: str
    type: str
    expiry_us: int | None
    mark_usd: float | None
    basis: float
    rests_on: str
    funding_rate_8h: float | None
    funding_stale: bool
    stale: bool


class Correlation(Struct, frozen=True, kw_only=True):
    """The published correlations and their regime; matrices in the order of `underlyings`."""

    version: int
    time_us: int
    underlyings: tuple[str, ...]
    quiet: tuple[str, ...]
    fast: list[list[float]]
    slow: list[list[float]]
    absorption_ratio: float
    distance: float
    rise: float
    regime: str
    regime_since_us: int
    stale: tuple[str, ...]


class Market(Struct, frozen=True, kw_only=True):
    """The market as this worker has folded it."""

    time_us: int
    indices: tuple[IndexRow, ...]
    contracts: tuple[ContractRow, ...]
    left_out: int = 0


class Shown(Struct, frozen=True, kw_only=True):
    """Whose accounts these are, and how far what is shown has come.

    `reading` is `starting`, `live` or what is in the way of it. `own` counts the accounts that this worker evaluates
    itself; `figures_age_s` is the age, in market time, of the oldest figures of those.
    """

    partitions: tuple[int, ...]
    of: int
    own: int
    reading: str
    behind: int
    unreadable: int
    figures_age_s: float | None


class Pulse(Struct, frozen=True, kw_only=True):
    """How things are, once a second.

    `heard_s` is how long ago the last tick or heartbeat came, `loop_s` how long ago the worker's loop was seen to turn,
    `seen_s` how old this worker's look at the market is; null before the first. `readiness` is the body of `/readyz`.
    """

    v: int
    now_us: int
    instance: str
    market_time_us: int
    heard_s: float | None
    loop_s: float | None
    seen_s: float | None
    lag_s: float | None
    readiness: Raw
    shown: Shown
    counts: dict[str, int]
    held: int
    totals: Totals
    regime: str
    regime_since_us: int
    indices_held: tuple[str, ...]
    events: int
    kinds: dict[str, int]
    streams: int
    dropped: int
    answers: int = 0
    """Moves when somebody has answered for an alert, or another one waits."""


class Accounts(Struct, frozen=True, kw_only=True):
    """A page of accounts; `matching` of `total` fit the filter."""

    v: int
    total: int
    matching: int
    market_time_us: int
    accounts: list[AccountRow]


class Events(Struct, frozen=True, kw_only=True):
    """Events, the newest first; `id` is where the stream goes on from, `kept` how many are remembered in all."""

    v: int
    id: str
    kept: int
    events: list[EventRow]


class History(Struct, frozen=True, kw_only=True):
    """Figures over time, the oldest first."""

    v: int
    points: list[Point]


class AccountPage(Struct, frozen=True, kw_only=True):
    """One account, its figures over time and its events; `here` says that this worker has the partition of its name."""

    v: int
    account: AccountRow
    partition: int
    here: bool
    market_time_us: int
    history: list[Point]
    events: list[EventRow]


class MarketPage(Struct, frozen=True, kw_only=True):
    """The market, null before the worker has looked at it."""

    v: int
    market: Market | None


class CorrelationPage(Struct, frozen=True, kw_only=True):
    """The correlations, null before the worker has looked at them, and the newest changes of regime."""

    v: int
    correlation: Correlation | None
    changes: list[EventRow]


class AckRow(Struct, frozen=True, kw_only=True):
    """Somebody answers for an alert: who, when, and what is being done."""

    id: str
    by: str
    at_us: int
    text: str = ""


class AlertRow(Struct, frozen=True, kw_only=True):
    """An alert that people were told of; `waits` for an answer, without one `told_again_us`, null once it was.

    A watchdog that stands is listed whether anybody has to answer or not. `told_us` is when it was told first, or a
    watchdog was raised.
    """

    id: str
    kind: str
    severity: str
    account: str
    text: str
    time_us: int
    told_us: int
    waits: bool
    told_again_us: int | None


class AnswersPage(Struct, frozen=True, kw_only=True):
    """Answers, the newest first, and open alerts; `writable` says whether this page takes answers, else `why` not.

    `reading` is `starting`, `live` or what is in the way of reading them.
    """

    v: int
    version: int
    reading: str
    writable: bool
    why: str
    acks: list[AckRow]
    alerts: list[AlertRow]


class Acknowledged(Struct, frozen=True, kw_only=True):
    """What came of an answer."""

    v: int
    ack: AckRow
