"""Cases of liquidation: what the venues' own tests and pages publish, and edges by hand."""

from __future__ import annotations

from typing import Any

DERIVE = "derivexyz/v2-core @ 3f979bdf, liquidationTests.json, {}; terms from PMRMTestBase.sol"
DYDX = "dydxprotocol/v4-chain @ 56b4b49d, x/clob/keeper/liquidations_test.go, {}"
DRIFT = "drift-labs/protocol-v2, programs/drift/src/math/liquidation/tests.rs, {}"
PARADEX = "Paradex documentation, page Liquidations, example"
HAND = "by hand"
# The venue rounds to 1e-9 coins; where it rounds a quotient of weights before, what is left of them is off by more.
COINS, WEIGHTS = {"rel": 2e-9, "abs": 2e-9}, {"rel": 5e-5, "abs": 2e-9}

TERMS = {
    "starting_mtm_pct": 0.98, "fast_cutoff_pct": 0.8, "fast_length_s": 100.0, "slow_length_s": 14_400.0,
    "insolvent_length_s": 600.0, "liquidator_fee_rate": 0.02, "buffer_margin_pct": 0.2,
}  # fmt: skip
# Second, value, maintenance margin, reserve, part of what is left; buffer margin, largest part, part of the original,
# cash; then after it value, maintenance margin, buffer margin, largest part.
_Row = tuple[tuple[float, float, float, float, float], tuple[float, float, float, float], tuple[float, ...]]
AT_0, AT_30 = (119.306330180774723584, -103.09061949052964), (119.30871879735243, -103.08786782886885)
FIRST = (11.047987360634837, -147.56718515411311, 0.5718615273623249)
AUCTIONS: dict[str, list[_Row]] = {
    "Test1": [((0.0, *AT_0, 0.0, 1.0), (-147.57000942479047, 0.5579412854255694, 0.5579412854255694,
                                        65.23460867605946), (117.97501163636534, 19.66250193939422, 0.0, 0.0))],
    "Test2": [((0.0, *AT_0, 0.0, 0.05), (-147.57000942479047, 0.5579412854255694, 0.05, 5.846010178857961),
               (119.18702385059394, -92.09007833714520, -134.34549877469305, 0.5346750372900732))],
    "Test5": [
        ((30.0, *AT_30, 0.0, 0.1), (FIRST[1], FIRST[2], 0.1, FIRST[0]),
         (118.42583427825202, -81.73109368534716, -121.76247927806697, 0.5242905859581388)),
        ((30.0, 118.42583427825202, -81.73109368534716, FIRST[0], 1 / 9),
         (-121.76247927806697, 0.5242905859581388, 0.1, FIRST[0]),
         (117.5429497591516, -60.3743195418254, -95.95777340202079, 0.4648269092029061)),
        ((30.0, 117.5429497591516, -60.3743195418254, 2 * FIRST[0], 0.125),
         (-95.95777340202079, 0.4648269092029061, 0.1, FIRST[0]),
         (116.66006524005119, -39.0175453983037, -70.15306752597468, 0.3883736105176071)),
    ],
    "Test6": [
        ((30.0, 103.11691425041457, -129.47871773083106, 0.0, 0.1),
         (-175.9978441270802, 0.6482804693487164, 0.1, 9.54862625958839),
         (102.35384908496149, -106.98221969815952, -148.8494334547837, 0.6092005214985737)),
        ((600.0, 141.24182874492312, -38.37172477090621, 9.54862625958839, 2 / 9),
         (-74.29443547407206, 0.4004238655354045, 0.2, 22.59920388328584),
         (134.5758765203568, -5.123553991954907, -33.06344009441724, 0.2291163985455202)),
        ((9000.0, 107.98971294657162, -52.9173191391265, 32.14783014287423, 3 / 7),
         (-85.09872555626611, 0.6060279458561901, 0.3, 9.931675129055613),
         (85.41772401689978, -6.529151460641998, -24.918526556150354, 0.3105489052483329)),
    ],
}  # fmt: skip
BTC, BTC_ETH = {"BTC": 0.1}, {"BTC": 0.004, "ETH": 0.1}
# Balance, positions, bankruptcy adjustment, spread, market; price.
FILLABLE: dict[str, tuple[float, dict[str, float], float, float, str, float]] = {
    "long below maintenance": (-4501.0, BTC, 1.0, 0.1, "BTC", 49_999.0),
    "long, spread 0.2": (-4501.0, BTC, 1.0, 0.2, "BTC", 49_998.0),
    "long, adjustment of the largest integer": (-4501.0, BTC, 4294.967295, 0.1, "BTC", 49_500.0),
    "long, spread of a millionth": (-4501.0, BTC, 1.0, 1e-6, "BTC", 49_999.99999),
    "long, spread of one": (-4501.0, BTC, 1.0, 1.0, "BTC", 49_990.0),
    "long at bankruptcy": (-5000.0, BTC, 1.0, 0.1, "BTC", 49_500.0),
    "long below bankruptcy": (-5500.0, BTC, 1.0, 0.1, "BTC", 49_500.0),
    "short below maintenance": (5499.0, {"BTC": -0.1}, 1.0, 0.1, "BTC", 50_001.0),
    "short, adjustment 2": (5499.0, {"BTC": -0.1}, 2.0, 0.1, "BTC", 50_002.0),
    "short below bankruptcy": (4500.0, {"BTC": -0.1}, 1.0, 0.1, "BTC", 50_500.0),
    "several longs": (-490.0, BTC_ETH, 1.0, 0.1, "ETH", 2_976.0),
}
# Balance, oracle, part closed, price, gain of the fund: a short of one coin, or what is left of it.
INSURANCE: dict[str, tuple[float, float, float, float, float, float]] = {
    "fee capped": (54_999.0, -1.0, 50_000.0, 0.25, 50_000.0, 62.5),
    "gain below the cap": (50_499.0, -1.0, 50_500.0, 0.25, 50_498.0, 0.25),
    "shortfall paid in full": (37_874.25, -0.75, 50_500.0, 0.75, 50_500.0, -0.75),
}
# Liquidator's and insurance fee; coins.
SIZES = {"zero fee": (0.0, 0.0, 1.0), "one percent": (0.01, 0.0, 10 / 9), "one percent each": (0.01, 0.01, 1.25)}
# Multipliers of asset and debt, insurance fee; coins.
TRANSFERS = {
    "zero fees": (1.0, 1.0, 0.0, 0.25, COINS), "ten percent": (1.1, 0.9, 0.0, 0.44998425, WEIGHTS),
    "insurance fee": (1.0, 1.0, 0.01, 0.257731958, COINS),
    "ten percent and insurance fee": (1.1, 0.9, 0.01, 0.475669504, WEIGHTS),
}  # fmt: skip
# Shortage, coins, liquidator's fee, price; the fee.
INSURANCE_FEES = [
    (20.0, 10.0, 0.01, 100.0, 0.019), (1.0, 10.0, 0.01, 100.0, 0.03705), (1000.0, 10.0, 0.01, 100.0, 0.0),
    (20.0, 10.0, 0.1, 100.0, 0.0), (20.0, 10.0, 0.01, 0.0, 0.0), (20.0, 0.0, 0.01, 100.0, 0.0),
]  # fmt: skip
ALICE = {
    "collateral": 1_000.0, "mm_fraction": 0.01, "target_margin_ratio": 0.9, "share_step": 0.2,
    "liquidation_fee_of_mmr": 0.5,
    "positions": [{"market": "BTC-USD-PERP", "size": 0.1, "entry": 60_000.0, "mark": 54_800.0},
                  {"market": "ETH-USD-PERP", "size": -1.0, "entry": 3_000.0, "mark": 3_400.0}],
}  # fmt: skip


