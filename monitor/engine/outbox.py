"""What a flush writes, in which order, and what recovery has to send again.

Order of effects: account values with their unsent events, then the shard's marker (partition 0's has the unsent changes
of the correlation regime), acknowledged; then the events; then the source offsets. A crash anywhere leaves either
nothing visible of a flush, or stored events that recovery sends again with the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from monitor.engine.state import (
    MAX_STATE_BYTES,
    Account,
    Marker,
    Outgoing,
    Rejected,
    Shard,
    State,
    encode,
    positions_of,
)
from schemas.ids import canonical
from schemas.keys import record_key
from schemas.records import START, AccountState, Position, RegimeRecord

MARKER_PREFIX = b"!marker/"

_read_regime = msgspec.json.Decoder(RegimeRecord).decode


class Value(Struct, frozen=True):
    """One changelog record: an account (key: its id) or a marker (key: `!marker/<partition>`)."""

    partition: int
    key: bytes
    value: bytes


class Event(Struct, frozen=True):
    """One event to send; `epoch` goes into a header, never into the body."""

    partition: int
    topic: str
    key: bytes
    id: str
    body: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class Flush:
    """Everything one flush sends, in the order of its fields."""

    values: list[Value] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    account_states: list[Value] = field(default_factory=list)
    accounts: list[tuple[int, str]] = field(default_factory=list)
    shards: list[tuple[int, int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is anything to send."""
        return bool(self.values or self.rejected or self.account_states)


class OversizedAccountError(ValueError):
    """An account's stored value would exceed `MAX_STATE_BYTES`."""


def marker_key(partition: int) -> bytes:
    """Return the changelog key of a partition's marker; no account's name begins with its prefix."""
    return MARKER_PREFIX + b"%d" % partition


def urgent(state: State) -> bool:
    """Return whether something waits that must not wait for the flush interval: an event or a refused record."""
    return bool(state.rejected) or any(shard.events for shard in state.shards.values())


def collect(state: State) -> Flush:
    """Take what has changed since the last flush; the caller sends it and then calls `confirm`.

    Stamps epoch, version and flush number, and the positions that the values contain. Raises
    `OversizedAccountError` if an account has outgrown what the changelog can carry.
    """
    flush = Flush(rejected=state.rejected)
    state.rejected = []
    for partition in sorted(state.shards):
        _collect_shard(state, partition, state.shards[partition], flush)
    return flush


def confirm(state: State, flush: Flush) -> None:
    """Note that events and states of a flush are on their topics: empty the outboxes that it carried."""
    for partition, name in flush.accounts:
        shard = state.shards.get(partition)
        if shard is not None:
            shard.accounts[name].outbox, shard.accounts[name].points = [], []
    for partition, number in flush.shards:
        shard = state.shards.get(partition)
        if shard is not None and shard.marker.published_flush != number:
            shard.marker.published_flush = number
            shard.marker.regimes = []
            shard.marker_stale = True


def pending(state: State, partition: int) -> list[Event]:
    """Return the stored events of a recovered shard that are not known to be published, regimes, then by account."""
    shard = state.shards[partition]
    return _regime_events(partition, shard.marker) + [
        _event(partition, shard.marker.epoch, name, outgoing)
        for name in sorted(shard.accounts)
        for outgoing in shard.accounts[name].outbox
    ]


def confirm_pending(state: State, partition: int) -> None:
    """Note that the events of `pending` are on their topics."""
    shard = state.shards[partition]
    for account in shard.accounts.values():
        account.outbox = []
    shard.marker.regimes = []
    shard.marker.published_flush = shard.marker.flush
    shard.marker_stale = True


def _collect_shard(state: State, partition: int, shard: Shard, flush: Flush) -> None:
    positions = {**shard.marker.positions, **_market_positions(state, shard)}
    progress = positions != shard.marker.positions or shard.marker_stale
    marker = shard.marker
    if not shard.changed and not marker.regimes and not progress:
        return
    marker.positions = positions
    marker.time_us = state.market.time_us
    if shard.changed or marker.regimes:
        marker.flush += 1
        flush.events.extend(_regime_events(partition, marker))
        for name in sorted(shard.changed):
            account = shard.accounts[name]
            _stamp(account, marker)
            data = encode(account)
            if len(data) > MAX_STATE_BYTES:
                raise OversizedAccountError(f"account {name} needs {len(data)} bytes of state")
            flush.values.append(Value(partition, name.encode(), data))
            flush.events.extend(_event(partition, marker.epoch, name, item) for item in account.outbox)
            flush.account_states.append(Value(partition, name.encode(), canonical(account_state(state, account))))
            flush.accounts.append((partition, name))
        shard.changed = {}
    for name in sorted(shard.restated):
        account = shard.accounts[name]
        flush.account_states.append(Value(partition, name.encode(), canonical(account_state(state, account))))
    flush.values.append(Value(partition, marker_key(partition), encode(marker)))
    flush.shards.append((partition, marker.flush))
    shard.marker_stale = False
    shard.events = 0
    shard.restated = {}


def _stamp(account: Account, marker: Marker) -> None:
    account.epoch = marker.epoch
    account.version += 1
    account.flush = marker.flush
    for topic, position in marker.positions.items():
        # A recovered account may be ahead of its shard's marker; a position never moves back.
        account.positions[topic] = max(position, account.positions.get(topic, position))


def _regime_events(partition: int, marker: Marker) -> list[Event]:
    return [
        Event(partition, item.topic, record_key(_read_regime(item.body)), item.id, item.body.encode(), marker.epoch)
        for item in marker.regimes
    ]


def _event(partition: int, epoch: int, name: str, item: Outgoing) -> Event:
    return Event(partition, item.topic, name.encode(), item.id, item.body.encode(), epoch)


def _market_positions(state: State, shard: Shard) -> dict[str, Position]:
    """Return the market positions the shard has reached: those of its marker while its gate is closed."""
    return dict(state.market.positions) if shard.open else {}


def account_state(state: State, account: Account) -> AccountState:
    """Build the compacted state record of an account as it is now.

    It names where the account is now, not where it was written last: a market that was folded again, or is a
    successor's, would stand beside records of accounts that are long behind it, and nobody was ever there.
    """
    positions = positions_of(state, state.shards[state.partition_of[account.name]], account)
    equity, im, mm = account.equity_usd, account.im_requirement_usd, account.mm_requirement_usd
    active = state.market.parameters.get(account.config.parameter_set) or state.market.parameters.get("default")
    assert active is not None, "the default set always exists"
    return AccountState(
        account=account.name,
        status=account.status,
        data_hold=account.data_hold,
        episode=account.episode,
        sequence=account.sequence,
        version=account.version,
        event_time_us=state.market.time_us,
        equity_usd=equity,
        im_requirement_usd=im,
        mm_requirement_usd=mm,
        model=account.config.margin_model,
        parameter_set=account.config.parameter_set,
        parameter_hash=active.hash,
        positions=positions,
        path=tuple(_unlike(point, positions) for point in account.points),
        closed=account.config.closed,
        v=1,
    )


def _unlike(point: dict[str, Position], positions: dict[str, Position]) -> dict[str, Position]:
    """Return what a point has otherwise than the positions that are told with it; of some topics there was nothing."""
    return {topic: at for topic, last in positions.items() if (at := point.get(topic, START)) != last}
