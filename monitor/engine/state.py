"""What the engine remembers: accounts, shards and the market, and how accounts are stored.

`Account` and `Marker` are the values of the state changelog (layout 1). Everything else here is in memory and is
rebuilt from them and from the market topics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from monitor.engine.baseline import Baseline
from monitor.engine.expiries import Expiries
from monitor.engine.kept import Kept
from schemas.ids import canonical
from schemas.records import START, AccountConfig, Input, Position, Status

if TYPE_CHECKING:
    from monitor.engine.book import Book
    from monitor.engine.grounds import Noted
    from monitor.engine.market import Market

LAYOUT = 1  # of the stored values; a reader refuses any other
RECENT_IDS = 64  # trade and transfer ids remembered per account: a publisher's retry comes within a few records
NO_DEADLINE = 1 << 62
_NOTED = "noted"
MAX_POINTS = 64  # of an account between two of its published states: those of a backlog that has more are not told
MAX_OVERLOADS = 16  # remembered of a shard, apart from the oldest, which stands for those between
MAX_STATE_BYTES = 900_000  # below Kafka's 1 MB message bound; a larger account is held, never half written


class Sourced(Struct, frozen=True, gc=False):
    """A decoded record and where it came from; `raw` are its original bytes, for a dead letter."""

    topic: str
    partition: int
    offset: int
    index: int
    record: Input
    raw: bytes = b""

    @property
    def position(self) -> Position:
        """Offset and index in the frame."""
        return (self.offset, self.index)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record the engine refused, with its reason: the shell makes it a dead letter."""

    source: Sourced
    error_kind: str
    error_text: str


class Holding(Struct, gc=False):
    """One position: signed contracts, average entry price, realised P&L and fees in the settlement asset.

    `funding_index` is the perpetual's cumulative funding up to which the position has been settled; what has come since
    belongs to equity, and to the balance with the next trade. It counts from `funding_since_us` (0: no funding yet).
    """

    quantity: float = 0.0
    average_price: float = 0.0
    realised_pnl: float = 0.0
    fees: float = 0.0
    funding_index: float = 0.0
    funding_since_us: int = 0


class Outgoing(Struct, gc=False):
    """An event that has to be on its topic: the same `body` bytes however often it is sent."""

    topic: str
    id: str
    body: str


class Account(Struct, rename={"stored_baseline": "baseline"}, dict=True):
    """One account: portfolio, status, timers, positions in its inputs, and its unsent events.

    `timers` maps a timer's name to its deadline (event time). `deposited` marks money that came into a bankrupt
    account while its data were doubtful: it is judged when they are good. `positions` are the last records applied,
    by topic. `baseline` is what the next event's attribution counts from. `kept` is the last requirement of a
    model that is too slow for ticks. `points` are the positions of all inputs behind each of its own records that no
    published state has told, the newest `MAX_POINTS`. `epoch`, `version` and `flush` are stamped when the value is
    written.
    """

    config: AccountConfig
    layout: int = LAYOUT
    epoch: int = 0
    version: int = 0
    flush: int = 0
    balances: dict[str, float] = {}
    holdings: dict[str, Holding] = {}
    status: Status = "healthy"
    status_since_us: int = 0
    data_hold: bool = False
    called: bool = False
    deposited: bool = False
    episode: int = 0
    sequence: int = 0
    timers: dict[str, int] = {}
    positions: dict[str, Position] = {}
    recent_ids: list[str] = []
    equity_usd: float = 0.0
    im_requirement_usd: float = 0.0
    mm_requirement_usd: float = 0.0
    stored_baseline: Baseline | None = None
    kept: Kept | None = None
    points: list[dict[str, Position]] = []
    outbox: list[Outgoing] = []

    @property
    def name(self) -> str:
        """The account id."""
        return self.config.account

    @property
    def baseline(self) -> Baseline | None:
        """What the next event's attribution counts from; made now if it was only noted."""
        noted: Noted | None = self.__dict__.pop(_NOTED, None)
        if noted is not None:
            self.stored_baseline = noted.made()
        return self.stored_baseline

    @baseline.setter
    def baseline(self, baseline: Baseline | None) -> None:
        self.__dict__.pop(_NOTED, None)
        self.stored_baseline = baseline

    @property
    def base(self) -> Baseline | Noted | None:
        """As `baseline`, not made if it is only noted."""
        noted: Noted | None = self.__dict__.get(_NOTED)
        return self.stored_baseline if noted is None else noted

    def note_baseline(self, noted: Noted) -> None:
        """Take a baseline that is made when somebody asks for it, or stores the account."""
        self.__dict__[_NOTED] = noted  # beside the fields, which are all stored


