"""The messages of one prediction in an enclave: fixed schemas, and what is signed and sealed.

    tee/nonce       owner and client: a fresh nonce each, and the hash of the policy by which it will judge (`messages`)
    tee/evidence    to each: the enclave's evidence for its nonce (`messages`)
    tee/rows        client: its rows and a box key of this round, sealed to the enclave
    tee/counted     to the owner: how many rows the enclave found in that very parcel
    tee/model       owner: the model, sealed to the enclave, for these rows and no others
    tee/scores      to the client: the margins, sealed to its key

Owner and client sign over the enclave's key, and the owner over the client's parcel too: what an enclave has of it
scores one set of rows, however often a host starts that enclave again or puts it back.
"""

import hashlib
from typing import Annotated, Literal

import msgspec

from potluck.core.wire import Hash, Message, Signature, dump
from potluck.secret.box import BoxPublic
from potluck.secret.stream import digest
from potluck.tee.attestation.binding import Member
from potluck.tee.sum.messages import Input

ROWS = "tee/rows"
COUNTED = "tee/counted"
MODEL = "tee/model"
SCORES = "tee/scores"

Count = Annotated[int, msgspec.Meta(ge=1, lt=2**31)]
Activation = Literal["", "relu", "tanh", "square"]


class Agreed(Message, frozen=True):
    """One prediction, as the enclave is told it and as owner and client recompute it.

    digest: over plan, run and round, and so the model's digest; owner, client: with their pinned keys; rows: the most
    that the owner scores.
    """

    run: str
    number: int
    digest: Hash
    owner: Member
    client: Member
    rows: Count


class Column(Message, frozen=True):
    """What a model takes by this name. kind, shape: of a row's entries; values: row by row, each within [-1, 1]."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    kind: Literal["float32", "float64"]
    shape: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1, max_length=8)]
    values: bytes


class Rows(Message, frozen=True):
    """What the client seals. box: its key of this round; columns: of layers one, the encoded table."""

    box: BoxPublic
    rows: Count
    columns: Annotated[tuple[Column, ...], msgspec.Meta(min_length=1, max_length=64)]


class Layer(Message, frozen=True):
    """weights: float64 [outputs, inputs], output by output; bias: float64 [outputs]."""

    inputs: Count
    outputs: Count
    weights: bytes
    bias: bytes


class Layers(Message, frozen=True, tag="layers"):
    """activation: between layers."""

    activation: Activation
    layers: Annotated[tuple[Layer, ...], msgspec.Meta(min_length=1, max_length=512)]


class Tree(Message, frozen=True):
    """Of 2^depth leaves. features: int64, cuts: float64, left: a byte each, 0 or 1, all of [2^depth - 1]; leaves:
    float64. See `core.predicting.Trees`."""

    features: bytes
    cuts: bytes
    left: bytes
    leaves: bytes


class Forest(Message, frozen=True, tag="trees"):
    """flags: int64 [inputs]; trees: by turns of the outputs. See `core.predicting.Trees`."""

    first: float
    outputs: Count
    flags: bytes
    trees: Annotated[tuple[Tree, ...], msgspec.Meta(min_length=1)]


class Weights(Message, frozen=True):
    """What the owner seals. rows: how many it has written down, and lets be scored."""

    rows: Count
    model: Layers | Forest


class Drawn(Message, frozen=True):
    """What the owner seals where the model is a graph. rows: as in `Weights`; graph: its file, with all weights."""

    rows: Count
    graph: bytes


class Counted(Message, frozen=True):
    """What the enclave found. hash: of the client's parcel; client: its signature over that; enclave: over all."""

    rows: Count
    hash: Hash
    client: Signature
    enclave: Signature


class Handed(Message, frozen=True):
    """A parcel, with the evidence and policy that it was sealed under, as the host hands it to the enclave."""

    evidence: Hash
    policy: Hash
    input: Input


class Margins(Message, frozen=True):
    """What the enclave seals. values: float64, row by row; bound: of what any of them is off, None of a graph's."""

    outputs: Count
    bound: Annotated[float, msgspec.Meta(ge=0)] | None
    values: bytes


class Output(Message, frozen=True):
    """The scores. model: hash of the owner's parcel; owner: its signature over that; enclave: over all of it."""

    sealed: bytes
    model: Hash
    owner: Signature
    enclave: Signature


def session(one: Agreed) -> bytes:
    """32 bytes that name protocol, round, both ends and everything that was agreed for it."""
    return hashlib.sha256(b"potluck tee predict 1\0" + dump(one)).digest()


def rows_info(agreed: bytes, evidence: bytes, policy: bytes) -> bytes:
    """What rows are sealed under: they open in no other round, and under no other evidence."""
    return b"potluck tee predict rows box 1\0" + digest(agreed, evidence, policy)


def rows_statement(agreed: bytes, sign: bytes, rows: bytes) -> bytes:
    """What a client signs about its parcel. sign: the enclave's key; rows: the parcel's hash."""
    return b"potluck tee predict rows 1\0" + digest(agreed, sign, rows)


def counted_statement(agreed: bytes, sign: bytes, rows: bytes, count: int) -> bytes:
    """What the enclave signs about a client's parcel."""
    return b"potluck tee predict counted 1\0" + digest(agreed, sign, rows, count.to_bytes(4, "big"))


def model_info(agreed: bytes, evidence: bytes, policy: bytes, rows: bytes) -> bytes:
    """What a model is sealed under: it opens for the rows of one parcel, whose hash `rows` is."""
    return b"potluck tee predict model box 1\0" + digest(agreed, evidence, policy, rows)


def model_statement(agreed: bytes, sign: bytes, rows: bytes, model: bytes) -> bytes:
    """What an owner signs about its parcel, whose hash `model` is."""
    return b"potluck tee predict model 1\0" + digest(agreed, sign, rows, model)


def scores_info(agreed: bytes, sign: bytes, rows: bytes, model: bytes) -> bytes:
    """What scores are sealed under: of these rows, by this model, from this enclave."""
    return b"potluck tee predict scores box 1\0" + digest(agreed, sign, rows, model)


def scores_statement(agreed: bytes, sign: bytes, rows: bytes, model: bytes, sealed: bytes) -> bytes:
    """What the enclave signs about the scores, whose hash `sealed` is."""
    return b"potluck tee predict scores 1\0" + digest(agreed, sign, rows, model, sealed)
