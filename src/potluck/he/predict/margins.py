"""How far a score can be off: interval arithmetic over a network, with the noise of CKKS and the cost of fits.

Two errors go through the layers, both as sound bounds a unit: `noise` (of encryption, rescaling, encoding, rotations;
each taken at TAIL standard deviations) and `fit` (of the polynomials that stand for activations). Weights are scaled
on the way: activations that are fitted see [-1, 1], and scores fit the room of the last level.
It does NOT bound what a client sees whose rows are out of range.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, log2

import numpy as np

from potluck.core.errors import PlanError
from potluck.core.predicting import Dense, Net
from potluck.core.stages import Floats
from potluck.he.predict import polynomial
from potluck.he.predict.levels import TAIL, Levels
from potluck.he.predict.polynomial import Fit

DRIFT = 2.0**-16
"""How far the primes of any set are from its scale, relatively: a series is evaluated with it."""
LARGEST = 2.0**20
"""Of weights, biases and sums inside: far beyond, an encoded number does not fit its machine word."""
SAFETY = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A layer as it is encoded: weights [outputs, inputs] and bias, scaled; then none, a square or a series."""

    weights: Floats = field(repr=False)
    bias: Floats = field(repr=False)
    kind: str
    series: tuple[float, ...]
    levels: int


@dataclass(frozen=True, slots=True, eq=False)
class Margins:
    """All layers scaled, and what is known of a margin's error: bound of all of it, cost of the fits' part.

    A margin leaves as margin / 2^exponent. degree, misfit: of the worst fit (0: nothing was fitted).
    """

    layers: tuple[Layer, ...]
    exponent: int
    bound: float
    cost: float
    degree: int
    misfit: float

    @property
    def depth(self) -> int:
        """Rescalings of the whole."""
        return sum(1 + layer.levels for layer in self.layers)


@dataclass(frozen=True, slots=True, eq=False)
class _Signal:
    """What enters a layer, a unit: its true range, times `scale` of what the ciphertext holds; errors of the latter."""

    low: Floats
    high: Floats
    scale: Floats
    noise: Floats
    fit: Floats
    fresh: bool


def follow(net: Net, levels: Levels, turned: Sequence[bool], degree: int) -> Margins:
    """Go through the network. turned: which layers rotate their input first. degree: of fits, at most.

    Raises PlanError: a weight that is no number or too large.
    """
    width = len(net.low)
    nothing = np.zeros(width)
    signal = _Signal(net.low, net.high, np.ones(width), np.full(width, levels.fresh), nothing, fresh=True)
    layers: list[Layer] = []
    fits: list[tuple[Fit, float]] = []
    for dense, first in zip(net.layers[:-1], turned, strict=False):
        _check(dense)
        scaled, low, high = _scaled(dense, signal)
        noise, fit = _linear(scaled, signal, levels, first)
        _limit(low, high)
        if net.activation == "square":
            layers.append(Layer(scaled.weights, scaled.bias, "square", (), 1))
            signal = _squared(low, high, noise, levels)
        else:
            radius, chosen = _fitted(net.activation, low, high, noise + fit, degree)
            inner = Dense(scaled.weights / radius[:, None], scaled.bias / radius)
            noise, fit = _linear(inner, signal, levels, first)
            layers.append(Layer(inner.weights, inner.bias, "series", chosen.series, chosen.levels))
            signal = _through(net.activation, chosen, radius, (low, high), (noise, fit), levels)
            fits.append((chosen, float(radius.max()) if net.activation == "relu" else 1.0))
    return _last(net.layers[-1], signal, levels, turned[-1], layers, fits)


def _check(dense: Dense) -> None:
    for values in (dense.weights, dense.bias):
        if not bool(np.isfinite(values).all()):
            raise PlanError("a weight of the model is not a number", where="model")
        if values.size and float(np.abs(values).max()) > LARGEST:
            raise PlanError("a weight of the model is too large for he", where="model", hint=_SMALLER)


_SMALLER = "scale the model's inputs, or train it with more regularisation"


def _limit(low: Floats, high: Floats) -> None:
    if max(float(np.abs(low).max()), float(np.abs(high).max())) > LARGEST:
        raise PlanError("a sum inside the model may be too large for he", where="model", hint=_SMALLER)


