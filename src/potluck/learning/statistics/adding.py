"""Statistics added up inside a query, as integers: rows are never laid out, and every engine gives the same ones.

What a row adds to a number is a double of basic arithmetic, the same in each engine, put on the grid's steps and
truncated toward zero before it is summed. All statistics of a plan are one query: the places of their cells (the values
of `by`, a histogram's bins) are what rows are grouped by, jointly, and the groups' sums are put together here.

The bound: each number of a row lies within the kind's `most`, and its norm within `norm` times that: both are checked
in the query, row by row, and truncation only shortens (`core.fixed`). So the sums are what `core.fixed.encode` would
give of rows laid out, each within its limit.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from potluck.core.fixed import word
from potluck.core.plan import Plan, Statistic, required
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Encoded, Grid, L
from potluck.core.tables.statistic import counted
from potluck.learning.data.declared import find
from potluck.learning.data.sql.layers import Layer
from potluck.learning.data.sql.relation import Relation
from potluck.learning.data.sql.values import other_last
from potluck.learning.statistics.kind import ONE, Cells
from potluck.learning.statistics.kinds import kind_of
from potluck.learning.statistics.parts import parted
from potluck.learning.statistics.spread import Spread

GROUPS = 1 << 16
"""Most joint places of statistics that are grouped together."""
COUNTER = 30
"""Bits of a count: more rows than a plan may have."""
ROUNDING = 2.0**-48
"""More than what doubles can get wrong about a sum of a few squares, and less than what a clip leaves for it."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What a site's rows add. steps: by statistic, whole steps of the grid; rows: how many there are; counted: by
    statistic, those that it counts; beyond: a row is beyond the bound of a statistic's kind."""

    grid: Grid
    steps: Mapping[str, Sequence[int]] = field(repr=False)
    rows: int = field(repr=False)
    counted: Mapping[str, int] = field(repr=False)
    beyond: bool = False

    def body(self) -> bytes:
        """All of it, as bytes."""
        return repr((self.grid, sorted(self.steps.items()), self.rows, self.beyond)).encode()

    def encode(self, grid: Grid, limit: L) -> Encoded[L]:
        """See `core.stages.Unlaid`. Raises Abort(RANGE): a row is beyond its bound."""
        if grid != self.grid:
            raise ValueError("added up for another sum")
        if self.beyond:
            raise Abort(Cause.RANGE, detail="a contribution to a statistic is beyond its bound")
        ring = 1 << grid.bits
        whole = [step % ring for part in grid.parts for step in self.steps[part.name]]
        return Encoded(np.array(whole, dtype=word(grid.bits)), grid, limit)


@dataclass(frozen=True, slots=True)
class _Term:
    """One statistic in the query. digits: the names of its places, each with how many there may be; gaps: the key of
    how many rows with such places it does not count, in the lowest COUNTER bits; sums: the keys of its sums, None where
    rows are counted; one: a row in whole steps, or with a spread, which comes after, what is counted by."""

    name: str
    digits: tuple[tuple[str, int], ...]
    gaps: str
    sums: tuple[str | None, ...]
    one: int
    spread: Spread | None = None


