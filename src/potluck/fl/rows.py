"""New rows -> the features of a model: the encoding that training used, whoever holds rows and model.

Messages name column and line, never a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from potluck.core.stages import Floats
from potluck.fl.encode import Encoding, encode, raw
from potluck.fl.problems import Problems
from potluck.fl.source import Source, chunks, names_of

AWAY = "or leave the row out: the model needs a value of this column"


def features(how: Encoding, layout: Sequence[str] | None, frame: Source, where: str) -> Floats:
    """Raw rows (a frame, an array, a CSV file) -> features [n, p]; rows that the plan drops are NaN.

    layout: the columns in file order where the source does not name them. Raises DataError.
    """
    wanted = [one.name for one in how.fields]
    parts = [np.zeros((0, len(how.names)))]
    with Problems(where) as problems:
        for chunk in chunks(frame, wanted, layout, problems):
            columns: dict[str, Floats] = {}
            dropped = np.zeros(len(chunk.lines), dtype=np.bool_)
            for one in how.fields:
                cells = partial(raw, one, chunk.cells[one.name], how.missing)
                columns[one.name] = problems.column(one.name, chunk.lines, cells, f"correct the cell, {AWAY}")
                gone = np.isnan(columns[one.name])
                if one.missing == "refuse":
                    problems.gaps(one.name, one.lacks, chunk.lines[gone].tolist(), one.remedy(f"fill it, {AWAY}"))
                dropped |= gone if one.missing == "drop" else False
            found = encode(how, columns)
            found[dropped] = np.nan
            parts.append(found)
    return np.vstack(parts)


def layout_of(how: Encoding, target: str, frame: Source, where: str) -> tuple[str, ...]:
    """The file order of a source without a header: as in the plan's files, with or without the target."""
    without = tuple(name for name in how.layout if name != target)
    return without if len(names_of(frame, where)) == len(without) else how.layout
