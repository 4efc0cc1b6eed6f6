"""A compute party's half of the three-server sum: take parts, agree whose, check them in secret, and open the sum once.

What it sees: two of three parts of every site's words, which say nothing; one bit a site, whether its words are within
what the plan allows; nothing of the sum. Its share of the sum leaves only when the sites that are in it have confirmed
that set, and it has written the set down: for what may be opened once, it helps to open no other.

It does NOT keep a compute party that departs from the protocol from changing the sum, or two that collude from reading
everything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from potluck.core.desk import farewell
from potluck.core.party import SERVER, Party
from potluck.core.rounds import SURVIVORS, Abort, Cause, Credentials, Exchange, Half, Limit, Parcel, Terms
from potluck.core.steps import checked
from potluck.core.wire import by_site, dump, load
from potluck.mpc.coordination import Place, Steps, compiled_and_linked, in_step, open_all, tell_all
from potluck.mpc.credentials import EngineCredentials
from potluck.mpc.dealing import Dealt, Keys, check_parts
from potluck.mpc.engine import BOUND
from potluck.mpc.replicated import commitment, expanded, share
from potluck.mpc.share import messages as m
from potluck.mpc.spu import Compiled
from potluck.secret.box import SEED, BoxKey
from potluck.secret.container import Secret
from potluck.secret.statement import survived


@dataclass(frozen=True, slots=True, eq=False)
class _Cast:
    """What the three agree on before they compute. givers: whose parts all hold; faults: who was left out, and why."""

    givers: tuple[int, ...]
    faults: tuple[m.Fault, ...]
    held: Mapping[Party, m.Held]
    own: EngineCredentials


def assist(place: Place, terms: Terms, me: Credentials) -> Half[None]:
    """A compute party's half. Reveals: to the other two, one bit a site; to the server, with theirs, the sum."""
    key = BoxKey(Secret(me.draw(SEED)))
    send = {site: Parcel(terms.label(m.KEYS), dump(Keys(key.public))) for site in terms.sites}
    read = partial(_read_input, place, terms, me, key)
    awaited = frozenset(terms.sites)
    inbox = yield Exchange(terms.label(m.INPUT), send, awaited, terms.fewest, hops=3, read=read, contributes=True)
    inputs = {terms.sites.index(site): body for site, body in inbox.got.items()}
    gone = {terms.sites.index(site): cause for site, cause in inbox.gone.items()}
    cast = yield from _agree(place, terms, me, inputs, gone)
    program = yield from _prepare(place, terms, cast)
    pending = place.engine.execute(program, [_share(terms, inputs, one) for one in cast.givers])
    total, bits = yield from in_step(place, terms.label, m.RUN, pending, m.ROLL)
    accepted, faults = yield from _judge(place, terms, cast, bits)
    yield from _confirm(terms, accepted)
    label = terms.label(m.RESULT)
    yield Exchange(label, send={SERVER: Parcel(label, dump(m.Result(accepted, faults, total)))})


def _read_input(place: Place, terms: Terms, me: Credentials, key: BoxKey, sender: Party, body: bytes) -> bytes:
    """Opens a site's parts and holds them against its promise. Raises Abort: BOX, SIGNATURE, COMMITMENT, MALFORMED."""
    message = load(body, m.Input, sender)
    promise = message.promise
    me.verify(sender, m.promise_statement(terms, sender, promise.parts), promise.signature)
    opened = key.unseal(message.sealed, m.box_info(terms, sender, place.me, promise.parts))
    pieces, info = load(opened, Dealt, sender).held, m.part_info(terms, sender)
    check_parts(place, sender, m.INPUT, pieces, promise.parts, lambda piece: commitment(piece, info))
    if any(len(piece.rest) not in (0, 8 * terms.length) for piece in pieces):
        raise Abort(Cause.MALFORMED, party=sender, step=m.INPUT, detail="a part of another length")
    return dump(m.Input(opened, promise))


def _share(terms: Terms, inputs: Mapping[int, bytes], site: int) -> bytes:
    """A site's parts as this party's engine takes them."""
    party = terms.sites[site]
    dealt, info = load(load(inputs[site], m.Input, party).sealed, Dealt, party), m.part_info(terms, party)
    return share(*(expanded(piece, info, terms.length) for piece in dealt.held))


def _agree(
    place: Place, terms: Terms, me: Credentials, inputs: Mapping[int, bytes], gone: Mapping[int, Cause]
) -> Half[_Cast]:
    """Whose parts all three hold, with one promise: the same for all three, from the same three lists."""
    listed = tuple(m.Listed(one, load(inputs[one], m.Input, terms.sites[one]).promise) for one in sorted(inputs))
    faults = tuple(m.Fault(one, gone[one]) for one in sorted(gone))
    own, address = place.engine.offer(place.me, terms.round)
    mine = m.Held(listed, faults, place.engine.standing(), address, own.certificate)
    read = checked(m.Held, partial(_check_held, terms, me))
    held = yield from tell_all(place, terms.label, m.HELD, mine, read, hops=4)  # another may still wait for a site
    promises = {party: {one.site: one.promise.parts for one in said.listed} for party, said in held.items()}
    common = set.intersection(*(set(one) for one in promises.values()))
    torn = {one for one in common if len({promise[one] for promise in promises.values()}) > 1}
    causes = {fault.site: fault.cause for party in place.ranks for fault in held[party].faults}
    causes |= dict.fromkeys(torn, Cause.COMMITMENT)
    givers = tuple(sorted(common - torn))
    left_out = tuple(m.Fault(one, causes[one]) for one in sorted(causes) if one not in givers)
    yield from _report_or_stop(terms, givers, left_out, m.HELD)
    return _Cast(givers, left_out, held, own)


