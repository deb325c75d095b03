"""The auction of one account's liquidation: intents, answers, awards, by (account, episode, action number).

A state machine that any order of messages leads to the same award: an answer that comes again is the same answer, one
that comes late is told so, one whose content changed under its id is refused. Every share that is taken is margined
again by the exact model, on top of those taken before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

from msgspec.structs import replace

from monitor.answers.plan.candidates import after, by_name, candidates
from monitor.answers.plan.costs import costs_of
from monitor.answers.plan.result import Plan
from monitor.answers.plan.situation import Policy, Situation
from schemas.intents import Answer, Award, Intent, Refusal, Taken, intent_id

Excess = Callable[[Mapping[str, float], float], float]
Reply = Literal["taken", "again"] | Refusal

_HALVINGS = 30
MAX_UNFIT = 256  # answers that are told to be unfit: whoever may write to the topic can send any number
_EDGE = 1e-9  # of a limit: less than that beyond it is rounding


def excess_of(situation: Situation, policy: Policy, target_v: float) -> Excess:
    """Return the excess over the target, `equity - IM/target_v` in USD, after trades at a cost: by the exact model."""
    of = candidates(situation, policy)
    split = costs_of(of, situation.parameters.add_ons.liquidity, policy)

    def excess(trades: Mapping[str, float], cost_usd: float) -> float:
        trade = by_name(of, trades)
        each = split.unit_usd * abs(trade)
        each = each * (cost_usd / math.fsum(each)) if trade.any() and math.fsum(each) > 0.0 else each
        found = situation.margin(after(of, trade, each))
        return found.equity_usd - found.im_requirement_usd / target_v

    return excess


def intent_of(
    situation: Situation, policy: Policy, found: Plan, *, episode: int, action: int, at_us: int, open_us: int,
    tolerance: float = 1.5,
) -> Intent:  # fmt: skip
    """Return the intent for a plan: what the account lacks, what may be traded, `tolerance` times the plan's cost."""
    of = candidates(situation, policy)
    limits = {name: (float(of.low[i]), float(of.high[i])) for i, name in enumerate(of.names)}
    return Intent(
        id=intent_id(found.account, episode, action), account=found.account, episode=episode, action=action,
        release_usd=found.im_requirement_usd / found.target_v - found.equity_usd, limits=limits,
        worst_cost_usd=tolerance * found.cost_usd, event_time_us=at_us, expires_us=at_us + open_us,
    )  # fmt: skip


