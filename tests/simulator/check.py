"""What has to hold after every run: the guarantees, judged by what stands on the topics at the end."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from monitor.engine import Sourced, State, evaluate_account, gate_open, new_state, open_shard, step
from monitor.engine.state import Account, decode_marker
from monitor.worker.changelog import Recovered, RecoveredState
from monitor.worker.engine_task import Engine
from monitor.worker.intake import delivered
from monitor.worker.live_order import LiveOrder
from monitor.worker.strict_order import StrictOrder
from schemas.codec import decode_message
from schemas.headers import EPOCH, read_dead_letter
from schemas.records import AccountEvent, AccountState, Heartbeat, Record, Trade
from schemas.topics import (
    ACCOUNT_STATES,
    ACCOUNT_TOPICS,
    DEAD_LETTERS,
    LIQUIDATIONS,
    MARGIN_CALLS,
    MARKET_TOPICS,
    REGIMES,
    SEQUENCED,
    SOURCE_RANK,
    TICKS,
)
from tests.simulator.check_recomputed import ahead, check_events, check_points, states_of
from tests.simulator.check_snapshots import check_snapshots
from tests.simulator.scenario import Message, Scenario, sourced
from tests.simulator.world import World

RECOMPUTED = 12  # events of one run that are computed again: each folds the market from its beginning
CLOSE = 1e-9

_MARKET = {topic.name for topic in MARKET_TOPICS}
_BY_TIME = {"timer", "time", "expiry"}
_FROM_TO = {
    "warning": {"healthy", "margin_call", "recovered"}, "margin_call": {"warning", "recovered"},
    "resolved": {"warning", "recovered"}, "recovered": {"liquidation", "bankrupt"},
    "liquidation": {"healthy", "warning", "margin_call", "recovered", "bankrupt"},
    "bankrupt": {"healthy", "warning", "margin_call", "liquidation", "recovered"},
}  # fmt: skip


class Published(NamedTuple):
    """A message as it was published, and the offset it got."""

    message: Message
    offset: int


class Said(NamedTuple):
    """One event on its topic: `fenced` tells that a successor had opened its partition before it was written."""

    event: AccountEvent
    body: bytes
    epoch: int
    order: int
    partition: int
    fenced: bool


@dataclass
class Found:
    """The evidence of one run."""

    world: World
    scenario: Scenario
    published: list[Published]
    failures: list[str]
    figures: Counter[str]
    recovered: dict[int, Recovered] = field(default_factory=dict)
    openings: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    said: list[Said] = field(default_factory=list)

    @property
    def accounts(self) -> dict[str, Account]:
        """Stored accounts by name."""
        return {account.name: account for one in self.recovered.values() for account in one.accounts}

    def fail(self, text: str) -> None:
        """Note a broken guarantee."""
        self.failures.append(text)


def behind(world: World, engine: Engine) -> str | None:
    """Return what a worker has not taken in or applied yet, None if nothing."""
    order = engine.order
    if isinstance(order, LiveOrder):
        for name, topic in order._reader._topics.items():
            if topic.fold != order._reader._fold or topic.position < world.partition_of(topic.partition).end:
                return name
        return "the merge" if order._merge.buffered() or order._reader._batches else None
    assert isinstance(order, StrictOrder)
    for partition, feed in order._feeds.items():
        end = world.log.partition(world.options.topic(SEQUENCED), partition)
        last = end.records[-1].offset if end.records else -1
        if feed.source is None or feed.waiting or feed.source.expected <= last:
            return f"partition {partition}"
    return None


def check(
    world: World, told: Scenario, published: list[Published], failures: list[str], figures: Counter[str]
) -> None:  # fmt: skip
    """Append each broken guarantee to `failures`."""
    found = Found(world, told, published, failures, figures)
    _recover(found)
    _read_events(found)
    _check_sequences(found)
    _check_contents(found)
    _check_values(found)
    _check_states_topic(found)
    _check_portfolios(found)
    if world.plan.order == "strict":
        _check_strict(found)
    else:
        _check_live(found)


# --- evidence -----------------------------------------------------------------------------------------


def _recover(found: Found) -> None:
    """Read the changelog as a next owner would."""
    changelog = found.world.options.changelog
    state = RecoveredState(changelog)
    for record in found.world.log.read(changelog):
        state.add(record.partition, record.offset, record.key, record.value)
    for partition in range(found.world.options.partitions):
        found.recovered[partition] = one = state.take(partition)
        if one.marker is None:
            found.fail(f"partition {partition} has no marker")
        elif any(account.outbox and account.flush > one.marker.published_flush for account in one.accounts):
            found.fail(f"events of partition {partition} are unsent after an orderly end")


def _read_events(found: Found) -> None:
    """Read the events with what is needed to judge them."""
    openings = found.openings
    for record in found.world.log.read(found.world.options.changelog):
        if (record.key or b"").startswith(b"!marker/"):
            epoch = decode_marker(record.value or b"").epoch
            if not openings[record.partition] or epoch > openings[record.partition][-1][1]:
                openings[record.partition].append((record.order, epoch))
    decode = msgspec.json.Decoder(AccountEvent).decode
    for topic in (MARGIN_CALLS, LIQUIDATIONS):
        for record in found.world.log.read(found.world.options.topic(topic)):
            epoch = int(dict(record.headers)[EPOCH])
            fenced = any(order < record.order and other > epoch for order, other in openings[record.partition])
            body = record.value or b""
            found.said.append(Said(decode(body), body, epoch, record.order, record.partition, fenced))
    found.said.sort(key=lambda said: said.order)
    found.figures["events"] = len({said.event.id for said in found.said})
    found.figures["events sent again"] = len(found.said) - found.figures["events"]
    found.figures["fenced events"] = sum(said.fenced for said in found.said)


# --- every run ----------------------------------------------------------------------------------------


def _check_sequences(found: Found) -> None:
    """No event is lost, none is invented: numbers without a hole up to the stored one (invariant 3)."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for said in found.said:
        if not said.fenced:
            numbers[said.event.account].add(said.event.sequence)
    for name, account in found.accounts.items():
        expected = set(range(1, account.sequence + 1))
        if numbers[name] != expected:
            lost, invented = sorted(expected - numbers[name]), sorted(numbers[name] - expected)
            found.fail(f"events of {name}: lost {lost}, invented {invented}, stored sequence {account.sequence}")
    if unknown := set(numbers) - set(found.accounts):
        found.fail(f"events of accounts without state: {sorted(unknown)}")


