"""Rounds: who is due, in which order, what is done for each, and what came of it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from examples.bot import decide
from examples.bot.asking import Planner, Refused, Unavailable, Venue, trades_of
from examples.bot.config import BotSettings
from examples.bot.decide import Known, Trade, Verdict
from examples.bot.journal import Fill, Intent, Journal, Outcome
from monitor.client import Alert, StateView

log = logging.getLogger("liquidation_bot")


@dataclass(slots=True)
class Bot:
    """What the bot knows; `counts` say what was met and done, by name."""

    settings: BotSettings
    seed: int
    view: StateView
    planner: Planner
    venue: Venue
    journal: Journal
    due: dict[str, int] = field(default_factory=dict)
    """Accounts that wait for their turn, with the sequence of the latest alert."""
    counts: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    notional_usd: float = 0.0

    def adopt(self) -> None:
        """Take over whoever is in liquidation already: alerts of before may have been read and not acted on."""
        self.due |= {state.account: state.sequence for state in self.view.all() if state.status == "liquidation"}

    def take(self, alert: Alert) -> None:
        """Take note of an alert: a liquidation is due, anything else is counted."""
        self.counts[f"alert_{alert.kind}"] += 1
        if alert.kind == "liquidation":
            self.due[alert.account] = alert.event.sequence

    async def round(self) -> None:
        """Settle what was begun, then look at everyone who is due, once, in an order of chance, within the caps."""
        self.rounds += 1
        for intent in self.journal.pending():
            await self._try(intent.account, self._settle(intent))
        if not self.due:
            return
        try:
            contract_usd = await self.venue.contract_usd()
        except Unavailable as error:
            self._missed("venue", error)
            return
        left_usd = self.settings.max_notional_usd
        for account in decide.shuffled(self.due, self.seed, self.rounds):
            left_usd -= await self._try(account, self._account(account, contract_usd, left_usd))

    async def _try(self, account: str, work: Coroutine[Any, Any, float]) -> float:
        """Return what work for an account gives, 0 where somebody does not answer: another round may find them."""
        try:
            return await work
        except Unavailable as error:
            self._missed(account, error)
            return 0.0

    async def _settle(self, intent: Intent) -> float:
        """Finish what was begun and not heard of: learn what the venue did, send the rest if that is still right."""
        state = self.view.latest(intent.account)
        stands = state is not None and state.status == "liquidation" and state.episode == intent.episode
        fills = [await self.venue.fill(order) for order in intent.orders]
        if stands and not all(fills):
            await self._send(intent)  # those that are filled are answered with their fills
        else:
            self._close(intent, [fill for fill in fills if fill is not None], ())
        self.counts["settled"] += 1
        return 0.0

    async def _account(self, account: str, contract_usd: dict[str, float], left_usd: float) -> float:
        """Act for one account if that is right; return the notional of its orders, USD."""
        verdict, episode, known = judged = self._verdict(account)
        if verdict is not Verdict.ACT:
            self.counts[verdict] += 1
            if verdict in {Verdict.GONE, Verdict.EXHAUSTED}:
                self.due.pop(account, None)
            return 0.0
        trades = await self._trades(account, contract_usd)
        allowed = decide.within(trades, self.settings.max_close_fraction, left_usd)
        if allowed is None:
            self.counts["capped"] += 1
            return 0.0
        if not allowed or self._verdict(account) != judged:
            return 0.0  # nothing is needed, or the account has moved on while others were asked
        action = known.actions + 1
        intent = Intent(account, episode, action, decide.orders_of(allowed, account, episode, action))
        notional_usd = sum(order.notional_usd for order in intent.orders)
        log.info(
            "%s: %s, action %d, %d orders, %.0f USD%s",
            account, verdict, action, len(intent.orders), notional_usd, ", dry run" if self.settings.dry_run else "",
        )  # fmt: skip
        self.journal.write(intent)
        self.counts["actions"] += 1
        if self.settings.dry_run:
            self.journal.write(Outcome(account, episode, action, ()))
            self.due.pop(account, None)  # nothing will change by what was not sent
        else:
            await self._send(intent)
        self.notional_usd += notional_usd
        return notional_usd

    def _verdict(self, account: str) -> tuple[Verdict, int, Known]:
        """Judge the latest state of an account, with its episode and what we know."""
        state = self.view.latest(account)
        episode = 0 if state is None else state.episode
        known = Known(
            self.due.get(account, 0), self.journal.last_offset(account), self.journal.actions(account, episode)
        )  # fmt: skip
        if any(intent.account == account for intent in self.journal.pending()):
            return Verdict.BEHIND, episode, known
        return decide.judge(state, known, self.settings.max_attempts), episode, known

    async def _trades(self, account: str, contract_usd: dict[str, float]) -> list[Trade]:
        plan = await self.planner.plan(account)
        if plan is None:
            self.counts["unplanned"] += 1
            return decide.largest_first(await self.venue.positions(account), contract_usd)
        self.counts[f"plan_{plan.outcome}"] += 1
        return trades_of(plan, contract_usd) if plan.outcome == "reduce" else []

    async def _send(self, intent: Intent) -> None:
        """Send the orders of an intent that is on disk; an order is filled, refused, or asked about after a restart."""
        fills: list[Fill] = []
        refused: list[str] = []
        for order in intent.orders:
            try:
                fills.append(await self.venue.send(intent.account, order))
            except Refused as error:
                log.warning("%s: %s refused: %s", intent.account, order.instrument, error)
                refused.append(order.id)
        self._close(intent, fills, tuple(refused))

    def _close(self, intent: Intent, fills: list[Fill], refused: tuple[str, ...]) -> None:
        self.journal.write(Outcome(intent.account, intent.episode, intent.action, tuple(fills), refused))
        self.counts["fills"] += len(fills)
        self.counts["orders_refused"] += len(refused)

    def _missed(self, what: str, error: Unavailable) -> None:
        self.counts["unavailable"] += 1
        log.warning("%s: %s", what, error)
