"""Every group's function once more, in 40 digits, from the published definitions.

Nothing here is shared with `kernels` or `monitor`: prices are Black's formula, their derivatives numerical, matrices
multiplied out, and the nearest correlation matrix is the root of its dual problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import mpmath

from tests.unit.vectors.second_liquidation import (
    derive_dutch_auction,
    drift_fee_ramp,
    drift_insurance_fee,
    drift_liability_transfer,
    drift_liquidation_size,
    dydx_fillable_price,
    dydx_insurance_delta,
    paradex_liquidation,
)
from tests.unit.vectors.second_pmrm import derive_pmrm2
from tests.unit.vectors.second_standard import derive_srm, drift_imf

mp = mpmath.mp.clone()
mp.dps = 40

Inputs = Mapping[str, Any]


def cdf(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def price(kind: str, forward: Any, strike: Any, stdev: Any, discount: Any) -> Any:
    """Black's formula, with its limits where one of forward, strike and deviation is zero."""
    f, k, s, d = (mp.mpf(x) for x in (forward, strike, stdev, discount))
    sign = 1 if kind == "call" else -1
    if f <= 0:
        return mp.mpf(0) if kind == "call" else d * k
    if k <= 0:
        return d * f if kind == "call" else mp.mpf(0)
    if s == 0:
        return d * max(mp.mpf(0), sign * (f - k))
    d1 = mp.log(f / k) / s + s / 2
    return d * sign * (f * cdf(sign * d1) - k * cdf(sign * (d1 - s)))


def spot_price(kind: str, strike: Any, spot: Any, q: Any, r: Any, years: Any, vol: Any) -> Any:
    t = mp.mpf(years)
    return price(kind, spot * mp.exp((r - q) * t), strike, vol * mp.sqrt(t), mp.exp(-r * t))


def black76_price(inputs: Inputs) -> dict[str, Any]:
    forward, discount = inputs["forward"], inputs["discount"]
    return {"price": [price(kind, forward, k, s, discount) for kind, k, s in inputs["rows"]]}


def black76_price_bsm(inputs: Inputs) -> dict[str, Any]:
    return {
        "price": [
            price(kind, f, k, vol * mp.sqrt(t), mp.exp(-mp.mpf(r) * t)) for kind, k, f, r, t, vol in inputs["rows"]
        ]
    }


def bsm_price(inputs: Inputs) -> dict[str, Any]:
    return {"price": [spot_price(kind, *(mp.mpf(x) for x in row)) for kind, *row in inputs["rows"]]}


def bsm_greeks(inputs: Inputs) -> dict[str, Any]:
    """Differentiate the price: order by (strike, spot, q, r, years, vol), and its factor."""
    orders = {
        "delta": (0, 1, 0, 0, 0, 0), "gamma": (0, 2, 0, 0, 0, 0), "vega": (0, 0, 0, 0, 0, 1),
        "rho": (0, 0, 0, 1, 0, 0), "dividend_rho": (0, 0, 1, 0, 0, 0), "theta": (0, 0, 0, 0, 1, 0),
        "theta_per_day": (0, 0, 0, 0, 1, 0), "vanna": (0, 1, 0, 0, 0, 1), "volga": (0, 0, 0, 0, 0, 2),
        "strike_sensitivity": (1, 0, 0, 0, 0, 0),
    }  # fmt: skip
    factor = {"theta": mp.mpf(-1), "theta_per_day": mp.mpf(-1) / 365}
    values = []
    for greek, kind, *row in inputs["rows"]:
        at = [mp.mpf(x) for x in row]
        if greek == "elasticity":
            values.append(derivative(kind, at, (0, 1, 0, 0, 0, 0)) * at[1] / spot_price(kind, *at))
        else:
            values.append(factor.get(greek, mp.mpf(1)) * derivative(kind, at, orders[greek]))
    return {"value": values}


def derivative(kind: str, at: list[Any], order: tuple[int, ...]) -> Any:
    return mp.diff(lambda *x: spot_price(kind, *x), tuple(at), order)


