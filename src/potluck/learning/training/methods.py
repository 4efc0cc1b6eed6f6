"""The ways to train, and the optimizers that some of them use, a file and a line each."""

from potluck.learning.training.average import AVERAGE
from potluck.learning.training.fit_trees import BOOSTING
from potluck.learning.training.gradient import GRADIENT
from potluck.learning.training.method import METHODS, method_of
from potluck.learning.training.newton import NEWTON
from potluck.learning.training.optimizer import OPTIMIZERS, SGD

__all__ = ["METHODS", "method_of"]

METHODS.register("newton", NEWTON)
METHODS.register("gradient", GRADIENT)
METHODS.register("average", AVERAGE)
METHODS.register("boosting", BOOSTING)

OPTIMIZERS.register("sgd", SGD)
