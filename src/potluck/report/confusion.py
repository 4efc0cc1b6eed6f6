"""Which rows the model takes for what: held-out rows by what they are and by what it says of them, as one table."""

from potluck.learning.statistics.result import EVERYBODY
from potluck.report import words
from potluck.report.details import Question
from potluck.report.forms import Heat
from potluck.report.outcome import Outcome, Result
from potluck.report.statistics import heat

TITLE = "Right and wrong"


def confusion(outcome: Outcome) -> Heat | None:
    """Of the federated model, where the run's sums counted rows so."""
    measured = outcome.metrics.federated if outcome.metrics else None
    one = measured.confusion if measured else None
    if one is None:
        return None
    named = Question(name=TITLE, kind="", rows=one.labels, columns=one.labels)
    counts = Result(value=[*one.counts], low=[*one.low], high=[*one.high])
    return heat(EVERYBODY, named, counts, words.places(value for row in one.counts for value in row))


def lines(found: Heat) -> list[tuple[str, str, str]]:
    """(what, value, interval) of each cell."""
    return [
        (f"{truth}, said to be {said}", cell.value, cell.interval)
        for truth, cells in found.rows
        for said, cell in zip(found.head, cells, strict=True)
    ]
