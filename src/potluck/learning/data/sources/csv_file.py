"""A CSV file in UTF-8, whatever its name: read line by line, each time that its rows are asked for."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from potluck.core.errors import DataError, reason
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import CHUNK, IN_ORDER, Chunk, Rows, places

AS_NAMED = 'as many as the first line has; a cell that holds a comma needs quotes: "a, b"'


@dataclass(frozen=True, slots=True)
class CsvFile:
    """See `learning.data.source.Rows`. where: the site's name, for messages."""

    path: Path
    where: str

    def names(self) -> tuple[str, ...]:
        """The first line."""
        with _open(self.path, self.where) as file:
            for _, cells in _rows(file, self.where):
                return tuple(cell.strip() for cell in cells)
        raise DataError("has no rows", where=self.where, hint="give a CSV file with at least one row")

    def chunks(self, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems) -> Iterator[Chunk]:
        """Lines that differ in length are left out."""
        with _open(self.path, self.where) as file:
            rows = _rows(file, self.where)
            if layout is None:
                first = next(rows, None)
                if first is None:
                    raise DataError("has no header", where=self.where, hint="header = false where the file has none")
                present: Sequence[str] = [cell.strip() for cell in first[1]]
            else:
                present = layout
            index = places(wanted, present, self.where)
            while block := list(islice(rows, CHUNK)):
                whole = [(line, cells) for line, cells in block if len(cells) == len(present)]
                if len(whole) < len(block):
                    for line, cells in block:
                        if len(cells) != len(present):
                            problems.widths(
                                line, len(cells), len(present), IN_ORDER if layout is not None else AS_NAMED
                            )
                if not whole:
                    continue
                lines = np.array([line for line, _ in whole], dtype=np.int64)
                columns = list(zip(*(cells for _, cells in whole), strict=True))
                yield Chunk(lines, {name: columns[place] for name, place in zip(wanted, index, strict=True)})


def _open(path: Path, where: str) -> TextIO:
    try:
        return path.open(encoding="utf-8-sig", newline="")
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


def csv_file(source: object, where: str, most: int) -> Rows | None:
    """Any path. The file is only named here: whether it is there shows when it is read."""
    return CsvFile(Path(source), where) if isinstance(source, str | Path) else None
