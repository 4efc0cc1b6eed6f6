"""Steps that a site takes by itself where each row or person is hidden: `average` with that unit, and noise = "site".

A step is one round of `gradient` at one site. Each unit's gradient at the site's present weights is clipped, all are
added up on the grid, and all noise that the plan owes is inside before anything follows from it (`core.stages.Walk`,
`dp.mechanism.Walked`). With G for that sum, w for the weights and c for the round's common model a step is

    w -= rate (G / rows + l2 / expected_rows w + mu (w - c)),  then w is brought back to within training.range

where `rows` is public: `batch`, or expected_rows over the number of sites. So a site of twice as many rows takes steps
twice as long, and weighs more without a count of its rows being told; where sites add up, each weighs 1. Sites keep
nothing from one step to the next but w: no optimizer has a state there. With `batch` each step is of units that are
drawn in secret with the chance batch x sites / expected_rows.

Weights that stay at a site (`model.local`) are in these sums with the rest: one gradient over all that trains is
clipped, and noise is in all of it. So where they stand follows from noised sums alone, and says no more of rows than
what leaves. They begin where the round before left them, and only the others' change leaves.

Rows of different sites are different rows. So what a row loses is that of `steps` sums a round, whatever other sites
do, and the mean of the sites' weights is post-processing. A share of the noise in each step would NOT be enough, though
sums over all sites had all of it: a step begins where the site's last one ended, with one share inside. A head without
noise would not do either: one row would move it, and with it the gradients of all others.
References: Abadi et al. 2016, arXiv 1607.00133 (a step); McMahan et al. 2017, arXiv 1602.05629 (the mean).
"""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from potluck.core.asks import Block, OwnSums
from potluck.core.party import Draw
from potluck.core.plan import Plan, Training, required
from potluck.core.stages import Contribution, Floats, Walk
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal
from potluck.learning.kept import model_hash
from potluck.learning.models import graphs
from potluck.learning.models.fitted import training
from potluck.learning.models.form import Form
from potluck.learning.models.forms import form_of
from potluck.learning.models.linear import l2
from potluck.learning.training.gradient import GRADIENT
from potluck.learning.training.local import before
from potluck.learning.training.method import Method
from potluck.learning.training.schedule import factor


@dataclass(frozen=True, slots=True)
class OwnSteps:
    """form: of what leaves; each: what makes one step's sum, of n numbers; stays [n]: which of them stay; pulled [n]:
    which a ridge holds."""

    plan: Plan
    form: Form
    each: Method
    stays: NDArray[np.bool_] = field(repr=False)
    pulled: NDArray[np.bool_] = field(repr=False)

    def blocks(self) -> tuple[Block, ...]:
        """delta [d]: local - common weights. Both are within training.range."""
        size, high = self.form.size, 2 * training(self.plan).range
        return (Block("delta", size, high, high * float(np.sqrt(size)), len(self.plan.federation.sites)),)

    def sums(self, weights: Floats) -> OwnSums:
        """Of one round."""
        every = self._all(weights, self.form.initial_held())
        return OwnSums(self.each.blocks(every), required(training(self.plan).steps))

    def _all(self, common: Floats, held: Floats) -> Floats:
        """[n] what leaves and what stays, as steps have them."""
        found = np.empty(len(self.stays))
        found[~self.stays], found[self.stays] = common, held
        return found

    def walk(self, weights: Floats, step: int, rows: Table, draw: Draw) -> Walk:
        """One round at one site. A site without rows takes its steps all the same, along noise."""
        return Walk(self._steps(weights, step, rows, draw))

    def _steps(
        self, weights: Floats, step: int, rows: Table, draw: Draw
    ) -> Generator[Iterable[Contribution], Floats, Floats]:
        spec = training(self.plan)
        times, expected = required(spec.steps), required(spec.expected_rows)
        divisor = spec.batch or expected / len(self.plan.federation.sites)
        rate, ridge = spec.rate * factor(spec, step), l2(self.plan) / expected * self.pulled
        mu = spec.mu * ~self.stays if spec.local == "prox" else 0.0
        size, heads = self.form.size, bool(self.stays.any())
        held = before(self.plan, self.form, rows.kept, step).model[size:] if heads else np.zeros(0)
        begun = self._all(weights, held)
        here = np.clip(begun, -spec.range, spec.range)
        for one in range(times):
            found = yield self.each.contribute(here, step * times + one, rows, draw)
            here = here - rate * (found / divisor + ridge * here + mu * (here - begun))
            np.clip(here, -spec.range, spec.range, out=here)
        if heads:  # it is there to stay before anything is handed over
            rows.kept.keep(step, model_hash(weights), np.concatenate([here[~self.stays], here[self.stays]]))
        return here[~self.stays] - weights


def own_steps(plan: Plan, goal: Goal, features: int, form: Form) -> OwnSteps:
    """Of a plan that hides rows or persons. Units that a first round opens are for rounds on one sum of all sites."""
    spec = msgspec.structs.replace(training(plan), standardize=False)
    whole = msgspec.structs.replace(plan, training=spec, model=msgspec.structs.replace(required(plan.model), local=()))
    each = required(GRADIENT.start)(whole, goal, features)
    pulled = form_of(whole, goal, features).penalised()
    return OwnSteps(plan, form, each, graphs.stays(plan) if plan.drawn else np.zeros(len(pulled), np.bool_), pulled)


def faults(plan: Plan) -> Iterator[str]:
    """What of such a plan cannot hold. Lines as `check` makes them."""
    spec, unit = training(plan), plan.privacy.unit
    if plan.privacy.noise != "site":
        what = f"by average a site's next step begins at its last one, where one share of noise hides no {unit}"
        what = what if plan.privacy.noise == "shared" else f"by average a site's own steps have to hide a {unit}"
        yield f'privacy.noise: {what}. hint: noise = "site"; or method = "gradient", a step a round on the sum of all'
    if spec.steps is None:
        what = f"is missing: how many steps an epoch takes would tell how many rows a site has, and so of a {unit}"
        yield f"training.steps: {what}. hint: steps = 10, the same at every site"
    elif spec.epochs != Training(method=spec.method).epochs:
        yield "training.epochs: sites take steps, as many as are charged. hint: leave it out"
    yield from GRADIENT.noised(plan)


def opened(plan: Plan) -> str:
    """What the sums that the server opens are made of."""
    spec = training(plan)
    drawn = " that it draws in secret" if spec.batch is not None else ""
    each = f"{spec.steps} steps of its own, each along a noised sum over its training rows{drawn}"
    return f"each round the summed change of the sites' weights: a site takes {each}"
