"""What of a plan to train runs, but should give pause. One line a warning; whether it can run is `check`'s to say."""

from __future__ import annotations

from collections.abc import Mapping

from potluck.core.plan import Column, Plan, Training


def pauses(plan: Plan) -> list[str]:
    """`key: what. hint: what to do`, also of plans that have errors."""
    return [*_without_noise(plan), *_without_ridge(plan), *_whole(plan), *_range(plan), *_no_feature(plan)]


def _without_noise(plan: Plan) -> list[str]:
    if plan.privacy.noise != "none" or plan.federation.server != "lying" or plan.protect.scheme == "clear":
        return []
    return [
        "privacy.noise: without noise a server that lies can ask for sums at models that single out rows, and no "
        'protection of the sum hides that. hint: add noise, or federation.server = "curious" if it is to be trusted'
    ]


def _without_ridge(plan: Plan) -> list[str]:
    if plan.model is None or plan.training is None or plan.model.l2 > 0 or plan.training.method != "newton":
        return []
    features = _features(plan).items()
    whole = [name for name, column in features if column.kind == "category" and column.reference is None]
    if not whole:
        return []
    what = f"with 0 there is no one fit where every row has a declared value of {', '.join(whole)}"
    return [f"model.l2: {what}: the values determine one another. hint: a reference for each, or a value above 0"]


def _whole(plan: Plan) -> list[str]:
    """A batch is of sites that train by themselves."""
    spec = plan.training
    if spec is None or spec.batch is None or spec.method == "average":
        return []
    what = f"is ignored: every round of {spec.method} is a sum over all rows"
    return [f'training.batch: {what}. hint: leave it out, or method = "average"']


def _range(plan: Plan) -> list[str]:
    """Sums over rows are bounded row by row, however large coefficients grow."""
    spec = plan.training
    if spec is None or spec.method == "average" or spec.range == Training(method=spec.method).range:
        return []
    what = f"is ignored: {spec.method} adds up rows, which bound their sum whatever the coefficients are"
    return [f'training.range: {what}. hint: leave it out, or method = "average"']


def _no_feature(plan: Plan) -> list[str]:
    """References of columns that become no feature."""
    inside = _features(plan)
    return [
        f"data.columns.{name}.reference: is ignored: the column is no feature. hint: leave it out"
        for name, column in plan.data.columns.items()
        if column.reference is not None and name not in inside
    ]


def _features(plan: Plan) -> Mapping[str, Column]:
    """The columns that become features."""
    data = plan.data
    outside = {data.person, data.target.column if data.target else None, data.split.column if data.split else None}
    columns = data.columns.items()
    return {name: column for name, column in columns if name not in outside and column.kind != "ignore"}
