"""Groups of accounts that are certified together, the states that certificates are for, and counts of what they did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kernels.certificates import conditions

if TYPE_CHECKING:
    from monitor.engine.certified import Certificates
    from monitor.engine.column import Column
    from monitor.engine.state import Account
    from schemas.records import Status

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