def case(
    name: str, group: str, inputs: dict[str, Any], expected: Any, source: str, tolerance: dict[str, float]
) -> dict[str, Any]:
    return {"id": name, "group": group, "source": source, "units": "USD, coins, seconds, fractions", "inputs": inputs,
            "expected": expected, "tolerance": tolerance}  # fmt: skip


def auctions() -> list[dict[str, Any]]:
    before = ("elapsed_s", "mtm", "mm", "reserved_cash", "requested_fraction")
    now = ("buffer_margin", "max_fraction", "filled_fraction", "cash_from_bidder")
    after = ("post_mtm", "post_mm", "post_buffer_margin", "post_max_fraction")
    found = [
        case(f"auction/{name}", "derive_dutch_auction",
             {"params": TERMS, "steps": [dict(zip(before, row[0], strict=True)) for row in rows]},
             {"steps": [dict(zip(now + after, row[1] + row[2], strict=True)) for row in rows]},
             DERIVE.format(name), {"rel": 1e-9, "abs": 1e-9})
        for name, rows in AUCTIONS.items()
    ]  # fmt: skip
    insolvent = [dict(zip(before, row, strict=True)) for row in ((150.0, -40.0, -240.0, 0.0, 0.5),
                                                                 (600.0, -20.0, -120.0, 0.0, 1.0))]  # fmt: skip
    paid = [{"cash_from_bidder": 0.0, "cash_to_bidder": 45.0, "filled_fraction": 0.5, "post_mtm": -20.0},
            {"cash_from_bidder": 0.0, "cash_to_bidder": 120.0, "filled_fraction": 0.5, "post_mm": 0.0}]  # fmt: skip
    source = f"{HAND}: half of 40 + 200 x 150/600, then all of 120"
    inputs = {"params": TERMS, "steps": insolvent}
    return [*found, case("auction/insolvent", "derive_dutch_auction", inputs, {"steps": paid}, source, {"rel": 1e-14})]


