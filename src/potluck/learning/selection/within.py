"""Of two plans of statistics, from their texts: whether the one takes only rows that the other takes too, and which of
their numbers count the same.

Both at once are a tracker: the difference of two exact sums is one over the rows in between, of which there may be few
(Denning, Denning and Schwartz, "The tracker", ACM TODS 4(1), 1979). Nothing here looks at a row.
"""

from collections.abc import Mapping
from itertools import product

import msgspec
import numpy as np

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.core.tables.derived import Where
from potluck.core.tables.statistic import named
from potluck.learning.data.declared import find
from potluck.learning.statistics.kinds import kind_of
from potluck.learning.statistics.parts import parted

LOW, HIGH = ("at_least", "above"), ("at_most", "below")


def within(inner: Plan, outer: Plan) -> bool:
    """Whether, over the same rows, each row that the inner plan takes is one that the outer plan takes."""
    here, there = inner.data, outer.data
    free = {"where": (), "files": {}, "columns": {}, "max_rows": 1}
    if msgspec.structs.replace(here, **free) != msgspec.structs.replace(there, **free):
        return False
    if any(here.columns[name] != there.columns[name] for name in here.columns.keys() & there.columns.keys()):
        return False
    if here.reduce is not None and here.where != there.where:  # fewer rows of a person make another person of them
        return False
    if any(one.missing == "drop" for name, one in there.columns.items() if name not in here.columns):
        return False
    return all(any(_implies(mine, theirs) for mine in here.where) for theirs in there.where)


def _implies(one: Where, other: Where) -> bool:
    """Whether each row that meets the one condition meets the other, as far as their words say."""
    if one.column != other.column or len(one.said) != 1 or len(other.said) != 1:
        return False
    (word, mine), (their, demanded) = next(iter(one.said.items())), next(iter(other.said.items()))
    if isinstance(mine, tuple) and isinstance(demanded, tuple):
        some, rest = set(mine), set(demanded)
        sides = {("in", "in"): some <= rest, ("in", "not_in"): not some & rest, ("not_in", "not_in"): some >= rest}
        return sides.get((word, their), False)
    if isinstance(mine, tuple) or isinstance(demanded, tuple) or type(mine) is not type(demanded):
        return False
    strict = their in ("above", "below") and word in ("at_least", "at_most")
    for side, above in ((LOW, True), (HIGH, False)):
        if word in side and their in side:
            first, second = (mine, demanded) if above else (demanded, mine)
            return bool(first > second if strict else first >= second)  # type: ignore[operator]
    return False


def alike(plan: Plan, other: Plan) -> Mapping[str, tuple[Statistic, str]]:
    """What both add up in their first sums of the same columns in the same way: by its name in the one plan, it and its
    name in the other."""
    found: dict[str, tuple[Statistic, str]] = {}
    for one, two in product(parted(plan), parted(other)):
        same = msgspec.structs.replace(one, name="") == msgspec.structs.replace(two, name="")
        if one.name in found or not same or kind_of(one).course is not None:
            continue
        if all(find(plan, name) == find(other, name) for name in named(one)):
            found[one.name] = one, two.name
    return found


def rows_in(plan: Plan, one: Statistic, cells: Floats) -> Floats | None:
    """[groups] how many rows are in the cells [groups, width] of a statistic. None: they do not say."""
    kind = kind_of(one)
    if kind.spread(plan, one) is not None or kind.whole != kind.alone:
        return None
    return np.asarray(cells.sum(axis=1) if kind.whole else cells[:, 0])
