"""Marks of some contracts of one underlying as they were at a moment, volatilities worked out when somebody asks.

Most marks that are taken for a baseline are never read. Where prices were followed without pricing the volatilities of
options are those of an earlier index; what they follow from never changes again and is kept instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kernels import surface

if TYPE_CHECKING:
    from monitor.engine.figures import Floats, Ints


class Curves(Struct, frozen=True, gc=False):
    """What volatilities follow from: the surface rows `at`, with strikes and years, and the index price."""

    at: Ints
    index_price: float
    code: Ints
    parameters: Floats
    low: Floats
    high: Floats
    strike: Floats
    years: Floats


class Marks(Struct, frozen=True, gc=False):
    """By contract the fields of `monitor.engine.pricing.Mark`, float64[M, n]; volatilities are in `curves` if given."""

    fields: Floats
    curves: Curves | None

    def made(self) -> Floats:
        """Return the fields with volatilities of the moment; writing them again changes nothing."""
        c = self.curves
        if c is not None:
            basis, vol, fixed, share, _ = self.fields
            forward = (basis + 1.0) * c.index_price * share + fixed
            surface.volatilities(
                c.code[c.at], c.parameters[c.at], c.low[c.at], c.high[c.at], c.strike[c.at], forward, c.years[c.at], vol
            )
        return self.fields
