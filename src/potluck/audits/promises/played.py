"""Rounds of a plan's sums, carried out in this process by the halves that parties run, and looked at from outside.

Each site's half says what it hands to the protection, the server's what it opened, as for a record. Under `share` there
are compute parties with engines, under `tee` there is a simulated enclave, both of this process.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count
from typing import TypeVar

from potluck.audits.promises.scene import Anew, Scene, Sum
from potluck.core.asks import Answer, Kind
from potluck.core.desk import Desk, Letter
from potluck.core.errors import PotluckError
from potluck.core.ledger import Ledger
from potluck.core.party import SERVER, Draw, Party
from potluck.core.plan import digest
from potluck.core.rounds import Abort, Exchange, Half, Label, RoundId, Words
from potluck.core.rounds import Sum as Protection
from potluck.core.slices import whole
from potluck.core.wire import load, unpack
from potluck.drivers.memory import Carry, Memory, faithfully
from potluck.learning.data.table import Table
from potluck.learning.kept import InMemory
from potluck.learning.training.local import keeps
from potluck.tasks.sums.halves import GAVE, OPENED, Opening, RoundContext, aid, join, lead
from potluck.tasks.sums.protections import rehearsed

RUN, NUMBERS = "audit", count(1)
"""Of rounds: an enclave takes part in each once."""
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Attempt:
    """What sites did in a round, however it ended. id: as charges name it; seen: by site what its half yielded, in
    order; gave: by site the words that it handed to the protection."""

    id: RoundId
    seen: Mapping[Party, list[Exchange]] = field(repr=False)
    gave: Mapping[Party, Words] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Round(Attempt):
    """One that was opened. opened: the words of the sum; answer: what was released of it."""

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


def played(scene: Scene, one: Sum, table: Table, memory: Memory | None = None, number: int | None = None) -> Round:
    """A round of one sum in which every site has these rows. memory: of the run that it is in; number: in that run.
    Raises NotPlayed: it ended in an abort."""
    rows = as_kept(scene, one, table)
    found, server, desk = carried_out(scene, one, rows, memory or meeting(scene), number=number)
    return _opened(one, found, server, desk, "a round of made-up rows ended")


def _opened(one: Sum, found: Attempt, server: list[Exchange], desk: Desk[object], ended: str) -> Round:
    """The same with what was opened. Raises NotPlayed: nothing was. ended: what is said then."""
    if not isinstance(desk.result, Answer):
        raise NotPlayed(f"{ended}: {desk.abort}")
    grid = one.bound.grid
    opening = load(said(server, OPENED), Opening)
    opened = unpack(opening.words, grid.length, grid.bits)
    return Round(found.id, found.seen, found.gave, opened, desk.result)


def again(scene: Scene, one: Sum, table: Table) -> tuple[Attempt, Round]:
    """Two rounds of one sum by the same parties of one run: what sites contribute to the first is lost on its way, so
    that it comes to nothing, and the sum is asked for again. Raises NotPlayed: nothing was contributed."""
    lost, rows = Losing(), as_kept(scene, one, table)
    memory = meeting(scene, carry=lost.carry)
    first, _, nothing = carried_out(scene, one, rows, memory, lost.seen)
    if nothing.result is not None:
        raise NotPlayed("a round ended well whose contributions were lost")
    lost.seen = {}
    second, server, desk = carried_out(scene, one, rows, memory)
    return first, _opened(one, second, server, desk, "a round that was run again ended")


@dataclass
class Losing:
    """A network that loses what is contributed to a round. seen: what its halves yield, as far as they are."""

    seen: dict[Party, list[Exchange]] = field(default_factory=dict)

    def carry(self, letter: Letter) -> Iterable[Letter]:
        """See `drivers.memory.Carry`."""
        return () if contributes(self.seen.get(letter.sender, ()), letter.label) else (letter,)


def contributes(seen: Iterable[Exchange], label: Label) -> bool:
    """Whether a letter is a contribution, as the half says that sends it."""
    return any(parcel.label == label for each in seen if each.contributes for parcel in each.send.values())


def meeting(
    scene: Scene, *, carry: Carry = faithfully, ledgers: Mapping[Party, Ledger] | None = None, draw: Draw | None = None
) -> Memory:
    """The parties of one run. draw: their randomness, in place of the scene's."""
    parties = (*scene.plan.sites, *protection(scene).helpers())
    return Memory(parties, digest(scene.plan), draw=draw or scene.draw, carry=carry, ledgers=ledgers)


def carried_out(
    scene: Scene,
    one: Sum,
    table: Table,
    memory: Memory,
    seen: dict[Party, list[Exchange]] | None = None,
    number: int | None = None,
) -> tuple[Attempt, list[Exchange], Desk[object]]:
    """(what sites did, what the server's half yielded, its desk). seen: is filled on the way."""
    plan, by = scene.plan, protection(scene)
    context = RoundContext(plan, scene.task, by, RoundId(RUN, number or next(NUMBERS)))
    seen = {} if seen is None else seen
    seen |= {party: [] for party in (SERVER, *plan.sites)}
    halves: dict[Party, Half[object]] = {
        site: watched(join(context, table, memory.seat(site)), seen[site]) for site in plan.sites
    }
    halves |= {helper: aid(context, memory.seat(helper)) for helper in by.helpers()}
    leads = watched(lead(context, one.ask, memory.seat(SERVER)), seen[SERVER])
    desk = memory.round(context.round, {SERVER: leads, **halves})[SERVER]
    grid = one.bound.grid
    sites = {site: some for site, some in seen.items() if site != SERVER}
    try:
        gave = {site: unpack(said(some, GAVE), grid.length, grid.bits) for site, some in sites.items()}
    except StopIteration:
        raise NotPlayed(f"a round of made-up rows ended: {desk.abort}") from None
    return Attempt(context.round, sites, gave), seen[SERVER], desk


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
