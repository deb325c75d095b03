"""Proof of one liquidation: all that it was computed from, so that anyone computes it again without a broker.

A bundle holds the event, the view at its moment (positions of the account, prices, surfaces, parameters, correlations,
source offsets, what its attribution counts from), and which kernels and CPU class it was computed by. Its seal is a
digest of all of that. `check` breaks the seal down: it compares the seal, values the account anew, judges it anew, and
writes the event anew.

On the build that the bundle names, every byte of the event has to come out. On another one every number has to agree
within `TOLERANCE` and everything else, the decision first, has to be equal.

What the inputs do not determine (the record that caused the crossing, how many records were conflated) is protected by
the seal alone; so is a bundle whose inputs and event were both changed to fit. Compare the event then with its topic.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from monitor.answers.view import View, copy_account, decode, encode
from monitor.engine import attribution, events, status
from monitor.engine.status import Transition
from schemas.headers import PROVED
from schemas.ids import canonical
from schemas.records import AccountEvent

if TYPE_CHECKING:
    from monitor.engine.book import Book
    from monitor.engine.evaluation import Evaluation

LAYOUT = 1
TOLERANCE = 1e-12
MAX_DIFFERENCES = 50
Outcome = Literal["equal", "close", "differs"]


class Build(Struct, frozen=True):
    """What computed an event: a digest of the kernels' sources and compiler, the CPU class, numpy's version."""

    kernels: str
    cpu: str
    numpy: str


class Bundle(Struct, frozen=True, forbid_unknown_fields=True):
    """A bundle as it is written: the event and the view are JSON as they were, `seal` covers all other fields."""

    v: int
    event: msgspec.Raw
    view: msgspec.Raw
    build: Build
    flags: tuple[str, ...]
    seal: str


class Difference(Struct, frozen=True):
    """One field: its path, what the bundle says, and what is computed (None: it is not there)."""

    field: str
    said: Any
    computed: Any


class Checked(Struct, frozen=True):
    """What came of a bundle: `equal` byte for byte, `close` within the tolerance on another build, or `differs`."""

    event: str
    account: str
    kind: str
    outcome: Outcome
    sealed: bool
    same_build: bool
    decision: bool
    differences: tuple[Difference, ...] = ()


class RefusedBundle(ValueError):
    """What is no bundle, or not of a kind of event that has one."""


def make(view: View, event: AccountEvent, build: Build) -> bytes:
    """Write the bundle of an event; `view` is at its moment, its account's baseline what the attribution counts from.

    Raises RefusedBundle for an event of another kind or account.
    """
    if event.kind not in PROVED:
        raise RefusedBundle(f"a {event.kind} has no bundle, only {' and '.join(PROVED)}")
    if event.account != view.account.name:
        raise RefusedBundle(f"the event is of {event.account}, the view of {view.account.name}")
    account = copy_account(view.account)
    account.sequence = event.sequence - 1
    found = view.with_account(account)
    own = set(found.evaluation().data_quality) | {events.LAST_GOOD}
    flags = tuple(flag for flag in event.data_quality if flag not in own and not flag.startswith("unvalued:"))
    body, inputs = canonical(event), encode(found)
    bundle = Bundle(LAYOUT, msgspec.Raw(body), msgspec.Raw(inputs), build, flags, "")
    return msgspec.json.encode(msgspec.structs.replace(bundle, seal=seal_of(bundle)))


def seal_of(bundle: Bundle) -> str:
    """Return the digest of a bundle: SHA-256 over the canonical JSON of all its fields but the seal."""
    content = [
        bundle.v, msgspec.json.decode(bundle.event), msgspec.json.decode(bundle.view),
        msgspec.to_builtins(bundle.build), list(bundle.flags),
    ]  # fmt: skip
    return hashlib.sha256(canonical(content)).hexdigest()


def read(data: bytes) -> Bundle:
    """Read a bundle; raises RefusedBundle."""
    try:
        bundle = msgspec.json.decode(data, type=Bundle)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RefusedBundle(f"this is no bundle ({error})") from error
    if bundle.v != LAYOUT:
        raise RefusedBundle(f"the bundle has layout {bundle.v}, this build reads {LAYOUT}")
    return bundle


def check(bundle: Bundle, build: Build) -> Checked:
    """Compute a bundle's event anew on this `build` and compare; raises RefusedBundle if it cannot be read."""
    try:
        event = msgspec.json.decode(bundle.event, type=AccountEvent)
        view = decode(bytes(bundle.view))
        sealed = seal_of(bundle) == bundle.seal
        computed, decided = _recomputed(view, event, bundle.flags)
    except (msgspec.MsgspecError, ValueError, KeyError, AssertionError, ArithmeticError) as error:
        raise RefusedBundle(f"the bundle cannot be computed ({error})") from error
    same = bundle.build == build
    said, again = msgspec.json.decode(bundle.event), msgspec.json.decode(canonical(computed))
    found = [] if sealed else [Difference("seal", bundle.seal, seal_of(bundle))]
    found += list(_differences("", said, again, 0.0 if same else TOLERANCE))
    exact = canonical(said) == canonical(again)
    outcome: Outcome = "differs" if found or not decided else "equal" if exact else "close"
    return Checked(
        event.id, event.account, event.kind, outcome, sealed, same, decided, tuple(found[:MAX_DIFFERENCES])
    )  # fmt: skip


