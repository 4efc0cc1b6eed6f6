"""Rounds of a plan's sums, carried out in this process by the halves that parties run, and looked at from outside.

Each site's half says what it hands to the protection, the server's what it opened, as for a record. Under `share` there
are compute parties with engines, under `tee` there is a simulated enclave, both of this process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count
from typing import TypeVar

from potluck.audits.promises.scene import Anew, Scene, Sum
from potluck.core.asks import Answer, Kind
from potluck.core.errors import PotluckError
from potluck.core.party import SERVER, Party
from potluck.core.plan import digest
from potluck.core.rounds import Abort, Exchange, Half, RoundId, Words
from potluck.core.rounds import Sum as Protection
from potluck.core.slices import whole
from potluck.core.wire import load, unpack
from potluck.drivers.memory import Memory
from potluck.learning.data.table import Table
from potluck.learning.kept import InMemory
from potluck.learning.training.local import keeps
from potluck.tasks.sums.halves import GAVE, OPENED, Opening, RoundContext, aid, join, lead
from potluck.tasks.sums.protections import rehearsed

NUMBERS = count(1)
"""Of rounds: an enclave takes part in each once."""
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Round:
    """One round. id: as charges name it; seen: by site what its half yielded, in order; gave: by site the words that
    it handed to the protection; opened: the words of their sum; answer: what was released of it."""

    id: RoundId
    seen: Mapping[Party, list[Exchange]] = field(repr=False)
    gave: Mapping[Party, Words] = field(repr=False)
    opened: Words = field(repr=False)
    answer: Answer = field(repr=False)

    @property
    def sizes(self) -> list[tuple[Party, str, Party, int]]:
        """Of each site's letters, in order: by whom, in which step, to whom, and how many bytes."""
        return [
            (site, parcel.label.step, to, len(parcel.body))
            for site, some in self.seen.items()
            for each in some
            for to, parcel in each.send.items()
        ]


class NotPlayed(Exception):
    """No round of this plan can be carried out here, and why."""


@lru_cache(maxsize=1)
def protection(scene: Scene) -> Protection:
    """Of the plan's sums, with whatever engines it starts. Raises NotPlayed: one is missing."""
    try:
        return rehearsed(scene.plan)
    except PotluckError as error:
        raise NotPlayed(error.what) from None


def played(scene: Scene, one: Sum, table: Table) -> Round:
    """A round of one sum in which every site has these rows. Raises NotPlayed: it ended in an abort."""
    plan, by = scene.plan, protection(scene)
    memory = Memory((*plan.sites, *by.helpers()), digest(plan), draw=scene.draw)
    context = RoundContext(plan, scene.task, by, RoundId("audit", next(NUMBERS)))
    seen: dict[Party, list[Exchange]] = {party: [] for party in (SERVER, *plan.sites)}
    halves: dict[Party, Half[object]] = {
        site: watched(join(context, rows, memory.seat(site)), seen[site])
        for site, rows in dict.fromkeys(plan.sites, as_kept(scene, one, table)).items()
    }
    halves |= {helper: aid(context, memory.seat(helper)) for helper in by.helpers()}
    leads = watched(lead(context, one.ask, memory.seat(SERVER)), seen[SERVER])
    desks = memory.round(context.round, {SERVER: leads, **halves})
    answer = desks[SERVER].result
    if not isinstance(answer, Answer):
        raise NotPlayed(f"a round of made-up rows ended: {desks[SERVER].abort}")
    grid = one.bound.grid
    opening = load(said(seen.pop(SERVER), OPENED), Opening)
    gave = {site: unpack(said(some, GAVE), grid.length, grid.bits) for site, some in seen.items()}
    return Round(context.round, seen, gave, unpack(opening.words, grid.length, grid.bits), answer)


@lru_cache(maxsize=8)
def as_kept(scene: Scene, one: Sum, table: Table) -> Table:
    """The same rows of sites that took part in the sums before, where these are in this one."""
    if not keeps(scene.plan):
        return table
    if one.ask.band is None:
        return replace(table, kept=Anew())
    table = replace(table, kept=InMemory())
    for earlier in scene.kinds[one.ask.kind]:
        if earlier.ask.step < one.ask.step:
            earlier.moved(table, scene.draw)
    return table


def said(seen: list[Exchange], step: str) -> bytes:
    """What a half said at a step."""
    return next(whole(each.known()) for each in seen if each.known is not None and each.label.step == step)


def watched(half: Half[T], seen: list[Exchange]) -> Half[T]:
    """The same half, of which each exchange is noted."""
    try:
        exchange = next(half)
        while True:
            seen.append(exchange)
            try:
                inbox = yield exchange
            except Abort as abort:
                exchange = half.throw(abort)
            else:
                exchange = half.send(inbox)
    except StopIteration as stop:
        found: T = stop.value
        return found


def nobodys(scene: Scene, kind: Kind) -> Table | None:
    """Rows of which none is in a sum of this kind, or of a statistic one unit."""
    table = scene.only(kind, scene.units[0][:0]) if scene.units else None
    return scene.only(kind, scene.units[0]) if table is None and scene.units else table