def _check_contents(found: Found) -> None:
    """No id has two contents, whoever sent it; what was written after a successor had opened is dropped by epoch."""
    contents: dict[str, set[bytes]] = defaultdict(set)
    newest: dict[int, int] = {}
    taken: dict[str, bytes] = {}
    for said in found.said:
        if not said.fenced:
            contents[said.event.id].add(said.body)
        if said.epoch < newest.get(said.partition, 0):
            found.figures["dropped by epoch"] += 1
            continue
        newest[said.partition] = said.epoch
        if taken.setdefault(said.event.id, said.body) != said.body:
            found.figures["fenced content seen by a reader"] += 1
    for name, bodies in contents.items():
        if len(bodies) > 1:
            found.fail(f"event {name} has {len(bodies)} contents")
    for said in found.said:
        if said.fenced and contents[said.event.id] and said.body not in contents[said.event.id]:
            found.figures["fenced events that differ"] += 1


def _check_values(found: Found) -> None:
    """Figures are sane, states follow each other, a liquidation has its call or says jump (invariants 4, 5, 6)."""
    last: dict[str, AccountEvent] = {}
    called: set[tuple[str, int]] = set()
    events = {said.event.id: said.event for said in found.said if not said.fenced}
    for event in sorted(events.values(), key=lambda event: (event.account, event.sequence)):
        im, mm = event.im_requirement_usd, event.mm_requirement_usd
        if not (math.isfinite(im) and math.isfinite(mm) and math.isfinite(event.equity_usd) and 0.0 <= mm <= im):
            found.fail(f"event {event.id}: requirements {im}, {mm}, equity {event.equity_usd}")
        before = last.get(event.account)
        if event.state_from != (before.state_to if before else "healthy"):
            found.fail(f"event {event.id} begins at {event.state_from}, the one before ended elsewhere")
        if event.kind != "data_hold" and event.state_from not in _FROM_TO[event.kind]:
            found.fail(f"event {event.id}: {event.kind} from {event.state_from}")
        if before and (event.episode < before.episode or event.event_time_us < before.event_time_us):
            found.fail(f"event {event.id} goes back in episode or time")
        place = (event.account, event.episode)
        if event.kind == "margin_call":
            called.add(place)
        if (
            event.kind in {"liquidation", "bankrupt"}
            and event.state_from != "bankrupt"
            and (event.jump != (place not in called))
        ):
            found.fail(f"event {event.id}: {event.kind} with jump {event.jump}, called {place in called}")
        if (
            event.kind == "liquidation"
            and not event.data_hold
            and mm < event.equity_usd
            and event.state_from != "bankrupt"
        ):
            found.fail(f"event {event.id}: liquidation at MM {mm} below equity {event.equity_usd}")
        last[event.account] = event


