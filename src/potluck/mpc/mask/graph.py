"""Who holds whose shares, and how many are needed: thresholds from the plan, never from who turned up.

Below 100 sites everybody holds a share of everybody (Bonawitz et al., CCS 2017, section 4 and its malicious-server
mode). From 100 on each site picks k neighbours by itself (Bell et al., CCS 2020) with k and t from exact
hypergeometric tails and a union bound over the sites: leak below 2^-40, abort below 2^-30.

Two things can leak an update. Both secrets of a site open: against a curious server that takes t corrupt neighbours;
a lying one can tell honest neighbours different stories, each gives one share, a corrupt one gives both, so
2t - k corrupt neighbours do (2t - n of all sites on the complete graph). Or honest survivors fall apart into
groups that share no mask, so that each group's sum opens. Corrupt sites are chosen before the graph is drawn.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Plan

COMPLETE_BELOW = 100
LEAK_BITS = 40
ABORT_BITS = 30


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers of a plan: n, k, t, and whether the server may lie.

    sites n; picks k: how many neighbours each site has chosen (n - 1: everybody); least t: shares that open a secret.

    On the complete graph a site also keeps a share of its own, so that n hold shares; else k do.
    """

    sites: int
    picks: int
    least: int
    lying: bool

    @property
    def complete(self) -> bool:
        """Whether everybody is everybody's neighbour."""
        return self.picks >= self.sites - 1

    @property
    def opens(self) -> int:
        """How many holders of a site's shares must collude with the server for both its secrets to open."""
        held = self.sites if self.complete else self.picks
        return 2 * self.least - held if self.lying else self.least


def shape_of(plan: Plan) -> Shape:
    """k and t for this plan: from its sites, corrupt and dropouts, never from who turns up."""
    fed = plan.federation
    picks, least = thresholds(len(fed.sites), fed.corrupt, fed.dropouts, fed.server)
    return Shape(len(fed.sites), picks, least, fed.server == "lying")


def thresholds(n: int, corrupt: int, dropouts: int, server: str) -> tuple[int, int]:
    """(k, t) for n sites of which `corrupt` may collude and `dropouts` may vanish; server: "lying" or "curious"."""
    lying = server == "lying"
    sparse = _sparse(n, corrupt, dropouts, lying) if n >= COMPLETE_BELOW else None
    if sparse is not None:
        return sparse
    least = max((n + corrupt) // 2 + 1, 2 * n // 3 + 1) if lying else max(corrupt + 1, n // 2 + 1)
    return n - 1, min(n - dropouts, least)


def sound(n: int, corrupt: int, least: int, server: str) -> bool:
    """Whether t = `least` on the complete graph keeps both secrets of a site from opening."""
    return 2 * least > n + corrupt if server == "lying" else least >= corrupt + 1


@lru_cache(maxsize=64)
def _sparse(n: int, corrupt: int, dropouts: int, lying: bool) -> tuple[int, int] | None:
    """The smallest k, with the largest t that survives the drop-outs; None where only the complete graph will do."""
    gone = 0  # of a site's k picks no more than these drop out; more picks never lose fewer
    for k in range(1, n - 1):
        while not rare(n, dropouts, k, gone + 1, ABORT_BITS):
            gone += 1
        t = k - gone
        opens = 2 * t - k if lying else t
        if opens > 0 and rare(n, corrupt, k, opens, LEAK_BITS) and _holds_together(n, corrupt, dropouts, (k, t), lying):
            return k, t
    return None


def rare(n: int, marked: int, picks: int, least: int, bits: int) -> bool:
    """Whether the chance that any of n sites has `least` marked ones among its picks is at most 2^-bits: exact."""
    marked = min(marked, n - 1)
    ways = sum(
        math.comb(marked, hit) * math.comb(n - 1 - marked, picks - hit)
        for hit in range(max(least, 0), min(marked, picks) + 1)
    )
    return n * ways << bits <= math.comb(n - 1, picks)


def tolerated(shape: Shape) -> int:
    """The largest number of corrupt sites that a graph of picks withstands with a leak below 2^-40."""
    least = bisect_left(
        range(shape.sites), True, key=lambda c: not rare(shape.sites, c, shape.picks, shape.opens, LEAK_BITS)
    )
    return least - 1


def _holds_together(n: int, corrupt: int, dropouts: int, shape: tuple[int, int], lying: bool) -> bool:
    """Whether honest survivors form one group but for a chance of 2^-40: a union bound over groups of s sites.

    A lying server chooses who drops, but every member of a group still needs t of its picks in the group or
    corrupt. Against a curious one drop-outs do not depend on the graph: all k picks lie in the group, corrupt or gone,
    and no survivor outside picked into it.
    """
    from scipy.special import logsumexp

    k, t = shape
    honest = n - corrupt if lying else n - corrupt - dropouts
    s = np.arange(1, honest // 2 + 1, dtype=np.float64)
    if lying:
        chance = s * _log_tail(n - 1, s - 1 + corrupt, k, t)
    else:
        outside = (honest - s) * (_log_comb(n - 1 - s, k) - _log_comb(n - 1, k))
        chance = s * (_log_comb(s - 1 + corrupt + dropouts, k) - _log_comb(n - 1, k)) + outside
    return bool(logsumexp(_log_comb(honest, s) + chance) <= -LEAK_BITS * math.log(2))


def _log_comb(n: NDArray[np.float64] | float, k: NDArray[np.float64] | float) -> NDArray[np.float64]:
    from scipy.special import gammaln

    n, k = np.broadcast_arrays(np.asarray(n, dtype=np.float64), np.asarray(k, dtype=np.float64))
    inside = (k >= 0) & (k <= n)
    top, low = np.where(inside, n, 0), np.where(inside, k, 0)
    value = gammaln(top + 1) - gammaln(low + 1) - gammaln(top - low + 1)
    return np.asarray(np.where(inside, value, -np.inf), dtype=np.float64)


def _log_tail(n: int, marked: NDArray[np.float64], picks: int, least: int) -> NDArray[np.float64]:
    """log P(at least `least` of `picks` from n are marked), for each number of marked ones."""
    from scipy.special import logsumexp

    hits = np.arange(least, picks + 1, dtype=np.float64)[:, None]
    terms = _log_comb(marked, hits) + _log_comb(n - marked, picks - hits) - _log_comb(n, picks)
    return np.asarray(logsumexp(terms, axis=0), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Graph:
    """The round's graph over those who advertised, by index in the plan's order.

    holders[i]: who holds shares of i's secrets (i too, on the complete graph); pairs[i]: with whom i shares a mask.
    """

    holders: Mapping[int, frozenset[int]]
    pairs: Mapping[int, frozenset[int]]


def graph(shape: Shape, picks: Mapping[int, frozenset[int]]) -> Graph:
    """The graph from what each present site picked (nothing, on the complete graph)."""
    present = frozenset(picks)
    if shape.complete:
        return Graph(dict.fromkeys(picks, present), {i: present - {i} for i in picks})
    pairs = {i: set(chosen & present) for i, chosen in picks.items()}
    for i, chosen in picks.items():
        for j in chosen & present:
            pairs[j].add(i)
    holders = {i: chosen & present for i, chosen in picks.items()}
    return Graph(holders, {i: frozenset(others) for i, others in pairs.items()})
