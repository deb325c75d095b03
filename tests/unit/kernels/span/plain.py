"""Model C once more, scenario by scenario in 40 digits, sharing no function with the kernels.

A contract is a dictionary; prices are Black's formula as `tests.unit.vectors.second` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.unit.vectors.second import cdf, mp, price

MOVES = [(thirds, direction) for thirds in (0, 1, -1, 2, -2, 3, -3) for direction in (1, -1)]
WEIGHTS = {0: "0.270", 1: "0.217", -1: "0.217", 2: "0.110", -2: "0.110", 3: "0.037", -3: "0.037"}

Contract = Mapping[str, Any]


def scenarios(multiplier: Any = 2, covered: Any = "0.35") -> list[tuple[Any, int, Any]]:
    """Move in scan ranges, direction of the volatility and weight of numbers 1 to 16."""
    table = [(mp.mpf(thirds) / 3, direction, mp.mpf(1)) for thirds, direction in MOVES]
    return [*table, *((sign * mp.mpf(multiplier), 0, mp.mpf(covered)) for sign in (1, -1))]


def after(contract: Contract, move: Any) -> Any:
    """The contract's own price after a move: what is fixed already does not move."""
    p, fixed = mp.mpf(contract["price"]), mp.mpf(contract.get("fixed", 0))
    return fixed + (p - fixed) * (1 + move)


def option_usd(contract: Contract, index: Any, move: Any, vol: Any, years: Any) -> Any:
    forward = after(contract, move)
    value = price(contract["type"], forward, contract["strike"], vol * mp.sqrt(years), 1)
    if contract["kind"] == "linear_option":
        return contract["size"] * value
    # A coin-settled option is V/F coins, each at the index after the move; at a price of nothing the limit of it.
    coin = index * (1 + move) / forward if forward else mp.mpf(index) / contract["price"]
    return contract["size"] * coin * value


def array(
    contract: Contract, index: float, price_range: float, vol_scan: float, *, relative: bool, look_ahead_days: float,
    table: Sequence[tuple[Any, int, Any]],
) -> list[Any]:  # fmt: skip
    """P&L in USD of one long contract."""
    size, kind, out = mp.mpf(contract["size"]), contract["kind"], []
    for scanned, direction, weight in table:
        m = max(mp.mpf(-1), scanned * price_range)
        if kind == "coin":
            pnl = size * index * m
        elif kind == "linear":
            pnl = size * (after(contract, m) - contract["price"])
        elif kind == "inverse":
            # Coins gained, at the coin's new price; at a price of nothing as the limit has it.
            p, then = mp.mpf(contract["price"]), after(contract, m)
            pnl = size * (1 / p - 1 / then) * index * (1 + m) if then else -size * index / p
        else:
            vol = mp.mpf(contract["vol"])
            shocked = max(mp.mpf(0), vol + direction * (vol * vol_scan if relative else vol_scan))
            later = max(mp.mpf(0), mp.mpf(contract["years"]) - mp.mpf(look_ahead_days) / 365)
            now = option_usd(contract, index, mp.mpf(0), vol, mp.mpf(contract["years"]))
            pnl = option_usd(contract, index, m, shocked, later) - now
        out.append(weight * pnl)
    return out


def delta_coins(contract: Contract, price_range: float, look_ahead_days: float) -> Any:
    """Composite delta on the contract's own price."""
    size, p = mp.mpf(contract["size"]), mp.mpf(contract["price"])
    moving = 1 - mp.mpf(contract.get("fixed", 0)) / p
    if contract["kind"] == "coin":
        return size
    if contract["kind"] == "linear":
        return size * moving
    if contract["kind"] == "inverse":
        return size / p * moving
    years = max(mp.mpf(0), mp.mpf(contract["years"]) - mp.mpf(look_ahead_days) / 365)
    total = mp.mpf(0)
    for thirds, weight in WEIGHTS.items():
        forward = after(contract, max(mp.mpf(-1), mp.mpf(thirds) / 3 * price_range))
        total += mp.mpf(weight) * _delta(
            contract["type"], forward, contract["strike"], contract["vol"] * mp.sqrt(years)
        )
    return size * moving * total / sum(mp.mpf(weight) for weight in WEIGHTS.values())


