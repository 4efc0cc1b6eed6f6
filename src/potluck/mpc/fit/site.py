"""An owner's half of a fit: say or hear which rows are held out, part its columns, and read the model if it may.

It needs no engine. It gives two of three parts to each compute party, or one of two, with a promise that all of them
can compare.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
from msgspec.structs import replace as changed
from numpy.typing import NDArray

from potluck.core.errors import DataError
from potluck.core.fitting import SECONDS, Array, Fitting, Given, Recipe
from potluck.core.party import SERVER, Party
from potluck.core.rounds import CHARGE, Abort, Cause, Credentials, Exchange, Half, Parcel, Record
from potluck.core.steps import blaming, hear
from potluck.core.wire import dump, load
from potluck.mpc.dealing import boxes_of, keys_read, sealed
from potluck.mpc.fit import messages as m
from potluck.mpc.fit.parts import commitment, dealt, opened, sizes
from potluck.mpc.replicated import join
from potluck.secret.box import SEED, BoxKey
from potluck.secret.container import Secret

Mask = NDArray[np.bool_]
TRIED = "fit/"
"""Prefix of the owner's `Record` where no charge limits how often it gives: key "fit/<run>/tried", value: the round's
number, in decimal ASCII."""


def told_split(fitting: Fitting, me: Credentials, rows: int, mine: Mask | None) -> Half[Mask]:
    """Which of the common rows are held out [rows]. mine: what the target's owner says, None at all others.

    Reveals: to all owners and the server, positions in the common order. Raises Abort(TERMS): of other rows.
    """
    if not fitting.split:
        return np.zeros(rows, np.bool_)
    label = fitting.label(m.SPLIT)
    if mine is not None:
        body = dump(m.Held(len(mine), np.packbits(mine).tobytes()))
        yield Exchange(label, send={SERVER: Parcel(label, body)})
        return mine
    # Longer than the server waits, which names who is missing.
    inbox = yield Exchange(label, expect=frozenset({SERVER}), at_least=1, hops=fitting.hops(120) + 2)
    said = load(inbox.got[SERVER], m.Held, SERVER)
    if said.rows != rows or len(said.bits) != -(-rows // 8):
        raise Abort(Cause.TERMS, party=fitting.target, step=m.SPLIT, detail="it holds out rows of another alignment")
    return np.unpackbits(np.frombuffer(said.bits, np.uint8), count=rows).astype(np.bool_)


def shared(fitting: Fitting, me: Credentials, recipe: Recipe, given: Given) -> Half[list[Array] | None]:
    """Give, wait for the end, and read. Gives the results but the first at a reader of the model, else None.

    Reveals: to compute parties how many rows there are, of whom two together open all else; to a reader, the results.
    Raises Abort: among others REPLAY where this owner gave in this run before; DataError: more than a letter carries.
    """
    takes = recipe.of(fitting.owners.index(me.party))
    if sizes(takes).bytes > m.LARGEST:
        hint = "fewer rows or columns: a share of it must fit into one letter of 256 MiB"
        raise DataError("there is too much to share", where=me.party.name, hint=hint)
    computes = frozenset(fitting.ranks)
    inbox = yield hear(fitting.label(m.KEYS), fitting.ranks, keys_read(m.KEYS), hops=4)
    boxes = boxes_of(inbox.got)
    own = BoxKey(Secret(me.draw(SEED))) if me.party in fitting.to else None
    info = m.part_info(fitting, me.party)
    parts = dealt(takes, given.arrays, info, me.draw, len(fitting.ranks))
    said, box = tuple(commitment(part, info) for part in parts), own.public if own else b""
    blank = m.Promise(said, given.train, given.test, given.order, box, signature=bytes(64))
    promise = changed(blank, signature=me.sign(m.promise_statement(fitting, me.party, blank)))
    label, send = fitting.label(m.INPUT), dict[Party, Parcel]()
    under = partial(m.box_info, fitting, me.party, parts=promise.parts)
    for party, sealed_ in sealed(boxes, fitting.ranks, parts, m.Dealt, under):
        send[party] = Parcel(label, dump(m.Input(sealed_, promise)))
    record = given_once(fitting, given.charge)
    del parts, given
    waiting = fitting.hops(SECONDS + 240)
    answer = yield Exchange(fitting.label(m.RESULT), send, computes, len(computes), waiting, record, contributes=True)
    found = None if own is None else _joined(fitting, me.party, own, recipe, answer.got)
    done = fitting.label(m.DONE)
    yield Exchange(done, send={SERVER: Parcel(done, b"")})
    return found


def given_once(fitting: Fitting, charge: bytes) -> Record:
    """What is durable before an owner's columns leave: the charge, or, without one, that it gave in this run.

    A reader may bring other columns and another target of its own to each round of a run, and every round opens a model
    over the others' rows. With noise each is paid for. Without noise there is one: what comes after it needs another
    run, which the owner is asked for. A round that broke before this left nothing, and may be repeated.
    """
    at = fitting.round
    if charge:
        return Record(f"{CHARGE}{at.run}/{at.number}", charge)
    return Record(f"{TRIED}{at.run}/tried", b"%d" % at.number)


def _joined(fitting: Fitting, me: Party, own: BoxKey, recipe: Recipe, got: Mapping[Party, bytes]) -> list[Array]:
    """The results from all parties' shares. Raises Abort: naming whose are not what they should be."""
    gives = recipe.gives[1:]
    shares: dict[Party, tuple[bytes, ...]] = {}
    for party, body in got.items():
        box = load(body, m.Outcome, party).box
        with blaming(party, m.RESULT):
            plain = own.unseal(box, m.result_info(fitting, party, me, own.public))
        shares[party] = load(plain, m.Shares, party).each
        if len(shares[party]) != len(gives):
            raise Abort(Cause.MALFORMED, party=party, step=m.RESULT, detail="not as many results as the program gives")
    found = []
    for number, give in enumerate(gives):
        words = join({party: each[number] for party, each in shares.items()}, fitting.ranks, give.size)
        found.append(opened(give.kind, words, give.shape))
    return found
