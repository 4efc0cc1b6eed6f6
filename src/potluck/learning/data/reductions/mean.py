"""The mean of a person's numbers, exactly the same whatever the order of rows.

A sum of doubles depends on their order. So each number is brought within the declared range, put on a grid of 2**32
steps over it as a whole number, truncated, and these are summed exactly and divided once. The mean is thus too small by
less than a step, which is the range's width times 2**-32, beside the rounding of one division. A site has at most 1e9
rows, below 2**30, so that the sum is below 2**62: no engine's integers overflow.
"""

from collections.abc import Sequence

from potluck.core.tables.derived import Reduced
from potluck.learning.data.column import Field
from potluck.learning.data.notation import Notation
from potluck.learning.data.reduce import Given, Reduction
from potluck.learning.data.sql.dialect import Dialect
from potluck.learning.data.sql.layers import clipped

STEPS = 2.0**32


def gathered(one: Reduced, source: Field, rows: Given, how: Notation, d: Dialect) -> tuple[str, ...]:
    """The sum in whole steps, and of how many rows."""
    low, high = d.double(source.low), d.double(source.high)
    inside = clipped(rows.value, low, high)
    share = f"{d.tame(f'({inside} - {low})')} / {d.double(source.high - source.low)}"
    return d.total(d.whole(f"{share} * {d.double(STEPS)}")), f"count({rows.value})"


def value(one: Field, names: Sequence[str], d: Dialect) -> str:
    """Between low and high: the last rounding could go beyond."""
    total, count = (f"CAST({name} AS {d.double_type})" for name in names)
    low, high = d.double(one.low), d.double(one.high)
    found = f"{low} + {total} / {count} * {d.double(1 / STEPS)} * {d.double(one.high - one.low)}"
    return f"CASE WHEN {names[1]} > 0 THEN {clipped(f'({found})', low, high)} END"


MEAN = Reduction(
    taken="a number",
    takes=lambda kind: kind.measured,
    said=lambda one, source, order: f"the mean {source}",
    gathered=gathered,
    value=value,
)
