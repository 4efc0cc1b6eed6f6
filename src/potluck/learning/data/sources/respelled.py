"""Numbers of an owner's file whose decimal mark is not the plan's: read as if the file had been saved with the plan's.

A cell with one point or one comma, and no letter but the e of an exponent, has the other one instead. So 1,5 of a file
with decimal commas is 1.5 in a plan with points, and its 1.500 (thousands) is 1,500, which no such plan takes for a
number: neither is ever read as the other. A cell with several marks stays as it is, and so does what the plan does not
declare to be a number: codes of diseases, days, keys.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from potluck.core.errors import DataError
from potluck.core.plan import Data
from potluck.learning.data.column import COLUMNS, Field
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import Rows, Source
from potluck.learning.data.sql.duck import Duck
from potluck.learning.data.sql.relation import Limits, Relation
from potluck.learning.data.sql.values import Cell

ONE = r"[^A-Za-z.,]*[.,][^A-Za-z.,]*([eE][^A-Za-z.,]*)?"
"""A cell with one mark."""


@dataclass(frozen=True, slots=True)
class Respelled:
    """See `learning.data.source.Rows`. numbers: the columns that are: of a plan that declares none nobody knows, until
    a model says it (`by_fields`)."""

    rows: Rows
    numbers: frozenset[str]
    where: str

    @property
    def limits(self) -> Limits:
        """Those of the rows."""
        return self.rows.limits

    def names(self) -> tuple[str, ...]:
        """Those of the rows."""
        return self.rows.names()

    @contextmanager
    def open(
        self, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems, careful: bool
    ) -> Iterator[Relation]:
        """The same relation, with other cells."""
        with self.rows.open(wanted, layout, problems, careful) as found:
            if not isinstance(found, Duck):
                raise DataError("has no decimal mark of its own in this engine", where=self.where, hint="leave it out")
            cells = {name: _other(one) if name in self.numbers else one for name, one in found.cells.items()}
            yield replace(found, cells=cells)


def respelled(rows: Rows, data: Data, decimal: str | None, where: str) -> Rows:
    """decimal: the mark of the owner's file; None, or that of the plan: rows as they are."""
    if decimal in (None, data.decimal):
        return rows
    kinds = {name: one.kind for name, one in data.columns.items() if not one.ignored}
    return Respelled(rows, _numbers(kinds), where)


def by_fields(source: Source, fields: Iterable[Field]) -> Source:
    """A source whose columns the plan does not declare, read as a model's fields say."""
    if not isinstance(source, Respelled):
        return source
    return replace(source, numbers=_numbers({one.name: one.kind for one in fields}))


def _numbers(kinds: Mapping[str, str]) -> frozenset[str]:
    of = {name: COLUMNS.of(kind) for name, kind in kinds.items()}
    return frozenset(name for name, kind in of.items() if kind.measured and not kind.dated)


def _other(cell: Cell) -> Cell:
    if cell.typed or cell.listed:
        return cell
    swapped = f"translate({cell.sql}, '.,', ',.')"
    return replace(cell, sql=f"(CASE WHEN regexp_full_match({cell.sql}, '{ONE}') THEN {swapped} ELSE {cell.sql} END)")
