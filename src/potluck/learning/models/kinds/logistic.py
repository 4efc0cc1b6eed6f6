"""Logistic regression: the log-loss of two sides. The objective is that of `models.linear`."""

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.target import sigmoid
from potluck.learning.models import export
from potluck.learning.models.kind import Link, ModelKind
from potluck.learning.models.linear import slope_of


def curved(margins: Floats) -> Floats:
    """p (1 - p), at most 1/4."""
    mean = sigmoid(margins)
    return np.asarray(mean * (1 - mean), dtype=np.float64)


LOGIT = Link(mean=sigmoid, curved=curved, steepest=0.25)

LOGISTIC = ModelKind(
    title="a logistic regression",
    targets=("binary",),
    link=LOGIT,
    slope=slope_of(LOGIT),
    summed=True,
    sklearn=export.logistic,
)
