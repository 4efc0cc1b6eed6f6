"""What tests of intersections share: owners with keys, and a round of theirs in memory."""

from __future__ import annotations

from contextlib import ExitStack, closing

from potluck.core.party import SERVER, site
from potluck.core.rounds import RoundId
from potluck.mpc.psi.engine import Matcher
from potluck.mpc.psi.keys import digests
from potluck.mpc.psi.messages import Gathering
from potluck.mpc.psi.rounds import hand_on, meet
from potluck.parties.memory import Memory

NAMES = ("ann", "bob", "cid", "dan", "eve")


def gathering(count, *, reveal="members", protocol="ecdh", to=None, number=1):
    """The first `count` names; `to` by name."""
    owners = tuple(map(site, NAMES[:count]))
    chosen = owners if to is None else tuple(map(site, to))
    return Gathering(RoundId("a run", number), b"d" * 32, b"l" * 32, b"a" * 32, owners, chosen, reveal, protocol, 30.0)


def keys_of(words):
    """Digests of keys of one column."""
    return digests([(word,) for word in words])


def met(about, sets, *, kept=None, engines=None, **memory):
    """One round over sets of words, in the owners' order. Gives the desks, by party."""
    post = Memory(about.owners, about.digest, **memory)
    with ExitStack() as stack:
        made = {}
        if about.way == "rr22":
            made = engines or {party: stack.enter_context(closing(Matcher())) for party in about.owners}
            for one in made.values():
                one.warm()
        halves = {SERVER: hand_on(about)}
        for party, words in zip(about.owners, sets, strict=True):
            halves[party] = meet(about, post.seat(party), keys_of(words), made.get(party), (kept or {}).get(party))
        return post.round(about.round, halves)


def results(about, sets, **more):
    """What each owner found. Raises its abort, where there is one."""
    desks = met(about, sets, **more)
    for desk in desks.values():
        if desk.abort:
            raise desk.abort
    return {party: desks[party].result for party in about.owners}
