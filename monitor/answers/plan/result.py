"""What a plan says: records that become JSON as they are."""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["nothing", "reduce", "infeasible"]
Method = Literal["program", "pro_rata", "largest_first", "single_trade", "full_close", "none"]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of a plan. It is a proposal: nothing here sends it."""

    instrument: str
    """The contract, or the coin."""
    underlying: str
    """The coin whose price moves it."""
    quantity: float
    """Contracts, bought above zero."""
    held: float
    """Contracts held before."""
    mark_usd: float
    """Price now, USD per coin."""
    expected_price_usd: float
    """Price with half a spread and its part of the impact, USD per coin."""
    cost_usd: float
    """What it costs against the mark, fee included; below zero where it stands against the plan's own flow."""


class ShadowPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What closing one contract more releases of the initial requirement, and what that costs."""

    instrument: str
    """The contract, or the coin."""
    side: Literal["buy", "sell"]
    """What closing it is."""
    release_now_usd: float
    """Released by the first contract closed, USD; below zero where closing it raises the requirement."""
    release_usd: float
    """Released by the next contract once the plan is done, USD."""
    cost_usd: float
    """Cost of the first contract, its impact aside, USD."""


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """Another way to the same target; `cost_usd` None where it does not get there."""

    name: str
    """What it does."""
    cost_usd: float | None
    """Cost, USD."""
    trades: dict[str, float]
    """Signed contracts by instrument."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The cheapest reduction that leaves the state an account is in; USD unless said."""

    account: str
    """The account."""
    model: str
    """Its margin model."""
    parameter_hash: str
    """Parameters of the model."""
    market_time_us: int
    """Market time, microseconds since 1970 UTC."""
    outcome: Outcome
    """Whether nothing is needed, a reduction helps, or not even closing everything does: the bankrupt path."""
    method: Method
    """What found the trades."""
    target_v: float
    """IM/equity that the plan comes down to, buffer included."""
    equity_usd: float
    """Equity now."""
    im_requirement_usd: float
    """Initial requirement now."""
    mm_requirement_usd: float
    """Maintenance requirement now."""
    orders: tuple[Order, ...] = ()
    """The trades, the dearest first."""
    cost_usd: float = 0.0
    """Cost of all of them."""
    release_usd: float = 0.0
    """Initial requirement that they release."""
    equity_after_usd: float = 0.0
    """Equity after them, by the exact model."""
    im_after_usd: float = 0.0
    """Initial requirement after them, by the exact model."""
    mm_after_usd: float = 0.0
    """Maintenance requirement after them, by the exact model."""
    price_of_margin: float | None = None
    """What one USD of excess more would cost in the program, the clearing price of an auction for it."""
    program_cost_usd: float | None = None
    """The program's optimum before lots are rounded: about the least possible where the model is convex."""
    shadow_prices: tuple[ShadowPrice, ...] = ()
    """By instrument held, the largest release for its cost first."""
    baselines: tuple[Alternative, ...] = ()
    """Pro rata, and the largest position first."""
    cheapest_trade: Alternative | None = None
    """The one trade that does it alone at the least cost, hedges included: what the account holder could do instead."""
    deposit_usd: float = 0.0
    """Dollars that would do it without any trade."""
    equity_at_full_close_usd: float = 0.0
    """Equity after everything is closed at the expected prices."""
