"""What a question is about: an account, or an event, and the state that it is asked of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from monitor.answers.view import View, copy_account, view_of
from monitor.errors import UsageError
from monitor.verify.claim import given_claim
from schemas.headers import BUNDLE_URN
from schemas.records import START, AccountEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monitor.engine.baseline import Baseline
    from monitor.engine.state import State

_ID = re.compile(r"[0-9a-f]{32}")
MAX_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Subject:
    """An account by name (empty: whoever the event is of), or an event by its id."""

    account: str = ""
    identity: str = ""
    event: AccountEvent | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The view that is asked, with the account's earlier events in order and the event itself if it is about one."""

    view: View
    events: tuple[AccountEvent, ...] = ()
    event: AccountEvent | None = None


def subject_of(text: str) -> Subject:
    """Read ACCOUNT|EVENT: an event's id, its bundle's name, a file with its JSON, or else the name of an account."""
    text = text.removeprefix(BUNDLE_URN)
    if _ID.fullmatch(text):
        return Subject(identity=text)
    path = Path(text)
    if not path.is_file():
        return Subject(account=text)
    with path.open("rb") as stream:
        claim = given_claim(stream.read(MAX_BYTES), text)
    if not isinstance(claim.record, AccountEvent):
        raise UsageError(f"{text} holds no account's event", "give the event of an account")
    return Subject(account=claim.record.account, identity=claim.id, event=claim.record)


def view_at(state: State, name: str, base: Baseline | None, also: Iterable[str], *, history: bool | None) -> View:
    """Take the view of an event at its moment, `base` being what its attribution counts from; raises as `view_in`."""
    view = view_in(state, name, also, history=history, base=base)
    account = copy_account(view.account)
    account.stored_baseline = base
    return view.with_account(account)


def view_in(
    state: State, name: str, also: Iterable[str], *, history: bool | None, base: Baseline | None = None
) -> View:
    """Take a view; it knows the market of what `base` held, too. Raises UsageError for an account that is not there."""
    partition = state.partition_of.get(name)
    if partition is None:
        known = sorted(state.partition_of)
        some = f"there are {len(known)} accounts, as {', '.join(known[:3])}" if known else "there is none at all"
        raise UsageError(f"there is no account {name!r}", some)
    shard = state.shards[partition]
    account = shard.accounts[name]
    if base is not None:
        account = copy_account(account)
        account.stored_baseline = base
    positions = {**shard.marker.positions, **state.market.positions}
    for topic, position in account.positions.items():
        if topic not in state.market.positions:
            positions[topic] = max(position, positions.get(topic, START))
    return view_of(account, state.market, positions=positions, also=also, history=history)


_decode_event = msgspec.json.Decoder(AccountEvent).decode


def event_of(body: str) -> AccountEvent:
    """Read an account event's body."""
    return _decode_event(body)
