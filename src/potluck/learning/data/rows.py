"""New rows -> the features of a model: the encoding that training used, whoever holds rows and model.

Messages name column and line, never a value. What became of the values is counted for whoever holds the rows, and is no
error: one row may well hold a value that no row of the training had.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.encode import Encoding, encode, referred, written
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import Source, chunks, names_of
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
    wanted = [one.name for one in how.fields]
    parts, counting = [np.zeros((0, len(how.names)))], Counting()
    with Problems(where) as problems:
        for chunk in chunks(frame, wanted, layout, problems):
            given: dict[str, Floats] = {}
            keep = np.ones(len(chunk.lines), dtype=np.bool_)
            for one in how.fields:
                cells = chunk.cells[one.name]
                read = partial(written, one, cells, how.missing)
                given[one.name] = problems.column(one.name, chunk.lines, read, f"correct the cell, {AWAY}")
                gone = np.isnan(referred(one, given[one.name]))
                if one.missing == "refuse":
                    problems.gaps(one.name, one.lacks, chunk.lines[gone].tolist(), one.remedy(f"fill it, {AWAY}"))
                if one.missing == "drop":
                    counting.drop(one, cells, given[one.name], keep & gone)
                    keep &= ~gone
            for one in how.fields:
                counting.column(one, chunk.cells[one.name], given[one.name], keep)
            counting.read += len(chunk.lines)
            counting.used += int(keep.sum())
            found = encode(how, {one.name: referred(one, given[one.name]) for one in how.fields})
            found[~keep] = np.nan
            parts.append(found)
    return Inputs(np.vstack(parts), counting.done(how.fields, None))


def layout_of(how: Encoding, target: str, frame: Source, where: str) -> tuple[str, ...]:
    """The file order of a source without a header: as in the plan's files, with or without the target."""
    without = tuple(name for name in how.layout if name != target)
    return without if len(names_of(frame, where)) == len(without) else how.layout
