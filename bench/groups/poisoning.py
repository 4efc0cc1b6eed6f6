"""What one poisoned site does to the heart federation, rule by rule: mean site accuracy on held-out rows, 5 splits.

Federated averaging through real rounds of `tee`. The poisoned site trains honestly and then sends its change ten times,
or ten times turned round. `mean` is the sum that every other protection computes; the rules need each update by itself.
Accuracy is exact here, site by site: possible only because the bench holds all rows.
"""

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from harness.measure import Row, more
from potluck.api.local.demo import demo_plan
from potluck.core.asks import Ask, Kind, Lead
from potluck.core.party import Draw, Party, site
from potluck.core.plan import Plan, digest
from potluck.core.rounds import Sum
from potluck.core.slices import Bytes
from potluck.core.stages import Contribution, Update
from potluck.drivers.memory import Memory, new_run
from potluck.drivers.sums import Sums, drive
from potluck.learning.data.table import Table
from potluck.learning.evaluation.evaluate import exact
from potluck.learning.loops import TrainTask
from potluck.learning.models.model import Model
from potluck.learning.training.trained import Trained
from potluck.tasks.sources import tables
from potluck.tasks.sums import protections
from potluck.tasks.sums.together import Together

RULES = ("mean", "median", "trimmed", "krum", "norm")
SITES = ("cleveland", "hungarian", "switzerland", "va")
ATTACKS: Mapping[str, tuple[str, float]] = {
    "nobody": ("", 1.0),
    "cleveland x10": ("cleveland", 10.0),
    "va x10": ("va", 10.0),
    **{f"{name} x-10": (name, -10.0) for name in SITES},
}
SPLITS = 5
BROKEN, KEPT = 0.5, 0.62
SETTINGS = (
    'protect.with="tee"',
    'privacy={noise="none"}',
    "model.l2=0.0",
)


@dataclass(frozen=True, slots=True)
class Poisoned:
    """The task of a run in which one site multiplies what it learnt. See `core.asks.Task`."""

    plain: TrainTask
    victim: Table | None
    factor: float
    cells: int = field(default=2)

    def lead(self) -> Lead[Trained]:
        """As it is."""
        return self.plain.lead()

    def ask(self, kind: Kind, step: int, state: Bytes) -> Ask:
        """As it is."""
        return self.plain.ask(kind, step, state)

    def contribute(self, ask: Ask, rows: Table, draw: Draw) -> Iterator[Contribution]:
        """The change of weights, multiplied; rows are counted as they are."""
        for update in self.plain.contribute(ask, rows, draw):
            if ask.kind is Kind.TRAIN and rows is self.victim:
                assert isinstance(update, Update)
                values = update.values.copy()
                values[:, : -self.cells] *= self.factor
                yield Update(values)
            else:
                yield update


def rows() -> Iterator[Row]:
    """Every rule under every attack; then, where the mean breaks, the best of the rules beside what must be kept."""
    for attack in ATTACKS:
        found = {rule: statistics.mean(_accuracy(rule, attack, seed) for seed in range(SPLITS)) for rule in RULES}
        for rule in RULES[1:]:
            pair = found[rule], found["mean"]
            yield more(f"poisoning, heart, {attack}: {rule}", pair, "mean", "mean site accuracy")
        best = max(found[rule] for rule in RULES[1:])
        goal = 1.0 if found["mean"] < BROKEN else None
        name = f"poisoning, heart, {attack}: best rule"
        yield more(name, (best, KEPT), f"{KEPT} (goal where mean is below {BROKEN})", "mean site accuracy", goal)


def _accuracy(rule: str, attack: str, seed: int) -> float:
    name, factor = ATTACKS[attack]
    training = f'training={{method="average", rounds=15, rate=0.01, batch=4, range=1000.0, aggregation="{rule}"}}'
    spec, held = tables(demo_plan([*SETTINGS, training, f"data.split.seed={seed}"]), None)
    model = _trained(spec, held, held[site(name)] if name else None, factor)
    scores = [exact(model, [table]).accuracy for table in held.values()]
    return statistics.mean(score for score in scores if score is not None)


@cache
def _enclave() -> Sum:
    """One enclave for all runs: each begins with it afresh."""
    spec = demo_plan(SETTINGS).spec
    return protections.row(spec).build(spec, None)


def _trained(spec: Plan, held: Mapping[Party, Table], victim: Table | None, factor: float) -> Model:
    task = Poisoned(TrainTask(spec, evaluated=False), victim, factor)
    """The model of a whole run: every sum opened by the enclave's process."""
    together = Together(spec, task, _enclave(), held, Memory(spec.sites, digest(spec)), new_run())
    return drive(task, Sums(spec, together)).model
