"""Statistics as one sum: all statistics of a plan, of whatever kind, are one vector.

Each statistic is a block of cells; `by` splits it into a cell a declared value and one "other" for values that the
plan does not declare. The total is the sum of all its cells, "other" included; what is listed by value is the
declared ones. Rows with no value in a column of a statistic are left out of that statistic (where the column's rule
keeps the row at all). Numbers are clamped to their declared range, as everywhere. What a row adds to a cell is the
kind's to say (`kinds/`).

With unit = "person" only a person's first `rows_per_person` rows count, and they are summed into one unit; the
sensitivity is that many times a row's. Noised values are neither clamped nor rounded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from potluck.core.asks import Answer, Ask, Block, Kind, Lead
from potluck.core.party import Draw
from potluck.core.plan import Plan, Statistic
from potluck.core.rounds import Abort, Cause
from potluck.core.slices import Bytes
from potluck.core.stages import Contribution, Encoded, Grid, L
from potluck.learning.data.parts import grounded
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import opened
from potluck.learning.data.sources.memory import ByName
from potluck.learning.data.table import Table
from potluck.learning.data.units import counted, most_rows, most_units
from potluck.learning.statistics.adding import Query
from potluck.learning.statistics.kinds import KINDS
from potluck.learning.statistics.reading import groups
from potluck.learning.statistics.result import Result


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """The results by statistic, in the plan's order."""

    results: Mapping[str, Result]
    warnings: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """The results as JSON has them."""
        return {name: result.document() for name, result in self.results.items()}


def results(plan: Plan, answer: Answer) -> dict[str, Result]:
    """Every statistic's result, in the plan's order."""
    found: dict[str, Result] = {}
    for one in plan.statistics:
        part, read = answer.part(one.name), KINDS.of(one.kind).read
        values, std = (numbers.reshape(groups(plan, one), -1) for numbers in (part.values, part.std))
        found[one.name] = read(plan, one, values, std)
    return found


@dataclass(frozen=True, slots=True)
class StatisticsTask:
    """One sum, opened once. See `core.asks.Task`."""

    plan: Plan

    def lead(self) -> Lead[Counted]:
        """The server's side: one sum, then the results with their intervals."""
        answer: Answer = yield Ask(Kind.STATISTICS, 0, self._blocks(), b"")
        return Counted(results(self.plan, answer))

    def ask(self, kind: Kind, step: int, state: Bytes) -> Ask:
        """The site's own view of the sum. Raises Abort(TERMS): the plan has one sum and no model."""
        if (kind, step, state) != (Kind.STATISTICS, 0, b""):
            raise Abort(Cause.TERMS, detail="the plan has one sum of statistics")
        return Ask(kind, step, self._blocks(), state)

    def contribute(self, ask: Ask, rows: Table, draw: Draw) -> Iterator[Contribution]:
        """What this site's rows add, already added up."""
        yield rows.sums if rows.sums is not None else _Held(self.plan, rows)

    def _blocks(self) -> tuple[Block, ...]:
        return tuple(self._block(one) for one in self.plan.statistics)

    def _block(self, one: Statistic) -> Block:
        kind, rows = KINDS.of(one.kind), most_rows(self.plan)
        high = kind.most(self.plan, one) * rows
        size, units = groups(self.plan, one) * kind.width(self.plan, one), most_units(self.plan)
        spread = kind.spread(self.plan, one)
        parts = spread.parts if spread else int(kind.whole)
        single = rows == 1 and kind.alone and (spread is None or spread.flat)
        return Block(one.name, size, high, kind.norm(self.plan, one) * high, units, parts, single)


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """Rows whose columns are in memory, as a contribution. See `core.stages.Unlaid`.

    The bound is that of `adding`: with noise for persons a unit is the sum of at most `most_rows` rows, each within the
    bound of one, so that it is within as many times that.
    """

    plan: Plan
    rows: Table = field(repr=False)

    def encode(self, grid: Grid, limit: L) -> Encoded[L]:
        """See `core.stages.Unlaid`."""
        index = counted(self.plan, self.rows.person, np.arange(self.rows.rows, dtype=np.int64))
        frame = ByName({name: values[index] for name, values in self.rows.columns.items()}, len(index))
        problems = Problems("rows")
        with opened(frame, problems.where).open(list(self.rows.columns), None, problems, True) as relation:
            ground, cells = grounded(relation)
            top = ground.above("v")
            values = {name: top.define(cell.sql) for name, cell in cells.items()}
            return Query(self.plan, grid, top, values).answer(relation)[0].encode(grid, limit)
