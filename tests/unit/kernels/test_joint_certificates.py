"""What an account keeps of its certificate: few curves that lie below all, and boxes that never use up the room."""

from __future__ import annotations

import numpy as np
import pytest

from kernels._jit import Floats
from kernels.accounts import COUNT
from kernels.certificates import joint, levels, places
from kernels.netted_accounts import COLUMN_FIELDS, PAGE


def worth(found: Floats, x: float) -> Floats:
    """Every curve's value at x; found: float64[CURVES, n]."""
    bent: Floats = found[places.CURVE] * x * x / 2.0 + found[places.KINK] * abs(x)
    value: Floats = found[places.VALUE] + found[places.SLOPE] * x - bent
    return value


def drawn(rng: np.random.Generator, count: int) -> Floats:
    """Random curves, some of them nearly alike."""
    found = np.empty((places.CURVES, count))
    found[places.VALUE] = rng.exponential(1.0, count)
    found[places.SLOPE] = rng.normal(0.0, 40.0, count)
    found[places.CURVE] = rng.exponential(100.0, count) * (rng.random(count) < 0.7)
    found[places.KINK] = rng.exponential(2.0, count) * (rng.random(count) < 0.3)
    found[:, count // 2] = found[:, 0] * (1.0 + 1e-12)
    return found


def kept(curves: Floats, s: int) -> Floats:
    """The upper curves of a segment, float64[CURVES, n]."""
    count = int(curves[s, joint.COUNT])
    flat = curves[s, joint.UPPER_AT : joint.UPPER_AT + places.CURVES * count]
    return np.ascontiguousarray(flat.reshape(count, places.CURVES).T)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_kept_lies_below_every_curve(seed: int) -> None:
    """Within the radius no curve that was left out is below those that were kept, whose least is exact at 0."""
    rng = np.random.default_rng(seed)
    count, radius = int(rng.integers(1, 48)), float(rng.choice([0.02, 0.1, 0.3]))
    found, curves = drawn(rng, count), np.zeros((1, joint.CURVE_FIELDS))
    joint.keep(found, count, radius, 0, curves)
    few = kept(curves, 0)
    assert few.shape[1] <= joint.KEPT
    assert few[places.VALUE].min() == found[places.VALUE].min()
    for x in np.linspace(-radius, radius, 201):
        assert worth(few, float(x)).min() <= worth(found, float(x)).min() + 1e-12 * np.abs(found).max()


class Account:
    """One account in some columns, with random curves around prices of 100."""

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        self.size = size
        self.slot = (np.arange(size) * PAGE).reshape(1, size)
        self.page_column = np.arange(size)
        self.columns = np.zeros((size, COLUMN_FIELDS), dtype=np.int64)
        self.curves = np.zeros((size * PAGE, joint.CURVE_FIELDS))
        self.boxes = np.zeros((joint.BOXES, size * PAGE, joint.BOX))
        self.cover = np.zeros((1, joint.COVER_FIELDS))
        self.shorts = np.zeros((1, 16), dtype=np.int16)
        self.shorts[0, COUNT] = size
        self.now = np.zeros((size, joint.NOW_FIELDS))
        self.now[:, joint.PRICE] = 100.0
        self.now[:, joint.LEVEL :] = 0.2
        total = 0.0
        for s in self.slot[0]:
            found = drawn(rng, 20)
            joint.keep(found, 20, 0.1, s, self.curves)
            self.curves[s, joint.LOWER_AT : joint.LOWER_AT + places.CURVES] = drawn(rng, 1)[:, 0]
            self.curves[s, joint.CENTER], self.curves[s, joint.RADIUS] = 100.0, 0.1
            classes = slice(joint.EXPOSED, joint.EXPOSED + joint.CLASSES)
            self.curves[s, classes] = rng.exponential(3.0, joint.CLASSES) * (rng.random(joint.CLASSES) < 0.3)
            of = self.levels(s)
            of[:, levels.AT] = 0.2
            up, down = rng.normal(0.0, 3.0, (2, joint.EXPIRIES))
            of[:, levels.UP], of[:, levels.DOWN] = np.maximum(up, -down), down
            of[:, levels.BEND] = rng.exponential(20.0, joint.EXPIRIES)
            of[:, levels.CROSS] = rng.exponential(20.0, joint.EXPIRIES)
            of[rng.random(joint.EXPIRIES) < 0.5, levels.UP :] = 0.0
            total += found[places.VALUE].min()
        self.cover[0, joint.LOWER_LIMIT] = np.inf
        self.cover[0, joint.UPPER_FIXED], self.cover[0, joint.UPPER_FULL] = 1.0 - total, 1.0
        if rng.random() < 0.5:
            worth = self.curves[self.slot[0], joint.LOWER_AT + places.VALUE].sum()
            self.cover[0, joint.LOWER_FIXED], self.cover[0, joint.LOWER_FULL] = 0.5 - worth, 0.5

    def levels(self, s: int) -> Floats:
        """The five numbers of each level of a segment, a view."""
        return self.curves[s, joint.LEVELS_AT : joint.LOWER_AT].reshape(joint.EXPIRIES, levels.LEVEL)

    def review(self, *, anew: bool = False) -> bool:
        """Split the room at the present prices and drifts; `anew` after the curves."""
        return joint.review(
            0, anew, 0.0, self.now, self.slot, self.page_column, self.columns, self.curves, self.boxes, self.cover,
            self.shorts, np.ones((1, 1, self.size, self.size)), np.zeros(1),
        )  # fmt: skip

    def rooms(self, price: Floats, drift: Floats, level: Floats) -> tuple[float, float]:
        """What both constraints hold by, from the curves themselves; infinite without the constraint."""
        upper, lower = self.cover[0, joint.UPPER_FIXED], self.cover[0, joint.LOWER_FIXED]
        for u, s in enumerate(self.slot[0]):
            x = price[u] / 100.0 - 1.0
            spent = self.curves[s, joint.SPENT]
            spent += self.curves[s, joint.EXPOSED : joint.EXPOSED + joint.CLASSES] @ drift[u]
            of = self.levels(s)
            moved = level[u] - of[:, levels.AT]
            straight = np.where(moved > 0.0, of[:, levels.UP], -of[:, levels.DOWN]) * moved
            spent += (straight + of[:, levels.BEND] * moved**2 / 2.0 + of[:, levels.CROSS] * np.abs(moved * x)).sum()
            upper += worth(kept(self.curves, s), x).min() - spent
            lower += worth(self.curves[s, joint.LOWER_AT : joint.UPPER_AT].reshape(-1, 1), x)[0] - spent
        return upper, lower if self.cover[0, joint.LOWER_FULL] > 0.0 else np.inf


@pytest.mark.parametrize("seed", range(60))
def test_no_corner_of_the_boxes_uses_up_the_room(seed: int) -> None:
    """After every split along a walk, both constraints hold with all places anywhere in their boxes at once."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 5))
    account = Account(rng, size)
    assert account.review(anew=True)
    splits = 1
    for _ in range(60):
        own = account.slot[0]
        low, high = account.boxes[joint.PRICES, own, joint.LOW], account.boxes[joint.PRICES, own, joint.HIGH]
        assert (low <= account.now[:, joint.PRICE]).all()
        assert (account.now[:, joint.PRICE] <= high).all()
        classes = account.boxes[1:, own].transpose(1, 0, 2)
        limit = classes[:, :, joint.LIMIT]
        most = np.where(limit < np.inf, limit, 0.0)
        floor, ceiling = classes[:, 1:, joint.FLOOR], classes[:, 1:, joint.CEILING]  # the first class has no level
        level = account.now[:, joint.LEVEL :]
        assert ((floor <= level) & (level <= ceiling)).all()
        floor, ceiling = np.maximum(floor, 0.0), np.minimum(ceiling, 0.5)
        for _ in range(30):
            corner, end = rng.random(size), rng.random((size, joint.EXPIRIES))
            corner = np.where(rng.random(size) < 0.7, np.round(corner), corner)
            end = np.where(rng.random(end.shape) < 0.7, np.round(end), end)
            upper, lower = account.rooms(low + (high - low) * corner, most, floor + (ceiling - floor) * end)
            assert upper >= -1e-9
            assert lower >= -1e-9
        u = int(rng.integers(size))
        account.now[u, joint.PRICE] = np.clip(account.now[u, joint.PRICE] * np.exp(rng.normal(0.0, 0.001)), 91.0, 109.0)
        account.now[u, joint.DRIFT + int(rng.integers(joint.CLASSES))] = rng.exponential(1e-4)
        account.now[u, joint.LEVEL + int(rng.integers(joint.EXPIRIES))] += rng.normal(0.0, 5e-4)
        splits += account.review()
        if not account.review():
            break
    assert splits > 1


@pytest.mark.parametrize("what", ["radius", "price", "room", "drift", "level", "span"])
def test_what_is_beyond_has_to_be_evaluated(what: str) -> None:
    """A price beyond the radius or not a number, too little room, drifts and levels without end leave all as it was."""
    account = Account(np.random.default_rng(3), 2)
    assert account.review(anew=True)
    account.curves[account.slot[0], joint.EXPOSED] = 10.0
    of = account.levels(account.slot[0, 1])
    of[2, levels.UP :] = 1e-6, 0.0, 0.0, 1e-6
    account.now[1, joint.LEVEL + 2] = 0.2 * (1.0 + 0.99 * levels.relative_span(0.1))
    assert account.review(anew=True)
    before = account.boxes.copy()
    if what == "room":
        account.cover[0, joint.UPPER_FIXED] -= 0.999
    elif what == "drift":
        account.now[1, joint.DRIFT] = np.inf
    elif what == "level":
        account.now[1, joint.LEVEL + 2] = np.nan
    elif what == "span":
        account.now[1, joint.LEVEL + 2] = 0.2 * (1.0 + 1.01 * levels.relative_span(0.1))
    else:
        account.now[0, joint.PRICE] = 111.0 if what == "radius" else np.nan
    assert not account.review()
    assert np.array_equal(account.boxes, before)


@pytest.mark.parametrize("how", ["void", "anew"])
def test_what_does_not_concern_an_account_any_more_has_no_bounds(how: str) -> None:
    """Other curves cost nothing where the ones before did: nobody is looked at for that class again."""
    account = Account(np.random.default_rng(4), 2)
    assert account.review(anew=True)
    for s in account.slot[0]:
        account.curves[s, joint.EXPOSED : joint.LEVELS_AT] = 1.0
        account.levels(s)[:, levels.UP :] = 1e-3
    assert account.review(anew=True)
    bounds = account.boxes[1:, account.slot[0]]
    assert np.isfinite(bounds[:, :, joint.LIMIT]).all()
    assert np.isfinite(bounds[1:]).all()
    for s in account.slot[0]:
        if how == "void":
            joint.void(s, account.curves, account.boxes)
            account.curves[s, joint.RADIUS] = 0.1
        account.curves[s, joint.EXPOSED : joint.LEVELS_AT] = 0.0
        account.levels(s)[:, levels.UP :] = 0.0
    assert account.review(anew=how == "anew")
    assert np.isinf(account.boxes[1:, account.slot[0]]).all()


@pytest.mark.parametrize("seed", range(20))
def test_levels_that_come_back_give_the_room_back(seed: int) -> None:
    """After a walk of levels and a way home the boxes are those of the beginning, but for shares that are learnt."""
    rng = np.random.default_rng(seed)
    account = Account(rng, int(rng.integers(1, 4)))
    assert account.review(anew=True)
    boxes, cover = account.boxes.copy(), account.cover.copy()
    assert account.review()
    before, level = account.boxes.copy(), account.now[:, joint.LEVEL :].copy()
    for _ in range(20):
        step = rng.normal(0.0, 1e-4, level.shape)
        account.now[:, joint.LEVEL :] += step
        assert account.review()
    account.now[:, joint.LEVEL :] = level
    account.boxes[:], account.cover[0, joint.OF_LEVELS :] = boxes, cover[0, joint.OF_LEVELS :]
    assert account.review()
    assert np.allclose(before, account.boxes, rtol=1e-12)
