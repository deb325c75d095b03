"""Snapshots of the market: each fold by itself, at multiples of its topic's offsets.

A fold never reads another's state, and what a record leaves of it hangs on the records before it alone. So the state
before the first record at or beyond a multiple is the same in every worker, and so are the bytes of its snapshot. A
market is put together again from one snapshot of each topic; their positions are its vector.

The state is MessagePack: it keeps every float as it is, a sign of zero included, and keeps the order of keys, which is
part of the state. It is cut into chunks that fit into messages. The digest is SHA-256 over
`[topic, offset, layout, offset and index of the position, chunks]` in MessagePack, followed by the state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from monitor.engine import composite, listing, parameters, surface
from monitor.engine.composite import TicksFold
from monitor.engine.listing import InstrumentsFold
from monitor.engine.market import Market
from monitor.engine.parameters import ParametersFold
from monitor.engine.surface import VolatilityFold
from schemas.records import MarketSnapshotPart, Position
from schemas.topics import INSTRUMENTS, PARAMETERS, TICKS, VOLATILITY

CHUNK_BYTES: Final = 300_000  # base64 makes 400 kB of it: well inside a message, and a second's share of a slow link
KEPT_EACH: Final = 4  # see `is_kept`

Fold = TicksFold | VolatilityFold | InstrumentsFold | ParametersFold
Trouble = Literal["incomplete", "layout", "digest", "unreadable"]

_TYPES: Final[dict[str, type[Fold]]] = {
    TICKS.name: TicksFold, VOLATILITY.name: VolatilityFold, INSTRUMENTS.name: InstrumentsFold,
    PARAMETERS.name: ParametersFold,
}  # fmt: skip
_LAYOUTS: Final[dict[str, int]] = {
    TICKS.name: composite.LAYOUT, VOLATILITY.name: surface.LAYOUT, INSTRUMENTS.name: listing.LAYOUT,
    PARAMETERS.name: parameters.LAYOUT,
}  # fmt: skip


class UnusableSnapshot(ValueError):
    """A snapshot that a fold cannot be restored from; `kind` is for counting."""

    def __init__(self, kind: Trouble, text: str) -> None:
        super().__init__(text)
        self.kind: Trouble = kind


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of one fold that lies below `offset`; `position` is the last record in it."""

    topic: str
    offset: int
    position: Position
    state: bytes


@dataclass(frozen=True, slots=True)
class Restored:
    """A fold as it was before `offset`, after the record at `position`."""

    topic: str
    offset: int
    position: Position
    fold: Fold


def take(market: Market, topic: str, offset: int) -> Snapshot:
    """Return what a topic's fold is now, before any record at or beyond `offset`."""
    fold = fold_of(market, topic)
    return Snapshot(topic, offset, market.positions[topic], msgspec.msgpack.encode(fold.snapshot()))


def fold_of(market: Market, topic: str) -> Fold:
    """Return the fold of a market topic; raises KeyError for another topic."""
    folds: dict[str, Fold] = {
        TICKS.name: market.ticks, VOLATILITY.name: market.volatility, INSTRUMENTS.name: market.instruments,
        PARAMETERS.name: market.parameters,
    }  # fmt: skip
    return folds[topic]


def parts(snapshot: Snapshot, chunk_bytes: int = CHUNK_BYTES) -> Iterator[MarketSnapshotPart]:
    """Cut a snapshot into its records."""
    state, layout = snapshot.state, _LAYOUTS[snapshot.topic]
    chunks = -(-len(state) // chunk_bytes)
    digest = _digest(snapshot.topic, snapshot.offset, layout, snapshot.position, chunks, state)
    for chunk in range(chunks):
        piece = state[chunk * chunk_bytes : (chunk + 1) * chunk_bytes]
        yield MarketSnapshotPart(
            topic=snapshot.topic, offset=snapshot.offset, chunk=chunk, chunks=chunks, layout=layout,
            position=snapshot.position, digest=digest, state=piece, v=1,
        )  # fmt: skip


def restore(found: Iterable[MarketSnapshotPart]) -> Restored:
    """Restore a fold from all parts of one snapshot, in any order; raises UnusableSnapshot."""
    chunks = {part.chunk: part for part in found}
    if not chunks:
        raise UnusableSnapshot("incomplete", "there is no part of it")
    first = next(iter(chunks.values()))
    if first.topic not in _TYPES or any(part.layout != _LAYOUTS[first.topic] for part in chunks.values()):
        raise UnusableSnapshot("layout", f"layout {first.layout} of {first.topic} is not this build's")
    if set(chunks) != set(range(first.chunks)):
        raise UnusableSnapshot("incomplete", f"{len(chunks)} of {first.chunks} chunks are there")
    state = b"".join(chunks[number].state for number in range(first.chunks))
    digest = _digest(first.topic, first.offset, first.layout, first.position, first.chunks, state)
    if any(part.digest != digest for part in chunks.values()):
        raise UnusableSnapshot("digest", "its digest is another")
    try:
        fold = _TYPES[first.topic].restore(msgspec.msgpack.decode(state))
    except (ValueError, LookupError, TypeError, AttributeError, msgspec.MsgspecError) as error:
        # The digest is right: a build of the same layout has written another form.
        raise UnusableSnapshot("unreadable", repr(error)[:200]) from error
    return Restored(first.topic, first.offset, first.position, fold)


def market_of(restored: Mapping[str, Restored]) -> Market:
    """Put a market together; topics that are not given begin anew."""
    market = Market()
    for topic, one in restored.items():
        match one.fold:
            case TicksFold():
                market.ticks = one.fold
            case VolatilityFold():
                market.volatility = one.fold
            case InstrumentsFold():
                market.instruments = one.fold
            case ParametersFold():
                market.parameters = one.fold
        market.positions[topic] = one.position
    return market


def is_kept(offset: int, newest: int, every: int) -> bool:
    """Return whether a snapshot is still wanted when the newest is at `newest`, both multiples of `every`.

    Of each power of `KEPT_EACH`, the last `KEPT_EACH` multiples: so what is folded again is never much more than what
    lies between a shard and the present, and the topic grows with the logarithm of the log.
    """
    number, last, step = offset // every, newest // every, 1
    while step <= last:
        if number % step == 0 and number > last - KEPT_EACH * step:
            return True
        step *= KEPT_EACH
    return False


def _digest(topic: str, offset: int, layout: int, position: Position, chunks: int, state: bytes) -> str:
    head: list[Any] = [topic, offset, layout, *position, chunks]
    total = hashlib.sha256(msgspec.msgpack.encode(head))
    total.update(state)
    return total.hexdigest()
