"""What all columns are together, as noised tables say it: a tree of pairs, and each column by the target, if any.

A column depends on its neighbours in the tree and on the target, and on other columns through these alone. That is what
rows drawn from it do NOT have: what three columns are together, beyond what each two of them are.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.units import Index
from potluck.learning.statistics.sums import Part
from potluck.learning.synthesis.apart import blur, length
from potluck.learning.synthesis.axes import Axis
from potluck.learning.synthesis.fitted import fitted, shares
from potluck.learning.synthesis.known import Known, known, refined
from potluck.learning.synthesis.related import related
from potluck.learning.synthesis.tables import Counts, Edge, first, others, second
from potluck.learning.synthesis.tree import spanning

Possible = Callable[[Edge], Floats]
"""Of two columns [size, size] 1, and 0 in cells that are known to have no row."""
LEVELS = 16
"""A target of more levels than this is by groups, where it is beside two columns: their tables would be too large."""


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What was opened. alone: by axis [size, target] counts; pairs: by edge [groups, groups]; fine: by edge of the tree
    [size, size], once these are opened. What all of it says of a column: known, by axis the rows of each level; and
    ones, by axis [size, target] shares, which agree about the target.

    Where there is no target it is an axis of one level.
    """

    axes: tuple[Axis, ...]
    target: int | None
    alone: Mapping[int, Counts] = field(repr=False)
    pairs: Mapping[Edge, Counts] = field(repr=False)
    fine: Mapping[Edge, Counts] = field(repr=False, default_factory=dict)
    known: Mapping[int, Known] = field(init=False, repr=False)
    ones: Mapping[int, Floats] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        found = {node: known(self.axes[node], one, self._margins(node)) for node, one in self.alone.items()}
        object.__setattr__(self, "known", found)
        object.__setattr__(self, "ones", _agreed({node: _with(one, found[node]) for node, one in self.alone.items()}))

    @property
    def nodes(self) -> list[int]:
        """The axes of the tree."""
        return others(self.axes, self.target)

    @property
    def groups(self) -> Index:
        """[target] the group of each of its levels."""
        return groups_of(self.axes, self.target)

    def by_groups(self, axis: int) -> Floats:
        """[size, target's groups] shares."""
        return grouped(self.ones[axis], self.groups, 1)

    def rows(self, edge: Edge) -> float:
        """Those that are in tables of this pair, at least 1: those that have a level of both columns."""
        pair = self.pairs[edge]
        if not pair.std:
            return max(float(pair.values.sum()), 1.0)
        return max(min(float(self.known[node].rows.sum()) for node in edge), 1.0)

    def unrelated(self, edge: Edge) -> Floats:
        """[groups, groups] shares, as if both columns were independent given the target."""
        one, other = (grouped(self.ones[axis], self.axes[axis].groups, 0) for axis in edge)
        return np.asarray(independent(one, other).sum(axis=2))

    def tree(self) -> tuple[Edge, ...]:
        """The pairs of columns that are farthest from independence, as far as noise tells."""
        weights = {
            edge: length(counts, self.rows(edge), self.unrelated(edge)) - blur(counts, self.rows(edge))
            for edge, counts in self.pairs.items()
        }
        return spanning(self.nodes, weights)

    def _margins(self, node: int) -> Iterator[Counts]:
        """What tables of pairs say of one column."""
        for tables in (self.pairs, self.fine):
            for edge, counts in tables.items():
                if node in edge:
                    yield _summed(counts, 1 - edge.index(node))


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A distribution of all columns. edges: by edge of the tree [size, size, target's groups] shares, whose margins are
    the survey's."""

    survey: Survey
    edges: Mapping[Edge, Floats] = field(repr=False)


def groups_of(axes: Sequence[Axis], target: int | None) -> Index:
    """[target] of each level of the target its group where it is beside two columns."""
    if target is None:
        return np.zeros(1, np.int64)
    return np.arange(axes[target].size) if axes[target].size <= LEVELS else axes[target].groups


def grouped(values: Floats, groups: Index, axis: int) -> Floats:
    """Shares added up by groups of the levels of one axis."""
    return np.asarray(np.add.reduceat(values, np.flatnonzero(np.diff(groups, prepend=-1)), axis=axis))


def independent(one: Floats, other: Floats) -> Floats:
    """[a, b, t] of [a, t] and [b, t], which agree about t."""
    of = one.sum(axis=0)
    return np.asarray(one[:, None, :] * np.divide(other, of, out=np.zeros_like(other), where=of > 0)[None, :, :])


def surveyed(axes: tuple[Axis, ...], target: int | None, part: Part) -> Survey:
    """The first round."""
    nodes, every = others(axes, target), first(axes, target).opened(part)
    alone = {node: _by_target(one, target) for node, one in zip(nodes, every, strict=False)}
    return Survey(axes, target, alone, dict(zip(combinations(nodes, 2), every[len(nodes) :], strict=True)))


def modelled(survey: Survey, edges: Sequence[Edge], part: Part | None, possible: Possible) -> Model:
    """The tree of these edges. part: of the second round; None: there is none, of one column beside the target."""
    if part is None:
        return Model(survey, {})
    nodes, every = survey.nodes, second(survey.axes, survey.target, edges).opened(part)
    again = {node: _by_target(one, survey.target) for node, one in zip(nodes, every, strict=False)}
    better = replace(
        survey,
        alone={node: _both(one, again[node]) for node, one in survey.alone.items()},
        fine=dict(zip(edges, every[len(nodes) :], strict=True)),
    )
    return Model(better, {edge: _joint(better, edge, possible(edge)) for edge in edges})


def _joint(survey: Survey, edge: Edge, can: Floats) -> Floats:
    """[a, b, t] shares of two columns and the target, of which each two are together as was opened, and all three no
    more than that. can: as `Possible`."""
    one, other = (survey.by_groups(axis) for axis in edge)
    margins = [((0,), one.sum(axis=1)), ((1,), other.sum(axis=1))]
    apart = independent(one, other) * can[:, :, None]
    without = fitted(apart.sum(axis=2), margins, apart.sum(axis=2))
    counts, rows = _finely(survey, edge), survey.rows(edge)
    pair = np.maximum(related(counts.values / rows, counts.std / rows, without), 0.0) * can
    both = fitted(pair / (pair.sum() or 1.0), margins, without)
    return fitted(apart, [((0, 2), one), ((1, 2), other), ((0, 1), both)], apart)


def _finely(survey: Survey, edge: Edge) -> Counts:
    """Both tables of a pair as one."""
    one, other = (survey.axes[place] for place in edge)
    return refined(one, survey.pairs[edge], other, survey.fine[edge])


def _summed(counts: Counts, axis: int) -> Counts:
    """A table without one of its axes."""
    return Counts(counts.values.sum(axis=axis), counts.std * math.sqrt(counts.values.shape[axis]))


def _with(counts: Counts, found: Known) -> Counts:
    """Counts [size, target] that add up to what is known of each level."""
    more = (found.rows - counts.values.sum(axis=1)) / counts.values.shape[1]
    return replace(counts, values=counts.values + more[:, None])


def _agreed(alone: Mapping[int, Counts]) -> dict[int, Floats]:
    """Shares that agree about the target, which all columns tell of."""
    sides = np.array([one.values.sum(axis=0) for one in alone.values()])
    each = np.array([1 / (len(one.values) * max(one.std, 1.0) ** 2) for one in alone.values()])
    of_target = shares(each @ sides / each.sum(), float(each.sum() ** -0.5), np.ones(sides.shape[1]))
    return {axis: _given(one, of_target) for axis, one in alone.items()}


def _given(counts: Counts, of_target: Floats) -> Floats:
    """[size, target] shares: of each value of the target by themselves, since a rare one has fewer rows; what noise
    hides of them is as it is for all values together."""
    both = _summed(counts, 1)
    prior = shares(both.values, both.std, np.ones(len(both.values)))
    return np.column_stack([shares(column, counts.std, prior) for column in counts.values.T]) * of_target


def _both(one: Counts, other: Counts) -> Counts:
    """Two counts of the same rows, by how well each is known."""
    if not one.std:
        return one
    left, right = one.std**-2, other.std**-2
    return Counts((left * one.values + right * other.values) / (left + right), (left + right) ** -0.5)


def _by_target(counts: Counts, target: int | None) -> Counts:
    """A table with a last axis for the target, of one level where there is none."""
    return replace(counts, values=counts.values[..., None]) if target is None else counts
