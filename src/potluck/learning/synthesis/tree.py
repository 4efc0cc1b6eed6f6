"""Which pairs of columns are counted finely: a tree of those that depend on each other most, as far as noise tells.

Reference: Chow and Liu 1968, "Approximating discrete probability distributions with dependence trees"; by a target it
is the tree of Friedman, Geiger and Goldszmidt 1997, "Bayesian network classifiers". Dependence is the L1 distance from
independence, as in McKenna, Miklau and Sheldon 2021, "Winning the NIST contest".
"""

from collections.abc import Mapping, Sequence

from potluck.learning.synthesis.tables import Edge


def spanning(nodes: Sequence[int], weights: Mapping[Edge, float]) -> tuple[Edge, ...]:
    """The edges of the heaviest tree over all nodes, in order (Kruskal 1956). weights: of each pair, the lower place
    first. Of equal ones the first pair is taken, so that everybody finds the same tree."""
    of, found = {node: node for node in nodes}, list[Edge]()
    for edge in sorted(weights, key=lambda one: (-weights[one], one)):
        if of[edge[0]] != of[edge[1]]:
            _join(of, edge)
            found.append(edge)
    return tuple(sorted(found))


def spans(nodes: Sequence[int], edges: Sequence[Edge]) -> bool:
    """Whether these are the edges of a tree over all nodes, each the lower place first, in order."""
    of = {node: node for node in nodes}
    if len(edges) != len(nodes) - 1 or list(edges) != sorted(set(edges)):
        return False
    for one, other in edges:
        if one not in of or other not in of or one >= other or of[one] == of[other]:
            return False
        _join(of, (one, other))
    return True


def _join(of: dict[int, int], edge: Edge) -> None:
    """Two parts of a forest become one. of: by node the name of its part."""
    left, right = of[edge[0]], of[edge[1]]
    for node, part in of.items():
        if part == right:
            of[node] = left
