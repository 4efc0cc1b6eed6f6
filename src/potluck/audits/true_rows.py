"""Whether rows that can be read here are those of a recorded run: what they add to its first sum, beside the
record; of keys how many they are.

This is not what an attacker knows: it keeps guesses from being scored against other rows. With noise no sum tells.
"""

import numpy as np

from potluck.audits.attack import Truth
from potluck.audits.intersection.matched import counts
from potluck.audits.intersection.played import places_of
from potluck.audits.record import Record
from potluck.audits.seen import Known, seen_by
from potluck.core.asks import Task
from potluck.core.fixed import decode
from potluck.core.plan import Plan
from potluck.core.seeded import generator
from potluck.dp.mechanism import guarded, mechanism
from potluck.learning.data.table import Table
from potluck.learning.loops import build
from potluck.tasks.matching.alignment import apart
from potluck.tasks.sums.halves import OPENED

SAME, STEPS = 1e-5, 2
"""Beside the largest number of a sum, and in steps of the grid: what two machines may find apart."""


def others(record: Record, plan: Plan, truth: Truth) -> frozenset[str] | None:
    """Sites of which the rows here are not those of the run, as an exact first sum tells, or of keys how many they are.
    None: nothing does. Raises UsageError as `seen_by`."""
    if plan.traits.keyed:
        said = counts(record, plan, {"server", *plan.federation.sites})
        here = {site: len(places_of(apart(table))) for site, table in truth.items()}
        return frozenset(site for site, many in here.items() if said.get(site, many) != many)
    if plan.noisy or not plan.traits.sums:
        return None
    everyone, found = {"server", *plan.federation.sites}, set()
    opened = [one.line.round for one in record.letters if one.line.step == OPENED]
    if opened:  # one round tells, and a record may have thousands
        record = Record(tuple(one for one in record.letters if one.line.round == min(opened)))
    for site, table in truth.items():
        sums = seen_by(record, plan, everyone - {site}).sums
        first = next((one for one in sums if one.of == {site}), None)
        if first is not None and not _same(first, plan, table):
            found.add(site)
    return frozenset(found)


def _same(first: Known, plan: Plan, table: Table) -> bool:
    task: Task[Table, object] = build(plan)
    draw = generator(0, "nothing is drawn").bytes
    words = guarded(mechanism(plan, first.ask), task.contribute(first.ask, table, draw), draw).words
    here, there = decode(words, first.grid), decode(first.words, first.grid)
    steps = np.repeat([one.step for one in first.grid.parts], [one.size for one in first.grid.parts])
    return bool((np.abs(here - there) <= STEPS * steps + SAME * np.abs(there).max()).all())
