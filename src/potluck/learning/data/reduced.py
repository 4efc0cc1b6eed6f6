"""Persons as values, some at a time: what `parts` gives of rows, where a plan reduces them.

What does not fit in a row that counts is an error that names its line: then all rows are looked at one by one first.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from potluck.core.errors import DataError
from potluck.core.stages import Floats
from potluck.learning.data.column import Field
from potluck.learning.data.expressions import expressions
from potluck.learning.data.notation import Notation
from potluck.learning.data.parts import RowBatch, Wish, grounded, parts
from potluck.learning.data.persons import persons, twice
from potluck.learning.data.problems import Doubt, Problems
from potluck.learning.data.reducing import Reducing, gathered
from potluck.learning.data.source import Source, opened, texts
from potluck.learning.data.sql.relation import Column
from potluck.learning.data.sql.values import OTHER
from potluck.learning.data.target import Goal, of_derived, settled

ORDERED = "rows follow one another by it: fill it, or leave such rows out by a condition on it (data.where)"
CHANGED = "gives other rows than a moment ago"
NUMBERS = ("read", "met", "wrong", "twice", "odd")


def reduced(source: Source, wish: Wish, how: Reducing, problems: Problems) -> Iterator[RowBatch]:
    """All persons, in no order, without lines. wish: the fields of persons. Raises DataError, Doubt."""
    if problems.careful and not _fit(source, how, problems):
        return
    rows = how.rows
    with opened(source, problems.where).open(rows.names, rows.layout, problems, problems.careful) as relation:
        ground, cells = grounded(relation)
        found = gathered(expressions(rows.every, rows.where, rows.how, cells, ground), how, cells, problems.careful)
        asked = {f"column {one.name}": found.values[one.name] for one in wish.fields}
        for goal, field in how.goals:
            value = of_derived(goal, field, found.values[field.name], rows.how, relation.dialect)
            asked[f"target {field.name}"] = value
        asked |= {"person": found.name} | {what: getattr(found, what) for what in NUMBERS}
        for name, some in found.columns.items():
            asked |= {f"{what} {name}": sql for what, sql in some.items()}
        top = found.layer.above("x")
        names = [top.define(sql) for sql in asked.values()]
        for batch in relation.batches(top.ask(names)):
            yield _part(wish, dict(zip(asked, batch, strict=True)), found.columns, how, problems)


def _fit(source: Source, how: Reducing, problems: Problems) -> bool:
    """Whether all that is read of rows fits. What does not goes into `problems`, with its line."""
    for part in parts(source, how.rows, problems):
        persons(part.persons, part.lines, how.person, how.rows.how, problems)
        if how.order is not None:
            gone = np.isnan(part.columns[how.order.name])
            problems.gaps(how.order.name, how.order.lacks, part.lines[gone].tolist(), ORDERED)
        for goal, field in how.values:
            refused = _refused(goal, field, part.columns[field.name], how.rows.how)
            settled(goal, {goal.column: refused}, part.lines, problems)
    return not problems.found


def _refused(goal: Goal, field: Field, codes: Floats, how: Notation) -> Floats:
    """[n] codes of a category's values, OTHER of those that a target does not declare."""
    known = {how.key(text) for text in goal.classes or goal.values}
    declared = [float(place) for place, text in enumerate(field.values) if how.key(text) in known]
    return np.where((codes >= 0) & ~np.isin(codes, declared), OTHER, codes)


def _part(
    wish: Wish, found: dict[str, Column], counted: Mapping[str, Mapping[str, str]], how: Reducing, problems: Problems
) -> RowBatch:
    numbers = {what: found[what].astype(np.int64) for what in NUMBERS}
    if not problems.careful and (numbers["wrong"].any() or numbers["twice"].any() or numbers["odd"].any()):
        raise Doubt
    if numbers["wrong"].any():
        raise DataError(CHANGED, where=problems.where, hint="run again when it is not written to")
    if again := int(numbers["twice"].sum()):
        raise twice(again, how.person, problems.where)
    stays = numbers["met"] > 0
    length = int(stays.sum())
    some = {what: values[stays] for what, values in found.items()}
    return RowBatch(
        np.zeros(length, np.int64),
        {one.name: some[f"column {one.name}"].astype(np.float64) for one in wish.fields},
        {field.name: some[f"target {field.name}"].astype(np.float64) for _, field in how.goals},
        {field.name: np.full(length, None, dtype=object) for _, field in how.goals},
        texts(some["person"]),
        np.zeros(length, np.bool_),
        unmet=int(numbers["read"].sum() - numbers["met"].sum()),
        rows=int(numbers["met"].sum()),
        counts={name: _counts(name, few, some, int(numbers["met"].sum())) for name, few in counted.items()},
    )


def _counts(name: str, some: Iterable[str], found: Mapping[str, Column], rows: int) -> Mapping[str, int]:
    """Of the values of one column of so many rows, how many are what."""
    counts = {what: int(found[f"{what} {name}"].sum()) for what in some}
    return {"missing": rows - counts["values"]} | counts
