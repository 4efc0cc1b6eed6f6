"""Every row's contribution, laid out: what sums that do not lay rows out are compared with."""

from collections.abc import Iterator

import numpy as np

from potluck.core.asks import Ask, Kind
from potluck.core.stages import Update
from potluck.learning.data.table import Table
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation.bins import edges
from potluck.learning.evaluation.summed import Summed
from potluck.learning.models.layers import margins
from potluck.learning.models.linear import largest, link
from potluck.learning.models.model import model
from potluck.secret.random import system


def laid_out(task, ask: Ask, table: Table) -> Iterator[np.ndarray]:
    """[units, d] in batches: as the task hands them over, and else by the definition of its blocks."""
    by_definition = cells_of if ask.kind is Kind.EVALUATE else rows_of
    for given in task.contribute(ask, table, system):
        if isinstance(given, Summed):
            yield given.rows(given.index)
            continue
        yield given.values if isinstance(given, Update) else by_definition(task, ask, table)


def rows_of(task, ask: Ask, table: Table) -> np.ndarray:
    """[n, d]: gradient, upper triangle of the Gram matrix (of every two classes), squared error and what its grid cuts
    off, side."""
    assert ask.kind is Kind.TRAIN
    by, weights = link(task.plan), np.frombuffer(ask.state, dtype="<f8")
    x = np.column_stack([np.ones(int((~table.test).sum())), table.features[~table.test]])
    y, classes = table.target[~table.test], goal_of(task.plan).classes
    each = [margins(one, x[:, 1:]) for one in weights.reshape(len(classes) or 1, -1)]
    at = np.column_stack(each) if classes else each[0]
    off, upper = by.mean(at) - ((y[:, None] == np.arange(len(classes))) if classes else y), np.triu_indices(x.shape[1])
    grain, sides = 2.0**-48, ask.blocks[-1].size
    if by.squares:
        units = len(task.plan.federation.sites) * task.plan.data.max_rows
        grain = 2.0 ** max(-48, int(np.ceil(np.log2(units * largest(by, weights) ** 2) + 1e-9)) - 62)
    blocks = {
        "gradient": lambda: np.hstack([one[:, None] * x for one in np.atleast_2d(off.T)]),
        "gram": lambda: np.hstack(
            [one[:, None] * x[:, upper[0]] * x[:, upper[1]] for one in np.atleast_2d(by.curved(at).T)]
        ),
        "squares": lambda: (np.floor(off**2 / grain) * grain)[:, None],
        "rest": lambda: (off**2 / grain - np.floor(off**2 / grain))[:, None],
        "rows": lambda: (y[:, None] == np.arange(sides)) if sides > 1 else np.ones((len(y), 1)),
    }
    return np.hstack([blocks[block.name]() for block in ask.blocks]).astype(np.float64)


def cells_of(task, ask: Ask, table: Table) -> np.ndarray:
    """[units, cells]: a 1 for each held-out row in the cell of its side and score (of each label), or of its class and
    the model's, or of its class and whether the model is right. A person's first rows are added up."""
    (block,) = ask.blocks
    plan, known = task.plan, model(task.plan, np.frombuffer(ask.state, dtype="<f8"))
    margins, target = np.nan_to_num(known.margins(table.features)), table.target.astype(int)
    if known.target.side in ("binary", "labels"):
        labels, sides = margins.shape[1], target.reshape(margins.shape)
        half = block.size // labels // 2
        with np.errstate(over="ignore"):
            place = np.minimum(np.floor(half / (1 + np.exp(-margins / 2))), half - 1)
        if plan.noisy:
            place = (margins[:, :, None] >= edges(known, half)).sum(axis=2)
        cell = 2 * half * np.arange(labels) + sides * half + place.astype(int)
    elif block.size == margins.shape[1] ** 2:
        cell = (margins.shape[1] * target + margins.argmax(axis=1))[:, None]
    else:
        cell = (2 * target + (margins.argmax(axis=1) == target))[:, None]
    laid = np.zeros((table.rows, block.size))
    laid[np.arange(table.rows)[:, None], cell] = 1
    index = np.flatnonzero(table.test)
    if not plan.noisy or plan.privacy.unit != "person":
        return laid[index]
    mine = {who: [at for at in index if table.person[at] == who] for who in dict.fromkeys(table.person[index])}
    return np.array([laid[rows[: plan.privacy.rows_per_person or 1]].sum(axis=0) for rows in mine.values()])
