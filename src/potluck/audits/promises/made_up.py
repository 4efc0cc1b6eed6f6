"""Rows of a plan's schema that nobody has: numbers on their ranges, values that are declared, cells that are empty.

Nothing of anybody is in them. They are read as an owner's are, by the same code. Units whose rows are all alike move a
sum farthest, so that is how they are made: a unit of several rows has the same row again and again. They do not stand
side by side: other units' rows are between them.
Ends of ranges move a sum farthest where all is right, so every other unit has nothing else. A fault may be of other
rows alone: of the rest half are inside all ranges, and half have an end here, no value there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from msgspec.structs import replace as replaced
from numpy.typing import NDArray

from potluck.audits.extraction.secrets import secrets
from potluck.audits.sides import sides_of
from potluck.core.plan import Column, Plan, required
from potluck.core.seeded import Generator
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.declared import measured
from potluck.learning.data.encode import encoding, tensors
from potluck.learning.data.table import Table, read
from potluck.learning.data.units import Index, untrained

SITE_ROWS = 8
"""Of a made-up site, where sites are hidden."""
PERSON_ROWS = 4
"""Of a person, beyond those that a plan says."""
SITE = "made up"
END, INSIDE, EMPTY = range(3)
"""What a cell is: of a column without gaps, or without a range, what another one is."""


class NotMade(Exception):
    """No rows of this plan can be made up, and why."""


def rows_of_unit(plan: Plan) -> int:
    """How many rows a made-up unit has: more than may count, where several may."""
    if plan.privacy.unit == "person":
        return (plan.privacy.rows_per_person or 0) + PERSON_ROWS
    return SITE_ROWS if plan.privacy.unit == "site" else 1


Anew = Callable[[Index, Index], Table]
"""Reads some rows again as they stand beside each other: see `Scene.anew`."""


def made_up(plan: Plan, units: int, draw: Generator) -> tuple[Table, Sequence[Index], Anew | None]:
    """(rows, by unit the numbers of its rows, what reads them again): so many units at most. Raises NotMade."""
    each = rows_of_unit(plan)
    units = min(units, plan.data.max_rows // each)
    if units < 1:
        raise NotMade(f"data.max_rows allows fewer than the {each} rows of one unit")
    if plan.traits.trains and (plan.data.join is not None or plan.data.reduce is not None or _apart(plan)):
        return _encoded(plan, units, draw)
    # Rows are made up as they are after tables were joined: each has the columns of all.
    plan = replaced(plan, data=replaced(plan.data, join=None))
    cells = cells_of(plan, units, draw)

    def anew(index: Index, whose: Index) -> Table:
        columns = {name: some[index] for name, some in cells.items()}
        if plan.data.person is not None:
            columns[plan.data.person] = np.array([f"person {one}" for one in whose], object)
        return read(pd.DataFrame(columns), plan, SITE)

    first = np.tile(np.arange(units), each)
    table = anew(first, first)
    if plan.data.reduce is not None:  # a person is one row
        return table, [np.array([one]) for one in range(table.rows)], None
    if len(table.places) == 0 and table.rows < units * each:
        raise NotMade("the plan keeps some rows alone (data.where), and which of made-up ones is not known")
    places = table.places if len(table.places) else np.arange(table.rows)
    whose = places % units
    found = [some for one in range(units) if len(some := np.flatnonzero(whose == one)) == each]
    return table, found, lambda index, whose: anew(first[places[index]], whose)


def _encoded(plan: Plan, units: int, draw: Generator) -> tuple[Table, Sequence[Index], None]:
    """Rows as a model takes them: with pictures, after tables were joined, and after persons were made of many rows,
    when each is one."""
    some = secrets(plan, draw)
    units = min(units, some.many)
    index = np.tile(np.arange(units), 1 if plan.data.reduce is not None else rows_of_unit(plan))
    table = some.table(SITE, index, some.targets(units)[index], False)
    who = index if plan.data.person is not None else None
    beyond = untrained(plan, who, np.ones(len(index), np.bool_))
    return replace(table, person=who, beyond=beyond), [np.flatnonzero(index == one) for one in range(units)], None


def _apart(plan: Plan) -> bool:
    """Whether rows of a plan that trains have pictures or other tensors."""
    named = not any("*" in name for name in plan.data.columns)
    return plan.traits.labelled and named and bool(tensors(encoding(plan)))


def cells_of(plan: Plan, units: int, draw: Generator) -> dict[str, NDArray[np.generic]]:
    """By column [units]. Raises NotMade: of a kind of column, or a way to read, none can be made."""
    data = plan.data
    found: dict[str, NDArray[np.generic]] = {}
    read_on = {name for one in data.derive.values() for name in (one.source, one.to)}  # which may refuse a gap
    for name, column in data.columns.items():
        if "*" in name and data.header:
            raise NotMade(f"column {name!r} is a pattern, and what it matches only files say")
        if not column.ignored or not data.header:
            found[name] = _cells(name, column, units, draw)
            if column.missing in ("flag", "mean") and name not in read_on and data.reduce is None:
                empty = _turns(units, draw) == EMPTY
                found[name] = np.array(
                    [None if one else cell for cell, one in zip(found[name], empty, strict=True)], object
                )
    if plan.traits.labelled and data.target is not None:
        found |= {name: _target(plan, name, units, draw) for name in data.target.names}
    if data.split is not None and data.split.column is not None:
        found[data.split.column] = np.full(units, "test" if plan.traits.brings else "train", object)
    return found


def _cells(name: str, column: Column, units: int, draw: Generator) -> NDArray[np.generic]:
    if column.ignored:
        return np.full(units, "", object)
    kind = COLUMNS.of(column.kind)
    if measured(column):
        return _numbers(column, units, draw)
    if column.values:
        return _spread(column.values, units)
    if kind.dated:
        days = draw.integers(0, 25_000, units)
        wanted = required(column.format)
        return np.array([(date(1950, 1, 1) + timedelta(int(one))).strftime(wanted) for one in days], object)
    raise NotMade(f"column {name!r} is of kind {column.kind!r}, and no such cells are made up yet")


def _numbers(column: Column, units: int, draw: Generator) -> NDArray[np.generic]:
    """Ends of the range, and places inside that are spread over it."""
    low, high = column.bounds
    ends = np.array([low, high])[draw.integers(2, size=units)]
    inside = low + (high - low) * (draw.permutation(units) + draw.random(units)) / units
    return np.where(_turns(units, draw) == END, ends, inside)


def _turns(units: int, draw: Generator) -> NDArray[np.int64]:
    """[units] what each has of one column: END, INSIDE or EMPTY. One of every three that are mixed has each."""
    found = np.resize([END, INSIDE, END, EMPTY], units)
    mixed = np.flatnonzero(found == EMPTY)
    found[mixed] = (np.arange(len(mixed)) + draw.integers(3)) % 3
    return found


def _target(plan: Plan, name: str, units: int, draw: Generator) -> NDArray[np.generic]:
    """Each side or class, or a number, whatever the features say."""
    column = plan.data.columns.get(name)
    sides = sides_of(required(plan.data.target), column)
    if not sides:
        return _numbers(required(column), units, draw)
    return np.array(sides, object)[draw.integers(len(sides), size=units)]


def _spread(values: Sequence[str], units: int) -> NDArray[np.generic]:
    """Different ones where they can be, the first and the last among them."""
    last = len(values) - 1
    places = np.arange(units) % len(values) if units > last else np.linspace(0, last, units).astype(int)
    found: NDArray[np.generic] = np.array(values, object)[places]
    return found


def own(plan: Plan, table: Table, units: int, draw: Generator) -> Sequence[Index]:
    """Some units of an owner's own rows, by the numbers of their rows. Raises NotMade: none can be taken by itself."""
    unit, count = plan.privacy.unit, table.rows
    if unit == "site":
        return [np.arange(count)]
    if unit == "person":
        whose: Mapping[int, Index] = {
            int(one): np.flatnonzero(required(table.person) == one) for one in np.unique(required(table.person))
        }
        names = draw.permutation(sorted(whose))[:units]
        return [whose[int(one)] for one in names]
    return [np.array([one]) for one in draw.permutation(count)[:units]]
