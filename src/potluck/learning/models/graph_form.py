"""A graph's weights that train: steps of SGD in the graph's own type, by the interpreter.

Weights arrive as float64, become numbers of the graph's type (mostly float32), move, and are float64 again: the change
of a site that makes no step is what that rounding takes away. A ridge holds weights of two axes or more (matrices,
kernels, tables); biases and scales of norms are free. Dropout draws by a public seed a batch. The bits of a change
are those of one machine; the model's bytes follow from the opened sums of changes alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.mixed import Inputs
from potluck.learning.data.target import Goal
from potluck.learning.graph.file import Network
from potluck.learning.graph.interpreter import forward, program, tensors
from potluck.learning.graph.schema import Weight
from potluck.learning.graph.steps import torch
from potluck.learning.models.form import Batch, Steps
from potluck.learning.models.graph_model import given, parts, vector
from potluck.learning.models.one_thread import one_thread
from potluck.learning.models.slopes import loss_of


@dataclass(frozen=True)
class GraphForm:
    """See `form.Form`. trained: in the graph's order."""

    network: Network = field(repr=False)
    trained: tuple[Weight, ...] = field(repr=False)
    goal: Goal

    @property
    def size(self) -> int:
        """All numbers of weights that train."""
        return sum(prod(one.shape) for one in self.trained)

    def initial(self) -> Floats:
        """As the graph's file has them."""
        return vector(self.network, self.trained)

    def descend(self, weights: Floats, batches: Iterable[Batch], x: Inputs, y: Floats, steps: Steps) -> None:
        """Steps in the graph's type. Raises GraphError: torch is missing, or a batch is beyond a bound."""
        loaded, loss, graph = torch(), loss_of(self.goal), self.network.graph
        ready = program(self.network.checked)
        held = {name: one.requires_grad_(False) for name, one in tensors(self.network).items()}
        moved = {name: loaded.from_numpy(part) for name, part in parts(weights, self.trained).items()}
        held |= {name: one.requires_grad_(True) for name, one in moved.items()}
        anchors = [None] * len(moved) if steps.anchor is None else [*parts(steps.anchor, self.trained).values()]
        target = loaded.from_numpy(y.astype(self.network.checked.values[graph.output].dtype))
        with one_thread(), loaded.random.fork_rng(devices=[]):
            for batch in batches:
                loaded.default_generator.manual_seed(batch.seed)
                made = forward(ready, held, given(graph, x[batch.rows]), train=True)
                mean = loss(made, target[loaded.from_numpy(batch.rows)])
                found = loaded.autograd.grad(mean, list(moved.values()), materialize_grads=True)
                with loaded.no_grad():
                    for one, gradient, anchor in zip(moved.values(), found, anchors, strict=True):
                        pull = steps.pull if one.dim() > 1 else 0.0
                        down = gradient + pull * one if pull else gradient
                        if anchor is not None:
                            down = down + steps.mu * (one - loaded.from_numpy(anchor))
                        one.sub_(steps.rate * down)
        done = [np.asarray(one.detach().numpy(), np.float64).reshape(-1) for one in moved.values()]
        weights[:] = np.concatenate([np.zeros(0), *done])
