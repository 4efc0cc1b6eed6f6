"""A plan and rows that a person can check by hand, and the encoded rows of all sites in one place."""

import numpy as np
import pandas as pd

from potluck.core.plan import Data, Model, PrivacyPlan, Split, Target, Training
from support.learning.sums import category, make, number

FOLD = Split(column="fold")


def pooled(tables, test=False):
    x = np.vstack([t.features[t.test == test] for t in tables.values()])
    return x, np.concatenate([t.target[t.test == test] for t in tables.values()])


def tiny(method="newton", l2=1.0, kind="logistic", **more):
    columns = {"x": number(0, 10), "y": category("0", "1") if kind == "logistic" else number(0, 1)}
    target = Target(column="y", positive=("1",)) if kind == "logistic" else Target(column="y")
    data = Data(columns=columns, target=target, split=FOLD)
    return make(data=data, model=Model(kind=kind, l2=l2), training=Training(method=method, **more))


def rows(*cells):
    return pd.DataFrame(cells, columns=["x", "y", "fold"])


def noised(unit, **more):
    return PrivacyPlan(noise="shared", unit=unit, epsilon=1.0, delta=1e-5, clip=0.7, **more)
