"""The few bins of scores for a noised AUC: from plan, public model and declared columns alone, from no row.

Bins fixed in advance fail where all scores lie close together: those of a rare outcome, or of a model early in its
training. So rows are drawn evenly from what the plan declares (`learning.made_up`), and edges are quantiles of the
model's scores on them; 0 log-odds is an edge always. Where real rows fill a corner of the declared ranges, few of these
bins hold them all. But log-odds mean something by themselves: of rows that a model tells apart most lie within five of
0. So what bins there are beyond the fewest, and half of many, part a logistic distribution half as wide again evenly.
It does NOT know where real rows lie.
"""

import numpy as np

from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning import made_up
from potluck.learning.data.mixed import inputs
from potluck.learning.data.split import held_out
from potluck.learning.models.model import Model

FEWEST, MOST = 11, 256
SUPPOSED = 5_000
"""Held-out rows of a plan that does not say how many rows it expects."""
QUIET = 1e-3
"""So much noise in an AUC is none."""
WIDTH = 1.5
_DRAWS = 16


def count(plan: Plan) -> int:
    """How many bins: more of them add noise to the AUC, fewer leave more ties, which bring it nearer to one half.

    Ties cost about .7 / count^2 where rows fill bins evenly, noise has a standard deviation of about 4 sqrt(count) /
    (held-out rows x epsilon): their squares add up to the least near .65 (rows x epsilon)^.4. Where rows fill few bins
    ties cost far more. So there are as many as leave noise of QUIET, where that is more.
    """
    if plan.privacy.unit == "site":  # as few counts as sites
        return FEWEST
    epsilon = plan.privacy.epsilon if plan.privacy.unit == "row" else plan.privacy.evaluation
    known = (held_out(plan) or SUPPOSED) * (epsilon or 0.0)
    return int(min(MOST, max(FEWEST, 0.65 * known**0.4, (QUIET * known / 4) ** 2)))


def edges(model: Model, bins: int) -> Floats:
    """[outputs, bins - 1] rising log-odds that part the bins of each; 0 among them."""
    scores = np.concatenate([_scores(model, batch) for batch in range(_DRAWS)])
    known = _known(2 * (min(bins - FEWEST, bins // 2) // 2))
    parts = bins - 1 - len(known)
    found = np.quantile(scores, np.arange(1, parts) / parts, axis=0).T
    return np.sort(np.column_stack([found, np.tile([*known, 0.0], (len(found), 1))]), axis=1)


def _known(count: int) -> Floats:
    """[count], an even number: log-odds that part a logistic distribution of that width; 0 is between two of them."""
    shares = (np.arange(count) + 0.5) / count
    return np.asarray(WIDTH * np.log(shares / (1 - shares)))


def _scores(model: Model, batch: int) -> Floats:
    """[made_up.BATCH, outputs] log-odds of rows of nobody."""
    rows = inputs(made_up.features(model.encoding, batch), made_up.cells(model.encoding, batch))
    return np.nan_to_num(model.margins(rows))


def place(bounds: Floats, scores: Floats) -> Floats:
    """[k] the bin of each score of one output: [a, b), so that 0 log-odds counts as positive. bounds [bins - 1]."""
    return np.searchsorted(bounds, scores, side="right").astype(np.float64)


def positive_from(bounds: Floats) -> int:
    """The first bin whose scores are at or above 0 log-odds."""
    return int(np.searchsorted(bounds, 0.0, side="right"))
