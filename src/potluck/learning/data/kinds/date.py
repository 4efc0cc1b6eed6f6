"""A day, as one declared format writes it: no feature by itself, but what `data.derive` and `data.where` go by.

Its value is the number yyyymmdd, which is in the order of days and whose parts are read off it. A time of day is
checked and left away. Frames, Parquet and databases have days of their own, which come as ISO texts: those are read
whatever the format. It does NOT guess a century: years have four digits.
"""

import math
import re
from datetime import date

import numpy as np

from potluck.core.plan import Column
from potluck.core.stages import Floats
from potluck.learning.data.column import ColumnKind, Field
from potluck.learning.data.notation import Notation
from potluck.learning.data.sql.dialect import Dialect
from potluck.learning.data.sql.layers import Layer, cases
from potluck.learning.data.sql.values import Cell, absent

DAY, TIME = ("Y", "m", "d"), {"H": 23.0, "M": 59.0, "S": 59.0}
BETWEEN = "[A-Za-z ./,:_-]*"
"""What may stand between the parts."""
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]+)?)?"
ISO = f"^([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})(?:[ T]{_TIME}(?:Z|[+-]00(?::?00)?)?)?$"
"""Behind the day only a time of day, also one in UTC: with another zone it may be of another day."""
PACKED = "%Y%m%d"
EXAMPLE = 'e.g. format = "%d.%m.%Y"'


def check(at: str, column: Column, how: Notation) -> list[str]:
    """A format, and nothing of a number or a category."""
    for word in ("low", "high", "reference", "values", "shape"):
        if getattr(column, word) not in (None, ()):
            return [f"{at}.{word}: a date has none. hint: leave it out; data.derive makes a number of a date"]
    if column.missing != "refuse":
        return [f"{at}.missing: a date is no feature. hint: say it of what data.derive makes of it"]
    if column.format is None:
        return [f"{at}: a date needs a format. hint: as the file writes it, {EXAMPLE}"]
    return [f"{at}.format: {wrong}" for wrong in odd(column.format)]


def odd(text: str) -> list[str]:
    """What is wrong with a format."""
    between, parts = _split(text)
    strange = [part for part in parts if part not in (*DAY, *TIME)]
    if "y" in strange:
        return [f"%y leaves the century open. hint: a year of four digits is %Y, {EXAMPLE}"]
    if strange:
        return [f"%{strange[0]} is not known. hint: known: %Y %m %d %H %M %S"]
    if len(set(parts)) < len(parts) or not set(DAY) <= set(parts):
        return [f"it has each of %Y, %m and %d once, and %H, %M, %S at most once. hint: {EXAMPLE}"]
    if [part for part in parts if part in DAY] == ["Y", "d", "m"]:
        return ["a year, a day and then a month look like a date of ISO 8601. hint: %Y-%m-%d, or write the file so"]
    if not all(re.fullmatch(BETWEEN, one) for one in between):
        return ["between its parts stand letters, blanks and . / - , : _ alone. hint: no digits, no quotes"]
    return []


def _split(text: str) -> tuple[list[str], list[str]]:
    """What stands before, between and behind the parts, and the parts."""
    found = re.split("%(.?)", text, flags=re.DOTALL)
    return found[::2], found[1::2]


def pattern(text: str) -> str:
    """The regular expression of a format, a group a part: two digits; one or two where no other part adjoins."""
    between, parts = _split(text)
    found = "^" + between[0].replace(".", "[.]")
    for place, part in enumerate(parts):
        tight = (place > 0 and not between[place]) or (place + 1 < len(parts) and not between[place + 1])
        digits = "[0-9]{4}" if part == "Y" else "[0-9]{2}" if tight else "[0-9]{1,2}"
        found += f"({digits})" + between[place + 1].replace(".", "[.]")
    return found + "$"


def parts_of(text: str) -> tuple[str, ...]:
    """The parts of a format, in order: each has a group in its pattern."""
    return tuple(_split(text)[1])


def field(name: str, column: Column) -> Field:
    """With its format."""
    return Field(name=name, kind=column.kind, format=column.format or "")


