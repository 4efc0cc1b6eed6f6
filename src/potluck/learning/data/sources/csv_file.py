"""A CSV file, whatever its name: read each time that its rows are asked for, in one of two ways.

The quick one is DuckDB's reader in its strict mode. Where it stumbles, or finds a cell that does not fit, the careful
one reads the file again, line by line, and names the lines. Both give the same texts. Files in another encoding than
UTF-8 are read by the careful one. Separator and encoding are the plan's to say: it does NOT guess them.
"""

import codecs
import csv
import mmap
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from potluck.core.errors import DataError, reason
from potluck.core.slices import PIECE
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import IN_ORDER, Rows, few_enough, places, separated
from potluck.learning.data.sql.arrays import texts, whole_numbers
from potluck.learning.data.sql.dialect import DUCKDB, ODD, PLAIN
from potluck.learning.data.sql.duck import Duck, connection, numbered, path_text, streamed
from potluck.learning.data.sql.relation import Limits
from potluck.learning.data.sql.values import Cell

if TYPE_CHECKING:
    import pyarrow as pa

AS_NAMED = 'as many as the first line has; a cell that holds a separator needs quotes: "a, b"'
CHUNK, LETTERS = 20_000, 1 << 25
"""Rows that the careful way holds at most, and letters after which it holds no more rows."""
FEW = 1 << 18
"""Bytes of a file that is read carefully at once."""
BESIDE = ('  "', '" ')
"""Blanks beside quotes."""
LONGEST, LINE = 2_000_000, 1 << 26
"""Letters of a cell and of a line, at most. Of a line that is longer than a cell may be the quick way is in doubt."""
OTHERS = {
    rb"\x1f\x8b": ("is compressed (gzip)", "unpack it, e.g. with gunzip"),
    rb"PK\x03\x04": ("is a zip archive or a spreadsheet", "unpack it; a spreadsheet can be saved as CSV"),
    rb"BZh[1-9]1AY&SY": ("is compressed (bzip2)", "unpack it, e.g. with bunzip2"),
    rb"\xfd7zXZ\x00": ("is compressed (xz)", "unpack it, e.g. with unxz"),
    rb"\x28\xb5\x2f\xfd": ("is compressed (zstd)", "unpack it, e.g. with unzstd"),
    rb"PAR1\x15": ("is a Parquet file", "call it .parquet"),
    rb"ARROW1\x00": ("is an Arrow file", "write it as Parquet"),
    rb"SQLite format 3\x00|.{8}DUCK.{,4}\x00": ("is a database", "source.url and source.query name one in the policy"),
}
"""How files begin that are no CSV, whatever they are called. Nothing is unpacked: a few bytes may stand for many."""
NOTHING = "8a1f6c05-no-cell-is-this-text-7d3e92b4"
"""The reader wants a text that means NULL, and no cell is to be NULL: what a cell means is the plan's to say."""


