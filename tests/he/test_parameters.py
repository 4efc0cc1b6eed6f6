"""The sets keep the margins that they promise, and a plan beyond them is refused."""

from dataclasses import replace
from math import log2, prod, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.errors import PlanError
from potluck.he.sum.parameters import LARGE, LIFTED, SMALL, TABLE, choose, most, problems, sent
from support.examples import examples

STANDARD = {8192: 218, 16384: 438}
"""The HE standard's table: log2 q at most, ternary secrets, 128 bits, classical."""


def prime(number):
    """Miller-Rabin with the bases that decide up to 2^64."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
        powers = [pow(base, odd << k, number) for k in range(twos)]
        if powers[0] != 1 and number - 1 not in powers:
            return False
    return True


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_sets_keep_to_the_standard(row):
    assert log2(prod(row.moduli)) <= STANDARD[row.ring]
    assert len(set(row.moduli)) == len(row.moduli) >= LIFTED
    assert all(prime(q) and q % (2 * row.ring) == 1 and q.bit_length() == 60 for q in row.moduli)


@pytest.mark.parametrize(("row", "bits"), [(SMALL, 28), (LARGE, 50)], ids=["small", "large"])
def test_the_plaintext_modulus_is_the_largest_prime_that_packs(row, bits):
    step = 2 * row.ring
    candidates = range(2**bits - step + 1, 0, -step)
    assert row.plain == next(candidate for candidate in candidates if prime(candidate))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
@pytest.mark.parametrize("n", [2, 3, 10, 100, 300, 370, 371, 383, 384, 524, 525, 1000])
def test_the_margins_are_those_of_the_docstring(row, n):
    held = replace(row, parties=n)
    noise = 6 * 3.19 * sqrt(4 * row.ring * n / 3 + 1) * sqrt(n)
    assert held.flooded == (noise * 2**40 <= min(row.moduli))
    assert held.exact == ((n + 1 + 128) / row.moduli[0] < 1 / (2 * row.plain))


def test_a_cohort_beyond_the_margins_is_refused_by_the_plan():
    assert most() == 524
    assert problems(most()) == problems(2) == []
    for n in (0, 1, most() + 1, 5000):
        assert len(problems(n)) == 1
        with pytest.raises(PlanError, match=f"the plan has {n}") as caught:
            choose(32, 100, n)
        assert "mask" in caught.value.hint


@given(st.integers(1, 64), st.integers(1, 3_000_000), st.integers(2, 524))
@settings(max_examples=examples(200))
def test_whatever_is_chosen_is_exact_and_flooded_and_has_room(bits, length, n):
    row, layout = choose(bits, length, n)
    assert row.parties == n
    assert row.exact
    assert row.flooded
    assert (layout.bits, layout.length, layout.sites, layout.ring) == (bits, length, n, row.ring)
    assert layout.ciphertexts * layout.ring >= sum(cut.slots(length) for cut in layout.cuts)
    for cut in layout.cuts:
        assert cut.slots(length) * cut.fields >= length * cut.limbs
        assert layout.most(cut) < 1 << cut.field_bits
        assert sum(layout.most(cut) << (k * cut.field_bits) for k in range(cut.fields)) < row.plain


def test_short_vectors_take_the_small_ring_and_long_ones_the_large():
    assert choose(64, 10, 3)[0].name == "small"
    row, layout = choose(20, 1_000_000, 3)
    assert row.name == "large"
    assert [cut.fields for cut in layout.cuts] == [2]
    ciphertexts = layout.ciphertexts * row.ciphertext_bytes / 1_000_000
    assert ciphertexts < 16.3, "bytes a parameter"
    assert sent(row, layout) / 1_000_000 < 20.6, "with key and partial decryptions"


def test_a_word_of_no_bits_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="no layout"):
        choose(0, 10, 3)