def black76_greeks(inputs: Inputs) -> dict[str, Any]:
    kind = inputs["type"]
    f, k, s, d, spot, t = (
        mp.mpf(inputs[name]) for name in ("forward", "strike", "total_stdev", "discount", "spot", "maturity")
    )
    vol, r, carry = s / mp.sqrt(t), -mp.log(d) / t, mp.log(f / spot) / t

    def on_forward(forward: Any, strike: Any, sigma: Any) -> Any:
        return price(kind, forward, strike, sigma * mp.sqrt(t), d)

    def on_spot(s0: Any, strike: Any, sigma: Any, years: Any, rate: Any) -> Any:
        return spot_price(kind, strike, s0, r - carry, rate, years, sigma)

    def at_forward(order: tuple[int, ...]) -> Any:
        return mp.diff(on_forward, (f, k, vol), order)

    def at_spot(order: tuple[int, ...]) -> Any:
        return mp.diff(on_spot, (spot, k, vol, t, r), order)

    d2 = mp.log(f / k) / s - s / 2
    return {
        "price": price(kind, f, k, s, d),
        "delta_spot": at_spot((1, 0, 0, 0, 0)), "delta_forward": at_forward((1, 0, 0)),
        "gamma_spot": at_spot((2, 0, 0, 0, 0)), "gamma_forward": at_forward((2, 0, 0)),
        "theta_bsm": -at_spot((0, 0, 0, 1, 0)), "vega": at_forward((0, 0, 1)),
        "rho_spot_model": at_spot((0, 0, 0, 0, 1)), "itm_cash_probability": cdf(d2),
        "itm_asset_probability": cdf(d2 + s), "strike_sensitivity": at_forward((0, 1, 0)),
        "strike_gamma": at_forward((0, 2, 0)), "vanna": at_forward((1, 0, 1)),
        "vanna_spot": at_spot((1, 0, 1, 0, 0)), "volga": at_forward((0, 0, 2)),
    }  # fmt: skip


def black76_greeks_edge(inputs: Inputs) -> dict[str, Any]:
    f, s, d = (mp.mpf(inputs[name]) for name in ("forward", "total_stdev", "discount"))
    names = {"delta_forward": (1, 0), "gamma": (2, 0), "vega": (0, 1), "vanna": (1, 1), "volga": (0, 2)}
    out: dict[str, Any] = {name: [] for name in names}
    for kind, strike in inputs["rows"]:
        if s == 0 or strike <= 0:  # the limits of section "edges" of docs/vectors.md
            up, sign = (f > strike) - (f < strike), 1 if kind == "call" else -1
            out["delta_forward"].append(d * sign * mp.mpf(1 + sign * up) / 2)
            for name in ("gamma", "vega", "vanna", "volga"):
                out[name].append(mp.mpf(0))
            continue
        for name, order in names.items():
            out[name].append(mp.diff(lambda x, v, kind=kind, k=strike: price(kind, x, k, v, d), (f, s), order))
    return out


def ewma(inputs: Inputs) -> dict[str, Any]:
    decay, variance, last = (Fraction(inputs[name]) for name in ("lambda_", "prev_variance", "last_return"))
    return {"variance": decay * variance + (1 - decay) * last**2}


def gaussian_var_es(inputs: Inputs) -> dict[str, Any]:
    c = mp.mpf(inputs["confidence"])
    z = mp.sqrt(2) * mp.erfinv(2 * c - 1)
    pairs = [(mp.mpf(case["mean"]), mp.mpf(case["sigma"])) for case in inputs["cases"]]
    return {"var": [z * s - m for m, s in pairs], "es": [s * mp.npdf(z) / (1 - c) - m for m, s in pairs]}


