"""Inverse link functions: margins -> means. scipy is loaded at the first call: that takes as long as all of ours."""

from __future__ import annotations

import numpy as np

from potluck.core.stages import Floats


def sigmoid(margins: Floats) -> Floats:
    """1 / (1 + exp(-margin)), element by element: log-odds -> probabilities, of any shape."""
    from scipy.special import expit

    return np.asarray(expit(margins), dtype=np.float64)


def softmax(margins: Floats) -> Floats:
    """margins [n, classes] -> probabilities [n, classes]: each row's sum is 1."""
    from scipy.special import softmax as whole

    return np.asarray(whole(margins, axis=1), dtype=np.float64)
