"""What of a plan to train runs, but should give pause. One line a warning; whether it can run is `check`'s to say."""

from __future__ import annotations

from collections.abc import Iterator

from potluck.core.plan import Plan, Training
from potluck.learning.data.encode import inputs
from potluck.learning.training.methods import METHODS


def pauses(plan: Plan) -> list[str]:
    """`key: what. hint: what to do`, also of plans that have errors."""
    return [*_without_noise(plan), *_of_method(plan), *_no_feature(plan)]


def _without_noise(plan: Plan) -> list[str]:
    if plan.privacy.noise != "none" or plan.federation.server != "lying" or not plan.protect.facts.hides:
        return []
    return [
        "privacy.noise: without noise a server that lies can ask for sums at models that single out rows, and no "
        'protection of the sum hides that. hint: add noise, or federation.server = "curious" if it is to be trusted'
    ]


def _of_method(plan: Plan) -> Iterator[str]:
    """What its method says, and keys of [training] that only sites which train by themselves read."""
    spec = plan.training
    if spec is None:
        return
    method = METHODS.of(spec.method)
    yield from method.pauses(plan)
    if not method.steps and spec.optimizer != Training(method=spec.method).optimizer:
        yield f"training.optimizer: is ignored: {spec.method} takes no steps down a gradient. hint: leave it out"
    if method.by_site:
        return
    others = " or ".join(f'"{word}"' for word, one in METHODS.entries.items() if one.by_site)
    if spec.batch is not None:
        what = f"is ignored: every round of {spec.method} is a sum over all rows"
        yield f"training.batch: {what}. hint: leave it out, or method = {others}"
    if spec.range != Training(method=spec.method).range:
        what = f"is ignored: {spec.method} adds up rows, which bound their sum whatever the coefficients are"
        yield f"training.range: {what}. hint: leave it out, or method = {others}"


def _no_feature(plan: Plan) -> list[str]:
    """References of columns that become no feature."""
    inside = inputs(plan)
    return [
        f"data.columns.{name}.reference: is ignored: the column is no feature. hint: leave it out"
        for name, column in plan.data.columns.items()
        if column.reference is not None and name not in inside
    ]
