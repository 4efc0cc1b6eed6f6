"""The columns by which rows of different owners are matched, as texts and nothing else.

A cell of a file is the text that stands there; a whole number of a typed frame is its digits. What does not fit is a
DataError with line numbers and no value. It does NOT compare keys: `core.spelling` says which texts are one key.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError
from potluck.core.plan import Plan, required
from potluck.learning.data.parts import grounded
from potluck.learning.data.problems import Problems
from potluck.learning.data.source import Source, limits_of, opened, texts


@dataclass(frozen=True, slots=True, eq=False)
class Keyed:
    """A source's keys. texts: by row its key columns' cells; lines [n] (of the file, or row numbers from 1)."""

    texts: list[tuple[str, ...]] = field(repr=False)
    lines: NDArray[np.int64] = field(repr=False)


def keyed(source: Source, plan: Plan, site: str) -> Keyed:
    """The key columns of a source, row by row; a text that means "no value" (data.missing) is empty.

    Raises DataError: not readable, a column absent, more rows than data.max_rows.
    """
    keys = required(plan.align).keys
    missing = frozenset(text.strip() for text in plan.data.missing)
    layout = None if plan.data.header else tuple(plan.data.columns)
    rows = opened(source, site, limits_of(plan.data))
    most, problems = plan.data.max_rows, Problems(site)
    found: list[tuple[str, ...]] = []
    lines = [np.empty(0, np.int64)]
    # Carefully, as what is wrong with keys, which is found out later, is told by its line.
    with problems, rows.open(keys, layout, problems, careful=True) as relation:
        ground, cells = grounded(relation)
        names = [cells[name].words or cells[name].sql for name in keys]
        line = [ground.define(relation.line)] if relation.line else []
        for batch in relation.batches(ground.ask([*names, *line])):
            columns = [[_kept(cell, missing) for cell in texts(one)] for one in batch[: len(keys)]]
            lines.append(batch[-1].astype(np.int64) if line else np.arange(len(batch[0])) + len(found) + 1)
            found += zip(*columns, strict=True)
            if len(found) > most:
                what = f"there are more rows than data.max_rows ({most})"
                raise DataError(what, where=site, hint="raise data.max_rows, or leave rows out")
    return Keyed(found, np.concatenate(lines))


def _kept(cell: str, missing: frozenset[str]) -> str:
    return "" if cell.strip() in missing else cell