def _recomputed(view: View, event: AccountEvent, flags: tuple[str, ...]) -> tuple[AccountEvent, bool]:
    """Return an event anew from its inputs, and whether these decide for it."""
    market, active = view.market(), view.active
    book = view.book(market)
    evaluation = book.evaluation(view.account, market)
    if flags:
        quality = tuple(sorted({*evaluation.data_quality, *flags}))
        evaluation = _with_quality(evaluation, quality)
    parts = attribution.attribute(view.account, market, active) if evaluation.valued else None
    base = view.account.baseline
    reason: status.Reason = "deposit" if event.state_from == "bankrupt" else "conditions"
    transition = Transition(
        kind=event.kind, state_from=event.state_from, state_to=event.kind, data_hold=view.account.data_hold,  # type: ignore[arg-type]
        jump=not view.account.called, at_us=event.event_time_us, episode=view.account.episode, reason=reason,
    )  # fmt: skip
    made = events.build_event(
        copy_account(view.account), transition, evaluation, cause=event.cause, positions=view.positions,
        parameters=active, attribution=parts,
        attribution_base=None if parts is None or base is None else attribution.base_of(base),
    )  # fmt: skip
    made = msgspec.structs.replace(
        made, conflated_records=event.conflated_records, left_out=event.left_out, plan=event.plan
    )  # claimed, as in a recomputation from the topics
    return made, _decides(book, view, event)


def _with_quality(evaluation: Evaluation, quality: tuple[str, ...]) -> Evaluation:
    return dataclasses.replace(evaluation, data_quality=quality)


def _decides(book: Book, view: View, event: AccountEvent) -> bool:
    """Whether the conditions of the account are those that lead to the event, on data that may decide."""
    bits = book.conditions(view.account.name)
    if bits & status.HELD:
        return False
    if event.kind == "bankrupt":
        return bool(bits & status.BANKRUPT)
    if event.state_from == "bankrupt":  # a deposit that was too small to end the liquidation
        return not bits & status.BANKRUPT
    return bool(bits & status.LIQ_ENTER) and not bits & status.BANKRUPT


def _differences(path: str, said: Any, computed: Any, tolerance: float) -> Iterator[Difference]:
    """Yield the fields in which two values differ by more than a relative tolerance of numbers."""
    if isinstance(said, dict) and isinstance(computed, dict):
        for name in sorted({*said, *computed}):
            yield from _differences(
                f"{path}.{name}" if path else name, said.get(name), computed.get(name), tolerance
            )  # fmt: skip
    elif isinstance(said, list) and isinstance(computed, list):
        for index, (one, other) in enumerate(zip_longest(said, computed)):
            yield from _differences(f"{path}[{index}]", one, other, tolerance)
    elif isinstance(said, float) and isinstance(computed, float) and tolerance:
        if not math.isclose(said, computed, rel_tol=tolerance, abs_tol=tolerance):
            yield Difference(path, said, computed)
    elif said != computed or type(said) is not type(computed):
        yield Difference(path, said, computed)
