"""The few bins of scores for a noised AUC: from the public model and the declared columns alone, from no row.

Bins fixed in advance fail where all scores lie close together: those of a rare outcome, or of a model early in its
training. So rows are drawn evenly from what the plan declares (numbers over their range, each value of a category
alike), with a public seed, and the edges are tenths of the model's scores on them; 0 log-odds is an edge always.
It does NOT know where real rows lie: where they fill a corner of the declared ranges, few bins hold them all.
"""

from __future__ import annotations

import numpy as np

from potluck.core.seeded import generator
from potluck.core.stages import Floats
from potluck.fl.encode import encode
from potluck.fl.model import Model

COUNT = 11
"""Bins: each adds its noise to that of the AUC."""
_DRAWS, _BATCH = 16, 64


def edges(model: Model) -> Floats:
    """[COUNT - 1] rising log-odds that part the bins; 0 among them."""
    scores = np.concatenate([_scores(model, batch) for batch in range(_DRAWS)])
    return np.sort(np.append(np.quantile(scores, np.arange(1, COUNT - 1) / (COUNT - 1)), 0.0))


def _scores(model: Model, batch: int) -> Floats:
    """[_BATCH] log-odds of rows drawn from the declared columns."""
    draw = generator(0, "bins", batch)
    columns = {
        one.name: draw.uniform(one.low, one.high, _BATCH)
        if one.kind == "number"
        else draw.integers(0, len(one.values), _BATCH).astype(np.float64)
        for one in model.encoding.fields
    }
    return np.nan_to_num(model.margins(encode(model.encoding, columns))[:, 0])


def place(bounds: Floats, scores: Floats) -> Floats:
    """[k] the bin of each score: [a, b), so that 0 log-odds counts as positive."""
    return np.searchsorted(bounds, scores, side="right").astype(np.float64)


def positive_from(bounds: Floats) -> int:
    """The first bin whose scores are at or above 0 log-odds."""
    return int(np.searchsorted(bounds, 0.0, side="right"))
