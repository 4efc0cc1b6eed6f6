"""Cells that are tensors, while rows are read: each file is looked into once, and what is wrong with it is told.

A path that leaves the folder of the rows is a cell that does not fit. A file that is not there, or cannot be decoded,
is an error too where the column refuses missing values; else it counts as one, and the owner is told why.
"""

from collections.abc import Mapping
from os.path import isdir

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS, Beside
from potluck.learning.data.encode import Encoding
from potluck.learning.data.files.cells import Found, Reader
from potluck.learning.data.files.folder import Outside
from potluck.learning.data.files.store import Store
from potluck.learning.data.parts import RowBatch
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import Rows
from potluck.learning.data.tally import Counting
from potluck.learning.data.target import Goal
from potluck.learning.data.texts.next_tokens import FEWEST
from potluck.learning.data.texts.worded import Tokenizers

WITHIN = "name files in the folder of the rows, or below it"
ROOT = "see source.folder in the policy, and whether what it is on is mounted"
REMEDY = 'correct the file or the cell, a path from the folder of the rows, or declare missing = "drop" or "flag"'


def readers_of(
    how: Encoding, source: Rows, where: str, tokenizers: Tokenizers, goal: Goal | None = None
) -> dict[str, Reader]:
    """How each column of tensors is read, by name. goal: what is predicted. Raises DataError: nobody says where files
    are, or a tokenizer is not at hand."""
    apart = [one for one in how.fields if one.apart]
    filed = next((one.name for one in apart if COLUMNS.of(one.kind).filed), None)
    store, found = None if filed is None else _store(filed, source, where), dict[str, Reader]()
    beside = Beside(store, tokenizers, FEWEST if goal is not None and not goal.apart else 0, bool(how.fold))
    for one in apart:
        made = COLUMNS.of(one.kind).reader
        assert made is not None
        found[one.name] = made(one, beside)
    return found


def _store(column: str, source: Rows, where: str) -> Store:
    """The files that a column names. Raises DataError: nobody says where they are."""
    root = source.limits.folder
    if root is None:
        what = f"column {column!r} names files, and nobody says in which folder"
        raise DataError(what, where=where, hint="give a CSV or Parquet file, or source.folder beside a query")
    if not isdir(root):  # else each of its files would count as missing
        raise DataError(f"column {column!r} names files, and their folder is not there", where=where, hint=ROOT)
    return Store(root, source.limits.memory)


def looked_into(
    readers: Mapping[str, Reader],
    part: RowBatch,
    columns: dict[str, Floats],
    wanted: NDArray[np.bool_],
    how: Encoding,
    problems: Problems,
    counting: Counting,
) -> dict[str, Found]:
    """What the cells of a part are, by column. columns: a value that cannot be used becomes a missing one. wanted [n]:
    rows that may stay; those that another column leaves out are not looked into."""
    if not readers:
        return {}
    for one in how.fields:
        if one.missing == "drop":
            wanted = wanted & ~np.isnan(columns[one.name])
    found = {}
    for one in how.fields:
        if not one.apart:
            continue
        values = columns[one.name].copy()
        there = (wanted | COLUMNS.of(one.kind).spelled) & ~np.isnan(values)  # statistics leave no row out
        said = zip(part.texts[one.name], there.tolist(), strict=True)
        found[one.name] = readers[one.name].read([text if look else None for text, look in said])
        faults: dict[str, list[int]] = {}
        for place, error in found[one.name].wrong.items():
            line = int(part.lines[place])
            if isinstance(error, Outside):
                problems.cells(one.name, [line], str(error), WITHIN)
            elif one.missing == "refuse":
                problems.cells(one.name, [line], str(error), REMEDY)
            else:
                faults.setdefault(str(error), []).append(line)
                values[place] = np.nan
        for why, lines in faults.items():
            counting.unusable(one.name, why, lines, problems.placed)
        columns[one.name] = values
    return found
