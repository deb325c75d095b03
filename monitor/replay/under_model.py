"""A replay in which every account has one model, or one parameter set: what would have happened under it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from monitor.replay.arrival import Merged
from monitor.replay.sources.base import Arrived
from schemas.records import AccountConfig, MarginModel, Trade, Transfer


@dataclass(slots=True)
class UnderModel(Merged):
    """A merged stream whose account settings name this model and this set (None: each account's own).

    An account that has no settings when its first trade or transfer comes is given some.
    """

    model: MarginModel | None = None
    parameter_set: str | None = None

    def __iter__(self) -> Iterator[Arrived]:
        """Give (arrival time, record); raises what the sources raise."""
        known: set[str] = set()
        for at_us, record in Merged.__iter__(self):
            if isinstance(record, AccountConfig):
                known.add(record.account)
                yield at_us, self._chosen(record)
                continue
            if isinstance(record, Trade | Transfer) and record.account not in known:
                known.add(record.account)
                yield at_us, self._chosen(AccountConfig(account=record.account, event_time_us=record.event_time_us))
            yield at_us, record

    def _chosen(self, config: AccountConfig) -> AccountConfig:
        changes = {"margin_model": self.model, "parameter_set": self.parameter_set}
        return msgspec.structs.replace(config, **{name: value for name, value in changes.items() if value is not None})
