"""The two rounds that marginals take: every column and all pairs by groups, then the pairs of a tree, finely.

Which pairs the second round is of follows from what the first one opened, noise inside, and is announced. Sites check
that it is a tree, so that a row adds no more than the plan says. See `learning.statistics.course`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations

import numpy as np

from potluck.core.plan import Plan, Statistic, Synthesize, required
from potluck.core.stages import Floats
from potluck.learning.data.units import batches
from potluck.learning.statistics.course import Added, Columns, Layout, Lead, none_of_this_plan
from potluck.learning.statistics.sums import Part
from potluck.learning.synthesis.axes import Axis, axes_of
from potluck.learning.synthesis.drawn import drawn
from potluck.learning.synthesis.model import groups_of, modelled, surveyed
from potluck.learning.synthesis.never import possible
from potluck.learning.synthesis.result import marginals
from potluck.learning.synthesis.tables import Edge, Tables, first, others, second
from potluck.learning.synthesis.tree import spanning, spans


@dataclass(frozen=True)
class Synthesis:
    """See `course.Course`. Its state is the two columns of each edge, by their places; zeros in the first round."""

    plan: Plan
    one: Statistic

    def start(self) -> Floats:
        """No edges."""
        return np.zeros(2 * self.edges)

    def layout(self, step: int, state: Floats) -> Layout:
        """The cells of all tables of the round. Raises Abort(TERMS): no edges of this plan."""
        tables = self._tables(step, state)
        return Layout(tables.size, high=float(tables.weights.max()), norm=tables.norm, whole=True)

    def add(self, step: int, state: Floats, columns: Columns) -> Iterator[Added]:
        """A row's weight at its cell of each table."""
        tables = self._tables(step, state)
        count = len(next(iter(columns.values())))
        for some in batches(np.arange(count), len(tables.each)):
            places = tables.places(columns, some)
            there = places >= 0
            yield Added(np.where(there, tables.weights, 0.0), np.where(there, places, 0))

    def lead(self) -> Lead:
        """What is opened, the distribution that it says, and rows drawn from that."""
        part: Part = yield self.start()
        survey = surveyed(self.axes, self.target, part)
        edges, more = survey.tree(), None
        if edges:
            more = yield np.array(edges, np.float64).ravel()
        model = modelled(survey, edges, more, partial(possible, self.plan, self.axes))
        return marginals(model, drawn(self.plan, model))

    @property
    def largest(self) -> int:
        """Numbers of the second round's sum, at most."""
        return self._heaviest.size

    @property
    def widest(self) -> int:
        """Cells of the largest table that is made of the sums: of two columns by the target."""
        pairs = self._heaviest.sizes[len(others(self.axes, self.target)) :]
        return max(pairs, default=0) * (int(groups_of(self.axes, self.target)[-1]) + 1)

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """The plan's columns."""
        return axes_of(self.plan)

    @cached_property
    def target(self) -> int | None:
        """The place of the target among them."""
        name = self.spec.target
        return None if name is None else [axis.name for axis in self.axes].index(name)

    def alone(self, std: float) -> dict[int, float]:
        """By axis the noise in a count of its own tables, after both rounds. std: in a number of the first one."""
        tables, nodes = self.tables, others(self.axes, self.target)
        once = [std / table.weight for table in tables.each[: len(nodes)]]
        if not self.edges:
            return dict(zip(nodes, once, strict=True))
        then = self._heaviest  # of another tree there is less noise
        louder = std * then.norm / tables.norm  # both rounds cost the same
        both = zip(nodes, once, then.each, strict=False)
        return {node: 1 / math.hypot(1 / first, table.weight / louder) for node, first, table in both}

    @property
    def _heaviest(self) -> Tables:
        """Of the second round, were the tree of the pairs that have most cells: these weigh most, too."""
        nodes, sizes = others(self.axes, self.target), [axis.size for axis in self.axes]
        cells = {(one, other): float(sizes[one] * sizes[other]) for one, other in combinations(nodes, 2)}
        return second(self.axes, self.target, spanning(nodes, cells))

    @property
    def tables(self) -> Tables:
        """Of the first round."""
        return first(self.axes, self.target)

    @property
    def spec(self) -> Synthesize:
        """What the plan says of it."""
        return required(self.plan.synthesize)

    @property
    def edges(self) -> int:
        """Of a tree of all columns but the target."""
        return max(len(others(self.axes, self.target)) - 1, 0)

    def _tables(self, step: int, state: Floats) -> Tables:
        if step == 0:
            return self.tables
        return second(self.axes, self.target, self._edges(state))

    def _edges(self, state: Floats) -> tuple[Edge, ...]:
        """Raises Abort(TERMS): they are no tree of this plan."""
        if not (np.abs(state) < len(self.axes)).all() or not (state == np.trunc(state)).all():
            raise none_of_this_plan()
        one, other = state.astype(np.int64).reshape(-1, 2).T.tolist()
        edges = tuple(zip(one, other, strict=True))
        if not edges or not spans(others(self.axes, self.target), edges):
            raise none_of_this_plan()
        return edges
