"""How many rows a person has, or, of a column, how many with a value."""

from potluck.core.plan import Column
from potluck.core.tables.derived import Reduced
from potluck.learning.data.column import Field
from potluck.learning.data.notation import Notation
from potluck.learning.data.reduce import Given, Reduction
from potluck.learning.data.sql.dialect import Dialect


def check(at: str, one: Reduced, source: Column, how: Notation) -> list[str]:
    """That a range is declared."""
    if one.low is None or one.high is None:
        return [f"{at}: a count needs low and high. hint: the range that is public knowledge, e.g. low = 0, high = 50"]
    return []


def column(one: Reduced, source: Column) -> Column:
    """A number."""
    return Column(kind="number", low=one.low, high=one.high)


def gathered(one: Reduced, source: Field, rows: Given, how: Notation, d: Dialect) -> tuple[str, ...]:
    """Given that have it."""
    return (f"CAST(count({rows.value}) AS {d.double_type})",)


COUNT = Reduction(
    keys=frozenset({"low", "high"}),
    taken="any column",
    takes=lambda kind: True,
    said=lambda one, source, order: f"how many rows have {source}" if source else "how many rows there are",
    counts=True,
    check=check,
    column=column,
    gathered=gathered,
)
