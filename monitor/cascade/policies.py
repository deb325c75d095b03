"""How liquidations are carried out: all at once, or contained.

| policy | what it does |
|---|---|
| `at_once` | every account in liquidation closes what it has to, in the round in which it falls |
| `stagger` | no account closes more in a round than `share_per_round` of what it held when it fell |
| `cap` | no more delta of an underlying goes to the market in a round than `volume_per_round` of a day's volume |
| `auction` | bidders take portfolios for `edge` of their gross delta, up to `capacity_usd`; nothing of it is sold on |
| `hedge_first` | perpetuals first, as far as they help; what they leave is closed |

What an account has to close is one share of all its positions, coins that it has or owes among them: the least that
brings IM/equity below where its liquidation ends, after costs. Requirements scale with positions, so that share has a
closed form; where add-ons do not scale, the next round closes what is missing. Under a `cap` each underlying has room
of its own: an account closes there what there is room for, and the rest in later rounds.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Share = Annotated[float, Meta(gt=0.0, le=1.0)]


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """One way to carry liquidations out; defaults are ours."""

    kind: Literal["at_once", "stagger", "cap", "auction", "hedge_first"] = "at_once"
    share_per_round: Share = 0.2
    volume_per_round: Share = 0.05
    edge: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.02
    capacity_usd: Annotated[float, Meta(ge=0.0)] = 50_000_000.0


POLICIES = {kind: Policy(kind=kind) for kind in ("at_once", "stagger", "cap", "auction", "hedge_first")}
