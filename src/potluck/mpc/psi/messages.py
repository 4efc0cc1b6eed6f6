"""What the owners of an intersection tell each other, and what they agree on before.

Every step after the first is one exchange of sealed notes: each owner hands the server a bundle, empty or not, and
the server hands each owner the notes for it. A note is sealed to a key of the round, and its writer's signature covers
who says it to whom, in which round and step: the server sees sizes alone, and what it changes is noticed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Credentials, Label, RoundId
from potluck.core.steps import blaming
from potluck.core.wire import Message, Signature, dump, load
from potluck.mpc import credentials
from potluck.mpc.psi.commitment import Commitment
from potluck.secret.box import OVERHEAD, PUBLIC, BoxKey, box_key
from potluck.secret.statement import named
from potluck.secret.stream import digest

HELLO = "psi/hello"
SETS = "psi/sets"
BACK = "psi/back"
SEEDS = "psi/seeds"
HOP = "psi/hop"
TABLES = "psi/tables"
LINK = "psi/link"
ASKED = "psi/asked"
FOUND = "psi/found"
ORDER = "psi/order"
MOST = 8_000_000
"""Keys of an owner: their points fill a letter."""
SLOWEST = 5_000
"""Points a second that the slowest owner is given time for."""
START = 15.0
"""Seconds that an engine may take to start, and to say that the other's is gone."""
TOKEN = 16

Way = Literal["two", "many", "rr22"]


class Hello(Message, frozen=True):
    """An owner's box key of this round and how many keys it has, signed.

    holds: the name of an alignment that it kept and whose keys are its keys still, or nothing; address, certificate: of
    its engine, where it has one.
    """

    box: Annotated[bytes, msgspec.Meta(min_length=PUBLIC, max_length=PUBLIC)]
    count: Annotated[int, msgspec.Meta(ge=0, le=MOST)]
    holds: Annotated[bytes, msgspec.Meta(max_length=TOKEN)]
    address: Annotated[str, msgspec.Meta(max_length=300)]
    certificate: Annotated[bytes, msgspec.Meta(max_length=credentials.LARGEST)]
    signature: Signature


class Hellos(Message, frozen=True):
    """All owners' hellos, in the plan's order."""

    hellos: tuple[Hello, ...]


class Note(Message, frozen=True):
    """Something sealed. who: on the way to the server the index of who reads it, on the way from it of who wrote it."""

    who: Annotated[int, msgspec.Meta(ge=0, lt=2**16)]
    box: Annotated[bytes, msgspec.Meta(min_length=OVERHEAD)]
    signature: Signature


class Bundle(Message, frozen=True):
    """Notes of one step, ascending."""

    notes: tuple[Note, ...] = ()


class Found(Message, frozen=True):
    """The result: its size, and, where members are revealed, which, filled up so that a letter's size does not say it.

    members: places in the reader's list (u32), or tags of 16 bytes; empty where the size is all that is revealed.
    """

    size: Annotated[int, msgspec.Meta(ge=0, le=MOST)]
    members: bytes


@dataclass(frozen=True, slots=True)
class Gathering:
    """What all parties of an intersection agree on.

    digest: 32 bytes over plan, run, round and federation file, in every signature; lasting: the same in every round of
    the run, in every point; about: what makes two alignments the same one; owners: in the plan's order; to: who learns
    the result, the first of them computes it; patience: seconds a hop; most: keys of an owner, of which more could be
    guesses than rows.
    """

    round: RoundId
    digest: bytes
    lasting: bytes
    about: bytes
    owners: tuple[Party, ...]
    to: tuple[Party, ...]
    reveal: Literal["size", "members"]
    protocol: Literal["rr22", "ecdh"]
    patience: float
    most: int = MOST

    @property
    def first(self) -> Party:
        """Who computes the result."""
        return self.to[0]

    @property
    def way(self) -> Way:
        """RR22 finds two owners' members. What it cannot do, sizes alone and more owners, is done on a curve."""
        if len(self.owners) > 2:
            return "many"
        return "rr22" if self.protocol == "rr22" and self.reveal == "members" else "two"

    @property
    def ordered(self) -> bool:
        """Whether several owners learn members, and so compare their order."""
        return self.reveal == "members" and len(self.to) > 1

    def label(self, step: str) -> Label:
        """The label of `step` in this round."""
        return Label(self.round, step)

    def hops(self, seconds: float) -> int:
        """How often its patience one waits for who works so long."""
        return 2 + math.ceil(seconds / self.patience)


