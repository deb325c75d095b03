"""Groups of accounts that are certified together: whether that pays, the states that it is for, and what was done.

Certificates cost something to make. Where prices leave them as fast as they are made, or gap follows upon gap, sweeping
all accounts is cheaper: a group is left alone then for a while, and for longer if it was in vain again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from kernels.certificates import conditions
from monitor.engine.figures import Ints

if TYPE_CHECKING:
    from monitor.engine.certified import Certificates
    from monitor.engine.column import Column
    from monitor.engine.state import Account
    from schemas.records import Status

CALM, CALM_SHARE = 4, 1_000  # accounts of a column, and 1 in so many, outside of certificates when a group is watched
WORTH = 1_000  # moves that a group has to be watched for, or it is left alone after the next gap for a while
BESIDE, DURING = 2, 4  # certificates beside sweeps, and while it is watched, that each such move pays for
SETTLING = 1_000  # certificates more than these pay for, after which a group is given up
FIRST_PAUSE, LONGEST_PAUSE = 250, 8_000  # sweeps of which nobody is certified beside
IN_VAIN, LONGEST_IN_VAIN = 4_000, 64_000  # the same, where many certificates were in vain
VAIN_SHARE = 3  # as many as 1 in so many segments, where the group was watched before; else as there are segments
LEAST_HELD = 10_000  # segments of a group: with fewer an hour of gaps took longer than with sweeps alone

STATUS: Final[dict[Status, int]] = {
    "healthy": conditions.HEALTHY, "warning": conditions.WARNING, "margin_call": conditions.MARGIN_CALL,
    "liquidation": conditions.LIQUIDATION, "bankrupt": conditions.BANKRUPT, "recovered": conditions.RECOVERED,
}  # fmt: skip


def state_of(account: Account) -> int:
    """Return the state that an account's certificate is for: ANY, to which all conditions matter, on a data hold."""
    return conditions.ANY if account.data_hold else STATUS[account.status]


@dataclass(slots=True)
class Work:
    """What the layer has done, in accounts: out of their boxes (`pops`), `resplit`, `evaluated` and `certified`.

    `proven` are those that were certified without being evaluated.
    `swept` counts how often a group went back to the exact path.
    """

    pops: int = 0
    resplit: int = 0
    evaluated: int = 0
    proven: int = 0
    certified: int = 0
    swept: int = 0


class Group:
    """The accounts of one parameter set under model P, swept while the group is `exact`."""

    def __init__(self, owner: Certificates) -> None:
        self._owner = owner
        self.columns: list[Column] = []
        self.exact = True
        self.up_to_date = True  # what the exact path rests on
        self.changed_by = 0.0  # the correlations when the exact path was left
        self.outside: dict[int, int] = {}  # by column, of its certificates beyond what is calm, when last looked
        self.turn = 0  # whose it is among those outside
        self.judged: set[int] | None = None  # accounts that were asked for since it was given up; None: it never was
        self.looks = 0  # moves of the market since the group is watched
        self.pause = self.paused = 0  # sweeps beside which nobody is certified: still to come, and after the last gap
        self.was_watched = False
        self.certified = 0  # `Work.certified` when it could last be watched
        self.made = 0  # certificates beside sweeps since the group could last be watched, or was left alone
        self.in_vain = 0  # sweeps that it was left alone for when that was of no use

    # --- whether it pays ------------------------------------------------------------------------

    def costs_too_much(self, certified: int) -> bool:
        """Return whether more certificates were made than the moves that the group was watched for pay for.

        certified: `Work.certified` now, as below.
        """
        return certified - self.certified > SETTLING + DURING * self.looks

    def give_up(self, certified: int) -> None:
        """Be swept from the next record on, and be left alone for a while unless certificates have paid."""
        self.exact, self.up_to_date = True, False
        during = certified - self.certified
        worth = self.looks >= max(WORTH, self.made // BESIDE + during // DURING)
        self.paused = 0 if worth else min(2 * self.paused + FIRST_PAUSE, LONGEST_PAUSE)
        self.pause = self.paused
        if worth:
            self.in_vain = 0
        self.looks = self.made = 0
        self.outside = {column.index: 1 for column in self.columns}
        self.judged = set()

    def begin(self, certified: int) -> None:
        """Be watched from now on."""
        self.exact, self.was_watched, self.certified = False, True, certified

    def wait(self) -> None:
        """Be left alone for some sweeps: most accounts have too little room now."""
        self.paused = min(2 * self.paused + FIRST_PAUSE // 32, LONGEST_PAUSE)
        self.pause = self.paused

    def is_renewed_beside_a_sweep(self, held: int) -> bool:
        """Return whether accounts are certified beside this sweep; one that is left alone for has passed.

        held: how many segments the group has, as below.
        """
        if held < LEAST_HELD:
            return False
        if self.pause:
            self.pause -= 1
            return False
        return True

    def count_made(self, made: int, held: int) -> None:
        """Take so many certificates beside a sweep; be left alone if they end as fast as they are made."""
        self.made += made
        allowed = held // VAIN_SHARE if self.was_watched else held
        if self.exact and self.made > allowed:
            self.in_vain = min(2 * self.in_vain + IN_VAIN, LONGEST_IN_VAIN)
            self.pause, self.made = self.in_vain, 0

    # --- who is outside of certificates ---------------------------------------------------------

    @property
    def is_calm(self) -> bool:
        """Whether hardly anybody was without a certificate when each column was last looked at."""
        return all(self.outside.get(column.index, 0) <= 0 for column in self.columns)

    def count_outside(self, column: int, left: int, held: int) -> None:
        """Take how many accounts of a column's `held` are outside of their certificates."""
        self.outside[column] = left - CALM - held // CALM_SHARE

    def by_turns(self, rows: Ints, count: int) -> Ints:
        """Return some accounts in another order, of which the first `count` are taken.

        Some have no certificate at any time, and must not take the turns of the others.
        """
        self.turn += count
        return np.roll(rows, -(self.turn % len(rows)))

    # --- its accounts ---------------------------------------------------------------------------

    def take(self, column: Column, *, index_only: bool = False, moved: bool = True) -> None:
        """Take what a column has read of the market: `Followed.take`."""
        self._owner.take(column, index_only=index_only, moved=moved)

    def unjudged(self, row: int) -> bool:
        """Return whether all bits of an account are asked for first since the group was given up.

        Until then those that its certificate did not watch are of any time.
        """
        if self.judged is None or row in self.judged:
            return False
        self.judged.add(row)
        return True
