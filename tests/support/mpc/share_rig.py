"""The three-server sum's tests: engines that all rounds of a module share, and one round of n sites."""

import numpy as np

from potluck.core.party import SERVER, Party, Role, site
from potluck.core.rounds import Exchange, Parcel, RoundId, Terms
from potluck.core.wire import dump, load
from potluck.drivers.attempt import root_cause
from potluck.mpc.dealing import Dealt, Keys
from potluck.mpc.replicated import commitment, held, lifted, split
from potluck.mpc.share import messages as m
from potluck.mpc.share.protection import Share
from potluck.secret.box import PublicBoxKey
from potluck.testing.protection import RoundContext

RANKS = tuple(Party(Role.COMPUTE, name) for name in ("alpha", "beta", "gamma"))
ALPHA, BETA, GAMMA = RANKS


def terms(n, length, bits=64, d=0, number=1, limits=(), once="once"):
    sites = tuple(site(f"s{i}") for i in range(n))
    return Terms(RoundId("run", number), b"d" * 32, once, sites, n - d, length, bits, limits=tuple(limits))


def sitting(engines, words, agreed, patience=20.0, leaves=None, **more):
    """One round; leaves: {party: the step at which it vanishes}."""
    gone = leaves or {}
    given = dict(zip(agreed.sites, words, strict=True))
    protection = Share(RANKS, patience, engines)
    return RoundContext(protection, agreed, given, vanish=lambda party, round, step: gone.get(party) == step, **more)


def words_of(rows, bits=64):
    """Python integers -> words mod 2^bits."""
    return [np.array([value % 2**bits for value in row], f"<u{bits // 8}") for row in rows]


def end(engines):
    """The engines' processes are gone."""
    for engine in engines.values():
        engine.close()
    engines.clear()


def rogue(agreed, words, pieces_for=lambda rank, pieces: pieces, promise_for=lambda rank, promise: promise):
    """A site that gives each party what it likes: pieces_for(rank, pieces), promise_for(rank, promise). Its play."""

    def play(seat, half):
        inbox = yield Exchange(agreed.label(m.KEYS), expect=frozenset(RANKS), at_least=3, hops=2)
        half.close()
        info = m.part_info(agreed, seat.party)
        label, send = agreed.label(m.INPUT), {}
        pieces = split(lifted(words), info, seat.draw)
        for rank, party in enumerate(RANKS):
            mine = pieces_for(rank, pieces)
            parts = tuple(commitment(one, info) for one in pieces)
            promise = promise_for(rank, m.Promise(parts, seat.sign(m.promise_statement(agreed, seat.party, parts))))
            key = PublicBoxKey(load(inbox.got[party], Keys, party).box)
            sealed = key.seal(dump(Dealt(*held(mine, rank))), m.box_info(agreed, seat.party, party, promise.parts))
            send[party] = Parcel(label, dump(m.Input(sealed, promise)))
        send[SERVER] = Parcel(label, dump(promise))
        yield Exchange(agreed.label(m.SURVIVORS), send, frozenset(RANKS), hops=16)

    return play


def promised(agreed, seat, pieces):
    """A valid promise for these pieces."""
    parts = tuple(commitment(one, m.part_info(agreed, seat.party)) for one in pieces)
    return m.Promise(parts, seat.sign(m.promise_statement(agreed, seat.party, parts)))


def named(desks):
    """The abort that the driver would raise, from what the server and everybody else know."""
    reasons = {party: desk.abort for party, desk in desks.items() if party != SERVER and desk.abort}
    assert desks[SERVER].abort is not None
    return root_cause(desks[SERVER].abort, reasons)


def steps(sat):
    """Every step in which a letter moved."""
    return {move.label.step for move in sat.transcript.moves}
