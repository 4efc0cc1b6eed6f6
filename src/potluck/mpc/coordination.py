"""What compute parties say to each other, whatever they compute: all hear all, compare, and call the roll.

An engine blocks while it waits for the others'. So each party asks its own, tells the others that it did, and takes
the result only when all have: nobody waits for an engine that was never asked, in one process or in several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Exchange, Half, Label, Parcel, Read
from potluck.core.wire import Hash, dump, load
from potluck.mpc.engine import Engine, own_fault
from potluck.mpc.spu import Pending

T = TypeVar("T")
Named = Callable[[str], Label]
"""The label of a step in the round at hand."""


class Ready(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a compute party is about to compute. agreed: all that was exchanged; program: what was compiled."""

    agreed: Hash
    program: Hash


class Here(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """It has asked its engine. failed: its own engine has failed."""

    failed: bool = False


class Share(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A compute party's share of what all of them open to each other."""

    share: bytes


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
    place: Place, label: Named, step: str, body: bytes, read: Read | None = None, hops: int = 2
) -> Half[Mapping[Party, bytes]]:
    """Say something to the others and hear the same of them. Raises Abort naming who does not answer."""
    at = label(step)
    send = {party: Parcel(at, body) for party in sorted(place.others)}
    inbox = yield Exchange(at, send, place.others, len(place.others), hops, read=read)
    return inbox.got


def same(place: Place, step: str, said: Mapping[Party, bytes], cause: Cause, what: str) -> None:
    """Raises Abort(cause): not all said the same; named is who is alone with it, be it this party itself."""
    if len(set(said.values())) == 1:
        return
    alone = [party for party, one in said.items() if list(said.values()).count(one) == 1]
    raise Abort(cause, party=alone[0] if len(alone) == 1 else None, step=step, detail=what)


def in_step(place: Place, label: Named, step: str, pending: Pending[T], roll: str) -> Half[T]:
    """What the engine gives once all have asked theirs: nobody waits for its engine before.

    Raises Abort naming whose engine failed (ENGINE) or who is gone (SILENT): where an engine fails, they call the roll.
    """
    try:
        yield from tell_all(place, label, step, dump(Here()))
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
    # An engine may die of another's end: of several that failed, none is named for having begun it.
    who = " and ".join(map(str, sorted(faulty))) or "an engine"
    raise Abort(Cause.ENGINE, step=step, detail=f"{who} failed: {kept.detail}")
