"""Options of one market under Derive's standard manager: the better of two requirements, expiry by expiry.

Signed amounts to add, negative where they are charges. With v = amount Black-76 at a discount factor of 1, S the spot,
F the forward, amt < 0 for what is sold, and OTM the distance from S to the strike out of the money:

* isolated: the sum over shorts of
  call IM max(min_req, max_req - OTM/S) S amt + v, MM mm_call S amt + v;
  put MM P = min(mm_put S amt, mm_put_mtm v) + v, IM min(max(min_req, max_req - OTM/S) S amt + v, offset P);
* worst payoff: min over settlement prices {0 and every strike} of min(0, payoff of the expiry), plus
  unpaired F times the net number of calls where that is negative, since beyond the last strike nothing bounds the loss.

Source: derivexyz/v2-core, StandardManager.
"""

from __future__ import annotations

import math

from kernels._jit import Bools, Floats, Ints, kernel


@kernel("b1, f8, f8, f8, f8, f8, f8, f8, f8, f8, f8")
def short_margins(
    is_call: bool,
    strike: float,
    amount: float,
    value: float,
    spot: float,
    max_req: float,
    min_req: float,
    mm_call: float,
    mm_put: float,
    mm_put_mtm: float,
    mm_offset: float,
) -> tuple[float, float]:
    """Return initial and maintenance margin of one position, negative; 0 of a long, NaN if something is NaN."""
    if amount >= 0.0:
        return 0.0, 0.0
    bad = spot + strike + value
    if math.isnan(bad):
        return math.nan, math.nan
    out = strike - spot if is_call else spot - strike
    initial = max(min_req, max_req - max(0.0, out) / spot) * spot * amount + value
    if is_call:
        return initial, mm_call * spot * amount + value
    maintenance = min(mm_put * spot * amount, mm_put_mtm * value) + value
    return min(initial, maintenance * mm_offset), maintenance


@kernel("b1[::1], f8[::1], f8[::1], i8, i8, f8")
def payoff(is_call: Bools, strike: Floats, amount: Floats, begin: int, end: int, price: float) -> float:
    """Return what rows begin .. end pay if they settle at a price, in USD."""
    paid = 0.0
    for i in range(begin, end):
        inside = price - strike[i] if is_call[i] else strike[i] - price
        if inside > 0.0:
            paid += inside * amount[i]
    return paid


@kernel(
    "i8[::1], b1[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8, f8, f8, f8, f8, f8, f8, f8, f8,"
    "f8[:, ::1], f8[:, ::1], f8[::1]"
)
def expiry_margins(
    indptr: Ints,
    is_call: Bools,
    strike: Floats,
    amount: Floats,
    value: Floats,
    forward: Floats,
    spot: float,
    max_req: float,
    min_req: float,
    mm_call: float,
    mm_put: float,
    mm_put_mtm: float,
    unpaired_im: float,
    unpaired_mm: float,
    mm_offset: float,
    out_isolated: Floats,
    out_bounded: Floats,
    out_worst_price: Floats,
) -> None:
    """Write both requirements of each expiry, initial in row 0 and maintenance in row 1, and where its payoff is worst.

    indptr: int64[e + 1], rows of expiry k are indptr[k] .. indptr[k+1]; rows: one per instrument; value: v above, USD;
    forward: float64[e]; out_isolated, out_bounded: float64[2, e]; out_worst_price: float64[e], the lowest of equals.
    NaN of a forward or of what is sold makes what it enters NaN. Raises ValueError on shapes that do not fit.
    """
    expiries, n = forward.shape[0], amount.shape[0]
    if not (is_call.shape[0] == strike.shape[0] == value.shape[0] == n):
        raise ValueError("option columns must have one length")
    if not (indptr.shape[0] == expiries + 1 and indptr[0] == 0 and indptr[expiries] == n):
        raise ValueError("expiries must cover the rows")
    if not (out_isolated.shape == (2, expiries) and out_bounded.shape == (2, expiries)):
        raise ValueError("outputs need two rows and one column per expiry")
    if out_worst_price.shape[0] != expiries:
        raise ValueError("outputs need one element per expiry")
    for k in range(expiries):
        begin, end = indptr[k], indptr[k + 1]
        if begin > end:
            raise ValueError("expiries must not overlap")
        im, mm, net_calls, at = 0.0, 0.0, 0.0, 0.0
        worst = min(0.0, payoff(is_call, strike, amount, begin, end, 0.0))
        for i in range(begin, end):
            initial, maintenance = short_margins(
                is_call[i],
                strike[i],
                amount[i],
                value[i],
                spot,
                max_req,
                min_req,
                mm_call,
                mm_put,
                mm_put_mtm,
                mm_offset,
            )
            im += initial
            mm += maintenance
            if is_call[i]:
                net_calls += amount[i]
            paid = payoff(is_call, strike, amount, begin, end, strike[i])
            if paid < worst or (paid == worst and strike[i] < at):
                worst, at = paid, strike[i]
        unpaired = forward[k] * net_calls if net_calls < 0.0 else 0.0
        out_isolated[0, k], out_isolated[1, k] = im, mm
        out_bounded[0, k], out_bounded[1, k] = worst + unpaired_im * unpaired, worst + unpaired_mm * unpaired
        out_worst_price[k] = at
