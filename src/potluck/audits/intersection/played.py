"""A matching of keys, played anew in this process by the program's own halves."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from potluck.audits.intersection.space import Key
from potluck.core.party import SERVER, Party
from potluck.core.plan import Plan, digest, required
from potluck.core.rounds import Half, RoundId
from potluck.drivers.memory import Memory, new_run
from potluck.mpc.psi.keys import distinct
from potluck.tasks.matching.alignment import Common, Keys, Tools, aligned, gathering, handed_on


def places_of(keys: Sequence[Key]) -> dict[bytes, int]:
    """By digest, the place of each different key."""
    return distinct(keys, range(len(keys)), "keys", first=True)


def played(plan: Plan, me: str, keys: Mapping[str, Sequence[Key]]) -> Common:
    """What `me` learns where sites have these keys. Raises Abort. Two sites that match by RR22 match on a curve here:
    both ways give the same result."""
    spec = msgspec.structs.replace(plan, align=msgspec.structs.replace(required(plan.align), protocol="ecdh"))
    about, memory = gathering(spec, RoundId(new_run(), 1)), Memory(spec.sites, digest(spec))
    halves: dict[Party, Half[object]] = {SERVER: handed_on(about)}
    for site in spec.sites:
        places = places_of(keys[site.name])
        rows = np.fromiter(places.values(), np.int64, len(places))
        halves[site] = aligned(about, memory.seat(site), Keys(b"".join(places), rows, keys[site.name]), Tools())
    desks = memory.round(about.round, halves)
    mine = next(desk for site, desk in desks.items() if site.name == me)
    if mine.abort:
        raise mine.abort
    assert isinstance(mine.result, Common)
    return mine.result
