"""A compute party's half of a prediction: take parts of a model and of rows, score them in secret, pass on shares.

What it sees: two of three parts of either, or one of two, which say nothing; the model's shape and its norms; how many
rows; two bits, whether rows and weights keep their bounds. Its share of the scores leaves to the client alone, sealed,
and only when both bits say so and the owner has agreed to so many rows.

It does NOT keep a compute party that departs from the protocol from changing scores, or two that collude from reading
model, rows and scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from potluck.core.party import SERVER, Party
from potluck.core.predicting import Meeting
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel
from potluck.core.steps import blaming, checked
from potluck.core.wire import dump, load
from potluck.mpc.coordination import Place, Steps, compiled_and_linked, in_step, open_all, tell_all
from potluck.mpc.credentials import EngineCredentials
from potluck.mpc.dealing import Dealt, Keys, check_parts
from potluck.mpc.predict import messages as m
from potluck.mpc.predict.dealing import scale_of
from potluck.mpc.predict.scale import Scale
from potluck.mpc.replicated import commitment, expanded, share, width
from potluck.mpc.spu import Compiled
from potluck.secret.box import SEED, BoxKey, box_key
from potluck.secret.container import Secret
from potluck.secret.stream import digest

BLOCK = {3: 1 << 20, 2: 1 << 17}
"""Numbers in the widest layer of all rows that one run of the program takes, by how many compute."""
PROGRAM = "layers_scored"
BITS = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Round:
    """This party in this round. key: its box key."""

    place: Place
    meeting: Meeting
    me: Credentials
    key: BoxKey

    @property
    def agreed(self) -> bytes:
        return m.session(self.meeting, self.place.ranks)


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What is computed. weights, features: this party's shares; count: how many compute."""

    model: m.Model
    rows: m.Rows
    scale: Scale
    weights: bytes
    features: bytes
    count: int

    @property
    def blocks(self) -> list[int]:
        """Rows of each run of the program."""
        return blocks(self.rows.count, self.model.offer.widths, self.count)

    def shares(self, start: int, rows: int) -> list[bytes]:
        """What the program takes for these rows."""
        word, at = width(self.count), 0
        row = word * self.scale.layers[0].inputs
        found = [self.features[start * row : (start + rows) * row]]
        for layer in self.scale.layers:
            size = word * layer.outputs * (layer.inputs + 1)
            found.append(self.weights[at : at + size])
            at += size
        return found


