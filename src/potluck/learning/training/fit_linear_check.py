"""What of a plan a regression over columns at different owners cannot keep. One line a problem, with a hint."""

from collections.abc import Iterator

from potluck.core.plan import Plan, required
from potluck.learning.data.columns import by_owner, features_of
from potluck.learning.models.fitted import training
from potluck.learning.models.linear import l2, link

METHODS = ("newton", "gradient")
ROUNDS, SHORTEST, LONGEST = 1000, 1e-4, 1e4
"""What the engine's program takes."""
WIDEST = 511
ROWS, ELEMENTS = 1 << 22, 1 << 26
MOST_CLIP, LARGEST_SUM = 64.0, 2.0**23
"""With noise: the largest clip, and the largest sum of clipped gradients."""
BOUND = 24
"""log2 of how much larger the Gram matrix may be than its ridge."""


def check(plan: Plan) -> Iterator[str]:
    """Its table, its method, and how many features there are."""
    model, spec, target = required(plan.model), training(plan), plan.data.target
    if target is not None and target.classes is not None:
        what = "a regression over columns tells two sides apart, or a number"
        yield f'data.target.classes: {what}. hint: positive, or task = "train" where sites have rows of their own'
    if spec.method not in METHODS:
        hint = " or ".join(f'"{word}"' for word in METHODS)
        yield f"training.method: a {model.kind} model is not fitted by {spec.method}. hint: {hint}"
    if spec.aggregation != "mean":
        yield "training.aggregation: there are no updates of sites to join. hint: leave it out"
    if not 1 <= spec.rounds <= ROUNDS:
        yield f"training.rounds: {spec.rounds} does not fit. hint: 1 to {ROUNDS}"
    if not SHORTEST <= spec.rate <= LONGEST:
        yield f"training.rate: {spec.rate:g} does not fit. hint: {SHORTEST:g} to {LONGEST:g}"
    if spec.batch is not None and not 1 <= spec.batch <= ROWS:
        yield f"training.batch: {spec.batch} does not fit. hint: 1 to {ROWS}, or leave it out for all rows"
    if spec.method == "newton" and model.l2 == 0:
        what = "newton inverts a matrix in fixed point, which needs a ridge"
        yield f'model.l2: {what}. hint: any value above 0 that fits the rows, e.g. 1, or method = "gradient"'
    width = len(set(by_owner(plan))) if all(c.owner for c in features_of(plan).values()) else 0
    if width > WIDEST:
        yield f"data.columns: {width} features, at most {WIDEST} are fitted in secret. hint: fewer columns or values"


def noised(plan: Plan) -> Iterator[str]:
    """What noise inside the computation cannot be: it is of gradient steps over all rows."""
    spec = training(plan)
    if spec.method == "newton":
        yield 'training.method: newton with noise gives poor models. hint: method = "gradient"'
    if spec.method != "gradient":
        return
    if spec.batch is not None:
        yield "training.batch: with noise every step takes all rows in this version. hint: leave it out"
    if spec.expected_rows is None:
        what = "is missing: with noise the number of rows that count is private"
        yield f"training.expected_rows: {what}. hint: a public guess of the training rows"
    elif not 1 <= spec.expected_rows <= ROWS:
        yield f"training.expected_rows: {spec.expected_rows} does not fit. hint: 1 to {ROWS}"
    if plan.privacy.clip is not None and plan.privacy.clip > MOST_CLIP:
        yield f"privacy.clip: {plan.privacy.clip:g} is more than is computed with. hint: at most {MOST_CLIP:g}"


def _largest_sum(plan: Plan) -> float:
    """With noise, what one row adds to a sum or to a step at most; else 0."""
    spec = training(plan)
    if not plan.noisy:
        return 0.0
    return (plan.privacy.clip or 0.0) * max(1.0, spec.rate / (spec.expected_rows or 1))


def unfit(plan: Plan, train: int, test: int) -> str:
    """What is wrong with the plan for so many rows to train on and held out, with a hint; empty: nothing."""
    spec, width = training(plan), len(by_owner(plan)) + 1
    if max(train, test) > ROWS or (train + test) * width > ELEMENTS:
        return f"{train + test} common rows of {width - 1} features are too many for one program. hint: fewer of either"
    if _largest_sum(plan) * train > LARGEST_SUM:
        return "privacy.clip: the sum is too large for fixed point. hint: a lower clip, or more expected_rows"
    if spec.method != "newton":
        size = spec.batch or 1
        hint = "a smaller one, or leave it out for all rows"
        return (
            "" if size <= train else f"training.batch: {size} is more than the {train} rows to train on. hint: {hint}"
        )
    least = width * train * link(plan).steepest / (1 << BOUND - 1)
    if l2(plan) >= least:
        return ""
    return f"model.l2: {l2(plan):g} is too small for {train} rows in fixed point. hint: at least {least:.3g}"
