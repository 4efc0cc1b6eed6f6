"""A fit with all owners and compute parties in this process: their columns, the round, and the model."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from potluck.api.local.fit_compare import pooled
from potluck.api.local.ledgers import charging, open_ledgers
from potluck.api.local.tables import Sources, none_read, not_here, sources
from potluck.api.network.once import carried
from potluck.api.plan.plan import Plan
from potluck.api.results.document import of_model, scores
from potluck.api.results.facts import Facts, budget_of
from potluck.core import private
from potluck.core.asks import Ask, Kind
from potluck.core.errors import UsageError
from potluck.core.party import Party
from potluck.core.plan import Plan as Spec
from potluck.core.plan import digest
from potluck.core.rounds import RoundId
from potluck.core.visible import json_text
from potluck.engines.environment import require
from potluck.learning.data.columns import Own, read
from potluck.learning.data.tally import Tally
from potluck.learning.data.tally_words import required
from potluck.learning.models.scoring import Carried
from potluck.members.names import file_name
from potluck.mpc.engine import Engine
from potluck.mpc.fit.parts import sizes
from potluck.parties.admission.fitted import kept
from potluck.parties.drivers.alignment import Keys, read_keys, tools
from potluck.parties.drivers.memory import Memory, new_run
from potluck.parties.drivers.sums import Log, Round
from potluck.parties.drivers.transcript import Transcript
from potluck.parties.drivers.vertical import Brought, RoundContext, direct, together
from potluck.parties.learners import learner
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.server import Coordinator

ASK = Ask(Kind.FIT, 0, (), b"")
ASSUMED = 10_000


@dataclass(frozen=True, eq=False)
class Room:
    """All owners' rows."""

    plan: Plan
    keys: Mapping[Party, Keys] = field(repr=False)
    own: Mapping[Party, Own] = field(repr=False)

    @property
    def tallies(self) -> dict[str, Tally]:
        """What became of the values, by owner."""
        return {one.name: own.tally for one, own in self.own.items()}


def prepared(plan: Plan, data: Sources | None) -> Room:
    """Columns of a plan whose owners are all here. Raises PlanError, DataError; UsageError: the engine is missing."""
    require("mpc")
    given, spec = sources(plan, data), plan.spec
    keys = {one: read_keys(given[one.name], spec, one.name) for one in spec.sites}
    room = Room(plan, keys, {one: read(given[one.name], spec, one.name) for one in spec.sites})
    for name, tally in room.tallies.items():
        required(tally, name)
    return room


def carried_out(
    room: Room, warnings: list[str], ledgers: Path, transcript: Transcript, compare: bool, now: datetime
) -> Facts:
    """The round. ledgers: the owners' lie there, and their alignments, in a folder each.

    Raises Abort, DataError, UsageError; Refused: an earlier run was cut off and is not settled.
    """
    spec, name = room.plan.spec, new_run()
    with ExitStack() as stack:
        held = stack.enter_context(open_ledgers(spec, ledgers))
        count = len(spec.compute)
        begun = {party: Engine(spec.federation.patience, count=count) for party in spec.compute}
        engines = {party: stack.enter_context(closing(engine)) for party, engine in begun.items()}
        for engine in engines.values():
            engine.warm()
        brought = {}
        for one in spec.sites:
            using = stack.enter_context(closing(tools(spec, ledgers / file_name(one.name))))
            brought[one] = Brought(room.keys[one], room.own[one], using)
        memory = Memory((*spec.sites, *spec.compute), digest(spec), ledgers=held, transcript=transcript)
        started = time.perf_counter()
        with charging(held, spec, name, now):
            outcome = together(RoundContext(spec, RoundId(name, 1)), brought, engines, memory)
        seconds = time.perf_counter() - started
        spent = dict.fromkeys(spec.federation.sites, None) | {s.name: one.spent_by(name) for s, one in held.items()}
        budgets = tuple(budget_of(site.name, one, spec, name) for site, one in held.items())
    log = Log([Round(ASK, 1, {}, seconds, transcript.traffic(1), time.time())])
    every = [*warnings, *outcome.warnings]
    same = pooled(spec, room.keys, room.own) if compare else None
    return Facts(room.plan, spec, name, now, outcome, log, spent, every, budgets, pooled=same)


def fitted(spec: Spec, coordinator: Coordinator, journal: Journal, begin: Callable[[Ask], None]) -> tuple[Carried, Log]:
    """The round across machines, as the server knows it: the model is its readers'. Raises Abort."""
    begin(ASK)
    return Carried(), carried(
        spec, ASK, coordinator, journal, lambda round_, seat: direct(RoundContext(spec, round_), seat)
    )


def fetch(folder: Path, home: Path, run: str, room: Room | None = None) -> None:
    """Copy the model that its first reader kept in its home, and say in the run's documents what is known of it: for
    `up`, which plays all parties. room: all owners' rows, to compare. Raises UsageError: there is none."""
    found = kept(home, run)
    if found is None:
        raise UsageError("the model's reader kept no model", where=str(home), hint="run it again")
    found.model.write(folder / "model.json")
    document = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    document |= of_model(found.model, folder)
    number = found.model.target.kind == "number"
    document["metrics"] = {"federated": scores(found.metrics, number)}
    if room is not None:
        document["metrics"] |= {"pooled": scores(pooled(room.plan.spec, room.keys, room.own), number)}
    document["warnings"] = [*document["warnings"], *found.warnings]
    private.write(folder / "run.json", json_text(document))


def counted(plan: Plan) -> tuple[int, list[str], dict[str, Tally]]:
    """The most rows that all owners may have in common, what to mind, and what became of the values by owner; files are
    read as `run` reads them.

    ASSUMED where a file is not here. Raises as `prepared` would.
    """
    spec = plan.spec
    missing = not_here(plan)
    if missing or not spec.data.files:
        return ASSUMED, [*none_read(missing), f"bytes are of {ASSUMED} common rows: the files are not here"], {}
    given = sources(plan, None)
    least = min(len(read_keys(given[one.name], spec, one.name).rows) for one in spec.sites)
    found = {one.name: read(given[one.name], spec, one.name).tally for one in spec.sites}
    for name, tally in found.items():
        required(tally, name)
    return least, [f"bytes are of {least} common rows, as many as the smallest file has"], found


def uploaded(spec: Spec, rows: int) -> int:
    """Bytes that the owner who gives most uploads: its part that is no seed, to two of three, or one of two."""
    recipe, times = learner(spec).recipe(max(1, rows), 0), len(spec.compute) - 1
    return max(times * sizes(recipe.of(owner)).bytes for owner in range(len(spec.sites)))
