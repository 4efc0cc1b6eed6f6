"""The forms of `learning.statistics.forms` as pictures and tables, whichever kind of statistic made them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from potluck.core import prose
from potluck.learning.statistics.forms import Cell, Curve, Curves, Dots, Frame, Grid
from potluck.report import charts, words
from potluck.report.charts import Mark, Row
from potluck.report.details import Question
from potluck.report.drawing import ACCENT, INK, MUTED, RULE, line, rect, svg, text

CURVES = 6
"""Most curves of one picture."""
DASHES = ("", "7 4", "2 4", "10 3 2 3", "14 5", "1 6")
TOP, TALL, LEFT, RIGHT = 22.0, 210.0, 13.0, 98.0


@dataclass(frozen=True, slots=True)
class Tabled:
    """A table ready to print. texts: how many columns of words it begins with; long: it is not what is read first."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int
    note: str
    long: bool


@dataclass(frozen=True, slots=True)
class Heated:
    """One number of a heat table, how deep its ground is (0 to 1), and its interval in words."""

    value: str
    depth: float
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Heat:
    """A table whose numbers have a ground that is deeper the larger they are."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Heated, ...]], ...]
    about: str = ""


def tables(question: Question, *, long: bool = False) -> tuple[Tabled, ...]:
    """The tables of a statistic. long: those too that are not read first."""
    frames = [one for one in question.forms if isinstance(one, Frame) and (long or not one.long)]
    return tuple(_tabled(question.name, frame) for frame in frames)


def pictures(ident: str, question: Question) -> tuple[tuple[str, str], ...]:
    """(what it shows, the picture) of each that is drawn."""
    found = []
    for index, form in enumerate(question.forms, 1):
        title = form.title or question.name
        if isinstance(form, Curves):
            found.append((form.title, _curves(f"{ident}-{index}", title, form)))
        elif isinstance(form, Dots):
            found.append((form.title, _dots(f"{ident}-{index}", title, form)))
    return tuple(found)


def grids(question: Question) -> tuple[Heat, ...]:
    """The grids of a statistic."""
    return tuple(_heat(question.name, form) for form in question.forms if isinstance(form, Grid))


def _tabled(name: str, frame: Frame) -> Tabled:
    decimals = [words.places(_numbers(row[at] for row in frame.rows)) for at in range(len(frame.head))]
    rows = tuple(tuple(_cell(one, decimals[at]) for at, one in enumerate(row)) for row in frame.rows)
    texts = [all(isinstance(row[at], str) for row in frame.rows) for at in range(len(frame.head))]
    leading = next((at for at, one in enumerate(texts) if not one), len(texts))
    return Tabled(frame.title or name, frame.head, rows, leading, frame.note, frame.long)


def _cell(one: Cell, decimals: int) -> str:
    return one if isinstance(one, str) else words.fixed(one, decimals)


def _numbers(values: Iterable[Cell]) -> list[float]:
    return [float(one) for one in values if isinstance(one, int | float)]


def _dots(ident: str, title: str, form: Dots) -> str:
    known = [one for one in form.dots if one.value is not None]
    decimals = words.places(_numbers(end for one in known for end in (one.value, one.low, one.high)))
    level = [Row("", (Mark(form.level, shape="ring"),), prose.number(form.level))] if form.level is not None else []
    rows = [
        Row(one.name, (Mark(float(one.value or 0), one.low, one.high),), words.fixed(one.value, decimals))
        for one in known
    ]
    desc = "; ".join(f"{row.label}: {row.value}" for row in rows[:40])
    return charts.dots(ident, title, desc, [*level, *rows])


def _heat(name: str, form: Grid) -> Heat:
    numbers = _numbers(one for row in form.values for one in row)
    decimals, top = words.places(numbers), max(map(abs, numbers), default=0.0)
    rows = []
    for i, row in enumerate(form.values):
        cells = []
        for j, value in enumerate(row):
            depth = min(1.0, abs(value or 0.0) / top) if top > 0 else 0.0
            ends = (form.low[i][j], form.high[i][j]) if form.low and form.high else (None, None)
            cells.append(Heated(words.fixed(value, decimals), depth, interval(*ends, decimals)))
        rows.append((form.rows[i], tuple(cells)))
    return Heat(form.title or name, form.columns, tuple(rows), f"down: {form.down}, across: {form.across}")


def interval(low: float | None, high: float | None, decimals: int) -> str:
    """Both ends in words; empty where there are none, or nothing lies between them."""
    if low is None or high is None or low == high:
        return ""
    return f"{words.fixed(low, decimals)} to {words.fixed(high, decimals)}"


@dataclass(frozen=True, slots=True)
class _Plane:
    """Where points of a picture lie: (lowest, highest) of either axis."""

    x: tuple[float, float]
    y: tuple[float, float]

    def across(self, x: float) -> float:
        """In percent."""
        return LEFT + (RIGHT - LEFT) * _share(x, self.x)

    def down(self, y: float) -> float:
        """In pixels."""
        return TOP + TALL * (1 - _share(y, self.y))


def _share(value: float, ends: tuple[float, float]) -> float:
    return min(1.0, max(0.0, (value - ends[0]) / (ends[1] - ends[0]))) if ends[1] > ends[0] else 0.5


def _curves(ident: str, title: str, form: Curves) -> str:
    drawn = [one for one in form.curves if one.x][:CURVES]
    xs = [x for one in drawn for x in one.x] or [0.0, 1.0]
    ys = [y for one in drawn for values in (one.y, one.low, one.high) for y in _numbers(values)] or [0.0, 1.0]
    plane = _Plane((min(xs), max(xs)), (min(0.0, *ys), max(*ys, min(0.0, *ys) + 1e-9)))
    parts = []
    for tick, said in charts.ticks(*plane.y):
        y = plane.down(tick)
        parts += [line(LEFT, y, RIGHT, y, RULE), text(f"{LEFT - 1.5}%", y + 4, said, anchor="end", muted=True)]
    for tick, said in charts.ticks(*plane.x):
        parts.append(text(f"{plane.across(tick):.2f}%", TOP + TALL + 20, said, anchor="middle", muted=True))
    parts.append(text(f"{RIGHT}%", TOP + TALL + 38, form.x, anchor="end", muted=True))
    parts.append(text("0", 12, form.y, muted=True))
    for place, one in enumerate(drawn):
        parts += _band(one, plane)
        parts += _line(one, plane, DASHES[place], steps=form.steps)
    bottom = TOP + TALL + 46
    for place, one in enumerate(drawn if len(drawn) > 1 else ()):
        y = bottom + 18 * place + 8
        parts += [line(LEFT, y, LEFT + 9, y, _ink(place), width=2, dashes=DASHES[place])]
        parts.append(text(f"{LEFT + 11}%", y + 4, one.name))
    ends = "; ".join(f"{one.name or form.y} ends at {prose.number(_last(one.y))}" for one in drawn)
    more = f"; {len(form.curves) - CURVES} more are in the table" if len(form.curves) > CURVES else ""
    return svg(ident, title, f"{form.y} over {form.x}. {ends}{more}.", bottom + 18 * len(drawn) + 4, parts)


def _ink(place: int) -> str:
    return (ACCENT, INK, MUTED)[place % 3]


def _last(values: Sequence[float | int | None]) -> float | None:
    known = _numbers(values)
    return known[-1] if known else None


def _points(one: Curve, values: Sequence[float | int | None]) -> list[tuple[float, float]]:
    return [(x, float(y)) for x, y in zip(one.x, values, strict=False) if y is not None]


def _line(one: Curve, plane: _Plane, dashes: str, *, steps: bool) -> list[str]:
    ink = _ink(DASHES.index(dashes))
    parts = []
    for (x, y), (to, then) in pairwise(_points(one, one.y)):
        level = y if steps else then
        parts.append(
            line(plane.across(x), plane.down(y), plane.across(to), plane.down(level), ink, width=2, dashes=dashes)
        )
        if steps and then != y:
            parts.append(
                line(plane.across(to), plane.down(y), plane.across(to), plane.down(then), ink, width=2, dashes=dashes)
            )
    return parts


def _band(one: Curve, plane: _Plane) -> list[str]:
    ends = list(zip(one.x, one.low, one.high, strict=False))
    return [
        rect(
            plane.across(x),
            plane.down(high),
            plane.across(to) - plane.across(x),
            plane.down(low) - plane.down(high),
            ACCENT,
        )
        for (x, low, high), (to, _, _) in pairwise(ends)
        if low is not None and high is not None
    ]