def _scaled(dense: Dense, signal: _Signal) -> tuple[Dense, Floats, Floats]:
    """The layer over what ciphertexts hold, and the true range of its outputs."""
    plus, minus = np.maximum(dense.weights, 0), np.minimum(dense.weights, 0)
    low = plus @ signal.low + minus @ signal.high + dense.bias
    high = plus @ signal.high + minus @ signal.low + dense.bias
    return Dense(dense.weights * signal.scale, dense.bias), low, high


def _linear(scaled: Dense, signal: _Signal, levels: Levels, turned: bool) -> tuple[Floats, Floats]:
    """(noise, fit) of the layer's outputs. Fresh noises are independent; later ones may conspire."""
    norms = np.sqrt((scaled.weights**2).sum(axis=1))
    held = np.maximum(np.abs(signal.low), np.abs(signal.high)) / signal.scale
    variance = np.full(len(norms), (levels.encoded**2) * (1 + (held**2).sum()) + levels.rescaled**2)
    noise = np.zeros(len(norms))
    if signal.fresh:
        variance += (norms * levels.fresh) ** 2
    else:
        noise += np.abs(scaled.weights) @ signal.noise
    if turned:
        variance += (norms * levels.rescaled) ** 2
        noise += norms * levels.turned
    return noise + TAIL * np.sqrt(variance), np.abs(scaled.weights) @ signal.fit


def _squared(low: Floats, high: Floats, noise: Floats, levels: Levels) -> _Signal:
    most = np.maximum(np.abs(low), np.abs(high))
    least = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    after = (2 * most + noise) * noise + TAIL * levels.rescaled
    return _Signal(least**2, most**2, np.ones(len(low)), after, np.zeros(len(low)), fresh=False)


def _fitted(activation: str, low: Floats, high: Floats, error: Floats, degree: int) -> tuple[Floats, Fit]:
    """The radius [units] within which each argument stays, errors included, and the fit on it.

    relu scales, so each unit has a radius of its own; tanh does not.
    """
    radius = np.maximum(np.maximum(np.abs(low), np.abs(high)) + 2 * error, 2.0**-10)
    if activation == "relu":
        return radius, polynomial.relu(degree)
    widest = 2.0 ** (ceil(2 * log2(float(radius.max()))) / 2)  # in steps of the square root of 2
    return np.full(len(radius), widest), polynomial.good_tanh(widest, degree)


def _through(
    activation: str,
    fit: Fit,
    radius: Floats,
    ends: tuple[Floats, Floats],
    errors: tuple[Floats, Floats],
    levels: Levels,
) -> _Signal:
    """What leaves a fitted activation. Errors in front of it pass through the true function, which is Lipschitz."""
    low, high = ends
    inner = SAFETY * fit.steepness * (2 * DRIFT + 2 * TAIL * levels.rescaled)
    if activation == "relu":
        noise, off = errors[0] + inner, errors[1] + fit.error
        return _Signal(np.maximum(low, 0), np.maximum(high, 0), radius, noise, off, fresh=False)
    noise, off = errors[0] * radius + inner, errors[1] * radius + fit.error
    return _Signal(np.tanh(low), np.tanh(high), np.ones(len(low)), noise, off, fresh=False)


def _last(
    dense: Dense, signal: _Signal, levels: Levels, turned: bool, layers: list[Layer], fits: list[tuple[Fit, float]]
) -> Margins:
    """The last layer, scaled down by a power of two where its scores would not fit the last level.

    Reading counts the noise twice: the engine adds as much as it finds.
    """
    _check(dense)
    scaled, low, high = _scaled(dense, signal)
    _limit(low, high)
    noise, fit = _linear(scaled, signal, levels, turned)
    most = float((np.maximum(np.abs(low), np.abs(high)) + noise + fit).max())
    exponent = max(0, ceil(log2(most / levels.room))) if most > 0 else 0
    down = 2.0**-exponent
    scaled = Dense(scaled.weights * down, scaled.bias * down)
    noise, fit = _linear(scaled, signal, levels, turned)
    cost = float(fit.max()) / down
    bound = cost + 2 * (float(noise.max()) + TAIL * levels.zero) / down
    layers.append(Layer(scaled.weights, scaled.bias, "none", (), 0))
    worst = max(fits, key=lambda pair: pair[0].error * pair[1], default=None)
    if worst is None:
        return Margins(tuple(layers), exponent, bound, cost, 0, 0.0)
    return Margins(tuple(layers), exponent, bound, cost, worst[0].degree, worst[0].error * worst[1])
