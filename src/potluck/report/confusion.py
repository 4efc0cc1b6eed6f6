"""Which rows the model takes for what: held-out rows by what they are and by what it says of them, as one table."""

from potluck.learning.statistics.forms import Grid, Number
from potluck.report.forms import Heat, heat
from potluck.report.outcome import Outcome, Row


def confusion(outcome: Outcome) -> Heat | None:
    """As a table."""
    found = grid(outcome)
    return heat("Right and wrong", found) if found else None


def grid(outcome: Outcome) -> Grid | None:
    """Of the federated model, where the run's sums counted rows so."""
    measured = outcome.metrics.federated if outcome.metrics else None
    one = measured.confusion if measured else None
    if one is None:
        return None
    values, low, high = map(_rows, (one.counts, one.low, one.high))
    return Grid(down="is", across="said", rows=one.labels, columns=one.labels, values=values, low=low, high=high)


def _rows(lists: list[Row]) -> tuple[tuple[Number, ...], ...]:
    return tuple(map(tuple, lists))


def lines(found: Heat) -> list[tuple[str, str, str]]:
    """(what, value, interval) of each cell."""
    return [
        (f"{truth}, said to be {said}", cell.value, cell.interval)
        for truth, cells in found.rows
        for said, cell in zip(found.head, cells, strict=True)
    ]
