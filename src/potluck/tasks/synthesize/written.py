"""Made-up rows as files: CSV and Parquet with the plan's columns, and what was opened as JSON beside them.

The CSV is written as the plan says that owners' files are: separator, decimal mark, encoding, the text that means "no
value", format of dates, and a header or none. So the same plan reads it, and finds the same rows.
"""

import codecs
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
    from pyarrow import parquet

    made = found.made
    with private.opened(folder / CSV, os.O_TRUNC) as file:
        file.write(_csv(made))
    with private.opened(folder / PARQUET, os.O_TRUNC) as file:
        parquet.write_table(_table(made), file)
    private.write(folder / MARGINALS, json_text(found.document() | {"quality": found.quality}))


def _csv(made: Drawn) -> bytes:
    """Every cell is a text. Without a header all columns of owners' files have their places, those that are not drawn
    without values."""
    import pyarrow as pa
    from pyarrow import csv

    data, drawn, file = made.data, _table(made), pa.BufferOutputStream()
    names = made.order if data.header or data.reduce is not None else tuple(data.columns)
    missing = "" if "" in data.missing or not data.missing else data.missing[0]
    cells = {}
    for name in names:
        if name in made.days:
            column = pa.array(_texts(made.days[name], made.formats[name]), pa.string())
        else:
            column = _said(drawn[name], data.decimal) if name in made.order else pa.nulls(drawn.num_rows, pa.string())
        cells[name] = column.fill_null(missing) if missing else column
    how = csv.WriteOptions(include_header=data.header, delimiter=data.separator, quoting_style="needed")
    csv.write_csv(pa.table(cells), file, how)
    text: bytes = file.getvalue().to_pybytes()
    return text if codecs.lookup(data.encoding).name == "utf-8" else text.decode().encode(data.encoding)


def _said(column: "pa.ChunkedArray", decimal: str) -> "pa.ChunkedArray":
    import pyarrow as pa
    from pyarrow import compute

    texts = column.cast(pa.string())
    number = pa.types.is_floating(column.type) and decimal != "."
    return compute.replace_substring(texts, ".", decimal) if number else texts


def _table(made: Drawn) -> "pa.Table":
    """The rows, of numbers, texts and days."""
    import pyarrow as pa

    axes = {axis.name: axis for axis in made.axes}
    return pa.table(
        {
            name: _cells(axes[name], made.columns[name]) if name in axes else pa.array(made.days[name])
            for name in made.order
        }
    )


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
