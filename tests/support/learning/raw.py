"""Plans over raw columns of every sort that other programs read, models that nobody trained, and rows that nobody saw:
beyond ranges, of values that no plan declares, with nothing in them."""

import numpy as np
import pandas as pd

from potluck.core.plan import Column, Data, Model, Target, Training
from potluck.core.tables.derived import Derive
from potluck.learning.data.encode import encoding, with_means
from potluck.learning.data.target import goal_of
from potluck.learning.models.boosted.curves import curves_of
from potluck.learning.models.boosted.forest import NOTHING, Forest, Tree
from potluck.learning.models.boosted.layout import binned
from potluck.learning.models.layers import size
from potluck.learning.models.model import Model as Trained
from potluck.learning.models.model import model
from support.learning.sums import category, make, number

TARGETS = {
    "binary": Target(column="y", positive=("1",)),
    "number": Target(column="out"),
    "two": Target(column="y", classes=("b", "a")),
    "classes": Target(column="y", classes=("c", "a", "b")),
}
CASES = [
    (kind, side)
    for kind, sides in {
        "logistic": ("binary", "two", "classes"),
        "linear": ("number",),
        "additive": tuple(TARGETS),
        "network": ("binary", "number", "classes"),
    }.items()
    for side in sides
]


def plan(rng, kind, side, missing=("", "?", "-99")):
    """A plan with a column of each sort, some of their rules drawn."""

    def rule(*rules):
        return rules[rng.integers(len(rules))]

    low, gone, asked = float(rng.normal() * 10), rule("flag", "drop"), rule("flag", "refuse", "drop")
    stages = ("I", "II", "III")
    columns = {
        "plain": number(low, low + float(rng.uniform(0.1, 100))),
        "flagged": number(-5, 5, "flag"),
        "dropped": number(0, 1, "drop"),
        "filled": number(-20, 40, rule("mean", "flag")),
        "text": category("low", "middle", "high", missing="flag"),
        "referred": Column(kind="category", values=stages, missing=gone, reference=rule(*stages)),
        "coded": category("0", "1", "01x", "2.5", missing=asked),
        "truth": category("true", "false"),
        "dose": number(1, 1000, "drop"),
        "stage": category("a", "b", "c", "d"),
        "year": number(0, 100),
        "born": Column(kind="date", format="%d.%m.%Y"),
        "out": number(-40, 260),
    }
    early = {"a": "yes", "c": "yes", "d": "no"}
    old = {"below 10": "new", "20 to 50.5": "old", "50.5 or more": "old"}
    edges, first = (10.0, 20.0, 50.5), rule(None, "below 10")
    derive = {
        "log_dose": Derive(kind="log", source="dose", low=0.0, high=7.0, missing=gone),
        "early": Derive(kind="recode", source="stage", map=early, missing=gone),
        "decade": Derive(kind="bins", source="year", edges=edges, missing="flag", reference=first),
        "old": Derive(kind="recode", source="decade", map=old, missing="flag"),
        "age": Derive(kind="years", source="born", to=rule("2025-02-28", "2024-02-29"), low=0.5, high=90, missing=gone),
        "days": Derive(kind="days", source="born", to="2025-01-01", low=0, high=30000.5, missing="flag"),
        "band": Derive(kind="bins", source="age", edges=(18.0, 40.5, 65.0), missing="flag"),
        "tens": Derive(kind="bins", source="year", edges=edges, missing="drop", reference=first),
    }
    if side != "number":
        del columns["out"]
    methods = {"network": "average", "additive": "boosting", "trees": "boosting"}
    return make(
        data=Data(columns=columns, derive=derive, target=TARGETS[side], missing=tuple(missing), split=None),
        model=Model(kind=kind, layers=(4, 3), activation=rule("tanh", "relu"), bins=7),
        training=Training(method=methods.get(kind, "newton")),
    )


def filled(rng, spec):
    """A plan's encoding, with what fills gaps."""
    how = encoding(spec)
    return with_means(how, rng.uniform(-1, 1, len(how.averaged)))


