"""New rows -> the features of a model: the encoding that training used, whoever holds rows and model.

Messages name column and line, never a value. What became of the values is counted for whoever holds the rows, and is no
error: one row may well hold a value that no row of the training had.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.encode import Encoding, encode, referred
from potluck.learning.data.parts import Wish, parts
from potluck.learning.data.problems import Problems, carefully
from potluck.learning.data.source import Source, names_of, opened
from potluck.learning.data.tally import Counting, Tally

AWAY = "or leave the row out: the model needs a value of this column"


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Rows as a model takes them. features [n, p]: NaN in rows that the plan drops; tally: what became of their values,
    for whoever holds the rows alone."""

    features: Floats = field(repr=False)
    tally: Tally = field(default=Tally(), repr=False)


def inputs(how: Encoding, layout: Sequence[str] | None, frame: Source, where: str) -> Inputs:
    """Raw rows (a frame, an array, a CSV file) as a model takes them.

    layout: the columns in file order where the source does not name them. Raises DataError.
    """
    wish = Wish(how.fields, how.notation, tuple(layout) if layout else None, helpers=how.beside)
    frame = opened(frame, where, how.limits)
    return carefully(lambda careful: _inputs(how, wish, frame, Problems(where, careful)))


def _inputs(how: Encoding, wish: Wish, frame: Source, problems: Problems) -> Inputs:
    blocks, counting = [np.zeros((0, len(how.names)))], Counting()
    with problems:
        for part in parts(frame, wish, problems, f"correct the cell, {AWAY}"):
            keep = np.ones(len(part.lines), dtype=np.bool_)
            for one in how.fields:
                gone = np.isnan(referred(one, part.columns[one.name]))
                if one.missing == "refuse":
                    problems.gaps(one.name, one.lacks, part.lines[gone].tolist(), one.remedy(f"fill it, {AWAY}"))
                if one.missing == "drop":
                    counting.drop(one, part.columns[one.name], keep & gone)
                    keep &= ~gone
            for one in how.fields:
                counting.column(one, part.columns[one.name], keep)
            counting.read += len(part.lines)
            counting.used += int(keep.sum())
            found = encode(how, {one.name: referred(one, part.columns[one.name]) for one in how.fields})
            found[~keep] = np.nan
            blocks.append(found)
    return Inputs(np.vstack(blocks), counting.done(how.fields, None))


def layout_of(how: Encoding, target: str, frame: Source, where: str) -> tuple[str, ...]:
    """The file order of a source without a header: as in the plan's files, with or without the target."""
    without = tuple(name for name in how.layout if name != target)
    return without if len(names_of(frame, where, how.limits)) == len(without) else how.layout
