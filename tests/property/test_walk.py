"""The short walk of an attribution says what the general one says, bit for bit, or leaves it to that."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from monitor.engine import State, attribution, new_state, open_shard, step, walk
from monitor.engine.baseline import Baseline
from monitor.engine.grounds import Noted
from monitor.engine.parameters import DEFAULT_SET
from monitor.engine.portfolio import active_set
from monitor.engine.state import Account
from schemas.records import AccountConfig, Input, NettingParameters, PriceTick
from tests.engine_market import Log, random_market

ACCOUNTS = tuple("abcdefghi")
MARKS, CHANGED, COMPARED, KEPT = 19, 300, 7, 90  # records between marks, comparisons, and baselines that are kept


def bits(changes: Sequence[float]) -> list[bytes]:
    """Return numbers as they are in memory; an event's zero has no sign."""
    return [struct.pack("<d", change + 0.0) for change in changes]


def general(account: Account, state: State) -> list[float] | None:
    """Return the changes that the general walk says; a baseline that is only noted stays so."""
    base = account.base
    parts = attribution.attribute(account, state.market, active_set(account, state.market))
    if isinstance(base, Noted):
        account.note_baseline(base)
    return None if parts is None else [part.change_usd for part in parts]


def compare(account: Account, state: State, told: Counter[str]) -> None:
    """Compare both walks of an account, if it has a netted requirement and something to count from."""
    if account.name not in state.book or account.base is None:
        return
    evaluation, netted = state.book.evaluated(account, state.market)
    if netted is None or not evaluation.valued:
        return
    short = walk.changes(account, state.market, active_set(account, state.market), netted)
    told["general" if short is None else "short"] += 1
    if short is not None:
        expected = general(account, state)
        assert expected is not None
        assert bits(short) == bits(expected)
        told.update(group for group, change in zip(walk.GROUPS, short, strict=True) if change)


def records_of(seed: int) -> Iterator[Input]:
    """Yield a random market with marks, for accounts of model P, whose parameters change once."""
    for number, record in enumerate(random_market(seed, 500, ACCOUNTS, pace=20 if seed % 2 else 1)):
        if not isinstance(record, AccountConfig) or record.margin_model == "P":
            yield record
        if isinstance(record, PriceTick) and record.price is not None and number % MARKS == 0:
            yield msgspec.structs.replace(
                record, source="marks", price_kind="mark", instrument=f"{record.underlying}-PERPETUAL",
                price=record.price * (1.0 + 1e-5 * number), index_source=False,
            )  # fmt: skip
        if number == CHANGED:
            yield msgspec.structs.replace(
                DEFAULT_SET, name="wide", event_time_us=record.event_time_us, netting=NettingParameters(mm_factor=0.7)
            )


@pytest.mark.parametrize("form", ["noted", "made", "older"])
@pytest.mark.parametrize("seed", range(4))
def test_both_walks_say_the_same(seed: int, form: str) -> None:
    """Since the latest record or event, or an earlier one: through gaps, fills, funding, expiries and new matrices."""
    state, log, told = new_state(certificates=seed < 2), Log(), Counter[str]()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    accounts, older = state.shards[0].accounts, dict[str, Baseline]()
    for number, record in enumerate(records_of(seed)):
        step(state, [log(record)])
        if form == "older" and number % KEPT == 0:
            older = {name: one.baseline for name, one in accounts.items() if one.baseline is not None}
        if number % COMPARED:
            continue
        for name, account in accounts.items():
            if form == "older" and name in older:
                account.baseline = older[name]
            elif form == "made":
                assert account.baseline is account.base
            compare(account, state, told)
    assert told["short"] > 200
    moved = {"time", "price", "vol", "collateral"}
    moved |= {"trades"} if form == "older" else {"correlation"} if seed % 2 else {"basis"}
    assert moved <= told.keys()
