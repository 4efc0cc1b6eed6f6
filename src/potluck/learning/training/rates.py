"""Which rate suits `gradient`, from the plan alone: what stands where it says none, and what `check` recommends.

The objective over n rows has a curvature of at most L = s max |x|^2 + l2/n, with s = 1/4 of a log-loss, 1/2 of
that of several classes and 1 of half a squared error. Of an encoded row |x|^2 <= 1 + (columns): the intercept's 1, at
most 1 of each number, which lies on [-1, 1], and of each category, of whose features one is 1. n is `expected_rows`;
where the plan does not say it, l2/n is left out. Steps of 1/L never go up. Below 2/L plain steps shrink every error of
a quadratic, with momentum those below 2 (1 + b)/L, with Nesterov's those below 2 (1 + b)/((1 + 2 b) L). A row's clip
makes curvature smaller, not larger. Optimizers whose steps are of one size do not follow L: a step moves each
coefficient by about the rate, so what counts is how large coefficients are. L bounds the worst rows: those of a real
table mostly have a half to a fifth of it, so that only rates far beyond are warned of. References: Nesterov,
"Introductory Lectures on Convex Optimization" (2004), section 2.1.5; Polyak 1964.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from potluck.core.plan import Plan
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.encode import encoding
from potluck.learning.models.class_weights import heaviest
from potluck.learning.models.fitted import training
from potluck.learning.models.kinds import MODELS, kind_of
from potluck.learning.models.linear import l2, steepest
from potluck.learning.training.methods import METHODS, method_of
from potluck.learning.training.optimizer import OPTIMIZERS, Optimizer, optimizer_of
from potluck.learning.training.schedule import mean

NOISED = 0.25
"""Of steps of one size: under noise each is taken whether a gradient says anything or not, and so they are shorter."""
FAR = 2.0
"""So many times the longest safe rate are warned of."""
ODD = 10.0
"""Of steps of one size: so many times more or less than the usual rate are."""


@dataclass(frozen=True, slots=True)
class Advice:
    """curvature: L; longest: rates below it are safe whatever the rows are. Both None where steps are of one size.
    tried: the rate does best of some on made-up rows, with the plan's noise and rounds: real rows mostly bear more than
    1/L, and few rounds at that do not arrive."""

    rate: float
    curvature: float | None = None
    longest: float | None = None
    tried: bool = False

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {"recommended": self.rate, "curvature_at_most": self.curvature, "safe_below": self.longest}

    def words(self, given: float) -> str:
        """A line. given: the plan's rate."""
        said = f"training.rate: {given:g}, recommended {self.rate:.3g}"
        if self.tried:
            same = f"training.rate: {given:g} does well on made-up rows"
            return same if given == self.rate else f"{said} (of those that were tried on made-up rows it did best)"
        if self.curvature is None:
            return f"{said} (a step moves each coefficient by about the rate)"
        return f"{said} (1/L, from the plan's columns alone: L is at most {self.curvature:.4g})"


def usual_rate(plan: Plan) -> float:
    """Where a plan does not say its rate."""
    spec = training(plan)
    return rate_of(spec.method, spec.optimizer, plan.model.kind if plan.model else None, plan.noisy)


def rate_of(word: str, optimized: str, kind: str | None, noisy: bool) -> float:
    """The same by the words of a plan's method, optimizer and kind of model."""
    method, optimizer = METHODS.of(word), OPTIMIZERS.of(optimized)
    if own := method.of_kind(kind):
        return own[1]
    if method.by_site or not method.steps or optimizer.rates is None:
        return method.rate
    if kind in MODELS.entries and MODELS.of(kind).deep:
        return optimizer.rates.network
    by = MODELS.of(kind).link if kind in MODELS.entries else None
    rate = optimizer.rates.squared if by and by.squares else optimizer.rates.log_loss
    return rate * NOISED if noisy and optimizer.even else rate


def advice(plan: Plan) -> Advice | None:
    """For a plan whose columns are known by name; None where its method takes no such steps, or of a network, whose
    curvature no column bounds."""
    method = method_of(plan)
    if method.by_site or not method.steps or kind_of(plan).link is None:
        return None
    optimizer = optimizer_of(plan)
    if optimizer.even:
        return Advice(usual_rate(plan))
    bound = _curvature(plan)
    return Advice(1 / bound, bound, optimizer.longest / bound)


def warnings(plan: Plan, found: Advice) -> Iterator[str]:
    """Where the plan's rate is far from it."""
    spec, optimizer = training(plan), optimizer_of(plan)
    if found.curvature is None or found.longest is None:
        if not found.rate / ODD <= spec.rate <= found.rate * ODD:
            what = f"{spec.rate:g} is far from {found.rate:g}, and a step moves each coefficient by about as much"
            yield f"training.rate: {what}. hint: {found.rate:g}, or leave it out"
        return
    if spec.rate > FAR * found.longest:
        what = f"{spec.rate:g} may diverge: with these columns rates below {found.longest:.3g} are safe"
        yield f"training.rate: {what}. hint: about {found.rate:.3g}"
    if _travel(optimizer, spec.rate * mean(spec), spec.rounds) < found.rate:
        what = f"{spec.rate:g} is too low for {spec.rounds} rounds: the model stays near its first one"
        yield f"training.rate: {what}. hint: about {found.rate:.3g}"


def _travel(optimizer: Optimizer, rate: float, rounds: int) -> float:
    """Below 1/L even the steepest direction keeps more than a third of its error."""
    return rate * rounds * min(optimizer.lasting, rounds)


def _curvature(plan: Plan) -> float:
    """L."""
    widest = 1
    for one in encoding(plan).fields:
        kind = COLUMNS.of(one.kind)
        widest += len(kind.names(one)) if kind.spread else 1
    rows = training(plan).expected_rows
    return steepest(plan) * heaviest(plan) * widest + (l2(plan) / rows if rows else 0.0)
