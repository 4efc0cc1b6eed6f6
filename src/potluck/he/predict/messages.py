"""The letters of one private prediction: asks of the client and answers of the owner, in turn, through the server.

    he/ask/0, he/answer/0      the client's box key and how many rows; the owner's box key and its offer
    he/ask/1 ...               the client's keys, then its ciphertexts, in letters of some 48 MB
    he/answer/1 ...            empty until a block of ciphertexts is complete, then its scores

A letter is: whether more asks follow (1 byte), a signature (64), and its content, sealed from the second letter on to
the receiver's box key of this round. Signatures are by long-term keys, over the meeting, the step, both ends and a
hash of everything said before: no letter counts in another meeting, place or direction. The server checks them, too,
so that a bad one names who sent it, and it can open none.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeVar

import msgspec

from potluck.core.party import SERVER, Party
from potluck.core.predicting import Meeting
from potluck.core.rounds import Abort, Cause, Credentials, Verify
from potluck.core.steps import blaming
from potluck.core.wire import VERSION, Message, dump, load
from potluck.secret.box import BoxKey, BoxPublic, PublicBoxKey
from potluck.secret.statement import named
from potluck.secret.stream import digest

SIGNATURE = 64
_HEAD = 1 + SIGNATURE
MOST = 4096
"""Asks in a meeting, at most."""

Count = Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
Small = Annotated[int, msgspec.Meta(ge=0, lt=64)]
Numbers = Annotated[bytes, msgspec.Meta(max_length=8 << 16)]
Bound = Annotated[float, msgspec.Meta(ge=0, lt=1e300)]
S = TypeVar("S", bound=msgspec.Struct)


class Hello(Message, frozen=True):
    """The client's box key of this round, and for how many rows it asks. Not sealed: the server counts them anyway."""

    box: BoxPublic
    rows: Count


class Offer(Message, frozen=True):
    """What a client must know of the circuit. set: the parameter set's name. low, high: float64 a feature.

    first_rows and rotations tell how wide the layers are; together: rows in a block. A margin leaves as
    margin / 2^exponent. bound, cost, misfit: of a margin's error, of the fit's part in it, of the fit itself; rounded
    up to one digit.
    """

    set: str
    start: Small
    mode: Literal["batch", "single"]
    outputs: Count
    first_rows: Count
    multiply: bool
    rotations: Annotated[tuple[Count, ...], msgspec.Meta(max_length=512)]
    together: Count
    low: Numbers
    high: Numbers
    exponent: Small
    activation: Literal["", "relu", "tanh", "square"]
    degree: Small
    bound: Bound
    cost: Bound
    misfit: Bound


class Greeting(Message, frozen=True):
    """The owner's box key of this round, and its offer sealed to the client's."""

    box: BoxPublic
    offer: bytes


class Bodies(Message, frozen=True):
    """Keys, ciphertexts or scores, in the order that the layout says."""

    bodies: tuple[bytes, ...]


def ask(number: int) -> str:
    """The step of an ask."""
    return f"he/ask/{number}"


def answer(number: int) -> str:
    """The step of an answer."""
    return f"he/answer/{number}"


@dataclass(slots=True)
class Thread:
    """Everything said so far, as a hash: both ends and the server keep one each."""

    meeting: Meeting
    said: bytes = field(default=b"")

    def __post_init__(self) -> None:
        meeting = self.meeting
        number = meeting.round.number.to_bytes(8, "big")
        ends = named(meeting.owner), named(meeting.client)
        terms = meeting.mode.encode(), meeting.rows.to_bytes(8, "big")
        version = VERSION.to_bytes(4, "big")
        run = meeting.round.run.encode()
        self.said = digest(b"potluck he predict 1", version, meeting.digest, run, number, *ends, *terms)

    def info(self, step: str, sender: Party, to: Party) -> bytes:
        """What the box of the next letter is sealed under."""
        return b"potluck he predict box 1\0" + digest(self.said, step.encode(), named(sender), named(to))

    def sign(self, me: Credentials, step: str, to: Party, more: bool, content: bytes) -> bytes:
        """The next letter, mine."""
        head = bytes([more])
        letter = head + me.sign(self._statement(step, me.party, to, head, content)) + content
        self._add(letter)
        return letter

    def check(
        self, verify: Verify, step: str, ends: tuple[Party, Party], letter: bytes, blame: Party
    ) -> tuple[bool, bytes]:
        """(whether more follow, content) of the next letter, from ends[0] to ends[1].

        Raises Abort naming `blame`: MALFORMED, SIGNATURE.
        """
        if len(letter) < _HEAD or letter[0] > 1:
            raise Abort(Cause.MALFORMED, party=blame, step=step, detail="not a letter of a prediction")
        content = letter[_HEAD:]
        with blaming(blame, step, f"letter of {ends[0]}"):
            verify(ends[0], self._statement(step, *ends, letter[:1], content), letter[1:_HEAD])
        self._add(letter)
        return letter[0] == 1, content

    def _statement(self, step: str, sender: Party, to: Party, head: bytes, content: bytes) -> bytes:
        place = digest(self.said, step.encode(), named(sender), named(to))
        return b"potluck he predict letter 1\0" + digest(place, head, digest(content))

    def _add(self, letter: bytes) -> None:
        self.said = digest(self.said, letter)


@dataclass(slots=True)
class Talk:
    """One end's side of the thread, once box keys are known. number: of the next ask, and of its answer."""

    thread: Thread
    me: Credentials
    other: Party
    mine: BoxKey
    theirs: PublicBoxKey
    number: int = 1

    def write(self, step: str, bodies: tuple[bytes, ...], more: bool = True) -> bytes:
        """A sealed and signed letter."""
        info = self.thread.info(step, self.me.party, self.other)
        return self.thread.sign(self.me, step, self.other, more, self.theirs.seal(dump(Bodies(bodies)), info))

    def read(self, step: str, letter: bytes) -> tuple[bytes, ...]:
        """What the other end wrote. Raises Abort: naming the server, which checks signatures; the sender, of a box."""
        info = self.thread.info(step, self.other, self.me.party)
        _, content = self.thread.check(self.me.verify, step, (self.other, self.me.party), letter, SERVER)
        return opened(content, Bodies, self.mine, info, self.other, step).bodies


def opened(box: bytes, schema: type[S], key: BoxKey, info: bytes, sender: Party, step: str) -> S:
    """What is in a box whose letter was verified. Raises Abort naming the sender: BOX, MALFORMED."""
    with blaming(sender, step):
        content = key.unseal(box, info)
    return load(content, schema, sender)
