"""Records the monitor reads: account inputs and market data.

Ranges that hold for one field are in its type. Rules over several fields, and names on the records that come in
hundreds of thousands a second, are checked in `__post_init__`, so they hold for records built in Python too.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from schemas.base import Record
from schemas.fields import (
    SEEN_ASSETS,
    SEEN_NAMES,
    Asset,
    FundingRate,
    HotAsset,
    HotName,
    Identifier,
    InvalidRecord,
    Money,
    Name,
    NonZeroMoney,
    NonZeroQuantity,
    Price,
    Ratio,
    TimeUs,
    Version,
    Volatility,
    admit_asset,
    admit_name,
)

MarginModel = Literal[
    "A", "A-okx", "A-paradex", "B", "C", "D", "D-history", "E", "E-cross", "E-tiered", "E-derive", "P"
]  # fmt: skip

# --- accounts -----------------------------------------------------------------------------------


class Trade(Record, frozen=True, kw_only=True, gc=False):
    """A fill."""

    trade_id: Identifier
    """The venue's id of the fill; a repeated id is applied once."""
    account: HotName
    """The account that traded; the message key."""
    instrument: HotName
    """What was traded, as listed on `market.instruments.v1`."""
    quantity: NonZeroQuantity
    """Signed contracts: positive bought, negative sold."""
    price: Price
    """USD per coin; coins per coin of underlying for options of an inverse contract."""
    event_time_us: TimeUs
    """Venue's time of the fill, microseconds since 1970 UTC."""
    fee: Money = 0.0
    """Cost in the settlement asset; negative is a rebate."""
    v: Version = 1
    """Layout of the record."""

    def __post_init__(self) -> None:
        """Refuse a fill of nothing and an illegal name (raises InvalidRecord)."""
        if self.quantity == 0.0:
            raise InvalidRecord("quantity is zero", "out_of_range")
        if self.account not in SEEN_NAMES:
            admit_name(self.account)
        if self.instrument not in SEEN_NAMES:
            admit_name(self.instrument)


class Transfer(Record, frozen=True, kw_only=True, gc=False):
    """A deposit or withdrawal of one asset."""

    transfer_id: Identifier
    """The venue's id of the transfer; a repeated id is applied once."""
    account: Name
    """The account; the message key."""
    asset: Asset
    """The asset that moved."""
    amount: NonZeroMoney
    """Units of the asset: positive deposited, negative withdrawn."""
    event_time_us: TimeUs
    """Venue's time of the transfer, microseconds since 1970 UTC."""
    v: Version = 1
    """Layout of the record."""

    def __post_init__(self) -> None:
        """Refuse a transfer of nothing (raises InvalidRecord)."""
        if self.amount == 0.0:
            raise InvalidRecord("amount is zero", "out_of_range")


class AccountConfig(Record, frozen=True, kw_only=True):
    """How an account is margined, and to whom it belongs."""

    account: Name
    """The account; the message key."""
    event_time_us: TimeUs
    """When the configuration takes effect, microseconds since 1970 UTC."""
    margin_model: MarginModel = "P"
    """Margin model, by its name in `liqmon models`: P nets risk matrices by correlation, A adds them up."""
    parameter_set: Name = "default"
    """Name of the parameter set on `risk.parameters.v1`."""
    group: Name | None = None
    """Owner of several sub-accounts; absent for an account of its own."""
    venue: Name | None = None
    """Where the account is held; absent if that does not matter."""
    closed: bool = False
    """Whether the account is closed: it is no longer evaluated."""
    v: Version = 1
    """Layout of the record."""


# --- market data --------------------------------------------------------------------------------


class Instrument(Record, frozen=True, kw_only=True):
    """A listed contract.

    Futures and options carry `expiry_us`, options also `strike` and `option_type`; no other type carries any of them.
    An inverse contract is a derivative settled in its underlying.
    """

    instrument: Name
    """The contract; the message key."""
    type: Literal["spot", "perpetual", "future", "option"]
    """Kind of contract."""
    underlying: Asset
    """The coin whose price moves the contract."""
    settlement: Asset
    """The asset in which profit, loss and fees are paid."""
    event_time_us: TimeUs
    """When the listing takes effect, microseconds since 1970 UTC."""
    contract: Literal["linear", "inverse"] = "linear"
    """Whether the contract's value moves with the price or with its inverse."""
    contract_size: Price = 1.0
    """Coins per contract; USD of face value per contract for inverse perpetuals and futures."""
    expiry_us: TimeUs | None = None
    """Expiry, microseconds since 1970 UTC."""
    strike: Price | None = None
    """Strike, USD per coin."""
    option_type: Literal["call", "put"] | None = None
    """Right to buy or to sell."""
    delisted: bool = False
    """Whether the contract no longer trades."""
    v: Version = 1
    """Layout of the record."""

    def __post_init__(self) -> None:
        """Refuse combinations that no pricing rule covers (raises InvalidRecord)."""
        dated = self.type in {"future", "option"}
        if dated != (self.expiry_us is not None):
            raise InvalidRecord("futures and options need expiry_us, other types have none")
        option = self.type == "option"
        if option != (self.strike is not None) or option != (self.option_type is not None):
            raise InvalidRecord("options need strike and option_type, other types have neither")
        if self.contract == "inverse" and (self.type == "spot" or self.settlement != self.underlying):
            raise InvalidRecord("an inverse contract is a derivative settled in its underlying")


