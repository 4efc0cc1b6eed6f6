"""A prediction, ready to print: how many rows, by how much a score may be off, where the scores are.

No score is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from potluck.report import words
from potluck.report.details import Details
from potluck.report.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Scores:
    """rows: "seven rows"; lines: (what, words)."""

    rows: str
    lines: tuple[tuple[str, str], ...]


def prediction(outcome: Outcome, details: Details) -> Scores | None:
    """Of a run that predicts, else `None`."""
    one = details.prediction
    if one is None:
        return None
    rows = words.capital(words.count(one.rows, "row")) if one.rows is not None else f"At most {one.max_rows:,} rows"
    lines = [("Who", f"{one.owner} has the model, {one.client} the rows; the scores are {one.client}'s alone.")]
    if one.bound is not None:
        lines.append(("Off by at most", f"{words.number(one.bound, 3)} in any score, as the protection reckons."))
    if one.compared is not None:
        lines.append(("Beside plain scoring", _beside(one.compared, one.same_labels, one.largest_error)))
    here = f"{PurePath(outcome.predictions).name}, in the run's folder" if outcome.predictions else ""
    lines.append(("Where they are", here or f"in {one.client}'s own home: the server has none of them"))
    lines += [("Note", note) for note in one.notes]
    return Scores(rows, tuple(lines))


def _beside(rows: int, same: int | None, largest: float | None) -> str:
    labels = f"{same:,} of {rows:,} labels agree; " if same is not None else ""
    error = words.number(largest, 3)
    return f"not private: model and rows are in one process here. {labels}the largest error is {error}."
