"""Two open sources of DuckDB as one: the second is put into a table of the first one's database, and joined to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from potluck.learning.data.notation import Notation
from potluck.learning.data.sql.dialect import DUCKDB, Dialect
from potluck.learning.data.sql.duck import Duck
from potluck.learning.data.sql.layers import cases
from potluck.learning.data.sql.values import Cell, absent, unfit

FRACTION = "^(-?[0-9]*[.][0-9]*[1-9])0*$"
"""A number without the zeros that end its fraction."""
MOST = 2.0**53


@dataclass(frozen=True, slots=True)
class Taken:
    """A table of a database. name: no table of its owner has it; cells: its columns; dialect: how its texts are read;
    rows: how many it has; again: lines of rows whose keys it has more than once."""

    name: str
    cells: dict[str, Cell]
    dialect: Dialect
    rows: int
    again: list[int]


def take(outer: Duck, inner: Duck, key: str, names: Sequence[str], how: Notation, table: str) -> Taken:
    """Put these columns of `inner` into the database of `outer`. table: what messages call it. Raises DataError, Doubt
    as reading it does."""
    listed = [f"{_key(inner.cells[key], how, inner.dialect)} AS k", f"{_line(inner)} AS l"]
    # The owner's query is asked beside it, and would read it in place of a table of the same name.
    mine = f"t{uuid4().hex}"
    cells: dict[str, Cell] = {}
    for place, name in enumerate(names):
        cell = inner.cells[name]
        listed += [f"{cell.sql} AS s{place}", *([f"{cell.words} AS w{place}"] if cell.words else [])]
        words = f"{mine}.w{place}" if cell.words else ""
        cells[name] = replace(cell, sql=f"{mine}.s{place}", words=words, table=table, line=f"{mine}.l")
    outer.take(mine, inner, f"SELECT {', '.join(listed)} FROM {inner.source}")
    ((rows,),) = outer.rows(f"SELECT count(*) FROM {mine}")
    again = f"SELECT k FROM {mine} WHERE k IS NOT NULL GROUP BY k HAVING count(*) > 1"
    lines = outer.rows(f"SELECT l FROM {mine} WHERE k IN ({again}) ORDER BY l")
    return Taken(mine, cells, inner.dialect, int(rows), [int(line) for (line,) in lines])


def both(outer: Duck, key: str, names: Sequence[str], taken: Taken, how: Notation) -> Duck:
    """These columns of `outer` and those of its table, NULL where no row of it has the key. Names are given anew,
    as either may have the other's."""
    listed = [f"{_key(outer.cells[key], how, outer.dialect)} AS k", f"{_line(outer)} AS l"]
    cells, given = dict[str, Cell](), ["mine.l AS line", f"{taken.name}.l AS tl"]
    for place, name in enumerate(names):
        cell = outer.cells[name]
        listed += [f"{cell.sql} AS s{place}", *([f"{cell.words} AS w{place}"] if cell.words else [])]
        given += [f"mine.s{place} AS m{place}", *([f"mine.w{place} AS n{place}"] if cell.words else [])]
        cells[name] = replace(cell, sql=f"m{place}", words=f"n{place}" if cell.words else "")
    for place, (name, cell) in enumerate(taken.cells.items()):
        given += [f"{cell.sql} AS t{place}", *([f"{cell.words} AS u{place}"] if cell.words else [])]
        cells[name] = replace(cell, sql=f"t{place}", words=f"u{place}" if cell.words else "", line="tl")
    rows = f"SELECT {', '.join(listed)} FROM {outer.source}"
    source = f"SELECT {', '.join(given)} FROM ({rows}) AS mine LEFT JOIN {taken.name} ON mine.k = {taken.name}.k"
    dialect = outer.dialect if outer.dialect == taken.dialect else DUCKDB
    return replace(outer, source=f"({source}) AS both_", cells=cells, line="line", dialect=dialect, mixed=True)


def _line(source: Duck) -> str:
    return source.line or "row_number() OVER ()"


def _key(cell: Cell, how: Notation, d: Dialect) -> str:
    """What a cell is compared by, as a text; NULL: it is no key."""
    if not cell.typed:
        bare = d.trimmed(cell.sql)
        none = [*absent(bare, how, d), (f"{bare} = ''", "NULL")]
        return cases([*none, *_whole(bare, how.decimal, d)], f"nfc_normalize({bare})")
    value = cell.sql
    none = [(f"{value} = {d.double(number)}", "NULL") for number in how.numbers]
    none.append((unfit(value, d), "NULL"))
    if cell.words:
        shortest = d.captured(cell.words, d.text(FRACTION), 1)
        said = cases([*_whole(cell.words, ".", d), (f"{shortest} <> ''", shortest)], cell.words)
    else:
        whole = f"trunc({value}) = {value} AND abs({value}) < {d.double(MOST)}"
        said = cases([(whole, f"CAST(CAST({value} AS BIGINT) AS VARCHAR)")], f"CAST({value} AS VARCHAR)")
    # As a text of these files would say it.
    return cases(none, said if how.decimal == "." else f"replace({said}, '.', {d.text(how.decimal)})")


def _whole(text: str, mark: str, d: Dialect) -> list[tuple[str, str]]:
    """The cases in which a text is a whole number, and its shortest spelling then."""
    pattern = d.text(f"^[+]?(-?)0*([0-9]+)([{mark}]0*)?$")
    sign, digits = (d.captured(text, pattern, group) for group in (1, 2))
    return [(f"{digits} = '0'", "'0'"), (f"{digits} <> ''", f"{sign} || {digits}")]