class Desk:
    """The actions of one account, one open at a time; state is what it was told, and nothing else."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.intent: Intent | None = None
        self._excess: Excess | None = None
        self._answers: dict[str, Answer] = {}
        self._changed: set[str] = set()
        self._unfit: dict[str, Refusal] = {}
        self.awards: dict[str, Award] = {}

    def open(self, intent: Intent, excess: Excess) -> bool:
        """Open an action; False where it is known already, or not newer than the newest.

        Raises ValueError on another account's intent, and on an id that is not its own.
        """
        if intent.account != self.account or intent.id != intent_id(intent.account, intent.episode, intent.action):
            raise ValueError(f"not an intent of {self.account}: {intent.id}")
        now = self.intent
        if now is not None and (intent.episode, intent.action) <= (now.episode, now.action):
            return False
        self.intent, self._excess = intent, excess
        self._answers, self._changed, self._unfit = {}, set(), {}
        return True

    def take(self, answer: Answer, at_us: int, unfit: Refusal | None = None) -> Reply:
        """Take an answer that arrives at a time, and say what becomes of it for now.

        `again` is an answer that is known; `changed` one whose id came before with another content: neither counts.
        One that is `unfit` for a reason of the sender's never counts, and says nothing of another one with its id.
        """
        intent = self.intent
        if answer.intent in self.awards:
            return "late"
        if intent is None or answer.intent != intent.id or answer.account != self.account:
            return "unknown"
        if unfit is not None:
            return "late" if at_us >= intent.expires_us else self._refuse(answer.id, unfit)
        if answer.id in self._answers:
            if self._answers[answer.id] == answer:
                return "again"
            self._changed.add(answer.id)
            return "changed"
        if at_us >= intent.expires_us:
            return "late"
        self._answers[answer.id] = answer  # one beyond the limits, too: its id has a content now
        return "taken" if _allowed(answer.basket, intent.limits, {}) else "not_allowed"

    def _refuse(self, name: str, why: Refusal) -> Refusal:
        """Note an answer that does not count; which are told of does not depend on the order in which they come."""
        self._unfit[name] = min(why, self._unfit.get(name, why))
        if len(self._unfit) > MAX_UNFIT:
            del self._unfit[max(self._unfit)]
        return why

    def award(self, at_us: int) -> Award | None:
        """Award the open action once its time is over; None before that. Asked again, the same award."""
        intent, excess = self.intent, self._excess
        if intent is None or excess is None or at_us < intent.expires_us:
            return None
        if intent.id not in self.awards:
            found = _awarded(intent, excess, self._answers, self._changed)
            unfit = {name: why for name, why in sorted(self._unfit.items()) if name not in self._answers}
            self.awards[intent.id] = replace(found, refused={**unfit, **found.refused})
        return self.awards[intent.id]


def score(intent: Intent, excess: Excess, answer: Answer) -> float:
    """Return the excess that an answer alone brings per USD of its cost, at most what is needed; infinite for free."""
    gained = min(excess(answer.basket, answer.cost_usd) - excess({}, 0.0), intent.release_usd)
    if gained <= 0.0:
        return 0.0
    return gained / answer.cost_usd if answer.cost_usd > 0.0 else math.inf


def _awarded(intent: Intent, excess: Excess, answers: Mapping[str, Answer], changed: set[str]) -> Award:
    """Take the best answers first, each on top of those before it, until nothing is missing.

    An id under which two contents came is left out, whichever came first: else the order of messages would decide.
    """
    refused: dict[str, Refusal] = dict.fromkeys(sorted(changed), "changed")
    scores = {
        name: score(intent, excess, one) if _allowed(one.basket, intent.limits, {}) else 0.0
        for name, one in answers.items() if name not in changed
    }  # fmt: skip
    trades: dict[str, float] = {}
    taken: list[Taken] = []
    spent, now = 0.0, excess({}, 0.0)
    for name in sorted(scores, key=lambda name: (-scores[name], name)):
        answer = answers[name]
        why = _refusal(intent, answer, scores[name], trades, spent, missing=now < 0.0)
        share = 0.0 if why else _share(excess, answer, trades, spent)
        then = excess(_sum(trades, answer.basket, share), spent + share * answer.cost_usd) if share else now
        if why is None and then <= now:
            why = "no_release"
        if why is not None:
            refused[name] = why
            continue
        own = {instrument: share * quantity for instrument, quantity in answer.basket.items()}
        taken.append(
            Taken(
                answer=name, solver=answer.solver, share=share, trades=own, cost_usd=share * answer.cost_usd,
                release_usd=then - now,
            )
        )  # fmt: skip
        trades, spent, now = _sum(trades, answer.basket, share), spent + share * answer.cost_usd, then
    return Award(
        intent=intent.id, account=intent.account, episode=intent.episode, action=intent.action, taken=tuple(taken),
        refused=refused, left_usd=max(0.0, -now), event_time_us=intent.expires_us,
    )  # fmt: skip


def _refusal(
    intent: Intent, answer: Answer, value: float, trades: Mapping[str, float], spent: float, *, missing: bool
) -> Refusal | None:
    """Return why nothing of an answer is taken, None where something may be."""
    if not _allowed(answer.basket, intent.limits, {}):
        return "not_allowed"
    if value <= 0.0:
        return "no_release"
    if not missing or not _allowed(answer.basket, intent.limits, trades):
        return "outbid"
    return "too_expensive" if spent + answer.cost_usd > intent.worst_cost_usd else None


def _share(excess: Excess, answer: Answer, trades: Mapping[str, float], spent: float) -> float:
    """Return the least share of an answer that leaves nothing missing, 1 where not even the whole does."""
    if not answer.divisible or excess(_sum(trades, answer.basket, 1.0), spent + answer.cost_usd) < 0.0:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if excess(_sum(trades, answer.basket, middle), spent + middle * answer.cost_usd) < 0.0:
            low = middle
        else:
            high = middle
    return high


def _sum(trades: Mapping[str, float], basket: Mapping[str, float], share: float) -> dict[str, float]:
    found = dict(trades)
    for instrument, quantity in basket.items():
        found[instrument] = found.get(instrument, 0.0) + share * quantity
    return found


def _allowed(
    basket: Mapping[str, float], limits: Mapping[str, tuple[float, float]], trades: Mapping[str, float]
) -> bool:
    for instrument, quantity in basket.items():
        if instrument not in limits:
            return False
        low, high = limits[instrument]
        room = _EDGE * max(abs(low), abs(high))
        if not low - room <= trades.get(instrument, 0.0) + quantity <= high + room:
            return False
    return True