class PriceTick(Record, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="price"):
    """One price of one source.

    A quote carries `bid` and `ask` (its price is their middle), every other kind carries `price`. Only an index tick
    may be without an instrument.
    """

    underlying: HotAsset
    """The coin."""
    source: HotName
    """The feed: a venue, or a venue and its symbol."""
    price_kind: Literal["trade", "mark", "index", "quote"]
    """What the price is."""
    event_time_us: TimeUs
    """Venue's time of the price, microseconds since 1970 UTC."""
    price: Price | None = None
    """USD per coin; coins per coin of underlying for options of an inverse contract."""
    bid: Price | None = None
    """Best bid of a quote, in the unit of `price`."""
    ask: Price | None = None
    """Best ask of a quote, in the unit of `price`; not below the bid."""
    instrument: HotName | None = None
    """What was priced; absent for a pure index feed."""
    index_source: bool = False
    """Whether the tick also feeds the composite index of its underlying."""
    max_age_ms: Annotated[int, Meta(ge=100, le=86_400_000)] | None = None
    """How long this source stays fresh, milliseconds (a one-minute bar feed: three bars)."""
    received_time_us: TimeUs | None = None
    """When the recorder received it, microseconds since 1970 UTC; never decides anything."""
    v: Version = 1
    """Layout of the record."""

    def __post_init__(self) -> None:
        """Refuse a tick without a usable price and an illegal name (raises InvalidRecord)."""
        if self.underlying not in SEEN_ASSETS:
            admit_asset(self.underlying)
        if self.source not in SEEN_NAMES:
            admit_name(self.source)
        if self.instrument is not None and self.instrument not in SEEN_NAMES:
            admit_name(self.instrument)
        if self.price_kind == "quote":
            if self.bid is None or self.ask is None or self.price is not None:
                raise InvalidRecord("a quote carries bid and ask and no price")
            if self.bid > self.ask:
                raise InvalidRecord("crossed quote: bid above ask", "crossed_quote")
        elif self.price is None or self.bid is not None or self.ask is not None:
            raise InvalidRecord("a tick carries price, and bid and ask only if it is a quote")
        if self.instrument is None and self.price_kind != "index":
            raise InvalidRecord("only an index tick has no instrument")

    @property
    def value_usd(self) -> float:
        """The price, or the middle of a quote."""
        if self.price is not None:
            return self.price
        assert self.bid is not None
        assert self.ask is not None
        return 0.5 * (self.bid + self.ask)


class Heartbeat(Record, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="heartbeat"):
    """Time goes on: published every second so that timers and staleness live through silence."""

    source: Name
    """Who publishes it; the message key."""
    event_time_us: TimeUs
    """The time it is, microseconds since 1970 UTC."""
    v: Version = 1
    """Layout of the record."""


class Funding(Record, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="funding"):
    """Funding rate of a perpetual, in force until the next one; longs pay shorts where it is positive.

    It is earned continuously, `rate` of the notional at the mark in every `interval_ms`. A rate of zero says that
    nothing is paid; a rate older than twice its interval is not believed any more, and nothing is earned then either.
    """

    instrument: Name
    """The perpetual; the message key."""
    underlying: Asset
    """The coin."""
    source: Name
    """The feed."""
    rate: FundingRate
    """Part of the notional paid in one interval, decimal: 0.0001 is one basis point."""
    event_time_us: TimeUs
    """Venue's time from which the rate is in force, microseconds since 1970 UTC."""
    interval_ms: Annotated[int, Meta(ge=60_000, le=86_400_000)] = 28_800_000
    """The interval that the rate is for, milliseconds."""
    received_time_us: TimeUs | None = None
    """When the recorder received it, microseconds since 1970 UTC; never decides anything."""
    v: Version = 1
    """Layout of the record."""


Tick = PriceTick | Heartbeat | Funding


