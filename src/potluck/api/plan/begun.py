"""The model of an earlier run from which a plan goes on: its weights are the first ones."""

from pathlib import Path

from potluck.core.errors import PlanError
from potluck.core.plan import Plan as Spec
from potluck.learning.data.encode import encoding
from potluck.learning.data.target import goal_of
from potluck.learning.models.model import Model


def begun(spec: Spec, folder: Path, where: str) -> Model | None:
    """The model that a plan starts from; None where it names none. Raises UsageError: it is no model, or a broken one;
    PlanError: a model of another kind than a network that is a graph."""
    if spec.model is None or spec.model.start is None:
        return None
    model = Model.read(folder / spec.model.start)
    if model.graph is None:
        hint = "potluck model export --to graph makes one of a model of layers; name that as model.graph, without start"
        raise PlanError("model.start: is no network of a graph", where=where, hint=hint)
    return model


def unlike(spec: Spec, model: Model) -> list[str]:
    """What of a plan without other errors, whose columns are known, does not fit the model that it starts from."""
    if encoding(spec) != model.encoding:
        return ["model.start: was trained on other columns, or on these as declared otherwise. hint: its own plan's"]
    if goal_of(spec) != model.target:
        return ["model.start: was trained to predict another target. hint: data.target as in its own plan"]
    return []
