"""The smallest or the largest number of a person."""

from collections.abc import Callable

from potluck.core.tables.derived import Reduced
from potluck.learning.data.column import ColumnKind, Field
from potluck.learning.data.notation import Notation
from potluck.learning.data.reduce import Given, Reduction
from potluck.learning.data.sql.dialect import Dialect


def _takes(kind: ColumnKind) -> bool:
    return kind.measured


def _of(aggregate: str) -> Callable[[Reduced, Field, Given, Notation, Dialect], tuple[str, ...]]:
    return lambda one, source, rows, how, d: (f"{aggregate}({rows.value})",)


def _said(word: str) -> Callable[[Reduced, str, str], str]:
    return lambda one, source, order: f"the {word} {source}"


MIN = Reduction(taken="a number", takes=_takes, said=_said("smallest"), keeps=True, gathered=_of("min"))
MAX = Reduction(taken="a number", takes=_takes, said=_said("largest"), keeps=True, gathered=_of("max"))
