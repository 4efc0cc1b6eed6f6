"""Claims about frames: what was packed is what is read, and nothing else is ever read as a frame."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.engines import frames
from potluck.engines.frames import ERROR, LARGEST, MOST, REPLY, REQUEST, Frame, FrameError, pack

KINDS = st.sampled_from([REQUEST, REPLY, ERROR])
NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=255)
NUMBERS = st.integers(0, 2**64 - 1)
BUFFERS = st.lists(st.binary(max_size=40), max_size=6)
HEAD = 18


class Short(Exception):
    """The bytes ended before the frame did."""


def read(data, **limits):
    """The frame that `data` begins with, and what is left; the largest amount asked for at once."""
    asked, at = [], 0

    def take(wanted):
        nonlocal at
        assert wanted >= 1
        asked.append(wanted)
        if len(data) - at < wanted:
            raise Short(max(asked))
        at += wanted
        return data[at - wanted : at]

    return frames.read(take, **limits), data[at:], max(asked)


def whole(*what):
    return b"".join(pack(*what))


@given(KINDS, NAMES, NUMBERS, BUFFERS, st.binary(max_size=20))
def test_a_frame_is_read_as_it_was_packed_and_nothing_behind_it_is_touched(kind, name, number, buffers, behind):
    frame, left, _ = read(whole(kind, name, number, buffers) + behind)
    assert frame == Frame(kind, name, number, tuple(buffers))
    assert left == behind


@given(KINDS, NAMES, NUMBERS, BUFFERS, st.data())
def test_a_frame_that_was_cut_is_no_frame(kind, name, number, buffers, data):
    packed = whole(kind, name, number, buffers)
    with pytest.raises(Short):
        read(packed[: data.draw(st.integers(0, len(packed) - 1))])


@given(KINDS, NAMES, NUMBERS, BUFFERS, st.data())
def test_an_altered_byte_never_passes_unnoticed_nor_asks_for_more_than_the_limits(kind, name, number, buffers, data):
    packed = bytearray(whole(kind, name, number, buffers))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    limit = 1000
    try:
        frame, _, most = read(bytes(packed) + bytes(100), largest=limit, most=64)
    except (FrameError, Short) as error:
        assert isinstance(error, FrameError) or error.args[0] <= max(limit, 255, 8 * 64)
    else:
        assert frame != Frame(kind, name, number, tuple(buffers))
        assert most <= max(limit, 255, 8 * 64)


@given(st.binary(max_size=200))
def test_bytes_without_the_magic_are_refused_after_the_head(data):
    with pytest.raises((FrameError, Short)):
        read(b"x" + data)


@pytest.mark.parametrize(
    ("count", "lengths", "words"),
    [
        (MOST + 1, (), "too many"),
        (2**32 - 1, (), "too many"),
        (1, (LARGEST + 1,), "too long"),
        (2, (LARGEST, 1), "too long"),
        (2, (2**64 - 1, 2), "too long"),
    ],
)
def test_lengths_beyond_the_limits_are_refused_before_anything_of_that_length_is_asked_for(count, lengths, words):
    head = struct.pack("<4sBBQI", b"PLE1", REPLY, 1, 7, count)
    assert len(head) == HEAD
    with pytest.raises(FrameError, match=words):
        read(head + b"n" + struct.pack(f"<{len(lengths)}Q", *lengths))


def test_nothing_beyond_the_limits_is_packed():
    with pytest.raises(FrameError):
        pack(REQUEST, "op", 1, [b""] * (MOST + 1))
    one = bytes(1 << 20)
    with pytest.raises(FrameError):
        pack(REQUEST, "op", 1, [one] * ((LARGEST >> 20) + 1))


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[2J", "Zürich", "x" * 300, "\x00"])
def test_words_of_any_kind_arrive_as_printable_letters(name):
    frame, _, _ = read(whole(ERROR, name, 1, []))
    assert frame.name.isprintable()
    assert frame.name.isascii()
    assert len(frame.name) == min(len(name), 255)


def test_a_name_with_letters_that_move_the_cursor_is_refused():
    with pytest.raises(FrameError, match="printable"):
        read(struct.pack("<4sBBQI", b"PLE1", ERROR, 1, 7, 0) + b"\x1b")


def test_a_frame_does_not_show_its_buffers():
    frame, _, _ = read(whole(REQUEST, "op", 1, [b"topsecret"]))
    assert "topsecret" not in repr(frame)
