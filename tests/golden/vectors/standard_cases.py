"""Cases of model E: what Derive publishes for its standard manager, and weights by hand."""

from __future__ import annotations

from typing import Any

SOURCE = "derivexyz/v2-core @ fcc833b0, test-cases.json of StandardManager, {}: HandIM or realIM, realMM"
PARAMS = {
    "option": {"max_spot_req": 0.15, "min_spot_req": 0.1, "mm_call_spot_req": 0.075, "mm_put_spot_req": 0.075,
               "mm_put_mtm_req": 0.075, "unpaired_im_scale": 1.2, "unpaired_mm_scale": 1.1, "mm_offset_scale": 1.05},
    "perp": {"im": 0.065, "mm": 0.05},
    "oracle": {"perp_threshold": 0.5, "option_threshold": 0.5, "base_threshold": 0.5, "factor": 0.4},
    "base": {"margin_factor": 0.1, "im_scale": 1.0}, "depeg": {"threshold": 0.98, "factor": 1.2},
}  # fmt: skip
VOLS = {
    1000: 1.26201212993191449, 1200: 1.13893939882829747, 1300: 1.08318941550987648, 1500: 1.04788449408498624,
    1600: 1.08148221631760128, 1700: 1.11635447120535565, 1800: 1.14929648320936179, 1900: 1.17999383227911322,
    2500: 1.32653865803086003, 4500: 1.59734444222864947,
}  # fmt: skip
FORWARD, SETTLING = 1500.8332793109938, 1450.168707905438
# Name, options [strike, type, amount] or changes of the account, initial and maintenance net margin.
PUBLISHED: list[tuple[str, list[tuple[int, str, float]], dict[str, Any], float, float]] = [
    ("Test1", [(1500, "call", -1.0)], {}, -304.37158518905995, -191.87158518905995),
    ("Test3", [(1900, "call", -1.0)], {}, -156.00826183542666, -118.50826183542666),
    ("Test6", [(1900, "call", 1.0), (1700, "call", -1.0)], {}, -173.10401446658245, -135.60401446658245),
    ("Test16", [(1500, "call", -1.0)], {"stable_price": 0.3}, -1528.3715851890598, -191.87158518905995),
    ("Test17", [], {"position": 1.0, "entry_price": 1535.0, "account_funding_index": 10.0}, -117.825, -95.25),
    ("Test18", [], {"base": 1.0}, 150.0, 150.0),
    ("Test19", [(1800, "call", -1.0)], {"base": 1.0}, -11.877712074679976, 25.622287925320024),
    ("Test20", [], {"base": 1.0, "spot_confidence": 0.15}, -360.0, 150.0),
    ("Test21", [(4500, "put", -1.0)], {}, -3385.3094384297642, -3224.1042270759656),
    ("Test22", [(1500, "call", -1.0), (1500, "put", 1.0), (2500, "call", 1.0), (2500, "put", -1.0)], {},
     -1000.0, -1000.0),
    ("Test23", [(1500, "call", 1.0), (1500, "put", -1.0), (1600, "call", -1.0), (1600, "put", 1.0)], {}, 0.0, 0.0),
    ("Test25", [(1200, "call", 1.0), (1000, "call", -1.0), (2500, "call", -0.1)], {"seconds": 900},
     -374.0202449486526, -359.51855786959825),
]  # fmt: skip


def account(options: list[tuple[int, str, float]], change: dict[str, Any]) -> dict[str, Any]:
    """Return inputs of the group: one market, the options of one expiry, and what the case changes."""
    seconds, sure = change.get("seconds", 500_400), change.get("spot_confidence", 1.0)
    perp = {"position": change.get("position", 0.0), "price": 1505.0, "confidence": 1.0,
            "entry_price": change.get("entry_price", 0.0), "funding_index": 0.0,
            "account_funding_index": change.get("account_funding_index", 0.0)}  # fmt: skip
    return {
        "cash": 0.0, "stable_price": change.get("stable_price", 1.0),
        "markets": {"ETH": {"spot": 1500.0, "spot_confidence": sure, "base": change.get("base", 0.0), "perp": perp}},
        "options": [
            {"market": "ETH", "expiry_s": seconds, "strike": float(strike), "type": kind, "amount": amount,
             "mark_vol": VOLS[strike], "vol_confidence": 1.0,
             "forward": SETTLING if seconds == 900 else FORWARD, "forward_confidence": 1.0}
            for strike, kind, amount in options
        ],
        "params": PARAMS,
    }  # fmt: skip


def derive() -> list[dict[str, Any]]:
    """Return the published cases; their mark to market is discounted and not the model's, so it is not among them."""
    return [
        {"id": f"derive/{name}", "group": "derive_srm", "source": SOURCE.format(name), "units": "USD",
         "inputs": account(options, change), "expected": {"im": im, "mm": mm}, "tolerance": {"abs": 1e-6, "rel": 1e-8}}
        for name, options, change, im, mm in PUBLISHED
    ]  # fmt: skip


def weights() -> dict[str, Any]:
    """Return one case: no factor, below the threshold, above it; an asset below and above."""
    rows = [("liability", 1.0, 0.0, 1e6), ("liability", 1.0, 0.01, 100.0), ("liability", 1.0, 0.01, 10_000.0),
            ("asset", 0.9, 0.01, 100.0), ("asset", 0.9, 0.01, 10_000.0)]  # fmt: skip
    cases = [{"kind": kind, "weight": w, "imf": imf, "size_units": size} for kind, w, imf, size in rows]
    return {"id": "drift/size", "group": "drift_imf", "units": "", "inputs": {"cases": cases},
            "source": "by hand: 0.8 + 0.01 x 10 < 1, 0.8 + 0.01 x 100 = 1.8, 1.1/1.1 > 0.9, 1.1/2 = 0.55",
            "expected": {"weight": [1.0, 1.0, 1.8, 0.9, 0.55]}, "tolerance": {"rel": 1e-15}}  # fmt: skip
