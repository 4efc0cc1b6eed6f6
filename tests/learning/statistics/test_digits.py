"""Digits that sums lose where numbers differ by little of their declared range: a run says so.

Known: scipy and NumPy on the rows themselves, and fractions, which lose nothing.
"""

import json
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import potluck
from potluck.core.plan import Statistic
from potluck.learning.loops import build
from support.learning.sums import category, frames, number, run
from support.learning.sums import stats as plan_of

COLUMNS = {"x": number(0, 1), "y": number(0, 1), "g": category("all", "b")}
ROWS = 400
WANTED = (
    Statistic(name="paired", kind="test", test="paired", columns=("x", "y")),
    Statistic(name="welch", kind="test", test="welch", column="x", by="g"),
    Statistic(name="anova", kind="test", test="anova", column="x", by="g"),
    Statistic(name="r", kind="test", test="correlation", columns=("x", "y")),
    Statistic(name="spread", kind="variance", column="x", by="g"),
    Statistic(name="pca", kind="pca", columns=("x", "y")),
    Statistic(name="table", kind="table1", columns=("x",), by="g", bins=16),
)


def rows_of(deviation):
    """Numbers about .3 that differ by so little; that y is that much less than x has a p of about .10."""
    rng = np.random.default_rng(7)
    noise = stats.zscore(rng.normal(size=(2, ROWS)), axis=1, ddof=1)
    x = 0.3 + deviation * noise[0]
    y = x - deviation * (noise[1] + stats.t.isf(0.05, ROWS - 1) / ROWS**0.5)
    return pd.DataFrame({"x": x, "y": y, "g": np.where(rng.random(ROWS) < 0.4, "all", "b")})


def outcome(rows):
    spec = plan_of(COLUMNS, *WANTED)
    made = run(build(spec), frames(spec, rows[:150], rows[150:]), grid=True)
    return json.loads(json.dumps(made.document())), made.warnings


def scipys(rows):
    first, second = (rows["x"][rows["g"] == name] for name in ("all", "b"))
    apart = (second.mean() - first.mean()) / ((first.var() + second.var()) / 2) ** 0.5
    return {
        "paired": stats.ttest_rel(rows["x"], rows["y"]).pvalue,
        "welch": stats.ttest_ind(first, second, equal_var=False).pvalue,
        "anova": stats.f_oneway(first, second).pvalue,
        "r": rows["x"].corr(rows["y"]),
        "spread": rows["x"].var(ddof=0),
        "of all": first.var(ddof=0),
        "pca": np.linalg.eigvalsh(np.cov(rows["x"], rows["y"]))[1] / (rows["x"].var() + rows["y"].var()),
        "table": apart,
    }


def mine(found):
    return {
        **{name: found[name]["p"] for name in ("paired", "welch", "anova")},
        "r": found["r"]["matrix"][0][1],
        "spread": found["spread"]["value"],
        "of all": found["spread"]["by"]["all"]["value"],
        "pca": (found["pca"]["explained"] or [None])[0],
        "table": found["table"]["rows"][0].get("smd", {}).get("value"),
    }


@pytest.mark.parametrize("deviation", [3e-2, 1e-3, 1e-4])
def test_where_nothing_is_said_numbers_are_right(deviation):
    rows = rows_of(deviation)
    found, warnings = outcome(rows)
    assert warnings == ()
    assert mine(found) == pytest.approx(scipys(rows), rel=2e-3)


def test_a_p_that_lost_its_digits_is_said_to_have_lost_them():
    rows = rows_of(1e-6)
    found, warnings = outcome(rows)
    assert scipys(rows)["paired"] == pytest.approx(0.10)
    assert found["paired"]["p"] != pytest.approx(0.10, rel=2e-2)  # what is to be said
    assert {line.split(":")[0] for line in warnings} == {"paired", "welch", "anova", "r", "spread", "pca", "table/x"}
    assert all("hint: declare a narrower range" in line for line in warnings)
    assert "spread: x (g = all, g = b, all) is the same" in " ".join(warnings)


