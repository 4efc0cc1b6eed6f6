"""Plans and rows of boosted models, and the same rows as another program takes them: by the number of each bin."""

from functools import cache

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

import potluck
from potluck.learning.data.column import Field
from potluck.learning.data.encode import Encoding, encoding, gapped
from potluck.learning.data.table import read
from potluck.learning.data.target import goal_of
from potluck.learning.models.boosted.layout import layout

SITES = ("a", "b", "c")
BINS = 16
EVERY = 19
"""Of so many rows one is kept of what XGBoost says."""


def plan(columns, target, word="clear", rows=1000, **tables):
    """A plan to boost. tables: more keys of its tables."""
    base = {
        "name": "boosted",
        "purpose": "tests",
        "task": "train",
        "federation": {"sites": list(SITES), "server": "curious"},
        "data": {"columns": columns, "target": target, "split": {"column": "part"}, "max_rows": rows},
        "model": {"kind": "trees", "bins": BINS},
        "training": {"method": "boosting"},
        "protect": {"with": word},
        "privacy": {"noise": "none"},
    }
    return potluck.Plan(**{name: one | tables[name] if name in tables else one for name, one in base.items()})


def dealt(frame):
    """A frame's rows to the sites, three after three, and a third of each site's held out."""
    frame = frame.assign(part=np.where(np.arange(len(frame)) % 3 == 0, "test", "train"))
    return {name: frame[(np.arange(len(frame)) // 3) % 3 == place] for place, name in enumerate(SITES)}


def declared(frame):
    """Numbers, each on the range of its values, and the column that holds rows out."""
    ranges = {name: (float(one.min()), float(one.max())) for name, one in frame.items()}
    numbers = {name: {"kind": "number", "low": low, "high": high} for name, (low, high) in ranges.items()}
    return numbers | {"part": {"kind": "category", "values": ["test", "train"]}}


def of_numbers(names):
    """The encoding of columns of numbers on [-1, 1]."""
    return Encoding(fields=tuple(Field(name=name, kind="number") for name in names), missing=())


@cache
def numbered(name):
    """(frame with its target y, columns, target) of a data set of scikit-learn: of two sides, classes, a number."""
    load = {"cancer": load_breast_cancer, "wine": load_wine, "diabetes": load_diabetes}[name]
    x, y = load(return_X_y=True)
    frame = pd.DataFrame(x, columns=[f"f{place}" for place in range(x.shape[1])])
    columns = declared(frame)
    frame["y"] = y
    if name == "diabetes":
        return frame, columns | {"y": {"kind": "number", "low": 25.0, "high": 346.0}}, {"column": "y"}
    values = [str(one) for one in np.unique(y)]
    target = {"column": "y", "classes": values} if name == "wine" else {"column": "y", "positive": ["1"]}
    return frame, columns | {"y": {"kind": "category", "values": values}}, target


@cache
def mixed():
    """The same of made-up rows: a number, one that is often missing, a category, one side rare."""
    rng = np.random.default_rng(5)
    x, z, c = rng.uniform(0, 10, 600), rng.normal(0, 1, 600), rng.choice(list("abc"), 600)
    gone = rng.random(600) < 0.2
    odds = x / 3 + np.where(gone, -1.5, z) + (c == "a") + rng.normal(0, 1, 600)
    frame = pd.DataFrame({"x": x, "z": np.where(gone, np.nan, z), "c": c, "y": (odds > 3).astype(int)})
    columns = {
        "x": {"kind": "number", "low": 0, "high": 10},
        "z": {"kind": "number", "low": -3, "high": 3, "missing": "flag"},
        "c": {"kind": "category", "values": ["a", "b", "c"]},
        "y": {"kind": "category", "values": ["0", "1"]},
        "part": {"kind": "category", "values": ["test", "train"]},
    }
    return frame, columns, {"column": "y", "positive": ["1"]}


@cache
def gaps():
    """The same of made-up rows where high numbers are often missing, it matters whether another is, and a category is
    missing too."""
    rng = np.random.default_rng(5)
    x, z, c = rng.uniform(0, 10, 600), rng.normal(0, 1, 600), rng.choice(list("abc"), 600)
    gone = {"x": (x > 6) & (rng.random(600) < 0.6), "z": rng.random(600) < 0.3}
    odds = x / 2 + z / 4 - 2 * gone["z"] + (c == "a") + rng.normal(0, 1, 600)
    frame = pd.DataFrame({"x": x, "z": z, "c": c, "y": (odds > 3).astype(int)})
    frame = frame.assign(**{name: frame[name].where(~one) for name, one in gone.items()})
    frame["c"] = frame.c.where((c == "b") | (rng.random(600) < 0.7))
    columns = {name: one | {"missing": "flag"} if name in "xzc" else one for name, one in mixed()[1].items()}
    return frame, columns, {"column": "y", "positive": ["1"]}


FEW = {"rounds": 4}
CASES = {
    "two sides": (lambda: numbered("cancer"), {"training": FEW}),
    "classes": (lambda: numbered("wine"), {"training": FEW}),
    "a number": (lambda: numbered("diabetes"), {"training": FEW}),
    "missing and weighed": (gaps, {"training": {"rounds": 6, "class_weights": {"0": 3.0}}}),
}


def case(name, word="clear"):
    """(plan, rows by site)"""
    made, tables = CASES[name]
    frame, columns, target = made()
    return plan(columns, target, word, **tables), dealt(frame)


def pooled(made, sites):
    """(encoded features, target, which rows train) of all sites, as the plan reads them."""
    tables = [read(rows, made.spec, name) for name, rows in sites.items()]
    return tuple(np.concatenate([getattr(one, name) for one in tables]) for name in ("features", "target", "train"))


def binned(made, features):
    """[n, p] encoded features, a number by the place of its bin among those of equal width over its range."""
    found, numbers = features.copy(), layout(made.spec).numbers
    found[:, numbers] = np.clip(np.floor((features[:, numbers] + 1) / 2 * made.spec.model.bins), 0, None)
    return np.minimum(found, made.spec.model.bins - 1)


def as_theirs(made, features):
    """[n, q] the same as XGBoost takes them: NaN in all features of a column that has no value, and no flags."""
    return gapped(encoding(made.spec), binned(made, features))


OBJECTIVES = {"binary": "binary:logistic", "classes": "multi:softprob", "number": "reg:squarederror"}


def xgboost_margins(xgboost, made, sites):
    """[n, outputs] what XGBoost grows of the same rows and bins says. xgboost: its module."""
    rows = as_theirs(made, pooled(made, sites)[0])
    found = xgboost_grown(xgboost, made, sites).predict(xgboost.DMatrix(rows), output_margin=True)
    return found.reshape(len(rows), -1)


def xgboost_grown(xgboost, made, sites):
    """Its model."""
    goal, spec = goal_of(made.spec), made.spec.training
    features, target, train = pooled(made, sites)
    rows = as_theirs(made, features)
    weights = np.array([spec.class_weights.get(word, 1.0) for word in ("0", "1", "2")])
    each = weights[target[train].astype(int)] if spec.class_weights else None
    words = {
        "objective": OBJECTIVES[goal.side],
        "tree_method": "hist",
        "max_depth": made.spec.model.depth,
        "eta": spec.rate,
        "lambda": made.spec.model.l2,
        "min_child_weight": 0,
        "base_score": 0.5 if goal.side == "binary" else 0.0,
        "nthread": 1,
    }
    words |= {"num_class": goal.outputs} if goal.side == "classes" else {}
    return xgboost.train(words, xgboost.DMatrix(rows[train], target[train], weight=each), spec.rounds)
