"""Made-up rows as files: CSV and Parquet with the plan's columns, and what was opened as JSON beside them.

The CSV has a header, commas and decimal points, in UTF-8, whatever owners' files have; dates are written as the plan
says that they are, and a value that is missing is an empty cell.
"""

import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from potluck.core import private
from potluck.core.stages import Floats
from potluck.core.visible import json_text
from potluck.learning.data.derive import Days
from potluck.learning.synthesis.axes import Axis
from potluck.learning.synthesis.drawn import Drawn
from potluck.learning.synthesis.result import Marginals

if TYPE_CHECKING:
    import pyarrow as pa

CSV, PARQUET, MARGINALS = "synthetic.csv", "synthetic.parquet", "marginals.json"


def write(found: Marginals, folder: Path) -> None:
    """All files. Raises OSError."""
    from pyarrow import csv, parquet

    made = found.made
    with private.opened(folder / CSV, os.O_TRUNC) as file:
        csv.write_csv(_table(made, texts=True), file, csv.WriteOptions(quoting_style="needed"))
    with private.opened(folder / PARQUET, os.O_TRUNC) as file:
        parquet.write_table(_table(made, texts=False), file)
    private.write(folder / MARGINALS, json_text(found.document() | {"quality": found.quality}))


def _table(made: Drawn, *, texts: bool) -> "pa.Table":
    """The rows. texts: days as texts, in the format of the plan."""
    import pyarrow as pa

    axes = {axis.name: axis for axis in made.axes}
    found = {}
    for name in made.order:
        if name in axes:
            found[name] = _cells(axes[name], made.columns[name])
        else:
            days = made.days[name]
            found[name] = pa.array(_texts(days, made.formats[name])) if texts else pa.array(days)
    return pa.table(found)


def _cells(axis: Axis, values: Floats) -> "pa.Array":
    import pyarrow as pa

    none = np.isnan(values)
    filled = np.where(none, 0, values)
    if axis.values:
        return pa.array(np.array(axis.values, object)[filled.astype(np.int64)], pa.string(), mask=none)
    return pa.array(filled.astype(np.int64) if axis.whole else filled, mask=none)


def _texts(days: Days, wanted: str) -> list[str | None]:
    each, which = np.unique(days, return_inverse=True)
    names = [None if one is None else _text(one, wanted) for one in each.tolist()]
    return [names[place] for place in which.tolist()]


def _text(one: date, wanted: str) -> str:
    return one.strftime(wanted.replace("%Y", f"{one.year:04d}"))
