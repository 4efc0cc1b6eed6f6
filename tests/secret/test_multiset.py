"""A digest of a multiset: what counts, what does not, and that it is what its paper says."""

import hashlib
import random

import pytest

from potluck.secret.container import Secret
from potluck.secret.multiset import grouped, mark, total

KEY = Secret(bytes(range(32)))
ROWS = [b"a", b"b", b"b", b"", b"a" * 100]


def digest(rows, key=KEY, what=b"row"):
    return total(key, rows, what)


def test_it_is_the_sum_of_keyed_hashes():
    """The known answer: MSet-Add-Hash, written out with hashlib alone."""
    one = [hashlib.blake2b(row, key=bytes(range(32)), digest_size=32, person=b"row").digest() for row in ROWS]
    expected = sum(int.from_bytes(value, "little") for value in one) % 2**256
    assert int.from_bytes(digest(ROWS), "little") == expected
    assert digest([]) == bytes(32)


def test_the_order_does_not_count():
    rng = random.Random(1)
    assert {digest(rng.sample(ROWS, len(ROWS))) for _ in range(20)} == {digest(ROWS)}


@pytest.mark.parametrize("other", [ROWS[1:], [*ROWS, b"b"], [b"a", *ROWS[1:-1], b"c"], [b"ab", b"b", b"", b"a" * 100]])
def test_another_row_or_one_more_of_the_same_counts(other):
    assert digest(other) != digest(ROWS)


def test_two_equal_rows_do_not_cancel_out():
    assert digest([*ROWS, b"new", b"new"]) != digest(ROWS)
    assert digest([*ROWS, b"new", b"new"]) != digest([*ROWS, b"other", b"other"])


def test_another_key_kind_or_name_has_nothing_in_common():
    assert digest(ROWS, Secret(bytes(32))) != digest(ROWS)
    assert digest(ROWS, what=b"key") != digest(ROWS)
    marks = {mark(key, digest(ROWS), name) for key in (KEY, Secret(bytes(32))) for name in (b"run", b"another")}
    assert len(marks) == 4


def test_of_groups_the_numbers_do_not_count_and_who_is_with_whom_does():
    def of(groups):
        return grouped(KEY, ROWS, groups, b"row", b"person")

    assert of([0, 0, 1, 1, 2]) == of([7, 7, 3, 3, 1])
    assert of([0, 0, 1, 1, 2]) != of([0, 0, 1, 2, 2])
    assert of([0, 0, 0, 0, 0]) != digest(ROWS)
    assert of([0, 1, 0, 1, 2]) == of([0, 0, 1, 1, 2])  # rows 2 and 3 are equal: either may be whose
