"""Hundreds of tampered frames, to a worker's loop and from it: refused or contained, and the next call works.

The loop is the real one, without an engine behind it; `tests/he` does the same to the engine's operations.
"""

import io
import random
import sys
from collections import Counter

import pytest

from potluck.core.rounds import Abort, Cause
from potluck.engines import frames
from potluck.engines.worker import Worker
from support.engines.rig import ROOT, stub

LOOP = f"""
import sys
sys.path.append({ROOT!r})
from potluck.engines.serving import serve
serve([{{"join": lambda state, *buffers: [b"".join(buffers)]}}], lambda: ["python 3", "openfhe 0", "numpy 0"])
"""
HEAD = frames._HEAD.size
SOON = 0.1
"""Seconds for an answer to tampered bytes: where the worker waits for more of them, none comes."""


def one_bit(rng, data):
    return bits(data, [rng.randrange(8 * len(data))])


def one_bit_in_front(rng, data):
    """In the head, the name or the lengths."""
    return bits(data, [rng.randrange(8 * (HEAD + 4 + 3 * 8))])


def some_bits(rng, data):
    return bits(data, [rng.randrange(8 * len(data)) for _ in range(rng.randrange(2, 30))])


def cut(rng, data):
    return data[: rng.randrange(1, len(data))]


def a_length(rng, data):
    """One of the lengths is another."""
    at = HEAD + 4 + 8 * rng.randrange(3)
    value = rng.choice([0, 1, 2**16, 2**31, 2**31 + 1, 2**63, 2**64 - 1, rng.randrange(2**64)])
    return data[:at] + value.to_bytes(8, "little") + data[at + 8 :]


def a_count(rng, data):
    count = rng.choice([0, 1, 2, 4, 5, 2**16, 2**16 + 1, 2**31, 2**32 - 1])
    return data[: HEAD - 4] + count.to_bytes(4, "little") + data[HEAD:]


def noise(rng, data):
    return rng.randbytes(rng.choice([1, HEAD - 1, HEAD, len(data), 5000]))


def noise_behind_the_magic(rng, data):
    return data[:4] + rng.randbytes(len(data) - 4)


def another(rng, data):
    """A kind or an operation that there is not."""
    kind, name = rng.choice([(b"\0", b"join"), (b"\2", b"join"), (b"\3", b"join"), (b"\1", b"jo\0n"), (b"\1", b"read")])
    return data[:4] + kind + b"\4" + data[6:HEAD] + name + data[HEAD + 4 :]


WAYS = [one_bit, one_bit_in_front, some_bits, cut, a_length, a_count, noise, noise_behind_the_magic, another]


def bits(data, places):
    found = bytearray(data)
    for place in places:
        found[place // 8 % len(data)] ^= 1 << place % 8
    return bytes(found)


def buffers(rng):
    return [rng.randbytes(rng.randrange(60)) for _ in range(3)]


def read(data):
    """The frame that bytes begin with, or None."""
    stream = io.BytesIO(data)

    def take(wanted):
        if len(found := stream.read(wanted)) < wanted:
            raise EOFError
        return found

    try:
        return frames.read(take)
    except (EOFError, frames.FrameError):
        return None


@pytest.fixture
def loop():
    worker = Worker("he", program=[sys.executable, "-I", "-S", "-B", "-c", LOOP])
    yield worker
    worker.close()


@pytest.mark.parametrize("count", [18, pytest.param(150, marks=pytest.mark.slow)])
def test_tampered_requests_end_the_worker_by_name_and_the_next_call_works(loop, monkeypatch, count):
    pack, ends = frames.pack, Counter()
    for k in range(count):
        rng = random.Random(k)
        given, change = buffers(rng), WAYS[k % len(WAYS)]
        assert loop.call("join", *given) == (b"".join(given),)
        begun = loop.generation
        with monkeypatch.context() as patch:
            sent = change(rng, b"".join(pack(frames.REQUEST, "join", loop._number + 1, given)))
            patch.setattr(frames, "pack", lambda *_, sent=sent: [memoryview(sent)])
            try:
                answer = loop.call("join", *given, deadline=SOON)
            except Abort as abort:
                assert (abort.cause, abort.step) == (Cause.ENGINE, "join")
                assert loop.pid is None, "it was ended"
                ends[abort.detail] += 1
                continue
        told = read(sent)
        assert told is not None
        assert (told.kind, told.name, told.number) == (frames.REQUEST, "join", loop._number), "not a request of ours"
        assert answer == (b"".join(told.buffers),)
        assert loop.generation == begun
        ends["answered"] += 1
        loop.close()  # bytes behind a frame would be taken for the next one
    assert loop.call("join", b"a", b"b") == (b"ab",)
    assert ends.keys() >= {"answered", "no such operation", "no answer in time", "ended with code 1"}
    assert ends["answered"] < count / 3


@pytest.mark.slow
def test_90_tampered_answers_end_the_worker_by_name_and_the_next_call_works():
    """A worker that says what it is told to say, byte for byte."""
    worker = Worker("he", program=stub("ready()\nwhile True:\n    os.write(1, read().buffers[0])\n"))
    pack, ends = frames.pack, Counter()
    for k in range(90):
        rng = random.Random(k)
        given, change = buffers(rng), WAYS[k % len(WAYS)]
        right = b"".join(pack(frames.REPLY, "join", worker._number + 1, given))
        assert worker.call("join", right) == tuple(given)
        said = change(rng, b"".join(pack(frames.REPLY, "join", worker._number + 1, given)))
        try:
            answer = worker.call("join", said, deadline=SOON)
        except Abort as abort:
            assert (abort.cause, abort.step) == (Cause.ENGINE, "join")
            assert worker.pid is None
            assert abort.detail.isprintable()
            assert len(abort.detail) < 300
            ends[abort.detail] += 1
            continue
        told = read(said)
        assert (told.kind, told.number) == (frames.REPLY, worker._number)
        assert answer == told.buffers
        ends["answered"] += 1
        worker.close()
    worker.close()
    assert ends.keys() >= {"answered", "answered nonsense", "no answer in time"}
    assert ends["answered"] < 40
