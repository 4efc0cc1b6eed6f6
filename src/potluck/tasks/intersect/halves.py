"""The halves of an intersection: which keys all owners have, or how many, shown to those whom the plan names.

A round: the server announces it, the owners match their keys (`alignment`), and those who learn something say that they
have it. Nothing here keeps an owner from putting in keys that it made up: whoever can guess keys learns which of them
all others have.
"""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from potluck.core.party import SERVER, Party
from potluck.core.rounds import Credentials, Exchange, Half, Parcel
from potluck.core.steps import hear
from potluck.tasks.announcement import BEGIN, RoundContext, announce, begun, only
from potluck.tasks.matching.alignment import Common, Keys, Tools, aligned, gathering, handed_on

DONE = "intersect/done"


@dataclass(frozen=True, slots=True)
class Intersected:
    """A run's outcome, as far as it is known here. size: None where no receiver is here.

    members: the first receiver's rows of keys, in the common order, as they stand in its file; None where they are not
    revealed, or not here. reused: an earlier alignment of the same keys was taken.
    """

    size: int | None
    columns: tuple[str, ...] = ()
    members: tuple[tuple[str, ...], ...] | None = field(default=None, repr=False)
    reused: bool | None = None
    warnings: tuple[str, ...] = ()


def conduct(context: RoundContext, me: Credentials) -> Half[None]:
    """The server's half. Reveals: how many keys each owner has, sizes of letters, and when each comes."""
    about = gathering(context.plan, context.round, me.file)
    yield from announce(context.plan, only(context.plan), about.label(BEGIN), about.owners)
    yield from handed_on(about)
    yield hear(about.label(DONE), about.to, hops=2)


def match(context: RoundContext, keys: Keys, tools: Tools, me: Credentials) -> Half[Common]:
    """An owner's half. Reveals: to all owners and the server, how many keys it has; to receivers, what the plan says.

    Raises Abort: among others TERMS where the server runs another plan.
    """
    yield from begun(context.plan, context.round)
    about = gathering(context.plan, context.round, me.file)
    found = yield from aligned(about, me, keys, tools)
    if me.party in about.to:
        label = about.label(DONE)
        yield Exchange(label, send={SERVER: Parcel(label, b"")})
    return found


def halves(
    context: RoundContext,
    keys: Mapping[Party, Keys],
    tools: Mapping[Party, Tools],
    seat: Callable[[Party], Credentials],
) -> dict[Party, Half[object]]:
    """Every party's half, for one process that plays them all."""
    found: dict[Party, Half[object]] = {SERVER: conduct(context, seat(SERVER))}
    return found | {one: match(context, keys[one], tools[one], seat(one)) for one in context.plan.sites}


def learnt(columns: tuple[str, ...], keys: Keys, common: Common) -> Intersected:
    """What one receiver has learnt, with its own keys' texts."""
    members = None if common.rows is None else tuple(keys.texts[int(row)] for row in common.rows)
    return Intersected(common.size, columns, members, common.reused)


def text_of(found: Intersected) -> str:
    """members.csv: the key columns, a line a common key, in the common order, as the receiver's file has them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(found.columns)
    writer.writerows(found.members or ())
    return text.getvalue()
