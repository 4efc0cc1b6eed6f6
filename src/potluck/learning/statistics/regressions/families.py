"""Families of outcomes with their canonical links: what a regression maximizes is concave, whatever the rows.

With eta = x b, mu = mean(eta) and V = variance(mu) a row's slope is x (y - mu) and its curvature V x x^T. `fit` is the
log-likelihood but for what does not depend on b. Reference: McCullagh and Nelder, "Generalized Linear Models", 2.2.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from potluck.core.registry import Registry, table
from potluck.core.stages import Floats

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest of a row: |y - mu|, V and |fit|."""

    off: float
    variance: float
    fit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family.

    range: of y. bounds: of y's range and eta's; reach: the largest |x b| at which sums are asked.
    constants: of y [n], two parts of log-likelihood and deviance that do not depend on b, [2, n]; largest: of them, for
    the largest y.
    scaled: y is a number on its declared range, which is brought to [-1, 1]; its dispersion is estimated.
    ratios: exp(b) means something. rounds: where a plan does not say; noised: the same with noise, 0: noise is refused.
    weighs: of the linear predictor [n], what a row's x is multiplied by in the sums, beside its outcome.
    first: the intercept to go on with from b = 0, of the summed y - mu and V there; None: Newton's step.
    """

    mean: Callable[[Floats], Floats]
    variance: Callable[[Floats], Floats]
    fit: Callable[[Floats, Floats, Floats], Floats]
    range: Range
    bounds: Callable[[Range, Range], Bounds]
    reach: float
    constants: Callable[[Floats], Floats] = lambda y: np.zeros((2, len(y)))
    largest: Callable[[float], float] = lambda y: 1.0
    scaled: bool = False
    ratios: bool = True
    rounds: int
    noised: int = 0
    weighs: tuple[Callable[[Floats], Floats], ...] = ()
    first: Callable[[float, float], float] | None = None


FAMILIES: Registry[Family] = table("statistics.family")


def _gaussian(y: Range, eta: Range) -> Bounds:
    off = max(y[1] - eta[0], eta[1] - y[0])
    return Bounds(off, 1.0, off**2 / 2)


def _sigmoid(eta: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0.0, -eta)), dtype=np.float64)


def _binomial(y: Range, eta: Range) -> Bounds:
    return Bounds(1.0, 0.25, float(np.logaddexp(0.0, max(-eta[0], eta[1]))))


def _poisson(y: Range, eta: Range) -> Bounds:
    most = math.exp(eta[1])
    return Bounds(max(y[1], most), most, y[1] * max(-eta[0], eta[1], 0.0) + most)


def _of_shares(y: Floats) -> Floats:
    """Nothing, and y log y + (1 - y) log (1 - y): 0 of outcomes that are 0 or 1."""
    from scipy.special import xlogy

    return np.stack([np.zeros(len(y)), xlogy(y, y) + xlogy(1 - y, 1 - y)])


def _of_counts(y: Floats) -> Floats:
    """log y!, and y log y - y."""
    from scipy.special import gammaln, xlogy

    return np.stack([gammaln(y + 1), xlogy(y, y) - y])


FAMILIES.register(
    "gaussian",
    Family(
        mean=lambda eta: eta,
        variance=np.ones_like,
        fit=lambda y, eta, mu: -((y - eta) ** 2) / 2,
        range=(-math.inf, math.inf),
        bounds=_gaussian,
        reach=1e6,
        scaled=True,
        ratios=False,
        rounds=1,
        noised=1,
    ),
)
FAMILIES.register(
    "binomial",
    Family(
        mean=_sigmoid,
        variance=lambda mu: mu * (1 - mu),
        fit=lambda y, eta, mu: np.asarray(y * eta - np.logaddexp(0.0, eta), dtype=np.float64),
        range=(0.0, 1.0),
        bounds=_binomial,
        reach=50.0,
        constants=_of_shares,
        rounds=12,
        noised=3,
        weighs=(_sigmoid, lambda eta: _sigmoid(-eta), lambda eta: _sigmoid(eta) * _sigmoid(-eta)),
    ),
)
FAMILIES.register(
    "poisson",
    Family(
        mean=np.exp,
        variance=lambda mu: mu,
        fit=lambda y, eta, mu: y * eta - mu,
        range=(0.0, math.inf),
        bounds=_poisson,
        reach=50.0,
        constants=_of_counts,
        largest=lambda y: math.lgamma(y + 1) + y * abs(math.log(max(y, 1.0))) + y + 1,
        rounds=12,
        weighs=(np.exp,),
        first=lambda off, variance: math.log1p(off / variance) if off > -variance else 0.0,
    ),
)
