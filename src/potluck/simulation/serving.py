"""What a process of a simulation does for it: clients' contributions to one sum, added up."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from potluck.core.asks import Ask, Kind
from potluck.core.fixed import word
from potluck.core.plan import Plan
from potluck.core.rounds import Words
from potluck.core.schema import readable
from potluck.core.seeded import generator
from potluck.core.slices import Bytes
from potluck.dp.mechanism import Bound, mechanism
from potluck.learning.data.units import Index
from potluck.simulation.memory import bounded, taken
from potluck.simulation.ways import Cohorts, at_reveal


@dataclass(frozen=True, eq=False)
class _Sum:
    """A sum that is under way."""

    ask: Ask
    privacy: Bound
    total: Words = field(repr=False)


@dataclass(eq=False)
class Serving:
    """See `pool.Serve`. noise: the plan of as many sites as a real round has; memory: bytes that this process may take
    beside what it was forked with; None: no bound."""

    cohorts: Cohorts
    noise: Plan
    seed: int
    memory: int | None
    _sum: _Sum | None = field(default=None, repr=False)
    _base: int | None = None

    def __call__(self, op: str, given: tuple[bytes, ...]) -> Sequence[Bytes]:
        """`begin` (kind and step, state), `add` (numbers of clients), `take`: the words."""
        self._base = taken() if self._base is None else self._base
        with bounded(self.memory, self._base):
            if op == "begin":
                self._begin(*given)
                return []
            assert self._sum is not None  # `begin` comes first
            if op == "add":
                self._add(self._sum, np.frombuffer(given[0], np.int64))
                return []
            return [self._sum.total.data.cast("B")]

    def _begin(self, head: bytes, state: bytes) -> None:
        kind, step = msgspec.json.decode(head, type=readable(tuple[Kind, int]))
        ask = self.cohorts.task.ask(kind, step, state)
        privacy = at_reveal(mechanism(self.noise, ask))
        grid = privacy.grid
        self._sum = _Sum(ask, privacy, np.zeros(grid.length, dtype=word(grid.bits)))

    def _add(self, one: _Sum, some: Index) -> None:
        coins = generator(self.seed, "simulation", "coins", one.ask.step, int(some[0])).bytes
        total = one.total
        total += self.cohorts.added(one.ask, one.privacy, some, coins)
