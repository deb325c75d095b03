"""Proof bundles: each liquidation of a market comes out of its bundle, and a changed field is found."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from monitor.answers import bundle as bundles
from monitor.answers import view as views
from monitor.answers.moment import step_watched
from monitor.asking.build import this_build
from monitor.asking.subject import event_of, view_at
from monitor.engine import new_state, open_shard
from monitor.engine.baseline import Baseline
from monitor.engine.state import Outgoing
from schemas.headers import PROVED
from schemas.records import AccountEvent
from tests.engine_market import Log, random_market

ACCOUNTS = tuple(f"acc{n}" for n in range(6))
ELSEWHERE = bundles.Build("another", "another", "0")


def liquidations(seed: int) -> Iterator[tuple[views.View, AccountEvent]]:
    """Yield the view and the event of each liquidation and bankruptcy of a random market."""
    state, log = new_state(), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    found: list[tuple[views.View, AccountEvent]] = []

    def told(outgoing: Outgoing, base: Baseline | None) -> None:
        event = event_of(outgoing.body)
        if event.kind in PROVED:
            found.append((view_at(state, event.account, base, (), history=None), event))

    for record in random_market(seed, 500, ACCOUNTS, 5):
        step_watched(state, [log(record)], ACCOUNTS, told)
        yield from found
        found.clear()


@pytest.fixture(scope="module")
def made() -> list[bytes]:
    """Return the bundles of several markets."""
    return [
        bundles.make(view, event, this_build()) for seed in range(1, 9) for view, event in liquidations(seed)
    ]  # fmt: skip


def test_each_liquidation_comes_out_of_its_bundle(made: list[bytes]) -> None:
    """Every byte of the event is computed again from the bundle alone, and the decision is the same."""
    assert len(made) >= 5
    for data in made:
        found = bundles.check(bundles.read(data), this_build())
        assert (found.outcome, found.sealed, found.decision, found.differences) == ("equal", True, True, ())


def test_on_another_build_numbers_are_near(made: list[bytes]) -> None:
    """A bundle of another build is compared within the tolerance, and a number beyond it is found."""
    bundle = bundles.read(made[0])
    other = msgspec.structs.replace(bundle, build=ELSEWHERE, seal="")
    other = msgspec.structs.replace(other, seal=bundles.seal_of(other))
    assert bundles.check(other, this_build()).outcome in ("equal", "close")
    for factor, outcome in ((1.0 + 1e-13, "close"), (1.0 + 1e-9, "differs")):
        event = msgspec.json.decode(bundle.event)
        event["im_requirement_usd"] *= factor
        changed = msgspec.structs.replace(other, event=msgspec.Raw(msgspec.json.encode(event)), seal="")
        changed = msgspec.structs.replace(changed, seal=bundles.seal_of(changed))
        assert bundles.check(changed, this_build()).outcome == outcome


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all values that hold no others."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = False
    for key, item in items:
        found = True
        yield from leaves(item, (*path, key))
    if not found:
        yield path


def changed_at(value: Any, path: tuple[Any, ...]) -> Any:
    """Return a copy with another value at a path."""
    found = copy.deepcopy(value)
    at = found
    for key in path[:-1]:
        at = at[key]
    old = at[path[-1]]
    at[path[-1]] = (
        not old if isinstance(old, bool)
        else old + 1 if isinstance(old, int)
        else old * (1.0 + 1e-15) + 1e-300 if isinstance(old, float) and old
        else 1e-9 if isinstance(old, float)
        else old + "x" if isinstance(old, str)
        else 1
    )  # fmt: skip
    if isinstance(old, float) and at[path[-1]] == old:
        at[path[-1]] = old * (1.0 + 4e-16)
    return found


def outcome_of(plain: Any, *, sealed_anew: bool) -> str:
    """Return what a changed bundle comes to: `refused` if it cannot be read or computed."""
    try:
        bundle = bundles.read(msgspec.json.encode(plain))
        if sealed_anew:
            bundle = msgspec.structs.replace(bundle, seal=bundles.seal_of(bundle))
        return bundles.check(bundle, this_build()).outcome
    except bundles.RefusedBundle:
        return "refused"


def test_every_changed_field_is_found(made: list[bytes]) -> None:
    """Whatever field of a bundle is changed in its last digit, the bundle does not pass."""
    plain = msgspec.json.decode(min(made, key=len))
    paths = list(leaves(plain))
    assert len(paths) > 200
    sets = [path for path in paths if "sets" in path]  # many alike: some of them
    chosen = [path for path in paths if "sets" not in path] + random.Random(1).sample(sets, min(60, len(sets)))
    for path in chosen:
        assert outcome_of(changed_at(plain, path), sealed_anew=False) in ("differs", "refused"), path


def test_an_event_sealed_anew_is_still_found(made: list[bytes]) -> None:
    """An event that was changed and sealed again differs from what its inputs give, but for its cause."""
    plain = msgspec.json.decode(min(made, key=len))
    seen = 0
    for path in leaves(plain["event"]):
        if path[0] in ("cause", "conflated_records", "plan"):
            continue
        changed = {**plain, "event": changed_at(plain["event"], path)}
        assert outcome_of(changed, sealed_anew=True) in ("differs", "refused"), path
        seen += 1
    assert seen > 40


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"v":2}', b"\xff\xfe"])
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    """Anything else raises RefusedBundle."""
    with pytest.raises(bundles.RefusedBundle):
        bundles.read(data)
