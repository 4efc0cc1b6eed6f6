"""What server and sites say to each other about a run, around its rounds: proposals, answers, the end.

These letters are signed and closed like all others, under round number 0 of the run, and bound to the federation, not
to a version of its file: so parties that go by different ones can say so. None of them decides anything
about privacy by itself: a replayed one can at worst stop a run, since a site checks its own approvals and its own
ledger before every round, whatever the server believes.
"""

from typing import Annotated, Literal

import msgspec

from potluck.core.rounds import Label, Parcel, RoundId
from potluck.core.wire import Hash, Message, dump
from potluck.owner.access import REASON
from potluck.parties.admission.told import Told

HELLO = "hello"
PROPOSE = "propose"
ANSWER = "answer"
CLOSE = "close"
CLOSED = "closed"
ENDED = "ended"
TOLD = "told"
GRAPH = "graph"
"""The graph that the run's plan names: whoever lacks it asks."""
MOST_GRAPH = 255 * 1024**2
"""Bytes of a graph that travels: a letter has room for no more."""

Boot = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Head = Annotated[bytes, msgspec.Meta(max_length=512)]
Code = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,64}\Z")]
Version = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z.+_-]{1,64}\Z")]
Epsilon = Annotated[float, msgspec.Meta(ge=0, le=1.7976931348623157e308)]
Verdict = Literal["granted", "pending", "denied", "unable", "lacking"]
"""lacking: the graph that the plan names is not here, and nothing else is known against the plan."""


class Hello(Message, frozen=True):
    """A site's process has started. boot: fresh random bytes of this process."""

    boot: Boot


class Proposal(Message, frozen=True):
    """The server asks a site to take part in a run.

    code: version of the program; membership, file: version and digest of the federation file it goes by; plan: every
    setting (`core.plan.canonical`); initial: SHA-256 of the first sum's public model (of the initial weights, for
    training); head: the latest signed head of this site's own ledger that the server has seen, empty where it has none.
    asker: fresh random bytes of the server's process, so that no answer to an earlier one counts.
    """

    code: Version
    membership: int
    file: Hash
    plan: Annotated[bytes, msgspec.Meta(max_length=4_000_000)]
    initial: Hash
    head: Head
    asker: Boot = bytes(16)


class Answer(Message, frozen=True):
    """What a site says to a proposal. codes: why not, by the keys of its policy or by a fixed word; head: its ledger's
    signed head; boot: which process answers; membership, file: version and digest of the federation file that it goes
    by; asker: as in the proposal; begun, step: number and step of the newest round of this run that it
    began; 0 and empty of none; code: version of its program, empty from one that did not say it yet."""

    verdict: Verdict
    codes: Annotated[tuple[Code, ...], msgspec.Meta(max_length=32)]
    head: Head
    boot: Boot
    membership: Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
    file: Hash
    asker: Boot = bytes(16)
    begun: Annotated[int, msgspec.Meta(ge=0, lt=2**53)] = 0
    step: Annotated[str, msgspec.Meta(max_length=64)] = ""
    code: Version | Literal[""] = ""


class Close(Message, frozen=True):
    """The run is finished: nothing more will be asked under its name. model: SHA-256 of the model file, or empty;
    reason: of one that was cancelled, why, in the words of whoever did it."""

    model: Annotated[bytes, msgspec.Meta(max_length=32)]
    reason: Annotated[str, msgspec.Meta(max_length=REASON)] = ""


class Ended(Message, frozen=True):
    """The run does not go on for now, so nobody need decide about it: somebody else refused it, or a round of it
    failed. It may be proposed again. asker: as in the proposal that it is about."""

    why: Literal["elsewhere", "failed"]
    asker: Boot


class Closed(Message, frozen=True):
    """A site's last word on a run: what its ledger says the run cost (None without noise), and the ledger's head."""

    epsilon: Epsilon | None
    head: Head


Word = Hello | Proposal | Answer | Told | Close | Ended | Closed | bytes
"""bytes: a graph's file, which counts by its hash alone."""
_STEPS: dict[type, str] = {
    Hello: HELLO, Proposal: PROPOSE, Answer: ANSWER, Told: TOLD, Close: CLOSE, Ended: ENDED,
    Closed: CLOSED,
}  # fmt: skip


def parcel(run: str, word: Word) -> Parcel:
    """A word about `run` as a parcel."""
    if isinstance(word, bytes):
        return Parcel(Label(RoundId(run, 0), GRAPH), word)
    return Parcel(Label(RoundId(run, 0), _STEPS[type(word)]), dump(word))
