"""The statistics of a run as pictures and tables, each by the forms that it shows."""

import math
from dataclasses import dataclass

from potluck.learning.statistics.forms import Dots, Frame
from potluck.report import words
from potluck.report.details import Details, Question
from potluck.report.forms import Heat, Picture, Tabled, number, shown

NARROW = 4
"""So many columns of a table fit beside another statistic."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic, ready to print. big: its one number, if it is one, with its interval; opened: what was opened,
    where noise made it a number that it cannot be, and `big` says what it may be."""

    question: Question
    big: str
    interval: str
    shown: tuple[Picture | Heat | Tabled, ...]
    wide: bool
    opened: str = ""

    @property
    def read(self) -> tuple[Picture | Tabled, ...]:
        """What is read one after the other: grids have all their numbers in a table too."""
        return tuple(one for one in self.shown if not isinstance(one, Heat))


def statistics(details: Details, prefix: str = "statistic") -> tuple[Statistic, ...]:
    """One entry a statistic that shows something, in the order of the plan. prefix: of the names of pictures."""
    asked = [question for question in details.questions if question.forms]
    return tuple(_statistic(f"{prefix}-{index}", question) for index, question in enumerate(asked, 1))


def _statistic(ident: str, question: Question) -> Statistic:
    alone = [told for form in question.forms if isinstance(form, Dots) and (told := number(form)) is not None]
    if len(question.forms) == 2 and alone:
        big, interval = alone[0]
        may = _possible(question)
        if may:
            return Statistic(question, f"{may} {question.unit}".rstrip(), "", (), False, big)
        return Statistic(question, f"{big} {question.unit}".rstrip(), interval, (), False)
    found = shown(ident, question)
    small = all(isinstance(form, Dots | Frame) for form in question.forms)
    wide = not small or any(len(one.head) > NARROW for one in found if isinstance(one, Tabled))
    return Statistic(question, "", "", found, wide)


def _possible(question: Question) -> str:
    """What one number may be, in whole numbers, where noise made it one that it cannot be; else empty."""
    (one,) = next(form.dots for form in question.forms if isinstance(form, Dots))
    least = question.least
    if least is None or one.value is None or one.value >= least:
        return ""
    most = least if one.high is None else max(least, math.ceil(one.high))
    return f"{least:.0f} to {words.fixed(most, 0)}" if most > least else f"{least:.0f}"
