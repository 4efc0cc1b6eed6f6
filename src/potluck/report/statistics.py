"""The statistics of a run as pictures and tables: a number with its interval, a histogram, a contingency table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from potluck.core import prose
from potluck.learning.statistics.kinds import KINDS
from potluck.learning.statistics.result import EVERYBODY
from potluck.report import charts, words
from potluck.report.charts import Bar, Mark, Row
from potluck.report.details import Details, Question
from potluck.report.forms import Heat, Heated, Tabled, grids, pictures, tables
from potluck.report.outcome import Outcome, Result

GROUPS = 12  # most groups whose histograms are drawn
ENDS = ("low", "high")

Named = Sequence[tuple[str, Result]]


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic, ready to print.

    big: its one number, if it is one; pictures: (of which group, if of several, the picture); lines: (of what, value,
    interval); tables: of results that say what they show.
    """

    question: Question
    asks: str
    big: str = ""
    interval: str = ""
    pictures: tuple[tuple[str, str], ...] = ()
    heats: tuple[Heat, ...] = ()
    lines: tuple[tuple[str, str, str], ...] = ()
    wide: bool = False
    tables: tuple[Tabled, ...] = ()


def statistics(outcome: Outcome, details: Details) -> tuple[Statistic, ...]:
    """One entry a statistic that was opened, in the order of the plan."""
    asked = {question.name: question for question in details.questions}
    found = [(name, result) for name, result in (outcome.results or {}).items() if result is not None]
    return tuple(
        _statistic(f"statistic-{index}", asked.get(name) or Question(name=name, kind=""), result)
        for index, (name, result) in enumerate(found, 1)
    )


def lines_of(one: Statistic) -> list[tuple[str, str, str]]:
    """(what, value, interval) of each number of a statistic; of a contingency table each cell."""
    name = one.question.name
    if one.tables:
        return [line for table in one.tables if not table.long for line in _told(name, table)]
    if one.lines:
        return [(f"{name}, {of}", value, interval) for of, value, interval in one.lines]
    if one.heats:
        return [
            (f"{heat.caption}: {down}, {across}", cell.value, cell.interval)
            for heat in one.heats
            for down, row in heat.rows
            for across, cell in zip(heat.head, row, strict=False)
        ]
    return [(name, one.big, one.interval)]


def _told(name: str, table: Tabled) -> list[tuple[str, str, str]]:
    """A line a number. Ends of an interval stand beside the number that comes before them."""
    lines = []
    for row in table.rows:
        of = [name, *row[: table.texts]]
        for at, head in enumerate(table.head[table.texts :], table.texts):
            if not head.endswith(ENDS):
                both = at + 2 < len(row) and table.head[at + 1].endswith(ENDS) and row[at + 1] != row[at + 2]
                lines.append((", ".join([*of, head]), row[at], " to ".join(row[at + 1 : at + 3]) if both else ""))
    return lines


def _statistic(ident: str, question: Question, result: Result) -> Statistic:
    if question.forms:
        tabled = tables(question, long=True)
        return Statistic(
            question, _asks(question), "", "", pictures(ident, question), grids(question), (), True, tabled
        )
    groups = [(f"{question.by or 'group'} = {name}", one) for name, one in (result.by or {}).items() if one is not None]
    every = [(name, one) for name, one in [(EVERYBODY, result), *groups] if one.value is not None]
    asks = _asks(question)
    decimals = words.places(value for _, one in every for value in _numbers(one.value, one.low, one.high))
    if any(_nested(one) for _, one in every):
        heats = tuple(heat(name, question, one, decimals) for name, one in every)
        return Statistic(question, asks, heats=heats, wide=True)
    if any(isinstance(one.value, list) for _, one in every):
        several = len(every) > 1
        drawn = [
            (name if several else "", _histogram(f"{ident}-{i}", question, name, one))
            for i, (name, one) in enumerate(every[:GROUPS])
        ]
        lines = [line for name, one in every for line in _bins(name if several else "", one, decimals)]
        return Statistic(question, asks, pictures=tuple(drawn), lines=tuple(lines), wide=True)
    unit = f" {question.unit}" if question.unit and _unit(question) == "same" else ""
    lines = [(n, words.fixed(_number(o.value), decimals), _interval(o.low, o.high, decimals)) for n, o in every]
    big = f"{words.fixed(_number(result.value), decimals)}{unit}"
    picture = (("", _groups(ident, question, every, decimals)),) if len(every) > 1 else ()
    return Statistic(
        question, asks, big, _interval(result.low, result.high, decimals), picture, (), tuple(lines if picture else ())
    )


