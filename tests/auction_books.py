"""Advice on an account of a random market that is made short, for tests of auctions."""

from __future__ import annotations

from msgspec.structs import replace

from monitor.answers.view import PERPETUALS, View, copy_account, take
from monitor.asking.about import About
from monitor.asking.advise import advise
from schemas.ids import event_id
from schemas.records import Advice
from tests.answers_books import folded, holding_most


def short_view(v: float = 1.3, seed: int = 2, which: int = 0) -> View:
    """An account under model P, in liquidation, whose cash makes IM/equity so large."""
    state = folded(seed)
    view = take(state, holding_most(state)[which], also=(PERPETUALS,))
    account = copy_account(view.account)
    account.config = replace(account.config, margin_model="P")
    now = view.with_account(account).evaluation()
    account.balances["USD"] = account.balances.get("USD", 0.0) + now.im_requirement_usd / v - now.equity_usd
    account.status, account.episode, account.data_hold = "liquidation", 1, False
    return view.with_account(account)


def advice_on(view: View, episode: int = 1, sequence: int = 3) -> Advice:
    """What a worker would say of it."""
    name = view.account.name
    about = About(
        id=event_id(name, episode, sequence, "liquidation"), kind="liquidation", account=name, episode=episode,
        sequence=sequence,
    )  # fmt: skip
    return advise(view, about)
