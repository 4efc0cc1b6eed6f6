"""New rows -> the features of a model: the encoding that training used, whoever holds rows and model.

Messages name column and line, never a value.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from potluck.core.errors import DataError
from potluck.core.stages import Floats
from potluck.fl.encode import Encoding, Unfit, encode, raw
from potluck.fl.source import Source, chunks, names_of

AWAY = "or leave the row out: the model needs a value of this column"


def features(how: Encoding, layout: Sequence[str] | None, frame: Source, where: str) -> Floats:
    """Raw rows (a frame, an array, a CSV file) -> features [n, p]; rows that the plan drops are NaN.

    layout: the columns in file order where the source does not name them. Raises DataError.
    """
    wanted = [one.name for one in how.fields]
    parts = [np.zeros((0, len(how.names)))]
    for chunk in chunks(frame, wanted, layout, where):
        columns: dict[str, Floats] = {}
        dropped = np.zeros(len(chunk.lines), dtype=np.bool_)
        for one in how.fields:
            try:
                columns[one.name] = raw(one, chunk.cells[one.name], how.missing)
            except Unfit as unfit:
                line = chunk.lines[unfit.index]
                what = f"column {one.name!r}, line {line}: {unfit.why}"
                raise DataError(what, where=where, hint=f"correct the cell, {AWAY}") from None
            gone = np.isnan(columns[one.name])
            if one.missing == "refuse" and gone.any():
                first = chunk.lines[int(gone.argmax())]
                what = f"column {one.name!r} {one.lacks} in {int(gone.sum())} rows, the first at line {first}"
                raise DataError(what, where=where, hint=f"fill it, {AWAY}")
            dropped |= gone if one.missing == "drop" else False
        found = encode(how, columns)
        found[dropped] = np.nan
        parts.append(found)
    return np.vstack(parts)


def layout_of(how: Encoding, target: str, frame: Source, where: str) -> tuple[str, ...]:
    """The file order of a source without a header: as in the plan's files, with or without the target."""
    without = tuple(name for name in how.layout if name != target)
    return without if len(names_of(frame, where)) == len(without) else how.layout
