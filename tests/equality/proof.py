"""One stream of records, three ways: with certificates, without, and from nothing. They have to say the same.

* Events of every step, byte for byte, and what is refused, with certificates and without.
* Now and then what a flush would store and publish of both, byte for byte: accounts with their timers, outboxes,
  figures and baselines.
* Then, too, a book made from the same accounts and market: figures of both runs within `TOLERANCE` of the gross;
  without certificates the same condition bits; with them the bits from nothing make no account do anything that it has
  not done. That is all that certificates promise: bits that no state or timer hangs on may be of an earlier price.

In between the run with certificates is asked things that the other is not, shards change hands through their stored
values, steps have one record or many, and some are conflated, both ways alike.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from types import ModuleType
from typing import Any

from monitor.engine import (
    Sourced,
    State,
    added,
    certificate_groups,
    certified,
    close_shard,
    collect,
    confirm,
    confirm_pending,
    correlation_estimator,
    correlation_returns,
    decode_account,
    decode_marker,
    evaluate_account,
    new_state,
    open_shard,
    ranges,
    segments,
    status,
    step,
)
from monitor.engine.audit import _agree, _gross_usd, audit
from monitor.engine.book import Book, status_parameters
from monitor.engine.outbox import Flush
from monitor.engine.state import Account, Outgoing, encode
from monitor.replay.sequence import numbered
from monitor.replay.sources.base import TOPIC_OF
from schemas.records import Input
from tests.equality.books import FAMILIES, holders
from tests.equality.scenes import QUIET_MINUTES, Stream

TOLERANCE = 1e-12
JUDGED = 1e-9  # of an account's gross: what bounds may be off by, of those parts in a solve's gap and in rounding
PARTITIONS = 2
WORK = ("pops", "resplit", "evaluated", "certified", "swept")


class Unequal(AssertionError):
    """Two ways said different things: where, and what."""

    def __init__(self, seed: int, number: int, scene: str, what: str) -> None:
        super().__init__(f"seed {seed}, record {number} ({scene}): {what}")
        self.seed = seed
        self.number = number
        self.what = what


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a proof is and how closely it looks: `every` so many records, on average, all is computed from nothing.

    `families` are the accounts by kind, `positions` the most that a market maker has, `minutes` pass before the scenes.
    """

    records: int = 100_000
    every: int = 100
    families: dict[str, int] = field(default_factory=lambda: dict(FAMILIES))
    positions: int = 300
    minutes: int = QUIET_MINUTES
    only: tuple[str, ...] = ()
    """Scenes to play, all if none is named."""
    quick: bool = False
    """Estimates of correlations and ranges from a few returns on, so that hours of market are not needed first."""
    few: int | None = None
    """How many accounts may leave their certificates at once before a book is swept, and then segments are put in
    order every minute. None: as usual, which small books never come to."""


@dataclass(slots=True)
class Outcome:
    """What a proof compared: all of it was equal. `digest` is of all events, `work` what the certificates did."""

    seed: int
    records: int = 0
    events: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    compared: int = 0
    handovers: int = 0
    versions: int = 0
    digest: str = ""
    work: dict[str, int] | None = None


OnProgress = Callable[[Outcome], object]