def trained(rng, spec):
    """A model of drawn numbers."""
    how, goal, kind = filled(rng, spec), goal_of(spec), spec.model.kind
    if kind == "additive":
        layout = binned(how, spec.model.bins)
        return Trained(
            kind, how, goal, np.zeros(0), curves=curves_of(layout, rng.normal(size=(goal.outputs, layout.cells)))
        )
    wide = len(how.names)
    last = size(((wide, 4), (4, 3), (3, goal.outputs))) if kind == "network" else (1 + wide) * goal.outputs
    return model(spec, np.append(rng.normal(size=last), [one.fill for one in how.fields if one.missing == "mean"]))


def trees(rng, side="binary", spec=None, depth=3):
    """A forest of drawn questions, two trees an output."""
    spec = spec or plan(rng, "trees", side)
    how, goal = filled(rng, spec), goal_of(spec)

    numbers = binned(how, 7).numbers

    def tree():
        asked, count = rng.integers(len(how.names), size=2**depth - 1), 2**depth - 1
        cuts = np.where(numbers[asked], rng.uniform(-1, 1, count).astype(np.float32), 0.5)
        cuts = np.where(numbers[asked] & (rng.random(count) < 0.1), NOTHING, cuts)
        return Tree(
            features=tuple(how.names[place] for place in asked),
            cuts=tuple(cuts.tolist()),
            leaves=tuple(rng.normal(size=2**depth).tolist()),
            left=tuple((rng.random(count) < 0.5).tolist()),
        )

    made = Forest(first=float(rng.normal()), trees=tuple(tree() for _ in range(2 * goal.outputs)))
    return Trained("trees", how, goal, np.zeros(0), forest=made)


def refused(spec, frame):
    """[n] whether a row lacks a value that the plan asks for."""
    found = np.zeros(len(frame), np.bool_)
    for name, one in spec.data.columns.items():
        if one.missing == "refuse" and any(field.name == name for field in encoding(spec).fields):
            found |= np.array([x is None or x != x or x in ("", "?", -99) for x in frame[name].tolist()])
    return found


def rows(rng, spec, count=200):
    """Typed rows: of numbers floats, with and without a value; of codes texts, numbers, truths, pandas' categories."""
    plain = spec.data.columns["plain"]
    wide = plain.high - plain.low

    def chosen(*values):
        return [values[place] for place in rng.integers(len(values), size=count)]

    def gappy(values, *gaps):
        found = np.asarray(values, dtype=object)
        for gap in gaps:
            found[rng.random(count) < 0.1] = gap
        return found

    def either(one, other):
        return one if rng.random() < 0.5 else other

    levels = chosen("I", "II", "III", "IV", None), pd.Categorical(chosen("I", "III", None))
    codes = chosen(0, 1.0, "01x", 2.5, "1", "0.0", "2.5", True, 7), np.asarray(chosen(0, 1, -99, 3, np.nan))
    stage, years = pd.Series(chosen("a", "b", "c", "d", "e", " a ", None)), [-1, 10, 20, 50.5, 50.4, 3, 77]
    numbers = rng.choice([plain.low, plain.high, plain.low + wide / 7], count)
    born = pd.to_datetime("1930-02-28") + pd.to_timedelta(rng.choice([*range(3), *range(0, 36000, 365)], count), "D")
    known = pd.Series(born).where(rng.random(count) < 0.9)
    return pd.DataFrame({
        "unknown": rng.normal(size=count),
        "plain": numbers + wide * rng.choice([0, 0, 1, -1, 0.3], count),
        "flagged": np.asarray(gappy(rng.normal(size=count) * 5, np.nan, -99), dtype=float),
        "filled": np.asarray(gappy(rng.normal(size=count) * 30, np.nan, -99), dtype=float),
        "dropped": gappy(rng.normal(size=count), "?", np.nan, None, -99),
        "text": chosen("low", " middle", "high ", "HIGH", "other", "", "?", None, np.nan),
        "referred": either(*levels),
        "coded": either(*codes),
        "truth": chosen(True, False),
        "dose": np.asarray(gappy(np.exp(rng.normal(size=count) * 4), np.nan), dtype=float),
        "stage": either(stage, stage.astype("category")),
        "year": np.asarray(gappy(rng.choice(years, count), np.nan, -99), dtype=float),
        "born": either(known, known.dt.strftime("%d.%m.%Y")),
        "out": rng.normal(size=count),
    })  # fmt: skip
