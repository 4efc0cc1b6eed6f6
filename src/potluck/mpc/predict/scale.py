"""A model in whole numbers: how many bits of fraction each layer has, and how far a margin can then be off.

All follows from the model's shape and from one whole number a layer, its norm: of every output, the absolute values of
weights and bias add up to at most 2^norm. From it follows that no sum leaves the ring's inner half, for any row in
range. Those numbers are told to whoever computes and to the client; the owner rounds them up, and none is below 0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from potluck.core.predicting import Activation, Dense, Net
from potluck.core.stages import Floats
from potluck.mpc.replicated import Ring

FEATURE = 26
"""Bits of fraction of a feature, and of what a layer hands on, at most."""
ENGINE = 18
"""Bits of fraction of the engine's own real numbers, in which it computes tanh alone."""
CURVE = 2.0**-13
"""How far tanh is off there, at most, its far ends and roundings in: measured below 2^-14."""
ROOM = 61
FINEST = 40
LEAST = 8
"""Bits of fraction of a weight."""
MOST_NORM = 40
DEEPEST = 15
"""Layers."""
WIDEST = 1 << 16


class NoRoom(ValueError):
    """Weights are too large, or layers too many, for numbers of 64 bits."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. scale: bits of fraction of what goes in; weight: of its weights; limit: bits of its norm, in steps.

    before, after: bits cut off before the activation and behind it; None of the last layer.
    """

    inputs: int
    outputs: int
    scale: int
    weight: int
    limit: int
    cut: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Scale:
    """A model's layers, and the bound of a margin's error."""

    activation: Activation
    layers: tuple[Layer, ...]
    bound: float

    @property
    def fraction(self) -> int:
        """Bits of fraction of a margin."""
        return self.layers[-1].scale + self.layers[-1].weight

    @property
    def outputs(self) -> int:
        """Margins a row."""
        return self.layers[-1].outputs

    @property
    def weights(self) -> int:
        """Numbers of all layers, biases in."""
        return sum(one.outputs * (one.inputs + 1) for one in self.layers)

    def numbers(self, rows: int) -> dict[str, object]:
        """The numbers of the engine's program `layers_scored`."""
        return {
            "rows": rows,
            "activation": self.activation,
            "widths": [self.layers[0].inputs, *(one.outputs for one in self.layers)],
            "high": FEATURE,
            "limits": [one.limit for one in self.layers],
            "scales": [one.scale for one in self.layers],
            "cuts": [list(one.cut) for one in self.layers if one.cut is not None],
        }


def scale(widths: Sequence[int], activation: Activation, norms: Sequence[int]) -> Scale:
    """norms: of each layer, whole, 0 to MOST_NORM. Raises NoRoom."""
    sizes = list(pairwise(widths))
    if not 1 <= len(sizes) == len(norms) <= DEEPEST or (len(sizes) > 1) != bool(activation):
        raise NoRoom("not a norm a layer, or no activation between layers")
    fraction, most, error = FEATURE, 0, 2.0 ** -(FEATURE + 1)  # of what goes in: features within [-1, 1]
    made = []
    for place, (inputs, outputs) in enumerate(sizes):
        norm = norms[place]
        high = norm + most
        weight = min(FINEST, ROOM - fraction - high, ROOM - norm - (inputs + 1).bit_length())
        if weight < LEAST:
            raise NoRoom("weights are too large")
        error = 2.0**norm * error + (inputs * 2.0**most + 1) * 2.0**-weight
        taken, cut = fraction, None
        if place + 1 < len(sizes):
            sums, ahead = fraction + weight, norms[place + 1]
            cut, fraction, most, error = _cut(activation, sums, (high, ahead), error)
        made.append(Layer(inputs, outputs, taken, weight, norm + weight, cut))
    return Scale(activation, tuple(made), error + 2.0 ** (high - 40))  # float64 rounds, too: here, and in plain scoring


def _cut(
    activation: Activation, sums: int, norms: tuple[int, int], error: float
) -> tuple[tuple[int, int], int, int, float]:
    """(bits cut off, then bits of fraction, bits of the largest value and error) of what a layer hands on.

    sums: bits of fraction of its sums; norms: bits of the largest sum, and of the next layer's norm.
    """
    high, ahead = norms
    if activation == "tanh":
        if sums < ENGINE or high > ROOM - 2 * ENGINE:
            raise NoRoom("weights are too large for tanh")
        return (sums - ENGINE, 0), ENGINE, 0, error + 2.0**-ENGINE + CURVE
    if activation == "relu":
        kept = min(FEATURE, sums, (ROOM - ahead - high) // 2)
        if kept < LEAST:
            raise NoRoom("weights are too large, or layers too many")
        return (sums - kept, 0), kept, high, error + 2.0**-kept
    fine = min(FEATURE, sums, ROOM // 2 - high)
    kept = min(FEATURE, 2 * fine, (ROOM - ahead - 2 * high) // 2)
    if min(fine, kept) < LEAST:
        raise NoRoom("weights are too large, or layers too many, for squares")
    error += 2.0**-fine
    return (sums - fine, 2 * fine - kept), kept, 2 * high, error * (2 * 2.0**high + error) + 2.0**-kept


def norms(net: Net) -> tuple[int, ...]:
    """The norm of each layer, rounded up. Raises NoRoom: beyond any that could be carried, or no number."""
    found = []
    for layer in net.layers:
        size = float((np.abs(layer.weights).sum(axis=1) + np.abs(layer.bias)).max(initial=0.0))
        if not size < 2.0**MOST_NORM:
            raise NoRoom("weights are too large")
        found.append(max(0, math.ceil(math.log2(max(size, 2.0**-1) * (1 + 2.0**-30)))))
    return tuple(found)


def widths(net: Net) -> tuple[int, ...]:
    """Inputs, hidden units a layer, outputs."""
    return (net.layers[0].weights.shape[1], *(one.weights.shape[0] for one in net.layers))


def weights(net: Net, found: Scale) -> Ring:
    """All layers' weights, the bias last in each row, as steps mod 2^64 [weights]; rounded toward 0."""
    return np.concatenate([_steps(one, how) for one, how in zip(net.layers, found.layers, strict=True)]).view(np.uint64)


def _steps(layer: Dense, how: Layer) -> NDArray[np.int64]:
    both = np.concatenate([layer.weights, layer.bias[:, None]], axis=1)
    return np.trunc(both * 2.0**how.weight).astype(np.int64).ravel()


def features(rows: Floats) -> Ring:
    """Features [n, d], each within [-1, 1], as steps mod 2^64 [n d]; rounded to the nearest."""
    return np.rint(rows * 2.0**FEATURE).astype(np.int64).ravel().view(np.uint64)


def margins(words: Ring, found: Scale) -> Floats:
    """Opened words [n outputs] -> margins [n, outputs]."""
    real = words.view(np.int64).astype(np.float64) * 2.0**-found.fraction
    return real.reshape(-1, found.outputs)
