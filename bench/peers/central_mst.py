"""MST, where one party has all rows: McKenna, Miklau and Sheldon 2021, "Winning the NIST contest", Journal of Privacy
and Confidentiality 11(3), written here from the paper.

A third of rho each: all columns alone; the edges of a tree, each by the exponential mechanism on its L1 distance from
what the columns alone say; and these pairs. Values that are rarer than three times the noise are one value meanwhile.
The distribution is the one that is nearest to what was measured, by mirror descent over a tree's potentials (McKenna,
Sheldon and Miklau 2019, "Graphical-model based estimation and inference for differential privacy"). Rows are rounded.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
Edge = tuple[int, int]
NAME = "central MST"
RARE, STEPS = 3.0, 1500


def rows(codes: Codes, sizes: Sequence[int], rho: float, many: int, seed: int) -> Codes:
    """[many, K] made-up levels, of levels [n, K] that are below `sizes`. rho: of zero-concentrated privacy, for one row
    more or less."""
    draw, columns = np.random.default_rng(seed), len(sizes)
    noise = np.sqrt(columns / (2 * rho / 3))
    alone = [_counts(codes[:, [i]], [size]) + draw.normal(0, noise, size) for i, size in enumerate(sizes)]
    maps = [_together(counts, noise) for counts in alone]
    codes = np.column_stack([one[codes[:, i]] for i, one in enumerate(maps)])
    small = [int(one.max()) + 1 for one in maps]
    singles = [(np.bincount(one, counts, size).astype(float), noise * np.sqrt(np.bincount(one, minlength=size)))
               for one, counts, size in zip(maps, alone, small, strict=True)]  # fmt: skip
    count = max(float(np.mean([counts.sum() for counts, _ in singles])), 1.0)
    edges = _tree(codes, small, [_positive(counts, count) for counts, _ in singles], rho / 3, draw)
    louder = np.sqrt(len(edges) / (2 * rho / 3))
    pairs = {
        edge: _counts(codes[:, list(edge)], [small[i] for i in edge]) + draw.normal(0, louder, [small[i] for i in edge])
        for edge in edges
    }
    tables, nodes = _nearest(singles, pairs, louder, count)
    found = _drawn(tables, nodes, many, draw)
    return np.column_stack([_apart(found[:, i], maps[i], draw) for i in range(columns)])


def _counts(codes: Codes, sizes: Sequence[int]) -> Floats:
    flat = np.ravel_multi_index(tuple(codes.T), tuple(sizes))
    return np.bincount(flat, minlength=int(np.prod(sizes))).reshape(sizes).astype(float)


def _together(counts: Floats, noise: float) -> Codes:
    """By level its place where all rare levels are one, the last."""
    often = counts >= RARE * noise
    return np.where(often, np.cumsum(often) - 1, int(often.sum()))


def _apart(found: Codes, places: Codes, draw: np.random.Generator) -> Codes:
    """Levels again; of the rare ones any."""
    back = np.empty(len(found), np.int64)
    for place in np.unique(found):
        levels, mine = np.flatnonzero(places == place), np.flatnonzero(found == place)
        back[mine] = draw.choice(levels, len(mine))
    return back


def _positive(counts: Floats, count: float) -> Floats:
    above: Floats = np.maximum(counts, 1e-9)
    found: Floats = above / above.sum() * count
    return found


def _tree(
    codes: Codes, sizes: Sequence[int], alone: Sequence[Floats], rho: float, draw: np.random.Generator
) -> list[Edge]:
    """Edge by edge, each with its part of rho."""
    scores = {
        edge: np.abs(
            _counts(codes[:, list(edge)], [sizes[i] for i in edge])
            - np.outer(alone[edge[0]], alone[edge[1]]) / alone[edge[0]].sum()
        ).sum()
        for edge in combinations(range(len(sizes)), 2)
    }
    of, epsilon, found = list(range(len(sizes))), np.sqrt(8 * rho / (len(sizes) - 1)), list[Edge]()
    while len(found) < len(sizes) - 1:
        open_ = [edge for edge in scores if of[edge[0]] != of[edge[1]]]
        noisy = np.array([scores[edge] for edge in open_]) * epsilon / 2 + draw.gumbel(size=len(open_))
        one, other = open_[int(noisy.argmax())]
        of = [of[one] if part == of[other] else part for part in of]
        found.append((one, other))
    return found


def _nearest(
    singles: Sequence[tuple[Floats, Floats]], pairs: Mapping[Edge, Floats], louder: float, count: float
) -> tuple[dict[Edge, Floats], list[Floats]]:
    """Shares by edge and by column, nearest to what was measured in squares, by their noise."""
    edges = list(pairs)
    theta = {edge: np.zeros(pairs[edge].shape) for edge in edges}
    phi = [np.zeros(len(counts)) for counts, _ in singles]

    def loss(tables: Mapping[Edge, Floats], nodes: Sequence[Floats]) -> float:
        of_pairs = sum(float(((tables[edge] * count - pairs[edge]) ** 2).sum()) / louder**2 for edge in edges)
        of_single = sum(
            float((((node * count - counts) / std) ** 2).sum())
            for node, (counts, std) in zip(nodes, singles, strict=True)
        )
        return (of_pairs + of_single) / 2

    step, (tables, nodes) = min(1.0, louder**2) / count**2, _marginals(theta, phi)
    now = loss(tables, nodes)
    for _ in range(STEPS):
        by_edge = {edge: count * (tables[edge] * count - pairs[edge]) / louder**2 for edge in edges}
        by_node = [count * (node * count - counts) / std**2 for node, (counts, std) in zip(nodes, singles, strict=True)]
        while True:
            trial = {edge: theta[edge] - step * by_edge[edge] for edge in edges}
            bases = [one - step * slope for one, slope in zip(phi, by_node, strict=True)]
            with np.errstate(all="ignore"):  # a step too far makes potentials of nothing
                there = _marginals(trial, bases)
                then = loss(*there)
            if then <= now:
                break
            step /= 2
            if step < 1e-30:
                return tables, nodes
        if abs(now - then) < 1e-7 * max(now, 1.0):
            return there
        theta, phi, (tables, nodes), now, step = trial, bases, there, then, step * 1.5
    return tables, nodes


def _marginals(theta: Mapping[Edge, Floats], phi: Sequence[Floats]) -> tuple[dict[Edge, Floats], list[Floats]]:
    """Belief propagation on a tree, from the leaves to column 0 and back."""
    near: dict[int, list[int]] = {i: [] for i in range(len(phi))}
    for one, other in theta:
        near[one].append(other)
        near[other].append(one)
    order, parents = [0], {0: -1}
    for node in order:
        for child in near[node]:
            if child not in parents:
                parents[child] = node
                order.append(child)
    psi = {edge: np.exp(values - values.max()) for edge, values in theta.items()}
    base = [np.exp(values - values.max()) for values in phi]

    def table(one: int, other: int) -> Floats:
        found: Floats = psi[one, other] if (one, other) in psi else psi[other, one].T
        return found

    sent: dict[Edge, Floats] = {}
    for node in [*reversed(order), *order]:
        for other in near[node]:
            if all((far, node) in sent for far in near[node] if far != other):
                belief = base[node] * np.prod([sent[far, node] for far in near[node] if far != other], axis=0)
                message = table(other, node) @ belief
                sent[node, other] = message / message.sum()
    nodes = []
    for node, values in enumerate(base):
        belief = values * np.prod([sent[far, node] for far in near[node]], axis=0)
        nodes.append(belief / belief.sum())
    tables = {}
    for one, other in theta:
        left = base[one] * np.prod([sent[far, one] for far in near[one] if far != other], axis=0)
        right = base[other] * np.prod([sent[far, other] for far in near[other] if far != one], axis=0)
        joint = left[:, None] * psi[one, other] * right
        tables[one, other] = joint / joint.sum()
    return tables, nodes


def _drawn(tables: Mapping[Edge, Floats], nodes: Sequence[Floats], many: int, draw: np.random.Generator) -> Codes:
    found = np.full((many, len(nodes)), -1, np.int64)
    found[:, 0] = _rounded(nodes[0], np.arange(many), draw)
    seen = {0}
    while len(seen) < len(nodes):
        for (one, other), values in tables.items():
            for parent, child, table in ((one, other, values), (other, one, values.T)):
                if parent in seen and child not in seen:
                    for level in np.unique(found[:, parent]):
                        mine = np.flatnonzero(found[:, parent] == level)
                        found[mine, child] = _rounded(table[level], mine, draw)
                    seen.add(child)
    return found


def _rounded(shares: Floats, rows: Codes, draw: np.random.Generator) -> Codes:
    """A level for each row, each as often as its share says, up to one."""
    ends = np.cumsum(shares / shares.sum()) * len(rows)
    picked = np.searchsorted(ends, np.arange(len(rows)) + draw.random(), "right")
    return draw.permutation(np.minimum(picked, len(shares) - 1))
