"""What a column's values are counted by: bins of a number, declared values, and that there is none."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from potluck.core.plan import Column, Plan, required
from potluck.core.stages import Floats
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.declared import measured
from potluck.learning.data.derive import DERIVATIONS
from potluck.learning.data.encode import inputs
from potluck.learning.data.reduce import REDUCTIONS
from potluck.learning.data.units import Index

GROUPS = 4
"""Of a column's levels in their order, where all pairs of columns are counted: of a number its lower end is one."""


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One column. lows, highs [bins]: of a number, where each bin begins and ends; the first and the last one are the
    ends of its range alone, where clamped numbers pile up, and often zeros; whole: its numbers are whole, and a bin has
    its end; values: of a category; gap: the last level is that a row has no value."""

    name: str
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()
    whole: bool = False
    values: tuple[str, ...] = ()
    gap: bool = False
    groups: Index = field(init=False, repr=False)
    """[size] the group of each level."""

    def __post_init__(self) -> None:
        alone = int(bool(self.lows) and self.size > GROUPS)  # the lower end of a range: often no event, no dose
        rest, groups = np.arange(self.size - alone), self.grouped - alone
        found = np.append(np.zeros(alone, np.int64), alone + rest * groups // len(rest))
        object.__setattr__(self, "groups", found.astype(np.int64))

    @property
    def levels(self) -> int:
        """Of values that are there."""
        return len(self.values) or len(self.lows)

    @property
    def size(self) -> int:
        """How many levels there are."""
        return self.levels + self.gap

    @property
    def grouped(self) -> int:
        """How many groups there are."""
        return min(self.size, GROUPS)

    def codes(self, values: Floats) -> Index:
        """[n] the level of each value, a number clamped to its range or the place of a declared value; -1 where a row
        does not count: it has no value, of a column without a level for that, or one that is not declared."""
        there = ~np.isnan(values)
        filled = np.where(there, values, 0.0)
        if self.lows:
            filled = np.floor(filled) if self.whole else filled
            found = np.where(filled <= self.lows[0], 0, np.searchsorted(self.lows[1:], filled, "right"))
        else:
            found = np.maximum(filled, -1.0).astype(np.int64)
        return np.where(there, found, self.levels if self.gap else -1)

    def labels(self) -> tuple[str, ...]:
        """What each level is called."""
        bins = (_range(*ends) for ends in zip(self.lows, self.highs, strict=True))
        return (*(self.values or bins), *(["no value"] if self.gap else []))


def _range(low: float, high: float) -> str:
    return f"{low:.15g}" if low == high else f"{low:.6g} to {high:.6g}"


def axes_of(plan: Plan) -> tuple[Axis, ...]:
    """All declared columns that hold numbers or values, in the plan's order."""
    return tuple(_axis(plan, name, column) for name, column in synthesized(plan).items())


def synthesized(plan: Plan) -> Mapping[str, Column]:
    """The columns of numbers and values. Days are drawn from what is derived of them (`draw.py`)."""
    return {name: one for name, one in inputs(plan).items() if COLUMNS.of(one.kind).reader is None}


def whole(plan: Plan, name: str) -> bool:
    """Whether a column's numbers are whole: the plan says so, or they are a count, or days or years between days."""
    if name in required(plan.synthesize).whole:
        return True
    if plan.data.reduce is not None:
        return REDUCTIONS.of(plan.data.reduce.columns[name].kind).counts
    one = plan.data.derive.get(name)
    return one is not None and any(
        kind.dated and DERIVATIONS.of(one.kind).takes(kind) for kind in COLUMNS.entries.values()
    )


def _axis(plan: Plan, name: str, column: Column) -> Axis:
    gap = column.missing == "flag"
    if not measured(column):
        return Axis(name, values=column.values, gap=gap)
    bins = required(plan.synthesize).bins
    if whole(plan, name):
        return Axis(name, *_whole(math.ceil(column.bounds[0]), math.floor(column.bounds[1]), bins), whole=True, gap=gap)
    return Axis(name, *_even(*column.bounds, bins), gap=gap)


Ends = tuple[tuple[float, ...], tuple[float, ...]]
"""Where bins begin, and where they end."""


def _even(low: float, high: float, bins: int) -> Ends:
    """Equal parts, between the two ends of a range."""
    inner = np.linspace(low, high, bins - 1).tolist()
    return (low, *inner), (*inner, high)


def _whole(low: int, high: int, bins: int) -> Ends:
    """Parts of about as many whole numbers, between the first and the last; of few numbers one each."""
    many = high - low + 1
    if many <= bins:
        ends = tuple(float(low + place) for place in range(many))
        return ends, ends
    starts = [low + 1 + (many - 2) * place // (bins - 2) for place in range(bins - 1)]
    return (float(low), *map(float, starts)), (float(low), *(float(one - 1) for one in starts[1:]), float(high))
