"""Whole fits by the engine: a known data set split by its columns."""

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer

import potluck
from support.parties.fit_scene import plan

NEAR = 1e-3
"""How far a coefficient may be from float64's."""


def done(made, given, out, **more):
    return potluck.run(made, given, out=out, ledger=out.parent / "ledger", **more)


def tumours(width):
    """(plan, frames, pooled table, names): so many of thirty columns, half of them at each of two owners."""
    data = load_breast_cancer(as_frame=True)
    whole = data.data.rename(columns=lambda name: name.replace(" ", "_"))
    names = list(whole.columns)[:width]
    whole["id"] = [f"p{n}" for n in range(len(whole))]
    whole["y"] = 1 - data.target
    whole["fold"] = np.where(np.random.default_rng(1).random(len(whole)) < 0.3, "test", "train")
    columns = {
        name: {
            "kind": "number",
            "low": float(whole[name].min()),
            "high": float(whole[name].max()),
            "owner": f"o{2 * place // width}",
        }
        for place, name in enumerate(names)
    }
    made = plan()
    made = made.set("data.columns", columns | {"y": {"kind": "category", "values": ["0", "1"], "owner": "o0"}})
    given = {"o0": whole[[*names[: width // 2], "id", "y", "fold"]], "o1": whole[[*names[width // 2 :], "id"]][::-1]}
    scaled = 2 * (whole[names] - whole[names].min()) / (whole[names].max() - whole[names].min()) - 1
    return made, given, pd.concat([scaled, whole[["y", "fold"]]], axis=1), names


def sides(whole, names):
    """(x, y) to train on and (x, y) held out."""
    train, test = whole[whole.fold == "train"], whole[whole.fold == "test"]
    return (train[names], train.y), (test[names], test.y)
