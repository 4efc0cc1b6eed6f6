"""A protocol half: one party's part in one round, as a generator without I/O, clock or randomness of its own.

A half yields an `Exchange` (what it sends, and whom it awaits) and is resumed with an `Inbox` (what came).
Whoever moves the letters (in memory, over a network) needs no knowledge of the protocol, and every protocol
can be attacked in memory by a tampering carrier.

Pitfall: a half calls another half with `yield from`; a bare call sends nothing.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from potluck.core.party import Draw, Party
from potluck.core.slices import Sliced
from potluck.core.stages import Guarded, Opened
from potluck.core.visible import visible

Words = NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True, order=True)
class RoundId:
    """One sum has one number in its run; a retry takes the next number."""

    run: str
    number: int


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """What a parcel is: a step of one round."""

    round: RoundId
    step: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """A labelled body of bytes, on its way from one party to another. A long one may lie elsewhere: see `slices`."""

    label: Label
    body: Sliced = field(repr=False)


class Cause(StrEnum):
    """Why a party left or a round ended. A closed set: only the cause travels, never a detail."""

    SILENT = "silent"  # no answer within its patience
    TOO_FEW = "too few answers"
    COHORT = "cohort below the minimum"
    STOPPED = "stopped by the other side"
    LATE = "late, already declared dropped"
    MALFORMED = "malformed message"
    SIGNATURE = "bad signature"
    KEYS = "keys do not match what was advertised"
    BOX = "box does not open"
    COMMITMENT = "share does not match its commitment"
    DEALER = "dealt secrets do not match the advertised keys"
    SURVIVORS = "inconsistent survivor sets"
    TERMS = "terms of the round do not match"
    REPLAY = "round or step already used"
    BUDGET = "privacy budget refused"
    RANGE = "value out of range"
    ROWS = "too few rows"  # names nobody: who dropped them is a secret
    CHANGED = "rows changed since the run began"
    KEPT = "what the site keeps between rounds is not there"
    REFUSED = "refused by the site"
    VOTED = "voted down by the sites"
    ENGINE = "the engine failed"
    PEER = "the address of an engine is not allowed"
    EVIDENCE = "evidence of the enclave refused"
    BUG = "internal error"


@dataclass(frozen=True, slots=True)
class Record:
    """A fact that must be durable before anything of this exchange leaves. No key ever has two values.

    `again`: the same value may be written again, as by a retry that repeats a decision. Another value never may.
    `other`: the cause of the abort where the key may not be written again.
    """

    key: str
    value: bytes = field(repr=False)
    again: bool = False
    other: Cause = Cause.REPLAY


class Abort(Exception):
    """A round ends here. `cause` and `party` travel, all else stays local.

    party: whom it names; None: nobody. step: the exchange that failed. detail: words for this party's own screen.
    stands: where too few answered, the `stands` of that exchange.
    """

    def __init__(
        self, cause: Cause, *, party: Party | None = None, step: str = "", detail: str = "", stands: str = ""
    ) -> None:
        self.cause = cause
        self.party = party
        self.step = step
        self.detail = detail
        self.stands = stands
        who = f" ({party})" if party else ""
        at = f" at {step}" if step else ""
        more = f": {detail}" if detail else ""
        super().__init__(visible(f"{cause.value}{who}{at}{more}"))

    @property
    def exit_code(self) -> int:
        """As of a `PotluckError`: 3 where somebody said no, else 4."""
        return 3 if self.cause in (Cause.BUDGET, Cause.REFUSED) else 4


Known = Callable[[], Sliced]
"""What a half knows without having read it, as bytes: made only where somebody keeps a record."""
Read = Callable[[Party, bytes], bytes]
"""(sender, body) -> the body as the half is given it. Raises Abort: the sender counts as gone."""
Take = Callable[[Party, Sliced], Sliced]
"""(sender, body) -> the body as it was read. What it says is taken in at once, and it counts from here on.

Raises Abort: nothing of it was taken in, and the sender counts as gone.
"""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Record, send, then wait for `expect` under `label` until all answered or left, or `hops` x patience passed.

    `read` opens and checks one body as it arrives; where it raises `Abort`, that sender counts as gone.
    `take`, in its stead, also takes in what a body says, as a sum does with a summand: none is held, and the inbox has
    an empty one of each sender. The half may use what was taken in once it is resumed.
    Fewer than `at_least` answers: `Abort` is thrown into the half. An empty `expect` returns at once.

    known: what the half itself says or finds with this exchange, for whoever keeps a record of what its party saw.
    None: nothing that does not follow from letters.

    later: the record may wait for the next exchange that records or sends. Until then the half does nothing that others
    could notice: it calls no engine, and writes no file.

    Drivers of any protocol go by three more fields:
    `contributes`: a site's contribution leaves with this exchange, or is awaited in it. From here on a noised round is
    not repeated for free.
    `fixes`: the parties whose sum it is; the exchange says so to others. Empty: it fixes nothing.
    `stands`: prefix of the record that awaited parties keep of an earlier answer. One that refuses with REPLAY holds to
    that record. Empty: they keep none.
    """

    label: Label
    send: Mapping[Party, Parcel] = field(default_factory=dict)
    expect: frozenset[Party] = frozenset()
    at_least: int = 0
    hops: int = 1
    record: Record | None = None
    later: bool = False
    known: Known | None = None
    read: Read | None = None
    take: Take | None = None
    contributes: bool = False
    fixes: frozenset[Party] = frozenset()
    stands: str = ""


