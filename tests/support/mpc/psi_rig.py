"""What tests of intersections share: owners with keys, and a round of theirs in memory."""

from contextlib import ExitStack, closing
from dataclasses import dataclass

import numpy as np

from potluck.core.party import SERVER, site
from potluck.core.rounds import RoundId
from potluck.drivers.memory import Memory
from potluck.mpc.credentials import issue
from potluck.mpc.engine import Engine
from potluck.mpc.psi.curve import split
from potluck.mpc.psi.keys import digests
from potluck.mpc.psi.messages import Gathering
from potluck.mpc.psi.server import hand_on
from potluck.mpc.psi.site import meet

NAMES = ("ann", "bob", "cid", "dan", "eve")


def gathering(count, *, reveal="members", protocol="ecdh", to=None, number=1):
    """The first `count` names; `to` by name."""
    owners = tuple(map(site, NAMES[:count]))
    chosen = owners if to is None else tuple(map(site, to))
    return Gathering(RoundId("a run", number), b"d" * 32, b"l" * 32, b"a" * 32, owners, chosen, reveal, protocol, 30.0)


def keys_of(words):
    """Digests of keys of one column."""
    return digests([(word,) for word in words])


def met(about, sets, *, kept=None, engines=None, secrets=None, **memory):
    """One round over sets of words, in the owners' order. Gives the desks, by party. secrets: of the run, by party."""
    post = Memory(about.owners, about.digest, **memory)
    with ExitStack() as stack:
        made = {}
        if about.way == "rr22":
            made = engines or {party: stack.enter_context(closing(Engine(protocol="RR22"))) for party in about.owners}
            for one in made.values():
                one.warm()
        halves = {SERVER: hand_on(about)}
        for party, words in zip(about.owners, sets, strict=True):
            seat, mine = post.seat(party), (kept or {}).get(party)
            halves[party] = meet(about, seat, keys_of(words), made.get(party), mine, (secrets or {}).get(party))
        return post.round(about.round, halves)


def results(about, sets, **more):
    """What each owner found. Raises its abort, where there is one."""
    desks = met(about, sets, **more)
    for desk in desks.values():
        if desk.abort:
            raise desk.abort
    return {party: desks[party].result for party in about.owners}


@dataclass
class Late:
    """A result that is there when it is asked for."""

    value: object

    def result(self):
        return self.value() if callable(self.value) else self.value


class Seeing:
    """Stands in for an owner's engine and keeps the keys as they came. shared: between both, by rank."""

    def __init__(self, shared):
        self.shared, self.keys = shared, b""

    def offer(self, party, round_):
        return issue(party, f"{round_.run}/{round_.number}", 1.8e9), "127.0.0.1:1"

    def link(self, round_, rank, own, certificates, at):
        return Late(None)

    def intersect(self, keys, receiver):
        self.keys = keys
        self.shared.append(self)
        return Late(self._found)

    def _found(self):
        common = set.intersection(*(set(split(one.keys, 16)) for one in self.shared[-2:]))
        where = {key: number for number, key in enumerate(split(self.keys, 16))}
        return np.array([where[key] for key in sorted(common)], np.uint32)

    def warm(self):
        pass

    def close(self):
        pass