def _check_held(terms: Terms, me: Credentials, sender: Party, said: m.Held) -> None:
    """Raises Abort naming the sender: it lists a site without that site's own signature, or not in order."""
    by_site(said.faults, len(terms.sites), sender)
    for number, one in by_site(said.listed, len(terms.sites), sender).items():
        site = terms.sites[number]
        me.verify(site, m.promise_statement(terms, site, one.promise.parts), one.promise.signature)


def _report_or_stop(terms: Terms, givers: Sequence[int], faults: Sequence[m.Fault], step: str) -> Half[None]:
    """Tell those who are left out; go on where a cohort is left. Raises Abort(COHORT), naming who was left out."""
    letters = {}
    for fault in faults:
        site, cause = terms.sites[fault.site], Cause.LATE if fault.cause is Cause.SILENT else fault.cause
        letters[site] = farewell(terms.round, Abort(cause, party=site))
    yield Exchange(terms.label(step), send=letters)
    if len(givers) < terms.fewest:
        who = ", ".join(f"{terms.sites[fault.site]}: {fault.cause.value}" for fault in faults)
        one = terms.sites[faults[0].site] if len(faults) == 1 else None
        detail = f"{len(givers)} sites where {terms.fewest} are needed; left out: {who or 'nobody'}"
        raise Abort(Cause.COHORT, party=one, step=step, detail=detail)


def _prepare(place: Place, terms: Terms, cast: _Cast) -> Half[Compiled]:
    """Compile, compare, and link where that is to be done. Raises Abort naming who has something else."""

    def compiled() -> tuple[Compiled, bytes]:
        program = place.engine.compile(len(cast.givers), _limits(terms))
        return program, program.digest

    steps = Steps(m.READY, m.LINK, m.ROLL, "saw other lists than the others")
    about = (b"potluck share agreed 1", m.session(terms))
    return (yield from compiled_and_linked(place, terms.label, steps, cast.own, cast.held, compiled, about))


def _limits(terms: Terms) -> tuple[Limit, ...]:
    """What is checked: what the terms say; where they say nothing, that the numbers are of the ring's inner half."""
    return terms.limits or (Limit(terms.length, 1 << 31 if terms.bits == 32 else BOUND),)


def _judge(place: Place, terms: Terms, cast: _Cast, bits: bytes) -> Half[tuple[tuple[int, ...], tuple[m.Fault, ...]]]:
    """Open to each other whose words are within what the plan allows. Gives whose are, and who was left out at all."""
    opened = yield from open_all(place, terms.label, m.ACCEPTED, bits, len(cast.givers))
    if int(opened.max()) > 1:
        raise Abort(Cause.ENGINE, step=m.ACCEPTED, detail="what opens is no bit")
    accepted = tuple(one for one, bit in zip(cast.givers, opened.tolist(), strict=True) if bit)
    beyond = [m.Fault(one, Cause.RANGE) for one in cast.givers if one not in accepted]
    faults = tuple(sorted((*cast.faults, *beyond), key=lambda fault: fault.site))
    yield from _report_or_stop(terms, accepted, faults if beyond else (), m.ACCEPTED)
    return accepted, faults


def _confirm(terms: Terms, accepted: tuple[int, ...]) -> Half[None]:
    """One set for what may be opened once, durable before it is said; then the word of a cohort of its sites."""
    sites = [terms.sites[one] for one in accepted]
    body = dump(m.Survivors(accepted))
    send = {site: Parcel(terms.label(m.SURVIVORS), body) for site in sites}
    awaited = frozenset(sites)
    yield Exchange(
        terms.label(m.CONFIRM),
        send,
        awaited,
        terms.fewest,
        hops=2,
        record=survived(terms, awaited),
        read=checked(m.Confirmed, partial(_check_confirmed, m.survivors_statement(terms, accepted))),
        fixes=awaited,
        stands=SURVIVORS,
    )


def _check_confirmed(statement: bytes, sender: Party, confirmed: m.Confirmed) -> None:
    if confirmed.statement != statement:
        raise Abort(Cause.SURVIVORS, party=sender, step=m.CONFIRM)


def stand_in(terms: Terms, me: Credentials) -> Half[None]:
    """A rehearsal's: takes what sites send and names all as accepted. It needs no engine, opens and checks nothing."""
    key, everybody = BoxKey(Secret(me.draw(SEED))), frozenset(terms.sites)
    keys, accepted = dump(Keys(key.public)), dump(m.Survivors(tuple(range(len(terms.sites)))))
    send = dict.fromkeys(terms.sites, Parcel(terms.label(m.KEYS), keys))
    yield Exchange(terms.label(m.INPUT), send, everybody, terms.fewest, contributes=True)
    told = dict.fromkeys(terms.sites, Parcel(terms.label(m.SURVIVORS), accepted))
    yield Exchange(terms.label(m.CONFIRM), told, everybody, terms.fewest, fixes=everybody)
