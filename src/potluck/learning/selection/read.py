"""The cells of a plan, found by reading its rows once more.

The sums themselves are added up where the rows are, in one query that lays no row out (`statistics/adding.py`). This
reading looks at each row, some thousands at a time, and holds none; of models it takes those that were read to train.
Where rows become persons, cells hold persons, and what is known again are the rows that count.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from potluck.core.plan import Plan
from potluck.learning.data import table
from potluck.learning.data.declared import declared
from potluck.learning.data.encode import encoding, referred
from potluck.learning.data.parts import RowBatch, Wish, parts
from potluck.learning.data.persons import persons
from potluck.learning.data.problems import Problems, carefully
from potluck.learning.data.reducing import reducing
from potluck.learning.data.source import Source
from potluck.learning.data.table import Table
from potluck.learning.data.tally import Index
from potluck.learning.data.units import with_persons
from potluck.learning.evaluation.finished import opens as finished
from potluck.learning.selection.cells import MOST_PLACES, ROWS, Cell, Mark, Part, Statistics, Words, too_many


def cells(source: Source, plan: Plan, rows: Table, site: str, known: tuple[str, ...], mark: Mark) -> tuple[Cell, ...]:
    """Of statistics, or of a model. rows: as they were read for it, those of a model with `known`, columns by which
    rows are known again. Raises DataError: the rows; ValueError: a table has too many places."""
    beside = () if plan.data.reduce is None else _counted(source, plan, site, known, mark)
    found = _model(plan, rows, mark) if plan.traits.labelled else _statistics(source, plan, site, known, mark)
    return (*found, *(replace(one, part=-1) for one in beside))


def _statistics(source: Source, plan: Plan, site: str, known: tuple[str, ...], mark: Mark) -> tuple[Cell, ...]:
    if plan.data.reduce is not None:
        reduced, found = table.read(source, plan, site), Statistics(plan)
        found.add(with_persons(plan, reduced.columns, reduced.person), np.zeros(reduced.rows, np.uint64))
        return found.cells()
    how = encoding(plan)
    person = Statistics(plan).person
    wish = Wish(how.fields, how.notation, how.layout or None, person=person, helpers=how.beside)
    wish = replace(wish, where=plan.data.where, known=known)

    def reading(careful: bool) -> tuple[Cell, ...]:
        found, numbers, problems = Statistics(plan), dict[str, int](), Problems(site, careful)
        for part in _parts(source, wish, problems):
            columns = {one.name: referred(one, part.columns[one.name]) for one in how.fields}
            if person is not None:
                who = persons(part.persons, part.lines, person, how.notation, problems)
                columns[person] = np.array([numbers.setdefault(name, len(numbers)) for name in who], np.float64)
            found.add(columns, _marks(part.known, len(part.lines), mark))
        return found.cells()

    return carefully(reading)


def _counted(source: Source, plan: Plan, site: str, known: tuple[str, ...], mark: Mark) -> tuple[Cell, ...]:
    """Of rows that become persons: all that count, since one of them may change any number of its person."""
    wish = replace(reducing(plan).rows, known=known)

    def reading(careful: bool) -> tuple[Cell, ...]:
        found = Part("the rows of persons", _every(plan))
        for part in _parts(source, wish, Problems(site, careful)):
            found.add(np.zeros(part.rows, np.int64), _marks(part.known, part.rows, mark))
        return tuple(found.cells(0))

    return carefully(reading)


def _model(plan: Plan, rows: Table, mark: Mark) -> tuple[Cell, ...]:
    """Of the rows that train and of each fold of them, of those that are looked at meanwhile, and of the held-out
    ones."""
    marks = _marks(rows.known, rows.rows, mark)
    sides = {"rows that train": rows.train, "held-out rows": rows.test, "validation rows": rows.validation}
    if plan.validated:  # which stand among the held-out ones too
        sides.pop("held-out rows")
    found: list[Cell] = []
    for number, (of, side) in enumerate(sides.items()):
        if len(side):
            part = Part(of, _every(plan))
            part.add(np.where(side, 0, -1), marks)
            found += part.cells(number)
    if len(rows.folds):
        part = Part("rows that train", _every(plan), [f" in fold {fold}" for fold in range(1, plan.trainings)])
        part.add(rows.folds - 1, marks)
        found += part.cells(len(sides))
    return (*found, *_judging(plan, rows, marks, len(sides))) if plan.traits.brings else tuple(found)


def _judging(plan: Plan, rows: Table, marks: Words, number: int) -> Iterator[Cell]:
    """Of the rows that judge finished models, those of each number that opens. number: of the first part. Raises
    ValueError: there are too many."""
    index, size = np.flatnonzero(rows.test), 0
    for one in finished.tables(plan, rows, index):
        size += len(one.places)
        if size > MOST_PLACES:
            raise too_many("the plan's models")
        part = Part(one.of, _every(plan), one.places)
        for place in one.cells.T:
            part.add(place, marks[index])
        yield from part.cells(number)
        number += 1


def _every(plan: Plan) -> frozenset[str]:
    """All columns that a plan reads: a model may say something of each."""
    target = plan.data.target.names if plan.data.target else ()
    return frozenset({ROWS, *plan.data.columns, *declared(plan), *target})


def _marks(known: Index, rows: int, mark: Mark) -> Words:
    """[rows] zeros, which make no sketch, of rows that are not to be known again."""
    return mark(known) if len(known) else np.zeros(rows, np.uint64)


def _parts(source: Source, wish: Wish, problems: Problems) -> Iterator[RowBatch]:
    with problems:
        yield from parts(source, wish, problems)
