"""Standard errors from a run's opened sums, or why there are none: the sums are rounded, and a variance must bear that.

How far off the sums may be stands beside them. A variance that this could change by more than 1e-5 of it is not told.
"""

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.target import Goal
from potluck.learning.models.fitted import Sums

EXACT = 1e-5
"""Where rounding may change a variance by a larger part, there are no standard errors: by this much for each of the two
sums that it is computed from, so that an error is right to 1e-5."""


def unsure(sums: Sums, df: int | None) -> str:
    """Why nothing is said of a linear model's errors; empty where something is. df: None of a logistic one."""
    if df is None:
        return ""
    if sums.squares is None or sums.squares_error is None or df <= 0:
        return "there are no more rows than coefficients"
    if sums.squares_error <= EXACT * sums.squares and sums.squares > 0:
        return ""
    return (
        "the rounding of the sums may be beyond 1e-5 of the squared errors: the model is very close to the rows, or a "
        "column's values fill a tiny part of its declared range. hint: declare narrower ranges, or a lower "
        "data.max_rows; beside training.rounds = 1 more rounds help"
    )


def dispersion(sums: Sums, df: int, goal: Goal) -> float:
    """The variance of a linear model's errors, in the target's units."""
    assert sums.squares is not None
    return sums.squares / df * ((goal.high - goal.low) / 2) ** 2


def errors(sums: Sums, strength: float, turn: Floats, df: int | None) -> tuple[Floats | None, str]:
    """[d] standard errors in the data's units; or None, and why."""
    gram = np.array(sums.gram)
    gram[np.arange(1, len(gram)), np.arange(1, len(gram))] += strength
    scale = 1.0 if df is None or sums.squares is None else sums.squares / df
    try:
        root = np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        return None, "the Gram matrix is singular"
    inner = np.linalg.solve(root, turn.T)
    variances = (inner**2).sum(axis=0)
    # An error E of the matrix changes a variance a' G^-1 a by v' E v with v = G^-1 a, but for E's square.
    reach = np.abs(np.linalg.solve(root.T, inner)).sum(axis=0) ** 2
    if not (sums.gram_error * reach <= EXACT * variances).all():
        return None, (
            "the rounding of the sums may be beyond 1e-5 of their variances: a column's values fill a tiny part of its "
            "declared range, or columns nearly determine one another. hint: declare narrower ranges, or a lower "
            "data.max_rows"
        )
    return np.asarray(np.sqrt(scale * variances), dtype=np.float64), ""