def value(one: Field, cell: Cell, how: Notation, layer: Layer) -> str:
    """yyyymmdd. What is no such day is infinite, as text in a number is."""
    d, form = layer.dialect, str(one.format)
    wrong = d.double(math.inf)
    if cell.typed:
        none = [(f"{cell.sql} IS NULL OR {cell.sql} > {wrong}", "NULL")]
        none += [(f"{cell.sql} = {d.double(number)}", "NULL") for number in how.numbers]
        return cases(none, _packed(d.tame(cell.sql), d) if form == PACKED else wrong)
    text = d.trimmed(cell.sql)
    bare = layer.define(text)

    def read(expression: str, names: list[str], otherwise: str) -> str:
        literal = d.text(expression)
        part = {name: layer.define(d.parsed(d.captured(text, literal, place))) for place, name in enumerate(names, 1)}
        times = [f"{part[name]} <= {d.double(most)}" for name, most in TIME.items() if name in part]
        fits = " AND ".join([_is_day(part["Y"], part["m"], part["d"], d), *times])
        return cases([(fits, _number(part, d))], otherwise)

    found = read(pattern(form), _split(form)[1], read(ISO, list(DAY), wrong))
    return cases(absent(bare, how, d), found)


def _number(part: dict[str, str], d: Dialect) -> str:
    return f"{part['Y']} * {d.double(10_000)} + {part['m']} * {d.double(100)} + {part['d']}"


def _is_day(year: str, month: str, day: str, d: Dialect) -> str:
    """Whether there is such a day, in the calendar of today, from the year 1 on."""
    whole = d.double

    def divides(by: int) -> str:
        return f"{d.floor(f'{year} / {whole(by)}')} * {whole(by)} = {year}"

    leap = f"({divides(4)} AND NOT {divides(100)} OR {divides(400)})"
    short = " OR ".join(f"{month} = {whole(one)}" for one in (4, 6, 9, 11))
    february = cases([(leap, whole(29))], whole(28))
    last = cases([(short, whole(30)), (f"{month} = {whole(2)}", february)], whole(31))
    return (
        f"{year} >= {whole(1)} AND {month} >= {whole(1)} AND {month} <= {whole(12)} "
        f"AND {day} >= {whole(1)} AND {day} <= {last}"
    )


def _packed(number: str, d: Dialect) -> str:
    """A number that is yyyymmdd already."""
    year, month, day = parts(number, d)
    whole = f"{d.floor(number)} = {number} AND {number} < {d.double(1e8)} AND {number} > {d.double(0)}"
    return cases([(f"{whole} AND {_is_day(year, month, day, d)}", number)], d.double(math.inf))


def parts(number: str, d: Dialect) -> tuple[str, str, str]:
    """Year, month and day of a value."""
    hundred, large = d.double(100), d.double(10_000)
    year, months = d.floor(f"{number} / {large}"), d.floor(f"{number} / {hundred}")
    return year, f"({months} - {year} * {hundred})", f"({number} - {months} * {hundred})"


def bound(word: float | str) -> float | None:
    """An ISO date as a value; None: it is none."""
    if not isinstance(word, str) or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", word):
        return None
    try:
        date.fromisoformat(word)
    except ValueError:
        return None
    return float(word.replace("-", ""))


def unfit(one: Field, typed: bool) -> tuple[str, str]:
    """No such day."""
    hint = (
        f'data.columns.{one.name}.format says how it is written, now "{one.format}"; an ISO date, too, has four digits '
    )
    hint += "of a year after Christ, and behind it at most a time of day, in no zone but UTC"
    return "no date as its format says, or no such day", hint


def names(one: Field) -> tuple[str, ...]:
    """None."""
    return ()


def features(one: Field, values: Floats) -> Floats:
    """[n] to [n, 0]."""
    return np.zeros((len(values), 0))


def fault(one: Field, how: Notation) -> list[str]:
    """A format that is none, or a rule for missing values."""
    if not isinstance(one.format, str) or odd(one.format) or one.missing != "refuse":
        return [f"column {one.name!r} is a date of no format that is known"]
    return []


DATE = ColumnKind(
    check=check,
    field=field,
    value=value,
    names=names,
    features=features,
    fault=fault,
    unfit=unfit,
    dated=True,
    bound=bound,
)