def _check_states_topic(found: Found) -> None:
    """Late joiners find, of each account, what is stored; a fenced worker's word counts less."""
    decode = msgspec.json.Decoder(AccountState).decode
    newest: dict[str, tuple[tuple[int, int], AccountState]] = {}
    for record in found.world.log.read(found.world.options.topic(ACCOUNT_STATES)):
        state = decode(record.value or b"")
        order = (int(dict(record.headers)[EPOCH]), state.version)
        if state.account not in newest or order >= newest[state.account][0]:
            newest[state.account] = (order, state)
    for name, account in found.accounts.items():
        if name not in newest:
            found.fail(f"no state of {name} was published")
            continue
        state = newest[name][1]
        if (state.sequence, state.status, state.episode) != (account.sequence, account.status, account.episode):
            stored = f"{account.status} {account.sequence}"
            found.fail(f"published state of {name} is {state.status} {state.sequence}, stored {stored}")


def _check_portfolios(found: Found) -> None:
    """Positions are the sums of the accepted trades, deposits those of the transfers (invariant 1)."""
    if found.world.plan.order == "strict":
        return  # settlements at expiry end positions there; the states are compared as a whole
    sums: dict[tuple[str, str], float] = defaultdict(float)
    taken: set[tuple[str, str, str]] = set()
    for record in found.scenario.records:
        if isinstance(record, Trade) and record.instrument != "NOT-LISTED":
            key = (record.account, "t", record.trade_id)
            if key not in taken:
                taken.add(key)
                sums[record.account, record.instrument] += record.quantity
    for name, account in found.accounts.items():
        held = {i: h.quantity for i, h in account.holdings.items() if h.quantity}
        wanted = {i: q for (a, i), q in sums.items() if a == name}
        if any(
            not math.isclose(held.get(i, 0.0), wanted.get(i, 0.0), rel_tol=CLOSE, abs_tol=1e-6)
            for i in {*held, *wanted}
        ):
            found.fail(f"positions of {name} are {held}, its trades sum to {wanted}")


# --- dead letters -------------------------------------------------------------------------------------

Place = tuple[str, int, int, int]


def _letters(found: Found) -> dict[Place, set[bytes | None]]:
    """Places of the dead letters with the bytes that each carries."""
    letters: dict[Place, set[bytes | None]] = defaultdict(set)
    for record in found.world.log.read(found.world.options.topic(DEAD_LETTERS)):
        known = read_dead_letter(record.headers)
        place = (known.source_topic, known.source_partition, known.source_offset, known.source_index)
        letters[place].add(record.value)
        found.figures["dead letters"] += 1
    return letters


def _check_letters(found: Found, rejected: Iterable[Sourced]) -> None:
    """Each refused row is a dead letter with its bytes, and nothing else is (invariant 10)."""
    expected = {(item.topic, item.partition, item.offset, item.index) for item in rejected}
    for message, offset in found.published:
        expected |= {(message.topic.name, message.partition, offset, index) for index in message.refused}
        if message.refused and message.rows == 1 and message.value is not None:
            expected.add((message.topic.name, message.partition, offset, 0))
    letters = _letters(found)
    if set(letters) != expected:
        missing, excess = sorted(expected - set(letters)), sorted(set(letters) - expected)
        found.fail(f"dead letters: missing {missing[:5]}, not refused {excess[:5]}")
    if twice := [place for place, bodies in letters.items() if len(bodies) > 1]:
        found.fail(f"dead letters with two contents: {twice[:5]}")


