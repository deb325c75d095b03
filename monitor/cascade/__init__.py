"""Who falls next: a shock, the liquidations that it makes, what their flow does to prices, and again.

`cascade` plays one policy, `loop_gain` says where the loop feeds itself. Both work on copies of an engine's accounts
and on a market that stands still (`monitor.answers`); the state they were given stays as it is.
"""

from monitor.cascade.accounts import Accounts
from monitor.cascade.gain import LoopGain, loop_gain
from monitor.cascade.policies import POLICIES, Policy
from monitor.cascade.result import Cascade, Push, Round
from monitor.cascade.rounds import Setup, cascade

__all__ = ["POLICIES", "Accounts", "Cascade", "LoopGain", "Policy", "Push", "Round", "Setup", "cascade", "loop_gain"]
