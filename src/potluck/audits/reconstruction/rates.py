"""What rows of one site come to, from the first slope of a linear model: at zero weights it is a sum of targets.

A logistic model at zero weights says 1/2 of each row, so the slope of its intercept is (rows)/2 less the positive rows:
the site's rate; of K classes 1/K, and the slopes of the intercepts say the share of each. Of a linear regression it is
the sum of targets, turned round. The rows are counted in the sum where it has no noise, else they are as many as the
plan expects. What the sum's noise, which the plan says, may move a number by is known: a number is found only where
that is little, so that none is by luck, of however many sites. The slope of a feature is half its sum over negative
rows less half that over positive ones (of a class: a share of its sum over all rows, less that over the class's). Where
the sum has rows' features added up as well (`newton`: the first line of its Gram matrix), both sums follow, and so each
side's means. Reference: the closed form.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from potluck.audits.attack import Found, Sort, Truth, Until, Verdict, named
from potluck.audits.reconstruction.slopes import began
from potluck.audits.seen import Known, Seen
from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.dp.mechanism import mechanism, noise_of
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.models.fitted import training
from potluck.learning.models.kinds import kind_of
from potluck.learning.models.linear import at_zero
from potluck.learning.training.method import TALLY
from potluck.learning.training.newton import GRAM

NEAR = 0.005
"""A number is found where it is no farther off, and noise moves it no farther: half a point in a hundred."""
EXACT = 1e-6
"""A number so near is the site's own, also where all sites come to the same."""
_MEAN = "the mean target, scaled,"
SURE = 5.0
"""Standard deviations by which noise moves a number at most, but once in a million."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Numbers [k] that a site's rows come to, on the scale from -1 to 1. what: in words; moved: by noise, at most;
    true: of features [n, p] and target [n]."""

    of: frozenset[str]
    values: Floats = field(repr=False)
    what: str
    moved: float
    true: Callable[[Floats, Floats], Floats] = field(repr=False)

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where they are one site's, near, not by luck, and nearer than those of all rows here. score: 1 less
        how far the farthest is off; baseline: of those of all. No number is said: a rate of few rows is a row's."""
        words = f"the first slopes say {self.what} of {named(self.of)}"
        if self.moved > NEAR:
            words += f", but for noise that moves this by up to {self.moved:.2g}"
        if len(self.of) > 1:
            return Verdict(False, f"{words}: what sites have together is what a sum opens, and no site's own")
        if not self.of <= truth.keys():
            return Verdict(None, f"{words}; its true rows are not here to compare")
        each = {name: (rows.features[rows.train], rows.target[rows.train]) for name, rows in truth.items()}
        mine = self.true(*each[next(iter(self.of))])
        every = self.true(*(np.concatenate(some) for some in zip(*each.values(), strict=True)))
        off, others = (float(np.abs(one - mine).max()) for one in (self.values, every))
        words = f"{words}, off by {off:.3f} at most"
        if len(each) > 1:
            words += f", where those of all rows here are off by {others:.3f}"
        if self.moved > NEAR:
            words += ": what is near is luck"
        beside = others if len(each) > 1 else math.inf
        near = off <= NEAR and self.moved <= NEAR and (off <= EXACT or off < beside)
        return Verdict(near, words, 1 - off, None if math.isinf(beside) else 1 - beside)


@dataclass(frozen=True, slots=True)
class Rates:
    """See the module."""

    name: str = "rates"
    sort: Sort = Sort.RECONSTRUCTION
    reference: str = "the slope of a linear model at zero weights, in closed form"

    def fits(self, seen: Seen) -> str | None:
        """It needs the first sum of slopes of a linear model that began at zero, its rows weighed alike."""
        if not list(_first(seen)):
            return "the first sum of slopes, at zero weights, was not read"
        if seen.plan.drawn or kind_of(seen.plan).link is None:
            return "the model is not linear in its features"
        return "rows weigh by their class" if training(seen.plan).class_weights else None

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """A rate, and where they follow each side's means, of each set of sites of which the first sum is known."""
        return [told for one in _first(seen) for told in _told(one, seen)]


def _told(one: Known, seen: Seen) -> Iterator[Told]:
    link, slopes, tally = kind_of(seen.plan).link, one.part("gradient"), one.part(TALLY)
    assert link is not None
    assert slopes is not None
    expected = float(training(seen.plan).expected_rows or 0) * len(one.of) / len(seen.plan.federation.sites)
    rows = expected if tally is None else float(tally.sum())
    if rows <= 0 or not slopes.any():  # a sum of nothing says nothing
        return
    spread = _spread(one, seen.plan)
    goal = goal_of(seen.plan)
    each, share = slopes.reshape(goal.outputs, -1), 1 / goal.cells if link.odds else 0.0
    several, by = len(each) > 1, at_zero(link, goal.outputs)
    what = "the share of each class" if several else "the rate of positive rows" if link.odds else _MEAN
    yield Told(one.of, share - each[:, 0] / rows, what, SURE * spread["gradient"] / rows, partial(_rates, goal))
    sides = each if several else np.vstack([each, -each])
    counts, gram = share * rows - sides[:, 0], one.part(GRAM)
    if link.odds and gram is not None and counts.min() > 0.5:
        every = gram[1 : each.shape[1]] / by
        values = (share * every - sides[:, 1:]) / counts[:, None]
        # each side's rows are moved as well
        moved = SURE * (spread[GRAM] / by * share + 2 * spread["gradient"]) / float(counts.min())
        said = f"the means of all {len(every)} features, by {'class' if several else 'side'},"
        yield Told(one.of, values.reshape(-1), said, moved, partial(_means, goal))


def _spread(one: Known, plan: Plan) -> dict[str, float]:
    """The standard deviation of the noise in a number, by part, as the plan says."""
    noise = None if plan.exact else noise_of(mechanism(plan, one.ask))
    each = (0.0,) * len(one.grid.parts) if noise is None else noise.real(noise.share)
    givers = 1 if noise is None or noise.word == "reveal" else len(one.of)
    return {part.name: math.sqrt(givers) * sigma for part, sigma in zip(one.grid.parts, each, strict=True)}


def _rates(goal: Goal, features: Floats, target: Floats) -> Floats:
    """[1], or of classes [K]."""
    if goal.outputs == 1:
        return np.array([target.mean()])
    return np.asarray([(target == place).mean() for place in range(goal.outputs)])


def _means(goal: Goal, features: Floats, target: Floats) -> Floats:
    """[2 p] of positive rows, and of the others; or [K p] class by class."""
    places = range(goal.outputs) if goal.outputs > 1 else (1, 0)
    sides = [features[target == place] for place in places]
    return np.concatenate([side.mean(axis=0) if len(side) else np.zeros(features.shape[1]) for side in sides])


def _first(seen: Seen) -> Iterator[Known]:
    return (one for one in seen.training() if one.part("gradient") is not None and began(one, seen.plan))


RATES = Rates()