class Proof:
    """The two states of one seed, and the comparisons between them."""

    def __init__(self, seed: int, plan: Plan, stream: type[Stream] = Stream) -> None:
        draw = random.Random(f"{seed} stream")
        self.plan = plan
        self.sound, self.certified = _opened(certificates=False), _opened(certificates=True)
        self.holders = holders(draw, plan.families, plan.positions)
        self.stream = stream(draw, self.sound, self.holders, plan.minutes)
        if plan.only:
            self.stream.weights = {name: self.stream.weights.get(name, 1) for name in plan.only}
        self.outcome = Outcome(seed)
        self._draw = random.Random(f"{seed} proof")
        self._hash = hashlib.sha256()
        self._stored: dict[bytes, bytes] = {}
        self._taken = 0

    def run(self, on_progress: OnProgress = lambda _: None) -> Outcome:
        """Compare to the end; raises `Unequal` at the first difference."""
        constants: Constants = (
            *(QUICK if self.plan.quick else ()), (added, "LEAST_HELD", 0), (certificate_groups, "LEAST_HELD", 0),
            (certificate_groups, "FIRST_PAUSE", 0),
        )  # fmt: skip
        if self.plan.few is not None:
            few = self.plan.few
            constants += (
                (certified, "FEW", few), (certified, "MANY", few), (certified, "SAMPLE", 4),
                (certified, "GAP_SHARE", few), (certified, "TRIED", 1), (certificate_groups, "CALM", 1),
                (added, "FEW", few), (segments, "IDLE_SHARE", 1e6),
            )  # fmt: skip
        with _constants(constants):
            return self._run(on_progress)

    def _run(self, on_progress: OnProgress) -> Outcome:
        records = islice(self.stream.records(), self.plan.records)
        while batch := [self._numbered(record) for record in islice(records, self._size())]:
            self.step(batch)
            if self._draw.random() < len(batch) / self.plan.every:
                self.compare()
                on_progress(self.outcome)
        self.compare()
        self.outcome.digest = self._hash.hexdigest()[:16]
        return self.outcome

    def step(self, batch: list[Sourced]) -> None:
        """Step both, and compare their events and refusals."""
        conflate = len(batch) > 1 and self._draw.random() < 0.3
        theirs = step(self.sound, batch, conflate=conflate)
        ours = step(self.certified, batch, conflate=conflate)
        self.outcome.records += len(batch)
        self._same_events(theirs, ours)
        for item in theirs:
            self._hash.update(item.body.encode())
            self.outcome.events[_kind(item)] += 1
        refused = [[(one.source.offset, one.error_text) for one in s.rejected] for s in (self.sound, self.certified)]
        if refused[0] != refused[1]:
            self._fail(f"refused {refused[0]} without certificates, {refused[1]} with them")

    def compare(self) -> None:
        """Compare figures with a book from nothing, then what is stored; let a shard change hands now and then."""
        self._compare_with_nothing()
        self._compare_flushes()
        if self._draw.random() < 0.05:
            self._hand_over(self._draw.randrange(PARTITIONS))
        if self._draw.random() < 0.3:
            self._ask()
        self.outcome.versions = self.sound.market.ticks.correlation.version
        work: Any = getattr(self.certified.book, "work", None)
        self.outcome.work = None if work is None else {name: int(getattr(work, name)) for name in WORK}

    # --- inside ---------------------------------------------------------------------------------

    def _numbered(self, record: Input) -> Sourced:
        self._taken += 1
        return numbered(TOPIC_OF[type(record)], self._taken, record, PARTITIONS)

    def _size(self) -> int:
        return 1 if self._draw.random() < 0.8 else self._draw.randint(2, 12)

    def _fail(self, what: str) -> None:
        raise Unequal(self.outcome.seed, self.outcome.records, self.stream.scene, what)

    def _same_events(self, theirs: list[Outgoing], ours: list[Outgoing]) -> None:
        if theirs == ours:
            return
        for k, one in enumerate(theirs):
            if k >= len(ours) or ours[k] != one:
                other = ours[k].body if k < len(ours) else "none"
                self._fail(f"event without certificates\n{one.body}\nwith them\n{other}")
        self._fail(f"event with certificates only\n{ours[len(theirs)].body}")

    def _compare_with_nothing(self) -> None:
        fresh = Book(certificates=False)
        accounts = _evaluated(self.sound)
        for name in sorted(accounts):
            fresh.set_account(accounts[name], self.sound.market, resumed=True)
        others = _evaluated(self.certified)
        if accounts.keys() != others.keys():
            self._fail(f"evaluated {sorted(accounts)} without certificates, {sorted(others)} with them")
        asked = self._draw.sample(sorted(accounts), min(12, len(accounts)))
        # Mostly accounts go on with the bounds that they have, which get old: a solve makes them anew.
        with _bounds_kept(self.sound.book) if self._draw.random() < 0.7 else nullcontext():
            for name in sorted(accounts):
                self._compare_account(fresh, name, accounts[name], asked=name in asked)
            for difference in audit(self.sound, asked[:3]):
                self._fail(f"audit: {difference}")

    def _compare_account(self, fresh: Book, name: str, account: Account, *, asked: bool) -> None:
        bits = fresh.conditions(name)
        if bits != self.sound.book.conditions(name):
            self._fail(f"{name}: conditions {self.sound.book.conditions(name)}, from nothing {bits}")
        self._acts_no_more(self.sound, name, bits)
        self._acts_no_more(self.certified, name, bits)
        gross_usd = _gross_usd(fresh, account, self.sound)
        self._within_bounds("without", self.sound.book, fresh, name, gross_usd)
        self._same_figures("without", self.sound.book, fresh, name, gross_usd)
        if asked or not _is_watched(self.certified.book, name):
            self._within_bounds("with", self.certified.book, fresh, name, gross_usd)
        if asked:  # asking solves, and must leave no trace
            self._same_figures("with", self.certified.book, fresh, name, gross_usd)
        self.outcome.compared += 1

    def _acts_no_more(self, state: State, name: str, bits: int) -> None:
        """Under bits from nothing an account would do nothing that it has not done."""
        account = _account(state, name)
        copy = decode_account(encode(account))
        parameters = status_parameters(state.market, account.config.parameter_set)
        transitions = status.on_conditions(copy, bits, state.market.time_us, parameters)
        if transitions or copy.timers != account.timers:
            way = "with" if state is self.certified else "without"
            self._fail(
                f"{name} {way} certificates: {account.status}, timers {account.timers}; bits {bits} from nothing "
                f"({state.book.conditions(name)} known) ask for {transitions}, timers {copy.timers}"
            )

    def _within_bounds(self, way: str, book: Book, fresh: Book, name: str, gross_usd: float) -> None:
        """What an account is judged by until it is solved has the requirement from nothing in it."""
        (_, least, most), (_, wanted, _) = book.bounds(name), fresh.figures(name)
        room = JUDGED * max(1.0, gross_usd)
        if least > wanted + room or most < wanted - room:
            self._fail(f"{name} {way} certificates: bounds {least} to {most}, from nothing {wanted}")

    def _same_figures(self, way: str, book: Book, fresh: Book, name: str, gross_usd: float) -> None:
        found, wanted = book.figures(name), fresh.figures(name)
        room = TOLERANCE * max(1.0, gross_usd)
        if not all(_agree(*pair, room) for pair in zip(found, wanted, strict=True)):
            self._fail(f"{name} {way} certificates: figures {found}, from nothing {wanted}, gross {gross_usd} USD")

    def _compare_flushes(self) -> None:
        theirs, ours = collect(self.sound), collect(self.certified)
        for one, other in zip(theirs.values, ours.values, strict=False):
            if one != other:
                self._fail(f"stored without certificates\n{one.value!r}\nwith them\n{other.value!r}")
        for what in ("values", "events", "account_states", "accounts", "shards"):
            if getattr(theirs, what) != getattr(ours, what):
                self._fail(f"{what} of a flush differ: {_differing(theirs, ours, what)}")
        self.outcome.refused += len(theirs.rejected)
        self._stored.update((one.key, one.value) for one in theirs.values)
        confirm(self.sound, theirs)
        confirm(self.certified, ours)

    def _hand_over(self, partition: int) -> None:
        """Close a shard and open it from what is stored, as another worker would."""
        for state in (self.sound, self.certified):
            names = sorted(state.shards[partition].accounts)
            close_shard(state, partition)
            accounts = [decode_account(self._stored[name.encode()]) for name in names]
            marker = self._stored.get(b"!marker/%d" % partition)
            open_shard(
                state, partition, None if marker is None else decode_marker(marker), accounts, partitions=PARTITIONS,
                epoch=self.outcome.handovers + 2,
            )  # fmt: skip
            confirm_pending(state, partition)
        self.outcome.handovers += 1

    def _ask(self) -> None:
        """Look at accounts with certificates: what is only asked changes nothing."""
        names = sorted(_evaluated(self.certified))
        asked = self._draw.sample(names, min(3, len(names)))
        for name in asked:
            evaluate_account(self.certified, name)
            self.certified.book.bounds(name)
        for difference in audit(self.certified, asked):
            self._fail(f"audit with certificates: {difference}")