def historical_var_es(inputs: Inputs) -> dict[str, Any]:
    losses = sorted((-mp.mpf(x) for x in inputs["returns_pct"]), reverse=True)
    size = len(losses) * (1 - mp.mpf(inputs["confidence"]))
    near = mp.nint(size)
    k = max(1, int(near if abs(size - near) < mp.mpf("1e-9") else mp.ceil(size)))
    if inputs["convention"] == "tail_mean":
        shortfall = sum(losses[:k]) / k
    elif inputs["convention"] == "beyond":
        shortfall = sum(losses[: k - 1]) / (k - 1) if k > 1 else losses[0]
    else:  # integrate the quantile function over the tail
        shortfall = sum(x * max(mp.mpf(0), min(mp.mpf(1), size - i)) for i, x in enumerate(losses)) / size
    return {"var_pct": losses[k - 1], "es_pct": shortfall}


def delta_normal_var(inputs: Inputs) -> dict[str, Any]:
    w = [mp.mpf(p) * v for p, v in zip(inputs["positions_usd"], inputs["daily_vols"], strict=True)]
    n, rho = len(w), inputs["correlation"]
    if not isinstance(rho, list):
        rho = [[1 if i == j else rho for j in range(n)] for i in range(n)]
    scale = mp.mpf(inputs["z"]) * mp.sqrt(inputs["horizon_days"])
    alone = [scale * abs(x) for x in w]
    together = scale * mp.sqrt(sum(mp.mpf(rho[i][j]) * w[i] * w[j] for i in range(n) for j in range(n)))
    return {"standalone": alone, "portfolio": together, "diversification_benefit": sum(alone) - together}


def correlation(inputs: Inputs) -> dict[str, Any]:
    x, y = ([mp.mpf(v) for v in inputs[name]] for name in ("x", "y"))
    n = len(x)

    def moment(a: list[Any], b: list[Any]) -> Any:
        return n * sum(u * v for u, v in zip(a, b, strict=True)) - sum(a) * sum(b)

    return {"correlation": moment(x, y) / mp.sqrt(moment(x, x) * moment(y, y))}


def symmetric(rows: list[list[float]]) -> Any:
    m = mp.matrix(rows)
    return (m + m.T) / 2


def psd_repair(inputs: Inputs) -> dict[str, Any]:
    positive = positive_part(symmetric(inputs["matrix"]))
    n = positive.rows
    length = [mp.sqrt(positive[i, i]) for i in range(n)]
    return {"matrix": [[positive[i, j] / length[i] / length[j] for j in range(n)] for i in range(n)]}


def positive_part(m: Any) -> Any:
    values, vectors = mp.eigsy(m)
    return vectors * mp.diag([max(mp.mpf(0), v) for v in values]) * vectors.T


def psd_repair_higham(inputs: Inputs) -> dict[str, Any]:
    """Damped Newton on the dual: the y whose (A + diag(y))+ has a unit diagonal (Qi and Sun, 2006)."""
    a = symmetric(inputs["matrix"])
    n = a.rows
    step = mp.mpf(10) ** -18

    def value(y: Any) -> tuple[Any, Any]:
        x = positive_part(a + mp.diag(list(y)))
        return mp.mnorm(x, "f") ** 2 / 2 - sum(y), mp.matrix([x[i, i] - 1 for i in range(n)])

    y = mp.matrix([1 - a[i, i] for i in range(n)])
    height, slope = value(y)
    for _ in range(100):
        if mp.norm(slope) < mp.mpf(10) ** -16:
            break
        jacobian = mp.eye(n) * min(mp.mpf("1e-3"), mp.norm(slope))
        for j in range(n):
            ahead = y.copy()
            ahead[j] += step
            column = (value(ahead)[1] - slope) / step
            for i in range(n):
                jacobian[i, j] += column[i]
        direction, length = mp.lu_solve(jacobian, -slope), mp.mpf(1)
        descent = (slope.T * direction)[0]
        while value(y + length * direction)[0] > height + descent * length / 10_000:
            length /= 2
        y += length * direction
        height, slope = value(y)
    assert mp.norm(slope) < mp.mpf(10) ** -16
    x = positive_part(a + mp.diag(list(y)))
    return {"matrix": [[x[i, j] for j in range(n)] for i in range(n)]}


