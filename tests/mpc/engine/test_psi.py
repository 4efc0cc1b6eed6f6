"""An intersection is exactly the set of common keys, aligned at both sides, of any size and in any writing."""

import numpy as np
import pytest

from potluck.core.errors import DataError
from potluck.core.rounds import Abort
from potluck.core.spelling import normal
from potluck.engines.worker import Worker
from potluck.mpc.psi.keys import digests
from potluck.mpc.spu import BOTH, Spu
from support.mpc.spu_rig import intersected, ring


def sides(size, share):
    """Two lists of `size` keys with `share` of them in common, in orders that do not agree."""
    common = int(size * share)
    first = [(str(number),) for number in range(size)]
    second = [(str(number),) for number in range(size - common, 2 * size - common)]
    return first, second[::-1]


@pytest.fixture(scope="module")
def rr22(mpc_engine):
    with ring("RR22") as engines:
        yield engines


@pytest.fixture(scope="module")
def ecdh(mpc_engine):
    with ring("ECDH") as engines:
        yield engines


@pytest.fixture(params=["RR22", "ECDH"])
def either(request):
    """Linked engines for either protocol."""
    return request.getfixturevalue(request.param.lower())


def checked(engines, first, second):
    """Intersects, and holds it against Python's sets. Gives the size."""
    one, other = intersected(engines, first, second)
    mine = [tuple(map(normal, first[row])) for row in one]
    theirs = [tuple(map(normal, second[row])) for row in other]
    assert mine == theirs
    assert len(set(mine)) == len(mine)
    assert set(mine) == {tuple(map(normal, key)) for key in first} & {tuple(map(normal, key)) for key in second}
    return len(mine)


@pytest.mark.parametrize(
    "share", [pytest.param(0, marks=pytest.mark.slow), 0.5, pytest.param(1, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    "size", [10, 1000, pytest.param(100_000, marks=pytest.mark.slow), pytest.param(1_000_000, marks=pytest.mark.slow)]
)
def test_size_and_members_are_right(rr22, size, share):
    assert checked(rr22, *sides(size, share)) == int(size * share)


@pytest.mark.parametrize(
    "share", [pytest.param(0, marks=pytest.mark.slow), 0.5, pytest.param(1, marks=pytest.mark.slow)]
)
def test_so_they_are_by_elliptic_curves(ecdh, share):
    assert checked(ecdh, *sides(500, share)) == int(500 * share)


@pytest.mark.parametrize("sizes", [(0, 0), (0, 5), (5, 0), (1, 1000)])
def test_empty_and_lopsided_sides(either, sizes):
    first, second = ([(f"id{number}",) for number in range(size)] for size in sizes)
    assert checked(either, first, second) == min(sizes)


def test_any_writing_is_a_key(either):
    """What a CSV reader stumbles over, and one name in two of Unicode's forms."""
    odd = ["a,b", 'say "x"', "line\nbreak", "NULL", "0001", "1", "Zoë", "漢字", "😀", "a\x00b", "\u200b", "-1e5", "key"]
    first = [(word, "x") for word in odd]
    second = [(word, "x") for word in reversed(odd)] + [("Zoe", "x"), ("01", "x"), ("a", "bx")]
    assert checked(either, first, second) == len(odd)
    composed, apart = "Zo\u00eb", "Zoe\u0308"
    assert composed != apart
    assert checked(either, [(composed,)], [(apart + " ",)]) == 1


def test_columns_do_not_run_into_each_other():
    assert digests([("ab", "c")]) != digests([("a", "bc")])
    assert digests([("ab",)]) != digests([("ab", "x")])


def test_a_key_twice_is_refused_with_the_row_and_without_the_key():
    with pytest.raises(DataError) as caught:
        digests([("ann",), ("secret",), ("bo",), ("secret ",), ("secret",)], "the bank's keys")
    assert "rows whose key occurs before: 3, 4" in str(caught.value)
    assert "secret" not in str(caught.value)
    with pytest.raises(DataError, match="rows without a key: 1, 2"):
        digests([("ann", "x"), ("", "x"), (" ", "x")])
    with pytest.raises(DataError, match=r"0, 1, 2, 3, 4 and 3 more"):
        digests([("",)] * 8)


@pytest.mark.parametrize("receiver", [0, 1])
def test_only_the_receiver_learns_the_result(either, receiver):
    found = intersected(either, *sides(100, 0.5), receiver)
    assert [len(one) for one in found] == ([50, 0] if receiver == 0 else [0, 50])


@pytest.mark.slow
def test_two_processes_are_started_and_ended_for_one_intersection(mpc_engine):
    with ring("ECDH") as engines:
        found = intersected(engines, [("a",), ("b",)], [("b",), ("c",)])
    assert [one.tolist() for one in found] == [[1], [0]]


@pytest.mark.slow
def test_the_engine_itself_refuses_keys_that_occur_twice_and_protocols_that_compute(mpc_engine):
    with ring("ECDH") as engines, pytest.raises(Abort, match="a key occurs twice"):
        engines[0].intersect(bytes(32), BOTH).result()
    with ring("CHEETAH") as engines, pytest.raises(Abort, match="the link was opened for another protocol"):
        engines[0].intersect(bytes(16), BOTH).result()
    lonely = Spu(Worker("mpc"))
    with pytest.raises(Abort, match="no link is open"):
        lonely.intersect(bytes(16), BOTH)
    lonely.close()


def test_row_numbers_come_in_the_order_of_the_keys(either):
    keys = [(str(number),) for number in range(50)]
    found, _ = intersected(either, keys, keys)
    raw = digests(keys)
    order = np.argsort([raw[start : start + 16] for start in range(0, len(raw), 16)])
    assert found.tolist() == order.tolist()
