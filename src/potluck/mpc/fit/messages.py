"""The messages of a fit over columns at different owners: fixed schemas, and what is signed and sealed."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from potluck.core.fitting import Fitting
from potluck.core.party import Party
from potluck.core.wire import Hash, Message, Signature
from potluck.mpc.credentials import Address, Certificate, JobName
from potluck.mpc.fit.parts import InputShare
from potluck.mpc.replicated import PARTIES, TWO
from potluck.secret.box import BoxPublic
from potluck.secret.statement import named
from potluck.secret.stream import digest

SPLIT = "fit/split"
KEYS = "fit/keys"
INPUT = "fit/input"
HELD = "fit/held"
READY = "fit/ready"
LINK = "fit/link"
NOISE = "fit/noise"
RUN = "fit/run"
ROLL = "fit/roll"
FAULTS = "fit/faults"
RESULT = "fit/result"
DONE = "fit/done"
LARGEST = 240 << 20
"""Bytes of an owner's part: a letter carries 256 MiB."""
ROWS = 1 << 22


class Held(Message, frozen=True):
    """Which rows are held out, as the target's owner says: a bit each, eight a byte, in the common order."""

    rows: Annotated[int, msgspec.Meta(ge=0, le=ROWS)]
    bits: bytes


class Dealt(Message, frozen=True):
    """What an owner seals to one compute party: two of three parts, or one of two."""

    first: InputShare
    second: InputShare | None = None

    @property
    def held(self) -> tuple[InputShare, ...]:
        """The parts that are there."""
        return (self.first,) if self.second is None else (self.first, self.second)


class Promise(Message, frozen=True):
    """What an owner says of what it gave: commitments to its parts, how many rows, and in which order; signed.

    box: a key to which the result is sealed; empty where the owner reads no model.
    """

    parts: Annotated[tuple[Hash, ...], msgspec.Meta(min_length=TWO, max_length=PARTIES)]
    train: Annotated[int, msgspec.Meta(ge=1, le=ROWS)]
    test: Annotated[int, msgspec.Meta(ge=0, le=ROWS)]
    order: Hash
    box: bytes
    signature: Signature


class Input(Message, frozen=True):
    """An owner's parts for one compute party, sealed, and its promise."""

    sealed: bytes
    promise: Promise


class Shown(Message, frozen=True):
    """What a compute party shows the others: every owner's promise, in the plan's order, and how it is reached.

    job: the job whose link it has open, or nothing; address, certificate: for a new one, named after this round;
    box: its key of this round, to which others seal.
    """

    promises: tuple[Promise, ...]
    job: JobName
    address: Address
    certificate: Certificate
    box: BoxPublic


class Outcome(Message, frozen=True):
    """A compute party's shares of the results, sealed; empty for an owner that reads no model."""

    box: bytes


class Shares(Message, frozen=True):
    """What is sealed: a share of each result but the first."""

    each: tuple[bytes, ...]


def part_info(fitting: Fitting, owner: Party) -> bytes:
    """What an owner's parts are for: this round, and nobody else's columns."""
    return digest(b"potluck fit parts 1", fitting.digest, named(owner))


def promise_statement(fitting: Fitting, owner: Party, promise: Promise) -> bytes:
    """What an owner signs."""
    about = b"%d %d" % (promise.train, promise.test)
    whole = digest(fitting.digest, named(owner), *promise.parts, about, promise.order, promise.box)
    return b"potluck fit promise 1\0" + whole


def box_info(fitting: Fitting, owner: Party, to: Party, parts: Sequence[bytes]) -> bytes:
    """What parts are sealed under: they open in no other round, in nobody else's name, beside no other promise."""
    return b"potluck fit box 1\0" + digest(fitting.digest, named(owner), named(to), *parts)


def noise_info(fitting: Fitting, party: Party) -> bytes:
    """What a compute party's noise is for: this round, and in nobody else's name."""
    return digest(b"potluck fit noise 1", fitting.digest, named(party))


def noise_box_info(fitting: Fitting, sender: Party, to: Party) -> bytes:
    """What parts of noise are sealed under."""
    return b"potluck fit noise box 1\0" + digest(fitting.digest, named(sender), named(to))


def result_info(fitting: Fitting, sender: Party, to: Party, box: bytes) -> bytes:
    """What a share of the results is sealed under."""
    return b"potluck fit result 1\0" + digest(fitting.digest, named(sender), named(to), box)
