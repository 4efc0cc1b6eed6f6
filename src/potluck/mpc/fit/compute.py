"""A compute party's half of a fit: take parts, compare promises, run one program, open the faults, hand on the results.

What it sees: two of three parts of every owner's columns, or one of two, which say nothing; how many rows and columns
there are; of each owner, how many of its numbers are out of range; and whether fewer rows are kept than the plan says.
Either ends the round. It opens nothing else: its shares of the results are sealed to those who read the model.

It does NOT keep a compute party that departs from the protocol from changing the model, or two that collude from
reading everything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from potluck.core.fitting import SECONDS, TOO_FEW_ROWS, Fitting, Recipe, Sampler
from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel
from potluck.core.steps import checked
from potluck.core.wire import dump, load
from potluck.mpc.coordination import Place, Steps, compiled_and_linked, in_step, open_all, tell_all
from potluck.mpc.credentials import EngineCredentials
from potluck.mpc.dealing import Keys, check_parts
from potluck.mpc.fit import messages as m
from potluck.mpc.fit.noise import noised
from potluck.mpc.fit.parts import commitment, fits, shares, sizes
from potluck.mpc.spu import Compiled
from potluck.secret.box import SEED, BoxKey, PublicBoxKey
from potluck.secret.container import Secret

Make = Callable[[int, int], Recipe]
"""The program for so many training rows and held-out rows."""


@dataclass(frozen=True, slots=True, eq=False)
class _Cast:
    """What all agree on before they compute."""

    recipe: Recipe
    promises: Sequence[m.Promise]
    shown: Mapping[Party, m.Shown]
    own: EngineCredentials


def compute(place: Place, fitting: Fitting, me: Credentials, make: Make, sample: Sampler) -> Half[None]:
    """A compute party's half. Reveals: to the others, whether each owner's numbers are in range, and, without noise,
    whether as many rows are kept as the plan says.

    sample: draws this party's noise, where the program takes any.
    Raises Abort: COMMITMENT, TERMS, RANGE, naming an owner; ENGINE, SILENT, naming a compute party; ROWS, nobody.
    """
    key = BoxKey(Secret(me.draw(SEED)))
    send = {owner: Parcel(fitting.label(m.KEYS), dump(Keys(key.public))) for owner in fitting.owners}
    owners = frozenset(fitting.owners)
    read = partial(_read_input, place, fitting, me, key)
    waiting = fitting.hops(SECONDS)  # rows are matched first
    inbox = yield Exchange(fitting.label(m.INPUT), send, owners, len(owners), waiting, read=read)
    cast = yield from _agree(place, fitting, me, key, make, inbox.got)
    program = yield from _prepare(place, fitting, cast)
    given = _arguments(fitting, cast, inbox.got)
    del inbox
    if cast.recipe.noise is not None:
        boxes = {party: one.box for party, one in cast.shown.items()}
        given += yield from noised(place, fitting, me, key, boxes, cast.recipe.noise, sample)
    found = yield from in_step(place, fitting.label, m.RUN, place.engine.execute(program, given), m.ROLL)
    yield from _judge(place, fitting, found[0])
    label, body = fitting.label(m.RESULT), dump(m.Shares(tuple(found[1:])))
    yield Exchange(label, send={o: Parcel(label, _sealed(place, fitting, cast, o, body)) for o in fitting.owners})


def _read_input(place: Place, fitting: Fitting, me: Credentials, key: BoxKey, sender: Party, body: bytes) -> bytes:
    """Opens an owner's parts and holds them against its promise. Raises Abort: BOX, SIGNATURE, COMMITMENT, KEYS."""
    message = load(body, m.Input, sender)
    promise = message.promise
    me.verify(sender, m.promise_statement(fitting, sender, promise), promise.signature)
    if bool(promise.box) != (sender in fitting.to):
        raise Abort(Cause.TERMS, party=sender, step=m.INPUT, detail="it asks for what is not its to read")
    if promise.box:
        PublicBoxKey(promise.box)
    opened = key.unseal(message.sealed, m.box_info(fitting, sender, place.me, promise.parts))
    parts, info = load(opened, m.Dealt, sender).held, m.part_info(fitting, sender)
    check_parts(place, sender, m.INPUT, parts, promise.parts, lambda part: commitment(part, info))
    return dump(m.Input(opened, promise))


def _agree(
    place: Place, fitting: Fitting, me: Credentials, key: BoxKey, make: Make, got: Mapping[Party, bytes]
) -> Half[_Cast]:
    """One promise of each owner at all parties, and one alignment at all owners. Raises Abort, naming who differs."""
    promises = tuple(load(got[owner], m.Input, owner).promise for owner in fitting.owners)
    own, address = place.engine.offer(place.me, fitting.round)
    mine = m.Shown(promises, place.engine.standing(), address, own.certificate, key.public)
    # Another may still wait for an owner.
    read = checked(m.Shown, partial(_check_shown, fitting, me))
    shown = yield from tell_all(place, fitting.label, m.HELD, mine, read, fitting.hops(SECONDS))
    for number, owner in enumerate(fitting.owners):
        if len({one.promises[number].parts for one in shown.values()}) > 1:
            raise Abort(Cause.COMMITMENT, party=owner, step=m.HELD, detail="it promised different parts")
    _aligned(fitting, promises)
    return _Cast(make(promises[0].train, promises[0].test), promises, shown, own)


