"""Gradients of rows, one at a time: what clipping by factors is compared with. Nothing of `graph.per_row` is used."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from potluck.learning.graph.interpreter import Program, forward
from potluck.learning.graph.per_row.gradients import Gradients, gradients
from potluck.learning.graph.per_row.uses import uses


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


def units(rows: Sequence[Sequence[Tensor]], each: int) -> list[list[Tensor]]:
    """So many rows after another, added up, in float64: a list of [*shape] a unit."""
    return [
        [torch.stack(parts).double().sum(0) for parts in zip(*rows[i : i + each], strict=True)]
        for i in range(0, len(rows), each)
    ]


def norms(given: Sequence[Sequence[Tensor]]) -> Tensor:
    """[units] by the definition."""
    return torch.stack([torch.sqrt(sum(part.square().sum() for part in one)) for one in given])


def compared(
    program: Program,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    trained: Sequence[str],
    *,
    each: int = 1,
    near: float = 1e-5,
) -> Gradients:
    """By factors and row by row: norms, and clipped sums of units, half of which are above the clip.

    Where products of a unit cancel, floats know its gradient less well, by as much as its reach is beyond its norm; so
    that is what errors are judged by, and it says how far a unit is clipped below its norm.
    """
    batch = len(next(iter(inputs.values())))
    there = torch.ones(batch, dtype=torch.bool)
    found = gradients(uses(program, trained), weights, inputs, lost, there, each=each, train=False)
    wanted = units(alone(program, weights, inputs, trained), each)
    real, reach = norms(wanted), found.reaches
    assert ((found.norms - real).abs() <= near * reach + 1e-9).all()
    assert (reach >= real * (1 - near) - 1e-9).all()
    clip = max(float(np.median(real)), 1e-6)
    factors = torch.minimum(clip / real, found.spread * clip / reach).clamp(max=1.0)
    clipped = found.clipped(clip)
    apart = 0.0
    for i, name in enumerate(trained):
        total = sum(float(factor) * one[i] for factor, one in zip(factors, wanted, strict=True))
        apart += float((clipped[name].double() - total).square().sum())
    assert apart**0.5 <= near * float((factors * reach).sum()) + 1e-9
    return found
