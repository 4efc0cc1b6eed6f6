"""The halves of a fit over columns at different owners: match rows, share columns, compute, and show those the model
whom the plan names.

A round: the server announces it; the owners match their rows (`alignment`); which are held out each knows by the keys,
or hears of the target's owner where a column says it; each owner parts its columns among the compute parties, which run
one program and seal its results to the model's readers. The server hands on what it cannot read, and hears the end.

It is for parties that follow the protocol: any two compute parties together read everything, and one that departs can
change the model. Nothing here keeps an owner from putting in columns that it made up, within their ranges.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import DataError
from potluck.core.fitting import Fitting, Given
from potluck.core.party import SERVER, Party, site
from potluck.core.plan import digest
from potluck.core.rounds import Credentials, Half
from potluck.dp.noise import gaussian
from potluck.learning.data.columns import Own, held_out, ordered, target_owner
from potluck.learning.data.split import by_key
from potluck.learning.training.fit_check import unfit
from potluck.learning.training.trained import Trained
from potluck.mpc.coordination import Place
from potluck.mpc.engine import Engine
from potluck.mpc.fit.compute import compute
from potluck.mpc.fit.server import handed_split, last_words
from potluck.mpc.fit.site import shared, told_split
from potluck.mpc.psi.curve import split
from potluck.mpc.spu import DIGEST
from potluck.secret.stream import digest as fingerprint
from potluck.tasks.announcement import BEGIN, RoundContext, announce, begun, only
from potluck.tasks.fit.learner import charged, learner, readers
from potluck.tasks.matching.alignment import Keys, Tools, aligned, gathering, handed_on


def fitting(context: RoundContext, file: bytes = b"") -> Fitting:
    """What all parties agree on, from the plan alone. file: as in `Credentials`."""
    plan, round_ = context.plan, context.round
    agreed = fingerprint(b"potluck fit 1", digest(plan), round_.run.encode(), b"%d" % round_.number, file)
    target, patience, sides = site(target_owner(plan)), plan.federation.patience, plan.data.split
    # Sides that follow from keys must not pass the server: in the order of keys they tell a guesser which are in.
    told = sides is not None and sides.column is not None
    return Fitting(round_, agreed, plan.sites, target, readers(plan), plan.compute, patience, split=told)


@dataclass(frozen=True, slots=True, eq=False)
class Brought:
    """What an owner brings: its keys, its columns, and its tools to match rows. allow: told how many common rows are
    trained on, raises Refused where its owner's policy wants more."""

    keys: Keys = field(repr=False)
    own: Own = field(repr=False)
    tools: Tools = field(repr=False)
    allow: Callable[[int], None] = lambda rows: None


def direct(context: RoundContext, me: Credentials) -> Half[None]:
    """The server's half. Reveals: how many keys each owner has; where a column says which rows are held out, how many
    rows are common and which positions are held out; sizes of letters, and when each comes."""
    plan, agreed = context.plan, fitting(context, me.file)
    yield from announce(plan, only(plan), agreed.label(BEGIN), (*agreed.owners, *agreed.ranks))
    yield from handed_on(gathering(plan, context.round, me.file))
    yield from handed_split(agreed)
    yield from last_words(agreed)


def bring(context: RoundContext, brought: Brought, me: Credentials) -> Half[Trained | None]:
    """An owner's half. Gives the model at one of its readers, else None.

    Reveals: to the other owners which of its rows all have; to the compute parties, how many; what it shares, to any
    two of them together. Raises Abort; DataError: no common row, a value missing that may not be; Refused: fewer than
    its owner's policy wants.
    """
    agreed, plan, name = fitting(context, me.file), context.plan, me.party.name
    yield from begun(plan, context.round)
    common = yield from aligned(gathering(plan, context.round, me.file), me, brought.keys, brought.tools)
    assert common.rows is not None
    if not len(common.rows):
        raise DataError("no row is common to all owners", where="align.keys", hint="see how keys are spelt at each")
    test = yield from _sides(context, me, brought, common.rows)
    if test.all():
        raise DataError("the training side of the split is empty", hint="lower data.split.test, or see the column")
    method, train, held = learner(plan), int((~test).sum()), int(test.sum())
    brought.allow(train)
    wrong = unfit(plan, train, held)
    if wrong:
        what, _, hint = wrong.partition(". hint: ")
        raise DataError(what, where=name, hint=hint)
    columns = ordered(brought.own, common.rows, test, name)
    order = fingerprint(b"potluck fit order 1", common.order, np.packbits(test).tobytes())
    given = Given(method.shared(name, columns), train, held, order, charged(plan))
    opened = yield from shared(agreed, me, method.recipe(train, held), given)
    return None if opened is None else method.outcome(opened, train, held)


def assist(context: RoundContext, engine: Engine, me: Credentials) -> Half[None]:
    """A compute party's half. Reveals: see `mpc.fit.compute.compute`."""
    yield from begun(context.plan, context.round)
    agreed = fitting(context, me.file)
    yield from compute(Place(agreed.ranks, me.party, engine), agreed, me, learner(context.plan).recipe, gaussian)


def _sides(
    context: RoundContext, me: Credentials, brought: Brought, rows: NDArray[np.int64]
) -> Half[NDArray[np.bool_]]:
    """Which of the common rows are held out. Reveals: as `told_split`, where a column says it."""
    agreed, spec = fitting(context, me.file), context.plan.data.split
    if agreed.split:
        mine = held_out(context.plan, brought.own, rows, [])
        return (yield from told_split(agreed, me, len(rows), mine))
    if spec is None or spec.test is None:
        return np.zeros(len(rows), np.bool_)
    return by_key(spec.seed, spec.test, _keys(brought.keys, rows))


def _keys(keys: Keys, rows: NDArray[np.int64]) -> list[bytes]:
    """The digests of these rows' keys."""
    of = dict(zip(keys.rows.tolist(), split(keys.digests, DIGEST), strict=True))
    return [of[row] for row in rows.tolist()]


def halves(
    context: RoundContext,
    brought: Mapping[Party, Brought],
    engines: Mapping[Party, Engine],
    seat: Callable[[Party], Credentials],
) -> dict[Party, Half[object]]:
    """Every party's half, for one process that plays them all."""
    agreed = fitting(context)
    found: dict[Party, Half[object]] = {SERVER: direct(context, seat(SERVER))}
    found |= {party: assist(context, engines[party], seat(party)) for party in agreed.ranks}
    return found | {party: bring(context, brought[party], seat(party)) for party in agreed.owners}
