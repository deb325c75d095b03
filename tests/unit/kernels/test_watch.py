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
    boxes, curves = rng.uniform(0.0, 1.0, (size, joint.BOX_FIELDS)), np.zeros((size, joint.CURVE_FIELDS))
    boxes[:, joint.LOW] = rng.uniform(90.0, 100.0, size)
    boxes[:, joint.HIGH] = rng.uniform(100.0, 110.0, size)
    boxes[:, joint.FLOOR :: joint.OF_CLASS] -= 0.1
    boxes[:, joint.CEILING :: joint.OF_CLASS] += 0.9
    second = joint.OF_CLASS  # the first class has no level
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
            limit, floor = boxes[:, joint.LIMIT :: joint.OF_CLASS], boxes[:, joint.FLOOR + second :: joint.OF_CLASS]
            within = (boxes[:, joint.LOW] <= price) & (price <= boxes[:, joint.HIGH]) & (drifts <= limit).all(axis=1)
            ceiling = boxes[:, joint.CEILING + second :: joint.OF_CLASS]
            within &= ((floor <= levels) & (levels <= ceiling)).all(axis=1)
            everything = watch.EVERYTHING
            count = watch.leavers(first, last, now, everything, boxes, account, extremes, out)
            assert out[:count].tolist() == account[own[~within[own]]].tolist()
            if not (drifted or level):
                of_price = watch.leavers(first, last, now, 1, boxes, account, extremes, out)
                assert of_price == count


def test_extremes_are_found_anew_when_something_leaves_them() -> None:
    """A box that grew is not looked for before: then the extremes of what moved are found, and no others."""
    boxes, account = np.zeros((PAGE, joint.BOX_FIELDS)), np.arange(PAGE)
    boxes[:, joint.LOW], boxes[:, joint.HIGH] = 90.0, 110.0
    boxes[:, joint.LIMIT :: joint.OF_CLASS], boxes[:, joint.CEILING :: joint.OF_CLASS] = 1.0, 2.0
    boxes[:, joint.FLOOR :: joint.OF_CLASS] = -2.0
    first, last, out = np.zeros(1, dtype=np.int64), np.array([PAGE]), np.empty(PAGE, dtype=np.int64)
    extremes = watch.nothing(PAGE)
    boxes[3, joint.HIGH] = boxes[3, joint.LIMIT] = 0.5
    watch.take_all_extremes(first, last, boxes, account, extremes)
    now = np.zeros(joint.NOW_FIELDS)
    now[joint.PRICE] = 100.0
    assert watch.leavers(first, last, now, 1, boxes, account, extremes, out) == 1
    assert out[0] == 3
    assert extremes[joint.HIGH, 0] == 0.5
    boxes[3, joint.HIGH], boxes[3, joint.LIMIT] = 105.0, 0.7
    assert watch.leavers(first, last, now, 1, boxes, account, extremes, out) == 0
    assert extremes[joint.HIGH, 0] == 105.0
    assert extremes[joint.LIMIT, 0] == 0.5  # no drift has moved
    now[joint.DRIFT] = 0.6
    assert watch.leavers(first, last, now, 2, boxes, account, extremes, out) == 0
    assert extremes[joint.LIMIT, 0] == 0.7
