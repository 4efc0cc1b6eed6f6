"""Rows as values, some at a time: each declared column as numbers or codes, whoever reads them, for whatever task."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS, Field
from potluck.learning.data.problems import CELL, Problems
from potluck.learning.data.source import Source, opened, texts
from potluck.learning.data.sql.layers import Layer, cases
from potluck.learning.data.sql.relation import Column, Relation
from potluck.learning.data.sql.values import Cell, unfit
from potluck.learning.data.target import Goal, valued

Index = NDArray[np.int64]
TEXT = "nan, inf or text where a number is expected"
INFINITE = "inf where a number is expected"
HELD = "test"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is read. layout: the columns in file order of a source without a header; goal: the target; person: whose
    column; held: the one that says of a row that it is held out."""

    fields: tuple[Field, ...]
    missing: tuple[str, ...]
    layout: tuple[str, ...] | None = None
    goal: Goal | None = None
    person: str | None = None
    held: str | None = None

    @property
    def names(self) -> list[str]:
        """The columns."""
        extra = (self.goal.column if self.goal else None, self.person, self.held)
        return list(dict.fromkeys([*(one.name for one in self.fields), *(name for name in extra if name is not None)]))


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some rows. lines [n]: of the file, or row numbers from 1. columns: by field [n], numbers or codes, NaN where
    there is no value (OTHER or CASE where a category does not declare it). target [n]: likewise; other [n]: the text
    of a target that is not declared, else None. persons [n], held [n]."""

    lines: Index = field(repr=False)
    columns: dict[str, Floats] = field(repr=False)
    target: Floats = field(repr=False)
    other: Column = field(repr=False)
    persons: list[str] = field(repr=False)
    held: NDArray[np.bool_] = field(repr=False)


def grounded(relation: Relation) -> tuple[Layer, dict[str, Cell]]:
    """The lowest layer of a relation's queries, and its columns as that layer names them."""
    ground = Layer(relation.dialect, relation.source, "a")
    return ground, {
        name: Cell(ground.define(cell.sql), cell.typed, ground.define(cell.words) if cell.words else "")
        for name, cell in relation.cells.items()
    }


def parts(source: Source, wish: Wish, problems: Problems, hint: str = CELL) -> Iterator[Part]:
    """All rows, in order. Cells that do not fit go into `problems`, with this hint, and are 0 here. Raises DataError,
    Doubt."""
    with opened(source, problems.where).open(wish.names, wish.layout, problems, problems.careful) as relation:
        ground, cells = grounded(relation)
        layer = ground.above("b")
        top = layer.above("v")
        asked = {f"column {one.name}": value_of(one, cells[one.name], wish.missing, layer) for one in wish.fields}
        numeric = {f"column {one.name}" for one in wish.fields if COLUMNS.of(one.kind).measured}
        numeric |= {"target"} if wish.goal and wish.goal.side == "number" else set()
        if wish.goal:
            cell = cells[wish.goal.column]
            asked["target"] = valued(wish.goal, cell, wish.missing, layer)
            if wish.goal.side != "number":
                asked["other"] = cases([(f"{asked['target']} < 0", _said(cell, relation))], "NULL")
        if wish.person:
            asked["person"] = cells[wish.person].words or cells[wish.person].sql
        if wish.held:
            cell = cells[wish.held]
            test = f"{relation.dialect.trimmed(cell.sql)} = {relation.dialect.text(HELD)}"
            asked["held"] = "0" if cell.typed else cases([(test, "1")], "0")
        if relation.line:
            asked["line"] = ground.define(relation.line)
        names = [top.define(sql) for sql in asked.values()]
        d, infinite = relation.dialect, relation.dialect.double(math.inf)
        # In an answer NaN is NULL: what does not fit is to be told from it.
        names = [
            cases([(unfit(name, d), infinite)], name) if what in numeric else name
            for what, name in zip(asked, names, strict=True)
        ]
        seen = 0
        for batch in relation.batches(top.ask(names)):
            found = dict(zip(asked, batch, strict=True))
            length = len(batch[0])
            lines = found["line"].astype(np.int64) if "line" in found else np.arange(seen + 1, seen + length + 1)
            seen += length
            yield _part(wish, lines, found, cells, problems, hint)


def value_of(one: Field, cell: Cell, missing: tuple[str, ...], layer: Layer) -> str:
    """SQL of a declared column's value."""
    return COLUMNS.of(one.kind).value(one, cell, missing, layer)


def _said(cell: Cell, relation: Relation) -> str:
    return cell.words or (f"CAST({cell.sql} AS VARCHAR)" if cell.typed else cell.sql)


def _part(
    wish: Wish,
    lines: NDArray[np.int64],
    found: dict[str, Column],
    cells: dict[str, Cell],
    problems: Problems,
    hint: str,
) -> Part:
    length = len(lines)

    def numbers(what: str, name: str) -> Floats:
        values = found[what].astype(np.float64, copy=False)
        wrong = np.isinf(values)
        if wrong.any():
            problems.cells(name, lines[wrong].tolist(), INFINITE if cells[name].typed else TEXT, hint)
            values = np.where(wrong, 0.0, values)
        return values

    columns = {one.name: numbers(f"column {one.name}", one.name) for one in wish.fields}
    target = numbers("target", wish.goal.column) if wish.goal else np.zeros(length)
    other = found.get("other", np.full(length, None, dtype=object))
    persons = texts(found["person"]) if "person" in found else []
    held = found["held"] == 1 if "held" in found else np.zeros(length, np.bool_)
    return Part(lines, columns, target, other, persons, held)
