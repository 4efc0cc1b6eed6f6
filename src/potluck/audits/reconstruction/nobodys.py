"""Sites of nobody that differ: each has shares and means of its own, and a target that depends on its columns in a way
of its own. Drawn evenly over what a plan declares: shares of values alike, means of numbers over their range.
"""

from collections.abc import Iterator

import numpy as np

from potluck.core.plan import Plan
from potluck.core.seeded import Generator
from potluck.core.stages import Floats
from potluck.learning.data.column import Field
from potluck.learning.data.encode import Encoding, encode
from potluck.learning.data.table import Table
from potluck.learning.data.target import Goal, goal_of
from potluck.learning.data.units import Index

NARROW = 4.0
"""How close numbers lie around their mean: the two numbers of a beta distribution come to a little more."""


def places(how: Encoding) -> Index:
    """[k] the features whose means are asked for: values of categories and numbers, no flags of what is missing."""
    found, at = list[int](), 0
    for one in how.fields:
        found += range(at, at + (1 if one.measured else len(one.features)))
        at += len(one.features)
    return np.array(found, np.int64)


def means(how: Encoding, features: Floats) -> Floats:
    """features [n, p] -> [k] means of those that are asked for, from 0 to 1."""
    measured = np.repeat([one.measured for one in how.fields], [len(one.features) for one in how.fields])
    return np.asarray(np.where(measured, (features + 1) / 2, features).mean(axis=0)[places(how)])


def drawn(how: Encoding, many: int, rng: Generator) -> Floats:
    """[many, k] what such sites have."""
    parts = [
        rng.uniform(size=(many, 1)) if one.measured else rng.dirichlet(np.ones(len(one.values)), many)[:, one.levels]
        for one in _asked(how)
    ]
    return np.concatenate(parts, axis=1)


def site(plan: Plan, how: Encoding, rows: int, rng: Generator) -> Table:
    """One of them, all of its rows trained on; each a person's, where there are persons."""
    columns = dict[str, Floats]()
    for one in how.fields:
        if one.measured:
            mean = rng.uniform()
            part = rng.beta(NARROW * mean + 0.1, NARROW * (1 - mean) + 0.1, size=rows)
            columns[one.name] = one.low + (one.high - one.low) * part
        else:
            shares = rng.dirichlet(np.ones(len(one.values)))
            columns[one.name] = rng.choice(len(one.values), size=rows, p=shares).astype(np.float64)
    features = encode(how, columns)
    who = None if plan.data.person is None else np.arange(rows)
    return Table(features, _target(goal_of(plan), features, rng), who, np.zeros(rows, np.bool_), {}, ())


def _asked(how: Encoding) -> Iterator[Field]:
    return (one for one in how.fields if one.features)


def _target(goal: Goal, features: Floats, rng: Generator) -> Floats:
    """[n], of labels [n, labels]: by a model of random coefficients."""
    outputs = len(goal.classes) if goal.side == "classes" else len(goal.names)
    centred = features - features.mean(axis=0)
    slopes = rng.normal(0, 3 / np.sqrt(features.shape[1]), (features.shape[1], outputs))
    margins: Floats = centred @ slopes + rng.normal(0, 1, outputs)
    if goal.side == "number":
        return np.asarray(np.clip(margins[:, 0] / 3 + rng.normal(0, 0.2, len(features)), -1, 1))
    if goal.side == "classes":
        return np.asarray((margins + rng.gumbel(size=margins.shape)).argmax(axis=1), np.float64)
    sides = np.asarray(margins + rng.logistic(size=margins.shape) > 0, np.float64)
    return sides if goal.side == "labels" else sides[:, 0]
