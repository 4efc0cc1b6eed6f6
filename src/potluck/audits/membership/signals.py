"""What a model says of a row with its target: the surer it is of the target, the larger.

Of two sides, of each label, and of classes it is the logit of the probability of the true one, which is nearly normal
over models; of a number how far the model is off, and of a text its mean loss, both turned round.
Reference: Carlini et al. 2022, arXiv 2112.03570, section IV-C (the logit).
"""

import numpy as np

from potluck.core.stages import Floats
from potluck.learning.data.table import Table
from potluck.learning.data.target import TWO_SIDED
from potluck.learning.models.model import Model


def surer(model: Model, rows: Table) -> Floats:
    """[n, k] of all rows: k labels, else one number."""
    if not model.target.apart:
        return -model.scored_features(rows.inputs)[:, None]
    margins = np.nan_to_num(model.margins(rows.inputs))
    if model.target.side in TWO_SIDED:
        return np.where(rows.target.reshape(margins.shape) == 1, margins, -margins)
    if model.target.side == "number":
        return -np.abs(margins[:, :1] - rows.target[:, None])
    true = np.arange(len(margins)), rows.target.astype(np.int64)
    own, margins[true] = margins[true], -np.inf
    highest = margins.max(axis=1)
    others = highest + np.log(np.exp(margins - highest[:, None]).sum(axis=1))
    return np.asarray((own - others)[:, None])


def losses(model: Model, surer: Floats) -> Floats:
    """[n] the loss of each row, of what `surer` says of it: what training makes small."""
    if not model.target.apart:
        return np.asarray(-surer[:, 0])
    if model.target.side == "number":
        return np.asarray(surer[:, 0] ** 2 / 2)
    return np.asarray(np.logaddexp(0.0, -surer).sum(axis=1))
