"""What is asked of rows to know what their columns may be, of the engine that reads them.

Two questions are asked of each source. The first finds what means "no value" and which decimal mark numbers have; the
second counts by that. Cells leave the engine where a column has few different ones, and nowhere else.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from potluck.api.draft.facts import MARKS, MOST_TEXTS, Facts
from potluck.core.errors import DataError
from potluck.learning.data.cells import text_of
from potluck.learning.data.column import Field
from potluck.learning.data.expressions import value_of
from potluck.learning.data.notation import Notation
from potluck.learning.data.parts import grounded
from potluck.learning.data.problems import Problems, carefully
from potluck.learning.data.source import Rows
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
DATED = "^[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}|^[0-9]{8}$"
"""How each of them begins."""
SHORT = "^[0-9]{1,2}[-./][0-9]{1,2}[-./][0-9]{2}( |$)"
"""How one with a year of two digits does."""
LIMIT = "^[<>]=? ?[0-9]+([.,][0-9]+)?$"
"""A number that was beyond what can be measured."""
GROUPED = {
    ".": r"^[-+]?[1-9][0-9]{0,2}([.][0-9]{3})+(,[0-9]+)?$",
    ",": r"^[-+]?[1-9][0-9]{0,2}(,[0-9]{3})+([.][0-9]+)?$",
    " ": r"^[-+]?[1-9][0-9]{0,2}( [0-9]{3})+([.,][0-9]+)?$",
    "'": r"^[-+]?[1-9][0-9]{0,2}('[0-9]{3})+([.,][0-9]+)?$",
}
"""Numbers in groups of three digits, by the mark that parts them."""
DIFFERING = 0.5
"""The share of different cells, about, from which on they are counted exactly: an ID is told by it."""
TOGETHER = 50
"""Columns that are asked for in one question."""

Question = Callable[[Cell, Layer, Layer, str | None], dict[str, str]]
"""(cell, layer that values are defined in, the one above it, the column of lines) -> aggregates over the highest, by
what they are of."""


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
    return {name: _said(answer) for name, answer in found.items()}


def readable(rows: Rows, where: str) -> bool:
    """Whether the rows can be read at all, whatever one of their columns is."""
    try:
        _answers(rows, {}, where)
    except DataError:
        return False
    return True


def second(rows: Rows, facts: Mapping[str, Facts], decimal: str, where: str) -> dict[str, Facts]:
    """The same with what cells mean. facts: as `first` found them; decimal: the mark of all files. Raises DataError."""
    made = dict[str, Facts]()
    for some in _some(facts):
        asked = {name: _meanings(facts[name], decimal) for name in some}
        made |= {name: _meant(facts[name], answer) for name, answer in _answers(rows, asked, where).items()}
    return made


Answer = Mapping[str, Any]
"""By what was asked. Under "rows" stands how many there are."""


def _answers(rows: Rows, asked: Mapping[str, Question], where: str) -> dict[str, Answer]:
    """Read quickly, and by lines where the quick way is in doubt."""
    return carefully(lambda careful: _read(rows, asked, Problems(where, careful)))


def _read(rows: Rows, asked: Mapping[str, Question], problems: Problems) -> dict[str, Answer]:
    with problems, rows.open(list(asked), None, problems, problems.careful) as relation:
        ground, cells = grounded(relation)
        line = ground.define(relation.line) if relation.line else None
        layer = looked_at(ground)
        top = layer.above("x")
        parts = {name: question(cells[name], layer, top, line) for name, question in asked.items()}
        ((every, *rest),) = relation.rows(
            top.ask(["count(*)", *(sql for one in parts.values() for sql in one.values())])
        )
    answers = iter(rest)
    return {name: {"rows": int(every)} | {what: next(answers) for what in one} for name, one in parts.items()}


def _texts(gone: Sequence[str]) -> Question:
    """The first question about a column."""

    def ask(cell: Cell, layer: Layer, top: Layer, line: str | None) -> dict[str, str]:
        d = layer.dialect
        text = top.define(cell.sql if cell.typed else f"nullif({d.trimmed(cell.sql)}, '')")
        common = {"filled": f"count({text})", "different": f"approx_count_distinct({text})"}
        if cell.typed:
            return common | dict.fromkeys(MARKS, f"count(*) FILTER ({d.finite(text)})")
        # Infinite below zero is a number with the other mark; one without any mark is a number with either.
        number = top.define(_number(cell, Notation(decimal="."), layer))
        finite, other = d.finite(number), f"{number} = {d.double(-inf)}"
        numbers = {".": finite, ",": f"{other} OR ({finite} AND NOT contains({text}, '.'))"}
        said = {
            what: f"histogram({text}) FILTER (lower({text}) IN ({', '.join(map(d.text, some))}))"
            for what, some in (("gone", gone), ("words", WORDS))
        }
        return {
            **common,
            **said,
            **{mark: f"count(*) FILTER ({one})" for mark, one in numbers.items()},
            **{
                f"by {mark}": f"count(*) FILTER (regexp_matches({text}, {d.text(one)}))"
                for mark, one in GROUPED.items()
            },
            "dated": f"count(*) FILTER (regexp_matches({text}, {d.text(DATED)}))",
            "short": f"count(*) FILTER (regexp_matches({text}, {d.text(SHORT)}))",
            "limits": f"count(*) FILTER (regexp_matches({text}, {d.text(LIMIT)}))",
            "padded": f"count(*) FILTER (regexp_matches({text}, '^0[0-9]+$'))",
            "letters": f"coalesce(sum(length({text})), 0)",
            "spaced": f"count(*) FILTER (contains({text}, ' '))",
        }

    return ask


def _said(answer: Answer) -> Facts:
    return Facts(
        rows=answer["rows"],
        filled=answer["filled"],
        gone=_counted(answer.get("gone")),
        words=_counted(answer.get("words")),
        numbers=Counter({mark: answer[mark] for mark in MARKS}),
        grouped=Counter({mark: answer.get(f"by {mark}", 0) for mark in GROUPED}),
        dated=answer.get("dated", 0),
        short=answer.get("short", 0),
        limits=answer.get("limits", 0),
        padded=answer.get("padded", 0),
        letters=int(answer.get("letters", 0)),
        spaced=answer.get("spaced", 0),
        different=answer["different"],
    )


def _counted(found: Mapping[Any, int] | None) -> Counter[str]:
    """A map of the engine; of numbers as a CSV file would say them."""
    return Counter({one if isinstance(one, str) else text_of(one, "", "") or "": n for one, n in (found or {}).items()})


def _number(cell: Cell, how: Notation, layer: Layer) -> str:
    return value_of(Field(name="", kind="number"), cell, how, layer)


def _meanings(facts: Facts, decimal: str) -> Question:
    """The second question about a column."""
    how = Notation(("", *facts.gone, *facts.words), decimal)

    def ask(cell: Cell, layer: Layer, top: Layer, line: str | None) -> dict[str, str]:
        d = layer.dialect
        some = facts.numbers[decimal] > 0
        number = top.define(_number(cell, how, layer) if some else f"CAST(NULL AS {d.double_type})")
        finite, listed = d.finite(number), ", ".join(map(d.double, STANDINS))
        usual = f"{finite} AND {number} NOT IN ({listed})"
        formats = FORMATS if facts.looks_dated else ()
        dates = {
            form: top.define(value_of(Field(name="", kind="date", format=form), cell, how, layer)) for form in formats
        }
        text = top.define(cell.sql if cell.typed else f"nullif({d.trimmed(cell.sql)}, '')")
        return {
            "fits": f"count(*) FILTER ({finite})",
            "misfit": f"min({line}) FILTER (NOT {finite})" if line else "NULL",
            "whole": f"count(*) FILTER ({finite} AND floor({number}) = {number})",
            "low": f"min({number}) FILTER ({usual})",
            "high": f"max({number}) FILTER ({usual})",
            "standins": f"histogram({number}) FILTER ({finite} AND {number} IN ({listed}))",
            **{
                f"beyond {one:g}": f"count(*) FILTER ({usual} AND {_region(one, number, d.double)})" for one in STANDINS
            },
            **({"different": f"count(DISTINCT {text})"} if facts.different > DIFFERING * facts.present else {}),
            **{form: f"count(*) FILTER ({d.finite(one)})" for form, one in dates.items()},
            **({"values": f"histogram({text})"} if facts.different <= MOST_TEXTS else {}),
        }

    return ask


def _region(standin: float, number: str, double: Callable[[float], str]) -> str:
    """Where other numbers make it likely that a stand-in is a number as well: below 0, or from a third of it on."""
    return f"{number} < {double(0.0)}" if standin < 0 else f"{number} >= {double(standin / 3)}"


def _meant(facts: Facts, answer: Answer) -> Facts:
    values = _counted(answer["values"]) if "values" in answer else None
    return replace(
        facts,
        fits=answer["fits"],
        misfit=answer["misfit"],
        whole=answer["whole"],
        low=inf if answer["low"] is None else answer["low"],
        high=-inf if answer["high"] is None else answer["high"],
        standins=Counter(answer["standins"] or {}),
        beyond=Counter({one: answer[f"beyond {one:g}"] for one in STANDINS}),
        different=answer.get("different", facts.different),
        dates=Counter({form: answer[form] for form in FORMATS if form in answer}),
        values=None if values is None else Counter({text: n for text, n in values.items() if text not in facts.gone}),
    )
