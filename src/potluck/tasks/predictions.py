"""What a model says of a site's own rows, for their owner alone: a CSV file, a line a row, which never leaves the site.

    row,split,score                 or a column a class; instead of `row` the person, where rows are persons

`row` counts the rows of the source from 0, as `potluck score` does; rows that the plan leaves out have no line. Scores
are those that `potluck score` prints. It does NOT say what rows are: their target stands in the source.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from potluck.core import private
from potluck.core.slices import slices
from potluck.learning.data.table import Table
from potluck.learning.models.model import Model
from potluck.learning.models.scoring import lines_of

FILE = "predictions.csv"
SPLITS = ("train", "validation", "test", "none")
"""none: in no sum of the run, as rows of a person beyond those that count."""
AT_ONCE = 4096
"""Rows that are scored and written at a time."""


def write(model: Model, rows: Table, folder: Path) -> None:
    """The file, in a folder that is made where it is missing. Raises OSError; Abort(CHANGED): a file that a row names
    changed."""
    folder.mkdir(parents=True, exist_ok=True, mode=private.FOLDER)
    with private.opened(folder / FILE, os.O_TRUNC) as file:
        for some in _parts(model, rows):
            file.write(some.encode())


def left(model: Model | None, rows: Table, home: Path, place: Path) -> tuple[str, ...]:
    """The file in this place of an owner's home, and lines about it for the owner alone. Raises as `write`."""
    if model is None:
        why = "its last model was announced to no site: a plan without metrics announces none"
        return (f"no predictions of your rows: {why}. hint: potluck score with the coordinator's model.json",)
    write(model, rows, home / place)
    return (f"predictions of your rows: {place / FILE}, by model {model.digest()}",)


def _parts(model: Model, rows: Table) -> Iterator[str]:
    """The lines, some at a time."""
    yield lines_of([("person" if rows.names else "row", "split", *model.columns)])
    side = np.where(rows.test, 2, 0)
    if len(rows.validation):
        side[rows.validation] = 1
    if len(rows.beyond):
        side[rows.beyond] = 3
    who = rows.names or rows.places.tolist()
    for some in slices(len(side), AT_ONCE):
        scores = model.scored_features(rows.inputs[some])
        table = scores if scores.ndim == 2 else scores[:, None]
        splits = [SPLITS[one] for one in side[some].tolist()]
        each = zip(who[some], splits, table.tolist(), strict=True)
        yield lines_of([(name, split, *row) for name, split, row in each])
