"""Correlation of composite indices, once a minute: exponential averages over pairs, shrunk, repaired, published.

For a pair, with sums over the minutes at which both have a standardised return z (`correlation_returns`), decaying in
market time with a half-life of 2 h (fast) and of 24 h (slow):

    R_ij = sum w z_i z_j / sqrt(sum w z_i^2  sum w z_j^2)

All three sums are over the same minutes, so R lies in [-1, 1] however often one of them was held, and where nobody was
it is a Gram matrix of unit rows. A common factor of the sums cancels: that is the correction for a young average, and
why silence alone changes nothing. The fast matrix is shrunk toward the slow one, pair by pair, with weight
30/(n + 30), n = (sum w)^2 / sum w^2 / 10 returns without overlap ((1 + lambda)/(1 - lambda)/10 = 34.6 in the long run).
Matrices whose smallest eigenvalue is not above 1e-4 are repaired.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.correlation import is_above, repair
from monitor.engine.clock import DAY_US
from monitor.engine.correlation import (
    MICRO,
    MIN_EIGENVALUE,
    CorrelationView,
    Estimate,
    Floats,
    Micros,
    measured,
    millionths,
    published,
    view_of,
)
from monitor.engine.correlation_latch import Latch
from monitor.engine.correlation_returns import RETURN_MINUTES, Returns
from monitor.engine.minutes import MINUTE_US, Minute
from monitor.engine.regime import RegimeDetector, RegimeTransition, RegimeView

HALF_LIVES_MIN = (120, 1_440)  # fast, slow
DECAYS = tuple(2.0 ** (-1.0 / half_life) for half_life in HALF_LIVES_MIN)
SHRINKAGE = 30.0  # returns without overlap that the slow matrix weighs as much as
PUBLISHED_CHANGE = 5_000  # millionths: 0.005: with k = 0.10, 0.7 % of the gross amount at most
MAX_COINS = 64  # by first appearance; sums of 64 coins are 260 kB and take 0.5 ms a minute
MIN_RETURNS, KEPT_RETURNS = 60.0, 30.0  # six without overlap to enter: at 0.7 a standard error of about 0.2
MIN_WEIGHT = 1.0  # of the slow sums: an estimate that nobody renewed for six to eleven days is history
IDLE_US = 7 * DAY_US  # a coin without an index tick for a week frees its place

PRODUCT, SQUARE, WEIGHT, SQUARED_WEIGHT = range(4)


class CorrelationEstimator:
    """Takes whole minutes, gives the published view and the regime."""

    __slots__ = ("_detector", "_latch", "_latched", "_returns", "_sums", "_time_us", "_transitions", "view")

    def __init__(self) -> None:
        self._returns: dict[str, Returns] = {}
        self._sums = np.zeros((2, 4, 0, 0))  # [speed, PRODUCT ..., i, j]; SQUARE has z_i^2 where j was there too
        self._time_us = 0  # up to which the sums have decayed
        self._latch = Latch()
        self._latched: list[Estimate] = []  # in force
        self._detector = RegimeDetector()
        self._transitions: list[RegimeTransition] = []
        none = np.zeros((0, 0), dtype=np.int64)
        self.view = view_of(0, 0, (), (), none, none)

    @property
    def regime(self) -> RegimeView:
        """The correlation regime in force."""
        return self._detector.regime

    def take_transitions(self) -> tuple[RegimeTransition, ...]:
        """Return the changes of regime since the last call."""
        if not self._transitions:
            return ()
        taken, self._transitions = tuple(self._transitions), []
        return taken

    def on_minute(self, minute: Minute) -> None:
        """Take the sample of every underlying; publish if the matrices have moved."""
        moved = self._forget(minute.time_us)
        self._admit(minute)
        z, here = np.zeros(len(self._returns)), np.zeros(len(self._returns))
        for k, (name, returns) in enumerate(self._returns.items()):
            if minute.skipped:
                returns.skip()
            quiet = returns.quiet
            value = returns.take(minute.time_us, minute.samples[name])
            if value is not None:
                z[k], here[k] = value, 1.0
            moved = moved or value is not None or returns.quiet != quiet
        if here.any():
            self._add(minute.time_us, z, here)
        self._put_in_force(minute.time_us, self._moved_view() if moved else None)
        if not here.any():
            self._detector.note_stale(minute, self._returns)
            return
        transition = self._detector.take(minute, self.view, self._returns)
        if transition is not None:
            self._transitions.append(transition)

    def _put_in_force(self, time_us: int, moved: CorrelationView | None) -> None:
        """Latch the matrices of a minute; publish those that moved, or the others as soon as another one is latched."""
        view = self.view if moved is None else moved
        self._latch.take(time_us, view)
        latched = self._latch.latched
        if moved is None and [one for _, one in latched] == self._latched:
            return
        self._latched = [one for _, one in latched]
        view = published(view, self.view.version + 1, time_us, latched)
        if moved is not None or view.digest != self.view.digest:
            self.view = view

    def _forget(self, time_us: int) -> bool:
        """Drop coins without ticks for long; return whether there were any."""
        idle = [k for k, returns in enumerate(self._returns.values()) if returns.tick_us + IDLE_US < time_us]
        if not idle:
            return False
        names = list(self._returns)
        for k in idle:
            del self._returns[names[k]]
        self._sums = np.delete(np.delete(self._sums, idle, axis=2), idle, axis=3)
        return True

    def _admit(self, minute: Minute) -> None:
        """Give a place to coins that appear, as long as there are places."""
        if len(minute.samples) <= len(self._returns):
            return
        before = len(self._returns)
        for name, sample in minute.samples.items():
            if len(self._returns) == MAX_COINS:
                break
            if name not in self._returns and sample.tick_us + IDLE_US >= minute.time_us:
                self._returns[name] = Returns()
        added = len(self._returns) - before
        if added:
            self._sums = np.pad(self._sums, ((0, 0), (0, 0), (0, added), (0, added)))

    def _add(self, time_us: int, z: Floats, here: Floats) -> None:
        """Let the sums decay to this minute and add what it brings."""
        minutes = (time_us - self._time_us) // MINUTE_US
        # Powers by the C library, products element by element: numpy's own powers and a BLAS differ between processors.
        decays = np.array([decay**minutes for decay in DECAYS]).reshape(2, 1, 1)
        both = here[:, None] * here[None, :]
        sums = self._sums
        sums[:, PRODUCT] = decays * sums[:, PRODUCT] + z[:, None] * z[None, :]
        sums[:, SQUARE] = decays * sums[:, SQUARE] + (z * z)[:, None] * here[None, :]
        sums[:, WEIGHT] = decays * sums[:, WEIGHT] + both
        sums[:, SQUARED_WEIGHT] = decays * decays * sums[:, SQUARED_WEIGHT] + both
        self._time_us = time_us

    def _moved_view(self) -> CorrelationView | None:
        """Return the estimates of this minute if the set of coins or any correlation is another than in force."""
        returns = list(self._returns.values())
        estimated = self._estimated()
        for k in estimated:
            returns[k].quiet = False
        listed = sorted({*estimated, *(k for k, one in enumerate(returns) if one.quiet)})
        names = list(self._returns)
        underlyings = tuple(names[k] for k in listed)
        quiet = tuple(names[k] for k in listed if returns[k].quiet)
        place = [listed.index(k) for k in estimated]
        matrices = []
        for matrix in self._estimates(estimated):
            micros = np.diag(np.full(len(listed), round(MICRO), dtype=np.int64))
            micros[np.ix_(place, place)] = _published(matrix)
            matrices.append(micros)
        fast, slow = matrices
        view = self.view
        if (
            underlyings == view.underlyings
            and quiet == view.quiet
            and _change(fast, view.fast) <= PUBLISHED_CHANGE
            and _change(slow, view.slow) <= PUBLISHED_CHANGE
        ):
            return None
        return measured(underlyings, quiet, fast, slow)

    def _estimated(self) -> list[int]:
        """Return the coins with an estimate, ascending: each has enough returns with each other one.

        Those that have one come first, so a coin that seldom trades cannot take it from them.
        """
        weight, squared = self._sums[1, WEIGHT], self._sums[1, SQUARED_WEIGHT]
        count = _ratio(weight * weight, squared)
        known = {*self.view.underlyings} - {*self.view.quiet}
        has = np.array([name in known for name in self._returns], dtype=np.bool_)
        need = np.where(has[:, None] & has[None, :], KEPT_RETURNS, MIN_RETURNS)
        enough = (count >= need) & (weight >= MIN_WEIGHT)
        chosen: list[int] = []
        for k in (*np.flatnonzero(has), *np.flatnonzero(~has)):
            if enough[k, k] and enough[k, chosen].all():
                chosen.append(int(k))
        return sorted(chosen)

    def _estimates(self, estimated: list[int]) -> tuple[Floats, Floats]:
        """Return the fast matrix of these coins, shrunk, and the slow one, neither repaired."""
        sums = self._sums[:, :, estimated][:, :, :, estimated]
        root = np.sqrt(sums[:, SQUARE])
        raw = _ratio(sums[:, PRODUCT], root * root.transpose(0, 2, 1))
        fast, slow = np.clip(raw, -1.0, 1.0)
        weight = sums[0, WEIGHT]
        count = _ratio(weight * weight, sums[0, SQUARED_WEIGHT]) / RETURN_MINUTES
        shrunk = fast + SHRINKAGE / (count + SHRINKAGE) * (slow - fast)
        return shrunk, slow

    def snapshot(self) -> dict[str, Any]:
        """Return the estimator as plain JSON values."""
        view = self.view
        return {
            "returns": [[name, *returns.snapshot()] for name, returns in self._returns.items()],
            "sums": self._sums.tolist(),
            "time_us": self._time_us,
            "version": view.version,
            "published_us": view.time_us,
            "underlyings": list(view.underlyings),
            "quiet": list(view.quiet),
            "fast": millionths(view.fast).tolist(),
            "slow": millionths(view.slow).tolist(),
            "latch": self._latch.snapshot(),
            "detector": self._detector.snapshot(),
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> CorrelationEstimator:
        """Rebuild an estimator from its snapshot."""
        estimator = cls()
        estimator._returns = {name: Returns.restore(values) for name, *values in state["returns"]}
        n, listed = len(estimator._returns), len(state["underlyings"])
        estimator._sums = np.array(state["sums"], dtype=np.float64).reshape(2, 4, n, n)
        estimator._time_us = state["time_us"]
        fast, slow = (np.array(state[name], dtype=np.int64).reshape(listed, listed) for name in ("fast", "slow"))
        names, quiet = tuple(state["underlyings"]), tuple(state["quiet"])
        estimator._latch = Latch.restore(state["latch"])
        latched = estimator._latch.latched
        estimator._latched = [one for _, one in latched]
        estimator.view = view_of(state["version"], state["published_us"], names, quiet, fast, slow, latched)
        estimator._detector = RegimeDetector.restore(state["detector"])
        return estimator


def _ratio(above: Floats, below: Floats) -> Floats:
    """Return above/below, 0 where nothing is below."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0.0)


def _published(matrix: Floats) -> Micros:
    """Return a symmetric matrix as a correlation matrix in millionths, repaired if it has to be."""
    matrix = np.ascontiguousarray(matrix)
    np.fill_diagonal(matrix, 1.0)
    # Rounding moves no eigenvalue by more than half a millionth times the size.
    least = MIN_EIGENVALUE + 0.5 * len(matrix) / MICRO
    if not is_above(matrix, least):
        repaired = np.empty_like(matrix)
        if not repair(matrix, least, repaired):
            raise ArithmeticError("an estimated matrix is not finite")
        matrix = repaired
    return millionths(matrix)


def _change(micros: Micros, published: Floats) -> int:
    return int(np.abs(micros - millionths(published)).max(initial=0))
