"""Federated averaging: each site runs some epochs or steps of SGD from the common model and adds its change, by rows.

The local objective is the mean loss over the site's rows plus l2/(2 expected rows) |w|^2, intercept and biases free.
Where the plan gives no `expected_rows`, the site's own rows times the number of sites stand in: weighted by rows,
the sites' penalties then add up to l2/(2 all rows) |w|^2 exactly. With noise the unit is the site: every site weighs
1, and its change is clipped. The server takes the mean of the changes as a gradient, turned round, and steps as
`training.optimizer` says; a plain step adds it. With `local = "prox"` the local objective has mu/2 |w - common|^2 too.
References: McMahan et al. 2017, arXiv 1602.05629, algorithm 1; Reddi et al. 2021, arXiv 2003.00295, algorithm 1 (the
server's step); Li et al. 2020, arXiv 1812.06127, algorithm 2 (FedProx, every site doing all of its work).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import numpy as np

from potluck.core.asks import Block
from potluck.core.party import Draw
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort, Cause
from potluck.core.seeded import generator
from potluck.core.slices import slices
from potluck.core.stages import Floats, Update
from potluck.learning.data.mixed import Inputs
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal
from potluck.learning.models.fitted import Fitted, training
from potluck.learning.models.form import Batch, Form, Steps
from potluck.learning.models.forms import form_of
from potluck.learning.models.linear import l2
from potluck.learning.training.method import ServerSteps, TrainingMethod, judge, of_site, tallied, within
from potluck.learning.training.optimizer import Step, optimizer_of
from potluck.learning.training.schedule import factor

BATCH = 32
"""Rows of a step where the plan does not say."""


@dataclass(frozen=True)
class Average:
    """See `training.method.Method`. features: p."""

    plan: Plan
    goal: Goal
    features: int

    @cached_property
    def form(self) -> Form:
        """What trains of the model."""
        return form_of(self.plan, self.goal, self.features)

    def initial(self) -> Floats:
        """As the kind of model begins, or the graph."""
        return self.form.initial()

    def blocks(self, weights: Floats) -> tuple[Block, ...]:
        """delta [d]: rows x (local - common weights), or with noise the clipped change; without noise also rows."""
        length = self.form.size
        if self.plan.noisy:
            clip = required(self.plan.privacy.clip)
            return (Block("delta", length, clip, clip, len(self.plan.federation.sites)),)
        return of_site(self.plan, self.goal, "delta", length)

    def contribute(self, weights: Floats, step: int, rows: Table, draw: Draw) -> Iterator[Update]:
        """One unit: this site. Raises Abort(RANGE): a local coefficient beyond training.range."""
        train = rows.train
        x, y = rows.inputs[train], rows.target[train]
        if not len(y):
            return
        exact = not self.plan.noisy
        values = np.empty((1, len(weights) + exact * self.goal.cells))
        change = values[0, : len(weights)]
        change[:] = weights
        self._descend(change, step, x, y)
        for part in slices(len(weights)):
            change[part] -= weights[part]
            if exact:
                if not (np.abs(weights[part] + change[part]) <= training(self.plan).range).all():
                    hint = "hint: lower training.rate"
                    raise Abort(Cause.RANGE, detail=f"a local coefficient is beyond training.range. {hint}")
                change[part] *= len(y)
        if exact:
            values[0, len(weights) :] = tallied(self.goal, y).sum(axis=0)
        yield Update(values)

    def course(self) -> ServerSteps:
        """A step along the weighted mean of the sites' changes, a round."""
        weights, optimizer = self.initial(), optimizer_of(self.plan)
        step = optimizer.join or optimizer.step
        states = [optimizer.begin(len(weights[part])) for part in slices(len(weights))]
        for _ in range(training(self.plan).rounds):
            answer = yield weights
            if answer is None:
                break
            givers = float(len(answer.release.givers))
            divisor = givers if self.plan.noisy else judge(self.plan, self.goal, answer)
            weights = _moved(weights, answer.part("delta").values, divisor, step, states)
            del answer
            within(self.plan, weights)
        return Fitted(weights)

    def _descend(self, weights: Floats, step: int, x: Inputs, y: Floats) -> None:
        """Local SGD, in place."""
        rows = training(self.plan).expected_rows or len(y) * len(self.plan.federation.sites)
        spec = training(self.plan)
        prox = (spec.mu, weights.copy()) if spec.local == "prox" else (0.0, None)
        steps = Steps(spec.rate * factor(spec, step), l2(self.plan) / rows, *prox)
        self.form.descend(weights, self._batches(step, len(y)), x, y, steps)

    def _batches(self, step: int, rows: int) -> Iterator[Batch]:
        """Public shuffles that depend on the plan, the round and the number of rows alone."""
        spec = training(self.plan)
        size, left = spec.batch or BATCH, spec.steps
        for epoch in count() if left is not None else range(spec.epochs):
            shuffle = generator(spec.seed, "average", step, epoch).permutation(rows)
            seeds = generator(spec.seed, "average", step, epoch, "draws")
            for start in range(0, rows, size):
                yield Batch(shuffle[start : start + size], int(seeds.integers(2**63)))
                if left is not None:
                    left -= 1
                    if not left:
                        return


def _moved(weights: Floats, change: Floats, divisor: float, step: Step, states: list[Floats]) -> Floats:
    """New weights [d]: a step from those before, down the change turned round. states: of each slice, made new."""
    out = np.empty(len(weights))
    for place, part in enumerate(slices(len(weights))):
        move, states[place] = step(-change[part], divisor, 1.0, states[place])
        out[part] = weights[part] - move
    return out


def _noised(plan: Plan) -> Iterator[str]:
    if plan.privacy.unit in ("row", "person"):
        what = f"average clips a site's whole update, which does not hide a {plan.privacy.unit}"
        yield f'training.method: {what}. hint: use "gradient", or privacy.unit = "site"'


AVERAGE = TrainingMethod(
    start=Average,
    rounds=10,
    rate=0.1,
    batch=BATCH,
    opened=lambda plan, counts: f"each round the summed change of the sites' weights{counts}",
    steps=True,
    by_site=True,
    weighed=True,
    whole=lambda plan: True,
    noised=_noised,
)
