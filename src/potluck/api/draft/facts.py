"""What a column's cells are, counted by the engine that reads the rows: how many are numbers, dates, or which texts.

Two questions are asked of each source. The first finds what means "no value" and which decimal mark numbers have; the
second counts by that. Cells leave the engine where a column has few different ones, and nowhere else.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Self

import numpy as np

from potluck.core.errors import DataError
from potluck.learning.data.column import Field
from potluck.learning.data.expressions import value_of
from potluck.learning.data.notation import Notation
from potluck.learning.data.parts import grounded
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import Rows, texts
from potluck.learning.data.sql.layers import Layer
from potluck.learning.data.sql.values import Cell, looked_at

GONE = ("na", "n/a", "#n/a", "nan", "null", "?", ".", "-", "--", "k.a.", "k. a.", "n.a.")
"""Texts, in small letters, that mean "no value" wherever they stand."""
WORDS = ("none", "missing", "unknown", "unbekannt", "keine angabe", "n.v.", "nil", "inconnu", "desconocido", "leer")
"""And those that do among numbers and dates; in a category they may be a value."""
STANDINS = (-9.0, -99.0, -999.0, -9999.0, 999.0, 9999.0, 99999.0)
"""Numbers that may stand for "no value", where they lie far from all others."""
FORMATS = (
    "%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d",
    "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S",
)  # fmt: skip
"""Of dates; the first that all cells fit is taken."""
MOST_TEXTS = 100
"""Of a column with more different cells none is taken out of the engine."""
TOGETHER = 50
"""Columns that are asked for in one question."""
MARKS = (".", ",")


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one column's cells, of one site or, added up, of several. rows; filled: cells that are not blank; gone, words:
    of these the ones that mean "no value", by text; numbers: by decimal mark; padded: whole numbers that begin with 0;
    letters: of all texts; spaced: texts of several words; different: different cells, about.

    Then, of cells with a value: fits: numbers; misfit: the first line of one that is none, None where all are or lines
    mean nothing; whole: whole numbers; low, high: of all but STANDINS; standins: those there are; dates: by format how
    many fit it; values: how often each text, None of a column with too many.
    """

    rows: int = 0
    filled: int = 0
    gone: Mapping[str, int] = field(default_factory=Counter, repr=False)
    words: Mapping[str, int] = field(default_factory=Counter, repr=False)
    numbers: Mapping[str, int] = field(default_factory=Counter)
    padded: int = 0
    letters: int = 0
    spaced: int = 0
    different: int = 0
    fits: int = 0
    misfit: int | None = None
    whole: int = 0
    low: float = field(default=inf, repr=False)
    high: float = field(default=-inf, repr=False)
    standins: frozenset[float] = field(default=frozenset(), repr=False)
    dates: Mapping[str, int] = field(default_factory=Counter)
    values: Mapping[str, int] | None = field(default_factory=Counter, repr=False)

    @property
    def present(self) -> int:
        """Cells with a value; words such as "unknown" count."""
        return self.filled - sum(self.gone.values())

    def numeric(self, mark: str) -> bool:
        """Whether all cells with a value are numbers with this decimal mark, but for words that mean "no value"."""
        return 0 < self.present - sum(self.words.values()) == self.numbers[mark]

    def __add__(self, other: Self) -> "Facts":
        """Of both."""
        values = None if self.values is None or other.values is None else Counter(self.values) + Counter(other.values)
        return Facts(
            self.rows + other.rows,
            self.filled + other.filled,
            Counter(self.gone) + Counter(other.gone),
            Counter(self.words) + Counter(other.words),
            Counter(self.numbers) + Counter(other.numbers),
            self.padded + other.padded,
            self.letters + other.letters,
            self.spaced + other.spaced,
            # The same cells may be in both.
            max(self.different, other.different) if values is None else len(values),
            self.fits + other.fits,
            None,
            self.whole + other.whole,
            min(self.low, other.low),
            max(self.high, other.high),
            self.standins | other.standins,
            Counter(self.dates) + Counter(other.dates),
            values if values is None or len(values) <= MOST_TEXTS else None,
        )


def first(rows: Rows, names: Sequence[str], where: str, extra: Sequence[str] = ()) -> dict[str, Facts]:
    """What each column has of texts and numbers. extra: more texts that mean "no value". A column without texts for its
    cells is left out. Raises DataError."""
    gone = (*GONE, *(text.lower() for text in extra if text.strip()))
    return {name: one for some in _some(names) for name, one in _first(rows, some, where, gone).items()}


def _some(names: Iterable[str]) -> Iterator[list[str]]:
    every = list(names)
    yield from (every[start : start + TOGETHER] for start in range(0, len(every), TOGETHER))


def _first(rows: Rows, names: Sequence[str], where: str, gone: Sequence[str]) -> dict[str, Facts]:
    asked = dict.fromkeys(names, _texts(gone))
    try:
        found = _answers(rows, asked, where)
    except DataError:
        if len(names) == 1:
            if readable(rows, where):
                return {}
            raise
        return {name: facts for one in names for name, facts in _first(rows, [one], where, gone).items()}
    return {name: _said(*answer) for name, answer in found.items()}


def readable(rows: Rows, where: str) -> bool:
    """Whether the rows can be read at all, whatever one of their columns is."""
    try:
        _answers(rows, {}, where)
    except DataError:
        return False
    return True


