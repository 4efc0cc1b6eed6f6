"""What a model says of rows, each the same to the last bit whatever other rows stand beside it.

With noise a row that is taken away may move no other one to another cell. A matrix product's last bits follow from how
many rows there are, and not from which: so a network's rows are taken in batches of one size, the last filled up.
"""

import numpy as np

from potluck.core.plan import Plan
from potluck.core.slices import slices
from potluck.core.stages import Floats
from potluck.learning.data.mixed import Inputs
from potluck.learning.graph.batches import rows_at_once
from potluck.learning.models.model import Model

ROWS = 64


def margins(plan: Plan, model: Model, rows: Inputs) -> Floats:
    """rows n -> [n, outputs], as `Model.margins`."""
    count = len(rows)
    if not plan.noisy or not count or not (model.network or model.graph):
        return model.margins(rows)
    size = min(ROWS, rows_at_once(model.graph.network, model.graph.most)) if model.graph else ROWS
    filled = np.append(np.arange(count), np.zeros(-count % size, dtype=np.int64))
    return np.concatenate([model.margins(rows[filled[part]]) for part in slices(len(filled), size)])[:count]