@dataclass(frozen=True, slots=True)
class CsvFile:
    """See `learning.data.source.Rows`. where: the site's name, for messages."""

    path: Path
    where: str
    limits: Limits

    def names(self) -> tuple[str, ...]:
        """The first line."""
        found = self._first()
        if found is None:
            raise DataError("has no rows", where=self.where, hint="give a CSV file with at least one row")
        return found[0]

    def _first(self) -> tuple[tuple[str, ...], int] | None:
        """The first line's cells, and on which line it ends."""
        with self._opened() as file:
            self._recognised(file.buffer.read(20))
            file.seek(0)
            for line, cells in self._rows(file):
                few_enough(len(cells), self.where)
                return tuple(cell.strip() for cell in cells), line
        return None

    def _recognised(self, start: bytes) -> None:
        for mark, (what, hint) in OTHERS.items():
            if re.match(mark, start, re.DOTALL):
                raise DataError(f"{what}, not CSV", where=self.where, hint=hint)

    @contextmanager
    def open(
        self, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems, careful: bool
    ) -> Iterator[Duck]:
        """Lines that differ in length are left out."""
        first = self._first()
        if first is None and layout is None:
            raise DataError("has no header", where=self.where, hint="header = false where the file has none")
        present = layout if layout is not None else first[0] if first else ()
        index = places(wanted, present, self.where, parted=True)
        # Blank lines come first, or a name has lines; or the quick way's start takes longer than the careful one does.
        few = first is None or first[1] > 1 or self.path.stat().st_size < FEW
        quick = not (careful or few) and self._plain
        held = self._holds(*ODD, *BESIDE) if quick else set[str]()
        if not quick or self._spaced(held):
            with self._careful(wanted, index, present, layout is None, problems) as found:
                yield found
            return
        names = [f"f{place}" for place in range(len(present))]
        columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
        options = (
            f"auto_detect = false, header = {'true' if layout is None else 'false'}, columns = {{{columns}}}, "
            f"delim = {DUCKDB.text(self.limits.separator)}, "
            "quote = '\"', escape = '\"', strict_mode = true, null_padding = false, "
            "ignore_errors = false, compression = 'none', hive_partitioning = false, "
            f"nullstr = ['{NOTHING}'], allow_quoted_nulls = false, max_line_size = {LONGEST}"
        )
        cells = {name: Cell(names[place]) for name, place in zip(wanted, index, strict=True)}
        with connection(self.limits, self.path) as made:
            source = f"read_csv({path_text(self.path)}, {options})"
            yield Duck(
                made, source, cells, self.where, careful=False, dialect=DUCKDB if held.intersection(ODD) else PLAIN
            )

    @contextmanager
    def _bytes(self) -> Iterator[mmap.mmap]:
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as found:
            yield found

    def _holds(self, *marks: str) -> set[str]:
        """Which of them the file has. In pieces that are first asked for each letter of a mark: most have one of them
        nowhere, and a single letter is found several times as fast as a pair."""
        longest, found, rest = max(map(len, marks), default=1), set[str](), b""
        with self.path.open("rb", buffering=0) as file:
            while len(found) < len(marks) and (piece := file.read(PIECE)):
                text = rest + piece
                for mark in set(marks) - found:
                    if all(letter.encode() in text for letter in mark) and mark.encode() in text:
                        found.add(mark)
                rest = text[max(0, len(text) - longest + 1) :]
        return found

    def _spaced(self, held: set[str]) -> bool:
        """Whether blanks stand beside quotes where the engine reads on and the careful way does not: several before a
        quote that begins a cell, of which the engine overlooks but one; some between two quotes, or behind two. held:
        of ODD and BESIDE, what the file has."""
        if held.isdisjoint(BESIDE):
            return False
        mark = re.escape(self.limits.separator.encode())
        begins, ends = re.compile(b'[%b\\r\\n] {2,}"' % mark), re.compile(b'" +"|"" +(?:[%b\\r\\n]|\\Z)' % mark)
        with self._bytes() as text:
            indented = '  "' in held and begins.search(text) is not None
            return indented or ('" ' in held and ends.search(text) is not None)

    @contextmanager
    def _careful(
        self, wanted: Sequence[str], index: Sequence[int], present: Sequence[str], header: bool, problems: Problems
    ) -> Iterator[Duck]:
        import pyarrow as pa

        cells = {name: Cell(f"c{place}") for place, name in enumerate(wanted)}
        schema = numbered([pa.string() for _ in wanted])
        batches = self._batches(schema, index, len(present), header, problems)
        with streamed(schema, batches, cells, self.where, self.limits) as found:
            yield found

    def _batches(
        self, schema: "pa.Schema", index: Sequence[int], wide: int, header: bool, problems: Problems
    ) -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        with self._opened() as file:
            rows = self._rows(file)
            if header:
                next(rows)
            usual = AS_NAMED if header else IN_ORDER
            for block in _blocks(rows):
                whole = [(line, cells) for line, cells in block if len(cells) == wide]
                if len(whole) < len(block):
                    for line, cells in block:
                        if len(cells) != wide:
                            problems.widths(line, len(cells), wide, separated(cells) or usual)
                lines = whole_numbers([line for line, _ in whole])
                columns = [texts([cells[place] for _, cells in whole]) for place in index]
                yield pa.RecordBatch.from_arrays([lines, *columns], schema=schema)

    @property
    def _plain(self) -> bool:
        return codecs.lookup(self.limits.encoding).name == "utf-8"

    def _opened(self) -> TextIO:
        encoding = "utf-8-sig" if self._plain else self.limits.encoding
        if self.path.is_fifo() or self.path.is_char_device():  # such a thing may have no end, and is read but once
            hint = "write the rows to a file first"
            raise DataError(f"{self.path} cannot be read (it is no file)", where=self.where, hint=hint)
        try:
            return self.path.open(encoding=encoding, newline="")
        except FileNotFoundError:
            hint = "correct the path of this site's data"
            raise DataError(f"no such file: {self.path}", where=self.where, hint=hint) from None
        except OSError as error:
            raise DataError(f"{self.path} cannot be read ({reason(error)})", where=self.where) from None

    def _lines(self, file: TextIO) -> Iterator[str]:
        number = 0
        while line := file.readline(LINE):
            number += 1
            if len(line) == LINE:
                what = f"line {number} has more than {LINE:,} letters"
                raise DataError(what, where=self.where, hint="is it a CSV file, and data.encoding its encoding?")
            yield line

    def _rows(self, file: TextIO) -> Iterator[tuple[int, list[str]]]:
        """(line number, fields) of every line that is not blank."""
        # Strictly: a quote that is not closed would else swallow what follows it. Blanks behind a quote mean nothing.
        behind = re.compile(f'(?<!")" +(?=[{re.escape(self.limits.separator)}\\r\\n]|$)')
        lines = (behind.sub('"', line) for line in self._lines(file))
        reader = csv.reader(lines, delimiter=self.limits.separator, skipinitialspace=True, strict=True)
        csv.field_size_limit(LONGEST)
        try:
            for cells in reader:
                if cells:
                    yield reader.line_num, cells
        except csv.Error as error:
            if "field limit" in str(error):
                what = f"a cell that ends in line {reader.line_num} or later has more than {LONGEST:,} letters"
                hint = "shorten it, or take its column out; a quote that is not closed swallows all that follows"
                raise DataError(what, where=self.where, hint=hint) from None
            hint = 'a quote within a cell is written twice, and one that begins a cell ends it: "say ""a"""'
            what = f"what ends in line {reader.line_num} is not CSV"
            raise DataError(what, where=self.where, hint=hint) from None
        except UnicodeError:
            what = "is not UTF-8 text" if self._plain else "is not text in the encoding that data.encoding says"
            hint = 'data.encoding says how the file is written, e.g. encoding = "latin-1" or "cp1252"'
            raise DataError(what, where=self.where, hint=hint) from None


def _blocks(rows: Iterable[tuple[int, list[str]]]) -> Iterator[list[tuple[int, list[str]]]]:
    """Some rows at a time, and fewer where they are long."""
    block, letters = [], 0
    for row in rows:
        block.append(row)
        letters += sum(map(len, row[1]))
        if len(block) == CHUNK or letters > LETTERS:
            yield block
            block, letters = [], 0
    if block:
        yield block


def csv_file(source: object, where: str, limits: Limits) -> Rows | None:
    """Any path. The file is only named here: whether it is there shows when it is read."""
    return CsvFile(Path(source), where, limits.beside(Path(source))) if isinstance(source, str | Path) else None