def blocks(rows: int, widths: Sequence[int], count: int) -> list[int]:
    """How many rows each run of the program takes, where `count` compute."""
    most = max(1, BLOCK[count] // max(widths))
    whole, rest = divmod(rows, most)
    return [most] * whole + ([rest] if rest else [])


def assist(place: Place, meeting: Meeting, me: Credentials) -> Half[None]:
    """A compute party's half. Reveals: to the others, two bits; with theirs, the scores, to the client alone."""
    here = _Round(place, meeting, me, BoxKey(Secret(me.draw(SEED))))
    task = yield from _taken(here)
    held, own = yield from _compared(here, task)
    programs = yield from _prepared(here, task, held, own)
    margins, bits = b"", b""
    start = 0
    for number, rows in enumerate(task.blocks):
        pending = place.engine.execute(programs[rows], task.shares(start, rows))
        found, broken = yield from in_step(place, meeting.label, f"{m.RUN}/{number}", pending, m.ROLL)
        margins, bits, start = margins + found, bits + broken, start + rows
    yield from _judged(here, bits)
    label = meeting.label(m.COUNTED)
    said = yield _from(meeting, m.AGREED, meeting.owner, {meeting.owner: Parcel(label, dump(task.rows))}, 3)
    agreed = load(said.got[meeting.owner], m.Agreed, meeting.owner)
    if agreed.statement != m.agreed_statement(here.agreed, task.rows):
        raise Abort(Cause.TERMS, party=meeting.owner, step=m.AGREED, detail="it agrees to other rows")
    info = m.scores_info(here.agreed, place.me, task.model, task.rows)
    sealed = box_key(meeting.client, task.rows.box).seal(margins, info)
    scores, done = meeting.label(m.SCORES), meeting.label(m.DONE)
    yield Exchange(done, send={meeting.client: Parcel(scores, dump(m.Scores(sealed))), SERVER: Parcel(done, b"")})


def _from(meeting: Meeting, step: str, sender: Party, send: Mapping[Party, Parcel], hops: int) -> Exchange:
    return Exchange(meeting.label(step), send, frozenset({sender}), at_least=1, hops=hops)


def _taken(here: _Round) -> Half[_Task]:
    """The model's parts, then the rows'. Raises Abort naming owner or client: BOX, SIGNATURE, COMMITMENT, MALFORMED."""
    meeting, agreed = here.meeting, here.agreed
    owner, client = meeting.owner, meeting.client
    keys = Parcel(meeting.label(m.KEYS), dump(Keys(here.key.public)))
    inbox = yield _from(meeting, m.MODEL, owner, {owner: keys}, 3)
    given = load(inbox.got[owner], m.Given, owner)
    model = given.model
    here.me.verify(owner, m.model_statement(agreed, model.offer, model.promise), model.signature)
    found = scale_of(model.offer, owner)
    weights = _opened(here, owner, model.promise, given.sealed, found.weights)
    shown = Parcel(meeting.label(m.OFFER), dump(m.Shown(here.key.public, model)))
    inbox = yield _from(meeting, m.ROWS, client, {client: shown}, 6)
    asked = load(inbox.got[client], m.Asked, client)
    rows = asked.rows
    here.me.verify(client, m.rows_statement(agreed, model, rows), rows.signature)
    if rows.count > meeting.rows:
        detail = f"{rows.count} rows, {meeting.rows} are allowed"
        raise Abort(Cause.REFUSED, party=client, step=m.ROWS, detail=detail)
    box_key(client, rows.box)
    features = _opened(here, client, rows.promise, asked.sealed, rows.count * model.offer.widths[0])
    return _Task(model, rows, found, weights, features, len(here.place.ranks))


def _opened(here: _Round, sender: Party, promise: m.Promise, sealed: bytes, length: int) -> bytes:
    """This party's share [length] of what a sender dealt, held against its promise. Raises Abort naming the sender."""
    info = m.part_info(here.agreed, sender)
    with blaming(sender, detail="parts for another party or round"):
        opened = here.key.unseal(sealed, m.box_info(here.agreed, sender, here.place.me, promise))
    pieces = load(opened, Dealt, sender).held
    check_parts(here.place, sender, "", pieces, promise.parts, lambda piece: commitment(piece, info))
    if any(len(piece.rest) not in (0, 8 * length) for piece in pieces):
        raise Abort(Cause.MALFORMED, party=sender, detail="a part of another length")
    return share(*(expanded(piece, info, length) for piece in pieces))


def _compared(here: _Round, task: _Task) -> Half[tuple[Mapping[Party, m.Held], EngineCredentials]]:
    """What all got, in owner's and client's own words. Raises Abort naming who dealt or shows otherwise."""
    place, meeting = here.place, here.meeting
    own, address = place.engine.offer(place.me, meeting.round)
    mine = m.Held(task.model, task.rows, place.engine.standing(), address, own.certificate)
    read = checked(m.Held, partial(_check_held, here))
    held = yield from tell_all(place, meeting.label, m.HELD, mine, read, hops=7)  # it may still wait for rows
    for sender, what in ((meeting.owner, "model"), (meeting.client, "rows")):
        if len({dump(getattr(one, what)) for one in held.values()}) > 1:
            raise Abort(Cause.COMMITMENT, party=sender, step=m.HELD, detail="it dealt different numbers to each")
    return held, own


def _check_held(here: _Round, sender: Party, said: m.Held) -> None:
    """Raises Abort naming the sender: it shows what owner or client did not sign."""
    agreed, meeting, model, rows = here.agreed, here.meeting, said.model, said.rows
    here.me.verify(meeting.owner, m.model_statement(agreed, model.offer, model.promise), model.signature)
    here.me.verify(meeting.client, m.rows_statement(agreed, model, rows), rows.signature)


def _prepared(
    here: _Round, task: _Task, held: Mapping[Party, m.Held], own: EngineCredentials
) -> Half[Mapping[int, Compiled]]:
    """Compile, compare, and link where that is to be done. Raises Abort naming who has something else."""
    place = here.place

    def compiled() -> tuple[Mapping[int, Compiled], bytes]:
        made = {rows: place.engine.program(PROGRAM, task.scale.numbers(rows)) for rows in sorted(set(task.blocks))}
        return made, digest(b"potluck share predict programs 1", *(one.digest for one in made.values()))

    steps = Steps(m.READY, m.LINK, m.ROLL, "saw other letters than the others")
    about = (b"potluck share predict ready 1", here.agreed)
    return (yield from compiled_and_linked(place, here.meeting.label, steps, own, held, compiled, about))


def _judged(here: _Round, bits: bytes) -> Half[None]:
    """Open to each other whether all kept their bounds. Raises Abort(RANGE), naming client or owner."""
    place, meeting = here.place, here.meeting
    length = len(bits) // width(len(place.ranks))
    opened = (yield from open_all(place, meeting.label, m.JUDGED, bits, length)).reshape(-1, BITS)
    if int(opened.max()) > 1:
        raise Abort(Cause.ENGINE, step=m.JUDGED, detail="what opens is no bit")
    broken, heavy = np.asarray(opened.max(axis=0) > 0).tolist()
    if heavy:
        detail = "weights beyond the norms that it said, in secret"
        raise Abort(Cause.RANGE, party=meeting.owner, step=m.JUDGED, detail=detail)
    if broken:
        raise Abort(Cause.RANGE, party=meeting.client, step=m.JUDGED, detail="a feature beyond [-1, 1], in secret")
