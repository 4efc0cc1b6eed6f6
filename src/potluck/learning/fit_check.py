"""What of a plan that fits over columns at different owners no learner can keep. One line a problem, with a hint."""

from __future__ import annotations

from collections.abc import Iterator

from potluck.core.plan import Plan, Training, repeated
from potluck.learning.check import of_columns, of_split
from potluck.learning.data.columns import by_owner, features_of, least
from potluck.learning.data.target_check import missing_keys, of_target
from potluck.learning.models.linear import l2
from potluck.learning.training import fit_trees

KINDS = ("linear", "logistic")
ROUNDS, SHORTEST, LONGEST = 1000, 1e-4, 1e4
"""What the engine's program takes."""
WIDEST = 511
ROWS, ELEMENTS = 1 << 22, 1 << 26
COMPUTING, MOST_CLIP, LARGEST_SUM = 3, 64.0, 2.0**23
"""With noise: who computes, the largest clip, and the largest sum of clipped gradients."""
BOUND = 24
"""log2 of how much larger the Gram matrix may be than its ridge."""


def check(plan: Plan) -> list[str]:
    """Errors of columns, owners, target, model and training."""
    owners = [*_owners(plan)]
    return [
        *of_columns(plan),
        *of_target(plan, missing_keys(plan)),
        *of_split(plan),
        *(owners or _features(plan)),
        *_model(plan),
        *_privacy(plan),
    ]


def _owners(plan: Plan) -> Iterator[str]:
    data, sites = plan.data, plan.federation.sites
    known = frozenset(sites)
    outside = set(plan.align.keys) if plan.align else set()
    split = data.split.column if data.split else None
    for name, column in data.columns.items():
        at = f"data.columns.{name}"
        if column.owner is None:
            if column.kind != "ignore" and name not in outside and name != split:
                yield f'{at}: has no owner. hint: owner = "{sites[0] if sites else ""}"'
        elif column.owner not in known:
            yield f"{at}: its owner {column.owner} is no site of this plan. hint: the sites are {', '.join(sites)}"
        if name in outside and column.kind != "ignore":
            yield f'{at}: rows are matched by it, so it is no feature. hint: kind = "ignore", or leave it out'
        if "*" in name:
            yield f"{at}: a pattern is of files that are alike. hint: name the columns one by one, each with its owner"
    target = data.target
    if target is None:
        return
    if target.column not in data.columns or data.columns[target.column].owner is None:
        hint = f'[data.columns] {target.column} = {{ kind = ..., owner = "..." }}'
        yield f"data.target.column: {target.column} is no column with an owner. hint: {hint}"
    else:
        yield from _split(plan)
    owners = {column.owner for column in data.columns.values() if column.kind != "ignore"}
    for site in sites:
        if site not in owners:
            yield f"federation.sites: {site} has no column. hint: give one an owner, or leave the site out"


def _split(plan: Plan) -> Iterator[str]:
    data = plan.data
    if data.split is None or data.split.column is None or data.target is None:
        return
    column = data.columns.get(data.split.column)
    holder = data.columns[data.target.column].owner
    if column is not None and column.owner not in (None, holder):
        yield f"data.split.column: it is {column.owner}'s, and the target is {holder}'s. hint: a column of {holder}'s"


def _features(plan: Plan) -> Iterator[str]:
    names = by_owner(plan)
    if not names:
        yield "data.columns: there is no feature. hint: declare columns of kind number or category"
    twice = sorted({*repeated(names), *({"intercept"} & set(names))})
    if twice:
        yield f"data.columns: two features would be called {twice[0]}. hint: rename a column"


def _model(plan: Plan) -> Iterator[str]:
    model, spec = plan.model, plan.training
    assert model is not None
    assert spec is not None
    if model.kind == "trees":
        yield from fit_trees.check(plan)
        return
    if model.kind not in KINDS:
        yield f'model.kind: "{model.kind}" is not fitted over columns. hint: linear, logistic or trees'
        return
    if spec.method not in ("newton", "gradient"):
        yield f'training.method: a {model.kind} model is not fitted by {spec.method}. hint: "newton" or "gradient"'
    if spec.server != "mean":
        yield "training.server: there are no updates of sites to join. hint: leave it out"
    if not 1 <= spec.rounds <= ROUNDS:
        yield f"training.rounds: {spec.rounds} does not fit. hint: 1 to {ROUNDS}"
    if not SHORTEST <= spec.rate <= LONGEST:
        yield f"training.rate: {spec.rate:g} does not fit. hint: {SHORTEST:g} to {LONGEST:g}"
    if spec.batch is not None and not 1 <= spec.batch <= ROWS:
        yield f"training.batch: {spec.batch} does not fit. hint: 1 to {ROWS}, or leave it out for all rows"
    if not 0 <= model.l2 <= 1e12:
        yield f"model.l2: {model.l2:g} does not fit. hint: 0 to 1e12"
    elif spec.method == "newton" and model.l2 == 0:
        what = "newton inverts a matrix in fixed point, which needs a ridge"
        yield f'model.l2: {what}. hint: any value above 0 that fits the rows, e.g. 1, or method = "gradient"'
    width = len(set(by_owner(plan))) if all(c.owner for c in features_of(plan).values()) else 0
    if width > WIDEST:
        yield f"data.columns: {width} features, at most {WIDEST} are fitted in secret. hint: fewer columns or values"


