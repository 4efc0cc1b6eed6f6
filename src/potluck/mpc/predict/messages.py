"""The messages of a prediction over secret shares: fixed schemas, and what is signed and sealed.

Owner and client never write to each other: compute parties show to either what the other signed. A letter's signature
covers who says it to whom, in which round and step; what is shown on carries a signature of its own.
"""

from typing import Annotated, Literal

import msgspec

from potluck.core.party import Party
from potluck.core.predicting import Meeting
from potluck.core.wire import VERSION, Hash, Message, Signature, dump
from potluck.mpc.credentials import Address, Certificate, JobName
from potluck.mpc.predict.scale import DEEPEST, MOST_NORM, WIDEST
from potluck.mpc.replicated import PARTIES, TWO
from potluck.secret.box import BoxPublic
from potluck.secret.statement import named
from potluck.secret.stream import digest

KEYS = "predict/share/keys"
MODEL = "predict/share/model"
OFFER = "predict/share/offer"
ROWS = "predict/share/rows"
HELD = "predict/share/held"
READY = "predict/share/ready"
LINK = "predict/share/link"
RUN = "predict/share/run"
ROLL = "predict/share/roll"
JUDGED = "predict/share/judged"
COUNTED = "predict/share/counted"
AGREED = "predict/share/agreed"
SCORES = "predict/share/scores"
DONE = "predict/share/done"

Width = Annotated[int, msgspec.Meta(ge=1, le=WIDEST)]
Norm = Annotated[int, msgspec.Meta(ge=0, le=MOST_NORM)]
Count = Annotated[int, msgspec.Meta(ge=1, lt=2**32)]


class Offer(Message, frozen=True):
    """The model's shape, from which follows what is computed. norms: see `predict.scale`."""

    widths: Annotated[tuple[Width, ...], msgspec.Meta(min_length=2, max_length=DEEPEST + 1)]
    activation: Literal["", "relu", "tanh", "square"]
    norms: Annotated[tuple[Norm, ...], msgspec.Meta(min_length=1, max_length=DEEPEST)]


class Promise(Message, frozen=True):
    """Commitments to the parts, one for each who computes."""

    parts: Annotated[tuple[Hash, ...], msgspec.Meta(min_length=TWO, max_length=PARTIES)]


class Model(Message, frozen=True):
    """What the owner signs: the shape, and what its weights' parts are."""

    offer: Offer
    promise: Promise
    signature: Signature


class Rows(Message, frozen=True):
    """What the client signs: how many rows, a key for their scores, and what the rows' parts are."""

    count: Count
    box: BoxPublic
    promise: Promise
    signature: Signature


class Given(Message, frozen=True):
    """The owner's letter to a compute party. sealed: `mpc.dealing.Dealt`."""

    model: Model
    sealed: bytes


class Asked(Message, frozen=True):
    """The client's letter to a compute party. sealed: `mpc.dealing.Dealt`."""

    rows: Rows
    sealed: bytes


class Shown(Message, frozen=True):
    """A compute party's letter to the client: its key, and what the owner signed."""

    box: BoxPublic
    model: Model


class Held(Message, frozen=True):
    """What a compute party got, signed by owner and client, and how its engine is reached (`share.messages.Held`)."""

    model: Model
    rows: Rows
    job: JobName
    address: Address
    certificate: Certificate


class Agreed(Message, frozen=True):
    """The owner's word that so many rows of this client may be scored: it has written them down."""

    statement: Hash


class Scores(Message, frozen=True):
    """A compute party's share of the margins, sealed to the client's key."""

    sealed: bytes


def session(meeting: Meeting, ranks: tuple[Party, ...]) -> bytes:
    """32 bytes that name protocol, version, plan, round, the ends, and who computes."""
    number = meeting.round.number.to_bytes(8, "big")
    who = (named(one) for one in (meeting.owner, meeting.client, *ranks))
    version = VERSION.to_bytes(4, "big")
    run, most = meeting.round.run.encode(), meeting.rows.to_bytes(8, "big")
    return digest(b"potluck share predict 1", version, meeting.digest, run, number, most, *who)


def part_info(agreed: bytes, sender: Party) -> bytes:
    """What parts are for: this round, and nobody else's numbers."""
    return digest(b"potluck share predict part 1", agreed, named(sender))


def model_statement(agreed: bytes, offer: Offer, promise: Promise) -> bytes:
    """What the owner signs."""
    return b"potluck share predict model 1\0" + digest(agreed, dump(offer), *promise.parts)


def rows_statement(agreed: bytes, model: Model, rows: Rows) -> bytes:
    """What the client signs: its rows are for this very model."""
    count = rows.count.to_bytes(8, "big")
    return b"potluck share predict rows 1\0" + digest(agreed, dump(model), count, rows.box, *rows.promise.parts)


def box_info(agreed: bytes, sender: Party, to: Party, promise: Promise) -> bytes:
    """What parts are sealed under: they open in no other round, in nobody else's name, beside no other promise."""
    return b"potluck share predict box 1\0" + digest(agreed, named(sender), named(to), *promise.parts)


def agreed_statement(agreed: bytes, rows: Rows) -> bytes:
    """What the owner agrees to."""
    return digest(b"potluck share predict agreed 1", agreed, dump(rows))


def scores_info(agreed: bytes, sender: Party, model: Model, rows: Rows) -> bytes:
    """What a share of the scores is sealed under."""
    return b"potluck share predict scores 1\0" + digest(agreed, named(sender), dump(model), dump(rows))
