"""Option groups: Black-76 on the forward, and Black-Scholes-Merton through it, by the kernels that price accounts.

Black-Scholes-Merton on a spot S with carry r - q is Black-76 on F = S exp((r - q) T). Derivatives by the strike need no
formula of their own: a put on F struck at K is a call on K struck at F, so they are derivatives by the forward of the
exchanged option.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from kernels import black76, black76_arrays, contracts
from kernels._jit import Floats
from monitor.vectors.inputs import InvalidInputs, column, read, table

OptionType = Literal["call", "put"]
NotNegative = Annotated[float, Meta(ge=0.0)]
Positive = Annotated[float, Meta(gt=0.0)]
DAYS_PER_YEAR = 365.0


class _Rows(msgspec.Struct, frozen=True):
    rows: list[list[Any]]
    row_format: str | None = None


class _OnForward(msgspec.Struct, frozen=True):
    forward: float
    discount: Positive
    rows: list[list[Any]]
    row_format: str | None = None


class _Edge(_OnForward, frozen=True, kw_only=True):
    total_stdev: NotNegative


class _Greeks(msgspec.Struct, frozen=True):
    type: OptionType
    forward: float
    strike: float
    total_stdev: NotNegative
    discount: Positive
    spot: Positive
    maturity: NotNegative


def black76_price(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Price options on one forward: forward, discount, rows [type, strike, total_stdev] -> price[]."""
    given = read(inputs, _OnForward)
    columns = {"type": OptionType, "strike": float, "total_stdev": NotNegative}
    records = table(given.rows, columns, given.row_format)
    forward, discount = np.full(len(records), given.forward), np.full(len(records), given.discount)
    return _prices(records, forward, column(records, "total_stdev"), discount)


