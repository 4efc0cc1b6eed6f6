"""Rows from outside: what every kind of source gives, whoever holds the rows. Only the wanted columns are taken.

A kind is a function in a file of `sources/` and a line in its table; kinds that read what an owner's policy says are in
`owner`. An open source answers queries; what its cells mean is the business of column kinds. Reading is strict: a line
with another number of fields, a repeated or an absent column is a DataError that names column and line, never a value.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError, UsageError
from potluck.core.plan import Data
from potluck.core.registry import Registry, table
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.problems import MOST, Problems, together
from potluck.learning.data.sql.relation import Limits, Relation

NO_LIMITS = Limits(1 << 40)
"""Where no plan says how many rows there may be."""
MOST_COLUMNS = 100_000
IN_ORDER = 'columns are declared in file order; kind = "ignore" for those that are not used'


class Frame(Protocol):
    """What pandas and polars frames have in common, as far as it is needed here."""

    def __len__(self) -> int: ...

    @property
    def columns(self) -> Iterable[object]: ...

    def __getitem__(self, key: str, /) -> object: ...


class Stream(Protocol):
    """What hands its rows on as an Arrow stream: Arrow tables, frames of polars, relations of DuckDB."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


class Lazy(Protocol):
    """A frame of polars that is not yet computed."""

    def collect_schema(self) -> object: ...


class Rows(Protocol):
    """A source that is known to be one. It gives the same rows each time. limits: what reading it may take, and where
    files lie that its cells name."""

    @property
    def limits(self) -> Limits: ...

    def names(self) -> tuple[str, ...]:
        """The names of its columns: a file's first line, a frame's labels, an array's places. Raises DataError."""
        ...

    def open(
        self, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems, careful: bool
    ) -> AbstractContextManager[Relation]:
        """The wanted columns, open to one query. layout: the columns in file order of a source without a header.
        careful: the way that tells lines; else the quickest one, which may raise `Doubt`.

        Lines that differ in length are left out, and told to `problems`. Raises DataError: no such file, not text,
        columns absent, repeated or too many.
        """
        ...


Source = str | Path | NDArray[np.generic] | Frame | Stream | Lazy | Rows
Opener = Callable[[object, str, Limits], Rows | None]
"""A kind of source: takes what it is given for a site of this name, to be read within limits; None: it is of another
kind. It goes by a path's ending, by the type of an object, or by what a policy says (`owner.sql.Query`).

Raises UsageError, DataError: it cannot be opened. What is read only when it is asked for may have more rows.
"""
SOURCES: Registry[Opener] = table("data.source")
"""Asked from the last to the first: a kind that takes one ending of paths stands behind one that takes all."""


def texts(cells: NDArray[np.generic]) -> list[str]:
    """Cells as the owner wrote them; of numbers, whole ones without a decimal point; "" where there is none."""
    if cells.dtype.kind == "f":
        return ["" if np.isnan(v) else str(int(v)) if float(v).is_integer() else repr(float(v)) for v in cells]
    return ["" if cell is None else cell for cell in cells]


def opened(source: object, where: str, limits: Limits = NO_LIMITS) -> Rows:
    """The rows of a source; known ones are taken as they are. Raises UsageError: of no known kind; as its opener."""
    if callable(getattr(type(source), "open", None)) and not isinstance(source, Path):  # of the type: not a column
        return source  # type: ignore[return-value]  # it is known
    for kind in reversed(SOURCES.entries.values()):
        rows = kind(source, where, limits)
        if rows is not None:
            return rows
    what = f"rows cannot be read from a {type(source).__name__}"
    raise UsageError(what, where=where, hint="give a path, a frame or an array of rows")


def limits_of(data: Data, memory: int = NO_LIMITS.memory) -> Limits:
    """How a plan's files are read. memory: bytes of the engine."""
    lists = frozenset(name for name, one in data.columns.items() if not one.ignored and COLUMNS.of(one.kind).listed)
    return Limits(data.max_rows, memory, data.separator, data.encoding, data.decimal, lists=lists)


def names_of(source: Source, where: str, limits: Limits) -> tuple[str, ...]:
    """The names of a source's columns. Raises DataError."""
    return opened(source, where, limits).names()


def by_place(
    wanted: Sequence[str], layout: Sequence[str] | None, present: Sequence[str], where: str, named: bool = True
) -> list[int]:
    """Where each wanted column lies in a source whose columns may have names of their own: by name, or by place where
    it has not all the wanted names and a layout says the order. named: it has names at all. Raises DataError."""
    few_enough(len(present), where)
    if named and (layout is None or set(wanted) <= set(present)):
        return places(wanted, present, where)
    order = tuple(layout if layout is not None else wanted)
    if len(present) != len(order):
        raise DataError(f"has {len(present)} columns where {len(order)} are expected", where=where, hint=IN_ORDER)
    for name, found in zip(order, present, strict=True):
        if name != found and name in present and not found.isdigit():
            what = f"column {name!r} is there, but not in the plan's place, and others of the plan's names are not"
            raise DataError(what, where=where, hint="give all columns the plan's names, or its order")
    return places(wanted, order, where)


def few_enough(columns: int, where: str) -> None:
    """Raises DataError: a source has more columns than anybody means."""
    if columns > MOST_COLUMNS:
        raise DataError(f"has more than {MOST_COLUMNS:,} columns", where=where, hint="leave some out")


def most_read(rows: int, most: int, where: str) -> None:
    """Raises DataError: a source has more rows than the plan says."""
    if rows > most:
        raise DataError(f"has more rows than data.max_rows ({most})", where=where, hint="raise it")


def places(wanted: Sequence[str], present: Sequence[str], where: str, parted: bool = False) -> list[int]:
    """Where each wanted column lies among those present. parted: they were one text, which a separator parts. Raises
    DataError: some are absent, or there more than once."""
    absent = [name for name in dict.fromkeys(wanted) if name not in present]
    twice = [name for name in dict.fromkeys(wanted) if list(present).count(name) > 1]
    said, hints = [], []
    if absent:
        # Of a file without a header the first line is a row: what is in it is not said.
        some = f"is no column {absent[0]!r}" if len(absent) == 1 else f"are no columns {_list(absent)}"
        said.append(f"there {some}: {len(set(wanted) & set(present))} of {len(wanted)} are there")
        hint = "name the columns as in the first line; data.header = false where the file has no names"
        hints.append((separated(present) if parted else "") or hint)
    if twice:
        said += [f"column {name!r} is there more than once" for name in twice]
        hints.append("rename one of them")
    if said:
        raise together(said, hints, where)
    return [list(present).index(name) for name in wanted]


def separated(cells: Sequence[str]) -> str:
    """A hint where a whole line is one cell, and holds what may be the separator; else empty."""
    if len(cells) != 1:
        return ""
    found = [mark for mark in (";", "\\t", "|", ",") if mark.replace("\\t", "\t") in cells[0]]
    if not found:
        return ""
    own = "or source.separator in the policy of the one site whose file is so"
    return f'columns may be parted otherwise: data.separator = "{found[0]}" where all files are so, {own}'


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(map(repr, names[:MOST])) + more
