"""Gradients of rows, one at a time: what clipping by factors is compared with. Nothing of `graph.per_row` is used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from potluck.learning.graph.interpreter import Program, forward
from potluck.learning.graph.per_row.gradients import gradients
from potluck.learning.graph.per_row.uses import uses


@dataclass(frozen=True)
class Sums:
    """Of units: norms [units], and the sum of those that are clipped, by weight. weight: what factors and norms of
    all units that are summed come to, beside which an error is judged."""

    norms: Tensor
    clipped: dict[str, Tensor]
    weight: float


def lost(made: Tensor) -> Tensor:
    """A loss of each row, in which every number of the output counts otherwise."""
    flat = made.flatten(1)
    return (flat * torch.linspace(-1.0, 1.5, flat.shape[1], dtype=flat.dtype)).sum(1) + flat.square().mean(1)


def alone(program: Program, weights: Mapping[str, Tensor], inputs: Mapping[str, Tensor], trained: Sequence[str]):
    """Each row by itself, through the interpreter and torch's own derivative: a list of [*shape] a weight."""
    held = {name: one.detach().clone().requires_grad_(name in trained) for name, one in weights.items()}
    found = []
    for row in range(len(next(iter(inputs.values())))):
        value = lost(forward(program, held, {name: one[row : row + 1] for name, one in inputs.items()}))[0]
        found.append(torch.autograd.grad(value, [held[name] for name in trained], materialize_grads=True))
    return found


def sums(rows: Sequence[Sequence[Tensor]], trained: Sequence[str], clip: float, each: int = 1) -> Sums:
    """Clipped in float64 by the definition: rows of a unit are added up, then cut to the clip."""
    units = [
        [torch.stack(parts).double().sum(0) for parts in zip(*rows[i : i + each], strict=True)]
        for i in range(0, len(rows), each)
    ]
    norms = torch.stack([torch.sqrt(sum(part.square().sum() for part in one)) for one in units])
    factors = torch.where(norms > clip, clip / norms, 1.0)
    clipped = {
        name: sum(float(factor) * one[i] for factor, one in zip(factors, units, strict=True))
        for i, name in enumerate(trained)
    }
    return Sums(norms, clipped, float((factors * norms).sum()))


def compared(
    program: Program,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    trained: Sequence[str],
    *,
    each: int = 1,
    near: float = 1e-5,
) -> None:
    """By factors and row by row: norms, reaches, and clipped sums of units, half of which are above the clip."""
    batch = len(next(iter(inputs.values())))
    found = gradients(
        uses(program, trained), weights, inputs, lost, torch.ones(batch, dtype=torch.bool), each=each, train=False
    )
    rows = alone(program, weights, inputs, trained)
    clip = float(np.median(sums(rows, trained, 1.0, each).norms))
    wanted = sums(rows, trained, max(clip, 1e-6), each)
    assert (found.norms >= wanted.norms * (1 - near) - 1e-9).all()
    assert (found.norms <= wanted.norms * (1 + near) + 1e-9).all()
    assert (found.reaches >= wanted.norms * (1 - near) - 1e-9).all()
    clipped = found.clipped(max(clip, 1e-6))
    apart = sum((clipped[name].double() - wanted.clipped[name]).square().sum() for name in trained)
    assert float(apart) ** 0.5 <= near * wanted.weight + 1e-9
