"""The messages of one sum over secret shares: fixed schemas, and what is signed and sealed.

Sites are named by their index in the plan's order. A letter's signature covers who says it to whom, in which round and
step; what one party shows to another beside that carries a signature of its own.
"""

from collections.abc import Sequence

from potluck.core.party import Party
from potluck.core.rounds import Cause, Terms
from potluck.core.wire import Hash, Index, Message, OfSite, Signature
from potluck.mpc.credentials import Address, Certificate, JobName
from potluck.secret import statement
from potluck.secret.statement import indices, named
from potluck.secret.stream import digest

KEYS = "share/keys"
INPUT = "share/input"
HELD = "share/held"
READY = "share/ready"
LINK = "share/link"
RUN = "share/run"
ROLL = "share/roll"
ACCEPTED = "share/accepted"
SURVIVORS = "share/survivors"
CONFIRM = "share/confirm"
RESULT = "share/result"


class Promise(Message, frozen=True):
    """A site's commitments to its three parts, signed: whoever holds a part can show what it should be."""

    parts: tuple[Hash, Hash, Hash]
    signature: Signature


class Input(Message, frozen=True):
    """A site's two parts for one compute party, sealed, and its promise."""

    sealed: bytes
    promise: Promise


class Listed(OfSite, frozen=True):
    """A site whose parts a compute party holds, and what the site promised."""

    promise: Promise


class Fault(OfSite, frozen=True):
    """A site that is left out, and why."""

    cause: Cause


class Held(Message, frozen=True):
    """Whose parts a compute party holds, whose it could not take, and how it is reached.

    job: the job whose link it has open, or nothing; address, certificate: for a new one, named after this round.
    """

    listed: tuple[Listed, ...]
    faults: tuple[Fault, ...]
    job: JobName
    address: Address
    certificate: Certificate


class Survivors(Message, frozen=True):
    """Whose parts were accepted."""

    givers: tuple[Index, ...]


class Confirmed(Message, frozen=True):
    """A site's word that it stands by this set, and by no other for what may be opened once."""

    statement: Hash


class Result(Message, frozen=True):
    """A compute party's share of the sum, over whom it is, and who was left out."""

    givers: tuple[Index, ...]
    faults: tuple[Fault, ...]
    share: bytes


def session(terms: Terms) -> bytes:
    """32 bytes that name protocol, version, terms and round."""
    return statement.session(b"potluck share 1", terms)


def part_info(terms: Terms, site: Party) -> bytes:
    """What a site's parts are for: this round, and nobody else's vector."""
    return digest(session(terms), named(site))


def promise_statement(terms: Terms, site: Party, parts: Sequence[bytes]) -> bytes:
    """What a site signs about its parts."""
    return b"potluck share promise 1\0" + digest(session(terms), named(site), *parts)


def box_info(terms: Terms, site: Party, to: Party, parts: Sequence[bytes]) -> bytes:
    """What parts are sealed under: they open in no other round, in nobody else's name, beside no other promise."""
    return b"potluck share box 1\0" + digest(session(terms), named(site), named(to), *parts)


def survivors_statement(terms: Terms, givers: Sequence[int]) -> bytes:
    """What a site confirms."""
    return digest(b"potluck share survivors 1", session(terms), indices(givers))
