"""Whose certificates were left, against asking every segment."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kernels.certificates import joint, watch
from kernels.netted_accounts import PAGE


@pytest.mark.parametrize("seed", range(8))
def test_those_are_found_that_are_outside(seed: int) -> None:
    """Every account of the column that a price, a drift or a level has left is found, in order, and no other one."""
    rng = np.random.default_rng(seed)
    size = 3 * PAGE
    boxes, curves = rng.uniform(0.0, 1.0, (joint.BOXES, size, joint.BOX)), np.zeros((size, joint.CURVE_FIELDS))
    prices, classes = boxes[joint.PRICES], boxes[1:]
    prices[:, joint.LOW] = rng.uniform(90.0, 100.0, size)
    prices[:, joint.HIGH] = rng.uniform(100.0, 110.0, size)
    classes[:, :, joint.FLOOR] -= 0.1
    classes[:, :, joint.CEILING] += 0.9
    account = np.where(rng.random(size) < 0.9, np.arange(size), -1)
    for s in range(0, size, 97):
        joint.void(s, curves, boxes)
    first, last = np.array([0, 2 * PAGE]), np.array([PAGE, 2 * PAGE + int(rng.integers(1, PAGE))])
    account[last[1] :] = -1
    extremes = watch.nothing(size)
    watch.take_all_extremes(first, last, boxes, account, extremes)
    own = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
    own = own[account[own] >= 0]
    out = np.empty(size, dtype=np.int64)
    for price, drifted in ((100.0, {}), (99.0, {5: 0.3}), (100.0, {0: 0.3, 7: 0.1}), (80.0, {}), (math.nan, {})):
        for level in ({}, {3: 0.45}, {0: -0.1, 6: 2.0}):
            drifts = np.array([drifted.get(k, 0.0) for k in range(joint.CLASSES)])
            levels = np.array([level.get(k, 0.9) for k in range(joint.EXPIRIES)])
            now = np.concatenate([[price], drifts, np.zeros(joint.CLASSES), levels])
            within = (prices[:, joint.LOW] <= price) & (price <= prices[:, joint.HIGH])
            within &= (drifts[:, None] <= classes[:, :, joint.LIMIT]).all(axis=0)
            of = classes[1:]  # the first class has no level
            within &= (of[:, :, joint.FLOOR] <= levels[:, None]).all(axis=0)
            within &= (levels[:, None] <= of[:, :, joint.CEILING]).all(axis=0)
            everything = watch.EVERYTHING
            count = watch.leavers(first, last, now, everything, boxes, account, extremes, out)
            assert out[:count].tolist() == account[own[~within[own]]].tolist()
            if not (drifted or level):
                of_price = watch.leavers(first, last, now, 1, boxes, account, extremes, out)
                assert of_price == count


def test_extremes_are_found_anew_when_something_leaves_them() -> None:
    """A box that grew is not looked for before: then the extremes of what moved are found, and no others."""
    boxes, account = np.zeros((joint.BOXES, PAGE, joint.BOX)), np.arange(PAGE)
    prices, first_class = boxes[joint.PRICES], boxes[1]
    prices[:, joint.LOW], prices[:, joint.HIGH] = 90.0, 110.0
    boxes[1:, :, joint.LIMIT], boxes[1:, :, joint.CEILING], boxes[1:, :, joint.FLOOR] = 1.0, 2.0, -2.0
    first, last, out = np.zeros(1, dtype=np.int64), np.array([PAGE]), np.empty(PAGE, dtype=np.int64)
    extremes = watch.nothing(PAGE)
    prices[3, joint.HIGH] = first_class[3, joint.LIMIT] = 0.5
    watch.take_all_extremes(first, last, boxes, account, extremes)
    now = np.zeros(joint.NOW_FIELDS)
    now[joint.PRICE] = 100.0
    assert watch.leavers(first, last, now, 1, boxes, account, extremes, out) == 1
    assert out[0] == 3
    assert extremes[joint.PRICES, 0, joint.HIGH] == 0.5
    prices[3, joint.HIGH], first_class[3, joint.LIMIT] = 105.0, 0.7
    assert watch.leavers(first, last, now, 1, boxes, account, extremes, out) == 0
    assert extremes[joint.PRICES, 0, joint.HIGH] == 105.0
    assert extremes[1, 0, joint.LIMIT] == 0.5  # no drift has moved
    now[joint.DRIFT] = 0.6
    assert watch.leavers(first, last, now, 2, boxes, account, extremes, out) == 0
    assert extremes[1, 0, joint.LIMIT] == 0.7
