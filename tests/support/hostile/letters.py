"""Letters from whoever is hostile: strangers and brokers (bytes and altered letters), and members who sign nonsense."""

import copy
import random
from collections.abc import Iterator

import msgspec

from potluck.core.party import Party
from potluck.core.rounds import Label, Parcel, RoundId
from potluck.parties.runners.identities import Identities
from potluck.parties.runners.identity import Identity

STEPS = (
    "hello", "propose", "answer", "close", "closed", "begin", "stop", "mask/roster", "mask/keys", "mask/shares",
    "mask/input", "mask/survivors", "mask/unmask", "clear/input", "", "\x1b[2J", "begin/input", "x" * 300,
)  # fmt: skip
NUMBERS = (0, 1, 2, 3, -1, 2**31, 2**63 - 1, 2**63, 2**64 - 1, -(2**63))
VALUES = (
    None, True, 0, -1, 2**63, 2**64 - 1, 1.5, float("nan"), float("inf"), -float("inf"), "", "granted", "a\x1b[2J",
    b"", b"x" * 16, b"x" * 32, b"x" * 600, [], [[]], [1] * 40, {}, {"a": 1}, "x" * 5000,
)  # fmt: skip
DEEP = b"\x91" * 5000 + b"\xc0"


def strangers(rng: random.Random, real: list[bytes], count: int) -> Iterator[bytes]:
    """Random bytes, and real letters flipped, cut, spliced, with another header or version."""
    for _ in range(count):
        letter, other = rng.sample(real, 2)
        place = rng.randrange(len(letter))
        size = int.from_bytes(letter[4:8], "big")
        kind = rng.randrange(10)
        if kind < 3:
            yield rng.randbytes(rng.choice([0, 1, 71, 72, 80, 200]))
        elif kind < 5:
            yield letter[:place]
        elif kind == 5:
            yield letter[:place] + bytes([letter[place] ^ (1 << rng.randrange(8))]) + letter[place + 1 :]
        elif kind == 6:  # one letter's header over another's signature and body
            yield letter[: 8 + size] + other[8 + int.from_bytes(other[4:8], "big") :]
        elif kind == 7:
            yield rng.choice([b"PLK\x01", b"PLK\x03", b"plk\x01", bytes(4)]) + letter[4:]
        elif kind == 8:
            yield (
                letter[:4] + rng.choice([0, size - 1, size + 1, 1024, 1025, 2**32 - 1]).to_bytes(4, "big") + letter[8:]
            )
        else:
            yield letter[:8] + _header(rng) + letter[8 + size :]


def _header(rng: random.Random) -> bytes:
    fields = ["r", rng.choice(NUMBERS[:4]), rng.choice(STEPS[:10]), "server", "server", "site", "a"]
    fields[rng.randrange(7)] = rng.choice(VALUES)
    return rng.choice([msgspec.msgpack.encode(fields), DEEP[: rng.randrange(1024)], rng.randbytes(40)])


def body(rng: random.Random, good: list[bytes]) -> bytes:
    """A body: of the wrong shape, almost right, or another step's."""
    kind = rng.randrange(7)
    if kind == 0:
        return rng.randbytes(rng.randrange(60))
    if kind == 1:
        return rng.choice([DEEP, b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b""])
    if kind == 2:
        return msgspec.msgpack.encode([rng.choice(VALUES) for _ in range(rng.randrange(8))])
    raw = rng.choice(good)
    if kind == 3:
        return raw[: rng.randrange(len(raw) + 1)]
    if kind == 4:
        return raw
    try:
        fields = list(msgspec.msgpack.decode(raw))
        fields[rng.randrange(len(fields))] = rng.choice(VALUES)
        return msgspec.msgpack.encode(fields)
    except (msgspec.MsgspecError, TypeError, ValueError, IndexError):
        return raw + b"\x00"


def parcels(rng: random.Random, runs: list[str], good: list[bytes], count: int) -> Iterator[Parcel]:
    """What a hostile member says: any step and number, any body."""
    for _ in range(count):
        run = rng.choice([*runs, *runs, "", "x" * 200, "\x1b[2J"])
        label = Label(RoundId(run, rng.choice(NUMBERS)), rng.choice(STEPS))
        yield Parcel(label, body(rng, good))


class Confidant:
    """An identity whose peer need not seal: a token stands for a letter that was verified and opened.

    For bulk: what is inside verified letters, without 0.6 ms of cryptography for each. All else is the real one's.
    """

    def __init__(self, real: Identity | Identities, sender: Party) -> None:
        self._real, self._sender = real, sender
        self.said: dict[bytes, Parcel] = {}
        self._count = 0

    def token(self, parcel: Parcel) -> bytes:
        self._count += 1
        name = b"token %d" % self._count
        self.said[name] = parcel
        return name

    def disclose(self, letter: bytes) -> tuple[Party, Parcel]:
        known = self.said.pop(letter, None)
        return (self._sender, known) if known is not None else self._real.disclose(letter)

    def of(self, run: str) -> "Confidant":
        """In a run, of whoever has several."""
        one = copy.copy(self)
        one._real = self._real.of(run)
        return one

    def __getattr__(self, name: str) -> object:
        if name == "_real":
            raise AttributeError(name)
        return getattr(self._real, name)

    def close(self, to: Party, parcel: Parcel) -> bytes:
        return b"a letter"