def black76_price_bsm(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Price options on their forwards, discounted: rows [type, strike, forward, rate, years, vol] -> price[]."""
    given = read(inputs, _Rows)
    columns = {"type": OptionType, "strike": float, "forward": float, "rate": float, "years": NotNegative,
               "vol": NotNegative}  # fmt: skip
    records = table(given.rows, columns, given.row_format)
    years, rate = column(records, "years"), column(records, "rate")
    stdev = column(records, "vol") * np.sqrt(years)
    return _prices(records, column(records, "forward"), stdev, _exp(-rate * years))


def bsm_price(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Price options on a spot: rows [type, strike, spot, q, r, years, vol] -> price[]."""
    given = read(inputs, _Rows)
    columns = {"type": OptionType, "strike": float, "spot": float, "q": float, "r": float, "years": NotNegative,
               "vol": NotNegative}  # fmt: skip
    records = table(given.rows, columns, given.row_format)
    years, r = column(records, "years"), column(records, "r")
    forward = column(records, "spot") * _exp((r - column(records, "q")) * years)
    stdev = column(records, "vol") * np.sqrt(years)
    return _prices(records, forward, stdev, _exp(-r * years))


def bsm_greeks(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Differentiate options on a spot: rows [greek, type, strike, spot, q, r, years, vol] -> value[].

    Greeks: delta, gamma, vega, theta (per year), theta_per_day, rho, dividend_rho, vanna, volga, strike_sensitivity,
    and elasticity (delta S/V). Case, spaces and underscores of a name do not matter.
    """
    given = read(inputs, _Rows)
    columns = {"greek": str, "type": OptionType, "strike": float, "spot": Positive, "q": float, "r": float,
               "years": NotNegative, "vol": NotNegative}  # fmt: skip
    values = []
    for number, record in enumerate(table(given.rows, columns, given.row_format)):
        greek = record["greek"].lower().replace("_", "").replace(" ", "")
        known = _spot_greeks(record)
        if greek not in known:
            raise InvalidInputs(f"rows[{number}]", f"no greek {record['greek']!r}; known are {', '.join(known)}")
        values.append(known[greek])
    return {"value": values}


def black76_greeks(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Differentiate one option by forward, spot, strike, volatility, time and rate.

    type, forward, strike, total_stdev, discount, spot, maturity in years; the rate follows from the discount, the carry
    from forward and spot. Vanna is by the forward, `vanna_spot` beside it; probabilities are N(d2) and N(d1) for calls
    and puts alike.
    """
    given = read(inputs, _Greeks)
    is_call = given.type == "call"
    vol, rate, carry = _annualised(given)
    g = black76.greeks(is_call, given.forward, given.strike, vol, given.maturity, rate)
    s = contracts.spot_greeks(
        g.price, g.delta, g.gamma, g.vanna, g.theta, given.forward, given.spot, given.maturity, rate, rate - carry
    )
    stdev = given.total_stdev
    exchanged = black76.greeks(not is_call, given.strike, given.forward, vol, given.maturity, rate)
    return {
        "price": g.price, "delta_spot": s.delta, "delta_forward": g.delta, "gamma_spot": s.gamma,
        "gamma_forward": g.gamma, "theta_bsm": s.theta, "vega": g.vega, "rho_spot_model": s.rho,
        "itm_cash_probability": -black76.delta(False, given.strike, given.forward, stdev, 1.0),
        "itm_asset_probability": black76.delta(True, given.forward, given.strike, stdev, 1.0),
        "strike_sensitivity": exchanged.delta, "strike_gamma": exchanged.gamma,
        "vanna": g.vanna, "vanna_spot": s.vanna, "volga": g.volga,
    }  # fmt: skip


def black76_greeks_edge(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Differentiate options on one forward at the edges of the formula, T = 1 year.

    forward, discount, total_stdev (may be 0), rows [type, strike] -> delta_forward[], gamma[], vega[], vanna[],
    volga[]; with T = 1 the volatility is the total deviation.
    """
    given = read(inputs, _Edge)
    records = table(given.rows, {"type": OptionType, "strike": float}, given.row_format)
    n = len(records)
    out = np.empty((black76_arrays.GREEKS, n))
    forward, vol, rate = (np.full(n, x) for x in (given.forward, given.total_stdev, -math.log(given.discount)))
    black76_arrays.greeks_array(_calls(records), forward, column(records, "strike"), vol, np.ones(n), rate, out)
    return {
        "delta_forward": out[black76_arrays.DELTA].tolist(), "gamma": out[black76_arrays.GAMMA].tolist(),
        "vega": out[black76_arrays.VEGA].tolist(), "vanna": out[black76_arrays.VANNA].tolist(),
        "volga": out[black76_arrays.VOLGA].tolist(),
    }  # fmt: skip


def _annualised(given: _Greeks) -> tuple[float, float, float]:
    """Return volatility, rate and carry of an option that states its total deviation and discount."""
    if given.maturity > 0.0:
        if not given.forward > 0.0:
            raise InvalidInputs("forward", "a forward that is not positive has no carry from its spot")
        carry = math.log(given.forward / given.spot) / given.maturity
        return given.total_stdev / math.sqrt(given.maturity), -math.log(given.discount) / given.maturity, carry
    if given.total_stdev > 0.0:
        raise InvalidInputs("maturity", "a deviation without time has no volatility")
    return 0.0, 0.0, 0.0


def _spot_greeks(record: Mapping[str, Any]) -> dict[str, float]:
    is_call, spot, years = record["type"] == "call", record["spot"], record["years"]
    r, q, strike, vol = record["r"], record["q"], record["strike"], record["vol"]
    forward = spot * float(_exp(np.array((r - q) * years)))
    g = black76.greeks(is_call, forward, strike, vol, years, r)
    s = contracts.spot_greeks(g.price, g.delta, g.gamma, g.vanna, g.theta, forward, spot, years, r, q)
    exchanged = black76.greeks(not is_call, strike, forward, vol, years, r)
    return {
        "delta": s.delta, "gamma": s.gamma, "vega": g.vega, "theta": s.theta, "thetaperday": s.theta / DAYS_PER_YEAR,
        "rho": s.rho, "dividendrho": -years * spot * s.delta, "vanna": s.vanna, "volga": g.volga,
        "strikesensitivity": exchanged.delta,
        "elasticity": s.delta * spot / g.price if g.price != 0.0 else math.nan,
    }  # fmt: skip


def _prices(records: list[dict[str, Any]], forward: Floats, stdev: Floats, discount: Floats) -> dict[str, Any]:
    out = np.empty(len(records))
    black76_arrays.price_array(_calls(records), forward, column(records, "strike"), stdev, discount, out)
    return {"price": out.tolist()}


def _calls(records: list[dict[str, Any]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.array([record["type"] == "call" for record in records], dtype=np.bool_)


def _exp(x: Floats) -> Floats:
    """Return e^x; beyond the floats infinity, which the kernels answer with NaN and a case with a failure."""
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(x), dtype=np.float64)
