"""What of an owner's a plan reaches: the columns that it reads, and which sites read what comes of them.

It does NOT judge: `judge` holds it against the policy.
"""

from potluck.core.plan import Plan
from potluck.learning.data.columns import reader_names
from potluck.owner.hours import ANY


def columns_read(plan: Plan, owner: str | None = None) -> tuple[str, ...]:
    """The columns that a plan reads, as it names them: features, target, person and split column, and keys.

    owner: with columns at different sites, the one whose are asked for; None: all. Of a prediction none: the model
    says which, and the client's site asks its policy when it knows.
    """
    data = plan.data
    if plan.traits.scores:
        return ()
    keys = list(plan.align.keys) if plan.align else []
    if plan.traits.keyed:
        return tuple(dict.fromkeys(keys))
    names = keys + [name for name, column in data.columns.items() if not column.ignored]
    names += data.join.keys if data.join is not None else []
    names += [data.person] if data.person is not None else []
    if not plan.traits.counts:
        # What is derived, or is a person's, stands in no file: the columns that it is made of are declared, and so
        # among these.
        made = data.derive.keys() | (data.reduce.columns.keys() if data.reduce else set())
        names += [name for name in data.target.names if name not in made] if data.target else []
        names += [data.split.column] if data.split and data.split.column is not None else []
    if plan.traits.joins and owner is not None:
        names = [name for name in names if _owner(plan, name) in (None, owner)]
    return tuple(dict.fromkeys(names))


def _owner(plan: Plan, name: str) -> str | None:
    """Whose a column is; None: everybody's, as a key. The split column belongs to the target's owner."""
    data, split = plan.data, plan.data.split
    if split is not None and name == split.column and data.target is not None:
        name = data.target.names[0]
    column = data.columns.get(name)
    return None if column is None else column.owner


def covers(pattern: str, name: str) -> bool:
    """Does a pattern of the policy allow a name, or all that a pattern of the plan may match? `*`: any letters.

    No other letter is special: a column may be called "a[1]". The plan's `*` is only met by one of the policy's, so
    that the plan's "lab*" needs "lab*", "l*" or "*". One pass, so that no name makes it slow.
    """
    if ANY not in pattern:
        return pattern == name
    first, *middle, last = pattern.split(ANY)
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    place, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True


def read_by(plan: Plan) -> tuple[str, ...]:
    """The sites that read what comes of a plan that not all of them see: a fitted model, matches, or scores."""
    if plan.traits.joins:
        return reader_names(plan)
    if plan.traits.scores:
        return (plan.predict.client,) if plan.predict else ()
    if plan.traits.keyed and plan.align is not None:
        return plan.align.to or plan.federation.sites
    return ()
