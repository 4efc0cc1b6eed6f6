"""Rows as values, some at a time: each declared column as numbers or codes, whoever reads them, for whatever task."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from potluck.core.stages import Floats
from potluck.core.tables.derived import Where
from potluck.learning.data.column import Field, not_number
from potluck.learning.data.expressions import Expressions, derived, expressions, misfit
from potluck.learning.data.notation import Notation
from potluck.learning.data.problems import CELL, Problems, nothing
from potluck.learning.data.source import Source, opened, texts
from potluck.learning.data.sql.dialect import Dialect
from potluck.learning.data.sql.layers import Layer, cases
from potluck.learning.data.sql.relation import Column, Relation
from potluck.learning.data.sql.values import Cell, unfit
from potluck.learning.data.target import Goal, of_derived, valued

T = TypeVar("T", bound=np.generic)
Index = NDArray[np.int64]
MARKED = "a number with another decimal mark"
MARK = """source.decimal = "," or "." in a site's policy says which mark its file has; data.decimal, which all have"""
HELD = "test"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is read. layout: the columns in file order of a source without a header; goal: the target; person: whose
    column; held: the one that says of a row that it is held out; helpers: see `Encoding`; where: what rows meet.
    known: columns by which a row is known again, whatever else of it a plan reads."""

    fields: tuple[Field, ...]
    how: Notation
    layout: tuple[str, ...] | None = None
    goal: Goal | None = None
    person: str | None = None
    held: str | None = None
    helpers: tuple[Field, ...] = ()
    where: tuple[Where, ...] = ()
    known: tuple[str, ...] = ()

    @property
    def every(self) -> tuple[Field, ...]:
        """All fields."""
        return (*self.fields, *self.helpers)

    @property
    def early(self) -> tuple[Field, ...]:
        """Those that others or conditions rest on: what does not fit there is told of every row."""
        named = {one.name for one in self.helpers} | {one.column for one in self.where}
        return tuple(one for one in self.every if one.name in named)

    @property
    def names(self) -> list[str]:
        """The columns of the source."""
        made = {one.name for one in self.every if derived(one)}
        extra = (*(one.column for one in (self.goal.each if self.goal else ())), self.person, self.held)
        names = (*(one.name for one in self.every), *extra)
        asked = [name for name in names if name is not None and name not in made]
        return list(dict.fromkeys([*asked, *self.known]))


@dataclass(frozen=True, slots=True, eq=False)
class RowBatch:
    """Some rows. lines [n]: of the file, or row numbers from 1. columns: by field [n], numbers or codes, NaN where
    there is no value (OTHER or CASE where a category does not declare it). target: of its columns [n] likewise; other:
    of these the text of a value that is not declared, else None. persons [n], held [n]. rows: how many these are of;
    unmet: rows that do not meet the conditions, and are not among them. texts: of columns of tensors, by field [n] what
    their cells say, or the list that each is, None where there is no value. counts: of persons, by column of their rows
    how many values are what; None: each is a row. places [n]: which row of the source each is, from 0; empty of
    persons. known [n]: hashes of rows, by `Wish.known`; empty where nothing is."""

    lines: Index = field(repr=False)
    columns: dict[str, Floats] = field(repr=False)
    target: Mapping[str, Floats] = field(repr=False)
    other: Mapping[str, Column] = field(repr=False)
    persons: list[str] = field(repr=False)
    held: NDArray[np.bool_] = field(repr=False)
    unmet: int = 0
    rows: int = 0
    counts: Mapping[str, Mapping[str, int]] | None = None
    texts: Mapping[str, Column] = field(default_factory=dict, repr=False)
    places: Index = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    known: Index = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)


def grounded(relation: Relation) -> tuple[Layer, dict[str, Cell]]:
    """The lowest layer of a relation's queries, and its columns as that layer names them."""
    ground = Layer(relation.dialect, relation.source, "a")
    return ground, {
        name: replace(
            cell,
            sql=ground.define(cell.sql),
            words=ground.define(cell.words) if cell.words else "",
            line=ground.define(cell.line) if cell.line else "",
        )
        for name, cell in relation.cells.items()
    }