def second(rows: Rows, facts: Mapping[str, Facts], decimal: str, where: str) -> dict[str, Facts]:
    """The same with what cells mean. facts: as `first` found them; decimal: the mark of all files. Raises DataError."""
    made = {}
    for some in _some(facts):
        asked = {name: _meanings(facts[name], decimal) for name in some}
        for name, answer in _answers(rows, asked, where).items():
            made[name] = _meant(facts[name], *answer)
    return made


Question = Callable[[Cell, Layer, Layer, str | None], list[str]]
"""(cell, layer that values are defined in, the one above it, the column of lines) -> aggregates over the highest."""


def _answers(rows: Rows, asked: Mapping[str, Question], where: str) -> dict[str, tuple[Any, ...]]:
    problems = Problems(where)
    with problems, rows.open(list(asked), None, problems, careful=True) as relation:
        ground, cells = grounded(relation)
        line = ground.define(relation.line) if relation.line else None
        layer = looked_at(ground)
        top = layer.above("x")
        listed, sizes = ["count(*)"], {}
        for name, question in asked.items():
            parts = question(cells[name], layer, top, line)
            sizes[name] = len(parts)
            listed += parts
        ((every, *rest),) = relation.rows(top.ask(listed))
    found, answers = dict[str, tuple[Any, ...]](), iter(rest)
    for name, size in sizes.items():
        found[name] = (int(every), *(next(answers) for _ in range(size)))
    return found


def _texts(gone: Sequence[str]) -> Question:
    """The first question about a column."""

    def ask(cell: Cell, layer: Layer, top: Layer, line: str | None) -> list[str]:
        d = layer.dialect
        if cell.typed:
            v = top.define(cell.sql)
            many = f"count({v})"
            return [many, "NULL", "NULL", many, many, "0", "0", "0", f"approx_count_distinct({v})"]
        text = top.define(f"nullif({d.trimmed(cell.sql)}, '')")
        numbers = [top.define(_number(cell, Notation(decimal=mark), layer)) for mark in MARKS]
        small = f"lower({text})"
        return [
            f"count({text})",
            *(f"histogram({text}) FILTER ({small} IN ({', '.join(map(d.text, some))}))" for some in (gone, WORDS)),
            *(f"count(*) FILTER ({d.finite(one)})" for one in numbers),
            f"count(*) FILTER (regexp_matches({text}, '^0[0-9]+$'))",
            f"coalesce(sum(length({text})), 0)",
            f"count(*) FILTER (contains({text}, ' '))",
            f"approx_count_distinct({text})",
        ]

    return ask


def _number(cell: Cell, how: Notation, layer: Layer) -> str:
    return value_of(Field(name="", kind="number"), cell, how, layer)


def _said(rows: int, filled: int, gone: object, words: object, point: int, comma: int, *rest: int) -> Facts:
    numbers = Counter(dict(zip(MARKS, (point, comma), strict=True)))
    padded, letters, spaced, different = map(int, rest)
    return Facts(rows, filled, _counted(gone), _counted(words), numbers, padded, letters, spaced, different)


def _counted(found: Any) -> Counter[str]:
    return Counter({str(text): int(count) for text, count in dict(found or {}).items()})


def _meanings(facts: Facts, decimal: str) -> Question:
    """The second question about a column."""
    how = Notation(("", *facts.gone, *facts.words), decimal)

    def ask(cell: Cell, layer: Layer, top: Layer, line: str | None) -> list[str]:
        d = layer.dialect
        number = top.define(_number(cell, how, layer))
        finite = d.finite(number)
        listed = ", ".join(map(d.double, STANDINS))
        usual = f"{finite} AND {number} NOT IN ({listed})"
        formats = () if cell.typed or not facts.present else FORMATS
        dates = [top.define(value_of(Field(name="", kind="date", format=one), cell, how, layer)) for one in formats]
        text = top.define(cell.sql if cell.typed else f"nullif({d.trimmed(cell.sql)}, '')")
        few = facts.different <= MOST_TEXTS
        return [
            f"count(*) FILTER ({finite})",
            f"min({line}) FILTER (NOT {finite})" if line else "NULL",
            f"count(*) FILTER ({finite} AND floor({number}) = {number})",
            f"min({number}) FILTER ({usual})",
            f"max({number}) FILTER ({usual})",
            f"histogram({number}) FILTER ({finite} AND {number} IN ({listed}))",
            f"[{', '.join(f'count(*) FILTER ({d.finite(one)})' for one in dates)}]" if dates else "[]",
            f"histogram({text})" if few else "NULL",
        ]

    return ask


def _meant(facts: Facts, rows: int, fits: int, misfit: int | None, whole: int, low: float | None, high: float | None,
           standins: object, dates: Sequence[int], values: Any) -> Facts:  # fmt: skip
    counted = None if values is None and facts.different > MOST_TEXTS else dict(values or {})
    said = counted and {_text(one): int(many) for one, many in counted.items()}
    gone = {*facts.gone}
    return replace(
        facts,
        fits=fits,
        misfit=None if misfit is None else int(misfit),
        whole=whole,
        low=inf if low is None else low,
        high=-inf if high is None else high,
        standins=frozenset(dict(standins or {})),  # type: ignore[call-overload]  # a map of the engine
        dates=Counter(dict(zip(FORMATS, dates, strict=False))),
        values=None if counted is None else Counter({text: n for text, n in (said or {}).items() if text not in gone}),
    )


def _text(value: object) -> str:
    """A cell as a CSV file would say it."""
    return value if isinstance(value, str) else texts(np.array([value], np.float64))[0]
