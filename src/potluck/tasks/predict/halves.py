"""The halves of a private prediction: one site has a model, another has rows and reads the scores.

A round: the server announces it; the client sends a fresh key; the owner answers with the model's card, sealed to that
key; the client encodes its rows by the card, the protection's halves do the rest, and the client says that it has its
scores. Key and card are signed end to end, under a digest of plan, run and round: a server that changes them, or runs
another plan, is noticed. It hands on what it cannot read. Nothing here keeps an owner from lying about its model, or a
client from asking about rows that it made up: `max_rows` is all that limits what scores tell of the model.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated

import msgspec
import numpy as np

from potluck.core.errors import DataError, Refused
from potluck.core.party import SERVER, Party, site
from potluck.core.plan import Plan, digest, required
from potluck.core.predicting import SCORED, WHOLE, Meeting, Predict, Scored
from potluck.core.rounds import (
    Abort,
    Cause,
    Credentials,
    Exchange,
    Half,
    Inbox,
    Label,
    Parcel,
    Record,
    RoundId,
)
from potluck.core.steps import ask_server, hear
from potluck.core.wire import Message, Signature, dump, load
from potluck.learning.data.rows import Inputs
from potluck.learning.models.card import Card, fault
from potluck.learning.models.model import Model
from potluck.learning.models.scoring import Predicted, columns, drawn, lying, net, predicted, routed, row_bytes
from potluck.owner.scored import key
from potluck.secret.box import OVERHEAD, PUBLIC, SEED, BoxKey, PublicBoxKey
from potluck.secret.container import Secret
from potluck.secret.statement import named
from potluck.secret.stream import digest as fingerprint
from potluck.tasks.announcement import BEGIN, announce, begun, only
from potluck.tasks.predict.scorers import whole_of
from potluck.tee.predict.check import Whole

KEY = "predict/key"
CARD = "predict/card"
DONE = "predict/done"
LARGEST = 1 << 22
"""Bytes of a card: a hundred thousand columns with short names."""
Rows = Callable[[Card], Inputs]
"""The client's rows as a card's features [n, inputs]; NaN: the card drops the row. Raises DataError, Refused."""


class Key(Message, frozen=True):
    """The client's key of this round."""

    box: Annotated[bytes, msgspec.Meta(min_length=PUBLIC, max_length=PUBLIC)]
    signature: Signature


class Shown(Message, frozen=True):
    """The owner's card, sealed to the client's key."""

    box: Annotated[bytes, msgspec.Meta(min_length=OVERHEAD, max_length=LARGEST)]
    signature: Signature


@dataclass(frozen=True, slots=True)
class RoundContext:
    """What a party needs for the one round: the plan, the protection and the round's number."""

    plan: Plan
    protection: Predict = field(repr=False)
    round: RoundId

    def meeting(self, file: bytes = b"") -> Meeting:
        """What all agree on, from the plan alone. The owner's model is in by its digest. file: see `Credentials`."""
        spec = required(self.plan.predict)
        run, number = self.round.run.encode(), b"%d" % self.round.number
        agreed = fingerprint(b"potluck prediction 1", digest(self.plan), run, number, file)
        return Meeting(self.round, agreed, site(spec.owner), site(spec.client), required(spec.mode), spec.max_rows)


def lead(context: RoundContext, me: Credentials) -> Half[None]:
    """The server's half: announce the round, hand letters on. Reveals: their sizes, and when each comes."""
    meeting = context.meeting(me.file)
    parties = (meeting.owner, meeting.client, *context.protection.helpers())
    yield from announce(context.plan, only(context.plan), meeting.label(BEGIN), parties)
    yield from _hand_on(meeting.label(KEY), meeting.client, meeting.owner)
    yield from _hand_on(meeting.label(CARD), meeting.owner, meeting.client)
    yield from context.protection.relay(meeting, me)
    yield hear(meeting.label(DONE), (meeting.client,), hops=2)


def _hand_on(label: Label, sender: Party, to: Party) -> Half[None]:
    inbox = yield hear(label, (sender,), hops=2)
    yield Exchange(label, send={to: Parcel(label, inbox.got[sender])})


def ask(context: RoundContext, rows: Rows, me: Credentials) -> Half[Predicted]:
    """The client's half. Reveals: to the client, the card and its rows' scores; to all, how many rows were sent.

    Raises Abort; DataError: a row cannot be encoded, by column and line; Refused: more rows than `max_rows`.
    """
    meeting = context.meeting(me.file)
    yield from begun(context.plan, context.round)
    own = BoxKey(Secret(me.draw(SEED)))
    sent = Key(own.public, me.sign(_statement(KEY, meeting, own.public)))
    shown = yield from ask_server(meeting.label, KEY, dump(sent), CARD, hops=4)
    card = _card(meeting, own, shown, me)
    read = rows(card)
    count = int(read.kept.sum())
    fits(count, meeting.rows, meeting.client.name)
    if card.whole:
        of_one_letter(context.plan, card, count)
    if card.drawn:
        scored = yield from context.protection.query_graph(meeting, me, columns(card, read))
    else:
        scored = yield from context.protection.query(meeting, me, lying(card, read))
    _sound(scored, count, card, meeting.owner)
    label = meeting.label(DONE)
    yield Exchange(label, send={SERVER: Parcel(label, b"")})
    return predicted(card, read.kept, scored, read.tally)


