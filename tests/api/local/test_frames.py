"""A run takes rows from whatever library has them, and gives the same model."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

import potluck

PLAN = potluck.Plan(
    name="frames",
    purpose="rows from Python",
    task="train",
    federation={"sites": ["a", "b"], "server": "curious"},
    data={
        "columns": {
            "x": {"kind": "number", "low": 0, "high": 10},
            "c": {"kind": "category", "values": ["u", "v"]},
            "y": {"kind": "category", "values": ["True", "False"]},
        },
        "target": {"column": "y", "positive": ["True"]},
        "max_rows": 100,
    },
    model={"kind": "logistic"},
    training={"method": "newton", "rounds": 3},
    protect={"with": "clear"},
    privacy={"noise": "none"},
)
LIBRARIES = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "polars, lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "arrow": pa.Table.from_pandas,
    "duckdb": lambda frame: duckdb.from_arrow(pa.Table.from_pandas(frame)),
}


def frame(seed):
    draw = np.random.default_rng(seed)
    x = draw.uniform(0, 10, 40)
    return pd.DataFrame({"x": x, "c": draw.choice(["u", "v"], 40), "y": x + draw.normal(0, 1, 40) > 5})


def test_frames_of_every_library_give_the_same_model_and_are_scored_alike():
    assert potluck.check(PLAN).errors == []
    rows = {"a": frame(1), "b": frame(2)}
    digests, scores = set(), set()
    for make in LIBRARIES.values():
        run = potluck.run(PLAN, {site: make(one) for site, one in rows.items()})
        digests.add(run.model.digest())
        scores.add(run.model.predict_proba(make(rows["a"])).tobytes())
    assert (len(digests), len(scores)) == (1, 1)
    assert run.model.predict_proba(rows["a"]).shape == (40, 2)


def test_a_plan_is_checked_against_rows_as_it_is_run_on_them():
    rows = {"a": frame(1), "b": frame(2)}
    verdict, run = potluck.check(PLAN, data=rows), potluck.run(PLAN, data=rows)
    assert verdict.data == run.data
    assert verdict.data["a"].read == len(rows["a"])
    text = rows["a"].astype({"x": object})
    text.loc[0, "x"] = "about 5"
    assert "nan, inf or text where a number is expected" in potluck.check(PLAN, data=rows | {"a": text}).errors[0]
    assert "there is none for site b" in potluck.check(PLAN, data={"a": rows["a"]}).errors[0]
