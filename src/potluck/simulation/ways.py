"""How the contributions of a cohort come about: in one of three ways, which the plan decides.

- Sums over rows (`newton`, `gradient`) do not ask whose a row is: the rows of many clients are taken as one site's.
  Each row or person is bounded, put on the grid and added up as in a run; of linear models the words are a run's.
- Sites that train by themselves (`average`) take their steps side by side (`stacked`), where that is possible.
- Else client by client, through the code of a run.

Noise is not added here: see `rounds`.
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

import msgspec
import numpy as np

from potluck.core.asks import Ask, Kind
from potluck.core.fixed import word
from potluck.core.party import Draw
from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Cause, Words
from potluck.core.stages import Floats, Grid
from potluck.dp.mechanism import Bound, Noised, guarded
from potluck.dp.noise import LARGEST
from potluck.learning.data.encode import encoding
from potluck.learning.data.target import goal_of
from potluck.learning.data.units import Index
from potluck.learning.kept import InMemory
from potluck.learning.loops import TrainTask
from potluck.learning.models.fitted import training
from potluck.learning.models.graphs import Equipped
from potluck.learning.models.kinds import kind_of
from potluck.learning.training.average import Average
from potluck.learning.training.local import keeps
from potluck.learning.training.methods import method_of
from potluck.simulation.pooled import Pooled
from potluck.simulation.stacked import Stacked, obstacle

ROWS = 1 << 13
"""Rows of several clients that are taken at a time."""
STACK = 1 << 25
"""Bytes of all weights, in float64, of clients that train side by side: of fewer, what torch does between operations
takes longer, and of more, memory does."""
FEW = 16
"""Clients that are asked for at a time where each is by itself."""


class Way(StrEnum):
    """See the module."""

    ROWS = "over their rows"
    STACKED = "side by side"
    ALONE = "one by one"


def way_of(plan: Plan) -> tuple[Way, str]:
    """The way of a plan, and why clients are taken one by one, where they are."""
    if method_of(plan).by_site:
        why = obstacle(plan)
        return (Way.ALONE, why) if why else (Way.STACKED, "")
    if plan.noisy and plan.privacy.unit == "site":
        return Way.ALONE, "each site's sum is clipped by itself"
    if training(plan).batch is not None and not plan.noisy:
        return Way.ALONE, "rows are drawn by what site they are of"
    return Way.ROWS, ""


@dataclass(frozen=True, eq=False)
class Cohorts:
    """The clients of a plan, and what some of them add to a sum. clients: the training rows of each, by number. kept:
    by client, what it keeps between rounds."""

    plan: Plan
    pooled: Pooled = field(repr=False)
    clients: Sequence[Index] = field(repr=False)
    kept: dict[int, InMemory] = field(default_factory=dict, repr=False)

    @cached_property
    def way(self) -> Way:
        """That of the plan."""
        return way_of(self.plan)[0]

    @cached_property
    def task(self) -> TrainTask:
        """What sites do."""
        return TrainTask(self.plan, evaluated=False)

    @cached_property
    def _stacked(self) -> Stacked:
        method = method_of(self.plan).start(self.plan, goal_of(self.plan), len(encoding(self.plan).names))
        assert isinstance(method, Average)  # as `obstacle` says
        return Stacked(method)

    def ready(self) -> "Cohorts":
        """The same clients, as processes are forked with them: what training loads when it is first used is loaded, and
        rows have the type in which clients train side by side, so that no step makes it anew. A graphics card is not
        touched: it would be of no use in them."""
        if self.way is not Way.STACKED:
            return self
        found = replace(self, pooled=self.pooled.typed(self._stacked.kind))
        if not (isinstance(self.plan, Equipped) and self.plan.card):
            table, least = found.pooled.train, min(self.clients, key=len)
            weights = found._stacked.method.initial()
            with suppress(Abort):  # whatever is wrong is told when it counts
                found._stacked.added(weights, 0, [least], table.inputs, table.target)
        return found

    def room(self) -> int:
        """Bytes that the client with the most rows takes while it trains, beside its rows."""
        largest = max(map(len, self.clients))
        if self.way is Way.STACKED:
            return self._stacked.room(largest)
        return 0

    def chunks(self, cohort: Index, most: int | None) -> list[Index]:
        """The cohort in parts that are asked for one by one. most: bytes of clients that train side by side; None: as
        suits the machine. What a part adds follows from the part alone, whoever is asked for it."""
        sizes = np.array([len(self.clients[one]) for one in cohort.tolist()])
        if self.way is Way.ROWS:
            ends = np.flatnonzero(np.diff(np.cumsum(sizes) // ROWS)) + 1
            return np.split(cohort, ends)
        if self.way is Way.ALONE:
            return np.split(cohort, np.arange(FEW, len(cohort), FEW))
        order = cohort[np.argsort(-sizes, kind="stable")]
        count = max(1, STACK // (8 * self._stacked.method.form.size))
        if most is not None:
            count = max(1, min(count, most // self.room()))
        return np.array_split(order, parts_of(len(order), count))

    def added(self, ask: Ask, privacy: Bound, some: Index, draw: Draw) -> Words:
        """The words [d] that these clients add up to, without noise. Raises as `Method.contribute`."""
        if ask.kind is Kind.TRAIN and self.way is Way.STACKED:
            weights = np.frombuffer(ask.state, dtype="<f8").astype(np.float64)
            sites = [self.clients[one] for one in some.tolist()]
            values = self._stacked.added(weights, ask.step, sites, self.pooled.train.inputs, self.pooled.train.target)
            return on_grid(values, privacy.grid)
        if self.way is Way.ROWS:
            return self._over_rows(ask, privacy, some, draw)
        total = np.zeros(privacy.grid.length, dtype=word(privacy.grid.bits))
        for one in some.tolist():
            rows = self.pooled.some(self.clients[one], f"client {one}")
            if keeps(self.plan):
                rows = replace(rows, kept=self.kept.setdefault(one, InMemory()))
            total += guarded(privacy, self.task.contribute(ask, rows, draw), draw).words
        return total

    def _over_rows(self, ask: Ask, privacy: Bound, some: Index, draw: Draw) -> Words:
        each = [self.clients[one] for one in some.tolist()]
        rows, owners = np.concatenate(each), np.repeat(some, [len(one) for one in each])
        task = self.task
        if (
            self.plan.noisy and kind_of(self.plan).deep
        ):  # units of a network stand in slots: as many as there are rows, not as a site may have
            data = msgspec.structs.replace(self.plan.data, max_rows=len(rows))
            task = TrainTask(msgspec.structs.replace(self.plan, data=data), evaluated=False)
        table = self.pooled.some(rows, "clients", owners)
        return guarded(privacy, task.contribute(ask, table, draw), draw).words


def parts_of(clients: int, most: int) -> int:
    """How many parts of at most so many clients: as many for each of two processes, where there are several."""
    parts = math.ceil(clients / most)
    return min(clients, parts + parts % 2) if parts > 1 else 1


def on_grid(values: Floats, grid: Grid) -> Words:
    """A sum [d] in whole steps. Raises Abort(RANGE): it is beyond what the grid holds, or no number."""
    out = np.empty(grid.length, dtype=word(grid.bits))
    for part, where in zip(grid.parts, grid.slices().values(), strict=True):
        if not (np.abs(values[where]) < part.high).all():
            raise Abort(Cause.RANGE, detail=f"{part.name}: a sum of simulated clients is beyond its range")
        out[where] = np.trunc(values[where] / part.step).astype(np.int64).astype(out.dtype)
    return out


def at_reveal(privacy: Bound, scale: float = 1.0) -> Bound:
    """The same bound, its noise to be added where the sum is opened, in one piece. scale: of each share of it.

    Where noise is inside each site's own steps it stays there.
    """
    if not isinstance(privacy, Noised):
        return privacy
    return replace(privacy, word="reveal", within=False, share=tuple(one * scale for one in privacy.share))


def in_pieces(privacy: Bound) -> tuple[Bound, int]:
    """The bound whose noise, added so many times, is that of `privacy`: a share is within what can be drawn, and all of
    them in one piece need not be."""
    if not isinstance(privacy, Noised):
        return privacy, 1
    count = max(1, math.ceil((max(privacy.share) / LARGEST) ** 2))
    return replace(privacy, share=tuple(one / math.sqrt(count) for one in privacy.share)), count
