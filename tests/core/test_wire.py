"""Hostile bytes end in Abort(MALFORMED), never in a crash or a second reading."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core import slices
from potluck.core.rounds import Abort, Cause
from potluck.core.seeded import fraction, generator
from potluck.core.wire import add, dump, load, pack, unpack


class Note(msgspec.Struct, frozen=True, array_like=True):
    number: int
    text: str
    blob: bytes


@given(st.lists(st.integers(0, 2**32 - 1), max_size=20), st.sampled_from([32, 64]), st.sampled_from([1, 7, 64]))
def test_words_are_added_slice_by_slice_and_none_of_a_body_of_another_length(numbers, bits, size):
    words = np.array(numbers, dtype=f"<u{bits // 8}")
    total = words + words.dtype.type(5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "SLICE", size)
        add(total, bytes(pack(words)))
        add(total, pack(words))
        for wrong in (bytes(pack(words)) + b"\0", bytes(pack(words))[:-1] if numbers else b"\0"):
            with pytest.raises(Abort):
                add(total, wrong)
    assert total.tolist() == [(3 * one + 5) % 2**bits for one in numbers]


@given(st.binary(max_size=200))
def test_any_bytes_load_or_are_malformed(body):
    try:
        value = load(body, Note)
    except Abort as stop:
        assert stop.cause is Cause.MALFORMED
    else:
        assert dump(value) == body


def test_a_second_encoding_of_the_same_value_is_refused():
    body = dump(Note(5, "x", b"y"))
    assert load(body, Note) == Note(5, "x", b"y")
    longer = body.replace(b"\x05", b"\xcd\x00\x05", 1)
    with pytest.raises(Abort):
        load(longer, Note)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=20), st.sampled_from([32, 64]))
def test_words_round_trip_and_any_other_length_is_refused(numbers, bits):
    words = np.array(numbers, dtype=f"<u{bits // 8}")
    body = pack(words)
    assert len(body) == len(numbers) * bits // 8
    assert unpack(body, len(numbers), bits).tolist() == numbers
    with pytest.raises(Abort):
        unpack(bytes(body) + b"\0", len(numbers), bits)


def test_public_randomness_depends_on_seed_and_labels_only():
    assert generator(1, "a", 2).integers(1 << 60) == generator(1, "a", 2).integers(1 << 60)
    assert generator(1, "a", 2).integers(1 << 60) != generator(1, "a", 3).integers(1 << 60)
    numbers = [fraction(7, str(i).encode()) for i in range(4000)]
    assert all(0 <= x < 1 for x in numbers)
    assert abs(np.mean(numbers) - 0.5) < 0.02
