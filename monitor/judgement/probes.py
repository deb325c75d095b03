"""Accounts of one position: long and short of each coin's perpetual, so that a model is judged coin by coin.

A probe has so much money that it is never called: its requirement and its losses are looked at, not its state.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.records import AccountConfig, Input, Instrument, Trade, Transfer

NOTIONAL_USD = 100_000.0
CASH_USD = 1_000_000.0
LONG, SHORT = "probe-long", "probe-short"
KINDS = (LONG, SHORT)


class Probes:
    """Opens probes when the first account trades a coin's perpetual, at that price."""

    def __init__(self) -> None:
        self._perpetuals: dict[str, Instrument] = {}
        self._open: set[str] = set()

    def listed(self, instrument: Instrument) -> None:
        """Take an instrument."""
        if instrument.type == "perpetual":
            self._perpetuals[instrument.instrument] = instrument

    def beside(self, trade: Trade) -> Iterator[Input]:
        """Give the records of probes in what was traded, if it is a coin's first perpetual."""
        instrument = self._perpetuals.get(trade.instrument)
        if instrument is None or instrument.underlying in self._open:
            return
        self._open.add(instrument.underlying)
        inverse = instrument.contract == "inverse"
        contracts = NOTIONAL_USD / (instrument.contract_size * (1.0 if inverse else trade.price))
        for kind, sign in ((LONG, 1.0), (SHORT, -1.0)):
            name, at_us = f"{kind}-{instrument.underlying}", trade.event_time_us
            yield AccountConfig(account=name, group=kind, event_time_us=at_us)
            yield Transfer(transfer_id=f"{name}-usd", account=name, asset="USD", amount=CASH_USD, event_time_us=at_us)
            yield Trade(
                trade_id=f"{name}-open", account=name, instrument=trade.instrument, quantity=sign * contracts,
                price=trade.price, event_time_us=at_us,
            )  # fmt: skip
