"""What a statistic asks for, in words."""

from potluck.core import prose
from potluck.core.plan import Plan, Statistic
from potluck.learning.data.declared import find
from potluck.learning.statistics.kinds import kind_of


def unit_of(plan: Plan, one: Statistic) -> str:
    """Of its value; empty where it has none, or its column says none."""
    column = find(plan, one.column) if one.column else None
    if column is None or not column.unit:
        return ""
    return {"same": column.unit, "square": f"{column.unit}²"}.get(kind_of(one).unit, "")


def asks(plan: Plan, one: Statistic) -> str:
    """As a heading has it: "Mean of age by sex, in years"."""
    kind = kind_of(one)
    what = " ".join(filter(None, (one.family or one.method, kind.title or one.test or one.kind)))
    columns = one.columns or tuple(filter(None, (one.column or one.target or one.outcome or one.time,)))
    unit = unit_of(plan, one)
    parts = (
        what,
        f" of {prose.listed(columns)}" if columns else "",
        f" by {one.by}" if one.by else "",
        f", in {unit}" if unit else "",
    )
    return prose.capital("".join(parts))


def tells(plan: Plan, one: Statistic) -> str:
    """What its sums open, and what that may say of one row, where there is no noise."""
    said = kind_of(one).tells
    return f"{one.name} ({asks(plan, one)})" + (f" opens {said}" if said else "")
