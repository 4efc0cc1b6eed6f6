"""How likely values are beyond one, under the distributions that tests compare with."""

import math

import numpy as np

from potluck.core.stages import Floats


def chi_squared(value: float, df: float) -> float:
    """Of a chi-squared variable."""
    from scipy.special import chdtrc  # what tests need is loaded where there is one

    return float(chdtrc(df, value))


def fisher(value: float, df: float, within: float) -> float:
    """Of an F variable."""
    from scipy.special import fdtrc

    return float(fdtrc(df, within, value))


def student(values: Floats | float, df: float) -> Floats:
    """Of Student's t, to either side."""
    from scipy.special import stdtr

    return np.asarray(2 * stdtr(df, -np.abs(values)), dtype=np.float64)


def normal(value: float) -> float:
    """Of a normal variable, to either side."""
    return min(1.0, math.erfc(value / math.sqrt(2)))


def kolmogorov(value: float, rows: int) -> float:
    """Of the largest distance between a distribution and so many rows of it."""
    from scipy.stats import kstwo

    return float(kstwo.sf(value, rows))
