"""The gradient of a small fully connected network, by torch (an extra): float64, one thread, deterministic.

Plain layers only: no batch normalisation, whose running statistics would leave a site outside every bound.
"""

from importlib.util import find_spec

import numpy as np

from potluck.core.errors import PlanError
from potluck.core.stages import Floats
from potluck.learning.data.target import Goal
from potluck.learning.graph.steps import INSTALL
from potluck.learning.models.kind import Slope
from potluck.learning.models.layers import Shapes, unpacked
from potluck.learning.models.losses import loss_of
from potluck.learning.models.one_thread import one_thread


def present() -> bool:
    """Whether torch is installed."""
    return find_spec("torch") is not None


def slope(shapes: Shapes, activation: str, goal: Goal) -> Slope:
    """As `kind.Slope`, layer by layer: a matrix, then its bias.

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

    def of_batch(weights: Floats, x: Floats, y: Floats, factors: Floats | None) -> list[Floats]:
        with one_thread():
            weighed = None if factors is None else torch.from_numpy(factors)
            layers = [torch.from_numpy(part).requires_grad_() for pair in unpacked(weights, shapes) for part in pair]
            mean = loss.batch(forward(layers, torch.from_numpy(x)), torch.from_numpy(y), weighed)
            found = torch.autograd.grad(mean, layers)
            return [np.asarray(part.numpy(), dtype=np.float64).reshape(-1) for part in found]

    return of_batch
