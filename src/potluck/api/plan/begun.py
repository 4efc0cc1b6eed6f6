"""The model of an earlier run from which a plan goes on: its weights are the first ones."""

from pathlib import Path

import msgspec
import numpy as np

from potluck.core.errors import PlanError
from potluck.core.plan import Plan as Spec
from potluck.learning.data.encode import encoding
from potluck.learning.data.target import goal_of
from potluck.learning.models.fitted import training
from potluck.learning.models.kinds import kind_of
from potluck.learning.models.model import Model
from potluck.learning.models.started import Started, started
from potluck.learning.training.method import held


def begun(spec: Spec, folder: Path, where: str) -> Model | None:
    """The model that a plan starts from; None where it names none. Raises UsageError: it is no model, or a broken one;
    PlanError: it is of another kind than the plan's."""
    if spec.model is None or spec.model.start is None:
        return None
    model = Model.read(folder / spec.model.start)
    if spec.model.graph is not None and model.graph is None:
        hint = "potluck model export --to graph makes one of a model of layers; name that as model.graph, without start"
        raise PlanError("model.start: is no network of a graph", where=where, hint=hint)
    if spec.model.graph is None and model.graph is not None:
        raise PlanError("model.start: is a network of a graph", where=where, hint="name that graph as model.graph too")
    other = "" if model.graph is not None else _apart(spec, model)
    if other:
        raise PlanError(f"model.start: {other}", where=where, hint="as in its own plan")
    return model


def _apart(spec: Spec, model: Model) -> str:
    """What the two are made of, where it is not the same."""
    plan = spec.model
    if plan is None or plan.kind != model.kind:
        return f"is a model of kind {model.kind}, the plan trains {plan.kind if plan else None}"
    if model.network is None or not kind_of(spec).deep:
        return ""
    ours, theirs = ((one.layers, one.activation) for one in (plan, model.network))
    return (
        "" if ours == theirs else f"has layers {list(theirs[0])} of {theirs[1]}, the plan {list(ours[0])} of {ours[1]}"
    )


def with_first(spec: Spec, model: Model, where: str) -> Started:
    """The plan with the weights of a model that is no graph, and its digest. Raises PlanError: not the one of
    `model.first`."""
    digest = model.digest()
    assert spec.model is not None
    if spec.model.first not in (None, digest):
        raise PlanError("model.first: is not that of model.start", where=where, hint=f"this file's is {digest}")
    named = msgspec.structs.replace(spec, model=msgspec.structs.replace(spec.model, first=digest))
    return started(named, model.weights.astype("<f8", copy=False).tobytes())


def unlike(spec: Spec, model: Model) -> list[str]:
    """What of a plan without other errors, whose columns are known, does not fit the model that it starts from."""
    if encoding(spec) != model.encoding:
        return ["model.start: was trained on other columns, or on these as declared otherwise. hint: its own plan's"]
    if goal_of(spec) != model.target:
        return ["model.start: was trained to predict another target. hint: data.target as in its own plan"]
    reach = training(spec).range
    if held(spec) and not (np.abs(model.weights) <= reach).all():
        return [f"model.start: a weight begins beyond training.range ({reach:g}). hint: a larger training.range"]
    return []
