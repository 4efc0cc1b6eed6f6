"""Rows drawn from a model: levels along the tree, then numbers within their bins. No row of anybody is looked at.

Counts are rounded, and not drawn one row at a time: of rows with the same value of the parent each value of the child
has its share of them, up to one row. So the rows' own tables are as near to the model's as whole rows can be. The draw
is public: seed and marginals give the same rows everywhere.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from potluck.core.seeded import Generator
from potluck.core.stages import Floats
from potluck.learning.data.units import Index
from potluck.learning.synthesis.axes import Axis
from potluck.learning.synthesis.model import Model

DIGITS = 3
"""Of a number within its bin: more would look like precision."""


def levels(model: Model, rows: int, draw: Generator) -> dict[str, Index]:
    """By column [rows] levels."""
    survey = model.survey
    nodes, axes = survey.nodes, survey.axes
    of_target = survey.ones[nodes[0]].sum(axis=0)
    target = _shared(of_target[None, :], np.zeros(rows, np.int64), draw)
    groups, count = survey.groups[target], int(survey.groups[-1]) + 1
    found = {nodes[0]: _shared(survey.ones[nodes[0]].T, target, draw)}
    for parent, child in _downwards(nodes, model):
        table = model.edges[min(parent, child), max(parent, child)]
        table = table if parent < child else table.swapaxes(0, 1)  # [parent, child, groups]
        by = table.swapaxes(1, 2).reshape(-1, table.shape[1])
        found[child] = _shared(by, found[parent] * count + groups, draw)
    if survey.target is not None:
        found[survey.target] = target
    return {axes[place].name: found[place] for place in sorted(found)}


def values(axis: Axis, found: Index, draw: Generator) -> Floats:
    """[n] a number or a value's place for each level, NaN where there is none: numbers are even over their bin."""
    there = found < axis.levels
    if axis.values:
        return np.where(there, found.astype(np.float64), np.nan)
    at = np.where(there, found, 0)
    low, high = np.array(axis.lows)[at], np.array(axis.highs)[at]
    if axis.whole:
        number = np.floor(low + draw.random(len(found)) * (high - low + 1))
    else:
        widest = max(to - since for since, to in zip(axis.lows, axis.highs, strict=True))
        number = low + draw.random(len(found)) * (high - low)
        number = np.clip(np.round(number, DIGITS - math.floor(math.log10(widest))), low, high)
    return np.where(there, number, np.nan)


def _downwards(nodes: Sequence[int], model: Model) -> list[tuple[int, int]]:
    """(parent, child) of each edge, from the first node on."""
    near: Mapping[int, list[int]] = {node: [] for node in nodes}
    for one, other in model.edges:
        near[one].append(other)
        near[other].append(one)
    found, seen, todo = list[tuple[int, int]](), {nodes[0]}, [nodes[0]]
    while todo:
        parent = todo.pop(0)
        for child in near[parent]:
            if child not in seen:
                seen.add(child)
                found.append((parent, child))
                todo.append(child)
    return found


def _shared(tables: Floats, of: Index, draw: Generator) -> Index:
    """[n] a level for each row. tables [k, levels]: shares for each of k situations, of which `of` [n] says which a row
    is in. Rows in one situation have each level as often as its share says, up to one."""
    found = np.empty(len(of), np.int64)
    order = np.argsort(of, kind="stable")
    which, starts = np.unique(of[order], return_index=True)
    for one, mine in zip(which.tolist(), np.split(order, starts[1:]), strict=True):
        weights = tables[one]
        weights = weights if weights.sum() > 0 else np.ones_like(weights)
        ends = np.cumsum(weights / weights.sum()) * len(mine)
        ends[-1] = len(mine)
        points = np.arange(len(mine)) + draw.random()
        found[draw.permutation(mine)] = np.minimum(np.searchsorted(ends, points, "right"), len(weights) - 1)
    return found
