"""Parameters of collateral: haircuts by asset and size, loans against it, loans of it.

A haircut is charged in the requirement and never taken off equity. Where a default is from: [code] a venue's published
source, [doc] its published page, [mem] from memory and unverified, [ours] chosen here.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.base import Record
from schemas.fields import Asset, InvalidRecord, Name
from schemas.tiers import MarginalTier, MarginalTiers

Amount = Annotated[float, Meta(ge=0.0, le=1e18)]


def flat(rate: float) -> MarginalTiers:
    """Return one rate for any size."""
    return MarginalTiers(tiers=(MarginalTier(rate=rate),))


def slices(*rows: tuple[float | None, float]) -> MarginalTiers:
    """Return tiers of (end in USD or None, rate)."""
    return MarginalTiers(tiers=tuple(MarginalTier(up_to_usd=end, rate=rate) for end, rate in rows))


NOTHING = flat(0.0)


class Haircut(Record, frozen=True, kw_only=True, tag_field="kind", tag="haircut"):
    """Haircuts on the value of a balance, slice by slice: what lies beyond a size earns less and less."""

    mm: MarginalTiers = NOTHING
    """Share of each slice that maintenance does not count."""
    im_extra: MarginalTiers = NOTHING
    """What initial margin adds to that [code: Derive adds, it does not replace]."""

    def __post_init__(self) -> None:
        """Refuse haircuts that take more than everything (raises InvalidRecord)."""
        if self.mm.tiers[-1].rate + self.im_extra.tiers[-1].rate > 1.0 + 1e-12:
            raise InvalidRecord("haircuts of a slice do not exceed 1 together")


class LoanToValue(Record, frozen=True, kw_only=True, tag_field="kind", tag="loan_to_value"):
    """Collateral by what may be borrowed against it: initial LTV, maintenance 1/2 + LTV/2 [doc: Hyperliquid]."""

    loan_to_value: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.5
    """Share of its value that may be borrowed [mem]."""
    supply_cap: Amount | None = None
    """Coins that count at most; None: any number."""
    borrow_cap_usd: Amount | None = None
    """USD that it counts for at most; None: any amount."""


class AssetCollateral(Record, frozen=True, kw_only=True):
    """One asset: its balance as collateral, and a debt in it."""

    positive: Haircut | LoanToValue = Haircut()
    """How a positive balance counts."""
    borrow_mm: MarginalTiers = NOTHING
    """Maintenance rate on the value of a negative balance, slice by slice."""
    borrow_im_extra: MarginalTiers = NOTHING
    """What initial margin adds to that."""


class CollateralParameters(Record, frozen=True, kw_only=True):
    """Collateral of an account, by asset; by default nothing is cut [ours: figures of models stay as they are]."""

    default: AssetCollateral = AssetCollateral()
    """Every asset not named below."""
    assets: Annotated[dict[Asset, AssetCollateral], Meta(max_length=1_000)] = msgspec.field(default_factory=dict)
    """By asset. USD has no haircut and may be named for its debts."""


class OwnerParameters(Record, frozen=True, kw_only=True):
    """How an owner's accounts are looked at together."""

    buffer: Annotated[float, Meta(ge=0.0, le=10.0)] = 0.10
    """Share of the initial requirement that stays in an account beyond it when excess is moved [ours]."""
    default_transfer_minutes: Annotated[float, Meta(ge=0.0, le=100_000.0)] = 60.0
    """Time to move money out of a venue not named below, minutes [ours: an hour of confirmations and approvals]."""
    transfer_minutes: Annotated[dict[Name, Annotated[float, Meta(ge=0.0, le=100_000.0)]], Meta(max_length=1_000)] = (
        msgspec.field(default_factory=dict)
    )
    """By venue, minutes."""


def _standard(mm: float, im_scale: float) -> AssetCollateral:
    return AssetCollateral(positive=Haircut(mm=flat(1.0 - mm), im_extra=flat(mm * (1.0 - im_scale))))


DERIVE_STANDARD = CollateralParameters(
    assets={"BTC": _standard(0.75, 0.93), "ETH": _standard(0.8, 0.9375), "USDT": _standard(0.98, 0.98)},
    default=AssetCollateral(positive=Haircut(mm=flat(1.0))),
)
"""Flat haircuts of Derive's standard manager [code: mainnet], for a model that does not shock collateral: E. What it
does not accept counts nothing."""

_MAJOR = AssetCollateral(
    positive=Haircut(
        mm=slices((10e6, 0.01), (50e6, 0.03), (250e6, 0.08), (None, 0.25)),
        im_extra=slices((10e6, 0.01), (50e6, 0.02), (250e6, 0.04), (None, 0.10)),
    ),
    borrow_mm=slices((5e6, 0.02), (50e6, 0.05), (None, 0.15)),
    borrow_im_extra=slices((5e6, 0.01), (50e6, 0.03), (None, 0.10)),
)
_TOKEN = AssetCollateral(
    positive=Haircut(mm=slices((25e6, 0.002), (None, 0.01)), im_extra=flat(0.003)),
    borrow_mm=flat(0.01), borrow_im_extra=flat(0.01),
)  # fmt: skip

PRUDENT = CollateralParameters(
    default=AssetCollateral(
        positive=Haircut(
            mm=slices((500_000.0, 0.05), (2e6, 0.15), (10e6, 0.40), (None, 0.90)),
            im_extra=slices((500_000.0, 0.05), (None, 0.10)),
        ),
        borrow_mm=slices((500_000.0, 0.10), (None, 0.30)),
        borrow_im_extra=flat(0.10),
    ),
    assets={
        "BTC": _MAJOR, "ETH": _MAJOR, "USDC": _TOKEN, "USDT": _TOKEN,
        "USD": AssetCollateral(borrow_mm=flat(0.005), borrow_im_extra=flat(0.005)),
    },
)  # fmt: skip
"""Haircuts for models that shock collateral inside their scenarios: only what selling it costs [ours; the form, slices
of value, as OKX's discount tiers, doc]. A dollar token's peg is the models' and the add-ons' business."""
