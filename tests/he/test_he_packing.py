"""Packed words add up exactly in any ring, and what no sum can give is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.rounds import Abort, Cause
from potluck.he.packing import arrange, pack, unpack
from potluck.he.parameters import LARGE, SMALL

PLAINS = [SMALL.plain, LARGE.plain]
RING = 16


def top(bits):
    return 2**bits - 1


@st.composite
def sums(draw):
    """A layout, and the words of as many sites: at the edges of the ring, lengths around whole ciphertexts."""
    bits = draw(st.integers(1, 64))
    n = draw(st.sampled_from([2, 3, 5, 10, 370]))
    plain = draw(st.sampled_from(PLAINS))
    fields = arrange(bits, 1, n, RING, plain)
    whole = max(1, RING * fields.fields // fields.limbs)
    length = draw(st.sampled_from([1, 2, whole - 1, whole, whole + 1, 3 * whole]).filter(bool))
    layout = arrange(bits, length, n, RING, plain)
    edge = st.sampled_from([0, 1, top(bits) // 2, top(bits) // 2 + 1, top(bits)]) | st.integers(0, top(bits))
    some = draw(st.lists(edge, min_size=1, max_size=12))
    rows = np.resize(np.array(some, np.uint64), (n, length)).astype(layout.dtype)
    return layout, plain, rows


@given(sums())
@settings(max_examples=300, deadline=None)
def test_sums_of_packed_words_are_exact_modulo_the_ring(case):
    layout, plain, rows = case
    packed = [pack(row, layout) for row in rows]
    assert all(slots.shape == (layout.ciphertexts, RING) and slots.max() < plain for slots in packed)
    total = sum(slots.astype(object) for slots in packed)
    assert (total < plain).all(), "slots never wrap"
    opened = unpack(total.astype(np.uint64), layout)
    wanted = sum(row.astype(object) for row in rows) % 2**layout.bits
    assert opened.dtype == layout.dtype
    assert (opened == wanted).all()


@pytest.mark.parametrize("plain", PLAINS)
@pytest.mark.parametrize("n", [2, 3, 10, 370])
def test_all_words_at_their_largest_add_up_exactly(n, plain):
    for bits in range(1, 65):
        layout = arrange(bits, 50, n, RING, plain)
        slots = pack(np.full(50, top(bits), layout.dtype), layout)
        assert int(slots.max()) * n < plain
        assert (unpack(slots * np.uint64(n), layout) == n * top(bits) % 2**bits).all()


@given(st.integers(1, 64), st.integers(2, 524), st.sampled_from(PLAINS))
@settings(max_examples=200, deadline=None)
def test_no_other_cut_needs_fewer_slots_a_word(bits, n, plain):
    layout = arrange(bits, 1000, n, RING, plain)
    for limbs in range(1, bits + 1):
        most = n * (2 ** -(-bits // limbs) - 1)
        fields = 0
        while sum(most << (most.bit_length() * k) for k in range(fields + 1)) < plain:
            fields += 1
        assert layout.limbs * fields <= limbs * layout.fields


def test_a_cohort_too_large_for_a_slot_has_no_layout():
    assert arrange(8, 1, SMALL.plain, RING, SMALL.plain) is None


@pytest.fixture
def layout():
    found = arrange(20, 37, 3, RING, LARGE.plain)
    assert (found.fields, found.ciphertexts) == (2, 2)
    return found


@pytest.mark.parametrize("spoil", ["field", "between", "padding", "above"])
def test_what_no_sum_can_give_is_refused(layout, spoil):
    slots = pack(np.full(37, top(20), np.uint32), layout) * np.uint64(3)
    unpack(slots, layout)
    if spoil == "field":
        slots[0, 3] += 1
    elif spoil == "between":
        slots[0, 4] += np.uint64(1 << layout.field_bits)
    elif spoil == "padding":
        slots[1, -1] += np.uint64(1 << layout.field_bits)
    else:
        slots[1, 2] += np.uint64(1 << (2 * layout.field_bits))
    with pytest.raises(Abort) as caught:
        unpack(slots, layout)
    assert caught.value.cause == Cause.RANGE


def test_words_that_do_not_fit_the_layout_are_refused(layout):
    with pytest.raises(ValueError, match="words where 37"):
        pack(np.zeros(36, np.uint32), layout)
    with pytest.raises(ValueError, match="more than 20 bits"):
        pack(np.full(37, 1 << 20, np.uint32), layout)
    with pytest.raises(ValueError, match="do not fit"):
        unpack(np.zeros((1, RING), np.uint64), layout)
    for bits, length, sites in ((0, 1, 2), (65, 1, 2), (8, 0, 2), (8, 1, 0)):
        with pytest.raises(ValueError, match="no layout"):
            arrange(bits, length, sites, RING, LARGE.plain)
