"""Federated averaging: each site runs some epochs or steps of SGD from the common model and adds its change, by rows.

The local objective is the mean loss over the site's rows plus l2/(2 expected rows) |w|^2, intercept and biases free.
Where the plan gives no `expected_rows`, the site's own rows times the number of sites stand in: weighted by rows,
the sites' penalties then add up to l2/(2 all rows) |w|^2 exactly. With noise the unit is the site: every site weighs
1, and its change is clipped; with noise for rows or persons sites step along noised sums of theirs
(`training.own_steps`). The server takes the mean of the changes as a gradient, turned round, and steps as
`training.optimizer` says; a plain step adds it. With `local = "prox"` the local objective has mu/2 |w - common|^2 too;
what sites keep between rounds, as `scaffold` and `ditto` have them do, is in `training.local`.
References: McMahan et al. 2017, arXiv 1602.05629, algorithm 1; Reddi et al. 2021, arXiv 2003.00295, algorithm 1 (the
server's step); Li et al. 2020, arXiv 1812.06127, algorithm 2 (FedProx, every site doing all of its work).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

import numpy as np

from potluck.core.asks import Block, OwnSums
from potluck.core.party import Draw
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort, Cause
from potluck.core.seeded import generator
from potluck.core.slices import slices
from potluck.core.stages import Contribution, Floats, Update
from potluck.learning.data.mixed import Inputs
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal
from potluck.learning.kept import model_hash
from potluck.learning.models.fitted import Fitted, training
from potluck.learning.models.form import Batch, Form, Steps
from potluck.learning.models.forms import form_of, weights_of
from potluck.learning.models.linear import l2
from potluck.learning.training.drawn import gone_through
from potluck.learning.training.local import Own, before, corrects, keeps, pauses, personal, settled
from potluck.learning.training.method import ServerSteps, TrainingMethod, by_unit, judge, of_site, tallied, within
from potluck.learning.training.optimizer import Step, optimizer_of
from potluck.learning.training.own_steps import OwnSteps, own_steps
from potluck.learning.training.own_steps import faults as own_steps_faults
from potluck.learning.training.own_steps import opened as own_steps_opened
from potluck.learning.training.schedule import factor

BATCH = 32
"""Rows of a step where the plan does not say."""
CONTROL = "control"
"""The block of changes of control variates."""


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

    @cached_property
    def _own_steps(self) -> OwnSteps:
        return own_steps(self.plan, self.goal, self.features, self.form)

    def initial(self) -> Floats:
        """As the kind of model begins, or the graph; behind it control variates of zero, where there are any."""
        weights = self.form.initial()
        return np.concatenate([weights, np.zeros(len(weights))]) if corrects(self.plan) else weights

    def blocks(self, weights: Floats) -> tuple[Block, ...]:
        """delta [d]: rows x (local - common weights), or with noise the clipped change, or what noised sums made of it;
        without noise also rows, and control [d]: rows x the change of the site's control variate."""
        if by_unit(self.plan):
            return self._own_steps.blocks()
        length = self.form.size
        if self.plan.noisy:
            clip = required(self.plan.privacy.clip)
            return (Block("delta", length, clip, clip, len(self.plan.federation.sites)),)
        delta, rows = of_site(self.plan, self.goal, "delta", length)
        return (delta, replace(delta, name=CONTROL), rows) if corrects(self.plan) else (delta, rows)

    def own(self, weights: Floats) -> OwnSums | None:
        """Where rows or persons are hidden, those of a round's steps."""
        return self._own_steps.sums(weights) if by_unit(self.plan) else None

    def contribute(self, weights: Floats, step: int, rows: Table, draw: Draw) -> Iterator[Contribution]:
        """One unit: this site; or its steps along noised sums. What it keeps is there to stay before anything is
        handed over.

        Raises Abort: RANGE, a local coefficient beyond training.range; KEPT, what the step before left is not there;
        REFUSED, a round would be over too few rows.
        """
        train = rows.train
        x, y = rows.inputs[train], rows.target[train]
        if by_unit(self.plan):
            if keeps(self.plan) and len(y):
                self._keep(
                    rows, step, weights, self._ditto(before(self.plan, self.form, rows.kept, step), step, x, y, weights)
                )
            yield self._own_steps.walk(weights, step, rows, draw)
            return
        if not len(y):
            return
        gone_through(self.plan, len(y))
        exact, size = not self.plan.noisy, self.form.size
        values = np.empty((1, len(weights) + exact * self.goal.cells))
        change = values[0, : len(weights)]
        change[:] = weights
        if keeps(self.plan):
            own = self._with_own(change, step, x, y, before(self.plan, self.form, rows.kept, step))
            self._keep(rows, step, weights, own)
        else:
            self._descend(change, step, x, y, self.steps_of(step, len(y), weights))
        for part in slices(size):
            change[part] -= weights[part]
            if exact:
                if not (np.abs(weights[part] + change[part]) <= training(self.plan).range).all():
                    hint = "hint: lower training.rate"
                    raise Abort(Cause.RANGE, detail=f"a local coefficient is beyond training.range. {hint}")
                change[part] *= len(y)
        change[size:] = (change[size:] - weights[size:]) * len(y)
        if exact:
            values[0, len(weights) :] = tallied(self.goal, y).sum(axis=0)
        yield Update(values)

    def course(self) -> ServerSteps:
        """A step along the weighted mean of the sites' changes, a round; the common control variate moves by theirs."""
        announced, optimizer, size = self.initial(), optimizer_of(self.plan), self.form.size
        step = optimizer.join or optimizer.step
        states = [optimizer.begin(len(announced[part])) for part in slices(size)]
        everyone = 0.0  # rows of the first sum
        for _ in range(training(self.plan).rounds):
            answer = yield announced
            if answer is None:
                break
            givers = float(len(answer.release.givers))
            divisor = givers if self.plan.noisy else judge(self.plan, self.goal, answer)
            weights = _moved(announced[:size], answer.part("delta").values, divisor, step, states)
            if corrects(self.plan):
                everyone = everyone or divisor
                weights = np.concatenate([weights, announced[size:] + answer.part(CONTROL).values / everyone])
            if by_unit(self.plan):  # where an exact run would end, epsilon is spent
                np.clip(weights, -training(self.plan).range, training(self.plan).range, out=weights)
            announced = weights
            del answer, weights
            within(self.plan, announced)
        return Fitted(announced[:size])

    def _with_own(self, place: Floats, step: int, x: Inputs, y: Floats, own: Own) -> Floats:
        """Local SGD of a plan by which sites keep something: what is announced moves in place, gives what is kept."""
        size, spec = self.form.size, training(self.plan)
        common, control = np.array(place[:size]), np.array(place[size:])
        steps = self.steps_of(step, len(y), common)
        if corrects(self.plan):
            steps = replace(steps, shift=control - own.control)
        whole = np.concatenate([common, own.model[size:]])
        self._descend(whole, step, x, y, steps)
        place[:size] = whole[:size]
        if spec.local == "ditto":
            return self._ditto(own, step, x, y, common)
        if not corrects(self.plan):
            return Own(whole, np.zeros(0)).vector()
        slope = place[size:] = (common - whole[:size]) / (required(spec.steps) * steps.rate)
        after = own.control - control + slope
        if not (np.abs(after) <= spec.range).all():
            hint = "hint: lower training.rate, or raise training.range"
            raise Abort(Cause.RANGE, detail=f"a control variate is beyond training.range. {hint}")
        return Own(whole if personal(self.plan) else np.zeros(0), after).vector()

    def _ditto(self, own: Own, step: int, x: Inputs, y: Floats, common: Floats) -> Floats:
        """Local SGD of the site's own model, held to the common one: what is kept. Nothing that leaves reads it."""
        steps = replace(self.steps_of(step, len(y), common), mu=training(self.plan).mu, anchor=common)
        self._descend(own.model, step, x, y, steps)
        return own.vector()

    def _keep(self, rows: Table, step: int, weights: Floats, own: Floats) -> None:
        """What a round at these weights leaves at the site."""
        kept = settled(self.plan, own)
        rows.kept.keep(step, model_hash(weights), kept)

    def steps_of(self, step: int, rows: int, common: Floats) -> Steps:
        """How far local steps go in this round."""
        spec = training(self.plan)
        expected = spec.expected_rows or rows * len(self.plan.federation.sites)
        prox = (spec.mu, common) if spec.local == "prox" else (0.0, None)
        return Steps(spec.rate * factor(spec, step), l2(self.plan) / expected, *prox)

    def _descend(self, weights: Floats, step: int, x: Inputs, y: Floats, steps: Steps) -> None:
        """Local SGD, in place."""
        self.form.descend(weights, self.batches_of(step, len(y)), x, y, steps)

    def batches_of(self, step: int, rows: int) -> Iterator[Batch]:
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
    if by_unit(plan):
        yield from own_steps_faults(plan)


def _values(plan: Plan, features: int) -> int:
    return weights_of(plan, features) * (2 if corrects(plan) else 1)


def _opened(plan: Plan, counts: str) -> str:
    if by_unit(plan):
        return own_steps_opened(plan)
    beside = "; beside it that of the mean gradients of their steps (control variates)" if corrects(plan) else ""
    return f"each round the summed change of the sites' weights{counts}{beside}"


def _modelled(plan: Plan, announced: Floats) -> Floats:
    return announced[: len(announced) // 2] if corrects(plan) else announced


AVERAGE = TrainingMethod(
    start=Average,
    rounds=10,
    rate=0.1,
    batch=BATCH,
    opened=_opened,
    gist=lambda plan: "how the sites' models changed, added up",
    steps=True,
    by_site=True,
    weighed=True,
    whole=lambda plan: True,
    noised=_noised,
    pauses=pauses,
    values=_values,
    modelled=_modelled,
)