def reused(hellos: Sequence[Hello]) -> bytes:
    """The alignment that all owners kept, and whose keys are still all theirs; empty where there is none."""
    held = {hello.holds for hello in hellos}
    return held.pop() if len(held) == 1 else b""


def steps(gathering: Gathering, hellos: Sequence[Hello]) -> tuple[tuple[str, int], ...]:
    """The steps after the hellos, and for how many hops the server waits in each: the same for all, from public
    numbers."""
    last = ((ORDER, gathering.hops(0)),) if gathering.ordered else ()
    if reused(hellos):
        return last
    most = max(hello.count for hello in hellos)
    work = gathering.hops(2 * most / SLOWEST)
    if gathering.way == "rr22":
        engine = gathering.hops(START + gathering.patience + most / SLOWEST)
        return (LINK, engine), (ASKED, engine), (FOUND, engine), *last
    if gathering.way == "two":
        return (SETS, work), (BACK, work), (FOUND, work), *last
    hops = tuple((f"{HOP}/{number}", work) for number in range(1, len(gathering.owners) + 1))
    return (SEEDS, gathering.hops(0)), *hops, (TABLES, work), (FOUND, work), *last


@dataclass(frozen=True, slots=True, eq=False)
class Circle:
    """An owner among the others, once all have said hello. key: its box key of the round; commitment: of the run."""

    gathering: Gathering
    me: Credentials = field(repr=False)
    key: BoxKey = field(repr=False)
    commitment: Commitment = field(repr=False)
    hellos: Mapping[Party, Hello] = field(repr=False)

    @property
    def counts(self) -> Mapping[Party, int]:
        """How many keys each owner has."""
        return {party: hello.count for party, hello in self.hellos.items()}

    @property
    def session(self) -> bytes:
        """32 bytes that name this round and all that was said at its begin."""
        said = (dump(self.hellos[party]) for party in self.gathering.owners)
        return digest(b"potluck psi session 1", self.gathering.digest, *said)

    def waits(self, step: str) -> int:
        """For how many hops an owner waits in a step: longer than the server, which names who is missing."""
        every = [self.hellos[party] for party in self.gathering.owners]
        return dict(steps(self.gathering, every))[step] + 2

    def sealed(self, step: str, to: Party, body: bytes) -> Note:
        """A note for another owner."""
        statement = _statement(self.session, step, self.me.party, to)
        box = box_key(to, self.hellos[to].box, HELLO).seal(body, statement)
        return Note(self.gathering.owners.index(to), box, self.me.sign(digest(statement, box)))

    def unsealed(self, step: str, note: Note) -> tuple[Party, bytes]:
        """Who wrote a note, and what. Raises Abort: MALFORMED, SIGNATURE or BOX, naming the writer."""
        if note.who >= len(self.gathering.owners):
            raise Abort(Cause.MALFORMED, step=step, detail="a note from nobody")
        sender = self.gathering.owners[note.who]
        statement = _statement(self.session, step, sender, self.me.party)
        self.me.verify(sender, digest(statement, note.box), note.signature)
        with blaming(sender, step):
            return sender, self.key.unseal(note.box, statement)


def hello_statement(gathering: Gathering, party: Party, hello: Hello) -> bytes:
    """What an owner signs of its hello."""
    unsigned = msgspec.structs.replace(hello, signature=bytes(64))
    return b"potluck psi hello 1\0" + digest(gathering.digest, named(party), dump(unsigned))


def read_found(body: bytes, sender: Party, width: int, filled: int) -> Found:
    """A result. width: bytes a member, 0: none are revealed; filled: how many places there are.

    Raises Abort(MALFORMED): it is none.
    """
    found = load(body, Found, sender)
    if found.size > filled or len(found.members) != width * filled:
        raise Abort(Cause.MALFORMED, party=sender, step=FOUND, detail="no result of these sets")
    return msgspec.structs.replace(found, members=found.members[: width * found.size])


def _statement(session: bytes, step: str, sender: Party, to: Party) -> bytes:
    return b"potluck psi note 1\0" + digest(session, step.encode(), named(sender), named(to))
