"""Compute parties, whatever they compute: they exchange state, compare it, and report engine failures.

An engine blocks while it waits for the others'. So each party asks its own, tells the others that it did, and takes
the result only when all have: nobody waits for an engine that was never asked, in one process or in several.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from msgspec.msgpack import encode

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Exchange, Half, Parcel, Read
from potluck.core.steps import Named
from potluck.core.wire import Hash, Message, dump, load
from potluck.mpc.credentials import EngineCredentials
from potluck.mpc.engine import Engine, name, own_fault
from potluck.mpc.replicated import Ring, join
from potluck.mpc.spu import Pending
from potluck.secret.stream import digest

T = TypeVar("T")
M = TypeVar("M", bound=Message)


class Ready(Message, frozen=True):
    """What a compute party is about to compute. agreed: all that was exchanged; program: what was compiled."""

    agreed: Hash
    program: Hash


class Here(Message, frozen=True):
    """It has asked its engine. failed: its own engine has failed."""

    failed: bool = False


class Share(Message, frozen=True):
    """A compute party's share of what all of them open to each other."""

    share: bytes


class Reached(Protocol):
    """What a compute party says of its engine. job: whose link it has open, empty where none; else for a new one."""

    @property
    def job(self) -> str: ...

    @property
    def address(self) -> str: ...

    @property
    def certificate(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Steps:
    """What a protocol calls these steps. other: said of who saw something else; hops: for how many `ready` waits."""

    ready: str
    link: str
    roll: str
    other: str
    hops: int = 2


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A compute party's place among those who compute."""

    ranks: tuple[Party, ...]
    me: Party
    engine: Engine

    @property
    def rank(self) -> int:
        """Its number."""
        return self.ranks.index(self.me)

    @property
    def others(self) -> frozenset[Party]:
        """All but this one."""
        return frozenset(self.ranks) - {self.me}


def tell_all(
    place: Place, label: Named, step: str, mine: M, read: Read | None = None, hops: int = 2
) -> Half[dict[Party, M]]:
    """Say something to the others and hear the same of them: what each of all said. Raises Abort naming who does not
    answer."""
    at = label(step)
    send = dict.fromkeys(sorted(place.others), Parcel(at, dump(mine)))
    inbox = yield Exchange(at, send, place.others, len(place.others), hops, read=read)
    return {place.me: mine, **{party: load(body, type(mine), party) for party, body in inbox.got.items()}}


def open_all(place: Place, label: Named, step: str, mine: bytes, length: int, hops: int = 2) -> Half[Ring]:
    """Open a value [length] to all who compute. mine: this party's share of it."""
    said = yield from tell_all(place, label, step, Share(mine), hops=hops)
    return join({party: one.share for party, one in said.items()}, place.ranks, length)


def compiled_and_linked(
    place: Place,
    label: Named,
    steps: Steps,
    own: EngineCredentials,
    said: Mapping[Party, Reached],
    make: Callable[[], tuple[T, bytes]],
    about: tuple[bytes, bytes],
) -> Half[T]:
    """Compile, compare, and link where not all engines stand in one job: what all will compute.

    own: this party's credentials for a new job; said: what each of all said before; make: compiles, and gives a hash
    of what it has compiled; about: the protocol's tag, and 32 bytes that name the round.
    Raises Abort naming who compiled something else (TERMS), or saw something else (SURVIVORS).
    """
    jobs = {one.job for one in said.values()}
    fresh = len(jobs) > 1 or jobs == {""}
    if fresh and said[place.me].job:
        place.engine.close()  # a process links once
    made, hashed = make()
    round_ = label(steps.ready).round
    job = name(round_) if fresh else said[place.me].job
    mine = Ready(digest(*about, job.encode(), *(encode(said[party]) for party in place.ranks)), hashed)
    ready = yield from tell_all(place, label, steps.ready, mine, hops=steps.hops)
    programs = {party: one.program for party, one in ready.items()}
    same(steps.ready, programs, Cause.TERMS, "compiled another program")
    same(steps.ready, {party: one.agreed for party, one in ready.items()}, Cause.SURVIVORS, steps.other)
    if fresh:
        certificates = {party: said[party].certificate for party in place.ranks}
        at = [said[party].address for party in place.ranks]
        pending = place.engine.link(round_, place.rank, own, certificates, at)
        yield from in_step(place, label, steps.link, pending, steps.roll)
    return made


def same(step: str, said: Mapping[Party, bytes], cause: Cause, what: str) -> None:
    """Raises Abort(cause): not all said the same; named is who is alone with it, be it this party itself."""
    if len(set(said.values())) == 1:
        return
    alone = [party for party, one in said.items() if list(said.values()).count(one) == 1]
    raise Abort(cause, party=alone[0] if len(alone) == 1 else None, step=step, detail=what)


def in_step(place: Place, label: Named, step: str, pending: Pending[T], roll: str) -> Half[T]:
    """What the engine gives once all have asked theirs: nobody waits for its engine before.

    Raises Abort naming whose engine failed (ENGINE) or who is gone (SILENT): where an engine fails, each says whose.
    """
    try:
        yield from tell_all(place, label, step, Here())
    except BaseException:
        place.engine.close()
        raise
    try:
        return pending.result()
    except Abort as abort:
        place.engine.close()
        failed, kept = own_fault(abort), abort
    body = dump(Here(failed))
    send = {party: Parcel(label(roll), body) for party in place.others}
    inbox = yield Exchange(label(roll), send, place.others, hops=2)
    if len(inbox.gone) == 1:  # engines die of one that is gone
        raise Abort(Cause.SILENT, party=min(inbox.gone), step=step, detail="its engine is gone, and it does not answer")
    faulty = [party for party, said in inbox.got.items() if load(said, Here, party).failed]
    faulty += [place.me] if failed else []
    if len(faulty) == 1:
        raise Abort(Cause.ENGINE, party=faulty[0], step=step, detail=kept.detail if failed else "its engine failed")
    # One engine's exit can crash the others, so name none.
    who = " and ".join(map(str, sorted(faulty))) or "an engine"
    raise Abort(Cause.ENGINE, step=step, detail=f"{who} failed: {kept.detail}")