Constants = tuple[tuple[ModuleType, str, float], ...]
QUICK: Constants = (
    (ranges, "MIN_RETURNS", 20.0), (ranges, "DAY_RETURNS", 20), (correlation_returns, "MIN_VOLATILITY_RETURNS", 3.0),
    (correlation_estimator, "MIN_RETURNS", 6.0), (correlation_estimator, "KEPT_RETURNS", 3.0),
)  # fmt: skip


@contextmanager
def _bounds_kept(book: Book) -> Iterator[None]:
    """Let the accounts of a book without certificates be judged by the bounds that they have, whoever is solved."""
    s, f = book._segments, book._figures
    kept = [(array, array.copy()) for array in (s.hedge, s.left, s.right, s.share, f.record)]
    yield
    for array, before in kept:
        array[:] = before


def _is_watched(book: Book, name: str) -> bool:
    """Whether an account's figures are of the time when it was last looked at."""
    certificates = book._certificates
    return certificates is not None and certificates.watches(book._row_of[name])


@contextmanager
def _constants(chosen: Constants) -> Iterator[None]:
    before = [getattr(module, name) for module, name, _ in chosen]
    for module, name, value in chosen:
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name, _), value in zip(chosen, before, strict=True):
            setattr(module, name, value)


def _opened(*, certificates: bool) -> State:
    state = new_state(certificates=certificates)
    for partition in range(PARTITIONS):
        open_shard(state, partition, None, [], partitions=PARTITIONS, epoch=1)
    return state


def _account(state: State, name: str) -> Account:
    return state.shards[state.partition_of[name]].accounts[name]


def _evaluated(state: State) -> dict[str, Account]:
    return {name: _account(state, name) for name in state.partition_of if name in state.book}


def _kind(item: Outgoing) -> str:
    for kind in ("warning", "margin_call", "liquidation", "bankrupt", "recovered", "resolved", "data_hold"):
        if f'"kind":"{kind}"' in item.body:
            return kind
    return "market"


def _differing(theirs: Flush, ours: Flush, what: str) -> str:
    pairs = zip(getattr(theirs, what), getattr(ours, what), strict=False)
    first = next(((one, other) for one, other in pairs if one != other), None)
    return f"{first}" if first else f"{len(getattr(theirs, what))} and {len(getattr(ours, what))}"


def prove(seed: int, plan: Plan | None = None, on_progress: OnProgress = lambda _: None) -> Outcome:
    """Run a proof; raises `Unequal` at the first difference."""
    return Proof(seed, plan or Plan()).run(on_progress)
