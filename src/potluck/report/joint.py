"""Predictions and intersections, ready to print: how many rows or keys, who learnt what, where the results are.

No score and no key is shown.
"""

from dataclasses import dataclass
from pathlib import PurePath

from potluck.report import words
from potluck.report.details import Details
from potluck.report.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Joint:
    """many: "seven rows"; lines: (what, words)."""

    many: str
    lines: tuple[tuple[str, str], ...]


def prediction(outcome: Outcome, details: Details) -> Joint | None:
    """Of a run that predicts, else `None`."""
    one = details.prediction
    if one is None:
        return None
    rows = words.capital(words.count(one.rows, "row")) if one.rows is not None else f"At most {one.max_rows:,} rows"
    lines = [("Who", f"{one.owner} has the model, {one.client} the rows; the scores are {one.client}'s alone.")]
    if one.bound is not None:
        lines.append(("Off by at most", f"{words.number(one.bound, 3)} in any score, as the protection reckons."))
    if one.compared is not None:
        labels = f"{one.same_labels:,} of {one.compared:,} labels agree; " if one.same_labels is not None else ""
        said = f"{labels}the largest error is {words.number(one.largest_error, 3)}."
        lines.append(("Beside plain scoring", f"not private: model and rows are in one process here. {said}"))
    here = f"{PurePath(outcome.predictions).name}, in the run's folder" if outcome.predictions else ""
    lines.append(("Where they are", here or f"in {one.client}'s own home: the server has none of them"))
    lines += [("Note", note) for note in one.notes]
    return Joint(rows, tuple(lines))


def intersection(outcome: Outcome, details: Details) -> Joint | None:
    """Of a run that intersects, else `None`."""
    one = details.intersection
    if one is None:
        return None
    size = words.capital(words.count(one.size, "key")) if one.size is not None else "A number of keys not known here"
    what = "how many keys all have" if one.reveal == "size" else "which of their own keys all have"
    lines = [("Matched by", words.listed(one.keys)), ("Who learnt what", f"{words.listed(one.to)}: {what}.")]
    if one.reveal == "members":
        here = f"{PurePath(outcome.members).name}, in the run's folder" if outcome.members else ""
        lines.append(("Where the common keys are", here or "in the learners' own homes: the server has none of them"))
    if one.reused:
        lines.append(("Taken again", "No key has changed since the owners last matched them: no new search was made."))
    if one.plain is not None:
        said = f"All keys in one place give {one.plain:,}."
        lines.append(("Beside plain sets", f"not private: all keys are in one process here. {said}"))
    return Joint(size, tuple(lines))
