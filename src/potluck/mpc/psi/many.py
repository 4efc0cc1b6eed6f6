"""Three or more owners' intersection, which shows to nobody what any fewer of them have in common.

Every owner's keys go round the ring of owners, each multiplies them by its own secret, and they come home as tags: a
key's tag is the same at all who have it, and nobody makes one without every owner's help. Then every owner but `first`
writes a table over its tags (`psi.table`) of numbers that cancel out over all owners: a tag's numbers are made of
secrets that each two owners share, so of a key that any owner lacks they are noise. `first` reads every table at its
own tags; where all cancel, all have the key. For a size alone each owner shuffles the lists that pass it, so that no
owner can tell which of its keys a tag is.

A coalition of `first` and others learns which of ITS keys all the rest have, which it could learn by putting in the
union of its keys. All owners follow the protocol.
Reference: Kolesnikov, Matania, Pinkas, Rosulek, Trieu, CCS 2017 (eprint 2017/799), zero-sharing over programmed
functions; here the function is a PRF that all owners hold together (Freedman, Ishai, Pinkas, Reingold, TCC 2005).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Half
from potluck.core.steps import blaming
from potluck.mpc.psi import messages as m
from potluck.mpc.psi.curve import TAG, Blind, mapped, order, read_points, split, tags
from potluck.mpc.psi.passing import hear_found, passed, tell_found
from potluck.mpc.psi.table import U64, made, read
from potluck.mpc.psi.two import Numbers
from potluck.mpc.spu import DIGEST
from potluck.secret.stream import digest

SEED = 32


def many(circle: m.Circle, digests: bytes) -> Half[tuple[int | None, Numbers | None]]:
    """An owner's half. Gives the size and the numbers of its own common keys, in no order; None: not its to learn."""
    gathering, me, first = circle.gathering, circle.me, circle.gathering.first
    seeds = yield from _seeds(circle)
    own = yield from _own_tags(circle, split(digests, DIGEST))
    numbers = _numbers(seeds, own)
    if me.party != first:
        return (yield from _helping(circle, own, numbers))
    others = frozenset(gathering.owners) - {first}
    got = yield from passed(circle, m.TABLES, {}, others)
    total = numbers
    for party in others:
        with blaming(party, m.TABLES):
            total = total ^ read(got[party], circle.counts[party], own)
    common = np.flatnonzero((total == 0).all(axis=1))
    members = gathering.reveal == "members"
    # Ascending: in this owner's order others would read the order of its file.
    told = m.Found(len(common), b"".join(sorted(own[one] for one in common)) if members else b"")
    yield from tell_found(circle, told, TAG)
    return told.size, common if members else None


def _seeds(circle: m.Circle) -> Half[Sequence[bytes]]:
    """A secret with each other owner: who comes earlier in the plan draws it."""
    owners, me = circle.gathering.owners, circle.me
    place = owners.index(me.party)
    draw = circle.commitment.draw("seeds")
    drawn = {party: draw(SEED) for party in owners[place + 1 :]}
    got = yield from passed(circle, m.SEEDS, drawn, frozenset(owners[:place]))
    for party, seed in got.items():
        if len(seed) != SEED:
            raise Abort(Cause.MALFORMED, party=party, step=m.SEEDS)
    return [drawn.get(party) or got[party] for party in owners if party != me.party]


def _own_tags(circle: m.Circle, keys: Sequence[bytes]) -> Half[list[bytes]]:
    """This owner's tags, in key order, or in a secret random order if only the size is revealed.

    Its own list leaves multiplied by one secret and is multiplied by a second when it is home again, so that the last
    who saw it cannot read it; others' lists are multiplied by both.
    """
    gathering, me = circle.gathering, circle.me
    owners, place = gathering.owners, gathering.owners.index(me.party)
    behind, ahead = owners[place - 1], owners[(place + 1) % len(owners)]
    places = order(circle.commitment.draw("order"), len(keys))  # lists come in no order that says anything
    out, home = Blind(circle.commitment.draw("out")), Blind(circle.commitment.draw("home"))
    held = out.times(mapped(gathering.lasting, [keys[one] for one in places]))
    for hop in range(1, len(owners) + 1):
        got = yield from passed(circle, f"{m.HOP}/{hop}", {ahead: b"".join(held)}, frozenset({behind}))
        whose = owners[place - hop]
        held = read_points(got[behind], circle.counts[whose], behind)
        if whose == me.party:
            break
        held = home.times(out.times(held, behind), behind)
        if gathering.reveal == "size":
            held = [held[one] for one in order(circle.commitment.draw(f"hop {hop}"), len(held))]
    own = tags(gathering.lasting, home.times(held, behind))
    return [own[one] for one in np.argsort(places)]


def _numbers(seeds: Sequence[bytes], own: Sequence[bytes]) -> U64:
    """[n, 2]: what this owner adds at each of its tags. Over all owners these cancel out, tag by tag."""
    total: U64 = np.zeros((len(own), 2), np.uint64)
    joined = b"".join(own)
    for seed in seeds:
        # One block a tag, and no tag twice: the cipher as a pseudo-random function.
        cipher = Cipher(algorithms.AES256(digest(b"potluck psi numbers 1", seed)), modes.ECB()).encryptor()  # noqa: S305
        total = total ^ np.frombuffer(cipher.update(joined), "<u8").reshape(-1, 2)
    return total


def _helping(circle: m.Circle, own: list[bytes], numbers: U64) -> Half[tuple[int | None, Numbers | None]]:
    """The half of who does not compute the result: its table goes out, and the result comes where it is due."""
    first = circle.gathering.first
    yield from passed(circle, m.TABLES, {first: made(own, numbers, circle.commitment.draw("table"))}, frozenset())
    found = yield from hear_found(circle, TAG)
    if found is None:
        return None, None
    members = circle.gathering.reveal == "members"
    return found.size, _looked_up(own, split(found.members, TAG), first) if members else None


def _looked_up(own: Sequence[bytes], common: Sequence[bytes], first: Party) -> Numbers:
    where: Mapping[bytes, int] = {tag: number for number, tag in enumerate(own)}
    if len(set(common)) != len(common) or any(tag not in where for tag in common):
        raise Abort(Cause.MALFORMED, party=first, step=m.FOUND, detail="a result that names no keys of this owner")
    return np.array([where[tag] for tag in common], np.int64)
