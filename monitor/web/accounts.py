"""All accounts as the page knows them: columns of numbers, so that a hundred thousand are sorted in a millisecond.

What is published about an account (its state, by epoch and version) decides about its status. Figures are the newest of
those published and those that this worker has sampled itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from monitor.web.rows import AccountRow, Point, Totals
from schemas.records import AccountState

STATUSES: Final = ("healthy", "warning", "margin_call", "liquidation", "bankrupt", "recovered")
SORTS: Final = ("u", "v", "equity", "requirement", "account", "status")
_CODE: Final = {name: code for code, name in enumerate(STATUSES)}
_RANK: Final = np.array([5, 3, 2, 1, 0, 4])  # of a status, the worst first
GONE: Final = -1


class Sample(Struct, frozen=True, gc=False):
    """Figures of an account as a worker has evaluated it at a market time; NaN where something has no price."""

    account: str
    time_us: int
    equity_usd: float
    im_requirement_usd: float
    mm_requirement_usd: float


@dataclass(frozen=True, slots=True)
class Query:
    """Which accounts, in which order: part of the name, statuses (none: all), held ones only, from a place on."""

    text: str = ""
    statuses: tuple[str, ...] = ()
    held: bool = False
    sort: str = "u"
    limit: int = 100
    offset: int = 0


class Accounts:
    """Rows by account name; a row is never moved."""

    def __init__(self) -> None:
        self._row_of: dict[str, int] = {}
        self._names: list[str] = []
        self._models: list[str] = []
        self._order: list[tuple[int, int]] = []  # epoch and version of the newest state
        self._numbers = np.zeros((64, 3))  # equity, IM, MM
        self._time_us = np.zeros(64, dtype=np.int64)
        self._sampled_us = np.zeros(64, dtype=np.int64)  # market time of the newest sample; 0: none
        self._status = np.full(64, GONE, dtype=np.int8)
        self._held = np.zeros(64, dtype=np.bool_)
        self.older = 0

    def __len__(self) -> int:
        """How many accounts there are, closed ones left out."""
        return int((self._status[: len(self._names)] != GONE).sum())

    def __contains__(self, name: str) -> bool:
        """Whether an account is known and not closed."""
        row = self._row_of.get(name)
        return row is not None and self._status[row] != GONE

    # --- what comes in --------------------------------------------------------------------------

    def state(self, state: AccountState, epoch: int) -> None:
        """Take a published state, unless one of a later epoch or version is known."""
        row = self._row(state.account)
        order = (epoch, state.version)
        if order < self._order[row]:
            self.older += 1
            return
        self._order[row] = order
        self._status[row] = GONE if state.closed else _CODE[state.status]
        self._held[row] = state.data_hold
        self._models[row] = state.model
        if state.event_time_us >= self._time_us[row]:
            self._figures(
                row, state.event_time_us, state.equity_usd, state.im_requirement_usd, state.mm_requirement_usd
            )

    def remove(self, name: str) -> None:
        """Take notice that an account's state was deleted."""
        row = self._row_of.get(name)
        if row is not None:
            self._status[row] = GONE

    def sample(self, sample: Sample) -> None:
        """Take what this worker says of an account of its own; one that nobody has published is left out."""
        row = self._row_of.get(sample.account)
        if row is None:
            return
        self._sampled_us[row] = sample.time_us
        if sample.time_us >= self._time_us[row]:
            self._figures(row, sample.time_us, sample.equity_usd, sample.im_requirement_usd, sample.mm_requirement_usd)

    def disown(self) -> None:
        """Forget which accounts were sampled here: partitions have moved."""
        self._sampled_us[:] = 0

    def _figures(self, row: int, time_us: int, *usd: float) -> None:
        self._time_us[row] = time_us
        self._numbers[row] = usd

    def _row(self, name: str) -> int:
        row = self._row_of.get(name)
        if row is None:
            row = self._row_of[name] = len(self._names)
            self._names.append(name)
            self._models.append("")
            self._order.append((-1, -1))
            if row >= len(self._status):
                self._grow()
        return row

    def _grow(self) -> None:
        size = len(self._status)
        self._numbers = np.vstack([self._numbers, np.zeros((size, 3))])
        self._time_us = np.concatenate([self._time_us, np.zeros(size, dtype=np.int64)])
        self._sampled_us = np.concatenate([self._sampled_us, np.zeros(size, dtype=np.int64)])
        self._status = np.concatenate([self._status, np.full(size, GONE, dtype=np.int8)])
        self._held = np.concatenate([self._held, np.zeros(size, dtype=np.bool_)])

    # --- what is said ---------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Return how many accounts are in each status."""
        found = np.bincount(self._status[self._present()], minlength=len(STATUSES))
        return {name: int(found[code]) for code, name in enumerate(STATUSES)}

    def held(self) -> int:
        """Return how many accounts are on data hold."""
        return int(self._held[self._present()].sum())

    def totals(self) -> Totals:
        """Return the sums over all accounts."""
        present = self._present()
        numbers = self._numbers[present]
        known = np.isfinite(numbers).all(axis=1)
        equity, im, mm = (float(one) for one in numbers[known].sum(axis=0))
        return Totals(
            accounts=len(present), unknown=int((~known).sum()), equity_usd=equity, im_requirement_usd=im,
            mm_requirement_usd=mm,
        )  # fmt: skip

    def own(self) -> tuple[int, int]:
        """Return how many accounts were sampled here, and the market time of the oldest of their figures."""
        present = self._present()
        sampled = self._sampled_us[present] > 0
        times = self._time_us[present][sampled]
        return len(times), int(times.min()) if len(times) else 0

    def row(self, name: str) -> AccountRow | None:
        """Return one account, None if it is not known."""
        return self._told(self._row_of[name]) if name in self else None

    def point(self, name: str) -> Point | None:
        """Return the figures of one account, None if they are not known."""
        row = self._row_of.get(name)
        if row is None or not np.isfinite(self._numbers[row]).all():
            return None
        equity, im, mm = self._numbers[row].tolist()
        return Point(int(self._time_us[row]), equity, im, mm)

    def find(self, query: Query) -> tuple[int, list[AccountRow]]:
        """Return how many accounts fit a query, and those of its page."""
        rows = self._present()
        if query.statuses:
            codes = [_CODE[name] for name in query.statuses]
            rows = rows[np.isin(self._status[rows], codes)]
        if query.held:
            rows = rows[self._held[rows]]
        if query.text:
            wanted = query.text.casefold()
            rows = np.array([row for row in rows.tolist() if wanted in self._names[row].casefold()], dtype=np.int64)
        ordered = self._sorted(rows, query.sort)[query.offset : query.offset + query.limit]
        return len(rows), [self._told(row) for row in ordered]

    def highest(self, count: int) -> list[str]:
        """Return the names of the accounts with the highest utilisation."""
        rows = self._present()
        return [self._names[row] for row in self._sorted(rows, "u")[:count]]

    def _present(self) -> NDArray[np.int64]:
        return np.flatnonzero(self._status[: len(self._names)] != GONE)

    def _sorted(self, rows: NDArray[np.int64], sort: str) -> list[int]:
        if sort == "account":
            return sorted(rows.tolist(), key=self._names.__getitem__)
        used = self._used(rows, 2)
        if sort == "u":
            keys: tuple[NDArray[np.float64], ...] = (-used,)
        elif sort == "v":
            keys = (-self._used(rows, 1),)
        elif sort == "status":
            keys = (-used, _RANK[self._status[rows]])
        else:
            keys = (-np.nan_to_num(self._numbers[rows, 0 if sort == "equity" else 1]),)
        found: list[int] = rows[np.lexsort(keys)].tolist()
        return found

    def _used(self, rows: NDArray[np.int64], which: int) -> NDArray[np.float64]:
        """Return a requirement over equity: infinite where there is no equity for it, -1 where nothing is known."""
        equity, requirement = self._numbers[rows, 0], self._numbers[rows, which]
        with np.errstate(divide="ignore", invalid="ignore"):
            used = np.where(equity > 0.0, requirement / equity, np.inf)
        used[(equity <= 0.0) & (requirement <= 0.0) & (equity >= 0.0)] = 0.0
        used[~np.isfinite(equity) | ~np.isfinite(requirement)] = -1.0
        return used

    def _told(self, row: int) -> AccountRow:
        equity, im, mm = self._numbers[row].tolist()
        return AccountRow(
            account=self._names[row], status=STATUSES[self._status[row]], data_hold=bool(self._held[row]),
            equity_usd=_known(equity), im_requirement_usd=_known(im), mm_requirement_usd=_known(mm),
            u=_known(mm / equity) if equity > 0.0 else None, v=_known(im / equity) if equity > 0.0 else None,
            time_us=int(self._time_us[row]), here=bool(self._sampled_us[row] > 0), model=self._models[row],
        )  # fmt: skip


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
