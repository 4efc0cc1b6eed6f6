"""The kinds of model, a file and a line each."""

from potluck.learning.models.kind import MODELS, kind_of
from potluck.learning.models.kinds import additive, linear, logistic, network, trees

__all__ = ["MODELS", "kind_of"]

MODELS.register("linear", linear.LINEAR)
MODELS.register("logistic", logistic.LOGISTIC)
MODELS.register("network", network.NETWORK)
MODELS.register("trees", trees.TREES)
MODELS.register("additive", additive.ADDITIVE)
