"""An owner's half of an intersection: hellos, whatever finds the common keys, and one order for all.

Owners never write to each other: the server carries sealed notes. Owners follow the protocol. Common keys come in the
order of their digests, which says nothing of any file's.

Where all owners kept the alignment that an earlier round ended with, and their keys are the same still, it is taken
again: they compare its random name, and nothing that is made of keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from potluck.core.party import SERVER, Party
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel
from potluck.core.wire import dump, load
from potluck.mpc.credentials import EngineCredentials
from potluck.mpc.engine import Engine
from potluck.mpc.psi import messages as m
from potluck.mpc.psi.commitment import Commitment
from potluck.mpc.psi.curve import split
from potluck.mpc.psi.many import many
from potluck.mpc.psi.passing import passed
from potluck.mpc.psi.rr22 import matched
from potluck.mpc.psi.two import Numbers, two
from potluck.mpc.spu import DIGEST
from potluck.secret.box import SEED, BoxKey
from potluck.secret.container import Secret
from potluck.secret.stream import digest


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """An alignment as an owner knows it. token: its name, 16 bytes; size: None at who learns nothing.

    common: digests of the common keys, ascending, 16 bytes each; None where this owner does not learn members.
    """

    token: bytes
    size: int | None
    common: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Intersection:
    """What an owner has at the end. reused: it is the alignment that was kept. order: the same at all who hold the same
    keys in the same order; it says which, to who can guess all of them."""

    held: Held
    reused: bool
    order: bytes = field(repr=False)


def meet(
    gathering: m.Gathering,
    me: Credentials,
    digests: bytes,
    engine: Engine | None = None,
    kept: Held | None = None,
    secret: Secret | None = None,
) -> Half[Intersection]:
    """An owner's half. digests: 16 bytes a key, none twice; kept: an alignment of these very keys; engine: for RR22;
    secret: 32 bytes of the run, the same in a round that is done again; None: none will be.

    Reveals: to all, how many keys each owner has, and whether it kept an alignment; to `gathering.to`, the size, or
    which of their own keys all have, once a run. Raises Abort: among others REPLAY where own or others' keys are not
    those of an earlier round of the run, or RR22 was tried in it before.
    """
    if len(digests) > m.MOST * DIGEST:
        raise Abort(Cause.RANGE, party=me.party, step=m.HELLO, detail=f"more than {m.MOST:,} keys")
    digests = b"".join(sorted(split(digests, DIGEST)))  # a file's order says nothing, and may be another next time
    commitment = Commitment(gathering.round.run, secret or Secret(me.draw(SEED)))
    circle, own = yield from _greeted(gathering, me, digests, commitment, engine, kept)
    hellos = [circle.hellos[party] for party in gathering.owners]
    if m.reused(hellos):
        assert kept is not None
        held = kept
    else:
        size, numbers = yield from _searched(circle, digests, engine, own)
        token = digest(b"potluck psi token 1", circle.session)[: m.TOKEN]
        held = Held(token, size, None if numbers is None else _common(digests, numbers))
    fingerprint = digest(b"potluck psi order 1", gathering.about, held.token, held.common or b"")
    if gathering.ordered:
        yield from _same_order(circle, fingerprint)
    return Intersection(held, held is kept, fingerprint)


def _greeted(
    gathering: m.Gathering,
    me: Credentials,
    digests: bytes,
    commitment: Commitment,
    engine: Engine | None,
    kept: Held | None,
) -> Half[tuple[m.Circle, EngineCredentials | None]]:
    key = BoxKey(Secret(me.draw(SEED)))
    own, address = None, ""
    if gathering.way == "rr22":
        if engine is None:
            raise Abort(Cause.ENGINE, party=me.party, step=m.HELLO, detail="rr22 needs an engine, and there is none")
        own, address = engine.offer(me.party, gathering.round)
    certificate = own.certificate if own else b""
    count = len(digests) // DIGEST
    said = m.Hello(key.public, count, kept.token if kept else b"", address, certificate, bytes(64))
    said = msgspec.structs.replace(said, signature=me.sign(m.hello_statement(gathering, me.party, said)))
    label = gathering.label(m.HELLO)
    send = {SERVER: Parcel(label, dump(said))}
    inbox = yield Exchange(label, send, frozenset({SERVER}), 1, gathering.hops(0) + 4, commitment.own(digests))
    hellos = load(inbox.got[SERVER], m.Hellos, SERVER).hellos
    return m.Circle(gathering, me, key, commitment, _verified(gathering, me, said, hellos)), own


def _verified(
    gathering: m.Gathering, me: Credentials, mine: m.Hello, hellos: tuple[m.Hello, ...]
) -> Mapping[Party, m.Hello]:
    """Raises Abort: not one hello of each owner, signed by it for this round, this owner's own among them; or an owner
    has more keys than it may."""
    if len(hellos) != len(gathering.owners):
        raise Abort(Cause.MALFORMED, party=SERVER, step=m.HELLO)
    found = dict(zip(gathering.owners, hellos, strict=True))
    if found[me.party] != mine:
        raise Abort(Cause.KEYS, party=SERVER, step=m.HELLO, detail="it shows another hello of this owner")
    for party, hello in found.items():
        me.verify(party, m.hello_statement(gathering, party, hello), hello.signature)
        if hello.count > gathering.most:
            detail = f"more keys than the {gathering.most:,} rows that a site may have"
            raise Abort(Cause.RANGE, party=party, step=m.HELLO, detail=detail)
    return found


def _searched(
    circle: m.Circle, digests: bytes, engine: Engine | None, own: EngineCredentials | None
) -> Half[tuple[int | None, Numbers | None]]:
    if engine is not None and own is not None:
        return (yield from matched(circle, digests, engine, own))
    return (yield from (many if circle.gathering.way == "many" else two)(circle, digests))


def _common(digests: bytes, numbers: Numbers) -> bytes:
    keys = split(digests, DIGEST)
    return b"".join(sorted(keys[one] for one in numbers))


def _same_order(circle: m.Circle, mine: bytes) -> Half[None]:
    """Raises Abort(SURVIVORS): another who learns members has others, or in another order."""
    others = frozenset(circle.gathering.to) - {circle.me.party}
    reads = circle.me.party in circle.gathering.to
    send = dict.fromkeys(others, mine) if reads else {}
    got = yield from passed(circle, m.ORDER, send, others if reads else frozenset())
    for party, said in got.items():
        if said != mine:
            raise Abort(Cause.SURVIVORS, party=party, step=m.ORDER, detail="it found other keys, or in another order")
