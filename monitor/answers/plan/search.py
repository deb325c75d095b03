"""Trades without a program: along one direction, the rules that venues use, single trades, and whole lots."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kernels._jit import Floats
from monitor.answers.plan.exact import Evaluator

_HALVINGS = 24
_SECTIONS = 24
_GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)
_REPAIRS = 5


def least_share(model: Evaluator, path: Callable[[float], Floats], end: float = 1.0) -> Floats | None:
    """Return the first trade on a path that meets the target, in whole lots; None where none is found.

    path: from a share, 0 to `end`, to trades. Along a straight path the excess is concave for a convex model, so what
    meets the target is one interval: its peak is found by golden sections, its beginning by halves.
    """

    def excess(share: float) -> float:
        return model.excess_usd(model.of.clipped(path(share)))

    good = end
    if excess(end) < 0.0:
        good = _peak(excess, end)
        if excess(good) < 0.0:
            return None
    low, high = 0.0, good
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if excess(middle) < 0.0:
            low = middle
        else:
            high = middle
    return model.of.clipped(path(high))


def _peak(excess: Callable[[float], float], end: float) -> float:
    """Return a share at which the excess is not negative, or where it is largest, by golden sections."""
    low, high = 0.0, end
    first, second = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_first, at_second = excess(first), excess(second)
    for _ in range(_SECTIONS):
        if at_first >= 0.0:
            return first
        if at_second >= 0.0:
            return second
        if at_first < at_second:
            low, first, at_first = first, second, at_second
            second = low + _GOLDEN * (high - low)
            at_second = excess(second)
        else:
            high, second, at_second = second, first, at_first
            first = high - _GOLDEN * (high - low)
            at_first = excess(first)
    return first


def full_close(model: Evaluator) -> Floats:
    """Return the trades that leave nothing."""
    return np.where(model.of.is_coin & (model.of.size == 0.0), 0.0, model.of.closing)


def pro_rata(model: Evaluator) -> Floats | None:
    """Return the same share of every contract, then of the coins."""
    contracts = np.where(model.of.is_coin, 0.0, model.of.closing)
    found = least_share(model, lambda share: share * contracts) if contracts.any() else None
    if found is not None:
        return found
    coins = np.where(model.of.is_coin, model.of.closing, 0.0)
    return least_share(model, lambda share: contracts + share * coins) if coins.any() else None


def largest_first(model: Evaluator) -> Floats | None:
    """Return whole positions by falling notional, the last of them in part; coins come after contracts."""
    of = model.of
    notional = np.abs(of.held * of.notional_usd)
    order = sorted(np.flatnonzero(of.held), key=lambda i: (bool(of.is_coin[i]), -notional[i], int(i)))
    done = np.zeros(len(of.names))
    for i in order:
        whole = done.copy()
        whole[i] = of.closing[i]
        if model.excess_usd(whole) >= 0.0:
            step = whole - done
            return least_share(model, lambda share, done=done, step=step: done + share * step)  # type: ignore[misc]
        done = whole
    return None


def single_trades(model: Evaluator) -> dict[int, Floats]:
    """Return by candidate the smallest trade of it alone that meets the target, where there is one."""
    found = {}
    nothing = np.zeros(len(model.of.names))
    slopes, short = model.slopes(nothing), -model.excess_usd(nothing)
    for i in range(len(model.of.names)):
        for end in {float(model.of.low[i]), float(model.of.high[i])} - {0.0}:
            # A convex requirement falls nowhere faster than at once.
            if -slopes[i] * end / model.target_v <= short:
                continue
            whole = np.zeros(len(model.of.names))
            whole[i] = end
            trade = least_share(model, lambda share, whole=whole: share * whole)  # type: ignore[misc]
            if trade is not None:
                found[i] = trade
    return found


def repaired(model: Evaluator, trade: Floats) -> Floats | None:
    """Return trades that are a little short of the target with the lots on top that cover it at the least cost."""
    of, found = model.of, trade.copy()
    for _ in range(_REPAIRS):
        short = -model.excess_usd(found)
        if short <= 0.0:
            return found
        slopes, best = model.slopes(found), (math.inf, 0.0, -1)
        for i in range(len(found)):
            for side in (1.0, -1.0):
                room = of.high[i] - found[i] if side > 0.0 else found[i] - of.low[i]
                back = found[i] * side < 0.0
                gain = -side * slopes[i] / model.target_v - (-1.0 if back else 1.0) * model.costs.unit_usd[i]
                if room <= 0.0 or gain <= 0.0:
                    continue
                need = min(room, math.ceil(1.0001 * short / gain / of.lot[i]) * of.lot[i])
                covers = need * gain >= short
                price = model.costs.unit_usd[i] * (-need if back else need)
                best = min(best, (price if covers else math.inf, side * need, i))
        if best[2] < 0 or math.isinf(best[0]):
            return None
        found[best[2]] += best[1]
    return found if model.excess_usd(found) >= 0.0 else None


def trimmed(model: Evaluator, trade: Floats) -> Floats:
    """Return trades that meet the target with every lot taken back that is not needed for it, the dearest first."""
    of, best, cost = model.of, trade.copy(), model.costs.total(trade)
    each = model.costs.of_each(trade)
    for i in sorted(np.flatnonzero(trade), key=lambda i: (-each[i], int(i))):
        lots = math.ceil(abs(best[i]) / of.lot[i] - 1e-9)
        sign = math.copysign(1.0, best[i])

        def with_lots(count: int, i: int = int(i), sign: float = sign, base: Floats = best) -> Floats:
            tried = base.copy()
            tried[i] = sign * count * of.lot[i]
            return tried

        def meets(count: int, with_lots: Callable[[int], Floats] = with_lots) -> bool:
            return model.excess_usd(with_lots(count)) >= 0.0

        if not meets(lots - 1):
            continue
        low, high = -1, lots - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if meets(middle) else (middle, high)
        tried = with_lots(high)
        if model.costs.total(tried) < cost:
            best, cost = tried, model.costs.total(tried)
    return best
