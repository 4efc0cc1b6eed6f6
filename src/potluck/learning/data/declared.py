"""The columns of a plan: those of its rows, and, where rows become persons, those of the persons.

Rows have the columns of the files and those that are derived. What a plan counts, trains on or predicts are the columns
of its persons, where it reduces rows to them, else those of its rows.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError
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


def resolve(plan: Plan, headers: Mapping[str, Sequence[str]]) -> Plan:
    """The plan with each pattern like "px*" replaced by the columns that it matches, in natural order (px2, px10).

    The order does not depend on any file's, so that sites whose files differ in order still agree. A name that is
    itself a column is no pattern, and the columns of target, person and split match none. Raises DataError: a pattern
    matches nothing, or not the same at every site.
    """
    data = plan.data
    patterns = [n for n in data.columns if "*" in n and not any(n in present for present in headers.values())]
    if not patterns or not data.header:
        return plan
    reserved = {data.person, data.split.column if data.split else None, *data.columns}
    reserved |= set(data.target.names) if data.target else set()
    columns: dict[str, Column] = {}
    source: dict[str, str] = {}
    for name, column in data.columns.items():
        if name not in patterns:
            columns[name] = column
            continue
        for match in _expanded(name, headers, reserved):
            if source.setdefault(match, name) != name:
                what = f"patterns {source[match]!r} and {name!r} match the same column"
                raise DataError(what, where="data.columns", hint="narrow one")
            columns[match] = column
    return msgspec.structs.replace(plan, data=msgspec.structs.replace(data, columns=columns))


def _expanded(pattern: str, headers: Mapping[str, Sequence[str]], reserved: set[str | None]) -> list[str]:
    shape = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
    found: dict[str, list[str]] = {}
    for site, present in headers.items():
        matches = [name for name in present if name not in reserved and shape.fullmatch(name)]
        found[site] = sorted(matches, key=_natural)
    first, names = next(iter(found.items()))
    for site, others in found.items():
        if others != names:
            # A file's names are not said: of a file without a header they are a row's values.
            counts = f"{len(names)} at {first}, {len(others)} at {site}"
            what = f"pattern {pattern!r} matches other columns at {first} than at {site} ({counts})"
            raise DataError(what, where="data.columns", hint="name the columns one by one, or correct the files")
    if not names:
        raise DataError(f"pattern {pattern!r} matches no column", where="data.columns", hint="see the files' headers")
    return names


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part)
