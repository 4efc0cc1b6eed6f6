"""How numbers come to who computes: its box key of the round, and the parts that it holds, promised and sealed to it.

A letter's signature says whose key it is. Nothing here needs an engine. What is dealt says nothing to one compute
party. It does NOT keep two of them from reading it together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Read
from potluck.core.steps import blaming
from potluck.core.wire import Message, dump, load
from potluck.mpc.replicated import Piece, held, places
from potluck.secret.box import BoxPublic, PublicBoxKey

if TYPE_CHECKING:
    from potluck.mpc.coordination import Place

P = TypeVar("P")


class Keys(Message, frozen=True):
    """A compute party's box key of this round."""

    box: BoxPublic


class Dealt(Message, frozen=True):
    """What is sealed to one compute party: two of three parts of a vector, or one of two."""

    first: Piece
    second: Piece | None = None

    @property
    def held(self) -> tuple[Piece, ...]:
        """The parts that are there."""
        return (self.first,) if self.second is None else (self.first, self.second)


def keys_read(step: str) -> Read:
    """Reads the `Keys` of that step. Raises Abort naming the compute party: MALFORMED, KEYS."""

    def read(sender: Party, body: bytes) -> bytes:
        with blaming(sender, step):
            PublicBoxKey(load(body, Keys, sender).box)
        return body

    return read


def boxes_of(got: Mapping[Party, bytes]) -> dict[Party, PublicBoxKey]:
    """Compute parties' keys, from what `keys_read` read."""
    return {party: PublicBoxKey(load(body, Keys, party).box) for party, body in got.items()}


def sealed(
    boxes: Mapping[Party, PublicBoxKey],
    ranks: Sequence[Party],
    parts: Sequence[P],
    dealt: Callable[..., Message],
    info: Callable[[Party], bytes],
) -> Iterator[tuple[Party, bytes]]:
    """By compute party the parts that it holds, sealed. dealt: the message; info: what a box for it is sealed under."""
    for rank, party in enumerate(ranks):
        yield party, boxes[party].seal(dump(dealt(*held(parts, rank))), info(party))


def check_parts(
    place: "Place",
    sender: Party,
    step: str,
    parts: Sequence[P],
    promised: Sequence[bytes],
    commit: Callable[[P], bytes],
) -> None:
    """Holds the parts that this compute party got against their sender's promise of all of them.

    Raises Abort naming the sender: MALFORMED, parts for another number of parties; COMMITMENT.
    """
    wanted = places(place.rank, len(place.ranks))
    if (len(promised), len(parts)) != (len(place.ranks), len(wanted)):
        raise Abort(Cause.MALFORMED, party=sender, step=step, detail="parts for another number of compute parties")
    if any(commit(part) != promised[at] for at, part in zip(wanted, parts, strict=True)):
        raise Abort(Cause.COMMITMENT, party=sender, step=step, detail="a part is not the promised one")
