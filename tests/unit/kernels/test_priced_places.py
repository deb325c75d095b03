"""An account that is priced by itself, against the tables of its columns."""

from __future__ import annotations

import numpy as np
import pytest

from kernels import move_losses
from kernels._jit import Floats
from kernels.certificates import book, priced_places
from tests import certificate_books as books


def contracts(coin: books.Coin) -> Floats:
    """What is known of each row apart from the index, as the book keeps it."""
    found = np.zeros((len(coin.kind), book.FIELDS))
    columns = {
        book.KIND: coin.kind, book.IS_CALL: coin.is_call, book.SIZE: coin.size, book.STRIKE: coin.strike,
        book.BASIS: coin.basis, book.FUNDING: coin.funding, book.YEARS: coin.years, book.CODE: coin.code,
        book.LOW: coin.lo, book.HIGH: coin.hi,
    }  # fmt: skip
    for field, values in columns.items():
        found[:, field] = values
    found[:, book.SHARE] = 1.0
    found[:, book.SURFACE :] = coin.parameters
    return found


@pytest.mark.parametrize("seed", range(24))
def test_contracts_by_themselves_are_priced_as_a_column_prices_them(seed: int) -> None:
    """P&L, losses and values of an account priced by itself are those of its column's table to the last bit."""
    rng = np.random.default_rng(seed)
    coins = int(rng.integers(1, 4))
    world = books.world(rng, coins)
    for u, coin in enumerate(world.coins):
        held = books.held(rng, world, u, int(rng.integers(1, 12)))
        pnl, value, delta, _ = coin.priced()
        table, size = coin.table, len(held.rows)
        scenario = np.array(
            [table.move, table.linear_move, table.vol_direction.astype(float), table.weight, coin.move_number]
        )
        market = np.concatenate([[coin.index], books.SHOCKS])
        found, losses = np.empty((size, len(table.move))), np.empty(coin.width)
        worth = priced_places.value_place(
            contracts(coin), held.rows, held.quantity, scenario, market, np.zeros(size, np.int64),
            np.zeros(size, np.bool_), np.zeros((book.PRICED, size)), np.zeros(size, np.int64), np.zeros((size, 5)),
            found, coin.side, losses,
        )  # fmt: skip
        one, net, curve = np.empty(1), np.empty(1), np.empty((1, coin.width))
        move_losses.evaluate(
            np.array([0, size]), held.rows, held.quantity, pnl, value, delta, coin.side, one, net, curve
        )
        assert np.array_equal(found, pnl[held.rows])
        assert np.array_equal(losses, curve[0])
        assert worth == one[0]
