"""The forms of `learning.statistics.forms` as pictures and tables, whichever kind of statistic made them."""

from collections.abc import Iterable
from dataclasses import dataclass

from potluck.core import prose
from potluck.learning.statistics.forms import AnyForm, Bars, Boxes, Cell, Curves, Dots, Frame, Grid, Number
from potluck.report import charts, graphs, scales, words
from potluck.report.charts import Bar, Mark, Row
from potluck.report.details import Question

PICTURES = 12
"""Most pictures of one statistic."""
ENDS = ("low", "high")
SAME = 1e-9
"""Of itself, what a number may change by that is only written otherwise."""
ROUGH = 0.05
"""By how much of itself rounding may change a number, before it has digits of its own."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture. of: what it shows, where the statistic's name does not say it."""

    of: str
    svg: str


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
    """One number of a heat table, how deep its ground is (0 to 1), and its interval in words. below: it is under 0."""

    value: str
    depth: float
    interval: str = ""
    below: bool = False


@dataclass(frozen=True, slots=True)
class Heat:
    """A table whose numbers have a ground that is deeper the larger they are."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Heated, ...]], ...]
    about: str = ""


def tables(question: Question) -> tuple[Tabled, ...]:
    """The tables of a statistic that are read first; all, if none is."""
    every = [one for one in question.forms if isinstance(one, Frame)]
    first = [one for one in every if not one.long]
    return tuple(_tabled(question.name, frame) for frame in first or every)


def shown(ident: str, question: Question) -> tuple[Picture | Heat | Tabled, ...]:
    """What a statistic shows, in its order; but for one number alone, and for pictures beyond PICTURES."""
    found: list[Picture | Heat | Tabled] = []
    for index, form in enumerate(question.forms, 1):
        drawn = sum(isinstance(one, Picture) for one in found)
        one = _shown(f"{ident}-{index}", question.name, form)
        if one is not None and (drawn < PICTURES or not isinstance(one, Picture)):
            found.append(one)
    return tuple(found)


def _shown(ident: str, name: str, form: AnyForm) -> Picture | Heat | Tabled | None:
    title = form.title or name
    match form:
        case Frame():
            return _tabled(name, form)
        case Grid():
            return heat(name, form)
        case Curves():
            return Picture(form.title, graphs.curves(ident, title, form))
        case Bars():
            return Picture(form.title, _bars(ident, title, form))
        case Boxes():
            return Picture(form.title, _boxes(ident, title, form))
        case Dots():
            return Picture(form.title, _dots(ident, title, form)) if number(form) is None else None


def number(form: Dots) -> tuple[str, str] | None:
    """The one number that a form is, and its interval; None: it is several, or compared with a level."""
    if len(form.dots) != 1 or form.level is not None:
        return None
    (one,) = form.dots
    decimals = words.places(_numbers((one.value, one.low, one.high)))
    return words.fixed(one.value, decimals), interval(one.low, one.high, decimals)


def heat(name: str, form: Grid) -> Heat:
    """One grid. name: of what it is, where it has no title."""
    numbers = _numbers(one for row in form.values for one in row)
    decimals = words.places([*numbers, *([0.1] if form.deepest else [])])
    top = form.deepest or max(map(abs, numbers), default=0.0)
    rows = []
    for i, row in enumerate(form.values):
        cells = []
        for j, value in enumerate(row):
            depth = min(1.0, abs(value or 0.0) / top) if top > 0 else 0.0
            ends = (form.low[i][j], form.high[i][j]) if form.low and form.high else (None, None)
            below = form.deepest is not None and (value or 0.0) < 0
            depth = depth if form.deepest is not None or (value or 0.0) > 0 else 0.0
            cells.append(Heated(words.fixed(value, decimals), depth, interval(*ends, decimals), below))
        rows.append((form.rows[i], tuple(cells)))
    about = f"down: {form.down}, across: {form.across}" if form.down != form.across else ""
    return Heat(form.title or name, form.columns, tuple(rows), about)


def interval(low: Number, high: Number, decimals: int) -> str:
    """Both ends in words; empty where there are none, or nothing lies between them."""
    if low is None or high is None or low == high:
        return ""
    return f"{words.fixed(low, decimals)} to {words.fixed(high, decimals)}"


def _tabled(name: str, frame: Frame) -> Tabled:
    kept = _said(frame)
    decimals = _decimals(frame)
    rows = tuple(tuple(_cell(row[at], decimals[at]) for at in kept) for row in frame.rows)
    texts = [all(isinstance(row[at], str) for row in frame.rows) for at in kept]
    leading = 1 if all(texts) else texts.index(False)
    return Tabled(frame.title or name, tuple(frame.head[at] for at in kept), rows, leading, frame.note, frame.long)


def _decimals(frame: Frame) -> list[int]:
    """Of each column, no more than its numbers have; the ends of an interval have those of what stands before them."""
    found: list[int] = []
    for at, name in enumerate(frame.head):
        found.append(_places(_numbers(row[at] for row in frame.rows)))
        if name.endswith(ENDS):
            first = next((place for place in range(at, 0, -1) if not frame.head[place].endswith(ENDS)), 0)
            found[first:] = [max(found[first:])] * (at - first + 1)
    return found


def _places(values: list[float]) -> int:
    """The decimals that numbers share, no more than they have."""
    found = words.places(values)
    while found and all(abs(round(one, found - 1) - one) <= SAME * abs(one) for one in values):
        found -= 1
    return found


def _said(frame: Frame) -> list[int]:
    """The columns that say something: ends of intervals do not where they are alike in all rows."""
    low, high = ([at for at, name in enumerate(frame.head) if name.endswith(end)] for end in ENDS)
    alike = [at for at in low if at + 1 in high and all(row[at] == row[at + 1] for row in frame.rows)]
    return [at for at in range(len(frame.head)) if at not in alike and at - 1 not in alike]


def _cell(one: Cell, decimals: int) -> str:
    """A number with the decimals of its column, or with its own where these would change it."""
    if isinstance(one, str):
        return one
    rough = one is not None and abs(round(one, decimals) - one) > ROUGH * abs(one)
    return prose.number(one, 3) if rough else words.fixed(one, decimals)


def _numbers(values: Iterable[Cell]) -> list[float]:
    return [float(one) for one in values if isinstance(one, int | float)]


def _dots(ident: str, title: str, form: Dots) -> str:
    decimals = words.places(_numbers(end for one in form.dots for end in (one.value, one.low, one.high)))
    rows, said = [], []
    for one in form.dots:
        value = _cell(one.value, decimals)
        rows.append(Row(one.name, () if one.value is None else (Mark(float(one.value), one.low, one.high),), value))
        said.append(f"{one.name}: {value}{_ends(interval(one.low, one.high, decimals))}")
    desc = "; ".join(said[:40])
    return charts.dots(ident, title, desc, rows, scale=form.x, level=form.level, factors=form.factors)


def _ends(said: str) -> str:
    return f" ({said})" if said else ""


def _boxes(ident: str, title: str, form: Boxes) -> str:
    decimals = _places(_numbers(end for one in form.boxes for end in (one.q1, one.median, one.q3)))
    rows, said = [], []
    for one in form.boxes:
        median = _cell(one.median, decimals)
        rows.append((one.name, (one.low, one.q1, one.median, one.q3, one.high), median))
        said.append(f"{one.name}: median {median}{_ends(interval(one.q1, one.q3, decimals))}")
    desc = f"Medians, and quartiles in brackets. {'; '.join(said[:40])}"
    return charts.boxes(ident, title, desc, rows, form.x)


def _bars(ident: str, title: str, form: Bars) -> str:
    bars = [
        Bar(float(value or 0.0), low=low, high=high)
        for value, low, high in zip(form.values, form.low, form.high, strict=True)
    ]
    low, high = (form.edges[0], form.edges[-1]) if form.edges else (0.0, 0.0)
    marks = [((tick - low) / (high - low), said) for tick, said in scales.few(low, high)]
    decimals = words.places(form.values)
    bins = zip(form.edges, form.edges[1:], form.values, strict=False)
    said = [f"{prose.number(start)} to {prose.number(end)}: {words.fixed(n, decimals)}" for start, end, n in bins]
    desc = f"{form.y} by {form.x}. {prose.count(len(bars), 'bin')}. {'; '.join(said[:40])}"
    return charts.columns(ident, title, desc, bars, marks, axes=(form.x, form.y))
