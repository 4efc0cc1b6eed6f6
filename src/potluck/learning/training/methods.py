"""The ways to train, the optimizers that some of them use, and the kinds of model that are boosted, or fitted over
columns at different owners, a line each."""

from potluck.learning.training.average import AVERAGE
from potluck.learning.training.boosting import additive, trees
from potluck.learning.training.boosting.booster import BOOSTERS, BOOSTING
from potluck.learning.training.fit import FITS, fit_of
from potluck.learning.training.fit_linear import REGRESSION
from potluck.learning.training.fit_trees import TREES
from potluck.learning.training.gradient import GRADIENT
from potluck.learning.training.method import METHODS, method_of
from potluck.learning.training.newton import NEWTON
from potluck.learning.training.optimizer import OPTIMIZERS
from potluck.learning.training.steps import ADAM, HEAVY, NESTEROV, SGD, YOGI

__all__ = ["FITS", "METHODS", "fit_of", "method_of"]

METHODS.register("newton", NEWTON)
METHODS.register("gradient", GRADIENT)
METHODS.register("average", AVERAGE)
METHODS.register("boosting", BOOSTING)

BOOSTERS.register("trees", trees.TREES)
BOOSTERS.register("additive", additive.ADDITIVE)

OPTIMIZERS.register("sgd", SGD)
OPTIMIZERS.register("momentum", HEAVY)
OPTIMIZERS.register("nesterov", NESTEROV)
OPTIMIZERS.register("adam", ADAM)
OPTIMIZERS.register("yogi", YOGI)

FITS.register("linear", REGRESSION)
FITS.register("logistic", REGRESSION)
FITS.register("trees", TREES)
