"""The columns of a plan: those of its rows, and, where rows become persons, those of the persons.

Rows have the columns of the files and those that are derived. What a plan counts, trains on or predicts are the columns
of its persons, where it reduces rows to them, else those of its rows.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Column, Plan, required
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.derive import column_of
from potluck.learning.data.reduce import column_of_persons, source_of


def of_rows(plan: Plan) -> Mapping[str, Column]:
    """The columns of rows, derived ones behind those of the files."""
    data = plan.data
    if not data.derive:
        return data.columns
    return {**data.columns, **{name: column_of(one) for name, one in data.derive.items()}}


def declared(plan: Plan) -> Mapping[str, Column]:
    """The columns that a plan is about."""
    rows, reduce = of_rows(plan), plan.data.reduce
    if reduce is None:
        return rows
    return {name: column_of_persons(one, rows.get(source_of(name, one) or "")) for name, one in reduce.columns.items()}


def measured(column: Column) -> bool:
    """Whether it holds numbers on a declared range, not values."""
    return COLUMNS.of(column.kind).measured


def there(plan: Plan, names: Sequence[str], columns: Mapping[str, Floats]) -> NDArray[np.bool_]:
    """[n] which rows have a value in all of these columns; of a category one that is declared. All have a person."""
    found = np.ones(len(next(iter(columns.values()), ())), dtype=np.bool_)
    for name in names:
        values = columns[name]
        found &= ~np.isnan(values)
        if name != plan.data.person and not measured(required(find(plan, name))):
            found &= values >= 0
    return found


def find(plan: Plan, name: str) -> Column | None:
    """One of them; None: the plan declares none of that name."""
    data = plan.data
    if data.reduce is not None:
        entry = data.reduce.columns.get(name)
        return None if entry is None else column_of_persons(entry, _of_row(plan, source_of(name, entry) or ""))
    return _of_row(plan, name)


def _of_row(plan: Plan, name: str) -> Column | None:
    one = plan.data.derive.get(name)
    return plan.data.columns.get(name) if one is None else column_of(one)
