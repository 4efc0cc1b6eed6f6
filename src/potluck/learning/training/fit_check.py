"""What of a plan that fits over columns at different owners no learner can keep. One line a problem, with a hint."""

from collections.abc import Iterator

from potluck.core.plan import Plan, Training, required
from potluck.learning.data.check import of_columns, of_features, of_split
from potluck.learning.data.columns import by_owner, least
from potluck.learning.data.notation import notation
from potluck.learning.models.fitted import training
from potluck.learning.models.target_check import of_target
from potluck.learning.training.methods import FITS, fit_of

COMPUTING = 3
"""With noise: who computes."""


def check(plan: Plan) -> list[str]:
    """Errors of columns, owners, target, model and training."""
    owners = [*_owners(plan)]
    return [
        *of_columns(plan),
        *of_target(plan, notation(plan.data)),
        *of_split(plan),
        *(owners or of_features(by_owner(plan))),
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
            if not column.ignored and name not in outside and name != split:
                yield f'{at}: has no owner. hint: owner = "{sites[0] if sites else ""}"'
        elif column.owner not in known:
            yield f"{at}: its owner {column.owner} is no site of this plan. hint: the sites are {', '.join(sites)}"
        if name in outside and not column.ignored:
            yield f'{at}: rows are matched by it, so it is no feature. hint: kind = "ignore", or leave it out'
        if "*" in name:
            yield f"{at}: a pattern is of files that are alike. hint: name the columns one by one, each with its owner"
    target = data.target
    if target is None:
        return
    if target.columns:
        yield 'data.target.columns: a fit over columns has one target. hint: column = "ill"'
        return
    if target.column not in data.columns or data.columns[target.column].owner is None:
        hint = f'[data.columns] {target.column} = {{ kind = ..., owner = "..." }}'
        yield f"data.target.column: {target.column} is no column with an owner. hint: {hint}"
    else:
        yield from _split(plan)
    owners = {column.owner for column in data.columns.values() if not column.ignored}
    for site in sites:
        if site not in owners:
            yield f"federation.sites: {site} has no column. hint: give one an owner, or leave the site out"


def _split(plan: Plan) -> Iterator[str]:
    data = plan.data
    if data.split is None or data.split.column is None or data.target is None:
        return
    column = data.columns.get(data.split.column)
    holder = data.columns[data.target.names[0]].owner
    if column is not None and column.owner not in (None, holder):
        yield f"data.split.column: it is {column.owner}'s, and the target is {holder}'s. hint: a column of {holder}'s"


def _model(plan: Plan) -> Iterator[str]:
    kind, spec = required(plan.model).kind, training(plan)
    if spec.optimizer != Training(method=spec.method).optimizer:
        yield "training.optimizer: programs on shares take plain steps. hint: leave it out"
    if spec.iterates != Training(method=spec.method).iterates:
        yield "training.iterates: programs on shares open their last model alone. hint: leave it out"
    if spec.standardize:
        yield "training.standardize: programs on shares clip features as they are encoded. hint: leave it out"
    if spec.class_weights:
        yield "training.class_weights: programs on shares weigh no rows. hint: leave it out"
    if kind in FITS.entries:
        yield from fit_of(plan).check(plan)
        return
    hint = " or ".join(FITS.words())
    yield f'model.kind: "{kind}" is not fitted over columns. hint: {hint}'


def _privacy(plan: Plan) -> Iterator[str]:
    """What noise inside the computation cannot be: it is drawn by three who compute, for rows."""
    wanted = plan.privacy
    if not plan.noisy:
        return
    if wanted.noise != "reveal":
        what = f'"{wanted.noise}" is for sums: here all who compute draw noise, before anything is opened'
        yield f'privacy.noise: {what}. hint: noise = "reveal"'
    if wanted.clip_follows is not None:
        yield "privacy.clip_follows: nothing of norms is opened on the way. hint: leave it out"
    if wanted.unit not in (None, "row"):
        yield f'privacy.unit: a row is what all owners have of one key, not a {wanted.unit}. hint: unit = "row"'
    if plan.model is not None and plan.model.kind in FITS.entries:
        yield from fit_of(plan).noised(plan)
    if len(plan.compute) != COMPUTING:
        what = "with noise three parties compute: two of them draw enough, whatever the third does"
        yield f"protect.compute: {what}. hint: name three"


def warnings(plan: Plan) -> Iterator[str]:
    """What runs, and what to mind of it."""
    if not plan.noisy:
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
    spec = training(plan)
    usual = Training(method=spec.method)
    reads = fit_of(plan).reads(plan) if plan.model is not None and plan.model.kind in FITS.entries else frozenset()
    if plan.noisy:
        reads |= {"expected_rows"}
    reasons = {
        "band": "no sum has noise of its own",
        "batch": f"every round of {spec.method} takes all rows",
        "expected_rows": "sums are over rows that all owners have, and how many those are is public",
        "range": "no coefficient is held to it",
        "schedule": "programs on shares have one rate",
        "warmup": "programs on shares have one rate",
        "epochs": "there are rounds alone",
        "steps": "there are rounds alone",
        "local": "no site takes steps by itself",
        "mu": "no site takes steps by itself",
        "seed": "no rows are shuffled",
        "evaluate_every": "nothing is opened before the end",
        "stop": "nothing is opened before the end",
    }
    for key, why in reasons.items():
        if key not in reads and getattr(spec, key) != getattr(usual, key):
            yield f"training.{key}: is ignored: {why}. hint: leave it out"


def _too_few(plan: Plan, train: int, test: int) -> str:
    """The rows that all owners have are too few, whichever are kept: how many those are is no secret among owners."""
    wanted = least(plan)
    held = 0 if plan.noisy else test
    for rows, what in ((train, "to train on"), (held, "held out")):
        if rows < wanted and (rows or what == "to train on"):
            hint = "see how keys are spelt, and the split, or agree on a lower number"
            return f"fit.min_rows: {rows} common rows are {what}, and the plan wants {wanted}. hint: {hint}"
    return ""


def unfit(plan: Plan, train: int, test: int) -> str:
    """What is wrong with the plan for so many rows to train on and held out, with a hint; empty: nothing."""
    return _too_few(plan, train, test) or fit_of(plan).unfit(plan, train, test)
