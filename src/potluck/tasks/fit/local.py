"""A fit with all owners and compute parties in this process: their columns, the round, and the model."""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.rounds import RoundId
from potluck.drivers.once import played
from potluck.drivers.sums import Log
from potluck.engines.environment import require
from potluck.learning.data.columns import Own, by_owner, encoding, held_out, ordered, read
from potluck.learning.data.table import Table
from potluck.learning.data.tally import Tally
from potluck.learning.data.tally_words import required
from potluck.learning.evaluation.evaluate import Metrics, exact
from potluck.learning.training.trained import Trained
from potluck.members.names import file_name
from potluck.mpc.engine import Engine
from potluck.mpc.fit.parts import sizes
from potluck.mpc.psi.curve import split
from potluck.mpc.spu import AMONG, DIGEST
from potluck.tasks.announcement import RoundContext, only
from potluck.tasks.fit.halves import Brought, halves
from potluck.tasks.fit.learner import learner, plain, readers
from potluck.tasks.fit.site import kept
from potluck.tasks.here import Begun, Beside, Estimate, Outcome
from potluck.tasks.matching.alignment import Keys, read_keys, tools
from potluck.tasks.sources import Sources, Written, none_read, not_here, sources

ASSUMED = 10_000


@dataclass(frozen=True, eq=False)
class AllColumns:
    """All owners' rows. See `tasks.here.Here`."""

    spec: Plan
    keys: Mapping[Party, Keys] = field(repr=False)
    own: Mapping[Party, Own] = field(repr=False)

    def tallies(self, outcome: Outcome | None = None) -> dict[str, Tally]:
        """By owner."""
        return {one.name: own.tally for one, own in self.own.items()}

    def warnings(self) -> list[str]:
        """Nothing more."""
        return []

    def play(self, begun: Begun) -> tuple[Trained, Log]:
        """The round; what its first reader has."""
        spec, ask = self.spec, only(self.spec)
        begun.progress(ask)
        with ExitStack() as stack:
            among = AMONG[len(spec.compute)]
            made = {party: Engine(spec.federation.patience, protocol=among) for party in spec.compute}
            engines = {party: stack.enter_context(closing(engine)) for party, engine in made.items()}
            for engine in engines.values():
                engine.warm()
            brought = {}
            for one in spec.sites:
                using = stack.enter_context(closing(tools(spec, begun.kept / file_name(one.name))))
                brought[one] = Brought(self.keys[one], self.own[one], using)
            context = RoundContext(spec, RoundId(begun.name, 1))
            every = halves(context, brought, engines, begun.memory.seat)
            with begun.charged():
                found, log = played(ask, context.round, every, begun.memory)
        outcome = found[readers(spec)[0]]
        assert isinstance(outcome, Trained)
        return outcome, log

    def beside(self, outcome: Outcome) -> Beside:
        """The model that the same rows give in one place."""
        return pooled(self.spec, self.keys, self.own)

    def fetch(self, homes: Mapping[str, Path], run: str) -> Trained:
        """The model that its first reader kept in its home."""
        return kept(homes[readers(self.spec)[0].name], run)


def pooled(plan: Plan, keys: Mapping[Party, Keys], own: Mapping[Party, Own]) -> Metrics:
    """Exact metrics, on the held-out rows, of the model that the same rows give in one place. Not private. Raises
    DataError."""
    table = joined(plan, keys, own)
    return exact(plain(plan, table.features[table.train], table.target[table.train]), [table])


def truth(plan: Written, data: Sources | None) -> tuple[Plan, dict[str, Table]]:
    """See `TaskSpec`: of every site the rows that all have, as `joined`. Raises as `here`, but needs no engine."""
    found = _read(plan, data)
    return found.spec, dict.fromkeys(found.spec.federation.sites, joined(found.spec, found.keys, found.own))


def joined(plan: Plan, keys: Mapping[Party, Keys], own: Mapping[Party, Own]) -> Table:
    """All owners' columns of the rows that all have and keep. Not private: it joins them in plain."""
    places = {p: dict(zip(split(k.digests, DIGEST), k.rows.tolist(), strict=True)) for p, k in keys.items()}
    common = sorted(set.intersection(*(set(one) for one in places.values())))
    rows = {party: np.array([of[key] for key in common], np.int64) for party, of in places.items()}
    found = (held_out(plan, own[party], rows[party], common) for party in plan.sites)
    test = next(mask for mask in found if mask is not None)
    every = [ordered(own[party], rows[party], test, party.name) for party in plan.sites]
    features = np.hstack([one.features for one in every])
    names, wanted = by_owner(plan), encoding(plan).names
    features = features[:, [names.index(name) for name in wanted]]
    keep = np.logical_and.reduce([one.keep for one in every])
    target = next(one.target for one in every if one.target is not None)
    held = np.arange(len(common)) >= every[0].train
    return Table(features[keep], target[keep], None, held[keep], {}, ())


def here(plan: Written, data: Sources | None) -> AllColumns:
    """Columns of a plan whose owners are all here. Raises PlanError, DataError; UsageError: the engine is missing."""
    require("mpc")
    return _read(plan, data)


def _read(plan: Written, data: Sources | None) -> AllColumns:
    given, spec = sources(plan, data), plan.spec
    keys = {one: read_keys(given[one.name], spec, one.name) for one in spec.sites}
    found = AllColumns(spec, keys, {one: read(given[one.name], spec, one.name) for one in spec.sites})
    for name, tally in found.tallies().items():
        required(tally, name)
    return found


def estimate(plan: Written, data: Sources | None) -> Estimate:
    """Not rehearsed: engines would take longer to start. Rows are read as `run` reads them, with the same errors.

    Where one is not here, ASSUMED rows are common.
    """
    missing, spec = not_here(plan, data), plan.spec
    if missing or (data is None and not spec.data.files):
        warned = [*none_read(missing), f"bytes are of {ASSUMED} common rows: the files are not here"]
        return Estimate(warnings=warned, bytes_up=uploaded(spec, ASSUMED))
    found = _read(plan, data)
    least = min(len(keys.rows) for keys in found.keys.values())
    warned = [f"bytes are of {least} common rows, as many as the smallest table has"]
    return Estimate(warnings=warned, bytes_up=uploaded(spec, least), data=found.tallies())


def uploaded(spec: Plan, rows: int) -> int:
    """Bytes that the owner who gives most uploads: its part that is no seed, to two of three, or one of two."""
    recipe, times = learner(spec).recipe(max(1, rows), 0), len(spec.compute) - 1
    return max(times * sizes(recipe.of(owner)).bytes for owner in range(len(spec.sites)))