def parts(source: Source, wish: Wish, problems: Problems, hint: str = CELL) -> Iterator[RowBatch]:
    """All rows, in order. Cells that do not fit go into `problems`, with this hint, and are 0 here. Raises DataError,
    Doubt."""
    with opened(source, problems.where).open(wish.names, wish.layout, problems, problems.careful) as relation:
        problems.placed = relation.placed
        ground, cells = grounded(relation)
        made = expressions(wish.every, wish.where, wish.how, cells, ground)
        asked = {f"column {name}": value for name, value in made.values.items()}
        for goal in wish.goal.each if wish.goal else ():
            asked |= _target(goal, wish, made, cells, relation)
        asked |= {f"text {one.name}": _said(cells[one.name], relation) for one in wish.fields if one.apart}
        if wish.person:
            asked["person"] = cells[wish.person].words or cells[wish.person].sql
        if wish.held:
            cell = cells[wish.held]
            test = f"{relation.dialect.trimmed(cell.sql)} = {relation.dialect.text(HELD)}"
            asked["held"] = "0" if cell.typed else cases([(test, "1")], "0")
        if relation.line:
            asked["line"] = ground.define(relation.line)
        asked |= {f"line of {cell.table}": cell.line for cell in cells.values() if cell.line}
        if problems.careful and "" not in wish.how.missing:
            asked |= {f"empty {name}": _empty(one, relation.dialect) for name, one in cells.items() if not one.typed}
        if made.kept:
            asked["kept"] = made.kept
        if wish.known:
            asked["known"] = _known(wish.known, cells, relation)
        top = made.top.above("x")
        names = [top.define(sql) for sql in asked.values()]
        numeric = {f"column {one.name}" for one in wish.every if one.numeric}
        numeric |= {f"target {wish.goal.column}"} if wish.goal and wish.goal.side == "number" else set()
        d = relation.dialect
        names = [_told(name, d) if what in numeric else name for what, name in zip(asked, names, strict=True)]
        seen, place = 0, names[list(asked).index("line")] if relation.mixed else ""
        for batch in relation.batches(top.ask(names, f" ORDER BY {place}" if place else "")):
            found = dict(zip(asked, batch, strict=True))
            places = np.arange(seen, seen + len(batch[0]))
            lines = found["line"].astype(np.int64) if "line" in found else places + 1
            seen += len(places)
            yield _part(wish, lines, places, found, cells, problems, hint)


def _told(name: str, d: Dialect) -> str:
    """A value as an answer gives it. There NaN is NULL: what does not fit is to be told from it."""
    below, above = d.double(-math.inf), d.double(math.inf)
    return cases([(f"{name} = {below}", below), (unfit(name, d), above)], name)


def _target(goal: Goal, wish: Wish, made: Expressions, cells: Mapping[str, Cell], relation: Relation) -> dict[str, str]:
    """SQL of the target's column, and of the text of a value of it that is not declared."""
    at = f"target {goal.column}"
    mine = next((one for one in wish.every if one.name == goal.column and derived(one)), None)
    if mine is not None:
        return {at: of_derived(goal, mine, made.values[mine.name], wish.how, relation.dialect)}
    cell = cells[goal.column]
    found = {at: valued(goal, cell, wish.how, made.below)}
    if goal.side != "number":
        below = f"{found[at]} < {relation.dialect.double(0)}"
        found[f"other {goal.column}"] = cases([(below, _said(cell, relation))], "NULL")
    return found


def _known(names: Sequence[str], cells: Mapping[str, Cell], relation: Relation) -> str:
    """SQL of a hash of a row's cells. Each stands with its length, so that no two rows are one text."""
    d = relation.dialect
    said = [f"({_said(cells[name], relation)})" for name in names]
    texts = [f"CASE WHEN {one} IS NULL THEN '-' ELSE CAST(length({one}) AS {d.text_type}) || ':' || {one} END"
             for one in said]  # fmt: skip
    return d.hashed(" || ".join(texts))


