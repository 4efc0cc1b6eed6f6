"""What a plan asks otherwise than one that was let in before, in sentences: what an owner would want to know first.

It does NOT name every key that differs: the page's fold does.
"""

from potluck.core.party import Party, Role
from potluck.core.plan import Plan
from potluck.core.prose import count, listed
from potluck.core.visible import visible
from potluck.dp.account import promise
from potluck.owner.reach import columns_read, read_by


def differences(before: Plan, now: Plan, me: Party) -> tuple[str, ...]:
    """Of two plans, as `me` is asked."""
    found: list[str] = []
    if before.purpose != now.purpose:
        found.append(f"its purpose is another; it was: {visible(before.purpose)}")
    if me.role is not Role.COMPUTE:
        found += _more("reads", columns_read(before, me.name), columns_read(now, me.name))
    found += _more("is with", before.federation.sites, now.federation.sites)
    found += _more("shows what comes of it to", read_by(before), read_by(now))
    if before.model and now.model and before.model.kind != now.model.kind:
        found.append(f"its model is {visible(str(now.model.kind))}, not {visible(str(before.model.kind))}")
    target, other = (one.data.target.names if one.data.target else () for one in (now, before))
    if target != other:
        found.append(f"it predicts {_names(target)}, not {_names(other)}")
    rounds, earlier = (one.training.rounds if one.traits.trains and one.training else None for one in (now, before))
    if rounds != earlier and rounds is not None and earlier is not None:
        found.append(f"it has {count(rounds, 'round')} of training instead of {earlier:,}")
    if promise(before) != promise(now):
        found.append(f"it may cost {_cost(now)}, instead of {_cost(before)}")
    if before.protect.scheme != now.protect.scheme:
        found.append(f"its sums are guarded by {now.protect.scheme} instead of {before.protect.scheme}")
    if before.permitted != now.permitted:
        found.append("what it says of its permit is another")
    return tuple(found)


def _more(verb: str, before: tuple[str, ...], now: tuple[str, ...]) -> list[str]:
    more, fewer = [one for one in now if one not in before], [one for one in before if one not in now]
    found = [f"it {verb} {_names(more)}, too"] if more else []
    return [*found, f"it {verb} {_names(fewer)} no more"] if fewer else found


def _names(names: list[str] | tuple[str, ...]) -> str:
    return listed([visible(one) for one in names]) or "nothing"


def _cost(plan: Plan) -> str:
    most = promise(plan)
    return "nothing that epsilon counts: exact sums" if most is None else f"epsilon {most:g}"