class InstrumentVolatility(Record, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="instrument"):
    """Mark volatility of one option."""

    underlying: HotAsset
    """The coin; the message key."""
    source: HotName
    """The feed."""
    instrument: HotName
    """The option."""
    vol_annual: Volatility
    """Annualised volatility as a decimal: 0.45 is 45 %, a year has 365 days."""
    event_time_us: TimeUs
    """Venue's time, microseconds since 1970 UTC."""
    expiry_us: TimeUs | None = None
    """Expiry of the option, microseconds since 1970 UTC."""
    forward_basis: Ratio | None = None
    """F/S - 1 of the expiry."""
    received_time_us: TimeUs | None = None
    """When the recorder received it, microseconds since 1970 UTC; never decides anything."""
    v: Version = 1
    """Layout of the record."""

    def __post_init__(self) -> None:
        """Refuse an illegal name (raises InvalidRecord)."""
        if self.underlying not in SEEN_ASSETS:
            admit_asset(self.underlying)
        if self.source not in SEEN_NAMES:
            admit_name(self.source)
        if self.instrument not in SEEN_NAMES:
            admit_name(self.instrument)


class ExpiryVolatility(Record, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="expiry"):
    """Smile of one expiry: vol(x) = atm + slope x + curvature x^2, x = ln(K/F)/sqrt(T), T in years.

    `x` is held at `x_min` and `x_max`: the volatility is flat outside the quoted strikes.
    """

    underlying: Asset
    """The coin; the message key."""
    source: Name
    """The feed."""
    expiry_us: TimeUs
    """The expiry, microseconds since 1970 UTC."""
    atm_vol_annual: Volatility
    """Annualised volatility at the forward, decimal."""
    event_time_us: TimeUs
    """Venue's time, microseconds since 1970 UTC."""
    slope: Annotated[float, Meta(ge=-10.0, le=10.0)] = 0.0
    """Change of volatility per unit of x."""
    curvature: Annotated[float, Meta(ge=-10.0, le=10.0)] = 0.0
    """Change of volatility per unit of x squared."""
    x_min: Annotated[float, Meta(ge=-20.0, le=0.0)] = -1.0
    """Lowest quoted x."""
    x_max: Annotated[float, Meta(ge=0.0, le=20.0)] = 1.0
    """Highest quoted x."""
    forward_basis: Ratio | None = None
    """F/S - 1 of the expiry."""
    received_time_us: TimeUs | None = None
    """When the recorder received it, microseconds since 1970 UTC; never decides anything."""
    v: Version = 1
    """Layout of the record."""


class SviVolatility(Record, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="svi"):
    """Raw SVI of one expiry in total variance: w(k) = a + b (rho (k-m) + sqrt((k-m)^2 + sigma^2)), k = ln(K/F).

    The smallest total variance of the slice, a + b sigma sqrt(1 - rho^2), may not be negative.
    """

    underlying: Asset
    """The coin; the message key."""
    source: Name
    """The feed."""
    expiry_us: TimeUs
    """The expiry, microseconds since 1970 UTC."""
    a: Annotated[float, Meta(ge=-10.0, le=100.0)]
    """Level, total variance."""
    b: Annotated[float, Meta(ge=0.0, le=100.0)]
    """Slope of the wings, total variance per unit of k."""
    rho: Annotated[float, Meta(gt=-1.0, lt=1.0)]
    """Rotation."""
    m: Annotated[float, Meta(ge=-10.0, le=10.0)]
    """Shift along k."""
    sigma: Annotated[float, Meta(gt=0.0, le=10.0)]
    """Roundness of the vertex, in units of k."""
    event_time_us: TimeUs
    """Venue's time, microseconds since 1970 UTC."""
    k_min: Annotated[float, Meta(ge=-20.0, le=0.0)] = -2.0
    """Lowest quoted k; total variance is flat below."""
    k_max: Annotated[float, Meta(ge=0.0, le=20.0)] = 2.0
    """Highest quoted k; total variance is flat above."""
    forward_basis: Ratio | None = None
    """F/S - 1 of the expiry."""
    received_time_us: TimeUs | None = None
    """When the recorder received it, microseconds since 1970 UTC; never decides anything."""
    v: Version = 1
    """Layout of the record."""

    def __post_init__(self) -> None:
        """Refuse a slice whose smallest total variance is negative (raises InvalidRecord)."""
        if self.a + self.b * self.sigma * (1.0 - self.rho * self.rho) ** 0.5 < 0.0:
            raise InvalidRecord("svi slice has negative total variance")


VolatilityUpdate = InstrumentVolatility | ExpiryVolatility | SviVolatility
