"""How many persons there are, or have a value in a column: within each site, added.

A person adds 1, whatever the number of their rows; with `by` also 1 to each group in which they have a row. A person at
two sites counts twice: to find them, sites would have to compare persons, which tells who is at both.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from potluck.core.plan import Plan, Statistic, required
from potluck.core.stages import Floats
from potluck.core.tables.statistic import named
from potluck.learning.data.units import batches, most_rows
from potluck.learning.evaluation.ranking import Z
from potluck.learning.statistics.course import Added, Columns, Layout, Lead
from potluck.learning.statistics.kind import StatisticKind, wanted
from potluck.learning.statistics.opens import Table
from potluck.learning.statistics.reading import groups, names
from potluck.learning.statistics.result import Values, single


@dataclass(frozen=True, slots=True)
class Distinct:
    """See `course.Course`. One round of no state: of all persons, then with `by` of each group."""

    plan: Plan
    one: Statistic

    def start(self) -> Floats:
        """Nothing."""
        return np.zeros(0)

    def layout(self, step: int, state: Floats) -> Layout:
        """A person has rows in as many groups as rows of theirs count, at most. One more row is one more of all persons
        and of one group, at most."""
        most = min(most_rows(self.plan), self._groups)
        return Layout(1 + self._groups, norm=math.sqrt(1 + most), person=True)

    def add(self, step: int, state: Floats, columns: Columns) -> Iterator[Added]:
        """A line a person."""
        who = columns[required(self.plan.data.person)]
        there = np.ones(len(who), np.bool_)
        for name in named(self.one):
            there &= ~np.isnan(columns[name])
        _, codes, rows = np.unique(who[there], return_inverse=True, return_counts=True)
        size = max(self._groups, 1)
        place = columns[self.one.by][there].astype(np.int64) if self.one.by else np.zeros(len(codes), np.int64)
        person, place = np.divmod(np.unique(codes * size + np.where(place < 0, size - 1, place)), size)
        for some in batches(np.arange(len(rows), dtype=np.int64), 1 + self._groups):
            values = np.zeros((len(some), 1 + self._groups))
            values[:, 0] = 1
            if self._groups:
                mine = slice(*np.searchsorted(person, [some[0], some[-1] + 1]))
                values[person[mine] - some[0], 1 + place[mine]] = 1
            yield Added(values, rows=None if self.plan.privacy.unit == "person" else rows[some])

    def lead(self) -> Lead:
        """One sum."""
        part = yield self.start()
        whole, *each = (single(part.values[[i]], part.std[[i]], whole=True) for i in range(len(part.values)))
        by = dict(zip(names(self.plan, self.one), each, strict=False))  # the last one is of other values
        return Values(value=whole.value, low=whole.low, high=whole.high, by=by or None)

    @property
    def _groups(self) -> int:
        return groups(self.plan, self.one) if self.one.by else 0


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Persons, and a column where one is named, of whatever kind."""
    if plan.data.person is None:
        what = "it counts persons, and data.person is missing"
        yield f"{at}.kind: {what}. hint: name the column that says whose row it is"
    if one.column is not None:
        yield from wanted(plan, f"{at}.column", one.column)


def pauses(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Persons at several sites."""
    if len(plan.federation.sites) > 1:
        yield f"{at}.kind: a person at two sites counts twice. hint: say so beside the number"


DISTINCT = StatisticKind(
    least=0.0,
    scale=lambda plan, one, rows: rows,
    tells="how many persons there are within sites, added; of one alone in a group, that they are there",
    title="Persons",
    keys=frozenset({"column"}),
    check=check,
    opens=lambda plan, one: (Table(distinct=plan.data.person),),
    half=lambda plan, one, std, rows: Z * std,
    course=Distinct,
    pauses=pauses,
)