def _sample(x: list[list[float]]) -> tuple[list[list[Any]], list[Any], list[list[Any]]]:
    n, p = len(x), len(x[0])
    mean = [sum(mp.mpf(row[j]) for row in x) / n for j in range(p)]
    centred = [[row[j] - mean[j] for j in range(p)] for row in x]
    return centred, mean, [[sum(row[i] * row[j] for row in centred) / n for j in range(p)] for i in range(p)]


def _shrunk(sample: list[list[Any]], mean: list[Any], mu: Any, g: Any) -> dict[str, Any]:
    p = len(sample)
    covariance = [[(1 - g) * sample[i][j] + (g * mu if i == j else 0) for j in range(p)] for i in range(p)]
    return {"covariance": covariance, "location": mean, "shrinkage": g}


def ledoit_wolf(inputs: Inputs) -> dict[str, Any]:
    """The paper's form: b^2 is the mean squared distance of x x' from S, over n, d^2 that of S from mu I."""
    centred, mean, sample = _sample(inputs["x"])
    n, p = len(centred), len(sample)
    mu = sum(sample[i][i] for i in range(p)) / p
    d2 = sum((sample[i][j] - (mu if i == j else 0)) ** 2 for i in range(p) for j in range(p))
    b2 = sum((row[i] * row[j] - sample[i][j]) ** 2 for row in centred for i in range(p) for j in range(p)) / n**2
    return _shrunk(sample, mean, mu, min(b2, d2) / d2 if d2 else mp.mpf(0))


def oas(inputs: Inputs) -> dict[str, Any]:
    centred, mean, sample = _sample(inputs["x"])
    n, p = len(centred), len(sample)
    mu = sum(sample[i][i] for i in range(p)) / p
    alpha = sum(v * v for row in sample for v in row) / p**2
    return _shrunk(sample, mean, mu, min(mp.mpf(1), (alpha + mu**2) / ((n + 1) * (alpha - mu**2 / p))))


def deribit_pme(inputs: Inputs) -> dict[str, Any]:
    """The venue's own terms: P&L of each contract, in coins for inverse ones, cell by cell."""
    par, inverse = inputs["params"], inputs["contract"].startswith("inverse")
    n, index = par["buckets_each_side"], mp.mpf(inputs["index_price"])
    moves = [mp.mpf(par["price_range"]) * i / n for i in range(-n, n + 1)]
    vectors: dict[str, list[Any]] = {}
    per_expiry: dict[str, Any] = {}
    delta = mp.mpf(0)
    for name, quantity in inputs["positions_base"].items():
        q, mark = mp.mpf(quantity), mp.mpf(inputs["mark_prices"][name])
        if inverse:
            face = q * mark
            vectors[name] = [face * (1 / mark - 1 / (mark * (1 + m))) for m in moves]
            delta += q
        else:
            vectors[name] = [q * (mark * (1 + m) - mark) for m in moves]
            delta += q * mark / index
        expiry = name.rsplit("-", 1)[1]
        per_expiry[expiry] = per_expiry.get(expiry, mp.mpf(0)) + q
    total = [sum(cells) for cells in zip(*vectors.values(), strict=True)] or [mp.mpf(0)] * len(moves)
    unit = index if inverse else mp.mpf(1)
    cap = mp.mpf(par["max_offsetable_pnl_usd"]) / unit
    worst = max(mp.mpf(0), -min(total))
    roll = sum(abs(q) * _roll_rate(expiry, inputs) for expiry, q in per_expiry.items()) * index / unit
    excess = max(mp.mpf(0), abs(delta) * index - par["delta_total_liq_shock_threshold_usd"])
    shock = min(mp.mpf(par["max_delta_shock"]), par["m_inc"] * excess / index) * excess / unit
    matrix = worst + roll + shock
    return {
        "initial_vector_standard_by_bucket": vectors,
        "aggregated_standard_by_bucket": [min(x * par["pnl_offset"], cap) if x > 0 else x for x in total],
        "worst_case": worst, "roll_shock": roll, "delta_shock": shock, "risk_matrix_margin": matrix,
        "initial_margin": matrix + inputs["open_orders_margin"] + inputs["mmp_margin"],
        "maintenance_margin": par["mm_factor"] * matrix,
    }  # fmt: skip


