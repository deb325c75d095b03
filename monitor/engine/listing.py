"""Instruments fold: the contracts that are or were listed."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.records import Instrument

MAX_INSTRUMENTS = 200_000  # ten times every option of every venue; a publisher of random names must not go on for ever
LAYOUT = 1

# What a position's value rests on: were one of these to change, positions would change their meaning unseen.
FIXED = ("type", "underlying", "settlement", "contract", "contract_size", "expiry_us", "strike", "option_type")


class RejectedInstrument(ValueError):
    """A definition the fold refuses; `kind` is for counting, `text` for people."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text


class InstrumentsFold:
    """Folds `market.instruments`; `late_definitions` counts those older than what is known."""

    __slots__ = ("_by_underlying", "_instruments", "_sorted", "late_definitions")

    def __init__(self) -> None:
        self._instruments: dict[str, Instrument] = {}
        self._by_underlying: dict[str, dict[str, Instrument]] = {}
        self._sorted: dict[str, tuple[Instrument, ...]] = {}  # cache of `of_underlying`
        self.late_definitions = 0

    def get(self, name: str) -> Instrument | None:
        """Return a contract, delisted or not, None if it never was listed."""
        return self._instruments.get(name)

    def of_underlying(self, underlying: str) -> tuple[Instrument, ...]:
        """Return the contracts of an underlying, delisted ones included, sorted by name."""
        known = self._sorted.get(underlying)
        if known is None:
            contracts = self._by_underlying.get(underlying, {})
            known = self._sorted[underlying] = tuple(contracts[name] for name in sorted(contracts))
        return known

    def apply(self, record: Instrument) -> tuple[str, ...]:
        """Fold a definition and return the names it changed.

        A listed contract may be delisted and listed again; any other change of it raises `RejectedInstrument`, and
        needs a new name. A definition older than the one known (by event time) changes nothing and is counted.
        """
        name = record.instrument
        known = self._instruments.get(name)
        if known is None:
            if len(self._instruments) >= MAX_INSTRUMENTS:
                raise RejectedInstrument("too_many", f"more than {MAX_INSTRUMENTS} instruments")
        else:
            changed = [field for field in FIXED if getattr(record, field) != getattr(known, field)]
            if changed:
                raise RejectedInstrument("redefined", f"{name} is listed with another {', '.join(changed)}")
            if record.event_time_us < known.event_time_us:
                self.late_definitions += 1
                return ()
        self._instruments[name] = record
        self._by_underlying.setdefault(record.underlying, {})[name] = record
        self._sorted.pop(record.underlying, None)
        if known is not None and known.delisted == record.delisted:
            return ()
        return (name,)

    def snapshot(self) -> dict[str, Any]:
        """Return the fold as plain JSON values."""
        return {
            "layout": LAYOUT,
            "instruments": [msgspec.to_builtins(record) for record in self._instruments.values()],
            "late_definitions": self.late_definitions,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> InstrumentsFold:
        """Rebuild a fold from its snapshot; raises ValueError for another layout."""
        if state["layout"] != LAYOUT:
            raise ValueError(f"instruments snapshot has layout {state['layout']}, this build reads {LAYOUT}")
        fold = cls()
        for item in state["instruments"]:
            record = msgspec.convert(item, Instrument)
            fold._instruments[record.instrument] = record
            fold._by_underlying.setdefault(record.underlying, {})[record.instrument] = record
        fold.late_definitions = state["late_definitions"]
        return fold
