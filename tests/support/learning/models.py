"""Models with weights that nobody trained, over columns of three kinds."""

import numpy as np

from potluck.core.plan import Data, Model, Split, Target, Training
from potluck.learning.models.model import model
from support.learning.sums import category, make, number

MIXED = {
    "n": number(0, 10, "flag"),
    "c": category("0", "1", "x", missing="flag"),
    "m": number(-5, 5, "drop"),
    "out": number(100, 300),
}


def mixed(kind="logistic", classes=None, activation="tanh"):
    target = {
        "logistic": Target(column="y", positive=("1",)),
        "linear": Target(column="out"),
        "network": Target(column="y", classes=classes) if classes else Target(column="y", positive=("1",)),
        "labels": Target(columns=("y", "z", "w", "k"), positive=("1",)),
    }[kind]
    columns = dict(MIXED) if kind == "linear" else {k: v for k, v in MIXED.items() if k != "out"}
    return make(
        data=Data(columns=columns, target=target, split=Split(test=0.3)),
        model=Model(kind="network" if kind == "labels" else kind, layers=(5, 3), activation=activation, seed=4),
        training=Training(method="newton" if kind in ("logistic", "linear") else "average"),
    )


def some(kind="logistic", classes=None, activation="tanh"):
    plan = mixed(kind, classes, activation)
    last = 12 if classes else 16 if kind == "labels" else 4
    size = 8 if kind in ("logistic", "linear") else 7 * 5 + 5 + 5 * 3 + 3 + last
    return model(plan, np.random.default_rng(3).normal(size=size))
