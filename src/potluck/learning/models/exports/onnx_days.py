"""Days of texts, in the words of ONNX: no operator parses one, so each digit is asked for by a pattern of its own.

A text is a day as the plan's format writes it, or one of ISO 8601, as `data.kinds.date` has it.
"""

import re
from dataclasses import dataclass

import numpy as np

from potluck.learning.data.kinds.date import DAY, ISO, parts_of, pattern
from potluck.learning.onnx.writer import Writer

GROUP = re.compile(r"\((\[0-9\]\{[0-9,]+\})\)")
"""A part of a day in the patterns of `kinds.date`."""
WIDE = {"Y": 4, "m": 2, "d": 2}
TIME = {"H": "(?:[01][0-9]|2[0-3])", "M": "[0-5][0-9]", "S": "[0-5][0-9]"}
"""Of a time of day, in two digits."""
LAST = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0], np.int64)
"""The last day of each month; of months that there are none."""


@dataclass(frozen=True, slots=True)
class Day:
    """[b, 1] each, float64."""

    year: str
    month: str
    day: str


def constant(writer: Writer, packed: float) -> Day:
    """A day that is yyyymmdd."""
    numbers = int(packed) // 10_000, int(packed) // 100 % 100, int(packed) % 100
    year, month, day = (writer.constant(np.array([[float(one)]])) for one in numbers)
    return Day(year, month, day)


def of_text(writer: Writer, value: str, form: str, blanks: str) -> tuple[Day, str]:
    """Of a text [b, 1], and whether it is one [b, 1]. blanks: a pattern of what may stand around it."""

    def fits(part: str = "", place: int = 0, digit: int = 0) -> str:
        both = _fixed(pattern(form), parts_of(form), part, place, digit), _fixed(ISO, DAY, part, place, digit)
        return writer.add("RegexFullMatch", (value,), {"pattern": f"{blanks}(?:{'|'.join(both)}){blanks}"})

    asked = [(part, place, digit) for part in DAY for place in range(WIDE[part]) for digit in range(1, 10)]
    bits = writer.cast(writer.add("Concat", [fits(*one) for one in asked], {"axis": 1}), "float64")
    weights = [[digit * 10.0**place * (part == name) for name in DAY] for part, place, digit in asked]
    found = writer.add("MatMul", (bits, writer.constant(np.array(weights))))
    year, month, day = writer.many("Split", (found,), 3, {"axis": 1, "num_outputs": 3})
    return Day(year, month, day), writer.add("And", (fits(), _is_day(writer, year, month, day)))


def years(writer: Writer, first: Day, last: Day) -> str:
    """Whole years, as `derivations.years`."""
    first_packed, last_packed = _packed(writer, first), _packed(writer, last)
    apart = writer.add("Sub", (last_packed, first_packed))
    return writer.add("Floor", (writer.add("Div", (apart, writer.number(10_000.0, "float64"))),))


def days(writer: Writer, first: Day, last: Day) -> str:
    """Days, as `derivations.days`."""
    return writer.add("Sub", (_count(writer, last), _count(writer, first)))


def _fixed(expression: str, names: tuple[str, ...], part: str, place: int, digit: int) -> str:
    """A pattern whose `part` has this digit at this place, from the right."""
    pieces = GROUP.split(expression.strip("^$"))
    for number, name in enumerate(names):
        loose = "," in pieces[2 * number + 1]
        if name in TIME:
            pieces[2 * number + 1] = f"(?:[0-9]|{TIME[name]})" if loose else TIME[name]
        elif name == part and loose:
            pieces[2 * number + 1] = f"{digit}[0-9]" if place else f"[0-9]?{digit}"
        elif name == part:
            pieces[2 * number + 1] = f"[0-9]{{{WIDE[part] - 1 - place}}}{digit}[0-9]{{{place}}}"
    return "".join(pieces)


def _is_day(writer: Writer, year: str, month: str, day: str) -> str:
    def whole(name: str) -> str:
        return writer.cast(name, "int64")

    def divides(by: int) -> str:
        return writer.add("Equal", (writer.add("Mod", (whole(year), writer.whole(by))), writer.whole(0)))

    leap = writer.add("And", (divides(4), writer.add("Not", (divides(100),))))
    leap = writer.add("Or", (leap, divides(400)))
    february = writer.add("Equal", (whole(month), writer.whole(2)))
    there = writer.add("Clip", (whole(month), writer.constant(np.array(0)), writer.constant(np.array(len(LAST) - 1))))
    last = writer.add("Gather", (writer.constant(LAST), there))
    last = writer.add("Add", (last, whole(writer.add("And", (leap, february)))))
    within = writer.add("LessOrEqual", (whole(day), last))
    begun = [writer.add("Greater", (whole(name), writer.whole(0))) for name in (year, day)]
    return writer.add("And", (within, writer.add("And", begun)))


def _packed(writer: Writer, one: Day) -> str:
    """yyyymmdd."""
    year = writer.add("Mul", (one.year, writer.number(10_000.0, "float64")))
    month = writer.add("Mul", (one.month, writer.number(100.0, "float64")))
    return writer.add("Add", (writer.add("Add", (year, month)), one.day))


def _count(writer: Writer, one: Day) -> str:
    """Days since 1 March of the year 0, as `derivations.days` counts them."""

    def number(value: float) -> str:
        return writer.number(value, "float64")

    def times(name: str, value: float) -> str:
        return writer.add("Mul", (name, number(value)))

    def over(name: str, value: float) -> str:
        return writer.add("Floor", (writer.add("Div", (name, number(value))),))

    early = writer.cast(writer.add("LessOrEqual", (one.month, number(2.0))), "float64")
    begun = writer.add("Sub", (one.year, early))
    since = writer.add("Sub", (writer.add("Add", (one.month, times(early, 12.0))), number(3.0)))
    months = over(writer.add("Add", (times(since, 153.0), number(2.0))), 5.0)
    total = writer.add("Sub", (writer.add("Add", (times(begun, 365.0), over(begun, 4.0))), over(begun, 100.0)))
    for part in (over(begun, 400.0), months, one.day):
        total = writer.add("Add", (total, part))
    return total
