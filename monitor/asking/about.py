"""What advice is about."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class About(Struct, frozen=True, kw_only=True):
    """The event that advice is about; other fields of its body are passed over."""

    id: str
    kind: Literal["margin_call", "liquidation"]
    account: str
    episode: int
    sequence: int
