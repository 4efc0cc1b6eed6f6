"""Letters in pieces: any order, any repetition, any nonsense, within hard bounds."""

import os
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.errors import UsageError
from potluck.core.slices import LONG, whole
from potluck.net.pieces import (
    FILES,
    HEADER,
    MAGIC,
    MESSAGE,
    OVERHEAD,
    PIECE,
    VERSION,
    Assembler,
    Malformed,
    count,
    message,
    read,
)
from potluck.secret.spool import Spooled
from support.examples import examples

ID = b"i" * 16


def split(letter, data):
    return (message(letter, data, index) for index in range(count(len(data))))


def joined(assembler, sender, messages, now=0.0):
    found = [added.whole for m in messages if (added := assembler.add(sender, m, now)).whole is not None]
    return found[0] if found else None


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7])
def test_a_letter_comes_back_in_any_order_with_repeats(size):
    data = os.urandom(size)
    messages = list(split(ID, data))
    assert all(len(m) <= MESSAGE for m in messages)
    shuffled = messages[:-1] * 2 + messages[-1:]
    random.Random(size).shuffle(shuffled)
    assembler = Assembler()
    assert joined(assembler, "s", shuffled) == data


def test_a_finished_letter_leaves_nothing_behind():
    assembler = Assembler()
    assert joined(assembler, "s", split(ID, bytes(3 * PIECE))) == bytes(3 * PIECE)
    assert (len(assembler), assembler.size) == (0, 0)


def test_a_sender_cannot_disturb_a_letter_of_another_with_the_same_id():
    assembler = Assembler()
    good, bad = list(split(ID, b"g" * (2 * PIECE))), list(split(ID, b"b" * (2 * PIECE)))
    assembler.add("good", good[0], 0)
    assembler.add("bad", bad[1], 0)
    assert assembler.add("good", good[1], 0).whole == b"g" * (2 * PIECE)


@pytest.mark.parametrize(
    "change",
    [
        {"magic": b"XXXX"},
        {"version": 2},
        {"index": 2},
        {"count": 3},
        {"total": 2 * PIECE + 1},
        {"total": 2**40},
        {"payload": b"short"},
        {"payload": bytes(PIECE + 1)},
    ],
)
def test_an_inconsistent_header_is_no_piece(change):
    fields = {"magic": MAGIC, "version": VERSION, "letter": ID, "index": 0, "count": 2, "total": 2 * PIECE}
    payload = bytes(PIECE)
    assert read(HEADER.pack(*fields.values()) + payload, 2**30).count == 2  # the control
    payload = change.pop("payload", payload)
    with pytest.raises(Malformed):
        read(HEADER.pack(*(fields | change).values()) + payload, 2**30)


def test_a_long_letter_lies_in_a_file_and_comes_back_in_any_order_with_repeats():
    data = os.urandom(LONG + PIECE + 7)
    messages = list(split(ID, data))
    shuffled = messages[:-1] * 2 + messages[-1:]
    random.Random(1).shuffle(shuffled)
    assembler = Assembler()
    assert not isinstance(found := joined(assembler, "s", shuffled), bytes)
    assert whole(found) == data
    assert list(split(b"j" * 16, found)) == [message(b"j" * 16, data, index) for index in range(len(messages))]


@pytest.mark.parametrize("when", ["made", "written"])
def test_a_long_letter_for_which_there_is_no_room_is_fetched_again_later(when, monkeypatch):
    first, *rest = split(ID, bytes(2 * LONG))

    def full(*_):
        raise UsageError("no room")

    assembler = Assembler()
    with monkeypatch.context() as patch:
        patch.setattr(Spooled, "__init__" if when == "made" else "write", full)
        assert assembler.add("s", first, 0).later == (("s", ID),)
        assert (len(assembler), assembler.size) == (0, 0)
    assert whole(joined(assembler, "s", [first, *rest])) == bytes(2 * LONG)


@pytest.mark.slow
def test_unfinished_long_letters_of_many_senders_have_few_files_open_and_none_is_lost():
    senders, assembler = [f"s{k}" for k in range(FILES + 20)], Assembler()
    before = len(os.listdir("/proc/self/fd"))
    first, *rest = split(ID, bytes(2 * LONG))
    short = list(split(ID, bytes(2 * PIECE)))
    assembler.add("patient", short[0], 0)
    later = [key for sender in senders for key in assembler.add(sender, first, 0).later]
    assert later == [(sender, ID) for sender in senders[:-FILES]]
    assert len(os.listdir("/proc/self/fd")) - before == FILES
    assert whole(joined(assembler, "patient", short[1:])) == bytes(2 * PIECE)  # what has no file was let be
    for sender in senders[-FILES:]:
        assert whole(joined(assembler, sender, rest)) == bytes(2 * LONG)
    for sender in senders[:-FILES]:
        assert whole(joined(assembler, sender, [first, *rest])) == bytes(2 * LONG)
    assert (len(assembler), assembler.size) == (0, 0)
    assert len(os.listdir("/proc/self/fd")) == before


