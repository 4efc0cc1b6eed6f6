"""Every row's contribution, laid out: what sums that do not lay rows out are compared with."""

from collections.abc import Iterator

import numpy as np

from potluck.core.asks import Ask, Kind
from potluck.core.stages import Update
from potluck.learning.data.table import Table
from potluck.learning.models.linear import largest, link, margins
from potluck.secret.random import system


def laid_out(task, ask: Ask, table: Table) -> Iterator[np.ndarray]:
    """[units, d] in batches: as the task hands them over, and else by the definition of its blocks."""
    for given in task.contribute(ask, table, system):
        yield given.values if isinstance(given, Update) else rows_of(task, ask, table)


def rows_of(task, ask: Ask, table: Table) -> np.ndarray:
    """[n, d]: gradient, upper triangle of the Gram matrix, squared error and what its grid cuts off, side."""
    assert ask.kind is Kind.TRAIN
    by, weights = link(task.plan), np.frombuffer(ask.state, dtype="<f8")
    x = np.column_stack([np.ones(int((~table.test).sum())), table.features[~table.test]])
    y, at = table.target[~table.test], margins(weights, x)
    off, upper = by.mean(at) - y, np.triu_indices(x.shape[1])
    grain = 2.0**-48
    if by.squares:
        units = len(task.plan.federation.sites) * task.plan.data.max_rows
        grain = 2.0 ** max(-48, int(np.ceil(np.log2(units * largest(by, weights) ** 2) + 1e-9)) - 62)
    blocks = {
        "gradient": lambda: off[:, None] * x,
        "gram": lambda: by.curved(at)[:, None] * x[:, upper[0]] * x[:, upper[1]],
        "squares": lambda: (np.floor(off**2 / grain) * grain)[:, None],
        "rest": lambda: (off**2 / grain - np.floor(off**2 / grain))[:, None],
        "rows": lambda: (y[:, None] == np.arange(2)) if ask.blocks[-1].size == 2 else np.ones((len(y), 1)),
    }
    return np.hstack([blocks[block.name]() for block in ask.blocks]).astype(np.float64)
