"""The gradient of a small fully connected network, by torch (an extra): float64, one thread, deterministic.

Plain layers only: no batch normalisation, whose running statistics would leave a site outside every bound.
"""

from importlib.util import find_spec

import numpy as np

from potluck.core.errors import PlanError
from potluck.core.stages import Floats
from potluck.learning.data.target import Goal
from potluck.learning.models.kind import Slope
from potluck.learning.models.layers import Shapes

HINT = "pip install 'potluck[torch]'"


def present() -> bool:
    """Whether torch is installed."""
    return find_spec("torch") is not None


def slope(shapes: Shapes, activation: str, aim: Goal) -> Slope:
    """(weights [d], features [b, p], target [b]) -> [d], the gradient of the batch's mean loss.

    Log-loss of two sides, cross-entropy of classes, half the squared error of a number.
    Raises PlanError: torch is missing.
    """
    try:
        import torch
        from torch.nn import functional
    except ImportError:
        raise PlanError("a network is trained with torch, which is missing", hint=HINT) from None

    def forward(flat: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        start = 0
        for place, (inputs, outputs) in enumerate(shapes):
            middle, stop = start + inputs * outputs, start + (inputs + 1) * outputs
            x = x @ flat[start:middle].reshape(inputs, outputs) + flat[middle:stop]
            if place + 1 < len(shapes):
                x = torch.relu(x) if activation == "relu" else torch.tanh(x) if activation == "tanh" else x * x
            start = stop
        return x

    def loss(margins: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if aim.side == "binary":
            return functional.binary_cross_entropy_with_logits(margins[:, 0], y)
        if aim.side == "classes":
            return functional.cross_entropy(margins, y.long())
        return ((margins[:, 0] - y) ** 2).mean() / 2

    def of_batch(weights: Floats, x: Floats, y: Floats) -> Floats:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # sums in one order, whatever the machine
        try:
            flat = torch.tensor(weights, requires_grad=True)
            mean = loss(forward(flat, torch.from_numpy(x)), torch.from_numpy(y))
            return np.asarray(torch.autograd.grad(mean, flat)[0].numpy(), dtype=np.float64)
        finally:
            torch.set_num_threads(threads)

    return of_batch