# --- strict order -------------------------------------------------------------------------------------


def _check_strict(found: Found) -> None:
    """Events and states are those of the engine alone, byte for byte, fenced ones too (E, S)."""
    plan = found.world.plan
    state = new_state()
    for partition in range(plan.partitions):
        open_shard(state, partition, None, [], partitions=plan.partitions, epoch=1)
    events: dict[str, bytes] = {}
    regimes: dict[str, bytes] = {}
    for item in step(state, sourced(plan, found.scenario.records)):
        (regimes if item.topic == REGIMES.name else events)[item.id] = item.body.encode()
    for said in found.said:
        if events.get(said.event.id) != said.body:
            found.fail(f"event {said.event.id} of {said.event.account} is not the reference's")
    if missing := set(events) - {said.event.id for said in found.said}:
        found.fail(f"{len(missing)} events of the reference are missing")
    found_regimes = {record.value for record in found.world.log.read(found.world.options.topic(REGIMES))}
    if found_regimes != set(regimes.values()):
        found.fail("regime changes are not the reference's")
    reference = {name: account for shard in state.shards.values() for name, account in shard.accounts.items()}
    if set(reference) != set(found.accounts):
        found.fail("other accounts than the reference's")
    for name, account in found.accounts.items():
        if name in reference and _essence(account) != _essence(reference[name]):
            found.fail(f"state of {name} is not the reference's: {_difference(account, reference[name])}")
    _check_letters(found, (item.source for item in state.rejected))


# Of the write, not of the account: figures are those of the market at which it was last written or stated.
_STAMPS = {
    "epoch", "version", "flush", "outbox", "points", "positions", "equity_usd", "im_requirement_usd",
    "mm_requirement_usd",
}  # fmt: skip


def _essence(account: Account) -> bytes:
    account.stored_baseline = account.baseline  # made when somebody asks for it
    fields = {name: getattr(account, name) for name in account.__struct_fields__ if name not in _STAMPS}
    return msgspec.json.encode(fields, order="sorted")


def _difference(one: Account, other: Account) -> str:
    names = [n for n in one.__struct_fields__ if n not in _STAMPS and getattr(one, n) != getattr(other, n)]
    return ", ".join(f"{name} {getattr(one, name)!r} for {getattr(other, name)!r}" for name in names)[:500]


# --- live order ---------------------------------------------------------------------------------------


class Topics:
    """The input topics as the engine sees them."""

    def __init__(self, world: World) -> None:
        self.market: list[Sourced] = []
        self.accounts: dict[int, list[Sourced]] = defaultdict(list)
        self._world = world
        for topic in MARKET_TOPICS:
            for stored in world.log.read(world.options.topic(topic)):
                decoded = decode_message(topic.name, stored.key, stored.value)
                for index, record in decoded.records:
                    if isinstance(record, Record):
                        self.market.append(Sourced(topic.name, 0, stored.offset, index, record))  # type: ignore[arg-type]
        for topic in ACCOUNT_TOPICS:
            for stored in world.log.read(world.options.topic(topic)):
                found = delivered(topic, stored, 0, world.options)
                self.accounts[stored.partition] += [row for _, row in found.records]
        self.market.sort(key=_merged)
        for rows in self.accounts.values():
            rows.sort(key=_merged)

    def all(self) -> list[Sourced]:
        """Everything, ordered by event time within the order of each topic."""
        return sorted([*self.market, *(row for rows in self.accounts.values() for row in rows)], key=_merged)


def _merged(item: Sourced) -> tuple[int, int, int]:
    # Topics of the scenario rise in offset and time together, late ticks aside; they keep their offset's place.
    return (SOURCE_RANK[item.topic], item.offset, item.index)


