"""`sum_checked`: the opened sum is the plain one, bit for bit, and whoever is out of bounds is named and left out."""

import numpy as np
import pytest

from potluck.core.rounds import Abort
from support.mpc.spu_rig import Limit, expected, summed

TOP, LOW = 2**63 - 1, -(2**63)


def test_the_sum_is_the_plain_sum_and_wraps_as_it_does(protocol):
    name, engines = protocol
    vectors = [[1, -2, 2**62 - 1, -(2**62) + 1], [5, 7, 2**62 - 1, -(2**62) + 1], [0, -1, 2**62 - 1, -(2**62) + 1]]
    parts = [Limit(4, 2**62 - 1)]
    found = summed(engines, name, vectors, parts)
    assert found == expected(vectors, parts)
    assert found[1] == [1, 1, 1]


@pytest.mark.parametrize(
    "bound",
    [
        1000,
        pytest.param(2**62 - 1, marks=pytest.mark.slow),
        *(pytest.param(one, marks=pytest.mark.slow) for one in (0, 1, 2**31)),
    ],
)
def test_one_step_beyond_the_bound_is_refused_anywhere_in_the_ring(protocol, bound):
    name, engines = protocol
    edges = [0, bound, -bound, bound + 1, -bound - 1, TOP, LOW, LOW + 1, LOW + bound, TOP - bound, LOW + bound - 1]
    vectors = [[edge] for edge in edges if LOW <= edge <= TOP]
    found = summed(engines, name, vectors, [Limit(1, bound)])
    assert found == expected(vectors, [Limit(1, bound)])
    assert sum(found[1]) == 3


def test_squares_that_wrap_to_a_small_norm_are_refused(aby3):
    """2^32 squared is 0 mod 2^64, and four times 2^31 squared is, too."""
    vectors = [[2**32, 0, 0, 0], [2**31] * 4, [3, 4, 0, 0], [LOW, LOW, 0, 0], [5, 1, 0, 0]]
    parts = [Limit(4, 2**40, 5)]
    assert all(sum(v * v for v in vector) % 2**64 <= 25 for vector in vectors[:4])
    found = summed(aby3, "ABY3", vectors, parts)
    assert found == expected(vectors, parts)
    assert found[1] == [0, 0, 1, 0, 0]


@pytest.mark.slow
def test_norms_whose_squares_do_not_fit_at_once_are_exact_up_to_30_bits(aby3):
    norm = 2**30 - 1
    side = norm // 10
    exact, over = [side] * 100, [side] * 99 + [side + 10 * 9]
    assert sum(v * v for v in exact) <= norm**2 < sum(v * v for v in over)
    vectors = [exact, over, [norm] + [0] * 99, [norm, 1] + [0] * 98, [2**30 - 2] * 100]
    parts = [Limit(100, 2**62 - 1, norm)]
    assert 100 * norm**2 > 2**63
    assert summed(aby3, "ABY3", vectors, parts) == expected(vectors, parts)


@pytest.mark.parametrize(
    "norm", [2**40 + 12345, *(pytest.param(one, marks=pytest.mark.slow) for one in (2**31, 2**61))]
)
def test_longer_norms_refuse_no_honest_vector_and_bear_a_stated_excess(aby3, norm):
    length = 16
    side = norm // 4
    honest, near, beyond = [side] * length, [-side] * length, [side + side // 2**24 + 2**8] * length
    assert sum(v * v for v in honest) <= norm**2
    assert sum(v * v for v in beyond) > (norm * (1 + 2**-27 * length**0.5)) ** 2
    vectors = [honest, near, beyond, [norm] + [0] * 15, [TOP] + [0] * 15, [LOW] * 16]
    total, kept = summed(aby3, "ABY3", vectors, [Limit(length, 2**62 - 1, norm)])
    assert kept == [1, 1, 0, 1, 0, 0]
    assert total == [sum(v[i] for v in (vectors[0], vectors[1], vectors[3])) % 2**64 for i in range(length)]


def test_parts_have_bounds_of_their_own_and_one_fault_refuses_the_whole_site(aby3):
    parts = [Limit(2, 10), Limit(3, 100, 100), Limit(1, 5)]
    vectors = [[10, -10, 60, 80, 0, 5], [10, -10, 60, 80, 1, 5], [11, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, -6]]
    found = summed(aby3, "ABY3", vectors, parts)
    assert found == expected(vectors, parts)
    assert found[1] == [1, 0, 0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_random_vectors_and_bounds_agree_with_plain_integers(aby3, count):
    rng = np.random.default_rng(7)
    for _ in range(count):
        length, sites = int(rng.integers(1, 60)), int(rng.integers(1, 6))
        norm, bound = int(2 ** rng.uniform(1, 29.9)), int(2 ** rng.uniform(1, 40))
        vectors = []
        for _ in range(sites):
            way = rng.standard_normal(length)
            far = rng.choice([0.5, 0.99, 1.01, 4]) * norm / np.linalg.norm(way)
            vectors.append([int(value) for value in way * far])
        parts = [Limit(length, bound, norm)]
        assert summed(aby3, "ABY3", vectors, parts) == expected(vectors, parts)


@pytest.mark.slow
@pytest.mark.parametrize(("length", "sites"), [(20_000, 3), pytest.param(100_000, 10, marks=pytest.mark.slow)])
def test_a_whole_model_of_many_sites(aby3, length, sites):
    rng = np.random.default_rng(3)
    vectors = rng.integers(-(2**16), 2**16, (sites, length), endpoint=True)
    vectors[1, 17] = 2**16 + 1
    vectors[2, :] = 2**16
    norm = int(0.8 * 2**16 * length**0.5)  # uniform elements have 0.58 of that root, the third site has all of it
    parts = [Limit(length, 2**16, norm)]
    rows = [row.tolist() for row in vectors]
    found = summed(aby3, "ABY3", rows, parts)
    assert found == expected(rows, parts)
    assert found[1] == [1, 0, 0] + [1] * (sites - 3)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        pytest.param({"sites": 2, "parts": [[1, 1, 2**62]]}, "norm must be", marks=pytest.mark.slow),
        ({"sites": 64, "parts": [[2**26, 1, 0]]}, "too many elements"),
        *(
            pytest.param(numbers, words, marks=pytest.mark.slow)
            for numbers, words in (
                ({"sites": 0, "parts": [[1, 1, 0]]}, "sites must be a whole number"),
                ({"sites": 65, "parts": [[1, 1, 0]]}, "sites must be a whole number"),
                ({"sites": True, "parts": [[1, 1, 0]]}, "sites must be a whole number"),
                ({"sites": 2, "parts": []}, "parts must be a list"),
                ({"sites": 2, "parts": [[1, 1]]}, "a part is a length, a bound and a norm"),
                ({"sites": 2, "parts": [[0, 1, 0]]}, "length must be"),
                ({"sites": 2, "parts": [[1, 2**62, 0]]}, "bound must be"),
                ({"sites": 2, "parts": [[1, 1.5, 0]]}, "bound must be"),
            )
        ),
    ],
)
def test_numbers_that_the_check_could_not_keep_are_refused_when_it_is_made(compiler, numbers, words):
    with pytest.raises(Abort, match=words):
        compiler.compile("ABY3", "sum_checked", numbers)
