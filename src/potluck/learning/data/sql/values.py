"""Cells as values: what a declared column says of each row, as one double.

NULL: no value. Not finite: a cell that is not what the plan declares; of a text that would be a number with another
decimal mark, infinity below zero. A category's code is its place among the declared
values; OTHER a value that is not declared, CASE one whose case alone differs from a declared one. Numbers are as they
are, not yet clamped. A text that spells a finite number is that number, whatever its spelling; any other is compared
without blanks around it (`learning.data.notation.key`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from potluck.learning.data.notation import Key, Notation, folded, folding
from potluck.learning.data.sql.dialect import Dialect
from potluck.learning.data.sql.layers import Layer, cases

OTHER, CASE = -1.0, -2.0
"""Codes of a category's undeclared value: any, and one whose case alone differs from a declared one. NaN is a missing
value."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A column of a source. typed: it is a double; else a text. words: as a text, where the double does not say all its
    digits. truth: it is true or false, which are 1 and 0. table: the name of the second table that has it; line: where
    its row stands there; empty: it is one of the rows' own. listed: it is a list of numbers, or of such lists."""

    sql: str
    typed: bool = False
    words: str = ""
    truth: bool = False
    table: str = ""
    line: str = ""
    listed: bool = False


TRUTHS = {"true": 1.0, "false": 0.0}
"""What a plan may call them, too, where it does not declare the number."""


def looked_at(ground: Layer) -> Layer:
    """The layer for parts of values over these cells, with two more beneath it.

    What most cells are is found in the lowest. Only what is left is trimmed in the next and looked at again in the
    last, so that it costs nothing where nothing is left, and the query stays short.
    """
    return ground.above("b").above("r").above("q")


def number(cell: Cell, how: Notation, layer: Layer) -> str:
    """The value of a number's cell. layer: as `looked_at` gives it."""
    d = layer.dialect
    if cell.typed:
        return _given(cell.sql, how, d)
    plain = layer.beneath.beneath.define(_spelt(cell.sql, how, d))
    bare = layer.beneath.define(cases([(d.finite(plain), "NULL")], d.trimmed(cell.sql)))
    spelt = layer.define(_spelt(bare, how, d))
    other = Notation(decimal="." if how.decimal == "," else ",")
    has = f"replace({bare}, {d.text(other.decimal)}, '') <> {bare}"
    marked = (f"{has} AND ({_spelt(bare, other, d)}) IS NOT NULL", d.double(-inf))
    usual = (d.finite(plain), _given(plain, how, d))
    none = [(f"{bare} IS NULL", "NULL"), *_none(bare, how, d)]
    return cases([usual, *none, (d.finite(spelt), _given(spelt, how, d)), marked], d.double(inf))


def absent(bare: str, how: Notation, d: Dialect) -> list[tuple[str, str]]:
    """Cases in which a text without blanks around it means "no value"."""
    none = [(f"{bare} IS NULL", "NULL"), *_none(bare, how, d)]
    return [*none, (_one_of(_spelt(bare, how, d), how.numbers, d), "NULL")] if how.numbers else none


def code(cell: Cell, table: Mapping[str, float], how: Notation, layer: Layer, known: Iterable[str] = ()) -> str:
    """The value of a category's cell. table: the code of each declared text; known: declared texts by which the case of
    others is judged, where they are not those of the table; layer: as `looked_at` gives it."""
    d = layer.dialect
    codes: dict[Key, float] = {}
    for text, value in table.items():
        codes.setdefault(how.key(text), value)
    numbers = [(k, d.double(v)) for k, v in codes.items() if isinstance(k, float)]
    other = d.double(OTHER)
    if cell.typed:
        if cell.truth:
            said = {k.lower(): value for k, value in codes.items() if isinstance(k, str)}
            meant = [(k, said[word]) for word, k in TRUTHS.items() if word in said and k not in codes]
            numbers += [(k, d.double(value)) for k, value in meant]
        none = [(f"{cell.sql} IS NULL", "NULL")]
        none += [(_one_of(cell.sql, how.numbers, d), "NULL")] if how.numbers else []
        return cases([*none, *((f"{cell.sql} = {d.double(k)}", value) for k, value in numbers)], other)
    quick = {d.text(text): d.double(codes[how.key(text)]) for text in table if text not in how.missing}
    usual = d.known(cell.sql, quick) if quick else f"CAST(NULL AS {d.double_type})"
    usual = layer.beneath.beneath.define(usual)
    gone = f" AND NOT {_among(cell.sql, how.missing, d)}" if how.missing else ""
    bare = layer.beneath.define(cases([(f"{usual} IS NULL{gone}", d.trimmed(cell.sql))], "NULL"))
    texts = [k for k in codes if isinstance(k, str)]
    plain = _folded(bare, texts, d) if how.fold else bare
    tail = [(f"{bare} IS NULL", "NULL"), *_none(bare, how, d)]
    tail += [*((f"{plain} = {d.text(k)}", d.double(codes[k])) for k in texts)]
    if how.numbers or numbers:
        spelt = layer.define(_spelt(bare, how, d))
        tail += [(_one_of(spelt, how.numbers, d), "NULL")] if how.numbers else []
        tail += [(f"{spelt} = {d.double(k)}", value) for k, value in numbers]
    small = {folded(text.strip()) for text in (*table, *known) if isinstance(how.key(text), str)}
    if small:
        tail.append((_among(_folded(bare, small, d), sorted(small), d), d.double(CASE)))
    return cases([(f"{usual} IS NOT NULL", usual)], cases(tail, other))


def order(values: Sequence[str]) -> dict[str, float]:
    """The code of each declared value: its place."""
    return {value: float(place) for place, value in enumerate(values)}


def other_last(value: str, values: int) -> str:
    """SQL of the code of a category with so many values as a whole number, any other one as one more behind them."""
    return cases([(f"{value} < 0", str(values))], value)


def _none(bare: str, how: Notation, d: Dialect) -> list[tuple[str, str]]:
    """The case in which a text is one of those that mean "no value", and no number."""
    plain = _folded(bare, how.texts, d) if how.fold else bare
    return [(_among(plain, how.texts, d), "NULL")] if how.texts else []


def unfit(value: str, d: Dialect) -> str:
    """Whether a value is that of a cell that does not fit: of NULL neither yes nor no."""
    return f"NOT {d.finite(value)}"


def _given(value: str, how: Notation, d: Dialect) -> str:
    """A number, NULL where it means "no value"."""
    return cases([(_one_of(value, how.numbers, d), "NULL")] if how.numbers else [], value)


def _folded(bare: str, texts: Iterable[str], d: Dialect) -> str:
    large, small = folding(texts)
    return f"translate({bare}, {d.text(large)}, {d.text(small)})" if large else bare


def _spelt(text: str, how: Notation, d: Dialect) -> str:
    """The double that a text spells, NULL where it spells none."""
    if how.decimal == ".":
        return d.parsed(text)
    pointed = f"CASE WHEN replace({text}, '.', '') = {text} THEN replace({text}, ',', '.') END"
    return d.parsed(f"({pointed})")


def _among(value: str, texts: Iterable[str], d: Dialect) -> str:
    return f"{value} IN ({', '.join(map(d.text, texts))})"


def _one_of(value: str, numbers: Iterable[float], d: Dialect) -> str:
    return f"{value} IN ({', '.join(map(d.double, numbers))})"
