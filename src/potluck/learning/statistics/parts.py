"""Kinds of statistic that are made of others: what is added up for them.

Each part is a statistic of its own in the one sum: it has a block, a share of the epsilon, and a line in what an owner
is told. Its name is that of the whole and its own: `baseline/age`.
"""

from collections.abc import Mapping

import msgspec

from potluck.core.plan import Plan, Statistic
from potluck.core.stages import Floats
from potluck.learning.data.tally import with_value
from potluck.learning.data.units import Index
from potluck.learning.statistics.kinds import kind_of


def parted(plan: Plan) -> tuple[Statistic, ...]:
    """The statistics that are added up for those of a plan."""
    return tuple(part for one in plan.statistics for part in parts_of(plan, one).values())


def parts_of(plan: Plan, one: Statistic) -> dict[str, Statistic]:
    """The parts of one, by what they are called in it; itself, called "", where it has none."""
    found = kind_of(one).parts(plan, one)
    return {key: msgspec.structs.replace(part, name=f"{one.name}/{key}") for key, part in found.items()} or {"": one}


def with_values(plan: Plan, columns: Mapping[str, Floats], index: Index) -> dict[str, int]:
    """By what is added up, how many of the rows in `index` add to it."""
    found = {}
    for one in parted(plan):
        asked = msgspec.structs.replace(one, columns=()) if kind_of(one).every else one
        found[one.name] = with_value(plan, asked, columns, index)
    return found