@dataclass(frozen=True, slots=True)
class Inbox:
    """got: each answer, as `read` returned it. gone: who did not answer, and why."""

    got: Mapping[Party, bytes] = field(default_factory=dict, repr=False)
    gone: Mapping[Party, Cause] = field(default_factory=dict)


Verify = Callable[[Party, bytes, bytes], None]
"""(party, message, signature): raises Abort(SIGNATURE) unless it is the party's, by the pinned roster."""
T_co = TypeVar("T_co", covariant=True)
Half = Generator[Exchange, Inbox, T_co]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What only this party holds. An argument, so that known-answer vectors replay.

    `sign` signs with the party's long-term key; `public(party)` is the pinned key of a party itself, 32 bytes.
    `file` is the digest of the federation file that this party goes by, empty where all parties are in one process:
    it enters what the parties of a round agree on, so that parties with different files agree on nothing.
    """

    party: Party
    draw: Draw = field(repr=False)
    sign: Callable[[bytes], bytes] = field(repr=False)
    verify: Verify = field(repr=False)
    public: Callable[[Party], bytes] = field(repr=False)
    file: bytes = b""


@dataclass(frozen=True, slots=True)
class Rule:
    """How updates are joined.

    word: "sum", or a rule that looks at each update by itself; only `tee` can follow such a rule.
    tally: how many words at the end of the vector count rows. most: the most rows that one site may have.
    noise: for each part of the vector, (how many words, sigma in steps), where the enclave adds noise before anybody
    sees the sum. Empty: it adds none.
    """

    word: Literal["sum", "median", "trimmed", "krum", "norm"] = "sum"
    tally: int = 0
    most: int = 0
    noise: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Limit:
    """What one site may add to a stretch of the vector, in whole steps of the grid.

    length: how many words the stretch has. bound: the largest |word|, read as a signed number.
    norm: the largest L2 norm of the stretch; 0: there is no such limit.
    """

    length: int
    bound: int
    norm: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What all parties of a round agree on. `digest` enters every signature and every key.

    digest: 32 bytes over plan, run, round number, input model, grid, limits, noise and the federation file.
    once: names what may be opened only once: without noise the step of the plan on its input model,
        whatever the round number; with noise also the number, since a retry is a new, charged release.
    sites: in the plan's order. fewest: the minimum cohort m = n - dropouts. length: the number of words d.
    bits: of a word, 32 or 64. rule: a sum, except in robust training.
    limits: what a site may add to each stretch in turn, for a protection that can check it. Empty: no limits.
    """

    round: RoundId
    digest: bytes
    once: str
    sites: tuple[Party, ...]
    fewest: int
    length: int
    bits: int
    rule: Rule = Rule()
    limits: tuple[Limit, ...] = ()

    @property
    def dtype(self) -> DTypeLike:
        """The unsigned word of the ring: u32 or u64, little-endian as on the wire."""
        return np.dtype("<u4") if self.bits == 32 else np.dtype("<u8")

    def label(self, step: str) -> Label:
        """The label of `step` in this round."""
        return Label(self.round, step)


class Sum(Protocol):
    """One protection's way to compute the one sum: two halves, and a third for compute parties."""

    def helpers(self) -> tuple[Party, ...]:
        """Who takes part beside sites and server: compute parties, by rank."""
        return ()

    def give(self, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]: ...

    def open(self, terms: Terms, me: Credentials) -> Half[Opened]: ...

    def assist(self, terms: Terms, me: Credentials) -> Half[None]:
        """A helper's half."""
        yield from ()


CHARGE = "charge/"
"""Prefix of the `Record` that a protection's give half must write with the exchange that contributes."""
SURVIVORS = "survivors/"
"""Prefix of the `Record` of the parties whose sum one helps to open."""
ENCLAVE = "enclave/"
"""Prefix of the `Record` of the enclave that one believed in this run."""
KEYS = "keys/"
"""Prefix of the `Record`s of the keys that an owner brought to an intersection, and of what it heard in it."""


def charge(terms: Terms, guarded: Guarded) -> Record:
    """The record that must be durable before a contribution leaves: what it costs, under this round's number.

    Raises (through the ledger): a round whose number was used before is refused.
    """
    return Record(f"{CHARGE}{terms.round.run}/{terms.round.number}", guarded.charge)
