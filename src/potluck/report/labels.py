"""Several labels of a row: each one's own metrics, beside their means, as one table."""

from dataclasses import dataclass

from potluck.report import comparison, words
from potluck.report.details import Score
from potluck.report.outcome import Measured, Outcome, of_one

HEAD = ("auc", "accuracy")


@dataclass(frozen=True, slots=True)
class Labels:
    """head: what is measured; rows: (label, a (value, intervals) for each)."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def labels(outcome: Outcome) -> Labels | None:
    """Of the federated model; None: it predicts one thing of a row."""
    measured = outcome.metrics.federated if outcome.metrics else None
    if measured is None or not measured.labels:
        return None
    rows = tuple((name, _cells(one)) for name, one in measured.labels.items())
    return Labels(tuple(comparison.TITLES[name] for name in HEAD), rows)


def lines(found: Labels) -> list[tuple[str, str, str]]:
    """(what, value, intervals) of each cell."""
    return [
        (f"{title}, {name}", value, said)
        for name, cells in found.rows
        for title, (value, said) in zip(found.head, cells, strict=True)
    ]


def _cells(one: Measured | None) -> tuple[tuple[str, str], ...]:
    scores = of_one("", None, one)
    return tuple(_cell(next((score for score in scores if score.metric == name), None)) for name in HEAD)


def _cell(score: Score | None) -> tuple[str, str]:
    if score is None:
        return "–", ""
    return words.score(score.value, score.metric), comparison.known(score)
