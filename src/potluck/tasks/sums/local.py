"""Sums with all parties in this process: their tables, all rounds, and what a run would cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from potluck.core.asks import Task
from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.drivers.sums import Log, Sums, drive
from potluck.learning.data.table import Table
from potluck.learning.data.tally import Tally
from potluck.learning.loops import build
from potluck.learning.training import rates
from potluck.learning.training.slots import ready
from potluck.tasks.here import Begun, Beside, Outcome
from potluck.tasks.sources import Sources, Written, tables, tallies
from potluck.tasks.sums.protections import row
from potluck.tasks.sums.together import Together

Compare = Callable[[Plan, Mapping[Party, Table], Outcome], Beside]
End = Callable[[Plan, Mapping[Party, Table], Outcome, bool], Outcome]


@dataclass(frozen=True, eq=False)
class AllTables:
    """All sites' tables. See `tasks.here.Here`. compare: `beside`, by plan and tables; end: the outcome with what the
    sites keep of it, and with what a model says of their rows if it is wanted."""

    spec: Plan
    rows: Mapping[Party, Table] = field(repr=False)
    compare: Compare = field(repr=False)
    end: End = field(repr=False)

    def tallies(self, outcome: Outcome | None = None) -> dict[str, Tally]:
        """By site."""
        return tallies(self.rows)

    def warnings(self) -> list[str]:
        """Of a rate that may lead away from every model, which noise would hide."""
        pace = rates.advice(self.spec) if self.spec.traits.trains and self.spec.noisy else None
        return list(rates.warnings(self.spec, pace)) if pace else []

    def play(self, begun: Begun) -> tuple[Outcome, Log]:
        """Every sum."""
        spec = self.spec
        task: Task[Table, Outcome] = build(spec)
        protection = row(spec).build(spec, begun.demand)
        parties = Together(spec, task, protection, self.rows, begun.memory, begun.name)
        sums = Sums(spec, parties, progress=begun.progress)
        with begun.charged():
            outcome = drive(task, sums)
        return self.end(spec, parties.rows, outcome, begun.scored), sums.log

    def beside(self, outcome: Outcome) -> Beside:
        """As the task says."""
        return self.compare(self.spec, self.rows, outcome)

    def fetch(self, homes: Mapping[str, Path], run: str) -> None:
        """The server has all that comes of sums."""


def here(
    plan: Written,
    data: Sources | None,
    compare: Compare = lambda spec, rows, outcome: None,
    end: End = lambda spec, rows, outcome, scored: outcome,
) -> AllTables:
    """All sites' tables. Raises as `sources.tables`; UsageError: frozen weights of the plan's graph are not here."""
    ready(plan.spec)
    return AllTables(*tables(plan, data), compare, end)
