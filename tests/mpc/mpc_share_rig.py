"""The three-server sum's tests: engines that all rounds of a module share, and one round of n sites."""

import numpy as np

from potluck.core.party import Party, Role, site
from potluck.core.rounds import RoundId, Terms
from potluck.mpc.share import Share
from potluck.testing.protection import Sitting

RANKS = tuple(Party(Role.COMPUTE, name) for name in ("alpha", "beta", "gamma"))
ALPHA, BETA, GAMMA = RANKS


def terms(n, length, bits=64, d=0, number=1, limits=(), once="once"):
    sites = tuple(site(f"s{i}") for i in range(n))
    return Terms(RoundId("run", number), b"d" * 32, once, sites, n - d, length, bits, limits=tuple(limits))


def sitting(engines, words, agreed, patience=20.0, leaves=None, **more):
    """One round; leaves: {party: the step at which it vanishes}."""
    gone = leaves or {}
    given = dict(zip(agreed.sites, words, strict=True))
    protection = Share(RANKS, patience, engines)
    return Sitting(protection, agreed, given, vanish=lambda party, round, step: gone.get(party) == step, **more)


def words_of(rows, bits=64):
    """Python integers -> words mod 2^bits."""
    return [np.array([value % 2**bits for value in row], f"<u{bits // 8}") for row in rows]


def end(engines):
    """The engines' processes are gone."""
    for engine in engines.values():
        engine.close()
    engines.clear()
