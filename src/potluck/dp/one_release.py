"""The epsilon of a single sum under discrete Gaussian noise, from its definition (arXiv 2004.00010, section 2).

A unit moves one whole number by at most s steps, so the noise x is drawn from p(x) or from p(x - s). The loss
ln(p(x) / p(x - s)) = s (s - 2x) / (2 sigma^2) falls with x, so that delta is a difference of two tails. It does NOT
compose: several releases have distributions of losses (`loss`).
"""

import math

import numpy as np
from numpy.typing import NDArray

FAR = 11.6
"""Beyond so many sigmas less than 1e-30 of the noise lies; what a shift pushes out there counts as lost."""


def epsilon_of_one(sigma: float, sensitivity: int, delta: float) -> float:
    """The smallest epsilon at `delta`, to a part in 1e9 and from above; sigma, sensitivity: grid steps. inf: no
    epsilon holds, since the noise hardly reaches over the sensitivity."""
    below = _below(sigma)
    low, high = 0.0, 1.0
    while _delta(below, sigma, sensitivity, high) > delta:
        low, high = high, 2 * high
        if math.isinf(high):
            return high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        if _delta(below, sigma, sensitivity, middle) > delta:
            low = middle
        else:
            high = middle
    return high


def _below(sigma: float) -> NDArray[np.float64]:
    """ln P(noise <= x) for x from -far - 1, where it is -inf, to far."""
    far = math.ceil(FAR * sigma)
    steps = np.arange(-far, far + 1)
    found = np.logaddexp.accumulate(np.append(-np.inf, -0.5 * steps**2 / sigma**2))
    return np.asarray(found - found[-1])


def _delta(below: NDArray[np.float64], sigma: float, sensitivity: int, epsilon: float) -> float:
    """The part of the noise whose loss is more than epsilon, less e^epsilon times that part of the shifted noise."""
    far = len(below) // 2 - 1
    last = 0.5 * sensitivity - epsilon * sigma**2 / sensitivity
    place = far + 1 + math.floor(min(max(last, sensitivity - far - 1), far))
    return math.exp(below[place]) - math.exp(epsilon + below[max(place - sensitivity, 0)])
