"""Statistics as one sum: all statistics of a plan, of whatever kind, are one vector. Those of several rounds
(`course.py`) ask for further ones.

Each statistic is a block of cells; `by` splits it into a cell a declared value and one "other" for values that the
plan does not declare. The total is the sum of all its cells, "other" included; what is listed by value is the
declared ones. Rows with no value in a column of a statistic are left out of that statistic (where the column's rule
keeps the row at all). Numbers are clamped to their declared range, as everywhere. What a row adds to a cell is the
kind's to say (`kinds/`).

With unit = "person" only a person's first `rows_per_person` rows count, and they are summed into one unit; the
sensitivity is that many times a row's. Noised values are neither clamped nor rounded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from potluck.core.asks import Answer, Ask, Block, Kind, Lead
from potluck.core.party import Draw
from potluck.core.plan import Plan, Statistic, required
from potluck.core.rounds import Abort, Cause
from potluck.core.slices import Bytes
from potluck.core.stages import Contribution, Encoded, Floats, Grid, L
from potluck.learning.data.parts import grounded
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import opened
from potluck.learning.data.sources.memory import ByName
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index, counted, most_rows, most_units, with_persons
from potluck.learning.statistics import gram
from potluck.learning.statistics.adding import Query
from potluck.learning.statistics.course import Asked, Course, CourseRows, pack, unpack
from potluck.learning.statistics.kinds import kind_of
from potluck.learning.statistics.parts import parted, parts_of
from potluck.learning.statistics.reading import groups
from potluck.learning.statistics.result import Result
from potluck.learning.statistics.sums import Part


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """The results by statistic, in the plan's order."""

    results: Mapping[str, Result]
    warnings: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        """The results as JSON has them."""
        return {name: result.document() for name, result in self.results.items()}


def results(plan: Plan, answer: Answer) -> tuple[dict[str, Result], tuple[str, ...]]:
    """The result of every statistic of one round, and what to mind about them."""
    found: dict[str, Result] = {}
    warnings: list[str] = []
    steps = {part.name: part.step for part in answer.grid.parts}
    for one in plan.statistics:
        kind, opened = kind_of(one), dict[str, Part]()
        if kind.course is not None:
            continue
        for key, each in parts_of(plan, one).items():
            part, rows = answer.part(each.name), 1 if kind_of(each).course else groups(plan, each)
            opened[key] = Part(part.values.reshape(rows, -1), part.std.reshape(rows, -1), steps[each.name])
            warnings += gram.unsure(plan, each, opened[key]) if kind_of(each).products else ()
        whole = kind.join is not None and "" not in opened
        found[one.name] = required(kind.join)(plan, one, opened) if whole else kind.read(plan, one, opened[""])
    return found, tuple(warnings)


def courses(plan: Plan) -> dict[str, Course]:
    """Of what is added up those that are courses, by name: statistics, and parts of one round."""
    makes = {one.name: (kind_of(one).course, one) for one in parted(plan)}
    return {name: make(plan, one) for name, (make, one) in makes.items() if make is not None}


@dataclass(frozen=True, slots=True)
class StatisticsTask:
    """One sum, and one more for as long as a statistic of several rounds goes on. See `core.asks.Task`."""

    plan: Plan

    def lead(self) -> Lead[Counted]:
        """The server's side: sums, then the results with their intervals."""
        going = {name: course.lead() for name, course in courses(self.plan).items()}
        states = {name: next(lead) for name, lead in going.items()}
        answer: Answer = yield self._asked(0, states)
        found, warnings = results(self.plan, answer)
        for step in range(1, self.plan.sums + 1):
            steps = {part.name: part.step for part in answer.grid.parts}
            for name in tuple(states):
                part = answer.part(name)
                try:
                    states[name] = going[name].send(Part(part.values, part.std, steps[name]))
                except StopIteration as stop:
                    found[name] = stop.value
                    del states[name]
            if not states:
                break
            answer = yield self._asked(step, states)
        more = (line for one in self.plan.statistics for line in found[one.name].warnings(one))
        return Counted({one.name: found[one.name] for one in self.plan.statistics}, (*warnings, *more))

    def ask(self, kind: Kind, step: int, state: Bytes) -> Ask:
        """The site's own view of a sum. Raises Abort(TERMS): no such sum in this plan, or no state of it."""
        if kind is not Kind.STATISTICS or not 0 <= step < self.plan.sums or (step == 0 and state != b""):
            raise Abort(Cause.TERMS, detail=f"the plan has no sum {kind.value} {step}, or not at this state")
        return self._asked(step, self._states(step, state))

    def contribute(self, ask: Ask, rows: Table, draw: Draw) -> Iterator[Contribution]:
        """What this site's rows add, already added up."""
        if rows.sums is not None:
            yield rows.sums
            return
        every = courses(self.plan)
        asked = {name: Asked(every[name], ask.step, one) for name, one in self._states(ask.step, ask.state).items()}
        if ask.step == 0 and len(every) < len(parted(self.plan)):
            yield _Held(self.plan, rows)
        if asked:
            index = counted(self.plan, rows.person, np.arange(rows.rows, dtype=np.int64))
            columns = with_persons(self.plan, rows.columns, rows.person)
            held = {name: values[index] for name, values in columns.items()}
            yield CourseRows(asked, held | {name: _spelled(rows, name, index) for name in rows.cells})

    @property
    def later(self) -> Ask | None:
        """A sum after the first, with no fewer numbers than any; None: there is none."""
        every = courses(self.plan)
        going = [one for one in self.plan.statistics if one.name in every and self.plan.sums > 1]
        blocks = []
        for one in going:
            block = every[one.name].layout(0, every[one.name].start()).block(self.plan, one.name)
            later = kind_of(one).later
            blocks.append(replace(block, size=later(self.plan, one)) if later else block)
        return Ask(Kind.STATISTICS, 1, tuple(blocks), b"") if blocks else None

    def _asked(self, step: int, states: Mapping[str, Floats]) -> Ask:
        every = courses(self.plan)
        once = {} if step else {one.name: self._block(one) for one in parted(self.plan) if one.name not in every}
        more = {name: Asked(every[name], step, one).layout.block(self.plan, name) for name, one in states.items()}
        both = once | more
        blocks = tuple(both[one.name] for one in parted(self.plan) if one.name in both)
        return Ask(Kind.STATISTICS, step, blocks, pack(states, tuple(every)) if step else b"")

    def _states(self, step: int, state: Bytes) -> dict[str, Floats]:
        """Of the courses that go on: known from the plan, then announced. Raises Abort(TERMS)."""
        every = courses(self.plan)
        if step == 0:
            return {name: course.start() for name, course in every.items()}
        return unpack(bytes(state), {name: len(course.start()) for name, course in every.items()})

    def _block(self, one: Statistic) -> Block:
        kind, rows = kind_of(one), most_rows(self.plan)
        high = kind.most(self.plan, one) * rows
        size, units = groups(self.plan, one) * kind.width(self.plan, one), most_units(self.plan)
        spread = kind.spread(self.plan, one)
        parts = spread.parts if spread else int(kind.whole)
        single = rows == 1 and kind.alone and (spread is None or spread.flat)
        return Block(one.name, size, high, kind.norm(self.plan, one) * high, units, parts, single)


def _spelled(rows: Table, name: str, index: Index) -> Floats:
    """[k, length] the characters of strings, NaN where there is none."""
    found = rows.cells[name].take(index).astype(np.float64)
    found[np.isnan(rows.columns[name][index])] = np.nan
    return found


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
