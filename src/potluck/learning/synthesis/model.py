"""What all columns are together, as noised tables say it: a tree of pairs, by the target where there is one.

A column depends on its neighbours in the tree and on the target, and on other columns through these alone. That is what
rows drawn from it do NOT have: what three columns are together, beyond that.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.units import Index
from potluck.learning.statistics.sums import Part
from potluck.learning.synthesis.axes import Axis
from potluck.learning.synthesis.fitted import fitted, shares
from potluck.learning.synthesis.tables import Counts, Edge, first, others, second
from potluck.learning.synthesis.tree import spanning

Possible = Callable[[Edge], Floats]
"""Of two columns [size, size] 1, and 0 in cells that are known to have no row."""
ABSOLUTE = float(np.sqrt(2 / np.pi))
"""Of noise of standard deviation 1 the mean of what it is without its sign."""


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What was opened of columns, and of pairs by groups. alone: by axis [size, target] counts; ones: the same as
    shares that agree about the target; pairs: by edge [groups, groups, target's groups] counts.

    Where there is no target it is an axis of one level.
    """

    axes: tuple[Axis, ...]
    target: int | None
    alone: Mapping[int, Counts] = field(repr=False)
    ones: Mapping[int, Floats] = field(repr=False)
    pairs: Mapping[Edge, Counts] = field(repr=False)

    @property
    def nodes(self) -> list[int]:
        """The axes of the tree."""
        return others(self.axes, self.target)

    @property
    def groups(self) -> Index:
        """[target] the group of each of its levels."""
        return np.zeros(1, np.int64) if self.target is None else self.axes[self.target].groups

    def by_groups(self, axis: int) -> Floats:
        """[size, target's groups] shares."""
        return grouped(self.ones[axis], self.groups, 1)

    def unrelated(self, edge: Edge) -> Floats:
        """[groups, groups, target's groups] shares, as if both columns were independent given the target."""
        one, other = (grouped(self.by_groups(axis), self.axes[axis].groups, 0) for axis in edge)
        return independent(one, other)

    def tree(self) -> tuple[Edge, ...]:
        """The pairs of columns that are farthest from independence, as far as noise tells."""
        weights = {edge: distance(counts, self.unrelated(edge)) for edge, counts in self.pairs.items()}
        return spanning(self.nodes, weights)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A distribution of all columns. opened: by edge of the tree [size, size, target's groups] counts; edges: the same
    as shares, whose margins are the survey's."""

    survey: Survey
    opened: Mapping[Edge, Counts] = field(repr=False)
    edges: Mapping[Edge, Floats] = field(repr=False)


def grouped(values: Floats, groups: Index, axis: int) -> Floats:
    """Shares added up by groups of the levels of one axis."""
    return np.asarray(np.add.reduceat(values, np.flatnonzero(np.diff(groups, prepend=-1)), axis=axis))


def independent(one: Floats, other: Floats) -> Floats:
    """[a, b, t] of [a, t] and [b, t], which agree about t."""
    of = one.sum(axis=0)
    return np.asarray(one[:, None, :] * np.divide(other, of, out=np.zeros_like(other), where=of > 0)[None, :, :])


def distance(counts: Counts, wanted: Floats) -> float:
    """L1 between noised counts as shares and other shares, less what the noise adds to it on average."""
    rows = float(counts.values.sum())
    if rows <= 0:
        return 0.0
    return float(np.abs(counts.values / rows - wanted).sum()) - blur(counts, rows)


def blur(counts: Counts, rows: float) -> float:
    """How far from itself noise takes a table of so many rows, on average: L1 of shares."""
    return counts.values.size * counts.std * ABSOLUTE / rows if rows > 0 else 2.0


def surveyed(axes: tuple[Axis, ...], target: int | None, part: Part) -> Survey:
    """The first round."""
    nodes = others(axes, target)
    every = [_by_target(one, target) for one in first(axes, target).opened(part)]
    alone = dict(zip(nodes, every[: len(nodes)], strict=True))
    pairs = dict(zip(combinations(nodes, 2), every[len(nodes) :], strict=True))
    return Survey(axes, target, alone, _agreed(alone), pairs)


def modelled(survey: Survey, edges: Sequence[Edge], part: Part | None, possible: Possible) -> Model:
    """The tree of these edges. part: of the second round; None: there is none, of one column beside the target."""
    if part is None:
        return Model(survey, {}, {})
    every = [_by_target(one, survey.target) for one in second(survey.axes, survey.target, edges).opened(part)]
    nodes = survey.nodes
    alone = {axis: _both(survey.alone[axis], one) for axis, one in zip(nodes, every, strict=False)}
    better = replace(survey, alone=alone, ones=_agreed(alone))
    opened, found = dict(zip(edges, every[len(nodes) :], strict=True)), dict[Edge, Floats]()
    for edge, counts in opened.items():
        can, (one, other) = possible(edge), (better.by_groups(axis) for axis in edge)
        prior = _alike(counts, one, other, can)
        table = shares(counts.values * can[:, :, None], counts.std, prior)
        found[edge] = fitted(table, [((0, 2), one), ((1, 2), other)], prior)
    return Model(better, opened, found)


def _alike(counts: Counts, one: Floats, other: Floats, can: Floats) -> Floats:
    """[a, b, t] shares of two columns, were they related in the same way whatever the target: without it there is less
    noise. As if they were independent, but for what both are together. can: as `Possible`."""
    apart = independent(one, other) * can[:, :, None]
    without, pair = apart.sum(axis=2), _summed(counts, 2)
    found = fitted(
        shares(pair.values * can, pair.std, without), [((0,), one.sum(axis=1)), ((1,), other.sum(axis=1))], without
    )
    factor = np.divide(found, without, out=np.ones_like(found), where=without > 0)
    return fitted(apart * factor[:, :, None], [((0, 2), one), ((1, 2), other)], apart)


def _summed(counts: Counts, axis: int) -> Counts:
    """A table without one of its axes."""
    return Counts(counts.values.sum(axis=axis), counts.std * math.sqrt(counts.values.shape[axis]))


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
