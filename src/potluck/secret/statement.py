"""What signatures and keys of a round are bound to: names, sets of sites and the round itself, as bytes for hashing."""

from collections.abc import Iterable

from potluck.core.party import Party
from potluck.core.rounds import SURVIVORS, Record, Terms
from potluck.core.wire import VERSION
from potluck.secret.stream import digest


def named(party: Party) -> bytes:
    """A party as bytes."""
    return f"{party.role}/{party.name}".encode()


def indices(values: Iterable[int]) -> bytes:
    """A list of sites, by their index in the plan's order, as bytes."""
    return b"".join(value.to_bytes(4, "big") for value in values)


def survived(terms: Terms, givers: Iterable[Party]) -> Record:
    """One set of parties for what may be opened once, durable before one helps to open it; a retry may repeat it."""
    return Record(SURVIVORS + terms.once, b"\0".join(sorted(map(named, givers))), again=True)


def session(tag: bytes, terms: Terms) -> bytes:
    """32 bytes that name protocol, version, terms and round. tag: the protocol's own."""
    version, round_ = VERSION.to_bytes(4, "big"), terms.round
    return digest(tag, version, terms.digest, round_.run.encode(), round_.number.to_bytes(8, "big"))