def _delta(kind: str, forward: Any, strike: Any, stdev: Any) -> Any:
    if stdev and forward > 0:
        share = cdf(mp.log(forward / strike) / stdev + stdev / 2)
    else:
        share = mp.mpf((forward > strike) + (forward >= strike)) / 2
    return share if kind == "call" else share - 1


def scan(pnl: Sequence[Any]) -> tuple[Any, int, Any]:
    """Scan risk, number of its scenario, and its price part."""
    losses = [-x for x in pnl]
    number = max(range(16), key=lambda s: (losses[s], -s)) + 1
    if losses[number - 1] <= 0:
        return 0, number, 0
    twin = number if number > 14 else number + 1 if number % 2 else number - 1
    vol_risk = (losses[number - 1] - losses[twin - 1]) / 2
    return losses[number - 1], number, max(0, losses[number - 1] - vol_risk - (losses[0] + losses[1]) / 2)


def calendar(delta: Sequence[Any], spreads: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Charge and what is left, spread by spread."""
    left, charge = list(delta), 0
    for a, b, ratio_a, ratio_b, rate in spreads:
        for long, short, of_long, of_short in ((a, b, ratio_a, ratio_b), (b, a, ratio_b, ratio_a)):
            if left[long] > 0 > left[short]:
                n = min(left[long] / of_long, -left[short] / of_short)
                charge, left[long], left[short] = (
                    charge + n * rate,
                    left[long] - n * of_long,
                    left[short] + n * of_short,
                )
    return charge, left


def credits_usd(
    free: Sequence[Any], net: Sequence[Any], price_risk: Sequence[Any], ranges: Sequence[Any], spreads: Sequence[Any]
) -> list[Any]:
    """Credit by commodity; a spread is (legs [(commodity, side, ratio)], rate, method)."""
    left = [0 if f * w <= 0 else min(f, w) if w > 0 else max(f, w) for f, w in zip(free, net, strict=True)]
    out = [0] * len(left)
    for legs, rate, method in spreads:
        facing = {(left[c] > 0) - (left[c] < 0) if side > 0 else (left[c] < 0) - (left[c] > 0) for c, side, _ in legs}
        if facing not in ({1}, {-1}):
            continue
        n = min(abs(left[c]) / ratio for c, _, ratio in legs)
        for c, _, ratio in legs:
            of_one = ranges[c] if method == "scan_range" else price_risk[c] / abs(net[c])
            out[c] += n * ratio * (min(of_one, ranges[c]) if method == "scan_range_capped" else of_one) * rate
            left[c] -= n * ratio * ((left[c] > 0) - (left[c] < 0))
    return out


def requirement(
    positions: Sequence[tuple[Any, Contract]], commodities: Sequence[Mapping[str, Any]], inter: Sequence[Any], *,
    larger_side: bool,
) -> list[dict[str, Any]]:  # fmt: skip
    """One dictionary by commodity; a contract has pnl, value, delta, commodity, tier, option, premium, size."""
    out = []
    for c, one in enumerate(commodities):
        held = [(q, k) for q, k in positions if k["commodity"] == c]
        risk, number, price_risk = scan([sum(q * k["pnl"][s] for q, k in held) for s in range(16)])
        tiers = [sum(q * k["delta"] for q, k in held if k["tier"] == t) for t in range(one["tiers"])]
        intra, left = calendar(tiers, one["calendar"])
        short = [sum(-q * k["size"] for q, k in held if q < 0 and k["option"] == side) for side in (1, -1)]
        out.append({
            "scan": risk, "number": number, "price_risk": price_risk, "intra": intra,
            "free": (sum(left) + sum(q * k["delta"] for q, k in held if k["tier"] < 0)) * one["index"],
            "net": sum(q * k["delta"] for q, k in held) * one["index"],
            "minimum": (max(short) if larger_side else sum(short)) * one["short_option_usd"],
            "nov": sum(q * k["value"] for q, k in held if k["premium"]),
        })  # fmt: skip
    credited = credits_usd(
        [x["free"] for x in out], [x["net"] for x in out], [x["price_risk"] for x in out],
        [one["range"] for one in commodities], inter,
    )  # fmt: skip
    for x, credit, one in zip(out, credited, commodities, strict=True):
        x["credit"] = credit
        x["risk"] = max(x["scan"] + x["intra"] + one["delivery_usd"] - credit, x["minimum"])
        x["requirement"] = max(0, x["risk"] - x["nov"])
    return out
