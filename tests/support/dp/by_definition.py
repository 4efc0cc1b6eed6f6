"""Differential privacy by its definition: how far apart two distributions are beyond a budget."""

import math

import numpy as np
from scipy import stats


def hockey_stick(p: np.ndarray, shift: int, budget: float) -> float:
    """delta of (budget, delta)-DP, from probabilities on consecutive integers: sum of max(0, p(x) - e^eps p(x - s))."""
    wide = np.pad(p, shift)
    return max(
        float(np.maximum(0, wide - math.exp(budget) * np.roll(wide, shift)).sum()),
        float(np.maximum(0, wide - math.exp(budget) * np.roll(wide, -shift)).sum()),
    )


def discrete(sigma: float) -> np.ndarray:
    reach = math.ceil(13 * sigma)
    weight = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    return weight / weight.sum()


def gauss_delta(ratio: float, budget: float) -> float:
    """delta of a Gaussian sum with noise `ratio` over sensitivity: the analytic formula of arXiv 1805.06530."""
    high, low = 1 / (2 * ratio) - budget * ratio, -1 / (2 * ratio) - budget * ratio
    return float(stats.norm.cdf(high) - math.exp(budget) * stats.norm.cdf(low))