def _roll_rate(expiry: str, inputs: Inputs) -> Any:
    years = mp.mpf(0)
    if expiry != "PERPETUAL":
        at = datetime.strptime(expiry, "%d%b%y").replace(hour=8, tzinfo=UTC)
        years = max(years, (mp.mpf(at.timestamp()) - mp.mpf(inputs["evaluation_timestamp_ms"]) / 1000) / (365 * 86400))
    return max(mp.mpf(inputs["params"]["min_annualised_move"]), inputs["params"]["annualised_move_risk"] * years)


def span_scan(inputs: Inputs) -> dict[str, Any]:
    arrays = inputs["risk_array_pnl_long"]
    scenarios = range(len(next(iter(arrays.values()))))
    total = [sum(q * mp.mpf(arrays[name][s]) for name, q in inputs["positions"].items()) for s in scenarios]
    worst = min(scenarios, key=lambda s: (total[s], s))
    return {"scan_risk": max(mp.mpf(0), -total[worst]), "worst_scenario_index_1based": worst + 1,
            "portfolio_array": total}  # fmt: skip


def paradex_scan(inputs: Inputs) -> dict[str, Any]:
    return {"weights": [min(mp.mpf(1), mp.mpf(inputs["price_range"]) / abs(move)) for move in inputs["moves"]]}


def slices(amount: Any, tiers: Any) -> Any:
    """Every slice of an amount at its own rate, in rational numbers."""
    ends = [amount if end is None else min(amount, end) for _, end, _ in tiers]
    return sum(
        (max(Fraction(0), Fraction(end) - Fraction(start)) * Fraction(rate)
         for end, (start, _, rate) in zip(ends, tiers, strict=True)),
        Fraction(0),
    )  # fmt: skip


def okx_mr7(inputs: Inputs) -> dict[str, Any]:
    raised = slices(inputs["raw_minimum_charge"], inputs["tiers"])
    return {"mr7_adjusted": raised, "mmr": max(raised, Fraction(inputs["sum_of_other_units"]))}


def okx_mr9(inputs: Inputs) -> dict[str, Any]:
    return {"mr9": slices(inputs["hedge_scale_usd"], inputs["tiers"])}


def hyperliquid_ltv(inputs: Inputs) -> dict[str, Any]:
    amount, price_usd, ltv = (Fraction(inputs[name]) for name in ("collateral_amount", "oracle_price", "ltv"))
    return {"borrowable_usdc": amount * price_usd * ltv, "liquidation_threshold": (1 + ltv) / 2}


SECOND: dict[str, Callable[[Inputs], dict[str, Any]]] = {
    function.__name__: function
    for function in (
        black76_price, black76_price_bsm, black76_greeks, black76_greeks_edge, bsm_price, bsm_greeks, ewma,
        gaussian_var_es, historical_var_es, delta_normal_var, correlation, psd_repair, psd_repair_higham, ledoit_wolf,
        oas, deribit_pme, span_scan, paradex_scan, derive_pmrm2,
        derive_srm, drift_imf,
        okx_mr7, okx_mr9, hyperliquid_ltv,
        derive_dutch_auction, dydx_fillable_price, dydx_insurance_delta, drift_liquidation_size,
        drift_liability_transfer, drift_insurance_fee, drift_fee_ramp, paradex_liquidation,
    )
}  # fmt: skip


def plain(value: Any) -> Any:
    """Return a result with its numbers rounded to floats once, at the end; what has no number stays None."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return None if value is None else float(value)
