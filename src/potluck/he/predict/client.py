"""The client's half of a private prediction: make keys, encrypt rows, read scores.

The secret key is made in the client's engine and never leaves it. Scores are shown to nobody else: what CKKS decrypts
leaks its key to whoever knows the exact result, too (Li and Micciancio, EUROCRYPT 2021, eprint 2020/1533).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from potluck.core.party import SERVER
from potluck.core.predicting import Meeting, Scored, check_features
from potluck.core.rounds import Abort, Cause, Credentials, Half
from potluck.core.stages import Floats
from potluck.core.steps import ask_server
from potluck.core.wire import dump, load
from potluck.he.predict import diagonals, levels
from potluck.he.predict.circuit import Layout, letters
from potluck.he.predict.ckks import Ckks, fits
from potluck.he.predict.messages import Greeting, Hello, Offer, Talk, Thread, answer, ask, opened
from potluck.he.predict.work import HOPS
from potluck.secret.box import SEED, BoxKey, box_key
from potluck.secret.container import Secret

if TYPE_CHECKING:
    from potluck.engines.worker import Worker


def query(worker: "Worker", meeting: Meeting, me: Credentials, features: Floats) -> Half[Scored]:
    """See `core.predicting.Predict`. Raises Abort(RANGE): a row out of range; MALFORMED or ENGINE: no such offer."""
    check_features(meeting, features)
    talk, offer = yield from _greet(meeting, me, len(features))
    layout = _layout(meeting, offer, features)
    engine = Ckks(layout.levels, worker)
    for part in letters(engine.keys(layout)):
        _empty(meeting, (yield from _asked(meeting, talk, part, more=True)))
    margins = np.empty((len(features), layout.outputs))
    done = 0
    for rows in layout.blocks(len(features)):
        block = features[done : done + rows]
        *parts, last = letters(engine.encrypt(layout, slots_of(layout, block)))
        for part in parts:
            _empty(meeting, (yield from _asked(meeting, talk, part, more=True)))
        scores = yield from _asked(meeting, talk, last, more=done + rows < len(features))
        if not fits(scores, [layout.levels.ciphertext(layout.levels.depth)] * layout.answered(rows)):
            raise Abort(Cause.MALFORMED, party=meeting.owner, detail="scores of another size than offered")
        margins[done : done + rows] = margins_of(layout, engine.decrypt(scores), rows)
        done += rows
    margins *= 2.0**offer.exponent
    if not bool(np.isfinite(margins).all()):
        raise Abort(Cause.RANGE, party=meeting.owner, detail="a score is not a number")
    return Scored(margins, offer.bound, notes(offer, layout))


def _asked(meeting: Meeting, talk: Talk, bodies: Sequence[bytes], more: bool) -> Half[tuple[bytes, ...]]:
    """Send one letter and wait for its answer."""
    step, back = ask(talk.number), answer(talk.number)
    talk.number += 1
    body = yield from ask_server(meeting.label, step, talk.write(step, tuple(bodies), more), back, hops=HOPS)
    return talk.read(back, body)


def _greet(meeting: Meeting, me: Credentials, rows: int) -> Half[tuple[Talk, Offer]]:
    thread, key = Thread(meeting), BoxKey(Secret(me.draw(SEED)))
    hello = thread.sign(me, ask(0), meeting.owner, True, dump(Hello(key.public, rows)))
    letter = yield from ask_server(meeting.label, ask(0), hello, answer(0), hops=HOPS)
    info = thread.info(answer(0), meeting.owner, me.party)
    _, content = thread.check(me.verify, answer(0), (meeting.owner, me.party), letter, SERVER)
    greeting = load(content, Greeting, meeting.owner)
    offer = opened(greeting.offer, Offer, key, info, meeting.owner, answer(0))
    return Talk(thread, me, meeting.owner, key, box_key(meeting.owner, greeting.box)), offer


def _layout(meeting: Meeting, offer: Offer, features: Floats) -> Layout:
    """What the owner offers, if it makes sense and the rows fit. Raises Abort: MALFORMED naming the owner, RANGE."""
    low, high, inputs = _numbers(meeting, offer.low), _numbers(meeting, offer.high), features.shape[1]
    chosen = next((row for row in levels.TABLE if row.name == offer.set), None)
    sensible = chosen is not None and offer.start < chosen.depth and offer.mode == meeting.mode
    if chosen is None or not sensible or not len(low) == len(high) == inputs:
        raise Abort(Cause.MALFORMED, party=meeting.owner, detail="an offer for another kind of model")
    turns = offer.rotations
    single = offer.mode == "single"
    wide = max(inputs, offer.first_rows, offer.outputs) > chosen.slots and single
    fitting = offer.together <= chosen.group(offer.start) if single else offer.together == chosen.slots
    if wide or not fitting or tuple(sorted({*turns})) != turns or (turns and (turns[-1] >= chosen.slots or not single)):
        raise Abort(Cause.MALFORMED, party=meeting.owner, detail="an offer that cannot be kept")
    for feature in range(inputs):
        if not bool(((features[:, feature] >= low[feature]) & (features[:, feature] <= high[feature])).all()):
            raise Abort(Cause.RANGE, detail=f"feature {feature} of some row is out of the range that the model knows")
    ends = inputs, offer.outputs, offer.first_rows
    return Layout(chosen, offer.start, offer.mode, *ends, offer.multiply, turns, offer.together)


def _numbers(meeting: Meeting, body: bytes) -> Floats:
    if len(body) % 8:
        raise Abort(Cause.MALFORMED, party=meeting.owner, detail="ranges of odd length")
    return np.frombuffer(body, "<f8")


def slots_of(layout: Layout, rows: Floats) -> Floats:
    """rows [n, inputs] -> slots [c, N / 2]: a row a ciphertext as arranged, or a feature a ciphertext."""
    width = layout.levels.slots
    if layout.mode == "single":
        place = diagonals.arrangement(layout.first_rows, layout.inputs, width)
        return np.hstack([rows, np.zeros((len(rows), 1))])[:, place]  # -1 takes the zero
    slots = np.zeros((layout.inputs, width))
    slots[:, : len(rows)] = rows.T
    return slots


def margins_of(layout: Layout, slots: Floats, rows: int) -> Floats:
    """slots of scores -> margins [rows, outputs], scaled down."""
    return slots[:, : layout.outputs] if layout.mode == "single" else slots[:, :rows].T


def _empty(meeting: Meeting, bodies: tuple[bytes, ...]) -> None:
    if bodies:
        raise Abort(Cause.MALFORMED, party=meeting.owner, detail="an answer before its block was complete")


def notes(offer: Offer, layout: Layout) -> list[str]:
    """What a reader of scores should know: how they were computed, and what the activation's fit costs."""
    said = [f"computed on ciphertexts (CKKS, {layout.levels.name}): a margin is off by at most {offer.bound:g}"]
    if offer.degree:
        said.append(
            f"{offer.activation} is a polynomial of degree {offer.degree} there, off by at most {offer.misfit:g}: "
            f"this alone may move a margin by {offer.cost:g}, the worst over all inputs"
        )
    return said
