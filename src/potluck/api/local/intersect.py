"""An intersection with all owners in this process: their keys, the round, and what it would cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from potluck.api.local.tables import Sources, none_read, not_here, sources
from potluck.api.network.once import carried
from potluck.api.plan.plan import Plan
from potluck.api.results.facts import Facts
from potluck.core.asks import Ask, Kind
from potluck.core.errors import PlanError
from potluck.core.party import Party
from potluck.core.plan import Plan as Spec
from potluck.core.plan import digest
from potluck.core.rounds import Abort, RoundId
from potluck.engines.environment import require
from potluck.members.names import file_name
from potluck.mpc.psi.curve import split
from potluck.mpc.psi.keys import digests
from potluck.mpc.spu import DIGEST
from potluck.parties.drivers.alignment import Keys, needs_engine, read_keys, tools
from potluck.parties.drivers.intersection import Intersected, RoundContext, conduct, learnt, together
from potluck.parties.drivers.memory import Memory, new_run
from potluck.parties.drivers.sums import Log, Round
from potluck.parties.drivers.transcript import Transcript
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.server import Coordinator

ASK = Ask(Kind.INTERSECT, 0, (), b"")
REHEARSED = 1000
"""Made-up keys a site, of a rehearsal."""


@dataclass(frozen=True, eq=False)
class Room:
    """All owners' keys."""

    plan: Plan
    keys: Mapping[Party, Keys] = field(repr=False)


def prepared(plan: Plan, data: Sources | None) -> Room:
    """Keys of a plan whose owners are all here. Raises PlanError, DataError; UsageError: the engine is not installed,
    which RR22 needs."""
    if needs_engine(plan.spec):
        require("mpc")
    given = sources(plan, data)
    return Room(plan, {one: read_keys(given[one.name], plan.spec, one.name) for one in plan.spec.sites})


def carried_out(
    room: Room, warnings: list[str], ledgers: Path, transcript: Transcript, compare: bool, now: datetime
) -> Facts:
    """The round. ledgers: alignments are kept there, in a folder for each owner. Raises Abort, UsageError."""
    spec, name = room.plan.spec, new_run()
    assert spec.align is not None
    sitting = RoundContext(spec, RoundId(name, 1))
    with ExitStack() as stack:
        every = {one: tools(spec, ledgers / file_name(one.name)) for one in spec.sites}
        for one in every.values():
            stack.enter_context(closing(one))
        memory = Memory(spec.sites, digest(spec), transcript=transcript)
        started = time.perf_counter()
        found = together(sitting, room.keys, every, memory)
        seconds = time.perf_counter() - started
    first = sitting.about().first
    outcome = learnt(spec.align.keys, room.keys[first], found[first], plain(room.keys) if compare else None)
    log = Log([Round(ASK, 1, {}, seconds, transcript.traffic(1), time.time())])
    return Facts(room.plan, spec, name, now, outcome, log, dict.fromkeys(spec.federation.sites, None), warnings)


def intersected(
    spec: Spec, coordinator: Coordinator, journal: Journal, begin: Callable[[Ask], None]
) -> tuple[Intersected, Log]:
    """The round across machines, as the server knows it: that it is done. Raises Abort."""
    begin(ASK)
    log = carried(spec, ASK, coordinator, journal, lambda round_, seat: conduct(RoundContext(spec, round_), seat))
    return Intersected(None), log


def plain(keys: Mapping[Party, Keys]) -> int:
    """How many keys all have, where one process holds them all: not private."""
    return len(set.intersection(*(set(split(one.digests, DIGEST)) for one in keys.values())))


def rehearsed(plan: Plan) -> tuple[int, float]:
    """Bytes that one site uploads and seconds of the round, here, with REHEARSED made-up keys a site.

    Raises PlanError: it ended in an abort. Raises UsageError: the engine is not installed.
    """
    spec = plan.spec
    made = digests([(str(number),) for number in range(REHEARSED)])
    keys = Keys(made, np.arange(REHEARSED), [])
    with ExitStack() as stack:
        every = {one: tools(spec, None) for one in spec.sites}
        for one in every.values():
            stack.enter_context(closing(one))
        memory = Memory(spec.sites, digest(spec))
        started = time.perf_counter()
        try:
            together(RoundContext(spec, RoundId(new_run(), 1)), dict.fromkeys(spec.sites, keys), every, memory)
        except Abort as abort:
            raise PlanError(f"a rehearsal with made-up keys ended in: {abort}") from None
        seconds = time.perf_counter() - started
    return memory.transcript.traffic(1).up // len(spec.sites), round(seconds, 4)


def counted(plan: Plan) -> list[str]:
    """The files' keys are read as `run` reads them; where some are not here, a warning. Raises as `run` would."""
    missing = not_here(plan)
    if plan.spec.data.files and not missing:
        prepared(plan, None)
    return none_read(missing)