class Query:
    """The query of a plan's statistics over the values of its columns."""

    def __init__(
        self,
        plan: Plan,
        grid: Grid,
        top: Layer,
        values: Mapping[str, str],
        kept: str | None = None,
        gaps: Mapping[str, str] | None = None,
    ) -> None:
        """values: the names of the columns' values in `top`, NULL where there is none; kept: of what is 1 where a row
        counts, else 0; None: all count; gaps: of a column an aggregate that is asked for anyhow, and that counts in its
        lowest COUNTER bits the rows that have no value there."""
        self._kept = [kept] if kept else []
        self._plan, self._grid, self._values = plan, grid, values
        self._gaps = gaps or {}
        self._steps = {part.name: part.step for part in grid.parts}
        self._helper = top.above("h")
        self._layer = self._helper.above("t")
        self._aggregates: dict[str, str] = {}
        self.rows = self.ask("count(*)")
        self._outside: list[str] = []
        self._terms = [self._term(one) for one in parted(plan) if not kind_of(one).course]
        self._beyond = self.any_of(self._outside)

    def ask(self, aggregate: str) -> str:
        """The key in an answer of an aggregate over all rows."""
        return self._aggregates.setdefault(aggregate, f"g{len(self._aggregates)}")

    def any_of(self, conditions: Sequence[str]) -> str:
        """The key of how many rows meet any of these conditions."""
        # Engines add up NULL faster than 0, and one aggregate with a FILTER costs as much as several without.
        return self.ask(f"sum(CASE WHEN {' OR '.join(conditions)} THEN 1 END)" if conditions else "0")

    def answer(self, relation: Relation) -> tuple[Sums, Mapping[str, int], Mapping[str, int]]:
        """The sums, and by its key what else was asked for: of rows that count, and of the others. Raises DataError,
        Doubt."""
        sets = _sets(self._terms)
        places = list(dict.fromkeys(name for places, _ in sets for name in places))
        which = [f"GROUPING({name})" for name in places] if len(sets) > 1 else []
        listed = "), (".join(", ".join([*self._kept, *places]) for places, _ in sets)
        asked = [*places, *which, *self._kept, *self._aggregates]
        grouped = f" GROUP BY GROUPING SETS (({listed}))" if len(sets) > 1 else f" GROUP BY {listed}" if listed else ""
        rows = relation.rows(self._layer.ask(asked, grouped))
        steps = {part.name: [0] * part.size for part in self._grid.parts}
        counted = dict.fromkeys(steps, 0)
        everything, others = Counter[str](), Counter[str]()
        for row in rows:
            place = dict(zip(places, row[: len(places)], strict=True))
            left_out = {name for name, out in zip(places, row[len(places) :], strict=False) if which and out}
            given = row[-len(self._aggregates) :]
            sums = {key: int(one or 0) for key, one in zip(self._aggregates.values(), given, strict=True)}
            for number, (mine, terms) in enumerate(sets):
                if which and left_out != set(places) - set(mine):
                    continue
                if self._kept and not row[-len(self._aggregates) - 1]:
                    others.update(sums if number == 0 else {})
                    continue
                for term in terms:
                    _put(term, place, sums[self.rows], sums, steps[term.name], counted)
                if number == 0:
                    everything.update(sums)
        for term in (term for term in self._terms if term.spread):
            steps[term.name] = self._spread(term.name, required(term.spread), steps[term.name])
        found = Sums(self._grid, steps, everything[self.rows], counted, everything[self._beyond] > 0)
        return found, everything, others

    def _term(self, one: Statistic) -> _Term:
        kind, helper = kind_of(one), self._helper
        cells = kind.cells(self._plan, one, self._values, helper)
        columns, spread = counted(one), kind.spread(self._plan, one)
        own = [self._values[name] for name in columns]
        there = " AND ".join(f"{value} IS NOT NULL" for value in own)
        digits = []
        if one.by:
            size = len(required(find(self._plan, one.by)).values)
            digits.append((self._digit(other_last(self._values[one.by], size)), size + 1))
        digits += [(self._digit(sql), size) for sql, size in cells.digits]
        if kind.alone and len(cells.values) > 1:
            raise ValueError(f"{one.kind} says that a row adds to one number alone, and adds to {len(cells.values)}")
        if spread and cells.values != (ONE,):
            raise ValueError(f"{one.kind} spreads counts, and does not count rows")
        sums = tuple(None if value == ONE else self._sum(one, cells, value, there) for value in cells.values)
        self._check(one, cells, there)
        if kind.every or len(cells.digits) == len(
            own
        ):  # rows that have places of all its columns are all of their group
            gaps = self.any_of([])
        elif len(columns) == 1 and columns[0] in self._gaps:
            gaps = self.ask(self._gaps[columns[0]])
        else:
            gaps = self.any_of([f"{value} IS NULL" for value in own])
        row = 1 if spread else int(1 / self._steps[one.name])
        return _Term(one.name, tuple(digits), gaps, sums, row, spread)

    def _sum(self, one: Statistic, cells: Cells, value: str, there: str) -> str:
        """The key of the sum of a value in whole steps."""
        d, most = self._layer.dialect, kind_of(one).most(self._plan, one)
        whole = d.whole(f"{d.tame(f'({value})')} * {d.double(1 / self._steps[one.name])}")
        if not cells.clipped:
            inside = f"{value} >= {d.double(-most)} AND {value} <= {d.double(most)}"
            whole = (
                f"CASE WHEN {there} AND {inside} THEN {whole} END" if there else f"CASE WHEN {inside} THEN {whole} END"
            )
        return self.ask(d.total(self._layer.define(whole)))

    def _check(self, one: Statistic, cells: Cells, there: str) -> None:
        """Note when a row is beyond the bound of its kind, where that could be."""
        kind = kind_of(one)
        most, norm = kind.most(self._plan, one), kind.norm(self._plan, one)
        spread = kind.spread(self._plan, one)
        if spread and spread.squares > (norm * most * spread.parts) ** 2 * (1 + ROUNDING):
            self._outside.append("1 = 1")
        double, values = self._layer.dialect.double, [value for value in cells.values if value != ONE]
        within = [f"({value} >= {double(-most)} AND {value} <= {double(most)})" for value in values]
        outside = [f"NOT {one}" for one in within if not cells.clipped]
        if norm**2 * (1 + ROUNDING) < len(cells.values):
            squares = " + ".join(f"({value}) * ({value})" for value in cells.values)
            outside.append(f"{squares} > {double((norm * most) ** 2 * (1 + ROUNDING))}")
        if outside:
            self._outside.append(f"{f'{there} AND ' if there else ''}({' OR '.join(outside)})")

    def _spread(self, name: str, spread: Spread, counts: Sequence[int]) -> list[int]:
        """Counts as what they add, in whole steps of the grid."""
        part = int(1 / (spread.parts * self._steps[name]))
        return [step * part for step in spread.steps(counts)]

    def _digit(self, sql: str) -> str:
        return self._layer.define(f"CAST({sql} AS INTEGER)")


def _sets(terms: Sequence[_Term]) -> list[tuple[list[str], list[_Term]]]:
    """Places that are grouped jointly, and the statistics that each of these groupings gives. Their number stays small
    enough to be held, but for a statistic that has more of them alone."""
    sets: list[tuple[dict[str, int], list[_Term]]] = [({}, [])]
    for term in terms:
        for places, mine in sets:
            joint = places | dict(term.digits)
            if math.prod(joint.values()) <= GROUPS or joint == places:
                places.update(term.digits)
                mine.append(term)
                break
        else:
            sets.append((dict(term.digits), [term]))
    return [(list(places), mine) for places, mine in sets]


def _put(
    term: _Term,
    place: Mapping[str, int | None],
    rows: int,
    sums: Mapping[str, int],
    steps: list[int],
    counted: dict[str, int],
) -> None:
    """Add what the rows of one group give to a statistic; of a group without a value nothing."""
    at = 0
    for name, size in term.digits:
        digit = place[name]
        if digit is None:
            return
        at = at * size + digit
    rows -= sums[term.gaps] & ((1 << COUNTER) - 1)
    for offset, key in enumerate(term.sums, start=at * len(term.sums)):
        steps[offset] += rows * term.one if key is None else sums[key]
    counted[term.name] += rows