def _check_live(found: Found) -> None:
    """Events recompute from the positions that they name; at the end all is as one engine has it."""
    topics = Topics(found.world)
    state = new_state()
    for partition in range(found.world.plan.partitions):
        open_shard(state, partition, None, [], partitions=found.world.plan.partitions, epoch=1)
    step(state, topics.all())
    _check_letters(found, (item.source for item in state.rejected))
    check_snapshots(found.world, topics.market, found.failures, found.figures)
    _check_final(found, state)
    events = list({said.event.id: said.event for said in found.said if not said.fenced}.values())
    stride = max(1, len(events) // RECOMPUTED)
    for event in events[::stride]:
        _recompute(found, topics, event)
    _verify(found, topics)


def _verify(found: Found, topics: Topics) -> None:
    """Events come out of the topics byte for byte, by what account states say of the order of records."""
    options = found.world.options
    known = states_of(found.world, found.openings)
    check_points(known, ahead(found.world), found.failures, found.figures)
    said: dict[str, dict[int, Said]] = defaultdict(dict)
    for one in found.said:
        if not one.fenced:
            said[one.event.account][one.event.sequence] = one
    for account, numbered_said in sorted(said.items()):
        partition = options.partition_of(account.encode())
        events = [(one.event, one.body) for _, one in sorted(numbered_said.items())]
        records = [*topics.market, *topics.accounts[partition]]
        place = (partition, options.partitions)
        check_events(account, events, records, known[partition], place, found.failures, found.figures)


def _check_final(found: Found, reference: State) -> None:
    """Portfolios are those of one engine that saw all, and so are their figures at the last market (invariant 2)."""
    state = new_state()
    step(state, Topics(found.world).market)
    for partition, one in found.recovered.items():
        if one.marker is None:
            return
        open_shard(state, partition, one.marker, one.accounts, partitions=len(found.recovered), epoch=1_000)
    for name in sorted(found.accounts):
        home = reference.partition_of.get(name)
        if home is None:
            found.fail(f"account {name} is not the reference's")
            continue
        account, other = found.accounts[name], reference.shards[home].accounts[name]
        for asset in {*account.balances, *other.balances}:
            if not _close(account.balances.get(asset, 0.0), other.balances.get(asset, 0.0)):
                found.fail(
                    f"balance of {name} in {asset}: {account.balances.get(asset)} for {other.balances.get(asset)}"
                )
        if not gate_open(state, home):
            found.fail(f"the market does not reach the positions of partition {home}")
            return
        ours, theirs = evaluate_account(state, name), evaluate_account(reference, name)
        for figure in ("equity_usd", "im_requirement_usd", "mm_requirement_usd"):
            if not _close(getattr(ours, figure), getattr(theirs, figure)):
                found.fail(f"{figure} of {name} is {getattr(ours, figure)}, one engine has {getattr(theirs, figure)}")


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=CLOSE, abs_tol=1e-6) or (math.isnan(one) and math.isnan(other))


def _recompute(found: Found, topics: Topics, event: AccountEvent) -> None:
    """Compute an event's figures from the records at and before its positions, and nothing else."""
    found.figures["recomputed"] += 1
    wrong = _wrong_figures(found, topics, event)
    for text in wrong:
        found.fail(f"event {event.id} ({event.kind} of {event.account}, by {event.cause.topic}): {text}")


def _wrong_figures(found: Found, topics: Topics, event: AccountEvent) -> list[str]:
    """Say what differs."""
    state = new_state()
    partition = found.world.options.partition_of(event.account.encode())
    open_shard(state, partition, None, [], partitions=found.world.plan.partitions, epoch=1)
    by_time = event.cause.topic in _BY_TIME
    step(state, [i for i in topics.market if _reached(i, event, before=by_time and i.topic == TICKS.name)])
    if by_time:  # it acted before the record whose time passed it
        tick = Heartbeat(source="check", event_time_us=event.event_time_us)
        step(state, [Sourced(TICKS.name, 0, *event.positions[TICKS.name], tick)])
    step(state, [item for item in topics.accounts[partition] if _reached(item, event)])
    if event.account not in state.partition_of:
        return ["it names positions before its account"]
    again = evaluate_account(state, event.account)
    return [
        f"{figure} is {getattr(event, figure)}, from its positions {getattr(again, figure)}"
        for figure in ("equity_usd", "im_requirement_usd", "mm_requirement_usd")
        if not _close(getattr(again, figure), getattr(event, figure))
    ]


def _reached(item: Sourced, event: AccountEvent, *, before: bool = False) -> bool:
    position = event.positions.get(item.topic)
    if position is None:
        return False
    return item.position < tuple(position) if before else item.position <= tuple(position)
