"""A small fully connected network: initial weights from the plan's public seed, its gradient by torch (an extra)."""

from collections.abc import Iterator

from potluck.core.plan import Model as Spec
from potluck.core.stages import Floats
from potluck.learning.data.target import Goal
from potluck.learning.graph.steps import INSTALL
from potluck.learning.models import export, layers, slopes
from potluck.learning.models.kind import ModelKind, Slope
from potluck.learning.models.layers import Shapes


def initial(spec: Spec, shapes: Shapes) -> Floats:
    """From the plan's public seed."""
    return layers.initial(spec.seed, shapes)


def slope(spec: Spec, shapes: Shapes, goal: Goal) -> Slope:
    """By torch. Raises PlanError: it is missing."""
    return slopes.slope(shapes, spec.activation, goal)


def check(spec: Spec) -> Iterator[str]:
    """Whether torch is there."""
    if not slopes.present():
        yield f"model.kind: a network is trained with torch, which is missing. hint: {INSTALL}"


NETWORK = ModelKind(
    title="a neural network",
    targets=("number", "binary", "classes", "labels", "tokens"),
    deep=True,
    initial=initial,
    slope=slope,
    check=check,
    sklearn=export.perceptron,
)
