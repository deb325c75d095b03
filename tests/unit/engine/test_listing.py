from __future__ import annotations

from typing import Any

import msgspec
import pytest

from monitor.engine import listing
from monitor.engine.listing import InstrumentsFold, RejectedInstrument
from schemas.records import Instrument
from tests.unit.engine.market_records import DAY_S, at, option


def change(record: Instrument, **fields: Any) -> Instrument:
    return msgspec.structs.replace(record, **fields)


CALL = option("BTC-CALL", 30 * DAY_S)


def test_contracts_are_found_by_name_and_underlying() -> None:
    """Contracts are given by name, and those of an underlying sorted by name."""
    fold = InstrumentsFold()
    assert fold.get("BTC-CALL") is None
    assert fold.of_underlying("BTC") == ()
    records = [change(CALL, instrument=name) for name in ("C", "A", "B")]
    for record in records:
        assert fold.apply(record) == (record.instrument,)
    other = change(CALL, instrument="E", underlying="ETH")
    fold.apply(other)
    assert fold.get("B") == records[2]
    assert [record.instrument for record in fold.of_underlying("BTC")] == ["A", "B", "C"]
    assert fold.of_underlying("ETH") == (other,)


def test_a_repeated_definition_changes_nothing() -> None:
    """The same terms published again are no change."""
    fold = InstrumentsFold()
    fold.apply(CALL)
    assert fold.apply(CALL) == ()
    assert fold.apply(change(CALL, event_time_us=at(5))) == ()


def test_delisting_and_listing_again() -> None:
    """A contract can be delisted and listed again; it stays known, because positions may remain."""
    fold = InstrumentsFold()
    fold.apply(CALL)
    assert fold.apply(change(CALL, delisted=True, event_time_us=at(5))) == ("BTC-CALL",)
    found = fold.get("BTC-CALL")
    assert found is not None
    assert found.delisted
    assert fold.of_underlying("BTC") == (found,)
    assert fold.apply(change(CALL, event_time_us=at(6))) == ("BTC-CALL",)


@pytest.mark.parametrize(
    "fields",
    [
        {"strike": 101.0},
        {"contract_size": 0.1},
        {"expiry_us": at(31 * DAY_S)},
        {"option_type": "put"},
        {"underlying": "ETH"},
        {"settlement": "USDC"},
        {"settlement": "BTC", "contract": "inverse"},
        {"type": "future", "strike": None, "option_type": None},
    ],
)
@pytest.mark.parametrize("delisted", [False, True])
def test_terms_of_a_listed_contract_do_not_change(fields: dict[str, Any], delisted: bool) -> None:
    """New terms under a known name are refused, even after delisting: positions would change their meaning."""
    fold = InstrumentsFold()
    fold.apply(change(CALL, delisted=delisted))
    before = fold.snapshot()
    with pytest.raises(RejectedInstrument) as refusal:
        fold.apply(change(CALL, event_time_us=at(9), **fields))
    assert refusal.value.kind == "redefined"
    assert all(name in refusal.value.text for name in fields)
    assert fold.snapshot() == before


def test_a_late_definition_is_counted() -> None:
    """A definition older than the one known does not bring a delisted contract back."""
    fold = InstrumentsFold()
    fold.apply(change(CALL, delisted=True, event_time_us=at(5)))
    assert fold.apply(change(CALL, event_time_us=at(4))) == ()
    assert fold.late_definitions == 1
    found = fold.get("BTC-CALL")
    assert found is not None
    assert found.delisted


def test_random_names_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of instruments is bounded; known ones can still change."""
    monkeypatch.setattr(listing, "MAX_INSTRUMENTS", 1)
    fold = InstrumentsFold()
    fold.apply(CALL)
    with pytest.raises(RejectedInstrument) as refusal:
        fold.apply(change(CALL, instrument="OTHER"))
    assert refusal.value.kind == "too_many"
    assert fold.apply(change(CALL, delisted=True)) == ("BTC-CALL",)


def test_another_layout_of_snapshot_is_refused() -> None:
    """A snapshot of another build's layout is not read."""
    with pytest.raises(ValueError, match="layout"):
        InstrumentsFold.restore({**InstrumentsFold().snapshot(), "layout": 99})
