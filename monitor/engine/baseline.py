"""What an account's initial requirement rested on at a moment, so that a later change of it can be attributed.

A baseline is taken with every event; an account without an event has one of its latest own record. It is part of the
account's stored value, because a worker that takes the account over must write the same events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from schemas.records import MarginModel, NettingParameters, Regime, RiskMatrixParameters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Contract(Struct, array_like=True):
    """One position: signed contracts, basis of the contract or of its forward, volatility (0 but for options).

    `fixed`, `share` and `funding` as in `monitor.engine.pricing.Mark`.
    """

    quantity: float
    basis: float
    vol: float
    fixed: float = 0.0
    share: float = 1.0
    funding: float = 0.0


class Coin(Struct, array_like=True):
    """One underlying: index price, coins held as collateral, coins of entry sides, fineness and range of the moves.

    No range: that of the risk matrix.
    """

    index_price: float
    collateral: float
    entry: float
    refinement: int
    price_range: float | None = None


class Parameters(Struct, array_like=True):
    """Parameter values of a set that is not built in, for the underlyings held."""

    netting: NettingParameters
    matrices: dict[str, RiskMatrixParameters]


class Baseline(Struct):
    """Inputs of one initial requirement, `im_usd`, and the `sequence` of the event it was taken with (0: none).

    `coins` and `contracts` are sorted by name. `correlations` are the matrices over `coins`, flattened in C order;
    empty in models without. `parameters` is absent for the built-in set. `regime` is the correlation regime.
    """

    sequence: int
    time_us: int
    im_usd: float
    model: MarginModel
    parameter_hash: str
    grid_us: int
    coins: dict[str, Coin]
    contracts: dict[str, Contract]
    correlations: list[float] = []
    parameters: Parameters | None = None
    regime: Regime = "calm"

    def matrices(self) -> NDArray[np.float64]:
        """Return the correlation matrices, float64[K, U, U]; a plain sum (all ones) where none are stored."""
        import numpy as np  # noqa: PLC0415 (this module is read where nothing is computed)

        size = len(self.coins)
        if not self.correlations:
            return np.ones((1, size, size))
        return np.array(self.correlations).reshape(-1, size, size)