def test_where_no_digit_is_sure_a_variance_is_zero_and_no_test_is_made_of_it():
    rows = rows_of(1e-8)
    found, warnings = outcome(rows)
    variances = [found["spread"], found["spread"]["by"]["all"]]
    assert [one["value"] for one in variances] == [0, 0]
    assert all(0 < scipys(rows)[name] <= one["high"] for name, one in zip(("spread", "of all"), variances, strict=True))
    assert {value for name, value in mine(found).items() if name not in ("spread", "of all")} == {None}
    assert len(warnings) >= len(WANTED)


def exactly(x):
    """The variance of doubles, in fractions."""
    every = [Fraction(one) for one in x]
    return float(sum(one * one for one in every) / len(every) - (sum(every) / len(every)) ** 2)


def test_an_exact_variance_lies_between_the_ends_and_where_nothing_is_said_it_is_the_value():
    rng, size = np.random.default_rng(11), 300
    middles, deviations = (0.0, 1e6, 5e6, 9.9e6), (0.0, 1e-6, 1e-3, 1e-2, 0.1, 1.0, 10.0, 1e3, 1e5)
    made = {f"x{m:g}_{d:g}": (m + d * rng.normal(size=size)).clip(0, 1e7) for m in middles for d in deviations}
    rows = pd.DataFrame(made)
    spec = plan_of(
        {name: number(0, 1e7) for name in made}, *(Statistic(name=name, kind="variance", column=name) for name in made)
    )
    found = run(build(spec), frames(spec, rows[:100], rows[100:]), grid=True)
    said = {line.split(":")[0] for line in found.warnings}
    for name, x in made.items():
        one, exact = found.results[name], exactly(x)
        if name in said:
            assert one.low * (1 - 1e-6) <= exact <= one.high * (1 + 1e-6), name
            assert one.low <= one.value <= one.high
        else:
            assert one.low == one.value == one.high == pytest.approx(exact, rel=1e-4), name
    assert all(found.results[f"x{m:g}_0"].value == rows[f"x{m:g}_0"].var(ddof=0) == 0 for m in middles)
    assert {"x1e+06_1", "x5e+06_1", "x9.9e+06_1"} <= said  # a million, give or take one, within ten million
    assert not said & {f"x{m:g}_{d:g}" for m in middles for d in (1e3, 1e5)}


@pytest.mark.filterwarnings("ignore:Precision loss")  # what scipy says of the same rows
def test_a_group_whose_rows_are_all_the_same_leaves_the_others_right():
    rows = rows_of(0.03)
    rows.loc[rows["g"] == "all", "x"] = 0.3
    found, warnings = outcome(rows)
    known = scipys(rows)
    for name in ("paired", "welch", "anova", "r", "spread", "pca", "table", "of all"):
        assert mine(found)[name] == pytest.approx(known[name], rel=1e-6), name
    assert {line.split(":")[0] for line in warnings} == {"welch", "anova", "spread", "table/x"}
    assert "spread: x (g = all) is the same" in " ".join(warnings)


def test_a_runs_document_says_it_and_a_single_row_has_no_variance(tmp_path):
    rows = rows_of(0.03)
    rows["g"], rows.loc[0, "g"] = "b", "all"
    plan = potluck.Plan(
        name="digits",
        purpose="test",
        task="statistics",
        federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={
            "columns": {
                "x": {"kind": "number", "low": 0, "high": 1},
                "y": {"kind": "number", "low": -1e6, "high": 1e6},
                "g": {"kind": "category", "values": ["all", "b"]},
            },
            "max_rows": 400,
        },
        statistics=[
            {"name": "x", "kind": "variance", "column": "x", "by": "g"},
            {"name": "y", "kind": "variance", "column": "y"},
        ],
        protect={"with": "mask"},
        privacy={"noise": "none"},
    )
    document = potluck.run(plan, {"a": rows[:150], "b": rows[150:250], "c": rows[250:]}, out=tmp_path / "run").document
    assert document["results"]["x"]["by"]["all"] == {"value": 0, "low": 0, "high": 0}
    assert [line.split(":")[0] for line in document["warnings"] if "sure digits" in line] == ["y"]
