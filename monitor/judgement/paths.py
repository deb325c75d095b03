"""A run as arrays: what every account was worth and what it needed, at each sampled moment, under each configuration.

Everything that is judged is a function of these. T moments, N accounts, U coins; USD; NaN is not known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.judgement.configurations import Configuration
from schemas.ids import canonical

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

REGIMES = ("calm", "concentration", "breakdown")


@dataclass(frozen=True, slots=True, eq=False)
class MarketPath:
    """The market at each moment: indices USD float64[T, U], mean correlations of the moving coins, and the regime.

    `fast`, `slow` and `absorption` are float64[T], NaN before there is an estimate; `regime` is a number in REGIMES.
    """

    coins: tuple[str, ...]
    index_usd: Floats
    fast: Floats
    slow: Floats
    absorption: Floats
    regime: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Requirement:
    """One configuration's requirements, float64[T, N] USD."""

    configuration: Configuration
    im_usd: Floats
    mm_usd: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """All accounts of a run.

    `equity_usd` is the same under every configuration. `flow_usd` is what came in by transfers so far, so that
    equity less flow moves by profit and loss alone. `gross_usd` is the notional of all contracts. `held` marks
    moments at which data were doubtful. `kinds` are the accounts' types.
    """

    times_us: Ints
    accounts: tuple[str, ...]
    kinds: tuple[str, ...]
    equity_usd: Floats
    flow_usd: Floats
    gross_usd: Floats
    held: Bools
    market: MarketPath
    requirements: tuple[Requirement, ...]
    about: dict[str, object] = field(default_factory=dict)
    """How the run was made: command, files with digests, sampling."""

    def of(self, name: str) -> Requirement:
        """Return a configuration's requirements; raises KeyError."""
        for one in self.requirements:
            if one.configuration.name == name:
                return one
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the configurations."""
        return tuple(one.configuration.name for one in self.requirements)

    @property
    def step_us(self) -> int:
        """The least time between two samples."""
        return int(np.diff(self.times_us).min()) if len(self.times_us) > 1 else 0

    def where(self, chosen: Bools) -> Paths:
        """Return the accounts that are chosen, bool[N]."""
        keep = np.flatnonzero(chosen)
        return replace(
            self, accounts=tuple(self.accounts[n] for n in keep), kinds=tuple(self.kinds[n] for n in keep),
            equity_usd=self.equity_usd[:, keep], flow_usd=self.flow_usd[:, keep], gross_usd=self.gross_usd[:, keep],
            held=self.held[:, keep],
            requirements=tuple(
                replace(one, im_usd=one.im_usd[:, keep], mm_usd=one.mm_usd[:, keep]) for one in self.requirements
            ),
        )  # fmt: skip

    def between(self, from_us: int, until_us: int) -> Paths:
        """Return the moments from `from_us` on and before `until_us`."""
        keep = (self.times_us >= from_us) & (self.times_us < until_us)
        market = replace(
            self.market,
            **{one.name: getattr(self.market, one.name)[keep] for one in fields(self.market) if one.name != "coins"},
        )
        return replace(
            self, times_us=self.times_us[keep], equity_usd=self.equity_usd[keep], flow_usd=self.flow_usd[keep],
            gross_usd=self.gross_usd[keep], held=self.held[keep], market=market,
            requirements=tuple(replace(one, im_usd=one.im_usd[keep], mm_usd=one.mm_usd[keep])
                               for one in self.requirements),
        )  # fmt: skip

    def digest(self) -> str:
        """Return SHA-256 over names, configurations and every array: equal runs have equal digests."""
        found = hashlib.sha256()
        found.update(msgspec.json.encode([self.accounts, self.kinds, self.market.coins]))
        for array in arrays(self).values():
            found.update(np.ascontiguousarray(array).tobytes())
        for one in self.requirements:
            found.update(canonical(one.configuration))
        return found.hexdigest()


def arrays(paths: Paths) -> dict[str, NDArray[np.generic]]:
    """Return every array of a run by name, in a fixed order."""
    found: dict[str, NDArray[np.generic]] = {
        name: getattr(paths, name) for name in ("times_us", "equity_usd", "flow_usd", "gross_usd", "held")
    }
    found |= {f"market.{one.name}": getattr(paths.market, one.name) for one in fields(paths.market)
              if one.name != "coins"}  # fmt: skip
    for number, one in enumerate(paths.requirements):
        found |= {f"{number}.im_usd": one.im_usd, f"{number}.mm_usd": one.mm_usd}
    return found


def beside(parts: Iterable[Paths]) -> Paths:
    """Return runs of other accounts over the same market as one, accounts by name.

    Raises ValueError if their moments or configurations differ.
    """
    runs = list(parts)
    first = runs[0]
    for one in runs[1:]:
        if one.names != first.names or not np.array_equal(one.times_us, first.times_us):
            raise ValueError("runs of other moments or configurations cannot be put beside each other")
    names = [name for one in runs for name in one.accounts]
    order = np.argsort(np.array(names), kind="stable")

    def joined(pick: object) -> Floats:
        columns: Floats = np.concatenate([pick(one) for one in runs], axis=1)[:, order]  # type: ignore[operator]
        return columns

    kinds = [kind for one in runs for kind in one.kinds]
    return replace(
        first, accounts=tuple(names[n] for n in order), kinds=tuple(kinds[n] for n in order),
        equity_usd=joined(lambda one: one.equity_usd), flow_usd=joined(lambda one: one.flow_usd),
        gross_usd=joined(lambda one: one.gross_usd), held=joined(lambda one: one.held).astype(bool),
        requirements=tuple(
            Requirement(
                of.configuration, joined(lambda one, k=number: one.requirements[k].im_usd),
                joined(lambda one, k=number: one.requirements[k].mm_usd),
            )
            for number, of in enumerate(first.requirements)
        ),
    )  # fmt: skip
