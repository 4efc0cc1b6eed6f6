"""A plan's first sum, asked for again: as often as it was paid for, and once more."""

from collections.abc import Mapping
from pathlib import Path

from potluck.core.party import SERVER
from potluck.core.plan import digest
from potluck.core.rounds import Cause, RoundId
from potluck.drivers.memory import Memory
from potluck.learning.loops import build
from potluck.owner.budget import Budget
from potluck.owner.entries import cost
from potluck.tasks.sums import protections
from potluck.tasks.sums.halves import RoundContext, join, lead


def thrice(spec, tables: Mapping[str, object], folder: Path):
    """(what opened, each ledger's costs and what it says was spent) of a plan under `mask` with `redo = 1`. It opens
    twice, and nothing leaves a third time. tables: by site."""
    task, protection, opened = build(spec), protections.row(spec).build(spec, None), []
    ledgers = {one: Budget(folder / f"{one}.sqlite") for one in spec.sites}
    for ledger in ledgers.values():
        ledger.begin("run", spec.name, digest(spec), "row", 1e-5, 0.0)
    memory = Memory(spec.sites, digest(spec), ledgers=ledgers)
    for turn in (1, 2, 3):
        context = RoundContext(spec, task, protection, RoundId("run", turn))
        seats = {one: join(context, tables[one.name], memory.seat(one)) for one in spec.sites}
        desks = memory.round(context.round, {SERVER: lead(context, next(task.lead()), memory.seat(SERVER)), **seats})
        if turn < 3:
            assert desks[SERVER].abort is None
            opened.append(desks[SERVER].result.release.values)
        else:
            assert {desk.abort.cause for party, desk in desks.items() if party != SERVER} == {Cause.BUDGET}
            assert "mask/input" not in memory.transcript.traffic(turn).steps
    held = ledgers.values()
    return opened, [([cost(value, "ledger") for _, _, value in one.facts("charge/")], one.spent()) for one in held]
