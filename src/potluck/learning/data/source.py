"""Rows from outside: a CSV file, a pandas or polars frame, a NumPy array. Only the wanted columns are taken.

Cells stay as the owner wrote them (texts, or numbers of a typed frame); what they mean is `encode`'s business.
Reading is strict: a line with another number of fields, a repeated or an absent column is a DataError that names
column and line, never a value. It does NOT guess separators, encodings (UTF-8) or decimal commas.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError, reason
from potluck.core.stages import Floats
from potluck.learning.data.problems import MOST, Problems, together

CHUNK = 50_000
IN_ORDER = 'columns are declared in file order; kind = "ignore" for those that are not used'
AS_NAMED = 'as many as the first line has; a cell that holds a comma needs quotes: "a, b"'


class Frame(Protocol):
    """What pandas and polars frames have in common, as far as it is needed here."""

    def __len__(self) -> int: ...

    @property
    def columns(self) -> Iterable[object]: ...

    def __getitem__(self, key: str, /) -> object: ...


Source = str | Path | NDArray[np.generic] | Frame
Cells = Sequence[str | None] | Floats
"""One column of some rows: texts (None: the frame has no value there), or numbers (NaN: no value)."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Some rows: lines [n] (of the file, or row numbers of a frame from 1) and each wanted column's cells."""

    lines: NDArray[np.int64] = field(repr=False)
    cells: Mapping[str, Cells] = field(repr=False)


def texts(cells: Cells) -> list[str]:
    """Cells as the owner wrote them; of a typed frame whole numbers without a decimal point; "" where there is none."""
    if isinstance(cells, np.ndarray):
        return ["" if np.isnan(v) else str(int(v)) if float(v).is_integer() else repr(float(v)) for v in cells]
    return ["" if cell is None else cell for cell in cells]


def names_of(source: Source, where: str) -> tuple[str, ...]:
    """The first line of a file, the column labels of a frame, the positions of an array. Raises DataError."""
    if isinstance(source, str | Path):
        with _open(source, where) as file:
            for cells in _rows(file, where):
                return tuple(cell.strip() for cell in cells[1])
        raise DataError("has no rows", where=where, hint="give a CSV file with at least one row")
    if isinstance(source, np.ndarray):
        return tuple(map(str, range(source.shape[1] if source.ndim == 2 else 0)))
    return tuple(map(str, source.columns))


def places(wanted: Sequence[str], present: Sequence[str], where: str) -> list[int]:
    """Where each wanted column lies among those present. Raises DataError: some are absent, or there more than once."""
    absent = [name for name in dict.fromkeys(wanted) if name not in present]
    twice = [name for name in dict.fromkeys(wanted) if list(present).count(name) > 1]
    said, hints = [], []
    if absent:
        # Of a file without a header the first line is a row: what is in it is not said.
        some = f"is no column {absent[0]!r}" if len(absent) == 1 else f"are no columns {_list(absent)}"
        said.append(f"there {some}: {len(set(wanted) & set(present))} of {len(wanted)} are there")
        hint = "name the columns as in the first line; data.header = false where the file has no names"
        if len(present) == 1 and any(mark in present[0] for mark in ";\t|"):
            hint = "columns are parted by commas: save the file as CSV with commas"
        hints.append(hint)
    if twice:
        said += [f"column {name!r} is there more than once" for name in twice]
        hints.append("rename one of them")
    if said:
        raise together(said, hints, where)
    return [list(present).index(name) for name in wanted]


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(map(repr, names[:MOST])) + more


def chunks(source: Source, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems) -> Iterator[Chunk]:
    """The wanted columns, some rows at a time. layout: the columns in file order of a source without a header.

    Lines that differ in length are left out, and told to `problems`, which raises at its end. Raises DataError: no such
    file, not text, columns absent, repeated or too many.
    """
    where = problems.where
    if isinstance(source, str | Path):
        yield from _of_file(source, wanted, layout, problems)
        return
    present = names_of(source, where)
    positional = isinstance(source, np.ndarray) or (layout is not None and not set(wanted) <= set(present))
    if positional:
        order = list(layout if layout is not None else wanted)
        _same_width(len(present), len(order), where)
        _same_places(order, present, where)
        index = places(wanted, order, where)
    else:
        index = places(wanted, present, where)
    columns = {name: _column(source, place) for name, place in zip(wanted, index, strict=True)}
    length = len(source)
    for start in range(0, length, CHUNK):
        stop = min(start + CHUNK, length)
        lines = np.arange(start + 1, stop + 1, dtype=np.int64)
        yield Chunk(lines, {name: cells[start:stop] for name, cells in columns.items()})


def _of_file(
    path: str | Path, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems
) -> Iterator[Chunk]:
    where = problems.where
    with _open(path, where) as file:
        rows = _rows(file, where)
        if layout is None:
            first = next(rows, None)
            if first is None:
                raise DataError("has no header", where=where, hint="header = false where the file has none")
            present: Sequence[str] = [cell.strip() for cell in first[1]]
        else:
            present = layout
        index = places(wanted, present, where)
        while block := list(islice(rows, CHUNK)):
            whole = [(line, cells) for line, cells in block if len(cells) == len(present)]
            if len(whole) < len(block):
                for line, cells in block:
                    if len(cells) != len(present):
                        problems.widths(line, len(cells), len(present), IN_ORDER if layout is not None else AS_NAMED)
            if not whole:
                continue
            lines = np.array([line for line, _ in whole], dtype=np.int64)
            columns = list(zip(*(cells for _, cells in whole), strict=True))
            yield Chunk(lines, {name: columns[place] for name, place in zip(wanted, index, strict=True)})


def _same_width(found: int, expected: int, where: str) -> None:
    """Of a source whose columns are taken by place."""
    if found != expected:
        raise DataError(f"has {found} columns where {expected} are expected", where=where, hint=IN_ORDER)


def _same_places(order: Sequence[str], present: Sequence[str], where: str) -> None:
    """Columns that lack some of the plan's names are taken by position: a name of the plan's elsewhere contradicts."""
    for name, found in zip(order, present, strict=True):
        if name != found and name in present and not found.isdigit():
            what = f"column {name!r} is there, but not in the plan's place, and others of the plan's names are not"
            raise DataError(what, where=where, hint="give all columns the plan's names, or its order")


def _open(path: str | Path, where: str) -> TextIO:
    try:
        return Path(path).open(encoding="utf-8-sig", newline="")
    except FileNotFoundError:
        raise DataError(f"no such file: {path}", where=where, hint="correct the path of this site's data") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({reason(error)})", where=where) from None


def _rows(file: TextIO, where: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of every line that is not blank."""
    reader = csv.reader(file)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error:
        raise DataError(f"line {reader.line_num + 1} is not CSV", where=where) from None
    except UnicodeDecodeError:
        raise DataError("is not UTF-8 text", where=where, hint="save the file as UTF-8 CSV") from None


def _column(source: NDArray[np.generic] | Frame, place: int) -> Cells:
    if isinstance(source, np.ndarray):
        return _cells(source[:, place])
    label = list(source.columns)[place]
    return _cells(np.asarray(source[label]))  # type: ignore[index]  # a pandas label need not be a text


def _cells(values: NDArray[np.generic]) -> Cells:
    exact = values.dtype.kind == "f" or (values.dtype.kind in "iu" and bool((np.abs(values) < 2**53).all()))
    if exact:
        return values.astype(np.float64)
    import pandas as pd  # whoever gives such values has it loaded: a file does not need it

    missing = pd.isna(values)
    return [None if gone else str(value) for value, gone in zip(values.tolist(), missing.tolist(), strict=True)]
