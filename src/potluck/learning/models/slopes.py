"""The gradient of a small fully connected network, by torch (an extra): float64, one thread, deterministic.

Plain layers only: no batch normalisation, whose running statistics would leave a site outside every bound.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from potluck.core.errors import PlanError
from potluck.core.stages import Floats
from potluck.learning.data.target import Goal
from potluck.learning.graph.steps import INSTALL
from potluck.learning.models.kind import Slope
from potluck.learning.models.layers import Shapes, unpacked
from potluck.learning.models.one_thread import one_thread

if TYPE_CHECKING:
    from torch import Tensor


def present() -> bool:
    """Whether torch is installed."""
    return find_spec("torch") is not None


def loss_of(goal: Goal) -> "Callable[[Tensor, Tensor], Tensor]":
    """(margins [b, outputs], target [b]) -> the mean loss: log-loss of two sides, cross-entropy of classes, half the
    squared error of a number. torch is there."""
    from torch.nn import functional

    def loss(margins: "Tensor", y: "Tensor") -> "Tensor":
        if goal.side == "binary":
            return functional.binary_cross_entropy_with_logits(margins[:, 0], y)
        if goal.side == "classes":
            return functional.cross_entropy(margins, y.long())
        return ((margins[:, 0] - y) ** 2).mean() / 2

    return loss


def slope(shapes: Shapes, activation: str, goal: Goal) -> Slope:
    """(weights [d], features [b, p], target [b]) -> the gradient of the batch's mean loss, layer by layer: a matrix,
    then its bias.

    Raises PlanError: torch is missing.
    """
    try:
        import torch
    except ImportError:
        raise PlanError("a network is trained with torch, which is missing", hint=INSTALL) from None

    def forward(parts: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        for place in range(len(shapes)):
            x = x @ parts[2 * place] + parts[2 * place + 1]
            if place + 1 < len(shapes):
                x = torch.relu(x) if activation == "relu" else torch.tanh(x) if activation == "tanh" else x * x
        return x

    loss = loss_of(goal)

    def of_batch(weights: Floats, x: Floats, y: Floats) -> list[Floats]:
        with one_thread():
            layers = [torch.from_numpy(part).requires_grad_() for pair in unpacked(weights, shapes) for part in pair]
            mean = loss(forward(layers, torch.from_numpy(x)), torch.from_numpy(y))
            found = torch.autograd.grad(mean, layers)
            return [np.asarray(part.numpy(), dtype=np.float64).reshape(-1) for part in found]

    return of_batch
