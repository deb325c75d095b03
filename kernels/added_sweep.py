"""Model A over the book: requirements that are added up over underlyings, taken and judged in one pass.

Arrays as in `kernels.netted_bounds`; a requirement per segment as in `kernels.risk_matrix`.
"""

from __future__ import annotations

from kernels._jit import Bools, Floats, Ints, Shorts, kernel
from kernels.accounts import FLAGS, HELD, LOWER, UPPER, VALUE, figure, judge
from kernels.netted_bounds import ask_for
from kernels.risk_matrix import carried, delta_shock, table_stride, worst_of
from kernels.segment_sums import CHUNK, sum_segments
from kernels.segment_tables import empty_table


@kernel(
    "i8[::1], i8[::1], i8[::1], i8[::1], i8[::1], f8[::1], f8[::1], i8, f8[::1], f8, f8, f8, f8, f8, b1, b1, i8[::1],"
    "i8[::1], b1[::1], f8[:, ::1], i2[:, ::1], f8[::1],"
    "f8[:, ::1], i8[::1], i8[::1], i8[::1]"
)
def sweep(
    first: Ints,
    last: Ints,
    start: Ints,
    stop: Ints,
    row: Ints,
    quantity: Floats,
    table: Floats,
    scenarios: int,
    group_rate: Floats,
    index_price: float,
    delta_slope: float,
    delta_threshold_usd: float,
    max_delta_shock: float,
    factor: float,
    held: bool,
    judging: bool,
    account: Ints,
    place: Ints,
    seen_held: Bools,
    record: Floats,
    shorts: Shorts,
    mm_factor: Floats,
    thresholds: Floats,
    bits: Ints,
    changed: Ints,
    counts: Ints,
) -> None:
    """Take one underlying's new prices for all accounts of model A that hold it, and judge them if that is asked for.

    `table` is of `risk_matrix.fill_table`, group_rate and the shock's parameters as in `risk_matrix.evaluate`; `factor`
    is what maintenance is of a requirement. All else, receivers too, as in `kernels.netted_bounds.sweep`.
    """
    stride = table_stride(scenarios, group_rate.shape[0])
    sums = empty_table(CHUNK, stride)
    for page in range(first.shape[0]):
        for begin in range(first[page], last[page], CHUNK):
            end = min(begin + CHUNK, last[page])
            sum_segments(start, stop, row, quantity, table, stride, begin, end, sums)
            for a in range(begin, end):
                of, p, at = account[a], place[a], (a - begin) * stride
                ask_for(record, account[min(a + CHUNK, account.shape[0] - 1)])
                if of < 0:
                    continue
                worst, _ = worst_of(sums, at, scenarios)
                shock = delta_shock(
                    sums[at + scenarios + 1], index_price, delta_slope, delta_threshold_usd, max_delta_shock
                )
                scan = 0.0 if worst >= 0.0 else -worst
                requirement = scan + index_price * carried(sums, at + scenarios + 2, group_rate) + shock
                record[of, figure(p, VALUE)] = sums[at + scenarios]
                record[of, figure(p, UPPER)] = requirement
                record[of, figure(p, LOWER)] = factor * requirement
                if seen_held[a] != held:
                    seen_held[a] = held
                    shorts[of, HELD] += 1 if held else -1
                if not judging:
                    continue
                now = judge(of, record, shorts, mm_factor, thresholds, bits)
                if now != shorts[of, FLAGS]:
                    shorts[of, FLAGS] = now
                    changed[counts[0]] = of
                    counts[0] += 1
