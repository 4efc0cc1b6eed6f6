"""Statistics as one sum: all of a plan's counts, sums, means, variances, histograms and tables are one vector.

Each statistic is a block of cells; `by` splits it into a cell a declared value and one "other" for values that the
plan does not declare. The total is the sum of all its cells, "other" included; what is listed by value is the
declared ones. Rows with no value in a column of a statistic are left out of that statistic (where the column's rule
keeps the row at all). Numbers are clamped to their declared range, as everywhere. A histogram's bins are [a, b), the
last one closed.

With unit = "person" only a person's first `rows_per_person` rows count, and they are summed into one unit; the
sensitivity is that many times a row's. Noised values are neither clamped nor rounded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from potluck.core.asks import Answer, Ask, Block, Kind, Lead
from potluck.core.plan import Column, Plan, Statistic
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Floats, Update
from potluck.learning.data.encode import scale
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index, counted, most_rows, most_units, updates
from potluck.learning.statistics.results import Result, results

ROW = {"count": 1.0, "mean": math.sqrt(2), "variance": math.sqrt(3), "histogram": 1.0, "contingency": 1.0}
"""The L2 norm of what one row adds; a sum's is its column's largest absolute value."""
POWERS = {"mean": 2, "variance": 3}
"""A mean adds (1, x), a variance (1, x, x^2), with x scaled to [-1, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """The results by statistic, in the plan's order."""

    results: Mapping[str, Result]
    warnings: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """The results as JSON has them."""
        return {name: result.document() for name, result in self.results.items()}


def groups(plan: Plan, one: Statistic) -> int:
    """How many cells `by` makes: one a declared value and "other"; 1 without `by`."""
    return len(plan.data.columns[one.by].values) + 1 if one.by else 1


def inner(plan: Plan, one: Statistic) -> int:
    """How many numbers a cell of `by` holds."""
    if one.kind == "histogram":
        return one.bins
    if one.kind == "contingency":
        return math.prod(len(plan.data.columns[name].values) + 1 for name in one.columns)
    return POWERS.get(one.kind, 1)


def magnitude(plan: Plan, one: Statistic) -> float:
    """The largest absolute value of a sum's column."""
    column = plan.data.columns[one.column or ""]
    return max(abs(column.low or 0.0), abs(column.high or 0.0))


@dataclass(frozen=True, slots=True)
class StatisticsTask:
    """One sum, opened once. See `core.asks.Task`."""

    plan: Plan

    def lead(self) -> Lead[Counted]:
        """The server's side: one sum, then the results with their intervals."""
        answer: Answer = yield Ask(Kind.STATISTICS, 0, self._blocks(), b"")
        return Counted(results(self.plan, answer))

    def ask(self, kind: Kind, step: int, state: bytes) -> Ask:
        """The site's own view of the sum. Raises Abort(TERMS): the plan has one sum and no model."""
        if (kind, step, state) != (Kind.STATISTICS, 0, b""):
            raise Abort(Cause.TERMS, detail="the plan has one sum of statistics")
        return Ask(kind, step, self._blocks(), state)

    def contribute(self, ask: Ask, rows: Table) -> Iterator[Update]:
        """What this site's rows add [units, d]."""
        index = counted(self.plan, rows.person, np.arange(rows.rows, dtype=np.int64))
        size = sum(block.size for block in ask.blocks)

        def each(some: Index) -> Floats:
            return np.hstack([_cells(self.plan, one, rows, some) for one in self.plan.statistics])

        yield from updates(self.plan, index, rows.person, size, each)

    def _blocks(self) -> tuple[Block, ...]:
        return tuple(self._block(one) for one in self.plan.statistics)

    def _block(self, one: Statistic) -> Block:
        most = most_rows(self.plan)
        high = magnitude(self.plan, one) if one.kind == "sum" else 1.0
        norm = high if one.kind == "sum" else ROW[one.kind]
        size = groups(self.plan, one) * inner(self.plan, one)
        whole = one.kind in ("count", "histogram", "contingency")
        single = most == 1 and one.kind not in POWERS
        return Block(one.name, size, high * most, norm * most, most_units(self.plan), whole=whole, single=single)


def _cells(plan: Plan, one: Statistic, rows: Table, index: Index) -> Floats:
    """[k, size]: what each row adds to one statistic; a row without a value in it adds zeros."""
    size, width = groups(plan, one) * inner(plan, one), inner(plan, one)
    place, values = np.zeros(len(index)), np.ones((len(index), 1))
    if one.by:
        place = _other_last(rows.columns[one.by][index], plan.data.columns[one.by]) * width
    if one.column is not None:
        x = rows.columns[one.column][index]
        place = place + np.where(np.isnan(x), np.nan, 0.0)
        column = plan.data.columns[one.column]
        if one.kind == "histogram":
            place = place + _bins(x, column, one.bins)
        elif one.kind in POWERS:
            values = scale(x, column.low or 0.0, column.high or 0.0)[:, None] ** np.arange(POWERS[one.kind])
        elif one.kind == "sum":
            values = np.clip(x, column.low, column.high)[:, None]
    for name in one.columns:
        column = plan.data.columns[name]
        width //= len(column.values) + 1
        place = place + _other_last(rows.columns[name][index], column) * width
    out = np.zeros((len(index), size))
    there = np.flatnonzero(~np.isnan(place))
    for offset in range(values.shape[1]):
        out[there, place[there].astype(np.int64) + offset] = values[there, offset]
    return out


def _other_last(codes: Floats, column: Column) -> Floats:
    """Codes with "other" as the last cell; NaN stays."""
    return np.where(codes < 0, float(len(column.values)), codes)


def _bins(x: Floats, column: Column, bins: int) -> Floats:
    """The bin of each number by the stated edges; NaN stays."""
    assert column.low is not None
    assert column.high is not None
    edges = np.linspace(column.low, column.high, bins + 1)
    found = np.clip(np.searchsorted(edges, np.clip(x, column.low, column.high), side="right") - 1, 0, bins - 1)
    return np.where(np.isnan(x), np.nan, found.astype(np.float64))
