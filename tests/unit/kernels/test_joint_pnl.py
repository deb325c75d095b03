"""P&L over joint paths: the matrix, what accounts make of it, and their tails."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kernels import joint_pnl, path_pnl, scenarios, tail
from kernels._jit import Floats, Ints
from kernels._rows import Singles
from kernels.selection import buffer_length

PATHS = [1, 63, 64, 65, 127, 128, 129, 1000]
SINGLE = 2.0**-24  # relative rounding of float32


class Book:
    """Random P&L of instruments and accounts that hold some of them; the last account holds nothing."""

    def __init__(self, paths: int, rows: int = 17, accounts: int = 23) -> None:
        draw = np.random.default_rng(paths)
        self.pnl = draw.standard_t(4.0, (rows, paths)) * np.geomspace(1.0, 1e5, rows)[:, np.newaxis]
        held = [*draw.integers(1, 30, accounts - 1), 0]
        self.indptr = np.concatenate([[0], np.cumsum(held)]).astype(np.int64)
        self.row = draw.integers(0, rows, self.indptr[-1])
        self.quantity = draw.normal(size=self.row.size) * 10.0
        self.matrix = joint_pnl.empty_matrix(rows, paths)
        joint_pnl.store(self.pnl, 0, self.matrix)

    def exact(self) -> tuple[Floats, Floats]:
        """Results in float64, and the sums of absolute terms that errors are relative to."""
        spans = list(zip(self.indptr[:-1], self.indptr[1:], strict=True))
        terms = self.quantity[:, np.newaxis] * self.pnl[self.row]
        return (
            np.array([terms[a:z].sum(axis=0) for a, z in spans]),
            np.array([np.abs(terms[a:z]).sum(axis=0) for a, z in spans]),
        )

    def results(self) -> Singles:
        """Results of the kernel."""
        out = np.full((self.indptr.size - 1, self.pnl.shape[1]), 7.0, dtype=np.float32)
        joint_pnl.results(self.indptr, self.row, self.quantity, self.matrix, out)
        return out

    def tails(self, end: tail.Tail, batch: int, indptr: Ints | None = None) -> tuple[Floats, Floats]:
        """Tails of the kernel with so many accounts in a batch."""
        segments = self.indptr if indptr is None else indptr
        var, es = np.empty(segments.size - 1), np.empty(segments.size - 1)
        buffers = np.empty((batch, buffer_length(end.rank)), dtype=np.float32)
        joint_pnl.account_tails(
            segments, self.row, self.quantity, self.matrix, self.pnl.shape[1], end.rank, end.size, buffers, var, es
        )
        return var, es


@pytest.mark.parametrize("paths", PATHS)
def test_results_are_the_sums_within_the_error_told(paths: int) -> None:
    """A result differs from float64 by at most 6e-8 (n + 2) times the sum of its absolute terms."""
    book = Book(paths)
    exact, absolute = book.exact()
    n = np.diff(book.indptr)[:, np.newaxis]
    assert (np.abs(book.results() - exact) <= SINGLE * (n + 2) * absolute).all()


@pytest.mark.parametrize("paths", PATHS)
@pytest.mark.parametrize("batch", [1, 7, 23, 100])
def test_tails_are_those_of_the_results(paths: int, batch: int) -> None:
    """Whatever the batch, value at risk and shortfall are to the bit those of the results written out."""
    book = Book(paths)
    results = book.results()
    for confidence in (0.5, 0.95, 0.99):
        end = tail.tail_of(paths, confidence)
        var, es = np.empty(len(results)), np.empty(len(results))
        tail.tails_single(results, end.rank, end.size, np.empty(buffer_length(end.rank), dtype=np.float32), var, es)
        found = book.tails(end, batch)
        assert found[0].tolist() == var.tolist()
        assert found[1].tolist() == es.tolist()


@pytest.mark.parametrize("order", [1, -1])
def test_paths_in_the_order_of_their_results_cost_a_second_look_and_nothing_else(order: int) -> None:
    """Dates in a trend mislead the guess of the limit; the figures stay those of the definition."""
    book, end = Book(3000), tail.tail_of(3000, 0.95)
    book.pnl = np.ascontiguousarray(np.sort(book.pnl, axis=1)[:, ::order])
    book.quantity = np.abs(book.quantity)
    joint_pnl.store(book.pnl, 0, book.matrix)
    var, es = book.tails(end, 7)
    losses = -np.sort(book.results().astype(np.float64), axis=1)[:, : end.rank]
    assert var.tolist() == losses[:, -1].tolist()
    assert es == pytest.approx(losses.mean(axis=1), rel=1e-14)


def test_parts_of_the_accounts_make_the_whole() -> None:
    """Accounts can be taken in parts, by threads or on touch: an account's figures do not depend on the others."""
    book = Book(1000)
    end = tail.tail_of(1000, 0.975)
    whole = book.tails(end, 8)
    parts = [book.tails(end, 8, book.indptr[start : start + 6].copy()) for start in range(0, 23, 5)]
    assert np.concatenate([var for var, _ in parts]).tolist() == whole[0].tolist()
    assert np.concatenate([es for _, es in parts]).tolist() == whole[1].tolist()


