"""The natural logarithm of a number, by additions, multiplications and one division: engines' own logarithms differ in
the last digit, and then so would sums.

x = m 2^k with m between sqrt(1/2) and sqrt(2); log x = k log 2 + 2 atanh((m - 1) / (m + 1)), whose series ends where
its rest is below 2^-57. Within 2 units in the last place. It does NOT reach far beyond the declared range: there a
value is clamped anyway, and only told to be above or below.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from potluck.core.plan import Column, required
from potluck.core.tables.derived import Derive
from potluck.learning.data.column import Field
from potluck.learning.data.derivations import years
from potluck.learning.data.derive import Derivation, of_range
from potluck.learning.data.raw.said import Measured, Reading, unsaid
from potluck.learning.data.sql.layers import Layer, cases

LEAST, MOST = -50.0, 50.0
"""Of numbers between 1e-21 and 1e21: a query has a comparison for each power of two."""
HIGH, LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
"""log 2 in two parts (fdlibm): a whole number of up to 21 bits times the first is exact."""
TERMS = 11


def check(at: str, one: Derive, source: Column) -> list[str]:
    """The range of the logarithm."""
    found = of_range(at, one)
    if not found and not LEAST <= required(one.low) < required(one.high) <= MOST:
        found.append(f"{at}: low and high are of the logarithm, within {LEAST:g} and {MOST:g}. hint: log(1000) is 6.9")
    return found


def value(one: Derive, source: Field, of: Sequence[str], layer: Layer) -> str:
    """Infinite where there is none."""
    d, x = layer.dialect, of[0]
    least = math.floor(required(one.low) / math.log(2)) - 1
    most = math.ceil(required(one.high) / math.log(2)) + 1
    powers = range(least, most + 1)
    edges = [d.double(math.ldexp(math.sqrt(0.5), power)) for power in powers[1:]]
    power = layer.define(_chosen(x, edges, [d.double(power) for power in powers]))
    scale = layer.define(_chosen(x, edges, [d.double(math.ldexp(1.0, -power)) for power in powers]))
    t = f"(({x} * {scale} - {d.double(1)}) / ({x} * {scale} + {d.double(1)}))"
    series = d.double(1 / (2 * TERMS + 1))
    for term in range(TERMS - 1, -1, -1):
        series = f"({series} * ({t} * {t}) + {d.double(1 / (2 * term + 1))})"
    found = f"({power} * {d.double(HIGH)} + ({d.double(2)} * {t} * {series} + {power} * {d.double(LOW)}))"
    none = [(f"NOT ({x} > {d.double(0)})", d.double(math.inf))]
    below = (f"{x} < {d.double(math.ldexp(1.0, least))}", d.double(required(one.low) - 2))
    above = (f"{x} > {d.double(math.ldexp(1.0, most))}", d.double(required(one.high) + 2))
    return cases([*none, below, above], found)


def _chosen(value: str, edges: Sequence[str], results: Sequence[str]) -> str:
    """Of one more results than rising edges the one whose place is the number of edges that are at most the value."""
    if not edges:
        return results[0]
    middle = len(edges) // 2
    less = _chosen(value, edges[:middle], results[: middle + 1])
    more = _chosen(value, edges[middle + 1 :], results[middle + 1 :])
    return f"CASE WHEN {value} < {edges[middle]} THEN {less} ELSE {more} END"


def read(one: Derive, below: Sequence[Field], found: Sequence[Reading]) -> Reading:
    """Of a number. Raises UsageError: of another logarithm, which `value` knows on its declared range alone, or of a
    time."""
    (number,) = found
    if not isinstance(number, Measured) or number.logged:
        raise unsaid(below[0].name, "is a logarithm or a time, of which a logarithm is taken")
    return replace(number, logged=True)


LOG = Derivation(
    keys=frozenset({"low", "high"}),
    taken="a number",
    takes=lambda kind: kind.measured,
    said=lambda one: f"the natural logarithm of {one.source}",
    check=check,
    column=years.column,
    value=value,
    read=read,
    unfit="a number that is not above 0, which has no logarithm",
)
