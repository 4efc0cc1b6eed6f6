"""A small fully connected network: initial weights from the plan's public seed, its gradient by torch (an extra)."""

from __future__ import annotations

from collections.abc import Iterator

from potluck.core.plan import Model as Spec
from potluck.core.stages import Floats
from potluck.learning.data.target import Goal
from potluck.learning.models import export, layers, slopes
from potluck.learning.models.kind import ModelKind, Slope
from potluck.learning.models.layers import WIDEST_LAYER, Shapes


def initial(spec: Spec, shapes: Shapes) -> Floats:
    """From the plan's public seed."""
    return layers.initial(spec.seed, shapes)


def slope(spec: Spec, shapes: Shapes, aim: Goal) -> Slope:
    """By torch. Raises PlanError: it is missing."""
    return slopes.slope(shapes, spec.activation, aim)


def check(spec: Spec) -> Iterator[str]:
    """Torch, and the widths of layers."""
    if not slopes.present():
        yield f"model.kind: a network is trained with torch, which is missing. hint: {slopes.HINT}"
    if not all(1 <= width <= WIDEST_LAYER for width in spec.layers):
        yield f"model.layers: a layer has 1 to {WIDEST_LAYER} units. hint: layers = [64]"


NETWORK = ModelKind(
    title="a neural network",
    targets=("number", "binary", "classes"),
    deep=True,
    initial=initial,
    slope=slope,
    check=check,
    sklearn=export.perceptron,
)
