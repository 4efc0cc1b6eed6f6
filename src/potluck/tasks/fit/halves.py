"""The halves of a fit over columns at different owners: match rows, share columns, compute, and show those the model
whom the plan names.

A round: the server announces it; the owners match their rows (`alignment`); which are held out each knows by the keys,
or hears of the target's owner where a column says it; each owner parts its columns among the compute parties, which run
one program and seal its results to the model's readers. The server hands on what it cannot read, and hears the end.

It is for parties that follow the protocol: any two compute parties together read everything, and one that departs can
change the model. Nothing here keeps an owner from putting in columns that it made up, within their ranges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from potluck.core.asks import Kind
from potluck.core.errors import DataError
from potluck.core.fitting import Fitting, Given
from potluck.core.party import SERVER, Party, site
from potluck.core.plan import Plan, digest
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Label, Parcel, RoundId
from potluck.core.wire import dump, load
from potluck.dp.noise import gaussian
from potluck.learning.data.columns import Own, held_out, ordered, target_owner
from potluck.learning.data.split import by_key
from potluck.learning.fit_check import unfit
from potluck.learning.training.trained import Trained
from potluck.mpc.coordination import Place
from potluck.mpc.engine import Engine
from potluck.mpc.fit.compute import compute
from potluck.mpc.fit.server import handed_split, last_words
from potluck.mpc.fit.site import shared, told_split
from potluck.mpc.psi.curve import split
from potluck.mpc.spu import DIGEST
from potluck.secret.stream import digest as fingerprint
from potluck.tasks.announcement import BEGIN, Announcement
from potluck.tasks.fit.learners import charged, learner, readers
from potluck.tasks.matching.alignment import Keys, Tools, aligned, gathering, handed_on


@dataclass(frozen=True, slots=True)
class RoundContext:
    """What a party needs for the one round: the plan and the round's number."""

    plan: Plan
    round: RoundId

    def fitting(self, file: bytes = b"") -> Fitting:
        """What all parties agree on, from the plan alone. file: as in `Credentials`."""
        plan, run, number = self.plan, self.round.run.encode(), b"%d" % self.round.number
        target = site(target_owner(plan))
        agreed = fingerprint(b"potluck fit 1", digest(plan), run, number, file)
        patience, sides = plan.federation.patience, plan.data.split
        # Sides that follow from keys must not pass the server: in the order of keys they tell a guesser which are in.
        told = sides is not None and sides.column is not None
        return Fitting(self.round, agreed, plan.sites, target, readers(plan), plan.compute, patience, split=told)


@dataclass(frozen=True, slots=True, eq=False)
class Brought:
    """What an owner brings: its keys, its columns, and its tools to match rows. allow: told how many common rows are
    trained on, raises Refused where its owner's policy wants more."""

    keys: Keys = field(repr=False)
    own: Own = field(repr=False)
    tools: Tools = field(repr=False)
    allow: Callable[[int], None] = lambda rows: None


def direct(sitting: RoundContext, me: Credentials) -> Half[None]:
    """The server's half. Reveals: how many keys each owner has; where a column says which rows are held out, how many
    rows are common and which positions are held out; sizes of letters, and when each comes."""
    fitting = sitting.fitting(me.file)
    label = fitting.label(BEGIN)
    body = dump(_announcement(sitting))
    yield Exchange(label, send={party: Parcel(label, body) for party in (*fitting.owners, *fitting.ranks)})
    yield from handed_on(gathering(sitting.plan, sitting.round, me.file))
    yield from handed_split(fitting)
    yield from last_words(fitting)


def bring(sitting: RoundContext, brought: Brought, me: Credentials) -> Half[Trained | None]:
    """An owner's half. Gives the model at one of its readers, else None.

    Reveals: to the other owners which of its rows all have; to the compute parties, how many; what it shares, to any
    two of them together. Raises Abort; DataError: no common row, a value missing that may not be; Refused: fewer than
    its owner's policy wants.
    """
    fitting, plan, name = sitting.fitting(me.file), sitting.plan, me.party.name
    yield from _begun(sitting)
    common = yield from aligned(gathering(plan, sitting.round, me.file), me, brought.keys, brought.tools)
    assert common.rows is not None
    if not len(common.rows):
        raise DataError("no row is common to all owners", where="align.keys", hint="see how keys are spelt at each")
    test = yield from _sides(sitting, me, brought, common.rows)
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
    opened = yield from shared(fitting, me, method.recipe(train, held), given)
    return None if opened is None else method.outcome(opened, train, held)


def assist(sitting: RoundContext, engine: Engine, me: Credentials) -> Half[None]:
    """A compute party's half. Reveals: see `mpc.fit.compute.compute`."""
    yield from _begun(sitting)
    fitting = sitting.fitting(me.file)
    yield from compute(Place(fitting.ranks, me.party, engine), fitting, me, learner(sitting.plan).recipe, gaussian)


def _sides(
    sitting: RoundContext, me: Credentials, brought: Brought, rows: NDArray[np.int64]
) -> Half[NDArray[np.bool_]]:
    """Which of the common rows are held out. Reveals: as `told_split`, where a column says it."""
    fitting, spec = sitting.fitting(me.file), sitting.plan.data.split
    if fitting.split:
        mine = held_out(sitting.plan, brought.own, rows, [])
        return (yield from told_split(fitting, me, len(rows), mine))
    if spec is None or spec.test is None:
        return np.zeros(len(rows), np.bool_)
    return by_key(spec.seed, spec.test, _keys(brought.keys, rows))


def _keys(keys: Keys, rows: NDArray[np.int64]) -> list[bytes]:
    """The digests of these rows' keys."""
    of = dict(zip(keys.rows.tolist(), split(keys.digests, DIGEST), strict=True))
    return [of[row] for row in rows.tolist()]


def _announcement(sitting: RoundContext) -> Announcement:
    return Announcement(digest(sitting.plan), Kind.FIT, 0, b"")


def _begun(sitting: RoundContext) -> Half[None]:
    """Hear the announcement. Raises Abort(TERMS): another plan, or nothing that this one has."""
    heard = Label(sitting.round, BEGIN)
    inbox = yield Exchange(heard, expect=frozenset({SERVER}), at_least=1, hops=2)
    if load(inbox.got[SERVER], Announcement, SERVER) != _announcement(sitting):
        raise Abort(Cause.TERMS, party=SERVER, detail="the server runs another plan, or a round that this one has not")


def halves(
    sitting: RoundContext,
    brought: Mapping[Party, Brought],
    engines: Mapping[Party, Engine],
    seat: Callable[[Party], Credentials],
) -> dict[Party, Half[object]]:
    """Every party's half, for one process that plays them all."""
    fitting = sitting.fitting()
    found: dict[Party, Half[object]] = {SERVER: direct(sitting, seat(SERVER))}
    found |= {party: assist(sitting, engines[party], seat(party)) for party in fitting.ranks}
    return found | {party: bring(sitting, brought[party], seat(party)) for party in fitting.owners}
