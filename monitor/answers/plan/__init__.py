"""What to do about an account that is short: the least-cost reduction, with its price, beside what venues would do."""

from __future__ import annotations

from monitor.answers.plan.planner import plan
from monitor.answers.plan.result import Alternative, Order, Plan, ShadowPrice
from monitor.answers.plan.situation import CannotPlan, Policy, Situation

__all__ = ["Alternative", "CannotPlan", "Order", "Plan", "Policy", "ShadowPrice", "Situation", "plan"]
