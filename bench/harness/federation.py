"""Federations of any size in this process: the protection's real halves around one table, without plan or data."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from potluck.core.desk import Desk
from potluck.core.fixed import word
from potluck.core.party import SERVER, Party, site
from potluck.core.rounds import Half, RoundId, Sum, Terms, Words
from potluck.core.stages import Guarded, Opened
from potluck.drivers.memory import Memory, Vanish, new_run, nobody
from potluck.mpc.mask.graph import Shape, thresholds

LAST_SEEN = "mask/input"


@dataclass(frozen=True, slots=True, eq=False)
class Federation:
    """Sites, what they must survive, and the words that each of them gives."""

    sites: tuple[Party, ...]
    shape: Shape
    dropouts: int
    words: Mapping[Party, Words]
    bits: int

    @property
    def length(self) -> int:
        """d."""
        return len(self.words[self.sites[0]])


@lru_cache(maxsize=2)
def total(fed: Federation, givers: frozenset[Party]) -> Words:
    """What a sum over `givers` must open to: kept, so that checking takes no part of what is timed."""
    out = np.zeros(fed.length, word(fed.bits))
    for giver in givers:
        out += fed.words[giver]
    return out


def federation(n: int, length: int, bits: int, corrupt: int, dropouts: int) -> Federation:
    """n sites against a lying server, each with its own random words [length]."""
    sites = tuple(site(f"site-{index:03d}") for index in range(n))
    picks, least = thresholds(n, corrupt, dropouts, "lying")
    dtype = word(bits)
    words = {party: np.frombuffer(os.urandom(length * dtype.itemsize), dtype) for party in sites}
    return Federation(sites, Shape(n, picks, least, lying=True), dropouts, words, bits)


def one_round(fed: Federation, protection: Sum, vanish: Vanish = nobody) -> Memory:
    """One sum from first letter to last, under fresh keys; the memory holds its transcript. The sum is checked."""
    memory = Memory(fed.sites, b"bench", vanish=vanish)
    number = RoundId(new_run(), 1)
    least = len(fed.sites) - fed.dropouts
    terms = Terms(number, os.urandom(32), number.run, fed.sites, least, fed.length, fed.bits)
    halves: dict[Party, Half[object]] = {
        party: protection.give(terms, memory.seat(party), Guarded(fed.words[party])) for party in fed.sites
    }
    desks = memory.round(number, {SERVER: protection.open(terms, memory.seat(SERVER)), **halves})
    _check(fed, desks[SERVER])
    return memory


def _check(fed: Federation, server: Desk[object]) -> None:
    if server.abort:
        raise server.abort
    opened = server.result
    assert isinstance(opened, Opened)
    assert np.array_equal(opened.words, total(fed, opened.givers)), "the opened sum is not the sum"


def before_input(gone: frozenset[Party]) -> Vanish:
    """These vanish when they should send their masked words: after dealing, so that their masks must be removed."""
    return lambda party, round_, step: party in gone and step == LAST_SEEN
