"""A number as a category: edges part it, and an edge belongs to the bin above it."""

import math
from collections.abc import Sequence
from itertools import pairwise

from potluck.core.plan import Column
from potluck.core.tables.derived import Derive
from potluck.learning.data.column import Field
from potluck.learning.data.derive import Derivation, listed
from potluck.learning.data.raw.said import Number, Parted, Reading
from potluck.learning.data.sql.layers import Layer, bisected


def check(at: str, one: Derive, source: Column) -> list[str]:
    """Rising edges, and a name for each bin or for none."""
    if not one.edges:
        return [f"{at}.edges: is missing. hint: edges = [40, 60, 80] makes four values"]
    if not all(map(math.isfinite, one.edges)) or any(low >= high for low, high in pairwise(one.edges)):
        return [f"{at}.edges: each is above the one before it. hint: e.g. edges = [40, 60, 80]"]
    if one.values and len(one.values) != len(one.edges) + 1:
        what = f"{len(one.edges)} edges make {len(one.edges) + 1} bins, and values names {len(one.values)}"
        return [f"{at}.values: {what}. hint: one for each bin, the lowest first, or leave it out"]
    return []


def column(one: Derive) -> Column:
    """A category."""
    return Column(kind="category", values=one.values or _names(one.edges))


def _names(edges: Sequence[float]) -> tuple[str, ...]:
    """Such as "below 40", "40 to 60", "60 or more"."""
    if not edges:
        return ()
    said = [repr(int(edge)) if edge.is_integer() and abs(edge) < 1e15 else repr(edge) for edge in map(float, edges)]
    return (f"below {said[0]}", *(f"{low} to {high}" for low, high in pairwise(said)), f"{said[-1]} or more")


def value(one: Derive, source: Field, of: Sequence[str], layer: Layer) -> str:
    """How many edges are at most the number."""
    d = layer.dialect
    return f"CAST({bisected(of[0], [d.double(edge) for edge in one.edges])} AS {d.double_type})"


def read(one: Derive, below: Sequence[Field], found: Sequence[Reading]) -> Reading:
    """Each part is a value."""
    (number,) = found
    assert isinstance(number, Number)  # of a checked entry, which takes a number
    return Parted(number, one.edges, tuple(range(len(one.edges) + 1)))


BINS = Derivation(
    keys=frozenset({"edges", "values", "reference"}),
    said=lambda one: f"{one.source} parted at {listed([f'{edge:.15g}' for edge in one.edges])}",
    taken="a number",
    takes=lambda kind: kind.measured,
    check=check,
    column=column,
    value=value,
    read=read,
)