def answer(context: RoundContext, model: Model, me: Credentials) -> Half[None]:
    """The owner's half. Reveals: to the client, the card and at most `max_rows` scores, once a run.

    Raises Abort: among others REPLAY where scores of this run have left before.
    """
    meeting = context.meeting(me.file)
    yield from begun(context.plan, context.round)
    inbox = yield hear(meeting.label(KEY), (SERVER,), hops=3)
    said = load(inbox.got[SERVER], Key, SERVER)
    me.verify(meeting.client, _statement(KEY, meeting, said.box), said.signature)
    box = PublicBoxKey(said.box).seal(dump(model.card), _info(meeting, said.box))
    label = meeting.label(CARD)
    shown = Shown(box, me.sign(_statement(CARD, meeting, said.box, box)))
    yield Exchange(label, send={SERVER: Parcel(label, dump(shown))})
    protection, once = context.protection, scored_key(context.plan, meeting.round.run)
    if model.graph:
        yield from _once(protection.respond_graph(meeting, me, drawn(model)), once)
    elif model.forest:
        yield from _once(protection.respond_trees(meeting, me, routed(model)), once)
    else:
        yield from _once(protection.respond(meeting, me, net(model)), once)


def aid(context: RoundContext, me: Credentials) -> Half[None]:
    """A helper's half, such as a compute party's. Reveals: as its protection says."""
    yield from begun(context.plan, context.round)
    yield from context.protection.assist(context.meeting(me.file), me)


def scored_key(plan: Plan, run: str) -> str:
    """Under what the owner's ledger holds how many rows a run scored: once, whatever the round's number."""
    return key(required(plan.model).digest or "", run, required(plan.predict).client)


def _card(meeting: Meeting, key: BoxKey, body: bytes, me: Credentials) -> Card:
    """Raises Abort: not the owner's, or a card that cannot be."""
    shown = load(body, Shown, SERVER)
    me.verify(meeting.owner, _statement(CARD, meeting, key.public, shown.box), shown.signature)
    card = load(key.unseal(shown.box, _info(meeting, key.public)), Card, meeting.owner)
    meant = meeting.mode if meeting.mode in WHOLE else None
    wrong = fault(card) or ("" if card.whole == meant else "it is of another model")
    if wrong:
        raise Abort(Cause.MALFORMED, party=meeting.owner, step=CARD, detail=f"the model's card: {wrong}")
    return card


def fits(rows: int, most: int, client: str) -> None:
    """Raises DataError: no row to score; Refused: more than `most`."""
    if rows == 0:
        raise DataError("no row can be scored", where=client, hint="see the file, and data.missing")
    if rows > most:
        hint = f"score {most} rows at a time, or agree on a larger number with the owner"
        raise Refused(f"there are more rows than predict.max_rows ({most})", where=client, hint=hint)


def of_one_letter(plan: Plan, card: Card, rows: int) -> None:
    """Raises Refused: so many rows are more than a letter to the enclave takes. Nothing is decoded before."""
    (said, *_) = [*whole_of(plan).problems(Whole(0, row_bytes(card), card.target.outputs, rows)), ""]
    if said:
        what, _, hint = said.partition(". hint: ")
        raise Refused(what, where=required(plan.predict).client, hint=hint)


def _sound(scored: Scored, rows: int, card: Card, owner: Party) -> None:
    """Raises Abort(RANGE): scores that are no numbers, or not as many as were asked for."""
    whole = scored.margins.shape == (rows, card.target.outputs) and np.isfinite(scored.margins).all()
    if not whole or not (scored.bound is None or 0 <= scored.bound < np.inf):
        raise Abort(Cause.RANGE, party=owner, detail="the answer holds no scores of these rows")


def _once(half: Half[None], key: str) -> Half[None]:
    """The owner's half, with its record of scored rows under the run's name: a second answer is a REPLAY."""
    given: Inbox | Abort | None = None
    try:
        while True:
            try:
                exchange = _resumed(half, given)
            except StopIteration:
                return
            record = exchange.record
            if record is not None and record.key.startswith(SCORED):
                exchange = replace(exchange, record=Record(key, record.value))
            try:
                given = yield exchange
            except Abort as abort:
                given = abort
    finally:
        half.close()


def _resumed(half: Half[None], given: Inbox | Abort | None) -> Exchange:
    if given is None:
        return next(half)
    return half.throw(given) if isinstance(given, Abort) else half.send(given)


def _statement(step: str, meeting: Meeting, *parts: bytes) -> bytes:
    """What is signed of a step: in this round, from this client to this owner or back."""
    who = (named(meeting.client), named(meeting.owner))
    return b"potluck " + step.encode() + b" 1\0" + fingerprint(meeting.digest, *who, *parts)


def _info(meeting: Meeting, key: bytes) -> bytes:
    """What a card is sealed under."""
    return b"potluck card 1\0" + fingerprint(meeting.digest, named(meeting.owner), named(meeting.client), key)


def halves(
    context: RoundContext, model: Model, rows: Rows, seat: Callable[[Party], Credentials]
) -> dict[Party, Half[object]]:
    """Every party's half, for one process that plays them all."""
    meeting = context.meeting()
    return {
        SERVER: lead(context, seat(SERVER)),
        meeting.owner: answer(context, model, seat(meeting.owner)),
        meeting.client: ask(context, rows, seat(meeting.client)),
        **{one: aid(context, seat(one)) for one in context.protection.helpers()},
    }
