"""Random numbers by position, and what is drawn from them."""

from __future__ import annotations

import math
import subprocess
import sys

import mpmath
import numpy as np
import pytest

from kernels._jit import Floats
from kernels.joint import draws, philox, quantiles
from tests.support import ROOT

mp = mpmath.mp.clone()
mp.dps = 40


def words(counter: list[int], key: list[int]) -> list[int]:
    out = np.empty(4, dtype=np.uint64)
    philox.words(np.array(counter, dtype=np.uint64), np.array(key, dtype=np.uint64), out)
    return [int(word) for word in out]


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_the_generator_is_philox(counter: list[int], key: list[int], expected: list[int]) -> None:
    """Three vectors that its authors publish for four words of 32 bits and ten rounds."""
    assert words(counter, key) == expected


def test_uniform_numbers_are_made_of_two_words_each() -> None:
    """Number i is half of counter i // 2, in odd multiples of 2^-53, under the key of its seed."""
    seed, stream = 0x1234_5678_9ABC_DEF0, 0x0FED_CBA9_8765_4321
    out = np.empty(5)
    philox.uniforms(np.uint64(seed), np.uint64(stream), out)
    for i, u in enumerate(out.tolist()):
        four = words([i // 2, 0, stream & 0xFFFFFFFF, stream >> 32], [seed & 0xFFFFFFFF, seed >> 32])
        high, low = four[2 * (i % 2) : 2 * (i % 2) + 2]
        assert u == (2 * ((high << 32 | low) >> 12) + 1) * 2.0**-53
        assert 1.0 - (1.0 - u) == u


def probabilities() -> Floats:
    random = np.random.default_rng(5)
    tails = 10.0 ** -random.uniform(0.0, 15.9, 600)
    return np.concatenate([random.uniform(size=600), tails, 1.0 - 10.0 ** -random.uniform(0.0, 12.0, 200), [2.0**-53]])


def test_logarithms_are_those_of_forty_digits() -> None:
    """The relative error is below 4e-16, also near 1, where a logarithm is small."""
    x = np.concatenate([probabilities(), 1.0 + np.geomspace(1e-12, 1e12, 500)])
    out = np.empty_like(x)
    quantiles.logarithms(x, out)
    for value, found in zip(x.tolist(), out.tolist(), strict=True):
        exact = mp.log(mp.mpf(value))
        assert abs(mp.mpf(found) - exact) <= mp.mpf("4e-16") * abs(exact)


def test_quantiles_are_those_of_forty_digits() -> None:
    """The relative error is below 1e-15 from the middle to the farthest number that can be drawn."""
    p = probabilities()
    out = np.empty_like(p)
    quantiles.normal_quantiles(p, out)
    for probability, found in zip(p.tolist(), out.tolist(), strict=True):
        exact = mp.sqrt(2) * mp.erfinv(2 * mp.mpf(probability) - 1)
        assert abs(mp.mpf(found) - exact) <= mp.mpf("1e-15") * abs(exact)


def farthest(x: Floats, distribution: object) -> float:
    """Return the largest distance of a sample's distribution from another, times the root of its size."""
    n = x.size
    exact = np.array([float(distribution(mp.mpf(v))) for v in np.sort(x)])  # type: ignore[operator]
    steps = np.arange(n + 1) / n
    return float(max(np.abs(exact - steps[1:]).max(), np.abs(exact - steps[:-1]).max())) * math.sqrt(n)


@pytest.mark.parametrize("name", ["index:BTC", "volatility:BTC", "basis:ETH:3"])
def test_normal_numbers_are_normal(name: str) -> None:
    """The distance of Kolmogorov and Smirnov stays below its 99.9 % point, 1.95."""
    assert farthest(draws.normals(7, name, 4_000, antithetic=False), mp.ncdf) < 1.95


@pytest.mark.parametrize("nu", [3, 4, 7])
def test_mixed_numbers_are_student_t_of_variance_one(nu: int) -> None:
    """A normal number times the mixing variable, times sqrt(nu/(nu - 2)), has the distribution of Student."""
    x = draws.normals(7, "index:BTC", 4_000, antithetic=False) * draws.mixing(7, nu, 4_000, antithetic=False)

    def student(t: mpmath.mpf) -> mpmath.mpf:
        tail = mp.betainc(mp.mpf(nu) / 2, mp.mpf("0.5"), 0, nu / (nu + t * t), regularized=True) / 2
        return 1 - tail if t > 0 else tail

    assert farthest(x * math.sqrt(nu / (nu - 2.0)), student) < 1.95


def test_streams_of_two_names_know_nothing_of_each_other() -> None:
    """Correlations of 40 columns are within what 4,000 independent draws leave."""
    columns = np.array([draws.normals(3, f"index:{i}", 4_000, antithetic=False) for i in range(40)])
    correlation = np.corrcoef(columns) - np.eye(40)
    assert np.abs(correlation).max() < 4.5 / math.sqrt(4_000)


def test_antithetic_draws_come_in_pairs() -> None:
    """Every second draw is the one before with its sign changed, under the same mixing variable."""
    z, mixing = draws.normals(1, "index:BTC", 100, antithetic=True), draws.mixing(1, 4, 100, antithetic=True)
    assert (z[1::2] == -z[::2]).all()
    assert (mixing[1::2] == mixing[::2]).all()
    assert z[::2].tolist() == draws.normals(1, "index:BTC", 50, antithetic=False).tolist()


def test_a_draw_does_not_depend_on_how_many_are_drawn() -> None:
    """More draws are the same ones and others behind them."""
    assert (
        draws.normals(1, "a", 64, antithetic=False).tolist()
        == draws.normals(1, "a", 100, antithetic=False)[:64].tolist()
    )
    few, many = draws.mixing(1, 5, 64, antithetic=True), draws.mixing(1, 5, 100, antithetic=True)
    assert few.tolist() == many[:64].tolist()


def test_another_seed_or_name_draws_something_else() -> None:
    """Columns are by seed and name."""
    columns = [draws.normals(*key, 8, antithetic=False).tolist() for key in ((1, "a"), (1, "b"), (2, "a"))]
    assert columns[0] != columns[1] != columns[2] != columns[0]


def test_without_degrees_of_freedom_nothing_is_mixed() -> None:
    """Normal scenarios have the mixing variable 1."""
    assert draws.mixing(1, None, 4, antithetic=True).tolist() == [1.0] * 4


def test_what_has_no_meaning_is_refused() -> None:
    """Pairs are even, a variance needs three degrees of freedom, and nobody writes into draws."""
    with pytest.raises(ValueError, match="pairs"):
        draws.normals(1, "a", 3, antithetic=True)
    with pytest.raises(ValueError, match="three degrees"):
        draws.mixing(1, 2, 4, antithetic=False)
    with pytest.raises(ValueError, match="read-only"):
        draws.normals(1, "a", 4, antithetic=True)[0] = 0.0


def test_another_process_draws_the_same_bits() -> None:
    """Nothing of a process, such as its hash seed, is in a draw."""
    program = (
        "from kernels.joint import draws\n"
        "z, m = draws.normals(9, 'index:BTC', 256, True), draws.mixing(9, 5, 256, True)\n"
        "print(z.tobytes().hex() + m.tobytes().hex())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    here = draws.normals(9, "index:BTC", 256, antithetic=True), draws.mixing(9, 5, 256, antithetic=True)
    assert done.stdout.strip() == "".join(column.tobytes().hex() for column in here)


def test_plain_python_draws_the_same_bits() -> None:
    """The draws are arithmetic that every processor rounds alike: compiled or interpreted, nothing is fused."""
    program = (
        "import hashlib\n"
        "from kernels.joint import draws\n"
        "z, m = draws.normals(9, 'index:BTC', 64, True), draws.mixing(9, 5, 64, True)\n"
        "print(hashlib.sha256(z.tobytes() + m.tobytes()).hexdigest())"
    )
    environment = {"NUMBA_DISABLE_JIT": "1", "PATH": ""}
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT, env=env)
        for env in (None, environment)
    ]
    assert runs[0].stdout == runs[1].stdout
