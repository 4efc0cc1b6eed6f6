"""Gradient descent: w -= rate (sum of row gradients + l2 w) / expected_rows, or as an optimizer steps.

With noise each unit's gradient (a row's; all rows of a person; a site's) is clipped before it is added up, so that
T rounds are a T-fold composition of one Gaussian mechanism, and the divisor is the plan's public `expected_rows`,
never a count of the data. Without noise and without that key the opened row count stands in. What the server makes of
opened sums costs nothing more: neither an optimizer's state nor the mean of models is charged.
With noise a plan may have gradients clipped in units that its first round opens (`standardize`).
A plan may have each sum over units that are drawn anew: without noise in public (`drawn`), with it in secret, which
costs less of epsilon. The divisor of a drawn sum is `batch`, whatever was drawn. Of a network see `descent`.
Reference: Bassily, Smith, Thakurta 2014, arXiv 1405.7085 (full-batch form of noisy gradient descent); Abadi et al.
2016, arXiv 1607.00133 (drawn batches).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from potluck.core.asks import Block
from potluck.core.party import Draw
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Coins, Contribution, Encoded, Floats, Grid, L
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal
from potluck.learning.data.units import Index, most_units, space, updates
from potluck.learning.models.class_weights import factors_of, heaviest
from potluck.learning.models.fitted import Fitted, training
from potluck.learning.models.kinds import MODELS, kind_of
from potluck.learning.models.layers import design
from potluck.learning.models.linear import by_class, l2, link, penalty, residuals, room, slopes
from potluck.learning.models.started import first
from potluck.learning.training import drawn, standardize, turns
from potluck.learning.training.clipped_sums import LEAST_CLIP, MOST_CLIP
from potluck.learning.training.descent import Descent, follows
from potluck.learning.training.iterates import Mean
from potluck.learning.training.method import (
    TALLY,
    Method,
    ServerSteps,
    TrainingMethod,
    averages,
    counts,
    cut_off,
    few,
    judge,
    tally,
    within,
)
from potluck.learning.training.optimizer import optimizer_of
from potluck.learning.training.row_sums import bounded_rows, clipped, encoded, exact, noised, training_rows, weighted
from potluck.learning.training.schedule import factor
from potluck.learning.training.slots import enough, in_a_sum
from potluck.learning.training.units import Units, units

NEAR = 1e-4
"""Where less than this part of the largest coefficient is still to go, it has arrived: `training.newton.BLURRED`."""
FLAT = 1e-6
"""A gradient's norm rises where it does by more than this a row: below lies what the grid cuts off."""
TIMES = 2
"""So many more rows in a batch: of each number of theirs one is made at a time."""
MANY = 8
"""Times the expected rows: more slots than that mostly stand empty."""
NOT_ARRIVED = (
    "gradient descent has not arrived: coefficients may be nearer to 0 than the fit's. Raise training.rounds or "
    'training.rate, or take method = "newton"'
)
TOO_FAST = "its steps are too long for these rows: a lower training.rate"