def _privacy(plan: Plan) -> Iterator[str]:
    """What noise inside the computation cannot be: it is of gradient steps over all rows, for three who compute."""
    wanted, spec, model = plan.privacy, plan.training, plan.model
    assert spec is not None
    assert model is not None
    if wanted.noise == "none":
        return
    if wanted.noise != "reveal":
        what = f'"{wanted.noise}" is for sums: here all who compute draw noise, before anything is opened'
        yield f'privacy.noise: {what}. hint: noise = "reveal"'
    if wanted.unit not in (None, "row"):
        yield f'privacy.unit: a row is what all owners have of one key, not a {wanted.unit}. hint: unit = "row"'
    if model.kind in KINDS and spec.method == "newton":
        yield 'training.method: newton with noise gives poor models. hint: method = "gradient"'
    if model.kind == "trees":
        yield 'model.kind: trees are grown without noise in this version. hint: kind = "logistic", or noise = "none"'
    if spec.method == "gradient":
        yield from _steps(plan, spec)
    if len(plan.servers) != COMPUTING:
        what = "with noise three parties compute: two of them draw enough, whatever the third does"
        yield f"protect.servers: {what}. hint: name three"


def _steps(plan: Plan, spec: Training) -> Iterator[str]:
    if spec.batch is not None:
        yield "training.batch: with noise every step takes all rows in this version. hint: leave it out"
    if spec.expected_rows is None:
        what = "is missing: with noise the number of rows that count is private"
        yield f"training.expected_rows: {what}. hint: a public guess of the training rows"
    elif not 1 <= spec.expected_rows <= ROWS:
        yield f"training.expected_rows: {spec.expected_rows} does not fit. hint: 1 to {ROWS}"
    if plan.privacy.clip is not None and plan.privacy.clip > MOST_CLIP:
        yield f"privacy.clip: {plan.privacy.clip:g} is more than is computed with. hint: at most {MOST_CLIP:g}"


def warnings(plan: Plan) -> Iterator[str]:
    """What runs, and what to mind of it."""
    if plan.privacy.noise == "none":
        yield (
            "privacy.noise: the model is exact: who reads it and knows all rows but one can work out that one. hint: "
            "name readers in fit.to whom all owners trust with that"
        )
    else:
        yield (
            "privacy.noise: held-out rows say nothing with noise in this version: there are no metrics. hint: hold "
            "none out, or let a reader judge the model on rows of its own"
        )
    yield from _unused(plan)


def _unused(plan: Plan) -> Iterator[str]:
    """Keys of [training] that are written and change nothing."""
    spec = plan.training
    assert spec is not None
    usual = Training(method=spec.method)
    reasons = {
        "batch": "" if spec.method == "gradient" else f"every round of {spec.method} takes all rows",
        "expected_rows": ""
        if plan.privacy.noise != "none"
        else "sums are over rows that all owners have, and how many those are is public",
        "range": "no coefficient is held to it",
        "epochs": "there are rounds alone",
        "seed": "" if spec.method == "gradient" and spec.batch else "no rows are shuffled",
    }
    for key, why in reasons.items():
        if why and getattr(spec, key) != getattr(usual, key):
            yield f"training.{key}: is ignored: {why}. hint: leave it out"


def _largest_sum(plan: Plan) -> float:
    """With noise, what one row adds to a sum or to a step at most; else 0."""
    spec = plan.training
    assert spec is not None
    if plan.privacy.noise == "none":
        return 0.0
    return (plan.privacy.clip or 0.0) * max(1.0, spec.rate / (spec.expected_rows or 1))


def _too_few(plan: Plan, train: int, test: int) -> str:
    """The rows that all owners have are too few, whichever are kept: how many those are is no secret among owners."""
    wanted = least(plan)
    held = test if plan.privacy.noise == "none" else 0
    for rows, what in ((train, "to train on"), (held, "held out")):
        if rows < wanted and (rows or what == "to train on"):
            hint = "see how keys are spelt, and the split, or agree on a lower number"
            return f"fit.min_rows: {rows} common rows are {what}, and the plan wants {wanted}. hint: {hint}"
    return ""


def unfit(plan: Plan, train: int, test: int) -> str:
    """What is wrong with the plan for so many rows to train on and held out, with a hint; empty: nothing."""
    assert plan.model is not None
    assert plan.training is not None
    few = _too_few(plan, train, test)
    if few or plan.model.kind == "trees":
        return few or fit_trees.unfit(plan, train, test)
    width = len(by_owner(plan)) + 1
    if max(train, test) > ROWS or (train + test) * width > ELEMENTS:
        return f"{train + test} common rows of {width - 1} features are too many for one program. hint: fewer of either"
    if _largest_sum(plan) * train > LARGEST_SUM:
        return "privacy.clip: the sum is too large for fixed point. hint: a lower clip, or more expected_rows"
    if plan.training.method != "newton":
        size = plan.training.batch or 1
        hint = "a smaller one, or leave it out for all rows"
        return (
            "" if size <= train else f"training.batch: {size} is more than the {train} rows to train on. hint: {hint}"
        )
    curved = 0.25 if plan.model.kind == "logistic" else 1.0
    least = width * train * curved / (1 << BOUND - 1)
    if l2(plan) >= least:
        return ""
    return f"model.l2: {l2(plan):g} is too small for {train} rows in fixed point. hint: at least {least:.3g}"
