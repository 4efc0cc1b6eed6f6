"""The first or the last value of a person, by `data.reduce.order`. Given without a value in the column are passed over.

Of several values at the same place the first is the smallest and the last the largest, of a category by its place among
the declared values: no order in which rows stand decides.
"""

from collections.abc import Callable

from potluck.core.tables.derived import Reduced
from potluck.learning.data.column import ColumnKind, Field
from potluck.learning.data.notation import Notation
from potluck.learning.data.reduce import Given, Reduction
from potluck.learning.data.sql.dialect import Dialect


def _takes(kind: ColumnKind) -> bool:
    return not kind.dated


def _end(least: str) -> Callable[[Reduced, Field, Given, Notation, Dialect], tuple[str, ...]]:
    def gathered(one: Reduced, source: Field, rows: Given, how: Notation, d: Dialect) -> tuple[str, ...]:
        there = f"{rows.value} IS NOT NULL AND {rows.order} IS NOT NULL"
        return (d.second(f"{least}(CASE WHEN {there} THEN {d.pair(rows.order, rows.value)} END)"),)

    return gathered


def _said(word: str) -> Callable[[Reduced, str, str], str]:
    return lambda one, source, order: f"the {word} {source} by {order}"


FIRST = Reduction(
    taken="a number or a category", takes=_takes, said=_said("first"), ordered=True, keeps=True, gathered=_end("min")
)
LAST = Reduction(
    taken="a number or a category", takes=_takes, said=_said("last"), ordered=True, keeps=True, gathered=_end("max")
)