def test_a_shortfall_is_that_of_float64_within_a_millionth() -> None:
    """Over 10,000 paths rounding to float32 hardly shows in the mean of the tail."""
    book = Book(10_000)
    exact, _ = book.exact()
    end = tail.tail_of(10_000, 0.975)
    _, es = book.tails(end, 23)
    losses = -np.sort(exact, axis=1)[:, : end.rank].mean(axis=1)
    assert es == pytest.approx(losses, rel=1e-6)


def test_a_missing_element_is_seen_by_all_who_hold_it() -> None:
    """A NaN of one instrument on one path makes the tails of its holders NaN, and of nobody else."""
    book = Book(1000)
    whole = book.tails(tail.tail_of(1000, 0.99), 5)
    book.pnl[3, 777] = math.nan
    joint_pnl.store(book.pnl, 0, book.matrix)
    var, es = book.tails(tail.tail_of(1000, 0.99), 5)
    for a, (first, last) in enumerate(zip(book.indptr[:-1], book.indptr[1:], strict=True)):
        if 3 in book.row[first:last]:
            assert math.isnan(var[a])
            assert math.isnan(es[a])
        else:
            assert (var[a], es[a]) == (whole[0][a], whole[1][a])


def test_an_account_without_positions_risks_nothing() -> None:
    """Its results are zero on every path."""
    var, es = Book(100).tails(tail.tail_of(100, 0.9), 4)
    assert (var[-1], es[-1]) == (0.0, 0.0)


