"""Which rows the model takes for what: held-out rows by what they are and by what it says of them, as one table, or of
classes whose pairs are not counted by whether it is right; and what is right without any model."""

from potluck.learning.statistics.forms import Grid, Number
from potluck.report import words
from potluck.report.forms import Heat, heat
from potluck.report.outcome import Confusion, Largest, Outcome, Row


def confusion(outcome: Outcome) -> Heat | None:
    """As a table."""
    found = grid(outcome)
    return heat("Right and wrong", found) if found else None


def grid(outcome: Outcome) -> Grid | None:
    """Of the federated model, where the run's sums counted rows so."""
    one = _found(outcome)
    if one is None:
        return None
    values, low, high = map(_rows, (one.counts, one.low, one.high))
    columns = one.said or one.labels
    return Grid(down="is", across="said", rows=one.labels, columns=columns, values=values, low=low, high=high)


def paired(outcome: Outcome) -> bool:
    """Whether the table says which class is taken for which."""
    one = _found(outcome)
    return one is not None and not one.said


def largest(outcome: Outcome) -> Largest | None:
    """What the accuracy is to be held against."""
    one = _found(outcome)
    return one.largest if one else None


def guess(outcome: Outcome) -> str:
    """That in words; empty where it is not known."""
    one = largest(outcome)
    if one is None:
        return ""
    share = f"{'about ' if _noised(outcome) else ''}{words.score(one.share, 'accuracy')}"
    return f"Without a model “{one.label}”, said of every row, has an accuracy of {share}."


def _found(outcome: Outcome) -> Confusion | None:
    measured = outcome.metrics.federated if outcome.metrics else None
    return measured.confusion if measured else None


def _noised(outcome: Outcome) -> bool:
    one = _found(outcome)
    return one is not None and bool(one.low)


def _rows(lists: list[Row]) -> tuple[tuple[Number, ...], ...]:
    return tuple(map(tuple, lists))


def lines(found: Heat, *, pairs: bool) -> list[tuple[str, str, str]]:
    """(what, value, interval) of each cell. pairs: of `paired`."""
    return [
        (f"{truth}, {'said to be ' if pairs else ''}{said}", cell.value, cell.interval)
        for truth, cells in found.rows
        for said, cell in zip(found.head, cells, strict=True)
    ]