class Marker(Struct):
    """One partition's progress, written last in each flush.

    `positions` are the last records applied to the whole shard, by topic; `published_flush` is the newest flush
    whose events are known to be on their topics; `partitions` is the deployment's P. In partition 0's, `regimes` are
    changes of the correlation regime that are not known to be on their topic, and `regime_us` is the minute of the
    newest one written down.
    """

    partition: int
    partitions: int
    layout: int = LAYOUT
    epoch: int = 0
    flush: int = 0
    published_flush: int = 0
    time_us: int = 0
    positions: dict[str, Position] = {}
    regime_us: int = 0
    regimes: list[Outgoing] = []


@dataclass(slots=True)
class Overload:
    """A stretch in which evaluations may be left out: where a shard was before it, how many had been left out then."""

    positions: dict[str, Position]
    conflated: int


@dataclass(slots=True)
class Evaluated:
    """What is remembered of an account's evaluations, in memory alone.

    `conflated` is how many were left out at its last event and `positions` where that was, `begun` where the
    evaluations were that began its timers.
    """

    conflated: int
    positions: dict[str, Position] = field(default_factory=dict)
    begun: dict[str, dict[str, Position]] = field(default_factory=dict)


@dataclass(slots=True)
class Shard:
    """The accounts of one partition, and what the next flush has to write.

    `changed`, `restated` and `waiting` are ordered sets of account names: to be written, to be published as states
    only, and recovered ahead of the market (not evaluated before the market has caught up). `timers` is a heap of
    (deadline, account); an entry that no longer stands in the account is stale and skipped. `overloads` are the
    newest; `conflated` is the state's when the shard was opened.
    """

    marker: Marker
    open: bool = False
    marker_stale: bool = True
    events: int = 0
    accounts: dict[str, Account] = field(default_factory=dict)
    changed: dict[str, None] = field(default_factory=dict)
    restated: dict[str, None] = field(default_factory=dict)
    waiting: dict[str, None] = field(default_factory=dict)
    timers: list[tuple[int, str]] = field(default_factory=list)
    overloads: list[Overload] = field(default_factory=list)
    evaluated: dict[str, Evaluated] = field(default_factory=dict)
    conflated: int = 0


@dataclass(slots=True)
class State:
    """The engine's whole state. Only `step` and the functions of this package change it.

    `partition_of` maps every account here to its partition. `gated` says that some shard or account still waits for
    the market to catch up with it. `expiries` are of the accounts that are evaluated; like `next_deadline_us`, the
    earliest of timers and expiries, it is rebuilt from the accounts. `conflated` counts the market records that were
    folded without an evaluation of their own, `conflating` tells that they may be. `breathe` is called now and then
    while many accounts are opened at once, so that who runs the engine can tell work from standing still.
    """

    market: Market
    book: Book
    shards: dict[int, Shard] = field(default_factory=dict)
    partition_of: dict[str, int] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    gated: bool = False
    expiries: Expiries = field(default_factory=Expiries)
    next_deadline_us: int = NO_DEADLINE
    conflated: int = 0
    conflating: bool = False
    breathe: Callable[[], None] | None = None


def positions_of(
    state: State, shard: Shard, account: Account, own: Mapping[str, Position] | None = None
) -> dict[str, Position]:
    """Return the last record of each input that an account has been through, its own or not.

    `own` are positions of its shard's inputs, of the shard as it is now if not given.
    """
    own = shard.marker.positions if own is None else own
    positions = {**own, **(state.market.positions if shard.open else {})}
    for topic, position in account.positions.items():
        if position > positions.get(topic, START):
            positions[topic] = position  # it was recovered ahead of its shard
    return positions


_decode_account = msgspec.json.Decoder(Account).decode
_decode_marker = msgspec.json.Decoder(Marker).decode


def encode(value: Account | Marker) -> bytes:
    """Canonical bytes of a stored value."""
    return canonical(value, nulls=_nulls(value)) if isinstance(value, Account) else canonical(value)


def _nulls(account: Account) -> int:
    """Return how many values of an account are encoded as null; those inside `kept` and `parameters` do not count."""
    baseline = account.baseline
    if baseline is None:
        return 1 + (account.kept is None)
    bare = sum(coin.price_range is None for coin in baseline.coins.values())
    return bare + (baseline.parameters is None) + (account.kept is None)


def decode_account(data: bytes) -> Account:
    """Read a stored account; raises `msgspec.ValidationError`/`DecodeError` or ValueError on another layout."""
    account = _decode_account(data)
    if account.layout != LAYOUT:
        raise ValueError(f"stored account has layout {account.layout}, this build reads {LAYOUT}")
    return account


def decode_marker(data: bytes) -> Marker:
    """Read a stored marker; raises as `decode_account`."""
    marker = _decode_marker(data)
    if marker.layout != LAYOUT:
        raise ValueError(f"stored marker has layout {marker.layout}, this build reads {LAYOUT}")
    return marker
