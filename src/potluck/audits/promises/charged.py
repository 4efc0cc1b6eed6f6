"""Whether ledgers are charged for what leaves: every attempt, before it leaves, as much as the plan's noise costs.

Rounds of the plan, the first one twice, are carried out in this process by the halves that parties run, and what each
site's half hands its runner is looked at: with the exchange that contributes, or before it, there must be a charge,
under this round's number, of the cost of the sum. All that a run may charge must come to no more than the plan's
epsilon, by the accountant and by noise as the auditor reckons it: of undrawn units by the curve of Gaussian noise, of
drawn ones by losses that it adds up itself; and sites must refuse any sum beyond those that were reckoned with. It does
NOT look at the ledger's disk: `disk` does.
"""

import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from msgspec.structs import replace

from potluck.audits.promises.bounds import gaussian_epsilon
from potluck.audits.promises.composed import drawn_epsilon
from potluck.audits.promises.owed import NEAR, promise, times
from potluck.audits.promises.played import Attempt, NotPlayed, nobodys, played
from potluck.audits.promises.promise import Check, Effort, Finding
from potluck.audits.promises.scene import Scene, Sum, alike, kind_name, spread
from potluck.core.asks import Kind
from potluck.core.plan import Plan
from potluck.core.rounds import CHARGE, Abort
from potluck.core.wire import dump
from potluck.dp.account import Cost, spent
from potluck.dp.calibration import releases
from potluck.dp.events import Banded, SampledGauss

CLOSE = 1 + 1e-9
ROUNDS = 20
"""Of a kind, that all audits carry out of long sums, about."""


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of each kind of sum, and of all together."""
    effort.tell("charges")
    for kind, sums in scene.kinds.items():
        name = f"charges: {kind_name(kind)}"
        if not sums[0].noised:
            yield Check(
                name, False, f"what is released of {kind_name(kind)} has no noise, and nothing is charged for it"
            )
            continue
        try:
            yield _of(scene, kind, sums, name, effort)
        except NotPlayed as why:
            yield Check(name, None, str(why))
    yield _all(scene)


def _of(scene: Scene, kind: Kind, sums: Sequence[Sum], name: str, effort: Effort) -> Check:
    wrong, table = list[str](), nobodys(scene, kind)
    if table is None:
        return Check(name, None, scene.why)
    tried = [sums[0], *(one for some in alike(sums) for one in spread(some))]
    for number, one in enumerate(tried, 1):
        round_ = played(scene, one, table)
        if number == 1:
            once, numbers = partial(played, scene, one, table), one.bound.grid.length
            effort.forecast(f"rounds of {kind_name(kind)}, about", numbers, ROUNDS, once)
        if not all(any(each.contributes for each in seen) for seen in round_.seen.values()):
            return Check(name, None, "not every contribution left in a round of made-up rows")
        wrong += [f"attempt {number}: {words}" for words in owing(round_, one)]
    sites = len(scene.plan.sites)
    words = (
        f"{len(tried)} attempts at sums of a run, a first and a last among them, by {sites} sites: each wrote the "
        "cost of the sum before it contributed"
    )
    return Check(name, not wrong, wrong[0] if wrong else words, float(len(tried) * sites), None)


def owing(round_: Attempt, one: Sum) -> Iterator[str]:
    """What of a round's contributions was not charged, or not in time."""
    cost, due = dump(one.bound.cost), f"{CHARGE}{round_.id.run}/{round_.id.number}"  # type: ignore[union-attr]
    for site, seen in round_.seen.items():
        charges = [i for i, each in enumerate(seen) if each.record and each.record.key.startswith(CHARGE)]
        leaves = [i for i, each in enumerate(seen) if each.contributes]
        if leaves and (not charges or charges[0] > leaves[0]):
            yield f"{site}'s contribution left before its charge was written"
        elif any(seen[i].record.key != due or seen[i].record.value != cost for i in charges):  # type: ignore[union-attr]
            yield f"{site} was charged something other than the cost of the sum"


def _all(scene: Scene) -> Check:
    plan, name = scene.plan, "charges: the run"
    noised = {kind: sums for kind, sums in scene.kinds.items() if all(one.noised for one in sums)}
    delta, most = plan.privacy.delta or 0.0, plan.privacy.epsilon or 0.0
    more = next((kind for kind in noised if goes_on(scene, kind)), None)
    if more is not None:
        return Check(name, False, f"sites take part in more sums of {kind_name(more)} than were reckoned with", most)
    costs = [cost for kind, sums in noised.items() for cost in costs_of(plan, kind, sums)]
    try:
        total = spent(costs, delta)
    except ValueError as error:
        return Check(name, False, f"charges of a run do not add up to the plan's delta of {delta:g}: {error}", most)
    for kind, sums in noised.items():
        own, charged = reckoned(plan, kind, sums), spent(costs_of(plan, kind, sums), delta)
        if own > min(promise(plan, kind)[0], charged) * NEAR:
            words = f"noise of {kind_name(kind)} comes to epsilon {own:.6g}, and is charged as {charged:.6g}"
            return Check(name, False, words, most, own)
    words = f"all charges of a run come to epsilon {total:.6g}, of {most:g} that the plan promises"
    return Check(name, bool(total <= most * CLOSE), words, most, total)


def costs_of(plan: Plan, kind: Kind, sums: Sequence[Sum]) -> list[Cost]:
    """Of all sums that a run may open, those that are not looked at like the last. Banded sums cost by their number,
    and are dearest together where the first is the one that is run again: the group whose turn it is pays most."""
    every: list[Cost] = [one.bound.cost for one in sums]  # type: ignore[union-attr]  # noised sums have costs
    last, rest = every[-1], releases(plan, kind) - len(every)
    if not isinstance(last.event, Banded):
        return every + [last] * rest
    later = range(len(every) + 1, len(every) + 1 + rest - plan.privacy.redo)
    every += [replace(last, event=replace(last.event, number=number)) for number in later]
    return every + every[:1] * plan.privacy.redo


def reckoned(plan: Plan, kind: Kind, sums: Sequence[Sum]) -> float:
    """The epsilon of all sums of a kind, of what a unit may add to each over the noise that is sure to be in it, as
    Gaussian noise; of drawn units, by the chance that is charged. 0: units are drawn for some sums alone."""
    if len({isinstance(one.bound.cost.event, SampledGauss) for one in sums}) > 1:  # type: ignore[union-attr]
        return 0.0
    if any(not one.said.all() for one in sums):
        return math.inf
    once = max(float(((np.array(one.inside.limit.l2) / one.said) ** 2).sum()) for one in sums)
    many = times(plan, kind, sums[-1].bound)  # type: ignore[arg-type]  # a noised sum
    event, delta = sums[-1].bound.cost.event, promise(plan, kind)[1]  # type: ignore[union-attr]
    if isinstance(event, SampledGauss):
        return drawn_epsilon(1 / math.sqrt(once), event.rate, int(many), delta)
    return gaussian_epsilon(math.sqrt(once * many), delta)


def goes_on(scene: Scene, kind: Kind) -> bool:
    """Whether sites would take part in a sum beyond those that are reckoned with."""
    last = scene.kinds[kind][-1]
    reckoned = last.bound.cost.releases - scene.plan.privacy.redo  # type: ignore[union-attr]  # a noised sum has a cost
    try:
        return scene.task.ask(kind, reckoned, last.ask.state).step == reckoned
    except Abort:
        return False
