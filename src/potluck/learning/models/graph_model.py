"""A graph with its weights, as a model: what it says of rows, its file, and the same graph with other weights.

Weights that train are one vector [d] of float64, those of the graph one after another in its order; they become
numbers of the graph's own type (mostly float32) whenever it runs, and in its file. So a model's file and digest follow
from the vector alone. It runs on one thread: torch then adds up in one order on a machine, which is NOT that of every
other machine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from potluck.core.errors import GraphError, UsageError
from potluck.core.stages import Floats
from potluck.learning.data.mixed import Inputs, taken
from potluck.learning.data.target import Goal
from potluck.learning.data.texts.next_tokens import NONE, following
from potluck.learning.graph.batches import as_tensors, made, outputs
from potluck.learning.graph.file import Network, with_weights, written
from potluck.learning.graph.interpreter import MOST_MEMORY, tensors
from potluck.learning.graph.schema import Weight
from potluck.learning.graph.steps import torch
from potluck.learning.graph.tensors import Array
from potluck.learning.models.losses import MOST_LOSS, of_tokens
from potluck.learning.models.one_thread import one_thread

if TYPE_CHECKING:
    from torch import Tensor


def vector(network: Network, weights: Sequence[Weight]) -> Floats:
    """[d] these weights of a graph, one after another."""
    return np.concatenate([np.zeros(0), *(network.tensors[one.name].reshape(-1) for one in weights)], dtype=np.float64)


def parts(weights: Floats, trained: Sequence[Weight]) -> dict[str, Array]:
    """A vector [d] as these weights of a graph, each of its own type and shape."""
    found: dict[str, Array] = {}
    start = 0
    for one in trained:
        stop = start + prod(one.shape)
        found[one.name] = weights[start:stop].astype(one.dtype).reshape(one.shape)
        start = stop
    return found


@dataclass(frozen=True, eq=False)
class GraphModel:
    """See the module. most: bytes that rows may take while they are scored."""

    network: Network = field(repr=False)
    most: int = MOST_MEMORY

    def moved(self, weights: Floats, trained: Sequence[Weight]) -> "GraphModel":
        """The same graph, with this vector [d] in place of the weights that train. Raises GraphError: a number is
        beyond the graph's type."""
        with np.errstate(over="ignore"):  # a number beyond the graph's type is refused, not warned of
            moved = parts(weights, trained)
        return GraphModel(with_weights(self.network, moved, "model.graph"), self.most)

    @cached_property
    def content(self) -> bytes:
        """The bytes of its file: all but the frozen weights of a base."""
        held = {name: one for name, one in self.network.tensors.items() if name not in self.network.based}
        return written(self.network.graph, held)

    @cached_property
    def whole(self) -> bytes:
        """The same graph as one file that needs no base. Raises GraphError: frozen weights of its base are missing."""
        if self.network.missing:
            raise GraphError(f"its frozen weights are not here: {self.network.graph.base}", where="model.graph")
        alone = msgspec.structs.replace(self.network.graph, base=None)
        return written(alone, self.network.tensors)

    @cached_property
    def _tensors(self) -> "dict[str, Tensor]":
        return {name: one.requires_grad_(False) for name, one in tensors(self.network).items()}

    def margins(self, rows: Inputs) -> Floats:
        """rows n -> [n, outputs]. Raises GraphError: torch is missing; Abort(CHANGED): a file of theirs changed."""
        with one_thread():
            return outputs(
                self.network, self._tensors, lambda some: columns(self.network, rows[some]), len(rows), self.most
            )

    def made(self, rows: Inputs) -> "Iterator[tuple[slice, Tensor]]":
        """Some of the rows after others, and what the graph makes of them, [k, ...]. Raises as `margins`."""
        return made(self.network, self._tensors, lambda some: columns(self.network, rows[some]), len(rows), self.most)

    def told(self, column: str, rows: Inputs) -> Floats:
        """Of a language model: rows n -> [n, 3], how many tokens of the column follow another, what their losses add up
        to, each cut off at MOST_LOSS, and how many of them are the likeliest by the model. Raises as `margins`.

        The logits of a row are as many as its text has places times all tokens there are: none are kept. Whatever the
        weights, every token has a loss, since a failure would tell of a row: what is no number counts as cut off.
        """
        found = np.empty((len(rows), 3))
        with one_thread():
            for some, logits in self.made(rows):
                tokens = torch().from_numpy(following(rows[some], column))
                there = tokens != NONE
                losses = of_tokens(logits, tokens).double().nan_to_num(nan=MOST_LOSS).clamp(0.0, MOST_LOSS)
                right = (logits.argmax(2) == tokens) & there
                found[some] = np.stack([one.sum(1).numpy() for one in (there, losses, right)], axis=1)
        return found

    def mean_losses(self, column: str, rows: Inputs) -> Floats:
        """rows n -> [n] the mean loss of each row's tokens; NaN where none follows another. Raises as `told`."""
        count, losses, _ = self.told(column, rows).T
        found = np.full(len(count), np.nan)
        found[count > 0] = losses[count > 0] / count[count > 0]
        return found


def refuse(goal: Goal) -> None:
    """Raises UsageError: what is predicted of a row is its next tokens, and so no value of it."""
    if not goal.apart:
        hint = (
            "scores gives each row's mean loss; programs that make texts take potluck model export --to graph or onnx"
        )
        raise UsageError("a language model predicts tokens, and no value of a row", hint=hint)


def columns(network: Network, rows: Inputs) -> dict[str, Array]:
    """What a graph takes of some rows, by the names of its inputs."""
    return {one.name: taken(rows, one.name) for one in network.graph.inputs}


def given(network: Network, rows: Inputs) -> "dict[str, Tensor]":
    """The same as torch has it."""
    return as_tensors(network, columns(network, rows))