def _check_shown(fitting: Fitting, me: Credentials, sender: Party, said: m.Shown) -> None:
    """Raises Abort naming the sender: it lacks an owner's promise, or shows one without that owner's signature."""
    if len(said.promises) != len(fitting.owners):
        raise Abort(Cause.MALFORMED, party=sender, step=m.HELD, detail="not one promise an owner")
    for owner, promise in zip(fitting.owners, said.promises, strict=True):
        me.verify(owner, m.promise_statement(fitting, owner, promise), promise.signature)


def _aligned(fitting: Fitting, promises: Sequence[m.Promise]) -> None:
    """Raises Abort(TERMS): the owners' rows are not the same ones in one order. Named is who is alone with it."""
    said = [(one.train, one.test, one.order) for one in promises]
    if len(set(said)) == 1:
        return
    alone = [owner for owner, one in zip(fitting.owners, said, strict=True) if said.count(one) == 1]
    party = alone[0] if len(alone) == 1 else None
    raise Abort(Cause.TERMS, party=party, step=m.INPUT, detail="the owners' rows are not in one order")


def _prepare(place: Place, fitting: Fitting, cast: _Cast) -> Half[Compiled]:
    """Compile, compare, and link where that is to be done. Raises Abort naming who has something else."""

    def compiled() -> tuple[Compiled, bytes]:
        program = place.engine.program(cast.recipe.program, cast.recipe.numbers)
        _expected(place, cast.recipe, program)
        return program, program.digest

    steps = Steps(m.READY, m.LINK, m.ROLL, "saw other promises", fitting.hops(120))
    about = (b"potluck fit agreed 1", fitting.digest)
    return (yield from compiled_and_linked(place, fitting.label, steps, cast.own, cast.shown, compiled, about))


def _expected(place: Place, recipe: Recipe, program: Compiled) -> None:
    """Raises Abort(ENGINE): the engine's program takes or gives something else than the plan's parties reckon with."""
    takes, noise = [(one.kind, one.shape) for one in program.takes], recipe.noise
    gives = [(one.kind, one.shape) for one in program.gives]
    wanted = [(t.kind, t.shape) for t in recipe.takes]
    wanted += [("fixed", noise.shape)] * len(place.ranks) if noise else []
    if takes != wanted or gives != [(g.kind, g.shape) for g in recipe.gives]:
        raise Abort(Cause.ENGINE, step=m.READY, detail="its program takes or gives something else")


def _arguments(fitting: Fitting, cast: _Cast, got: Mapping[Party, bytes]) -> list[bytes]:
    """This party's share of each argument. Raises Abort(MALFORMED), naming whose parts have another length."""
    by_owner: list[list[bytes]] = []
    for number, owner in enumerate(fitting.owners):
        takes = cast.recipe.of(number)
        dealt = load(load(got[owner], m.Input, owner).sealed, m.Dealt, owner)
        if not all(fits(part, sizes(takes)) for part in dealt.held):
            raise Abort(Cause.MALFORMED, party=owner, step=m.INPUT, detail="a part of another length")
        by_owner.append(shares(takes, dealt.held, m.part_info(fitting, owner)))
    return [by_owner[take.owner].pop(0) for take in cast.recipe.takes]


def _judge(place: Place, fitting: Fitting, faults: bytes) -> Half[None]:
    """Open to each other how many numbers are out of range, and whether too few rows are kept.

    Raises Abort: RANGE, naming an owner whose numbers are: what follows from them means nothing; else ROWS.
    """
    opened = yield from open_all(place, fitting.label, m.FAULTS, faults, len(fitting.owners) + 1, fitting.hops(60))
    *counts, few = opened.tolist()
    for owner, count in zip(fitting.owners, counts, strict=True):
        if count:
            hint = "it shares numbers that its encoding does not make"
            raise Abort(Cause.RANGE, party=owner, step=m.FAULTS, detail=f"numbers out of range. hint: {hint}")
    if few:
        raise Abort(Cause.ROWS, step=m.FAULTS, detail=TOO_FEW_ROWS)


def _sealed(place: Place, fitting: Fitting, cast: _Cast, owner: Party, body: bytes) -> bytes:
    """The results for one owner; nothing for who reads no model."""
    box = cast.promises[fitting.owners.index(owner)].box
    if not box:
        return dump(m.Outcome(b""))
    return dump(m.Outcome(PublicBoxKey(box).seal(body, m.result_info(fitting, place.me, owner, box))))
