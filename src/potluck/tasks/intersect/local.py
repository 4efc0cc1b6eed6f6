"""An intersection with all owners in this process: their keys, the round, and what it would cost."""

import csv
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from potluck.core.errors import PlanError
from potluck.core.party import Party
from potluck.core.plan import Plan, digest, required
from potluck.core.rounds import Abort, RoundId
from potluck.drivers.memory import Memory, new_run
from potluck.drivers.once import played
from potluck.drivers.sums import Log
from potluck.engines.environment import require
from potluck.learning.data.table import Table
from potluck.learning.data.tally import Tally
from potluck.members.files import PRIVATE, create
from potluck.members.names import file_name
from potluck.mpc.psi.curve import split
from potluck.mpc.psi.keys import digests
from potluck.mpc.spu import DIGEST
from potluck.tasks.announcement import RoundContext, only
from potluck.tasks.here import Begun, Beside, Estimate, Json, Outcome
from potluck.tasks.intersect.halves import Intersected, halves, learnt, text_of
from potluck.tasks.intersect.site import COMMON
from potluck.tasks.matching.alignment import (
    MEMBERS,
    Common,
    Keys,
    Tools,
    gathering,
    keyed_table,
    needs_engine,
    read_keys,
    tools,
)
from potluck.tasks.sources import Sources, Written, none_read, not_here, sources

REHEARSED = 1000
"""Made-up keys a site, at most, of a rehearsal: no site may have more than `data.max_rows`."""


@dataclass(frozen=True, eq=False)
class AllKeys:
    """All owners' keys. See `tasks.here.Here`."""

    spec: Plan
    keys: Mapping[Party, Keys] = field(repr=False)

    def tallies(self, outcome: Outcome | None = None) -> dict[str, Tally]:
        """No values are read."""
        return {}

    def warnings(self) -> list[str]:
        """Nothing more."""
        return []

    def play(self, begun: Begun) -> tuple[Intersected, Log]:
        """The round; what its first receiver has."""
        spec, ask, context = self.spec, only(self.spec), RoundContext(self.spec, RoundId(begun.name, 1))
        begun.progress(ask)
        with _tools(spec, begun.kept) as using:
            found, log = played(ask, context.round, halves(context, self.keys, using, begun.memory.seat), begun.memory)
        first = gathering(spec, context.round).first
        common = found[first]
        assert isinstance(common, Common)
        return learnt(required(spec.align).keys, self.keys[first], common), log

    def beside(self, outcome: Outcome) -> Beside:
        """How many keys all have, where one process holds them all."""
        return len(set.intersection(*(set(split(one.digests, DIGEST)) for one in self.keys.values())))

    def fetch(self, homes: Mapping[str, Path], run: str) -> Intersected:
        """What the first receiver wrote into its home."""
        path, known = COMMON.read(homes[gathering(self.spec, RoundId("", 1)).first.name], run)
        if not path.is_file():
            return Intersected(known.size, reused=known.reused)
        with path.open(encoding="utf-8", newline="") as file:
            head, *members = map(tuple, csv.reader(file))
        return Intersected(known.size, head, tuple(members), known.reused)


@contextmanager
def _tools(spec: Plan, kept_in: Path | None) -> Iterator[dict[Party, Tools]]:
    """Every owner's. kept_in: alignments are kept there, in a folder for each owner; None: nowhere."""
    with ExitStack() as stack:
        every = {one: tools(spec, kept_in and kept_in / file_name(one.name)) for one in spec.sites}
        for one in every.values():
            stack.enter_context(closing(one))
        yield every


def here(plan: Written, data: Sources | None) -> AllKeys:
    """Keys of a plan whose owners are all here. Raises PlanError, DataError; UsageError: the engine is not installed,
    which RR22 needs."""
    if needs_engine(plan.spec):
        require("mpc")
    given = sources(plan, data)
    return AllKeys(plan.spec, {one: read_keys(given[one.name], plan.spec, one.name) for one in plan.spec.sites})


def truth(plan: Written, data: Sources | None) -> tuple[Plan, dict[str, Table]]:
    """See `TaskSpec`: of every site its keys. Raises as `here`, but needs no engine."""
    given, found = sources(plan, data), dict[str, Table]()
    for one in plan.spec.federation.sites:
        keys = read_keys(given[one], plan.spec, one)
        found[one] = keyed_table([keys.texts[int(row)] for row in keys.rows])
    return plan.spec, found


def leave(outcome: Outcome, folder: Path) -> None:
    """The common keys, where they are here."""
    if isinstance(outcome, Intersected) and outcome.members is not None:
        create(folder / MEMBERS, text_of(outcome).encode(), PRIVATE)


def document(outcome: Outcome, plan: Plan, folder: Path, beside: Beside) -> Json:
    """What is said of common keys; null where they are somewhere else, or not revealed."""
    assert isinstance(outcome, Intersected)
    members = None if outcome.members is None else str(folder / MEMBERS)
    found: Json = {"size": outcome.size, "members": members, "reused": outcome.reused}
    return found if beside is None else found | {"plain_size": beside}


def estimate(plan: Written, data: Sources | None) -> Estimate:
    """One round is rehearsed, with made-up keys (`REHEARSED`); the owners' keys are read as `run` reads them.

    Raises PlanError: it ended in an abort; UsageError: the engine is not installed; and as `here`.
    """
    missing = not_here(plan, data)
    if data is not None or (plan.spec.data.files and not missing):
        here(plan, data)
    keys = min(REHEARSED, plan.spec.data.max_rows)
    size, seconds = _rehearsed(plan.spec, keys)
    many = f"bytes and seconds are of {keys} made-up keys a site; both grow as keys do"
    return Estimate(warnings=[*none_read(missing), many], bytes_up=size, seconds=seconds)


def _rehearsed(spec: Plan, many: int) -> tuple[int, float]:
    """Bytes that one site uploads and seconds of the round. many: keys of each."""
    made = digests([(str(number),) for number in range(many)])
    keys = dict.fromkeys(spec.sites, Keys(made, np.arange(many), []))
    memory, context = Memory(spec.sites, digest(spec)), RoundContext(spec, RoundId(new_run(), 1))
    with _tools(spec, None) as using:
        try:
            _, log = played(only(spec), context.round, halves(context, keys, using, memory.seat), memory)
        except Abort as abort:
            raise PlanError(f"a rehearsal with made-up keys ended in: {abort}") from None
    return log.rounds[0].traffic.up // len(spec.sites), round(log.rounds[0].seconds, 4)
