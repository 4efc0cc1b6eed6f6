"""The halves of a sum: rows at different owners, one sum after another.

The server announces a sum (which step of the plan, on which model); every site derives its blocks, bounds, noise
and terms from the PLAN, not from the announcement, prepares its own contribution and takes part in the protection.
A server that announces different models to different sites, or another plan, ends in different terms: no signature
and no key of one site fits the other's.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from potluck.core.asks import Answer, Ask, Kind, Task, Votes
from potluck.core.fixed import word
from potluck.core.plan import Plan, digest
from potluck.core.rounds import Credentials, Exchange, Half, Record, RoundId, Rule, Sum, Terms
from potluck.core.stages import Guarded, Opened
from potluck.core.wire import Message, dump, pack
from potluck.dp.limits import limits
from potluck.dp.mechanism import Bound, Noised, guarded, mechanism, noise_of
from potluck.dp.reveal import reveal
from potluck.learning import voting
from potluck.learning.data.table import Table
from potluck.learning.training.method import TALLY
from potluck.secret.stream import digest as fingerprint
from potluck.tasks.announcement import BEGIN, announce, announced
from potluck.tasks.sums.votes import cast, count

OPENED, GAVE = "opened", "gave"
"""Steps of a record (`core.rounds.Exchange.known`): the sum as the server opened it, and what a site handed to the
protection. Neither travels."""


class Opening(Message, frozen=True):
    """What the server opened. givers: the names of those in the sum; words: as `core.wire.pack` has them."""

    givers: tuple[str, ...]
    words: bytes


def terms(plan: Plan, round: RoundId, ask: Ask, privacy: Bound, file: bytes = b"") -> Terms:
    """What all must agree on for this sum, from the plan and the announced model alone. file: see `Credentials`.

    Where the server sees exact sums, two of them over different sites at nearly the same model would differ by one
    site's update, and the server chooses the model: so the sites of the first sum stay those of the whole run.
    """
    kind = fingerprint(b"potluck sums 1", digest(plan), round.run.encode(), ask.kind.encode())
    step = fingerprint(kind, b"%d" % ask.step, ask.state, repr((privacy.grid, privacy.limit)).encode())
    inside = noise_of(privacy)
    noise = (inside.word, inside.sigma, inside.share) if inside else ()
    whole = fingerprint(step, repr(noise).encode(), b"%d" % round.number, b"%d" % plan.fewest, file)
    hidden = inside is not None and (inside.word != "reveal" or inside.within)
    once = whole if hidden else kind
    grid = privacy.grid
    return Terms(
        round, whole, once.hex(), plan.sites, plan.fewest, grid.length, grid.bits, rule_of(plan, ask, privacy),
        limits(plan, ask, privacy) if plan.compute else (),
    )  # fmt: skip


def rule_of(plan: Plan, ask: Ask, privacy: Bound) -> Rule:
    """How the updates of this sum are joined: by the plan's robust rule where models are averaged, else added up, with
    the central noise where that is an enclave's to add."""
    grid = privacy.grid
    if isinstance(privacy, Noised) and privacy.within:
        return Rule(noise=tuple((part.size, sigma) for part, sigma in zip(grid.parts, privacy.share, strict=True)))
    if ask.only_votes or ask.kind is not Kind.TRAIN or plan.training is None or plan.training.aggregation == "mean":
        return Rule()
    tally = next(part for part in grid.parts if part.name == TALLY)
    if tally != grid.parts[-1] or tally.step != 1.0:
        raise ValueError("a robust rule counts rows in whole numbers, at the end")
    return Rule(plan.training.aggregation, tally.size, plan.data.max_rows)


@dataclass(frozen=True, slots=True)
class RoundContext:
    """What a party needs for one sum of a run: the plan, the task, the protection and the round's number."""

    plan: Plan
    task: Task[Table, object]
    protection: Sum
    round: RoundId


def lead(context: RoundContext, ask: Ask, me: Credentials) -> Half[Answer]:
    """The server's half of one sum: announce it, open it, settle the noise it owes, reveal it."""
    privacy = mechanism(context.plan, ask)
    agreed = terms(context.plan, context.round, ask, privacy, me.file)
    helpers, votes = context.protection.helpers(), None
    first = agreed.sites if ask.votes else (*agreed.sites, *helpers)
    yield from announce(context.plan, ask, agreed.label(BEGIN), first)
    if ask.votes:
        votes = yield from count(agreed, me)
    if votes is not None and (votes.down or ask.only_votes):
        privacy, opened = nothing(context.plan, ask, votes)
    else:
        if ask.votes and helpers:  # they need not wait for votes
            yield from announce(context.plan, ask, agreed.label(BEGIN), helpers)
        opened = yield from context.protection.open(agreed, me)
        yield Exchange(agreed.label(OPENED), known=partial(_opening, opened))
    return Answer(reveal(privacy.at_reveal(opened, me.draw), privacy.grid), privacy.grid, opened.refused, votes)


def nothing(plan: Plan, ask: Ask, votes: Votes) -> tuple[Bound, Opened]:
    """What is opened of a round in which sites voted, and added nothing."""
    return mechanism(plan, replace(ask, blocks=())), Opened(np.zeros(0, dtype=word(32)), votes.voted)


def _opening(opened: Opened) -> bytes:
    return dump(Opening(tuple(sorted(map(str, opened.givers))), bytes(pack(opened.words))))


def join(context: RoundContext, rows: Table, me: Credentials) -> Half[None]:
    """A site's half of one sum: hear the announcement, check it against the plan, contribute.

    Raises Abort(TERMS): another plan, a step that the plan has not, a model that cannot be;
    Abort(REPLAY): the same step on another model; of plans by which sites vote as `votes.cast`.
    """
    ask, privacy, agreed = yield from _heard(context, me)
    if voting.remembers(context.plan, ask):
        against = voting.against(context.plan, ask, rows)
        if ask.votes:
            yield from cast(agreed, me, against, partial(rows.votes.__setitem__, ask.step))
    if ask.only_votes:
        return
    given = contribution(context.task, ask, rows, privacy, me)
    yield Exchange(agreed.label(GAVE), known=partial(pack, given.words))
    half = context.protection.give(agreed, me, given)
    del ask, given  # a large model is let go before anything is sealed
    yield from half


def aid(context: RoundContext, me: Credentials) -> Half[None]:
    """A helper's half of one sum, such as a compute party's: as `join`, with no rows of its own."""
    _, _, agreed = yield from _heard(context, me)
    yield from context.protection.assist(agreed, me)


def _heard(context: RoundContext, me: Credentials) -> Half[tuple[Ask, Bound, Terms]]:
    """What is asked, checked against the plan."""
    said = yield from announced(context.plan, context.round)
    ask = context.task.ask(said.kind, said.step, said.state)
    privacy = mechanism(context.plan, ask)
    agreed = terms(context.plan, context.round, ask, privacy, me.file)
    # One model a step: a server cannot try several on the same rows. A redone round repeats the same model.
    key = f"step/{context.round.run}/{ask.kind}/{ask.step}"
    yield Exchange(agreed.label(BEGIN), record=Record(key, fingerprint(ask.state), again=True))
    return ask, privacy, agreed


def contribution(task: Task[Table, object], ask: Ask, rows: Table, privacy: Bound, me: Credentials) -> Guarded:
    """rows -> Update -> Bounded -> Encoded -> Guarded: what a site's half hands to the protection."""
    return guarded(privacy, task.contribute(ask, rows, me.draw), me.draw)
