"""Who is in liquidation, what each trades in a round under a policy, and who pays what is left."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from kernels._jit import Floats
    from monitor.cascade.accounts import Accounts, Line
    from monitor.cascade.policies import Policy
    from monitor.cascade.rounds import Setup

BUFFER = 0.01  # of the requirement: the next price must not undo what was done
SMALL_USD = 100.0  # of gross delta: closed at once, so that no remainder is halved for ever
HEDGES = (0.25, 0.5, 0.75, 1.0)  # shares of an underlying's delta that are tried


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums so far, USD: gross delta traded and taken by bidders, costs, fees, what insurance paid, and bad debt."""

    traded_usd: float = 0.0
    taken_usd: float = 0.0
    cost_usd: float = 0.0
    fees_usd: float = 0.0
    insurance_usd: float = 0.0
    bad_debt_usd: float = 0.0

    def less(self, other: Totals) -> Totals:
        """Return the difference, field by field."""
        return Totals(
            self.traded_usd - other.traded_usd, self.taken_usd - other.taken_usd, self.cost_usd - other.cost_usd,
            self.fees_usd - other.fees_usd, self.insurance_usd - other.insurance_usd,
            self.bad_debt_usd - other.bad_debt_usd,
        )  # fmt: skip


class Desk:
    """Carries liquidations out."""

    def __init__(self, accounts: Accounts, policy: Policy, setup: Setup) -> None:
        self._accounts = accounts
        self._policy = policy
        self._setup = setup
        self._place = {u: k for k, u in enumerate(accounts.underlyings)}
        self._in: dict[str, float] = {}  # name -> MM/equity, infinite without equity
        self._figures: dict[str, tuple[float, float]] = {}
        self._hedged: set[str] = set()
        self._first_gross: dict[str, float] = {}
        self._fund_usd = setup.insurance_usd
        self._capacity_usd = policy.capacity_usd
        self._closed: set[str] = set()
        self._room_usd = np.array([
            policy.volume_per_round * accounts.liquidity(u).daily_volume_usd * setup.depth for u in accounts.underlyings
        ])  # fmt: skip
        self._touched: set[str] = set()  # in this round: who may hold nothing any more
        self.bankrupt: set[str] = set()
        self.totals = Totals()

    @property
    def open(self) -> int:
        """How many accounts are in liquidation."""
        return len(self._in)

    def judge(self, figures: Floats) -> list[str]:
        """Take all accounts' figures; return the names that come into liquidation, in order of their names."""
        new = []
        for name, (equity, im, mm) in zip(self._accounts.names, figures.tolist(), strict=True):
            if name in self._closed or not math.isfinite(equity + im + mm):
                continue
            status = self._accounts.status(name)
            enters = mm >= status.liquidation_enter_u * equity
            if name not in self._in and not enters:
                continue
            if name in self._in and equity > 0.0 and im <= status.liquidation_leave_v * equity:
                del self._in[name]
                continue
            if name not in self._in:
                new.append(name)
            if equity <= 0.0:
                self.bankrupt.add(name)
            self._in[name] = mm / equity if equity > 0.0 else math.inf
            self._figures[name] = equity, im
        return new

    def carry_out(self) -> dict[str, Floats]:
        """Let the accounts in liquidation trade, the worst first; return what each sends to the market, USD."""
        flows: dict[str, Floats] = {}
        sent = np.zeros(len(self._place))
        self._touched = set()
        for name in sorted(self._in, key=lambda one: (-self._in[one], one)):
            if self._policy.kind == "cap" and not self._has_room(name, sent):
                continue
            self._touched.add(name)
            lines = self._accounts.lines(name)
            if not lines:
                continue
            if self._policy.kind == "hedge_first" and name not in self._hedged:
                flow = self._hedge(name, lines)
                self._hedged.add(name)
            else:
                flow = self._close(name, lines, sent)
            if flow is not None:
                flows[name] = flow
                sent += np.abs(flow)
        return flows

    def wanted(self) -> Floats:
        """Return what the accounts in liquidation would send if each closed what it has to, USD, float64[U]."""
        flow = np.zeros(len(self._place))
        for name in self._in:
            lines = self._accounts.lines(name)
            share = self._share(name, self._cost(lines))
            for line in lines:
                flow[self._place[line.underlying]] -= share * line.delta_usd
        return flow

    def waiting(self) -> tuple[Floats, int]:
        """Return what they have still to close, long and short alike, and in how many rounds of a cap that can be."""
        left = np.zeros(len(self._place))
        for name in self._in:
            lines = self._accounts.lines(name)
            share = self._share(name, self._cost(lines))
            for line in lines:
                left[self._place[line.underlying]] += share * abs(line.delta_usd)
        rounds = math.ceil(float(np.max(left / self._room_usd, initial=0.0))) if self._policy.kind == "cap" else 0
        return left, rounds

    def slip(self, flows: dict[str, Floats], log_price: Floats) -> float:
        """Charge every account what its own round's move of prices cost it; return the sum, USD."""
        charged = 0.0
        for name, flow in flows.items():
            cost = float(flow @ log_price)
            self._accounts.pay(name, -cost)
            charged += cost
        return charged

    def close_out(self) -> None:
        """Let go of accounts that hold nothing any more; what they owe is paid for them."""
        for name in [one for one in self._in if one in self._touched and not self._accounts.lines(one)]:
            del self._in[name]
            self._closed.add(name)
            owed = -self._accounts.figures_of(name)[0]
            if owed > 0.0:
                self.bankrupt.add(name)
                paid = min(owed, self._fund_usd)
                self._fund_usd -= paid
                self._accounts.pay(name, owed)
                self.totals = replace(
                    self.totals, insurance_usd=self.totals.insurance_usd + paid,
                    bad_debt_usd=self.totals.bad_debt_usd + owed - paid,
                )  # fmt: skip

    # --- inside ---------------------------------------------------------------------------------

    def _close(self, name: str, lines: list[Line], sent: Floats) -> Floats | None:
        """Close a share of all positions; return the flow to the market, None without any."""
        policy, gross = self._policy, math.fsum(abs(line.delta_usd) for line in lines)
        auctioned = policy.kind == "auction" and gross > 0.0 and self._capacity_usd > 0.0
        whole = policy.edge * gross if auctioned else self._cost(lines)
        share = self._share(name, whole)
        if gross < SMALL_USD:
            share = 1.0
        elif policy.kind == "stagger":
            share = min(share, policy.share_per_round * self._first_gross.setdefault(name, gross) / gross)
        elif policy.kind == "cap":
            return self._close_capped(name, lines, share, sent)
        elif auctioned:
            share = min(share, self._capacity_usd / gross)
        if share <= 0.0:
            return None
        flow = self._trade(name, [(line, -share * line.quantity) for line in lines], share * whole, fee=not auctioned)
        if not auctioned:
            return flow
        self._capacity_usd -= share * gross
        self.totals = replace(self.totals, taken_usd=self.totals.taken_usd + share * gross)
        return None

    def _close_capped(self, name: str, lines: list[Line], share: float, sent: Floats) -> Floats | None:
        """Close a share of all positions, of each underlying no more than there is room for in this round."""
        gross = np.zeros(len(sent))
        for line in lines:
            gross[self._place[line.underlying]] += abs(line.delta_usd)
        room = np.maximum(self._room_usd - sent, 0.0)
        fits = np.divide(room, gross, out=np.ones(len(gross)), where=gross > room)
        shares = np.minimum(share, fits)
        trades = [(line, of) for line in lines if (of := float(shares[self._place[line.underlying]])) > 0.0]
        if not trades:
            return None
        cost = math.fsum(of * self._cost([line]) for line, of in trades)
        return self._trade(name, [(line, -of * line.quantity) for line, of in trades], cost, fee=True)

    def _has_room(self, name: str, sent: Floats) -> bool:
        """Whether anything that an account holds can be sold in this round, or it holds nothing."""
        held = self._accounts.underlyings_of(name)
        return not held or any(sent[k] < self._room_usd[k] for k in map(self._place.__getitem__, held))

    def _share(self, name: str, whole_cost_usd: float) -> float:
        """Return the least share of all positions that ends the liquidation if requirements scale with positions."""
        equity, im = self._figures[name]
        leave = self._accounts.status(name).liquidation_leave_v * (1.0 - BUFFER)
        need, gain = im - leave * equity, im - leave * whole_cost_usd
        if equity <= 0.0 or gain <= need or gain <= 0.0:
            return 1.0
        return max(need, 0.0) / gain

    def _hedge(self, name: str, lines: list[Line]) -> Floats | None:
        """Trade perpetuals against the delta of each underlying, by the share that leaves the least IM over equity."""
        hedges: list[tuple[Line, float]] = []
        for u in sorted({line.underlying for line in lines}):
            perpetual, delta = self._accounts.perpetual(u), math.fsum(x.delta_usd for x in lines if x.underlying == u)
            if perpetual is not None and delta != 0.0:
                hedges.append((perpetual, -delta / perpetual.delta_usd))
        if not hedges:
            return None
        best, best_v, leave = 0.0, self._v(name), self._accounts.status(name).liquidation_leave_v * (1.0 - BUFFER)
        for share in HEDGES:
            v = self._accounts.tried(name, [(line, share * quantity) for line, quantity in hedges])
            if v < best_v:
                best, best_v = share, v
            if v <= leave:
                break
        if best == 0.0:
            return None
        trades = [(line, best * quantity) for line, quantity in hedges]
        cost = math.fsum(
            (self._accounts.liquidity(line.underlying).half_spread + self._setup.fee_rate) * abs(q * line.delta_usd)
            for line, q in trades
        )
        return self._trade(name, trades, cost, fee=True)

    def _v(self, name: str) -> float:
        equity, im = self._figures[name]
        return im / equity if equity > 0.0 else math.inf

    def _cost(self, lines: list[Line]) -> float:
        """Return what closing all of it costs without impact: half spreads of delta and vega, and the fee, USD."""
        cost = 0.0
        for line in lines:
            depth = self._accounts.liquidity(line.underlying)
            cost += (depth.half_spread + self._setup.fee_rate) * abs(line.delta_usd)
            cost += depth.vega_half_spread_points * abs(line.vega_usd)
        return cost

    def _trade(self, name: str, trades: list[tuple[Line, float]], cost_usd: float, *, fee: bool) -> Floats:
        flow, gross = np.zeros(len(self._place)), 0.0
        for line, quantity in trades:
            delta = float(quantity * line.delta_usd / (line.quantity or 1.0))
            flow[self._place[line.underlying]] += delta
            gross += abs(delta)
        self._accounts.trade(name, trades, cost_usd)
        paid = self._setup.fee_rate * gross if fee else 0.0
        self._fund_usd += paid
        self.totals = replace(
            self.totals, traded_usd=self.totals.traded_usd + gross, cost_usd=self.totals.cost_usd + cost_usd,
            fees_usd=self.totals.fees_usd + paid,
        )  # fmt: skip
        return flow
