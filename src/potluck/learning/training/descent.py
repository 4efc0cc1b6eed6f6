"""Gradient descent of a network: every round one step of the server along the opened sum of the sites' gradients.

Each site adds up the gradient of its rows' losses at the round's model, so that the sum is that of all rows in one
place, and the server steps as if it had them: with all rows no site's drift is in it, as there is in `average`. The
objective is the sum over rows of their losses, times the weights of their classes, plus l2/2 |w|^2 over what a ridge
holds (`Form.penalised`). With `batch` each round is over rows drawn anew (`drawn`), whose sum stands for that of all.

A site goes through its rows in parts of one size, so that it repeats its own bits; other machines may find others. What
follows is the server's alone: the model's bytes come of the opened sums, whoever protected them. Without noise a
coordinate of a site's sum is at most range x max_rows: nothing of a network bounds it, and beyond it the site stops.
With noise each row's or person's gradient is clipped before it is added up (`slots`), and the divisor is the plan's
public `expected_rows`: T rounds are a T-fold composition of one Gaussian mechanism. The ridge is the server's.

With `band` the round's sum is one of correlated noise (`turns`, `core.asks`): the server solves it for the gradient of
the group whose turn it was, with noise, and steps along that.

A clip may follow the median of the units' norms (`privacy.clip_follows`). Beside the weights the server announces the
clip, and beside the gradient each sum has one number more: each unit adds 1/2 where its norm is within the clip, else
-1/2. Its noise is made for a hundredth of what the sum costs, and the gradient's is larger by half a per cent. So units
are as hidden as ever, whichever clip is announced. With s for that number, n for the units expected in a sum,

    clip *= 1 - x + x^2 / 2,  x = FAST s / n, within [-FAST, FAST]

which is exp(-x) nearly, in operations that every machine rounds alike.
References: McMahan et al. 2017, arXiv 1602.05629 (FedSGD); Abadi et al. 2016, arXiv 1607.00133 (clipped gradients);
Andrew, Thakkar, McMahan, Ramaswamy 2021, arXiv 1905.03871, algorithm 1 (the clip that follows).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from potluck.core.asks import UNIT, Block, solved
from potluck.core.party import Draw
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort, Cause
from potluck.core.slices import slices
from potluck.core.stages import Contribution, Floats, Update
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal
from potluck.learning.data.units import Index, most_units
from potluck.learning.models.fitted import Fitted, training
from potluck.learning.models.form import Batch, Form
from potluck.learning.models.forms import form_of
from potluck.learning.models.linear import l2
from potluck.learning.training.clipped_sums import LEAST_CLIP, MOST_CLIP
from potluck.learning.training.drawn import band, drawn, stands_for
from potluck.learning.training.iterates import Mean
from potluck.learning.training.method import ServerSteps, judge, of_site, tallied, within
from potluck.learning.training.optimizer import optimizer_of
from potluck.learning.training.schedule import factor
from potluck.learning.training.slots import Net, net_of, seeds, slots_of
from potluck.learning.training.turns import turn

LEAST = 2 * LEAST_CLIP
ROUNDED = 2.0**-8
"""With noise, no larger part of the clip is kept for what truncation may change."""


SHORT, COUNTED = "short", 0.01
"""The block of the count of short units, and its share of what a sum costs."""
FAST = 0.2
"""How fast a clip follows: by a tenth in a round where all units are short, or none."""


def follows(plan: Plan) -> bool:
    """Whether the clip is announced with the weights."""
    return plan.noisy and plan.privacy.clip_follows is not None


@dataclass(frozen=True)
class Descent:
    """See `training.method.Method`. features: p."""

    plan: Plan
    goal: Goal
    features: int

    @cached_property
    def form(self) -> Form:
        """What trains of the model."""
        return form_of(self.plan, self.goal, self.features)

    @cached_property
    def _net(self) -> Net:
        return net_of(self.plan, self.form.size)

    def initial(self) -> Floats:
        """As the kind of model begins, or the graph; behind it the clip, where it follows."""
        return self._announced(self.form.initial(), self.plan.privacy.clip or 0.0)

    def _announced(self, weights: Floats, clip: float) -> Floats:
        return np.append(weights, clip) if follows(self.plan) else weights

    def blocks(self, weights: Floats) -> tuple[Block, ...]:
        """gradient [d]; without noise also the training rows of each side or class, whether they were drawn or not;
        with noise `short`, where the clip follows. Raises Abort(TERMS): no such clip can be announced."""
        size = self.form.size
        if self.plan.noisy:
            clip, units = required(self.plan.privacy.clip), most_units(self.plan)
            if follows(self.plan):
                clip = float(weights[size])
                if not LEAST <= clip <= MOST_CLIP:
                    raise Abort(Cause.TERMS, detail="the announced clip is none of this plan")
            finest = clip * ROUNDED / float(np.sqrt(size)) / (1 if band(self.plan) is None else UNIT)
            block = Block("gradient", size, clip, clip, units, coarsest=finest)
            if not follows(self.plan):
                return (block,)
            return replace(block, cost=1 - COUNTED), Block(SHORT, 1, 0.5, 0.5, units, parts=2, cost=COUNTED)
        return of_site(self.plan, self.goal, "gradient", size)

    def contribute(self, weights: Floats, step: int, rows: Table, draw: Draw) -> Iterator[Contribution]:
        """One unit: this site; with noise a row or a person. Raises Abort(RANGE): its sum is beyond training.range for
        each of data.max_rows."""
        if self.plan.noisy:
            slots = slots_of(self.plan, self.goal, self._net, weights[: self.form.size], rows, step, draw)
            yield slots if band(self.plan) is None else turn(self.plan, slots, weights, rows, draw)
            return
        if not rows.train.any():
            return
        values, size = np.zeros((1, self.form.size + self.goal.cells)), self.form.size
        batches = self._batches(step, drawn(self.plan, step, rows))
        self.form.add_slope(values[0, :size], weights, batches, rows.inputs, rows.target)
        most = training(self.plan).range * self.plan.data.max_rows
        if not all((np.abs(values[0, part]) <= most).all() for part in slices(size)):  # not so either of no number
            hint = "hint: a lower training.rate, or a larger training.range"
            raise Abort(Cause.RANGE, detail=f"a summed gradient is beyond training.range x data.max_rows. {hint}")
        values[0, size:] = tallied(self.goal, rows.target[rows.train]).sum(axis=0)
        yield Update(values)

    def course(self) -> ServerSteps:
        """One step down the opened gradient a round."""
        spec, weights, optimizer = training(self.plan), self.form.initial(), optimizer_of(self.plan)
        clips = [self.plan.privacy.clip or 0.0]
        ridge, held = l2(self.plan), self.form.penalised()
        states = [optimizer.begin(len(weights[part])) for part in slices(len(weights))]
        mean, groups = Mean(spec), band(self.plan)
        before: tuple[Floats, ...] = ()
        for number in range(spec.rounds):
            answer = yield self._announced(weights, clips[-1])
            if answer is None:
                return Fitted(weights)
            rows = 0.0 if self.plan.noisy else judge(self.plan, self.goal, answer)
            divisor = float(spec.expected_rows or rows)
            total, rate, here = answer.part("gradient").values, spec.rate * factor(spec, number), weights
            if follows(self.plan):
                clips.append(_followed(clips[-1], float(answer.part(SHORT).values[0]), divisor / stands_for(self.plan)))
            del answer
            if groups is not None:
                total = solved(total, before, groups)
                before = (total, *before)[: groups.groups - 1]
            weights = np.empty(len(here))
            for place, part in enumerate(slices(len(weights))):
                slope = total[part] * stands_for(self.plan) + ridge * held[part] * here[part]
                move, states[place] = optimizer.step(slope, divisor, rate, states[place])
                weights[part] = here[part] - move
            within(self.plan, weights)
            mean.add(number, weights)
        told = tuple(clips[:-1]) if follows(self.plan) else ()
        return Fitted(mean.of(weights), averaged=mean.total is not None, clips=told)

    def _batches(self, step: int, some: Index) -> Iterator[Batch]:
        """Some rows in their order, each part with a public seed for what a graph draws."""
        for part, seed in zip(slices(len(some), self.form.at_once), seeds(self.plan, step), strict=False):
            yield Batch(some[part], seed)


def _followed(clip: float, short: float, expected: float) -> float:
    """The next clip. short: half the units that were within this one, less half of those beyond it."""
    off = min(FAST, max(-FAST, FAST * short / expected))
    return min(MOST_CLIP, max(LEAST, clip * (1 - off + off * off / 2)))
