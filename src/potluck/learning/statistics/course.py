"""A statistic of several rounds: each asks for a sum at a public state that follows from the sums before.

The server's side is a generator, a site's side a pure function of plan, state and columns: as in training, with a state
that is a few numbers. A row's numbers are put on the grid and truncated toward zero before they are added up, so that
sums have the same bytes in any order of rows.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from potluck.core.asks import Block
from potluck.core.fixed import FINEST, margin, word
from potluck.core.plan import Plan, Statistic
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Clip, Encoded, Floats, Grid, GridBlock, L
from potluck.learning.data.units import Index, most_rows, most_units
from potluck.learning.statistics.result import Result
from potluck.learning.statistics.sums import Part

Columns = Mapping[str, Floats]
"""By name, columns [n] of a table: numbers, or codes of declared values; of `data.person` a number for each person; of
strings [n, length] the places of their characters."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a row may add in one round. size: numbers of the sum; high: the largest |number| of a row; norm: the L2 norm
    of all numbers of a row. person: all rows that count of one person add no more than this together; whole: rows are
    counted, so numbers are whole."""

    size: int
    high: float = 1.0
    norm: float = 1.0
    person: bool = False
    whole: bool = False

    def block(self, plan: Plan, name: str) -> Block:
        """The block of the sum: of a person with all rows that count."""
        rows = 1 if self.person else most_rows(plan)
        return Block(name, self.size, self.high * rows, self.norm * rows, most_units(plan), int(self.whole))


@dataclass(frozen=True, slots=True, eq=False)
class Added:
    """values [k, w]: what some rows add, from number `at` of the sum on, or `at` [k] of each; or `at` [k, w]: each of
    its numbers by itself, where it is not zero.

    rows [k]: of how many rows each is the sum; None: of one. With noise all numbers of a row stand in one of these, so
    that their norm is checked together.
    """

    values: Floats = field(repr=False)
    at: int | Index = 0
    rows: Index | None = field(default=None, repr=False)


Lead = Generator[Floats, Part, Result]
"""Yields the state of each round, is resumed with what was opened at it, and returns the result."""


class Course(Protocol):
    """A statistic of several rounds, of one plan."""

    def start(self) -> Floats:
        """[s] the state of the first round, known from the plan. All states are as long."""
        ...

    def layout(self, step: int, state: Floats) -> Layout:
        """What a row may add in round `step`, the first is 0. Raises Abort(TERMS): no state of this plan."""
        ...

    def add(self, step: int, state: Floats, columns: Columns) -> Iterator[Added]:
        """What rows add. Rows without a value in a column of the statistic add nothing."""
        ...

    def lead(self) -> Lead:
        """The server's side. It ends after at most `rounds` of the plan."""
        ...


MakeCourse = Callable[[Plan, Statistic], Course]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A course in one round."""

    course: Course
    step: int
    state: Floats

    @property
    def layout(self) -> Layout:
        return self.course.layout(self.step, self.state)

    def steps(self, part: GridBlock, columns: Columns, *, clip: bool, few: int = 0) -> NDArray[np.int64]:
        """[size] whole steps that rows add to a part of the grid. few: see `CourseRows`.

        The bound: a row's numbers are each within `high`, and with a clip their norm within `norm`; both are checked in
        whole steps, and truncation only shortens. Raises Abort(RANGE): they are not; Abort(REFUSED): rows are too few.
        """
        layout, total, there = self.layout, np.zeros(part.size, dtype=np.int64), np.zeros(part.size)
        for one in self.course.add(self.step, self.state, columns):
            steps = np.trunc(one.values / part.step)
            rows = np.ones(len(steps)) if one.rows is None else one.rows
            norms = np.sqrt((steps**2).sum(axis=1)) if clip else np.zeros(len(steps))
            most = layout.norm * (1 + margin(part.size)) / part.step
            if not (np.abs(steps) <= rows[:, None] * layout.high / part.step).all() or not (norms <= rows * most).all():
                raise Abort(Cause.RANGE, detail=f"{part.name}: a contribution is beyond its bound")
            whole, width = steps.astype(np.int64), steps.shape[1]
            if isinstance(one.at, int):
                total[one.at : one.at + width] += whole.sum(axis=0)
                there[one.at] += rows.sum()
            elif one.at.ndim == 1:
                np.add.at(total, one.at[:, None] + np.arange(width), whole)
                np.add.at(there, one.at, rows)
            else:
                np.add.at(total, one.at, whole)
                np.add.at(there, one.at, np.where(whole != 0, rows[:, None], 0.0))
        if ((there > 0) & (there < few)).any():
            where = f"{part.name}, one of its places in sum {self.step + 1}"
            what = f"there are fewer rows than allow.min_cell ({few}): {where}"
            raise Abort(Cause.REFUSED, detail=what)
        return total


@dataclass(frozen=True, slots=True, eq=False)
class CourseRows:
    """What a site's rows add to the courses of a round. See `core.stages.Unlaid`.

    few: where some rows are added up in one place of the sum, there have to be as many: which place a row has may
    follow from an announced state alone, as that of a cluster does.
    """

    asked: Mapping[str, Asked]
    columns: Columns = field(repr=False)
    few: int = 0

    def encode(self, grid: Grid, limit: L) -> Encoded[L]:
        """A unit of several rows is within as many times what one may add. Raises Abort(RANGE)."""
        parts, total = {part.name: part for part in grid.parts}, np.zeros(grid.length, dtype=np.int64)
        for name, where in grid.slices().items():
            if name in self.asked:
                total[where] = self.asked[name].steps(
                    parts[name], self.columns, clip=isinstance(limit, Clip), few=self.few
                )
        return Encoded(total.astype(word(grid.bits)), grid, limit)


def alone(course: Course, columns: Columns, rows: int) -> Result:
    """What a course comes to if one site goes it by itself. rows: how many count, at least 1. Sums are whole numbers of
    steps, so that the order of rows is nothing."""
    lead, step = course.lead(), 2.0 ** -min(-FINEST, 62 - rows.bit_length())
    state = next(lead)
    for number in count():  # a course ends
        asked = Asked(course, number, state)
        size = asked.layout.size
        sums = asked.steps(GridBlock("alone", size, step, float(rows)), columns, clip=False).astype(np.float64) * step
        try:
            state = lead.send(Part(sums, np.zeros(size), step))
        except StopIteration as stop:
            found: Result = stop.value
            return found
    raise AssertionError


def pack(states: Mapping[str, Floats], names: tuple[str, ...]) -> bytes:
    """The states of the courses that go on, of all that there are."""
    return b"".join(b"\1" + states[name].astype("<f8").tobytes() if name in states else b"\0" for name in names)


def unpack(packed: bytes, sizes: Mapping[str, int]) -> dict[str, Floats]:
    """The same from bytes that anybody may have sent. Raises Abort(TERMS)."""
    found, at = {}, 0
    for name, size in sizes.items():
        goes, at = packed[at : at + 1], at + 1
        if goes == b"\1":
            numbers, at = packed[at : at + 8 * size], at + 8 * size
            state = np.frombuffer(numbers, dtype="<f8") if len(numbers) == 8 * size else np.full(1, np.nan)
            if not np.isfinite(state).all():
                raise none_of_this_plan()
            found[name] = state.astype(np.float64)
        elif goes != b"\0":
            raise none_of_this_plan()
    if at != len(packed) or not found:
        raise none_of_this_plan()
    return found


def none_of_this_plan() -> Abort:
    """The server announced what cannot be."""
    return Abort(Cause.TERMS, detail="the announced state of the statistics is none of this plan")