def dydx() -> list[dict[str, Any]]:
    fillable = [
        case(f"dydx/{name}", "dydx_fillable_price",
             {"usdc_balance": balance, "positions": positions, "oracle": {"BTC": 50_000.0, "ETH": 3_000.0},
              "mm_ratio": 0.1, "bankruptcy_adjustment": adjustment, "spread_to_mm_ratio": spread, "liquidate": market},
             {"fillable_price": price}, DYDX.format("TestGetFillablePrice"), {"rel": 1e-12})
        for name, (balance, positions, adjustment, spread, market, price) in FILLABLE.items()
    ]  # fmt: skip
    insurance = [
        case(f"dydx/{name}", "dydx_insurance_delta",
             {"usdc_balance": balance, "position_btc": held, "oracle_btc": oracle, "mm_ratio": 0.1,
              "close_size": closed, "fill_price": fill, "max_liquidation_fee": 0.005},
             {"insurance_fund_delta": delta}, DYDX.format("liquidation orders placed against a short"), {"abs": 1e-9})
        for name, (balance, held, oracle, closed, fill, delta) in INSURANCE.items()
    ]  # fmt: skip
    return [*fillable, *insurance]


def drift() -> list[dict[str, Any]]:
    size = {"margin_shortage": 10.0, "margin_ratio": 0.1, "oracle_price": 100.0, "quote_price": 1.0}
    debt = {"margin_shortage": 10.0, "asset_weight": 0.8, "liability_weight": 1.2, "liability_price": 100.0}
    fees = [{"margin_shortage": shortage, "base_amount": base, "margin_ratio": 0.05, "liquidator_fee": fee,
             "oracle_price": price, "max_fee": 0.05} for shortage, base, fee, price, _ in INSURANCE_FEES]  # fmt: skip
    ramp = {"base_fee": 0.02, "max_fee": 0.05, "grace_slots": 1_500, "increase_per_slot": 1e-6,
            "slots_elapsed": [100_000, 10, 10_000]}  # fmt: skip
    return [
        *[case(f"drift/base, {name}", "drift_liquidation_size", {**size, "liquidator_fee": fee, "insurance_fee": fund},
               {"base_amount": coins}, DRIFT.format("base to cover"), COINS)
          for name, (fee, fund, coins) in SIZES.items()],
        case("drift/base, none suffices", "drift_liquidation_size",
             {**size, "liquidator_fee": 0.06, "insurance_fee": 0.04}, {"base_amount": None},
             f"{HAND}: 0.1 - 0.06 - 0.04 releases nothing", {"abs": 0.0}),
        *[case(f"drift/transfer, {name}", "drift_liability_transfer",
               {**debt, "asset_multiplier": asset, "liability_multiplier": multiplier, "insurance_fee": fee},
               {"liability_transfer": coins}, DRIFT.format("liability transfer to cover"), tolerance)
          for name, (asset, multiplier, fee, coins, tolerance) in TRANSFERS.items()],
        case("drift/insurance fee", "drift_insurance_fee", {"cases": fees},
             {"fee": [row[-1] for row in INSURANCE_FEES]}, DRIFT.format("calculate_perp_if_fee"), {"abs": 1e-9}),
        case("drift/fee ramp", "drift_fee_ramp", ramp, {"fee": [0.05, 0.02, 0.03]}, DRIFT.format("get_liquidation_fee"),
             {"rel": 1e-14}),
        case("drift/fee ramp, ends of the grace", "drift_fee_ramp", {**ramp, "slots_elapsed": [1_499, 1_500, 30_000]},
             {"fee": [0.02, 0.0215, 0.05]}, f"{HAND}: at the end of the grace all slots count", {"rel": 1e-14}),
    ]  # fmt: skip


def paradex() -> list[dict[str, Any]]:
    table = {"account_value": 80.0, "mmr": 88.8, "liquidation_share": 0.4, "penalty": 17.76,
             "collateral_after": 614.24, "account_value_after": 62.24, "margin_ratio_after": 53.28 / 62.24,
             "sizes_after": [0.06, -0.6]}  # fmt: skip
    broke = {"account_value": -20.0, "liquidation_share": 1.0, "penalty": 44.4, "collateral_after": -64.4,
             "margin_ratio_after": 0.0, "sizes_after": [0.0, 0.0], "shortfall": 64.4}  # fmt: skip
    whole = {"liquidation_share": 0.0, "penalty": 0.0, "collateral_after": 1_008.8, "sizes_after": [0.1, -1.0]}
    return [
        case("paradex/example", "paradex_liquidation", ALICE, table, PARADEX, {"abs": 1e-9}),
        case("paradex/fee of the text", "paradex_liquidation", {**ALICE, "liquidation_fee_of_mmr": 0.7},
             {"liquidation_share": 0.6, "penalty": 37.296, "collateral_after": 410.704, "sizes_after": [0.04, -0.4]},
             f"{HAND}: at 40 % the ratio is 53.28/55.136 and not below 0.9", {"abs": 1e-9}),
        case("paradex/bankrupt", "paradex_liquidation", {**ALICE, "collateral": 900.0}, broke, HAND, {"abs": 1e-9}),
        case("paradex/maintenance met", "paradex_liquidation", {**ALICE, "collateral": 1_008.8}, whole, HAND,
             {"abs": 1e-9}),
    ]  # fmt: skip


def liquidation() -> list[dict[str, Any]]:
    """Return all cases of liquidation."""
    return [*auctions(), *dydx(), *drift(), *paradex()]
