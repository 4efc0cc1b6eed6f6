"""A graph's weights that train: steps of SGD in the graph's own type, and sums of gradients, by the interpreter.

Weights arrive as float64, become numbers of the graph's type (mostly float32), move, and are float64 again: the change
of a site that makes no step is what that rounding takes away. A ridge holds weights of two axes or more (matrices,
kernels, tables); biases and scales of norms are free. Dropout draws by a public seed a batch. The bits of a change
are those of one machine, on its processor or its graphics card; the model's bytes follow from the opened sums alone.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from potluck.core.stages import Floats
from potluck.learning.data.mixed import Inputs
from potluck.learning.data.target import Goal
from potluck.learning.graph.file import Network
from potluck.learning.graph.interpreter import forward, program, tensors
from potluck.learning.graph.schema import Weight
from potluck.learning.graph.steps import device, torch
from potluck.learning.graph.tensors import Array
from potluck.learning.models.form import Batch, Steps
from potluck.learning.models.graph_model import given, parts, vector
from potluck.learning.models.losses import loss_of, wanted
from potluck.learning.models.one_thread import one_thread

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class GraphForm:
    """See `form.Form`. trained: what sites share, in the graph's order; kept: what stays at each site, likewise.
    factors [cells]: how much a row counts by its side or class. card: whether it trains on the machine's graphics card.
    """

    network: Network = field(repr=False)
    trained: tuple[Weight, ...] = field(repr=False)
    goal: Goal
    at_once: int
    factors: Floats | None = None
    card: bool = False
    kept: tuple[Weight, ...] = field(default=(), repr=False)

    @property
    def size(self) -> int:
        """All numbers of weights that sites share."""
        return sum(prod(one.shape) for one in self.trained)

    @property
    def held(self) -> int:
        """All numbers of weights that stay at each site."""
        return sum(prod(one.shape) for one in self.kept)

    def initial(self) -> Floats:
        """As the graph's file has them."""
        return vector(self.network, self.trained)

    def initial_held(self) -> Floats:
        """As the graph's file has them."""
        return vector(self.network, self.kept)

    def penalised(self) -> NDArray[np.bool_]:
        """Weights of two axes or more."""
        held = [np.full(prod(one.shape), len(one.shape) > 1) for one in self.trained]
        return np.concatenate([np.zeros(0, np.bool_), *held])

    def descend(self, weights: Floats, batches: Iterable[Batch], x: Inputs, y: Floats, steps: Steps) -> None:
        """Steps in the graph's type. Raises GraphError: torch is missing, or a batch is beyond a bound."""
        loaded, loss = torch(), loss_of(self.goal)
        held, trained = self.held_and_moved(weights)
        anchors, shifts = self._beside(steps.anchor), self._beside(steps.shift)
        with one_thread(), self._drawing():
            for batch in batches:
                mean = loss.batch(*self._made(held, batch, x, y))
                found = loaded.autograd.grad(mean, list(trained.values()), materialize_grads=True)
                with loaded.no_grad():
                    for (name, one), gradient in zip(trained.items(), found, strict=True):
                        pull = steps.pull if one.dim() > 1 else 0.0
                        moved(one, gradient, steps, pull, anchors.get(name), shifts.get(name))
        done = [np.asarray(one.detach().cpu().numpy(), np.float64).reshape(-1) for one in trained.values()]
        weights[:] = np.concatenate([np.zeros(0), *done])

    def add_slope(self, total: Floats, weights: Floats, batches: Iterable[Batch], x: Inputs, y: Floats) -> None:
        """Each batch's sum in the graph's type, those of all batches in float64. Raises as `descend`."""
        loaded, loss = torch(), loss_of(self.goal)
        held, trained = self.held_and_moved(weights)
        with one_thread(), self._drawing():
            for batch in batches:
                lost = loss.total(*self._made(held, batch, x, y))
                found = loaded.autograd.grad(lost, list(trained.values()), materialize_grads=True)
                start = 0
                for one in found:
                    stop = start + one.numel()
                    total[start:stop] += one.cpu().numpy().reshape(-1)
                    start = stop

    def held_and_moved(self, weights: Floats) -> "tuple[dict[str, Tensor], dict[str, Tensor]]":
        """All weights of the graph, and of them those that train."""
        where = device(self.card)
        held = {name: one.requires_grad_(False).to(where) for name, one in tensors(self.network).items()}
        trained = parts(weights, (*self.trained, *self.kept))
        moving = {name: self._there(part) for name, part in trained.items()}
        return held | {name: one.requires_grad_(True) for name, one in moving.items()}, moving

    def _beside(self, numbers: Floats | None) -> "dict[str, Tensor]":
        """Numbers [d] of the weights that sites share, by name; none where there are none."""
        given = {} if numbers is None else parts(numbers, self.trained)
        return {name: self._there(part) for name, part in given.items()}

    def _made(
        self, held: "dict[str, Tensor]", batch: Batch, x: Inputs, y: Floats
    ) -> "tuple[Tensor, Tensor, Tensor | None]":
        """What the graph makes of a batch in training, its targets, and how much each row counts."""
        loaded = torch()
        loaded.default_generator.manual_seed(batch.seed)
        if self.card:
            loaded.cuda.manual_seed(batch.seed)
        inputs, target, weighed = self.given(x[batch.rows], y[batch.rows])
        return forward(program(self.network.checked), held, inputs, train=True), target, weighed

    def given(
        self, rows: Inputs, target: Floats, factors: Floats | None = None
    ) -> "tuple[dict[str, Tensor], Tensor, Tensor | None]":
        """What the graph takes of some rows n, what its loss does, and how much each counts [n]; None: all 1. factors
        [n]: beside those of the rows' sides or classes."""
        kind, where = self.network.checked.values[self.network.graph.output].dtype, device(self.card)
        inputs = {name: one.to(where) for name, one in given(self.network, rows).items()}
        weights = None if self.factors is None else self.factors[target.astype(np.int64)]
        if factors is not None:
            weights = factors.reshape(-1) if weights is None else weights * factors.reshape(-1)
        weighed = None if weights is None else self._there(weights.astype(kind))
        return inputs, self._there(wanted(self.goal, rows, target, kind)), weighed

    def _there(self, array: Array) -> "Tensor":
        """Numbers where the graph trains."""
        found: Tensor = torch().from_numpy(array).to(device(self.card))
        return found

    def _drawing(self) -> "AbstractContextManager[None]":
        """While it lasts, dropout draws, and afterwards torch's generators are as they were."""
        found: AbstractContextManager[None] = torch().random.fork_rng(devices=[0] if self.card else [])
        return found


def moved(
    one: "Tensor",
    gradient: "Tensor",
    steps: Steps,
    pull: float,
    anchor: "Tensor | None" = None,
    shift: "Tensor | None" = None,
) -> None:
    """Move a weight by one step, in place. Arguments are those of `downhill`."""
    one.sub_(downhill(one, gradient, steps, pull, anchor, shift), alpha=steps.rate)


def downhill(
    one: "Tensor",
    gradient: "Tensor",
    steps: Steps,
    pull: "float | Tensor",
    anchor: "Tensor | None" = None,
    shift: "Tensor | None" = None,
) -> "Tensor":
    """What a step takes from a weight, times the rate. pull: `Steps.pull` where a ridge holds this weight; anchor,
    shift: likewise the weight's own. Of several models side by side the gradient's first axis is theirs, also of
    `pull`, and of `one` where they do not stand at the same place."""
    down = gradient + pull * one if isinstance(pull, torch().Tensor) or pull else gradient
    if anchor is not None:
        down = down + steps.mu * (one - anchor)
    return down if shift is None else down + shift