@dataclass(frozen=True, slots=True)
class Gradient:
    """See `training.method.Method`. features: p; inside: units in which gradients are, None: as rows are encoded."""

    plan: Plan
    goal: Goal
    features: int
    inside: Units | None = None

    @property
    def length(self) -> int:
        """d = K (p + 1), of K classes; else p + 1."""
        return self.goal.outputs * (self.features + 1)

    def initial(self) -> Floats:
        """All zeros, or as an earlier run ended."""
        return first(self.plan, lambda: np.zeros(self.length))

    def blocks(self, weights: Floats) -> tuple[Block, ...]:
        """gradient [d]; without noise also the rows of each side."""
        length, units = self.length, most_units(self.plan)
        if self.plan.noisy:
            clip = required(self.plan.privacy.clip)
            return (Block("gradient", length, clip, clip, units),)
        high = room(link(self.plan), weights) * heaviest(self.plan)
        return (Block("gradient", length, high, high * float(np.sqrt(length)), units), tally(self.plan, self.goal))

    def contribute(self, weights: Floats, step: int, rows: Table, draw: Draw) -> Iterator[Contribution]:
        """One unit a row, a person or a site: its summed gradient. Those of persons and sites are laid out, not yet
        clipped: the norm of a sum over rows does not follow from theirs."""
        if not self.plan.noisy or self.plan.privacy.unit == "row":
            yield _Rows(self, weights, rows, drawn.drawn(self.plan, step, rows))
            return
        by, at = link(self.plan), by_class(weights, self.goal.outputs)

        def each(index: Index) -> Floats:
            x = rows.features[index]
            return slopes(residuals(by, at, x, rows.target[index]), design(self.inside.rows(x) if self.inside else x))

        yield from updates(self.plan, np.flatnonzero(rows.train), rows.person, self.length, each)

    def course(self) -> ServerSteps:
        """One step down the opened gradient a round. Raises Abort(RANGE): the steps go up."""
        spec, weights, optimizer = training(self.plan), self.initial(), optimizer_of(self.plan)
        state, inside = optimizer.begin(len(weights)), self.inside or (units(self.plan) if optimizer.even else None)
        warnings: tuple[str, ...] = ()
        mean = Mean(spec)
        whole = not self.plan.noisy and spec.batch is None  # else sums say less of how steps went
        steepest = risen = norm = before = least = 0.0
        for number in range(spec.rounds):
            answer = yield weights
            if answer is None:
                return Fitted(weights, warnings)
            divisor = float(spec.expected_rows or 0)
            if not self.plan.noisy:
                rows = judge(self.plan, self.goal, answer)
                divisor = divisor or rows
                if number == 0:
                    warnings = few(rows, self.length)
            slope = answer.part("gradient").values * drawn.stands_for(self.plan)
            pull = penalty(l2(self.plan), weights, self.goal.outputs)
            slope += self.inside.gradient(pull) if self.inside else pull
            if whole:
                before, norm = norm, float(np.linalg.norm(slope))
                steepest = steepest if number else norm + FLAT * rows
                risen = norm / steepest
                least = cut_off(answer, "gradient") * math.sqrt(self.length)
                if risen > 1 and optimizer.plain and link(self.plan).squares:
                    raise Abort(Cause.RANGE, detail=f"gradient descent diverges. hint: {TOO_FAST}")
            share = factor(spec, number)
            slope = inside.gradient(slope) if inside and not self.inside else slope  # with units it is in them already
            move, state = optimizer.step(slope, divisor, spec.rate * share, state)
            move = inside.moved(move) if inside else move
            weights = weights - move
            within(self.plan, weights)
            mean.add(number, weights)
        found = Fitted(mean.of(weights), warnings, averaged=mean.total is not None)
        if risen > 1:
            said = f"gradient descent has gone up: {TOO_FAST}"
            return replace(found, ending=(said,), converged=False)
        if not whole:
            return found
        ahead = float(np.abs(found.weights - weights).max())
        if norm > least and optimizer.plain:
            ahead += _ahead(float(np.linalg.norm(move)) / share, norm, before)  # at the whole rate
        elif norm > least:
            ahead += _at_most(norm, l2(self.plan))
        if ahead <= NEAR * max(1.0, float(np.abs(found.weights).max())):
            return replace(found, converged=True)
        return replace(found, ending=(NOT_ARRIVED,), converged=False)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What training rows of a site add at these weights, each a unit of its own. See `core.stages.Unlaid`.

    drawn [len(some)]: with noise, which of them are in this sum. The others are gone through all the same.
    """

    method: Gradient
    weights: Floats = field(repr=False)
    rows: Table = field(repr=False)
    some: Index = field(repr=False)
    drawn: NDArray[np.bool_] | None = field(default=None, repr=False)

    def among(self, coins: Coins) -> "_Rows":
        """See `core.stages.Drawable`."""
        return replace(self, drawn=coins(len(self.some)))

    def encode(self, grid: Grid, limit: L) -> Encoded[L]:
        """Without a clip the words of rows that are laid out, bit for bit. With one each row is within it, as
        `training.row_sums.clipped` proves. Raises Abort(RANGE): a row is beyond its range."""
        plan, part, inside = self.method.plan, grid.parts[0], self.method.inside
        by, most = link(plan), noised(limit).l2[0] if plan.noisy else exact(limit).high[0]
        totals = {one.name: np.zeros(one.size, dtype=np.int64) for one in grid.parts}
        read, add = (training_rows, clipped) if plan.noisy else (bounded_rows, weighted)
        goal, each = self.method.goal, by_class(self.weights, self.method.goal.outputs)
        batch, factors = space(each.shape[-1], TIMES), factors_of(plan, goal)
        at = 0
        for x, y in read(self.rows, TIMES, self.some):
            off = residuals(by, each, x, y, batch)
            if self.drawn is not None:
                off = np.where(self.drawn[at : at + len(y)], off.T, 0.0).T
            at += len(y)
            off = off if factors is None else (off.T * factors[y.astype(np.int64)]).T
            totals[part.name] += add(inside.rows(x) if inside else x, off, part, most, batch)
        if not plan.noisy:
            totals[TALLY] += counts(goal, self.rows.target[self.rows.train])
        return encoded(totals, grid, limit)


def _ahead(step: float, norm: float, before: float) -> float:
    """How far there is to go after a last step, where each is shorter than the one before by as much as the last
    gradients say: a geometric series. norm, before: of the last gradient and of the one before it, 0 where there was
    none."""
    return step * norm / (before - norm) if norm < before else math.inf


def _at_most(norm: float, strength: float) -> float:
    """The same where steps do not shrink as gradients do: no direction but the intercept's is flatter than the ridge.
    Without one nothing is known."""
    return norm / strength if strength else math.inf


def _noised(plan: Plan) -> Iterator[str]:
    if _deep(plan):
        yield from _of_network(plan)
    if training(plan).standardize and training(plan).rounds < standardize.LEAST_ROUNDS:
        what = "the first round finds the units, and no other is left to train in"
        yield f"training.rounds: {what}. hint: at least {standardize.LEAST_ROUNDS}, e.g. 50"
    if training(plan).expected_rows is None:
        what = "is missing: with noise the number of rows is private"
        yield f"training.expected_rows: {what}. hint: give a public guess of the training rows"


def _of_network(plan: Plan) -> Iterator[str]:
    """Its units are clipped in microbatches (`slots`)."""
    wanted = plan.privacy
    if wanted.unit == "site":
        what = "gradient clips each row or person of a network, and hides no site"
        yield f'training.method: {what}. hint: "average" with privacy.unit = "site", or privacy.unit = "row"'
    if wanted.unit == "person" and plan.data.reduce is None and wanted.rows_per_person is None:
        what = "is missing: it bounds what a person adds to a network's gradient"
        yield f"privacy.rows_per_person: {what}. hint: e.g. 10; further rows of a person are left out"
    if wanted.clip is not None and not 2 * LEAST_CLIP <= wanted.clip <= MOST_CLIP:
        what = f"{wanted.clip:g} does not fit a network's numbers"
        yield f"privacy.clip: {what}. hint: between {2 * LEAST_CLIP:g} and {MOST_CLIP:g}, for example 1.0"


def _pauses(plan: Plan) -> Iterator[str]:
    yield from drawn.pauses(plan)
    yield from turns.pauses(plan)
    spec, most = training(plan), plan.data.max_rows
    if not plan.noisy or not _deep(plan) or spec.expected_rows is None:
        return
    by = in_a_sum(plan)
    slots, wanted = enough(most, by), spec.expected_rows if by is None else spec.expected_rows * by[0] // by[1]
    if slots * len(plan.federation.sites) > MANY * wanted:
        what = f"with noise each site goes through {slots:,} slots in a round, whatever it has"
        yield f"data.max_rows: {what}. hint: as few as the largest site needs"


def _opened(plan: Plan, counts: str) -> str:
    of = "all training rows"
    groups = drawn.band(plan)
    if groups is not None:
        of = f"one of {groups.groups} groups of training rows, and parts of those of"
        of += f" the {groups.groups - 1} rounds before"
    elif drawn.chance(plan) is not None:
        of = "those training rows that each site draws for it in secret (epsilon reckons with that, and does not hold "
        of += "against who watches a site's process)"
    elif not plan.noisy and training(plan).batch is not None:
        of = "training rows that a public seed draws anew, which many rounds tell more of than sums over all rows"
    said = "at zero weights it tells class means"
    if _scaled(plan):
        of += " in units that the first round opens: how many there are, and each number's sum and sum of squares"
    if _deep(plan):
        said = "a network's gradient of few rows can give the rows themselves away"
    return f"each round the summed gradient of {of}{counts}; {said}"


def _deep(plan: Plan) -> bool:
    """Whether its model is a network, also of a plan that has errors."""
    return plan.model is not None and plan.model.kind in MODELS.entries and kind_of(plan).link is None


def _scaled(plan: Plan) -> bool:
    """Whether it finds units for its gradients, also of a plan that has errors."""
    return plan.noisy and training(plan).standardize and not _deep(plan)


def _start(plan: Plan, goal: Goal, features: int) -> Method:
    if _deep(plan):
        return Descent(plan, goal, features)
    if standardize.standardizes(plan):
        return standardize.Standardized(plan, lambda rest, inside: Gradient(rest, goal, features, inside))
    return Gradient(plan, goal, features)


GRADIENT = TrainingMethod(
    start=_start,
    rounds=20,
    rate=1.0,
    opened=_opened,
    gist=lambda plan: "in which direction the network's weights should move" if _deep(plan) else averages(plan),
    steps=True,
    batched=True,
    weighed=True,
    whole=lambda plan: _deep(plan) and not plan.noisy,
    follows=_deep,
    modelled=lambda plan, announced: announced[:-1] if follows(plan) else standardize.modelled(plan, announced),
    noised=_noised,
    pauses=_pauses,
    scaled=_scaled,
    cycle=lambda plan, announced: (standardize.usual(plan, announced),),
    tried={
        "training.rate": (0.25, 1.0, 3.0),
        "training.rounds": (5, 20, 50),
        "privacy.clip": (0.5, 1.0, 2.0),
        "training.standardize": (True,),
    },
)