def test_where_the_disk_is_full_whoever_holds_most_gives_way(monkeypatch):
    """One sender's unfinished letters fill the disk, and it adds a piece to them now and then, so that none is late."""
    assembler, used, real = Assembler(), {}, Spooled.write

    def write(file, at, data):
        held = sum(partial.size - OVERHEAD for partial in assembler._open.values())
        if held + len(data) > 5 * LONG:
            raise UsageError("no room")
        real(file, at, data)

    monkeypatch.setattr(Spooled, "write", write)
    hoard = [list(split(bytes([place]) * 16, bytes(3 * LONG))) for place in range(2)]
    for messages in hoard:
        for message_ in messages[: len(messages) * 5 // 6]:
            assembler.add("hoarder", message_, 0)
    other, found = list(split(ID, bytes(2 * LONG))), None
    for turn in range(10):
        for messages in hoard:
            assembler.add("hoarder", messages[turn], turn)
        found = found or joined(assembler, "patient", other, turn)
        used[turn] = found is not None
    assert whole(found) == bytes(2 * LONG), used


def test_pieces_of_one_id_cannot_disagree_about_the_length():
    assembler = Assembler()
    assembler.add("s", next(split(ID, bytes(2 * PIECE))), 0)
    with pytest.raises(Malformed):
        assembler.add("s", list(split(ID, bytes(3 * PIECE)))[1], 0)


def test_a_letter_longer_than_the_bound_is_refused_at_its_first_piece():
    with pytest.raises(Malformed):
        Assembler(largest=PIECE).add("s", next(split(ID, bytes(PIECE + 1))), 0)


def test_a_sender_holds_a_bounded_number_of_unfinished_letters_and_the_oldest_goes():
    assembler = Assembler(partials=3)
    ids = [bytes([i]) * 16 for i in range(4)]
    ended = [assembler.add("s", next(split(i, bytes(2 * PIECE))), 0).ended for i in ids]
    assert ended == [(), (), (), (("s", ids[0]),)]
    assert len(assembler) == 3


def test_a_flooding_sender_cannot_evict_anothers_letter():
    assembler = Assembler(partials=3)
    victim = list(split(ID, bytes(2 * PIECE)))
    assembler.add("victim", victim[0], 0)
    for i in range(100):
        assembler.add("flood", next(split(i.to_bytes(16, "big"), bytes(2 * PIECE))), 1)
    assert assembler.add("victim", victim[1], 2).whole is not None


def test_bytes_of_a_sender_and_of_all_are_bounded():
    bound = 6 * (PIECE + OVERHEAD)
    assembler = Assembler(largest=4 * PIECE, partials=100, each=3 * (PIECE + OVERHEAD), hold=bound)
    later = []
    for i in range(50):
        added = assembler.add(f"s{i % 7}", next(split(i.to_bytes(16, "big"), bytes(4 * PIECE))), i)
        later += added.later
        assert assembler.size <= bound
    assert later  # what is dropped for room is asked for again


def test_what_no_piece_has_joined_for_long_is_stale():
    assembler = Assembler()
    assembler.add("s", next(split(ID, bytes(2 * PIECE))), 10.0)
    assert assembler.stale(10.0) == []
    assert assembler.stale(11.0) == [("s", ID)]


@settings(max_examples=examples(300))
@given(st.binary(max_size=200))
def test_no_bytes_crash_it(data):
    with pytest.raises(Malformed):
        Assembler().add("s", data, 0)


@settings(max_examples=examples(300))
@given(st.binary(min_size=16, max_size=16), *[st.integers(0, 5)] * 2, st.integers(0, 3 * PIECE), st.integers(0, 400))
def test_no_header_crashes_it(letter, index, pieces, total, size):
    try:
        added = Assembler().add("s", HEADER.pack(MAGIC, VERSION, letter, index, pieces, total) + bytes(size), 0)
    except Malformed:
        return
    assert added.key == ("s", letter)


def test_a_hundred_thousand_forged_messages_neither_crash_it_nor_fill_memory():
    rng = random.Random(7)
    bound = 20 * PIECE
    assembler = Assembler(largest=8 * PIECE, partials=4, hold=bound)
    payloads = [bytes(PIECE), b"", b"x" * 9]
    kept = 0
    for i in range(100_000):
        total = rng.choice([0, 9, 2 * PIECE + 9, 3 * PIECE, 2**63, rng.randrange(2**32)])
        pieces = rng.choice([count(total) & 0xFFFFFFFF, 1, 2, 2**32 - 1])
        magic = MAGIC if rng.random() < 0.9 else b"nope"
        letter = struct.pack(">QQ", 0, rng.randrange(64))
        head = HEADER.pack(magic, rng.choice([1, 1, 1, 0]), letter, rng.randrange(4), pieces, total)
        message = head + rng.choice(payloads) if i % 9 else os.urandom(rng.randrange(64))
        try:
            assembler.add(f"s{rng.randrange(12)}", message, i)
            kept += 1
        except Malformed:
            pass
        assert assembler.size <= bound + PIECE
    assert kept > 1000
