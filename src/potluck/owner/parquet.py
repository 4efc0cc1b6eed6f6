"""Rows of a Parquet file, through DuckDB: what the plan does not name stays unread.

A value is what it would be in a CSV file: true and false are 1 and 0, a narrow float is its shortest text (.1 is not
.10000000149), dates are ISO texts, an absent value is none. A list of numbers is a tensor where the plan says so.
Any other value that has no text (bytes, lists) is refused with its column's name alone.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from potluck.core.errors import DataError
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import Rows, by_place, few_enough, most_read
from potluck.learning.data.sql.dialect import DUCKDB
from potluck.learning.data.sql.duck import Duck, connection, parquet_names, path_text
from potluck.learning.data.sql.duck_types import typed
from potluck.learning.data.sql.relation import Limits


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """See `learning.data.source.Rows`. where: the site's name, for messages."""

    path: Path
    where: str
    limits: Limits

    @property
    def _source(self) -> str:
        return f"read_parquet({path_text(self.path)}, hive_partitioning = false)"

    def names(self) -> tuple[str, ...]:
        """As the file has them."""
        with self._connected() as (found, _):
            return tuple(name.strip() for name, _ in found.columns())

    @contextmanager
    def open(
        self, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems, careful: bool
    ) -> Iterator[Duck]:
        """By name, or by place: see `by_place`."""
        with self._connected() as (found, labels):
            columns = found.columns()
            self._alone(wanted, labels)
            index = by_place(wanted, layout, [name.strip() for name, _ in columns], self.where)
            most_read(found.count(), self.limits.rows, self.where)
            cells = {
                name: typed(*columns[place], self.where, self.limits.lists, _flat(*columns[place]))
                for name, place in zip(wanted, index, strict=True)
            }
            yield Duck(found.connection, self._source, cells, self.where, what=f"{self.path} cannot be read as Parquet")

    def _alone(self, wanted: Sequence[str], labels: Sequence[str]) -> None:
        """Raises DataError: a column's name differs from another's in case alone, which the engine takes for one."""
        # Of names that it takes for one the engine calls the second `name_1`, which may be another's name.
        names = Counter(name.strip().lower() for name in labels)
        again = {name for name, count in names.items() if count > 1}
        twice = [
            one for one in wanted if any(re.fullmatch(re.escape(name) + "(_[0-9]+)?", one.lower()) for name in again)
        ]
        if twice:
            what = f"column {twice[0]!r} is there more than once, but for its case"
            raise DataError(what, where=self.where, hint="rename one of them")

    @contextmanager
    def _connected(self) -> Iterator[tuple[Duck, list[str]]]:
        """The file, open to the engine, and its columns' names as they are in it."""
        if not self.path.is_file():
            raise DataError(f"no such file: {self.path}", where=self.where, hint="correct the path of this site's data")
        with connection(self.limits, self.path) as made:
            found = Duck(made, self._source, {}, self.where, what=f"{self.path} cannot be read as Parquet")
            labels = parquet_names(found, self.path)
            few_enough(len(labels), self.where)
            yield found, labels


def _flat(name: str, kind: str) -> str:
    """A column as the query calls it. Doubles come by their places in a dictionary of the file, often a large one. They
    are fetched once, so that nothing that is computed of them goes through it again: times 1 each is the same."""
    named = DUCKDB.name(name)
    return f"{named} * {DUCKDB.double(1)}" if kind == "DOUBLE" else named


def parquet(source: object, where: str, limits: Limits) -> Rows | None:
    """A path that ends in `.parquet`, in any case."""
    if not isinstance(source, str | Path) or Path(source).suffix.lower() != ".parquet":
        return None
    return ParquetFile(Path(source), where, limits.beside(Path(source)))