def _groups(ident: str, question: Question, every: Named, decimals: int) -> str:
    rows = []
    for name, one in every:
        value, low, high = _number(one.value), _number(one.low), _number(one.high)
        if value is not None:
            mark = Mark(value, low, high, "ring" if name == EVERYBODY else "dot")
            rows.append(Row(name, (mark,), words.fixed(value, decimals)))
    desc = "; ".join(f"{row.label}: {row.value}" for row in rows[:40])
    return charts.dots(ident, f"{question.name}, by {question.by or 'group'}", desc, rows)


def _histogram(ident: str, question: Question, name: str, one: Result) -> str:
    counts, lows, highs, edges = _list(one.value), _list(one.low), _list(one.high), one.edges or []
    bars = [Bar(count or 0.0, low=_pick(lows, i), high=_pick(highs, i)) for i, count in enumerate(counts)]
    step = max(1, -(-len(edges) // 6))
    labels = [(i / max(1, len(edges) - 1), prose.number(edges[i])) for i in range(0, len(edges), step)]
    title = f"{question.name}: {question.column or 'values'}{'' if name == EVERYBODY else f', {name}'}"
    said = "; ".join(f"{where}: {count}" for where, count, _ in _bins("", one, words.places(counts))[:40])
    return charts.columns(ident, title, f"{len(counts)} bins. {said}", bars, labels)


def _bins(name: str, one: Result, decimals: int) -> list[tuple[str, str, str]]:
    counts, lows, highs, edges = _list(one.value), _list(one.low), _list(one.high), one.edges or []
    lines = []
    for i, count in enumerate(counts):
        last = "]" if i + 1 == len(counts) else ")"
        known = i + 1 < len(edges)
        where = f"[{prose.number(edges[i])}, {prose.number(edges[i + 1])}{last}" if known else f"bin {i + 1}"
        interval = _interval(_pick(lows, i), _pick(highs, i), decimals)
        lines.append((f"{name}: {where}" if name else where, words.fixed(count, decimals), interval))
    return lines


def heat(name: str, question: Question, one: Result, decimals: int) -> Heat:
    """The table of one group's counts."""
    grid, low, high = _grid(one.value), _grid(one.low), _grid(one.high)
    top = max((value for row in grid for value in row if value is not None), default=0.0)
    rows = []
    for i, row in enumerate(grid):
        cells = []
        for j, value in enumerate(row):
            depth = min(1.0, max(0.0, (value or 0.0) / top)) if top > 0 else 0.0
            start, end = (_pick(ends[i], j) if i < len(ends) else None for ends in (low, high))
            cells.append(Heated(words.fixed(value, decimals), depth, _interval(start, end, decimals)))
        rows.append((question.rows[i] if i < len(question.rows) else str(i + 1), tuple(cells)))
    wide = max((len(row) for row in grid), default=0)
    head = tuple(question.columns[j] if j < len(question.columns) else str(j + 1) for j in range(wide))
    about = f"down: {question.row_title}, across: {question.column_title}" if question.row_title else ""
    return Heat(question.name if name == EVERYBODY else f"{question.name}, {name}", head, tuple(rows), about)


def _unit(question: Question) -> str:
    """Of its value, beside the column's; none where a run is of a kind that this version does not know."""
    kind = KINDS.entries.get(question.kind)
    return kind.unit if kind else ""


def _asks(question: Question) -> str:
    if not question.kind:
        return ""
    of = f" of {question.column}" if question.column else ""
    if question.row_title and question.column_title:
        of = f" of {question.row_title} and {question.column_title}"
    by = f" by {question.by}" if question.by else ""
    unit = f", in {question.unit}{'²' if _unit(question) == 'square' else ''}" if question.unit else ""
    return prose.capital(f"{question.kind}{of}{by}{unit}")


def _interval(low: object, high: object, decimals: int) -> str:
    start, end = _number(low), _number(high)
    if start is None or end is None or start == end:
        return ""
    return f"{words.fixed(start, decimals)} to {words.fixed(end, decimals)}"


def _numbers(*values: object) -> Iterator[float]:
    for value in values:
        if isinstance(value, list):
            yield from _numbers(*value)
        elif (number := _number(value)) is not None:
            yield number


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _list(value: object) -> list[float | None]:
    return [_number(item) for item in value] if isinstance(value, list) else []


def _grid(value: object) -> list[list[float | None]]:
    return [_list(item) for item in value] if isinstance(value, list) else []


def _pick(values: Sequence[float | None], index: int) -> float | None:
    return values[index] if index < len(values) else None


def _nested(one: Result) -> bool:
    return isinstance(one.value, list) and any(isinstance(item, list) for item in one.value)
