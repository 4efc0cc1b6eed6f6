"""A run on two printed pages: what came of it in a short table, in place of pictures and of every number.

It says nothing that the report does not say. What it leaves out is counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from potluck.core import prose
from potluck.learning.statistics.forms import Boxes, Dots, Frame
from potluck.report import comparison, confusion, labels, words
from potluck.report.details import Details, Score
from potluck.report.forms import interval
from potluck.report.outcome import Outcome
from potluck.report.statistics import Statistic

MOST, EACH, WEIGHTS = 18, 5, 6
"""Lines of the table; of one statistic; coefficients."""
SITES = 12
"""Sites that are named."""
Line = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """lines: (of what, value, 95 %); more: lines that are left out; sites: whose rows."""

    lines: tuple[Line, ...]
    more: int
    sites: str


def sheet(outcome: Outcome, details: Details, scores: Sequence[Score], found: Sequence[Statistic]) -> Sheet:
    """Of a run. scores: of its models; found: its statistics."""
    every = [*_model(outcome, scores), *(line for one in found for line in _statistic(one))]
    named = [site.name for site in details.sites]
    sites = prose.listed(named) if len(named) <= SITES else f"{prose.listed(named[:3])} and {len(named) - 3} others"
    return Sheet(tuple(every[:MOST]), max(0, len(every) - MOST), sites if named else "")


def lines(outcome: Outcome, scores: Sequence[Score], few: int) -> list[Line]:
    """What metrics say of the models of all sites, a line each. few: classes of which each pair is a line."""
    found = [line for score in scores if score.site is None for line in comparison.lines(score)]
    each = labels.labels(outcome)
    found += labels.lines(each) if each else []
    table = confusion.confusion(outcome)
    pairs = table is not None and len(table.rows) <= few
    return found + (confusion.lines(table, pairs=confusion.paired(outcome)) if table is not None and pairs else [])


def _model(outcome: Outcome, scores: Sequence[Score]) -> list[Line]:
    found = lines(outcome, scores, few=2)
    weights = outcome.model.coefficients if outcome.model else None
    for name, value in comparison.ordered(weights)[:WEIGHTS] if weights else ():
        found.append((f"coefficient of {name}", f"{value:+.2f}".replace("-", "−"), ""))
    return found


def _statistic(one: Statistic) -> Iterator[Line]:
    """One number with its interval; numbers by group; of others only which there is."""
    name = one.question.name
    if one.big:
        yield name, one.big, one.interval
        return
    found = list(_numbers(one))
    yield from ((f"{name}: {of}", value, said) for of, value, said in found[:EACH])
    if len(found) > EACH:
        yield f"{name}: {prose.count(len(found) - EACH, 'more number')}", "", ""
    if not found:
        yield name, one.question.asks or "on the page", ""


def _numbers(one: Statistic) -> Iterator[Line]:
    for form in one.question.forms:
        if isinstance(form, Dots):
            decimals = words.places([end for dot in form.dots for end in (dot.value, dot.low, dot.high)])
            for dot in form.dots:
                yield dot.name, words.fixed(dot.value, decimals), interval(dot.low, dot.high, decimals)
        elif isinstance(form, Boxes):
            decimals = words.places([end for box in form.boxes for end in (box.q1, box.median, box.q3)])
            for box in form.boxes:
                what = f"{form.x or form.title}, {box.name}" if form.title else box.name
                between = interval(box.q1, box.q3, decimals)
                yield f"{what}: median", words.fixed(box.median, decimals), between and f"quartiles: {between}"
        elif isinstance(form, Frame) and not form.long and len(form.head) == 2:
            for of, cell in form.rows:
                yield str(of), cell if isinstance(cell, str) else prose.number(cell), ""
