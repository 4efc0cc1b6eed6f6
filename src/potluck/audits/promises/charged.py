"""Whether ledgers are charged for what leaves: every attempt, before it leaves, as much as the plan's noise costs.

A round of the plan is carried out in this process, twice, by the halves that parties run, and what each site's half
hands its runner is looked at: with the exchange that contributes, or before it, there must be a charge, under this
round's number, of the cost of the sum. All that a run may charge must come to no more than the plan's epsilon. It does
NOT look at the ledger's disk.
"""

from collections.abc import Iterator, Mapping

from potluck.audits.promises.promise import Check, Effort, Finding
from potluck.audits.promises.scene import Scene, Sum, kind_name
from potluck.core.asks import Kind
from potluck.core.party import SERVER, Party
from potluck.core.plan import digest
from potluck.core.rounds import CHARGE, Abort, Exchange, Half, RoundId
from potluck.core.wire import dump
from potluck.dp.account import spent
from potluck.dp.calibration import releases
from potluck.drivers.memory import Memory
from potluck.learning.data.table import Table
from potluck.tasks.sums.halves import RoundContext, join, lead
from potluck.tasks.sums.protections import row

ATTEMPTS = 2
CLOSE = 1 + 1e-9


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of each kind of sum, and of all together."""
    effort.tell("charges")
    facts = scene.plan.protect.facts
    for kind, sums in scene.kinds.items():
        name = f"charges: {kind_name(kind)}"
        if not sums[0].noised:
            yield Check(
                name, False, f"what is released of {kind_name(kind)} has no noise, and nothing is charged for it"
            )
        elif facts.computes or facts.enclave or not scene.units:
            why = scene.why or "this protection has parties with engines of their own, which are not started here"
            yield Check(name, None, why)
        else:
            yield _of(scene, kind, sums[0], name)
    yield _all(scene)


def _of(scene: Scene, kind: Kind, one: Sum, name: str) -> Check:
    cost, wrong = dump(one.bound.cost), []  # type: ignore[union-attr]  # a noised sum has a cost
    table = scene.only(kind, scene.units[0])
    if table is None or scene.rows is None:
        return Check(name, None, scene.why)
    for number in range(1, ATTEMPTS + 1):
        for site, seen in _round(scene, one, table, number).items():
            charges = [i for i, each in enumerate(seen) if each.record and each.record.key.startswith(CHARGE)]
            leaves = [i for i, each in enumerate(seen) if each.contributes]
            due = f"{CHARGE}audit/{number}"
            if leaves and (not charges or charges[0] > leaves[0]):
                wrong.append(f"attempt {number}: {site}'s contribution left before its charge was written")
            elif any(seen[i].record.key != due or seen[i].record.value != cost for i in charges):  # type: ignore[union-attr]
                wrong.append(f"attempt {number}: {site} was charged something other than the cost of the sum")
            elif not leaves:
                return Check(name, None, f"no contribution of {site} left in a round of made-up rows")
    sites = len(scene.plan.sites)
    words = f"{ATTEMPTS} attempts at one sum by {sites} sites: each wrote the cost of the sum before it contributed"
    return Check(name, not wrong, wrong[0] if wrong else words, float(ATTEMPTS * sites), None)


def _round(scene: Scene, one: Sum, table: Table, number: int) -> Mapping[Party, list[Exchange]]:
    """What each site's half yielded in one round."""
    plan = scene.plan
    protection = row(plan).build(plan, None)
    memory = Memory((*plan.sites, *protection.helpers()), digest(plan), draw=scene.draw)
    context = RoundContext(plan, scene.task, protection, RoundId("audit", number))
    seen: dict[Party, list[Exchange]] = {site: [] for site in plan.sites}
    halves = {site: _watched(join(context, table, memory.seat(site)), seen[site]) for site in plan.sites}
    desks = memory.round(context.round, {SERVER: lead(context, one.ask, memory.seat(SERVER)), **halves})
    assert desks[SERVER].done
    return seen


def _watched(half: Half[None], seen: list[Exchange]) -> Half[None]:
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
        found: None = stop.value
        return found


def _all(scene: Scene) -> Check:
    plan = scene.plan
    costs = [
        one
        for kind, sums in scene.kinds.items()
        if sums[0].noised
        for one in [sums[0].bound.cost] * releases(plan, kind)  # type: ignore[union-attr]
    ]
    banded = any(sums[0].ask.band is not None for sums in scene.kinds.values())
    if banded:
        return Check("charges: the run", None, "banded sums cost by their turns, and their total is not looked at yet")
    total, most = spent(costs, plan.privacy.delta or 0.0), plan.privacy.epsilon or 0.0
    words = f"all charges of a run come to epsilon {total:.6g}, of {most:g} that the plan promises"
    return Check("charges: the run", bool(total <= most * CLOSE), words, most, total)