def _said(cell: Cell, relation: Relation) -> str:
    """SQL of a cell's text; of a list as it is."""
    return cell.words or (f"CAST({cell.sql} AS {relation.dialect.text_type})" if cell.typed else cell.sql)


def _empty(cell: Cell, d: Dialect) -> str:
    """SQL of whether a text is empty."""
    return cases([(f"{d.trimmed(cell.sql)} = ''", "1")], "0")


def _part(
    wish: Wish,
    lines: Index,
    places: Index,
    found: dict[str, Column],
    cells: dict[str, Cell],
    problems: Problems,
    hint: str,
) -> RowBatch:
    """What does not fit in a column that others or conditions rest on is told of every row, else of those that stay."""
    early = {one.name for one in wish.early}
    columns: dict[str, Floats] = {}
    stays = found["kept"] == 1 if "kept" in found else None

    def fitting(what: str, name: str, said: Callable[[bool], tuple[str, str]]) -> Floats:
        values, cell = found[what].astype(np.float64, copy=False), cells.get(name)
        if cell is not None and cell.table:  # it is told where it stands there
            name, at = f"{cell.table}.{name}", found[f"line of {cell.table}"]
        else:
            at = lines
        typed = cell is not None and cell.typed
        void = found.get(f"empty {what.partition(' ')[2]}")
        if void is not None:
            gone = np.isinf(values) & (void == 1)
            problems.cells(name, np.unique(at[gone]).tolist(), *nothing(wish.how.missing))
            values = np.where(gone, 0.0, values)
        return _fitting(values, at, name, typed, said(typed), problems, hint)

    def numbers(one: Field) -> Floats:
        return fitting(f"column {one.name}", one.name, lambda typed: misfit(one, typed))

    for one in wish.every:
        if one.name in early:
            columns[one.name] = numbers(one)
    unmet = 0
    if stays is not None:
        unmet = int((~stays).sum())
        lines, places = lines[stays], places[stays]
        columns = {name: values[stays] for name, values in columns.items()}
        found = {what: values[stays] for what, values in found.items()}
    for one in wish.fields:
        if one.name not in early:
            columns[one.name] = numbers(one)
    length = len(lines)
    of_target = [one.column for one in wish.goal.each] if wish.goal else []
    target = {name: fitting(f"target {name}", name, not_number) for name in of_target}
    other = {name: found.get(f"other {name}", np.full(length, None, dtype=object)) for name in of_target}
    persons = texts(found["person"]) if "person" in found else []
    held = found["held"] == 1 if "held" in found else np.zeros(length, np.bool_)
    said = {one.name: found[f"text {one.name}"] for one in wish.fields if one.apart}
    known = found["known"].astype(np.int64) if "known" in found else np.zeros(0, np.int64)
    return RowBatch(lines, columns, target, other, persons, held, unmet, length, texts=said, places=places, known=known)


def _fitting(
    values: Floats,
    lines: NDArray[np.generic],
    name: str,
    typed: bool,
    said: tuple[str, str],
    problems: Problems,
    hint: str,
) -> Floats:
    """Values, 0 where a cell does not fit. said: what is wrong with it, and a hint."""
    wrong = np.isinf(values)
    if not wrong.any():
        return values
    marked = wrong & (values < 0) & (not typed)
    # One row of a second table may be there for several rows.
    problems.cells(name, np.unique(lines[wrong & ~marked]).tolist(), said[0], said[1] or hint)
    problems.cells(name, np.unique(lines[marked]).tolist(), MARKED, MARK)
    return np.where(wrong, 0.0, values)


def joined(parts: list[NDArray[T]]) -> NDArray[T]:
    """Some rows after others, as one array. The parts are let go one by one, so that no second copy stands."""
    found = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    end = len(found)
    while parts:
        last = parts.pop()
        found[end - len(last) : end] = last
        end -= len(last)
    return found
