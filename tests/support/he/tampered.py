"""Bytes that were turned, cut, replaced or taken from elsewhere, drawn by seed; and an engine that remembers.

A body is altered as bytes and as the message that it is: the second way passes the schema and reaches what is behind.
"""

import random
from collections.abc import Callable

import msgspec

from potluck.he.sum.bfv import Bfv
from potluck.secret.stream import digest

Change = Callable[[random.Random, bytes], bytes]


def one_bit(rng, body):
    return flipped(body, rng.randrange(8 * len(body)))


def one_bit_at_an_end(rng, body):
    """In the first or the last 200 bytes: counts, indices, hashes and signatures lie there."""
    place = rng.randrange(min(200, len(body)))
    return flipped(body, 8 * rng.choice([place, len(body) - 1 - place]) + rng.randrange(8))


def some_bits(rng, body):
    for _ in range(rng.randrange(2, 40)):
        body = one_bit(rng, body)
    return body


def cut(rng, body):
    return body[: rng.choice([0, 1, len(body) - 1, len(body) - 8, rng.randrange(len(body))])]


def longer(rng, body):
    return body + rng.randbytes(rng.choice([1, 8, 64, 4096]))


def nothing_but_noise(rng, body):
    return rng.randbytes(rng.choice([len(body), rng.randrange(300)]))


def a_stretch(rng, body):
    """Zeros, ones or noise over a stretch of it."""
    start = rng.randrange(len(body))
    size = min(rng.choice([1, 8, 32, 64, 4096]), len(body) - start)
    return body[:start] + rng.choice([bytes(size), b"\xff" * size, rng.randbytes(size)]) + body[start + size :]


def two_words_swapped(rng, body):
    words = len(body) // 8
    a, b = sorted(rng.sample(range(words), 2)) if words > 1 else (0, 0)
    first, second = body[8 * a : 8 * a + 8], body[8 * b : 8 * b + 8]
    return body[: 8 * a] + second + body[8 * a + 8 : 8 * b] + first + body[8 * b + 8 :] if a != b else b""


def a_field(rng, body):
    """The message with one leaf or list changed: it decodes, and it is encoded as it should be."""
    try:
        message = msgspec.msgpack.decode(body)
    except msgspec.MsgspecError:
        return one_bit(rng, body)
    return msgspec.msgpack.encode(_changed(rng, message))


def _changed(rng, value):
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        return [*value[:at], _changed(rng, value[at]), *value[at + 1 :]]
    if isinstance(value, list):
        at = rng.randrange(len(value)) if value else 0
        fewer, twice = value[:at] + value[at + 1 :], value[: at + 1] + value[at:]
        return rng.choice([fewer, twice, value[::-1], [], [value], b"", 0])
    if isinstance(value, bytes):
        ways = [one_bit, cut, longer, a_stretch] if value else [longer]
        return rng.choice([*(way(rng, value) for way in ways), b"", 0, [value]])
    if isinstance(value, int):
        return rng.choice([value + 1, value - 1, 2**32, 2**32 - 1, -1, b"", [value], None])
    return rng.choice([0, b"", [], None])


def flipped(body, bit):
    at = bit // 8
    return body[:at] + bytes([body[at] ^ (1 << bit % 8)]) + body[at + 1 :]


WAYS: tuple[Change, ...] = (
    one_bit, one_bit_at_an_end, some_bits, cut, longer, nothing_but_noise, a_stretch, two_words_swapped,
    a_field, a_field,
)  # fmt: skip


def altered(rng, body, elsewhere=()):
    """Another body than this one: changed, or (one in four) one from elsewhere."""
    while True:
        if elsewhere and rng.random() < 0.25:
            made = rng.choice(elsewhere)
        else:
            made = rng.choice(WAYS)(rng, body) if body else rng.randbytes(rng.randrange(1, 100))
        if made != body:
            return made


class Remembering(Bfv):
    """The real engine, asked once for each different thing: what it gave then it gives again.

    So that a thousand rounds cost their checks and not their arithmetic. Keys stay: a round's seed gives the same one.
    """

    def __init__(self, engine: Bfv, known: dict) -> None:
        super().__init__(engine.parameters, engine._worker)
        self._known = known

    def _once(self, what, make):
        if what not in self._known:
            self._known[what] = make()
        return self._known[what]

    def keygen(self, seed):
        return self._once(("keygen", seed), lambda: super(Remembering, self).keygen(seed))

    def encrypt(self, seed, joint, slots):
        what = ("encrypt", seed, digest(joint), digest(slots.tobytes()))
        return self._once(what, lambda: super(Remembering, self).encrypt(seed, joint, slots))

    def partial(self, key, total, lead):
        what = ("partial", key.handle, digest(bytes(total)), lead)
        return self._once(what, lambda: super(Remembering, self).partial(key, total, lead))

    def fuse(self, partials):
        what = ("fuse", *(digest(bytes(one)) for one in partials))
        return self._once(what, lambda: super(Remembering, self).fuse(partials))

    def export(self, key):
        return self._once(("export", key.handle), lambda: super(Remembering, self).export(key))

    def rebuild(self, secret, seed, public):
        what = ("rebuild", digest(secret.expose()), seed, digest(public))
        return self._once(what, lambda: super(Remembering, self).rebuild(secret, seed, public))

    def forget(self, key):
        """It stays for the next round with the same seed."""


class Memories:
    """What each party's engine remembers, over all rounds of a module: `rigs=memories.rigs(4)`."""

    def __init__(self) -> None:
        self.known: dict[int, dict] = {}

    def rigs(self, n):
        return {i: lambda engine, i=i: Remembering(engine, self.known.setdefault(i, {})) for i in range(-1, n)}
