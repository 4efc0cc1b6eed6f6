"""Packed words add up exactly in any ring, and what no sum can give is refused."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.rounds import Abort, Cause
from potluck.he.sum.packing import arrange, pack, unpack
from potluck.he.sum.parameters import LARGE, SMALL
from support.examples import examples

PLAINS = [SMALL.plain, LARGE.plain]
RING = 16


def top(bits):
    return 2**bits - 1


def slots_a_word(layout):
    return sum(Fraction(cut.limbs, cut.fields) for cut in layout.cuts)


@st.composite
def sums(draw):
    """A layout, and the words of as many sites: at the edges of the ring, lengths around whole ciphertexts."""
    bits = draw(st.integers(1, 64))
    n = draw(st.sampled_from([2, 3, 5, 10, 370]))
    plain = draw(st.sampled_from(PLAINS))
    whole = max(1, int(RING / slots_a_word(arrange(bits, 1, n, RING, plain))))
    length = draw(st.sampled_from([1, 2, whole - 1, whole, whole + 1, 3 * whole]).filter(bool))
    layout = arrange(bits, length, n, RING, plain)
    edge = st.sampled_from([0, 1, top(bits) // 2, top(bits) // 2 + 1, top(bits)]) | st.integers(0, top(bits))
    some = draw(st.lists(edge, min_size=1, max_size=12))
    rows = np.resize(np.array(some, np.uint64), (n, length)).astype(layout.dtype)
    return layout, plain, rows


@given(sums())
@settings(max_examples=examples(300))
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


@given(st.integers(1, 64), st.integers(2, 524), st.sampled_from(PLAINS), st.data())
@settings(max_examples=examples(200))
def test_the_cuts_cover_the_word_and_no_others_need_fewer_slots(bits, n, plain, data):
    layout = arrange(bits, 1000, n, RING, plain)
    assert [cut.low for cut in layout.cuts] == [
        sum(cut.limbs * cut.limb_bits for cut in layout.cuts[:k]) for k in range(len(layout.cuts))
    ]
    assert sum(cut.limbs * cut.limb_bits for cut in layout.cuts) == bits
    left, needed = bits, Fraction(0)
    while left:
        width = data.draw(st.integers(1, left) | st.just(min(left, 22)))
        most, fields = n * top(width), 0
        while sum(most << (most.bit_length() * k) for k in range(fields + 1)) < plain:
            fields += 1
        if fields:
            left, needed = left - width, needed + Fraction(1, fields)
    assert slots_a_word(layout) <= needed


@pytest.mark.parametrize(
    ("bits", "n", "slots"),
    [(20, 3, "1/2"), (32, 3, "89/120"), (32, 10, "5/6"), (64, 3, "7/5"), (64, 5, "31/21"), (64, 10, "3/2")],
)
def test_what_a_word_costs(bits, n, slots):
    """In slots of 40 bytes on the wire, with 50 bits of plaintext."""
    assert slots_a_word(arrange(bits, 1000, n, RING, LARGE.plain)) == Fraction(slots)


def test_a_cohort_too_large_for_a_slot_has_no_layout():
    assert arrange(8, 1, SMALL.plain, RING, SMALL.plain) is None


@pytest.fixture
def layout():
    found = arrange(20, 37, 3, RING, LARGE.plain)
    assert ([cut.fields for cut in found.cuts], found.ciphertexts) == ([2], 2)
    return found


@pytest.mark.parametrize("spoil", ["field", "between", "padding", "above"])
def test_what_no_sum_can_give_is_refused(layout, spoil):
    slots = pack(np.full(37, top(20), np.uint32), layout) * np.uint64(3)
    unpack(slots, layout)
    if spoil == "field":
        slots[0, 3] += 1
    elif spoil == "between":
        slots[0, 4] += np.uint64(1 << layout.cuts[0].field_bits)
    elif spoil == "padding":
        slots[1, -1] += np.uint64(1 << layout.cuts[0].field_bits)
    else:
        slots[1, 2] += np.uint64(1 << (2 * layout.cuts[0].field_bits))
    with pytest.raises(Abort) as caught:
        unpack(slots, layout)
    assert caught.value.cause == Cause.RANGE


@pytest.mark.parametrize("place", range(4 * RING))
def test_with_limbs_of_several_widths_too_no_slot_can_hold_more_than_a_sum(place):
    layout = arrange(64, 37, 3, RING, LARGE.plain)
    assert [cut.limb_bits for cut in layout.cuts] == [8, 48]
    slots = pack(np.full(37, top(64), np.uint64), layout) * np.uint64(3)
    assert (unpack(slots, layout) == np.uint64(3 * top(64) % 2**64)).all()
    slots.reshape(-1)[place] += np.uint64(1)
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
