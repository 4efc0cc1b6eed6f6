"""The columns of a plan: those of its rows, and, where rows become persons, those of the persons.

Rows have the columns of the files and those that are derived. What a plan counts, trains on or predicts are the columns
of its persons, where it reduces rows to them, else those of its rows.
"""

from collections.abc import Mapping

from potluck.core.plan import Column, Plan
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
