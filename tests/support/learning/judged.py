"""Finished models that nobody trained, rows of three sites to judge them on, and a plan that does."""

from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd

import potluck
from potluck.learning.models.boosted.forest import Forest, Tree
from potluck.learning.models.model import Model
from support.learning.models import some

NONE = {"noise": "none"}
NOISE = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5}
LABELS = ("y", "z", "w", "k")


def finished(kind="logistic"):
    """A model over columns n, c and m: of two sides, of a number, of three classes, of four labels, or of trees; or
    over n alone."""
    if kind == "narrow":  # which takes one column, and drops no row
        whole = finished()
        how = msgspec.structs.replace(whole.encoding, fields=whole.encoding.fields[:1])
        return replace(whole, encoding=how, weights=whole.weights[:3])
    if kind == "classes":
        return some("network", ("0", "1", "2"))
    if kind != "trees":
        return some(kind)
    other = some("logistic")
    trees = (
        Tree(features=("n", "m", "c=1"), cuts=(0.0, 0.2, 0.5), leaves=(-0.5, 0.3, 0.8, 2.0)),
        Tree(features=("m",), cuts=(-0.4,), leaves=(-0.6, 0.4)),
    )
    forest = Forest(first=-0.1, trees=trees)
    return Model("trees", other.encoding, other.target, np.zeros(0), forest=forest)


def rows(count=240, seed=0, of=None):
    """Rows of one site: sex is no feature of any model, y is likelier positive where the model says so."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "n": rng.uniform(0, 10, count).round(3),
            "c": rng.choice(["0", "1", "x"], count),
            "m": rng.uniform(-5, 5, count).round(3),
            "sex": rng.choice(["f", "m"], count, p=[0.4, 0.6]),
        }
    )
    model = of or finished()
    said = model.scores(frame)
    if model.target.side == "number":
        return frame.assign(out=np.clip(said + rng.normal(0, 20, count), 100, 300))
    if model.target.side == "classes":
        drawn = [rng.choice(model.target.classes, p=one / one.sum()) for one in said]
        return frame.assign(y=drawn)
    sides = (rng.random(said.shape) < said).astype(int)
    names = LABELS if sides.ndim == 2 else ("y",)
    return frame.assign(**dict(zip(names, sides.reshape(count, -1).T, strict=True)))


def sites(of=None, names="abc", count=240):
    """By site."""
    return {name: rows(count, place, of) for place, name in enumerate(names)}


def write(folder, *models):
    """The models' files: their names."""
    names = [f"model{place}.json" for place, _ in enumerate(models, 1)]
    for name, one in zip(names, models, strict=True):
        one.write(folder / name)
    return names


def plan(folder, models, *, word="clear", privacy=None, by=None, bins=20, names="abc", **more):
    """A plan that judges these models, whose files lie in the folder."""
    files = write(folder, *models)
    given = {"file": files[0]} if len(files) == 1 else {"files": files}
    sex = {"sex": {"kind": "category", "values": ["f", "m"]}}
    return potluck.Plan(
        name="elsewhere",
        purpose="how well a finished model does here",
        task="evaluate",
        federation={"sites": list(names), "server": "curious"},
        data={"max_rows": 1000} | ({"columns": sex} if by else {}) | more.pop("data", {}),
        model={key: [str(folder / one) for one in value] if key == "files" else str(folder / value)
               for key, value in given.items()},
        evaluate={"bins": bins} | ({"by": by} if by else {}),
        protect={"with": word},
        privacy=privacy or NONE,
        **more,
    )  # fmt: skip
