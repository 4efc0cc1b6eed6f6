"""A second table of the same owner, joined to its rows by a key: the columns that a plan says it has.

Keys are compared as texts without blanks around them, in Unicode's composed form; whole numbers by value, so that 7,
7.0 and 007 are one key (7,0 where a plan says that its decimal mark is a comma). What a source holds as a number is the
shortest text that says it. A key that the table has more than once is an error that names its lines. A row without a
match stays, and has no value in the table's columns: what becomes of it they say themselves (`missing`). The table is
put into the database that reads the rows, where it has to find room; it is a source as any other, read as the plan says
that files are written. It does NOT join what two engines hold.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from potluck.core.errors import DataError
from potluck.core.plan import Data, Plan, repeated, required
from potluck.core.tables.derived import Join
from potluck.learning.data.notation import Notation, notation
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import Rows, most_read
from potluck.learning.data.sql.duck import Duck
from potluck.learning.data.sql.relation import Limits, Relation
from potluck.learning.data.sql.tables import Taken, both, take

TWICE = "a key that is there more than once"
ONCE = "the table has one row a key: leave the others out, or reduce it to one before"


@dataclass(frozen=True, slots=True)
class Joined:
    """See `learning.data.source.Rows`. rows, table: both sources; most: rows of the table; where: the site's name."""

    rows: Rows
    table: Rows
    join: Join
    how: Notation
    most: int
    where: str

    @property
    def limits(self) -> Limits:
        """Those of the rows."""
        return self.rows.limits

    def names(self) -> tuple[str, ...]:
        """The rows' own, but for those that the table has, then these."""
        return (*(name for name in self.rows.names() if name not in self.join.columns), *self.join.columns)

    @contextmanager
    def open(
        self, wanted: Sequence[str], layout: Sequence[str] | None, problems: Problems, careful: bool
    ) -> Iterator[Relation]:
        """The table is read first, and is then let go."""
        theirs = [name for name in wanted if name in self.join.columns]
        key, _ = self.join.keys
        mine = [name for name in wanted if name not in theirs]
        if not theirs:
            with self.rows.open(mine, layout, problems, careful) as rows:
                yield rows
            return
        with self.rows.open(list(dict.fromkeys([*mine, key])), layout, problems, careful) as rows:
            outer = self._here(rows)
            yield both(outer, key, mine, self._taken(outer, theirs, careful), self.how)

    def _taken(self, outer: Duck, names: Sequence[str], careful: bool) -> Taken:
        """The table, in the rows' database."""
        _, key = self.join.keys
        told = Problems(beside(self.where, self.join.table), careful)
        with told, self.table.open(list(dict.fromkeys([key, *names])), None, told, careful) as rows:
            inner = self._here(rows)
            taken = take(outer, inner, key, names, self.how, self.join.table)
            most_read(taken.rows, self.most, told.where)
            told.cells(key, taken.again, TWICE, ONCE)
            return taken

    def _here(self, rows: Relation) -> Duck:
        """An open source of this process's engine. Raises DataError: another engine holds it."""
        if isinstance(rows, Duck):
            return rows
        hint = "join the tables in source.query, or export them"
        raise DataError(f"the table {self.join.table!r} cannot be joined in this engine", where=self.where, hint=hint)


def beside(where: str, table: str) -> str:
    """What messages call a site's second table."""
    return f"{where}, table {table!r}"


def joined(rows: Rows, table: Rows, data: Data, where: str) -> Rows:
    """Rows with the columns that a plan joins to them. data: of a plan that has a join; where: the site's name."""
    return Joined(rows, table, required(data.join), notation(data), data.max_rows, where)


def of_join(plan: Plan) -> list[str]:
    """What is wrong with a plan's second table. One line a problem."""
    data, join = plan.data, plan.data.join
    if join is None:
        return []
    found = []
    for key in ("table", "on", "to"):
        text = getattr(join, key)
        if text is not None and (not text.strip() or ("." in text and key == "table")):
            found.append(f"data.join.{key}: is no name. hint: letters, without a point")
    if not data.header:
        found.append("data.join: needs the names of columns. hint: data.header = true, with names in the files")
    if not join.columns:
        found.append("data.join.columns: lists none. hint: the declared columns that the table has")
    for name in join.columns:
        column = data.columns.get(name)
        if column is None or column.ignored or "*" in name:
            found.append(f"data.join.columns: {name} is not a declared column. hint: declare it in data.columns")
        elif name == join.on:
            found.append(f"data.join.columns: {name} is the key of the rows. hint: leave it out")
    if again := repeated(join.columns):
        found.append(f"data.join.columns: {again[0]} is there twice. hint: name each once")
    split = data.split.column if data.split else None
    for at, special in {"data.person": data.person, "data.split.column": split}.items():
        if special is not None and special in join.columns:
            found.append(f"{at}: {special} is in the joined table. hint: name a column of the rows")
    return found


def said(plan: Plan) -> str:
    """The join, as people read it; empty where there is none."""
    join = plan.data.join
    if join is None:
        return ""
    mine, theirs = join.keys
    key = mine if mine == theirs else f"{mine} ({theirs} in the table)"
    columns = ", ".join(join.columns)
    return f"Joined by {key}: {columns} of the table {join.table}; a row without a match has no value there"
