"""Cells as values: what a declared column says of each row, as one double.

NULL: no value. Not finite: a cell that is not what the plan declares. A category's code is its place among the declared
values; OTHER a value that is not declared, CASE one whose case alone differs from a declared one. Numbers are as they
are, not yet clamped. A text that spells a finite number is that number, whatever its spelling; any other is compared
without blanks around it (`learning.data.column.key`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from potluck.learning.data.column import CASE, OTHER, Key, key
from potluck.learning.data.sql.dialect import Dialect
from potluck.learning.data.sql.layers import Layer, cases


@dataclass(frozen=True, slots=True)
class Cell:
    """A column of a source. typed: it is a double; else a text. words: as a text, where the
    double does not say all its digits."""

    sql: str
    typed: bool = False
    words: str = ""


@dataclass(frozen=True, slots=True)
class _Gone:
    """What means "no value": numbers, texts, and the texts as the plan writes them."""

    numbers: tuple[float, ...]
    texts: tuple[str, ...]
    written: tuple[str, ...]


def number(cell: Cell, missing: Iterable[str], layer: Layer) -> str:
    """The value of a number's cell."""
    d, gone = layer.dialect, _gone(missing)
    if cell.typed:
        return _given(cell.sql, gone, d)
    plain, bare = layer.define(d.parsed(cell.sql)), d.trimmed(cell.sql)
    spelt = f"({d.parsed(bare)})"
    # In the order of how often cells are so: what comes first is all that is computed for most.
    none = [(f"{cell.sql} IS NULL", "NULL")]
    none += [(_among(cell.sql, gone.written, d), "NULL")] if gone.written else []
    none += [(_among(bare, gone.texts, d), "NULL")] if gone.texts else []
    rest = cases([*none, (d.finite(spelt), _given(spelt, gone, d))], d.double(inf))
    return cases([(d.finite(plain), _given(plain, gone, d))], rest)


def code(
    cell: Cell, table: Mapping[str, float], missing: Iterable[str], layer: Layer, known: Iterable[str] = ()
) -> str:
    """The value of a category's cell. table: the code of each declared text; known: declared texts by which the case of
    others is judged, where they are not those of the table."""
    d, gone = layer.dialect, _gone(missing)
    codes: dict[Key, float] = {}
    for text, value in table.items():
        codes.setdefault(key(text), value)
    numbers = [(k, d.double(v)) for k, v in codes.items() if isinstance(k, float)]
    other = d.double(OTHER)
    if cell.typed:
        none = [(f"{cell.sql} IS NULL", "NULL")]
        none += [(_one_of(cell.sql, gone.numbers, d), "NULL")] if gone.numbers else []
        return cases([*none, *((f"{cell.sql} = {d.double(k)}", value) for k, value in numbers)], other)
    bare = d.trimmed(cell.sql)
    tail = [(f"{bare} = {d.text(k)}", d.double(v)) for k, v in codes.items() if isinstance(k, str)]
    tail = [(_among(bare, gone.texts, d), "NULL"), *tail] if gone.texts else tail
    spelt = d.parsed(bare)
    if gone.numbers:
        tail.append((_one_of(spelt, gone.numbers, d), "NULL"))
    tail += [(f"{spelt} = {d.double(k)}", value) for k, value in numbers]
    plain = {text.strip().lower() for text in (*table, *known) if isinstance(key(text), str)}
    if plain:
        tail.append((_among(f"lower({bare})", sorted(plain), d), d.double(CASE)))
    none = [(f"{cell.sql} IS NULL", "NULL")]
    none += [(_among(cell.sql, gone.written, d), "NULL")] if gone.written else []
    quick = [(f"{cell.sql} = {d.text(text)}", d.double(codes[key(text)])) for text in table]
    return cases([*none, *quick], cases(tail, other))


def order(values: Sequence[str]) -> dict[str, float]:
    """The code of each declared value: its place."""
    return {value: float(place) for place, value in enumerate(values)}


def other_last(value: str, values: int) -> str:
    """SQL of the code of a category with so many values as a whole number, any other one as one more behind them."""
    return cases([(f"{value} < 0", str(values))], value)


def _gone(missing: Iterable[str]) -> _Gone:
    keys = list(dict.fromkeys(map(key, missing)))
    numbers = tuple(k for k in keys if isinstance(k, float))
    return _Gone(numbers, tuple(k for k in keys if isinstance(k, str)), tuple(dict.fromkeys(missing)))


def unfit(value: str, d: Dialect) -> str:
    """Whether a value is that of a cell that does not fit: of NULL neither yes nor no."""
    return f"NOT {d.finite(value)}"


def _given(value: str, gone: _Gone, d: Dialect) -> str:
    """A number, NULL where it means "no value"."""
    return cases([(_one_of(value, gone.numbers, d), "NULL")] if gone.numbers else [], value)


def _among(value: str, texts: Iterable[str], d: Dialect) -> str:
    return f"{value} IN ({', '.join(map(d.text, texts))})"


def _one_of(value: str, numbers: Iterable[float], d: Dialect) -> str:
    return f"{value} IN ({', '.join(map(d.double, numbers))})"