def test_the_matrix_begins_at_a_cache_line() -> None:
    """Loads across two lines cost twice, so the first element is aligned and blocks follow each other."""
    for rows, paths in ((1, 1), (3, 200), (10, 128)):
        matrix = joint_pnl.empty_matrix(rows, paths)
        assert matrix.ctypes.data % 64 == 0
        assert matrix.shape == (-(-paths // 128), rows, 128)
        assert matrix.flags.c_contiguous
        assert not matrix.any()


def test_what_does_not_fit_is_refused() -> None:
    """Compiled loops read whatever lies behind an array."""
    book, end = Book(200), tail.tail_of(200, 0.9)
    with pytest.raises(ValueError, match="instruments and paths"):
        joint_pnl.empty_matrix(-1, 10)
    with pytest.raises(ValueError, match="instruments and paths"):
        joint_pnl.empty_matrix(1, 0)
    with pytest.raises(ValueError, match="rows"):
        joint_pnl.store(book.pnl, 1, book.matrix)
    with pytest.raises(ValueError, match="rows"):
        joint_pnl.store(book.pnl, -1, book.matrix)
    with pytest.raises(ValueError, match="paths"):
        joint_pnl.store(np.zeros((1, 300)), 0, book.matrix)
    with pytest.raises(ValueError, match="paths"):
        joint_pnl.check_paths(book.matrix, 128)
    out, buffers = np.empty((23, 200), dtype=np.float32), np.empty((4, buffer_length(end.rank)), dtype=np.float32)
    money = np.empty(23)
    with pytest.raises(ValueError, match="does not exist"):
        joint_pnl.results(book.indptr, book.row + 1, book.quantity, book.matrix, out)
    with pytest.raises(ValueError, match="per account"):
        joint_pnl.results(book.indptr, book.row, book.quantity, book.matrix, out[:5])
    given = (book.indptr, book.row, book.quantity, book.matrix)
    with pytest.raises(ValueError, match="paths"):
        joint_pnl.account_tails(*given, 300, end.rank, end.size, buffers, money, money)
    with pytest.raises(ValueError, match="rank and size"):
        joint_pnl.account_tails(*given, 200, 0, end.size, buffers, money, money)
    with pytest.raises(ValueError, match="buffer"):
        joint_pnl.account_tails(*given, 200, 200, 200.0, buffers, money, money)
    with pytest.raises(ValueError, match="buffers"):
        joint_pnl.account_tails(*given, 200, end.rank, end.size, buffers[:0], money, money)
    with pytest.raises(ValueError, match="outputs"):
        joint_pnl.account_tails(*given, 200, end.rank, end.size, buffers, money, money[:5])


class Listing:
    """Forty instruments of all kinds, some within their settlement window."""

    def __init__(self, n: int = 40) -> None:
        draw = np.random.default_rng(11)
        self.kind, self.is_call = np.arange(n) % 5, draw.random(n) < 0.5
        self.size, self.strike = draw.uniform(0.5, 2.0, n), draw.uniform(50.0, 150.0, n)
        self.price = draw.uniform(90.0, 110.0, n)
        self.fixed = np.where(draw.random(n) < 0.3, draw.uniform(0.0, 0.9, n) * self.price, 0.0)
        self.funding = np.where((self.kind == 1) | (self.kind == 2), draw.normal(size=n) * 1e-4, 0.0)
        self.years, self.vol = draw.uniform(0.0, 1.0, n), draw.uniform(0.3, 1.0, n)
        self.years[3] = 0.0

    def revalued(self, move: Floats, vol_move: Floats, vol_scale: Floats, index_price: float = 100.0) -> Singles:
        """P&L by row and path."""
        n, before = self.kind.size, 2
        matrix = joint_pnl.empty_matrix(n + before, move.size)
        path_pnl.revalue(
            self.kind, self.is_call, self.size, self.strike, self.price, self.fixed, self.funding, self.years, self.vol,
            vol_scale, index_price, move, vol_move, before, matrix,
        )  # fmt: skip
        assert not matrix[:, :before].any()
        return np.ascontiguousarray(matrix[:, before:].transpose(1, 0, 2).reshape(n, -1)[:, : move.size])

    def scenarios(self, move: Floats, vol: Floats, index_price: float = 100.0) -> tuple[Floats, Floats]:
        """P&L of the scenario kernel under the same moves, volatility unshocked, and unit values."""
        n = self.kind.size
        pnl, rest = np.empty((n, move.size)), np.empty((3, n))
        scenarios.risk_array(
            self.kind, self.is_call, self.size, self.strike, self.price, self.fixed, self.funding, self.years, vol,
            index_price, move, move, np.zeros(move.size, dtype=np.int64), np.ones(move.size),
            0.5, 0.2, 0.5, 0.3, 0.13, 1.0, pnl, rest[0], rest[1], rest[2],
        )  # fmt: skip
        return pnl, rest[0]


@pytest.mark.parametrize("paths", [1, 128, 200])
def test_paths_revalue_as_scenarios_do(paths: int) -> None:
    """With volatilities at rest a path is a scenario of its move, for every kind of instrument."""
    listing = Listing()
    move = np.random.default_rng(12).uniform(-0.6, 0.9, paths)
    found = listing.revalued(move, np.zeros(paths), np.ones(40))
    want, _ = listing.scenarios(move, listing.vol)
    assert np.abs(found - want).max() <= 2e-5
    assert found == pytest.approx(want, rel=1e-6, abs=1e-12)


def test_a_volatility_moves_by_its_own_scale() -> None:
    """It becomes vol (1 + scale v), not below zero: a path without a price move is the difference of two values."""
    listing = Listing()
    scale = np.random.default_rng(13).uniform(0.2, 2.0, 40)
    for v in (0.3, -0.2, -5.0):
        found = listing.revalued(np.zeros(1), np.array([v]), scale)[:, 0]
        moved = listing.scenarios(np.zeros(1), np.maximum(listing.vol * (1.0 + scale * v), 0.0))[1]
        want = moved - listing.scenarios(np.zeros(1), listing.vol)[1]
        options = listing.kind >= scenarios.LINEAR_OPTION
        assert found[options] == pytest.approx(want[options], rel=1e-6, abs=1e-9)
        assert not found[~options].any()


def test_rows_and_paths_that_are_no_numbers_are_nan() -> None:
    """A row without a price is NaN throughout, a path with a missing move NaN for what it moves."""
    listing = Listing()
    listing.price[[1, 3]] = math.nan, -1.0
    listing.vol[8], listing.years[9], listing.kind[10], listing.fixed[11] = math.nan, math.inf, 9, 1e9
    move, vol_move = np.array([0.1, math.nan, 0.0]), np.array([0.0, 0.0, math.nan])
    found = listing.revalued(move, vol_move, np.ones(40))
    assert np.isnan(found[[1, 3, 8, 9, 10, 11]]).all()
    fine = np.setdiff1d(np.arange(40), [1, 3, 8, 9, 10, 11])
    assert not np.isnan(found[fine, 0]).any()
    assert np.isnan(found[fine, 1]).all()
    options = fine[listing.kind[fine] >= scenarios.LINEAR_OPTION]
    assert np.isnan(found[options, 2]).all()
    assert np.isnan(Listing().revalued(np.zeros(1), np.zeros(1), np.ones(40), index_price=0.0)).all()


def test_revaluing_refuses_what_does_not_fit() -> None:
    """Arrays of other lengths and matrices of other sizes are errors of the caller."""
    listing, move = Listing(), np.zeros(10)
    with pytest.raises(ValueError, match="one length"):
        listing.revalued(move, move, np.ones(39))
    with pytest.raises(ValueError, match="moves"):
        listing.revalued(move, np.zeros(9), np.ones(40))
    listing.size = listing.size[:-1]
    with pytest.raises(ValueError, match="one length"):
        listing.revalued(move, move, np.ones(40))
