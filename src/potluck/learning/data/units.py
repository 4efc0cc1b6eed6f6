"""Batches of disjoint privacy units: a row, all rows of one person, or the whole site.

A batch is some hundred thousand numbers, whatever the site holds: they and what is made of them stay in the cache.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import PlanError
from potluck.core.plan import Plan, required
from potluck.core.stages import Floats, Update

NUMBERS = 1 << 17
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]
Rows = Callable[[Index], Floats]
"""Row numbers [k] -> what each of these rows contributes [k, d]."""


def most_units(plan: Plan) -> int:
    """Most privacy units that all sites together may add to a sum of rows."""
    sites = len(plan.federation.sites)
    return sites if plan.noisy and plan.privacy.unit == "site" else sites * plan.data.max_rows


def updates(plan: Plan, index: Index, person: Index | None, size: int, rows: Rows) -> Iterator[Update]:
    """The contributions [units, d] of the rows in `index`, summed by the plan's unit (without noise: by row)."""
    unit = plan.privacy.unit if plan.noisy else "row"
    if unit == "site":
        yield Update(total(index, size, rows)[None, :])
    elif unit == "person":
        yield from _by_person(index, whose(person)[index], size, rows)
    else:
        for part in batches(index, size):
            yield Update(rows(part))


def total(index: Index, size: int, rows: Rows) -> Floats:
    """[d]: the sum over the rows in `index`."""
    out = np.zeros(size)
    for part in batches(index, size):
        out += rows(part).sum(axis=0)
    return out


def whose(person: Index | None) -> Index:
    """Whose rows they are. Raises PlanError: nobody said so, and rows must not stand in for persons."""
    if person is None:
        raise PlanError('unit = "person" needs data.person', hint="name the column that says whose row it is")
    return person


def most_rows(plan: Plan) -> int:
    """With how many rows one unit counts in a sum of rows that is not clipped: statistics, and metrics."""
    limited = plan.noisy and plan.privacy.unit == "person"
    return plan.privacy.rows_per_person or 1 if limited else 1


def counted(plan: Plan, person: Index | None, index: Index) -> Index:
    """Of the rows in `index` those that count in such a sum: with noise for persons the first `most_rows` of each, in
    order; else all."""
    if not plan.noisy or plan.privacy.unit != "person":
        return index
    order, starts = sorted_by_person(whose(person)[index])
    return index[np.sort(order[among_own(starts, len(order)) < most_rows(plan)])]


def untrained(plan: Plan, person: Index | None, train: Mask) -> Mask:
    """Of the rows that are to train [n], those beyond the first `privacy.rows_per_person` of their person: none where a
    plan does not say it, or its noise is not for persons."""
    beyond = np.zeros_like(train)
    if plan.privacy.rows_per_person is not None:
        beyond |= train
        beyond[counted(plan, person, np.flatnonzero(train))] = False
    return beyond


def sorted_by_person(who: Index) -> tuple[Index, Index]:
    """who [n] -> an order [n] in which each person's rows follow one another as they did, and where each begins."""
    order = np.argsort(who, kind="stable")
    return order, np.flatnonzero(np.diff(who[order], prepend=-1))


def among_own(starts: Index, rows: int) -> Index:
    """[rows], in that order: the place of each among its person's rows."""
    return np.asarray(np.arange(rows) - np.repeat(starts, np.diff(starts, append=rows)))


def with_persons(plan: Plan, columns: Mapping[str, Floats], person: Index | None) -> Mapping[str, Floats]:
    """Columns [n], and beside them that of persons, where the plan names one: a number for each person."""
    return columns if person is None else {**columns, required(plan.data.person): person.astype(np.float64)}


def batches(index: Index, size: int, times: int = 1) -> Iterator[Index]:
    """`index` in parts of about NUMBERS / size rows, for rows of so many numbers each.

    times: so many more, where so much less is made of them. A batch has a price of its own, beside that of its rows.
    """
    step = max(1, times * NUMBERS // max(size, 1))
    for start in range(0, len(index), step):
        yield index[start : start + step]


def space(size: int, times: int = 1) -> Floats:
    """Space for the numbers of one batch, to be written over by the next: fresh memory for each would cost more."""
    return np.empty(max(times * NUMBERS, size))


def _by_person(index: Index, person: Index, size: int, rows: Rows) -> Iterator[Update]:
    """One unit a person: its rows are summed FIRST; only then may anything be clipped."""
    order, starts = sorted_by_person(person)
    index = index[order]
    ends = np.append(starts[1:], len(index))
    step = max(1, NUMBERS // max(size, 1))
    here = 0
    while here < len(starts):
        there = max(here + 1, int(np.searchsorted(ends, starts[here] + step, side="right")))
        some = index[starts[here] : ends[there - 1]]
        if len(some) > step:  # one person with more rows than fit a batch
            yield Update(total(some, size, rows)[None, :])
        else:
            yield Update(np.add.reduceat(rows(some), starts[here:there] - starts[here], axis=0))
        here = there
