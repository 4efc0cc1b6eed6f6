"""How the enclave scores rows: the operations of plain scoring, in float64, and how far apart two machines can come.

The same rows by the same library on the same kind of machine give the very bits of plain scoring. Another order of
the additions (another processor, another number of rows) may turn last bits, hence a bound: a running error analysis
that holds for every order, with or without fused operations.

Reference: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., chapter 3 (dot products, running bounds).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
UNIT = 2.0**-53
"""Half of the distance from 1 to the next float64."""
_TINY = 2.0**-1074
_TANH = 8 * UNIT
"""What a library's tanh may be off: four units in the last place, near 1."""
_SLACK = 1.01
"""The bound is itself computed in float64."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """x -> x @ matrix + bias. matrix [inputs, outputs], bias [outputs]."""

    matrix: Floats = field(repr=False)
    bias: Floats = field(repr=False)


def margins(layers: Sequence[Layer], activation: str, rows: Floats) -> tuple[Floats, float]:
    """rows [n, inputs] -> margins [n, outputs], and by how much any of them can differ from another evaluation.

    The bound is rounded up to a power of ten, so that it says little of the weights; infinite where it overflows.
    """
    values, off = rows, np.zeros_like(rows)
    with np.errstate(all="ignore"):  # whether a score overflows is for the client alone to see
        for place, layer in enumerate(layers):
            off = _off(layer, np.abs(values), off)
            values = _dense(layer, values)
            if place + 1 < len(layers):
                values, off = _activated(activation, values, off)
        most = 2 * _SLACK * float(off.max())
    return values, upwards(most)


def _dense(layer: Layer, values: Floats) -> Floats:
    """Where there is one output each row's terms are added up in an order of its own, in plain scoring as here."""
    if layer.matrix.shape[1] == 1:
        rows = np.column_stack([np.ones(len(values)), values])
        terms = np.multiply(rows, np.concatenate([layer.bias, layer.matrix[:, 0]]), order="C")
        return np.asarray(terms.sum(axis=1)[:, None], np.float64)
    return np.asarray(values @ layer.matrix + layer.bias, np.float64)


def _off(layer: Layer, size: Floats, off: Floats) -> Floats:
    """Of each output: how far an evaluation can be from the exact number. size: |values|; off: of the inputs."""
    terms = layer.matrix.shape[0] + 1
    gamma = terms * UNIT / (1 - terms * UNIT)
    weights = np.abs(layer.matrix)
    rounded = gamma * ((size + 2 * off) @ weights + np.abs(layer.bias))
    return np.asarray(rounded + off @ weights + terms * _TINY, np.float64)


def _activated(word: str, values: Floats, off: Floats) -> tuple[Floats, Floats]:
    if word == "relu":
        return np.maximum(values, 0), off
    if word == "tanh":
        return np.tanh(values), off + _TANH
    size = np.abs(values)
    return values * values, off * (2 * size + 3 * off) + UNIT * (size + 2 * off) ** 2 + _TINY


def upwards(value: float) -> float:
    """The next power of ten; infinite where there is none, or where the value is no number."""
    if not value < math.inf:
        return math.inf
    if value == 0:
        return 0.0
    power = math.ceil(math.log10(value))
    found = [float(f"1e{one}") for one in (power, power + 1) if float(f"1e{one}") >= value]
    return min(found)
