"""`breaches` and `preview`: one sweep over the book says what each account's own view says."""

from __future__ import annotations

import msgspec
import pytest

from monitor.answers import view as views
from monitor.answers.book_apart import Part, breaches_apart, market_of, merged, part_of, preview_apart, slim
from monitor.answers.book_wide import ORDER, Breaches, breaches, preview
from monitor.answers.figures import standing_of
from monitor.answers.shock import MARKET, RefusedShock, Shock, shocked
from monitor.engine import State, new_state, open_shard, step
from monitor.engine import status as machine
from tests.engine_market import Log, random_market

ACCOUNTS = tuple(f"acc{n}" for n in range(12))


@pytest.fixture(scope="module")
def state() -> State:
    """Return a book without certificates after some hours."""
    state, log = new_state(certificates=False), Log()
    open_shard(state, 0, None, [], partitions=1, epoch=1)
    step(state, [log(record) for record in random_market(4, 300, ACCOUNTS, 40)])
    return state


def standing_in_a_view(view: views.View) -> str:
    """Return the standing by a book of one account."""
    bits = view.book().conditions(view.account.name)
    return standing_of(bits if bits == machine.UNKNOWN else bits & ~machine.HELD)


def copied(state: State, names: tuple[str, ...] = ACCOUNTS) -> Part:
    """Return copies of accounts as a worker lends them."""
    accounts = [slim(state.shards[0].accounts[name]) for name in names]
    return part_of(market_of(accounts, state.market), accounts)


def close(one: Breaches, other: Breaches) -> bool:
    """Whether two answers are the same, figures to 1e-12."""
    assert (one.market_time_us, one.accounts) == (other.market_time_us, other.accounts)
    assert (one.before, one.after) == (other.before, other.after)
    for first, second in zip(one.breaches, other.breaches, strict=True):
        assert (first.account, first.before, first.after) == (second.account, second.before, second.after)
        for field in ("equity_usd", "im_requirement_usd", "mm_requirement_usd"):
            assert getattr(first, field) == pytest.approx(getattr(second, field), rel=1e-12), field
    return True


def test_parts_are_put_together(state: State) -> None:
    """What two workers say of their accounts is together what one says of all."""
    shock = Shock(moves={MARKET: -0.35})
    parts = [breaches_apart(copied(state, ACCOUNTS[half::2]), shock) for half in (0, 1)]
    assert close(merged(parts), breaches(state, shock))


@pytest.mark.parametrize(
    "shock",
    [Shock(moves={"BTC": -0.07}, vol=0.3), Shock(moves={MARKET: -0.35}), Shock(moves={"ETH": 0.8}), Shock(stress=1.0)],
)
def test_a_sweep_says_what_each_view_says(state: State, shock: Shock) -> None:
    """Who breaches, and by how much, is what a shocked view of each account says; the book is as before afterwards."""
    before = {name: (state.book.conditions(name), state.book.figures(name)) for name in ACCOUNTS}
    found = breaches(state, shock)
    assert close(breaches_apart(copied(state), shock), found)
    assert {name: (state.book.conditions(name), state.book.figures(name)) for name in ACCOUNTS} == before
    listed = {one.account: one for one in found.breaches}
    for name in ACCOUNTS:
        view = views.take(state, name, also=("BTC", "ETH"))
        other = shocked(view, shock)
        now, then = standing_in_a_view(view), standing_in_a_view(other)
        worse = ORDER.index(then) > ORDER.index(now) and ORDER.index(then) >= ORDER.index("warning")
        assert (name in listed) == worse, (name, now, then)
        if worse:
            equity, im, _ = other.book().figures(name)
            assert listed[name].after == then
            assert listed[name].equity_usd == pytest.approx(equity, rel=1e-12)
            assert listed[name].im_requirement_usd == pytest.approx(im, rel=1e-12)
    assert sum(found.after.values()) == found.accounts == len(ACCOUNTS)


def test_new_parameters_in_shadow(state: State) -> None:
    """Who would be called under a new set is what each view says under it, and the set is not in force afterwards."""
    active = state.market.parameters.get("default")
    assert active is not None
    matrix = msgspec.structs.replace(active.set.risk_matrix, price_range=0.6)
    strict = msgspec.structs.replace(
        active.set, risk_matrix=matrix, underlyings={},
        netting=msgspec.structs.replace(active.set.netting, ranges="fixed"),
    )  # fmt: skip
    before = {name: (state.book.conditions(name), state.book.figures(name)) for name in ACCOUNTS}
    found = preview(state, strict)
    assert close(preview_apart(copied(state), strict), found)
    assert {name: (state.book.conditions(name), state.book.figures(name)) for name in ACCOUNTS} == before
    assert found.breaches
    listed = {one.account: one for one in found.breaches}
    for name in ACCOUNTS:
        view = views.take(state, name)
        if view.account.config.parameter_set != "default":
            assert name not in listed
            continue
        now, then = standing_in_a_view(view), standing_in_a_view(view.with_set(strict))
        assert (name in listed) == (ORDER.index(then) > ORDER.index(now) and then != "healthy"), (name, now, then)


def test_a_shock_without_a_price_is_refused(state: State) -> None:
    """A coin that nobody publishes cannot be shocked."""
    with pytest.raises(RefusedShock):
        breaches(state, Shock(moves={"XYZ": -0.1}))


def test_a_certified_book_is_refused() -> None:
    """A book that looks at accounts only when it has to cannot be asked in place."""
    state = new_state()
    with pytest.raises(ValueError, match="certificates"):
        breaches(state, Shock())
