"""Tests, tables, rates and components of a plan: on several sites what scipy and pandas say of the pooled rows.

Rossi's rows are those of 432 convicts after their release (Rossi, Berk and Lenihan 1980), as lifelines has them.
"""

import math
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq

import potluck
from potluck.core.asks import Kind
from potluck.core.plan import PrivacyPlan, Statistic
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.learning.statistics import gram
from potluck.learning.statistics.check import check
from potluck.learning.statistics.kinds import pca
from potluck.secret.random import system
from support.examples import examples
from support.learning.sums import category, frames, number, run, summed
from support.learning.sums import stats as plan_of

ROSSI = pd.read_csv(Path(__file__).parents[2] / "support" / "learning" / "rossi.csv")
ROSSI["old"] = pd.cut(ROSSI["age"], [0, 20, 25, 30, 100], right=False, labels=["-19", "-24", "-29", "30-"]).astype(str)
COLUMNS = {
    "week": number(0, 52),
    "prio": number(0, 20),
    "age": number(16, 48),
    "fin": category("0", "1"),
    "arrest": category("0", "1"),
    "race": category("0", "1"),
    "old": category("-19", "-24", "-29", "30-", "nobody"),
}


def hypothesis(name, test, **keys):
    return Statistic(name=name, kind="test", test=test, **keys)


def found(*wanted, rows=ROSSI, columns=COLUMNS):
    """What two sites find together, by name, on the plan's own grid."""
    spec = plan_of(columns, *wanted)
    half = len(rows) // 3
    return run(build(spec), frames(spec, rows[:half], rows[half:]), grid=True).document()


def test_tests_of_a_plan_say_what_scipy_says_of_the_pooled_rows():
    """Known: what scipy 1.17 says of the 432 rows."""
    by = found(
        hypothesis("chi2", "chi2", columns=("fin", "arrest")),
        hypothesis("four", "chi2", columns=("old", "arrest")),
        hypothesis("welch", "welch", column="prio", by="fin"),
        hypothesis("paired", "paired", columns=("age", "week")),
        hypothesis("anova", "anova", column="prio", by="old"),
        hypothesis("kruskal", "kruskal", column="prio", by="old", bins=21),
        hypothesis("mannwhitney", "mannwhitney", column="prio", by="fin", bins=21),
        hypothesis("ks", "ks", column="prio", by="fin", bins=21),
        hypothesis("correlation", "correlation", columns=("week", "prio", "age")),
        hypothesis("spearman", "spearman", columns=("week", "prio"), bins=53),
    )
    known = {
        "chi2": (3.860973, 0.0494217),
        "four": (26.333784, 8.1195e-6),
        "welch": (0.016593773, 0.98676839),
        "anova": (2.714951135, 0.04443236),
        "kruskal": (7.729419846, 0.05194764),
        "mannwhitney": (23695, 0.7737374),
        "ks": (0.0416667, 0.9881141),
        "spearman": (-0.168598316, 0.000432651),
    }
    for name, (statistic, p) in known.items():
        assert by[name]["statistic"] == pytest.approx(statistic, rel=1e-6), name
        assert by[name]["p"] == pytest.approx(p, rel=1e-4), name
    assert by["chi2"]["yates"] == pytest.approx(3.443893, rel=1e-6)
    assert by["welch"]["df"] == pytest.approx(429.914319, rel=1e-6)
    assert by["anova"]["df"] == (3, 428)
    pairs = stats.ttest_rel(ROSSI["age"], ROSSI["week"])
    assert by["paired"] == pytest.approx({"statistic": pairs.statistic, "df": 431, "p": pairs.pvalue}, rel=1e-6)
    assert by["correlation"]["columns"] == ("week", "prio", "age")
    assert by["correlation"]["matrix"][0][1] == pytest.approx(-0.178614101, rel=1e-6)
    assert by["correlation"]["p"][0][1] == pytest.approx(0.000190178, rel=1e-4)


def test_a_test_by_group_is_that_of_the_groups_rows():
    by = found(
        hypothesis("chi2", "chi2", columns=("race", "arrest"), by="fin"),
        hypothesis("r", "correlation", columns=("week", "prio"), by="fin"),
    )
    for name, rows in ROSSI.groupby("fin"):
        known = stats.chi2_contingency(pd.crosstab(rows["race"], rows["arrest"]), correction=False)
        assert by["chi2"]["by"][str(name)]["statistic"] == pytest.approx(known.statistic)
        assert by["r"]["by"][str(name)]["matrix"][0][1] == pytest.approx(rows["week"].corr(rows["prio"]), rel=1e-6)


def test_components_are_those_of_the_scaled_columns():
    by = found(Statistic(name="pca", kind="pca", columns=("week", "prio", "age"), k=2))["pca"]
    wide = np.array([52, 20, 32])
    spread = np.cov((ROSSI[["week", "prio", "age"]].to_numpy() / (wide / 2)).T)
    shares, axes = np.linalg.eigh(spread)
    assert by["explained"] == pytest.approx((shares[::-1] / shares.sum())[:2])
    for mine, axis in zip(by["components"], axes.T[::-1], strict=False):
        assert max(mine, key=abs) > 0
        assert np.abs(mine) == pytest.approx(np.abs(axis), abs=1e-6)
        assert abs(np.dot(mine, axis)) == pytest.approx(1)


def test_noise_turns_components_and_moves_what_they_explain():
    """What docs/concepts/statistics.md says of a noised `pca`, which is why there is none. Noise for one row at epsilon
    1, delta 1e-6: Balle and Wang 2018, "Improving the Gaussian Mechanism for Differential Privacy"."""

    def delta(std):
        return stats.norm.cdf(0.5 / std - std) - math.e * stats.norm.cdf(-0.5 / std - std)

    std, draw, found = brentq(lambda std: delta(std) - 1e-6, 0.1, 20), np.random.default_rng(0), {}
    for p in (3, 10):
        alike = (np.full((p, p), 0.3) + 0.7 * np.eye(p)) / 9
        for _ in range(200):
            rows = np.clip(draw.multivariate_normal(np.zeros(p), alike, 500), -1, 1)
            sums = gram.products(np.column_stack([np.ones(500), rows])).sum(axis=0)
            noised = gram.square(sums + draw.normal(0, std * math.sqrt(len(sums)), len(sums)))
            axes, shares = pca.components(gram.square(sums), p, 0.0)
            turned, moved = pca.components(noised, p, 0.0)
            angle = math.degrees(math.acos(min(1.0, abs(float(axes[0] @ turned[0])))))
            least = np.linalg.eigvalsh(gram.covariances(noised, 0.0).spread)[0]
            found.setdefault(p, []).append((shares[0], moved[0], angle, least < 0))
    three, ten = (np.mean(found[p], axis=0) for p in (3, 10))
    assert three[:2] == pytest.approx([0.535, 0.58], abs=0.01)
    assert ten[2] == pytest.approx(39, abs=2)
    assert ten[3] > 0.99


def test_top_has_the_values_that_most_rows_have():
    by = found(Statistic(name="top", kind="top", column="old", k=3, by="fin"))["top"]
    for mine, rows in ((by, ROSSI), (by["by"]["1"], ROSSI[ROSSI["fin"] == 1])):
        known = rows["old"].value_counts()[:3]
        assert [one["value"] for one in mine["top"]] == known.index.tolist()
        assert [one["count"] for one in mine["top"]] == [{"value": n, "low": n, "high": n} for n in known]


GAPS = pd.DataFrame(
    {
        "x": [1.0, np.nan, -7.0, 30.0, 30.0, 4.0, 5.0, np.nan],
        "g": ["a", "b", "", "z", "b", "a", "z", ""],
        "h": ["0", "1", "0", "1", "0", "1", "0", "other"],
    }
)
GAPPED = {"x": number(0, 10, "flag"), "g": category("a", "b", missing="drop"), "h": category("0", "1")}


def test_rates_are_of_all_rows_whatever_else_they_lack():
    by = found(
        Statistic(name="m", kind="missing", columns=("x", "g")),
        Statistic(name="one", kind="missing", columns=("g",), by="h"),
        rows=GAPS,
        columns=GAPPED,
    )

    def rates(one):
        return {name: {fault: rate["value"] for fault, rate in each.items()} for name, each in one["rates"].items()}

    assert rates(by["m"]) == {
        "x": {"missing": 2 / 8, "below": 1 / 8, "above": 2 / 8},
        "g": {"missing": 2 / 8, "undeclared": 2 / 8},
    }
    assert rates(by["one"]) == {"g": {"missing": 2 / 8, "undeclared": 2 / 8}}
    assert rates(by["one"]["by"]["0"]) == {"g": {"missing": 1 / 4, "undeclared": 1 / 4}}
    assert rates(by["one"]["by"]["1"]) == {"g": {"missing": 0, "undeclared": 1 / 3}}


def test_the_table_of_a_study_is_what_pandas_says_of_the_pooled_rows():
    """Known: the standardised differences by fin, of numbers over n - 1, of 0/1 values by their shares."""
    by = found(Statistic(name="t", kind="table1", columns=("prio", "race", "old"), by="fin", bins=256))["t"]
    width = 20 / 256
    for mine, rows in ((by, ROSSI), (by["by"]["0"], ROSSI[ROSSI["fin"] == 0])):
        prio, *levels = mine["rows"]
        assert [(one["column"], one["level"]) for one in levels] == [
            *(("race", level) for level in "01"),
            *(("old", level) for level in COLUMNS["old"].values),
        ]
        known = rows["prio"]
        assert prio["n"]["value"] == len(known)
        assert prio["mean"]["value"] == pytest.approx(known.mean())
        assert prio["sd"]["value"] == pytest.approx(known.std())
        for key, q in (("q1", 0.25), ("median", 0.5), ("q3", 0.75)):
            assert 0 <= known.quantile(q, interpolation="inverted_cdf") - prio[key]["value"] <= width
        for one in levels:
            count = (rows[one["column"]].astype(str) == one["level"]).sum()
            assert one["n"] == {"value": count, "low": count, "high": count}
            assert one["percent"]["value"] == pytest.approx(100 * count / len(rows))
        assert all(one["missing"]["value"] == 0 for one in mine["rows"])
    apart = {(one["column"], one.get("level")): one["smd"]["value"] for one in by["rows"] if "smd" in one}
    assert apart["prio", None] == pytest.approx(-0.001596737, rel=1e-5)
    assert apart["race", "1"] == pytest.approx(0.127260133, rel=1e-6)
    assert ("old", "nobody") not in apart
    assert all(one["smd"]["low"] == one["smd"]["high"] for one in by["rows"] if "smd" in one)
    assert all("smd" not in one for one in by["by"]["0"]["rows"])


def test_the_table_counts_what_is_missing_and_leaves_undeclared_values_out_of_percent():
    by = found(Statistic(name="t", kind="table1", columns=("x", "g"), bins=10), rows=GAPS, columns=GAPPED)["t"]
    x, a, b = by["rows"]
    assert (x["n"]["value"], x["missing"]["value"]) == (6, 2)
    assert x["mean"]["value"] == pytest.approx(np.mean([1, 0, 10, 10, 4, 5]))
    assert [one["n"]["value"] for one in (a, b)] == [2, 2]
    assert [one["percent"]["value"] for one in (a, b)] == [50, 50]
    assert [one["missing"]["value"] for one in (a, b)] == [2, 2]


NOISY = (
    hypothesis("chi2", "chi2", columns=("g", "h")),
    hypothesis("welch", "welch", column="x", by="h"),
    hypothesis("paired", "paired", columns=("x", "y")),
    hypothesis("mannwhitney", "mannwhitney", column="x", by="h", bins=7),
    hypothesis("spearman", "spearman", columns=("x", "y"), bins=5),
    hypothesis("correlation", "correlation", columns=("x", "y", "z")),
    Statistic(name="top", kind="top", column="g"),
    Statistic(name="missing", kind="missing", columns=("x", "g")),
    Statistic(name="table1", kind="table1", columns=("x", "g"), bins=8),
)
WIDE = {"x": number(-2, 10, "flag"), "y": number(0, 3, "flag"), "z": number(5, 6, "flag")}
HOSTILE = st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(max_examples=examples(30), deadline=None)
@given(st.tuples(HOSTILE, HOSTILE, HOSTILE, st.sampled_from(["a", "b", "z", ""]), st.sampled_from(["0", "1", "z"])))
def test_no_row_adds_more_than_its_blocks_sensitivity(row):
    privacy = PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5)
    columns = WIDE | {"g": category("a", "b", missing="flag"), "h": category("0", "1")}
    spec = plan_of(columns, *NOISY, privacy=privacy)
    task = build(spec)
    ask = task.ask(Kind.STATISTICS, 0, b"")
    rows = read(pd.DataFrame([row], columns=[*"xyzgh"]), spec, "a")
    values = summed(next(task.contribute(ask, rows, system)), ask)
    known = [1, math.sqrt(3), math.sqrt(3), 1, 1, math.sqrt(10), 1, 1, 1, 1, math.sqrt(3), 1, 1]
    start = 0
    assert [block.l2 for block in ask.blocks] == pytest.approx(known)
    for block in ask.blocks:
        mine = values[start : start + block.size]
        start += block.size
        assert np.linalg.norm(mine) <= block.l2 * (1 + 1e-12)
        assert np.abs(mine).max() <= block.high
        assert not block.single or (mine != 0).sum() <= 1
    assert [block.single for block in ask.blocks] == [
        True,
        False,
        False,
        True,
        True,
        False,
        True,
        True,
        True,
        True,
        False,
        True,
        True,
    ]


def problems(one, noise="none"):
    privacy = PrivacyPlan(noise=noise, unit="row", epsilon=1.0, delta=1e-5) if noise != "none" else None
    return list(check(plan_of(COLUMNS, one, **({"privacy": privacy} if privacy else {}))))


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (Statistic(name="t", kind="test", column="age"), "statistics.t.test: is missing. hint: one of chi2, welch"),
        (hypothesis("t", "welch", column="age"), "statistics.t.by: is missing"),
        (hypothesis("t", "welch", column="age", by="old"), "statistics.t.by: old has 5 declared values"),
        (hypothesis("t", "anova", column="fin", by="old"), "statistics.t.column: fin is a category"),
        (hypothesis("t", "chi2", columns=("fin",)), "statistics.t.columns: a table needs two columns"),
        (hypothesis("t", "paired", columns=("age", "age")), "statistics.t.columns: paired needs two columns"),
        (hypothesis("t", "spearman", columns=("age", "prio"), bins=300), "statistics.t.bins: 300 times 300 counts"),
        (hypothesis("t", "correlation", columns=("age",)), "statistics.t.columns: at least two different columns"),
        (hypothesis("t", "welch", column="age", by="fin", bins=3), "statistics.t.bins: a welch test does not read it"),
        (Statistic(name="t", kind="pca", columns=("age", "prio"), k=3), "statistics.t.k: 2 columns have no 3 comp"),
        (Statistic(name="t", kind="missing"), "statistics.t.columns: one column or several"),
        (Statistic(name="t", kind="table1", columns=("age", "age")), "statistics.t.columns: one column or several"),
        (Statistic(name="t", kind="top", column="age"), "statistics.t.column: age is a number"),
    ],
)
def test_what_a_test_cannot_be_is_said_by_key(one, said):
    assert any(line.startswith(said) for line in problems(one)), problems(one)


def test_a_part_is_not_called_what_another_statistic_is():
    gaps = Statistic(name="gaps", kind="missing", columns=("age", "prio"))
    (line,) = check(plan_of(COLUMNS, gaps, Statistic(name="gaps/age", kind="count")))
    assert line.startswith("statistics.gaps: a part of it is called gaps/age")


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (
            Statistic(name="t", kind="pca", columns=("age", "prio")),
            "statistics.t.kind: pca is refused with noise: it turns",
        ),
    ],
)
def test_what_does_not_hold_with_noise_is_refused_by_name(one, said):
    assert problems(one) == []
    (line,) = problems(one, "shared")
    assert line.startswith(said)


FRAMES = {name: ROSSI[place::3] for place, name in enumerate("abc")}


def written(column):
    """As a plan's author writes it."""
    return {key: value for key, value in msgspec.to_builtins(column).items() if value not in (None, "", ())}


def opened(scheme, tmp_path, noise="none"):
    """What a run under a protection says of statistics of every kind here."""
    asked = [
        {"name": "chi2", "kind": "test", "test": "chi2", "columns": ["fin", "arrest"]},
        {"name": "welch", "kind": "test", "test": "welch", "column": "prio", "by": "fin"},
        {"name": "paired", "kind": "test", "test": "paired", "columns": ["age", "week"]},
        {"name": "anova", "kind": "test", "test": "anova", "column": "prio", "by": "old"},
        {"name": "mannwhitney", "kind": "test", "test": "mannwhitney", "column": "prio", "by": "fin"},
        {"name": "correlation", "kind": "test", "test": "correlation", "columns": ["week", "prio"], "by": "fin"},
        {"name": "top", "kind": "top", "column": "old"},
        {"name": "gaps", "kind": "missing", "columns": ["age", "old"]},
        {"name": "baseline", "kind": "table1", "columns": ["prio", "old"], "by": "fin"},
    ]
    exact = [
        {"name": "kruskal", "kind": "test", "test": "kruskal", "column": "prio", "by": "old"},
        {"name": "ks", "kind": "test", "test": "ks", "column": "prio", "by": "fin"},
        {"name": "spearman", "kind": "test", "test": "spearman", "columns": ["week", "prio"]},
        {"name": "pca", "kind": "pca", "columns": ["week", "prio", "age"]},
    ]
    plan = potluck.Plan(
        name="described",
        purpose="test",
        task="statistics",
        federation={"sites": list(FRAMES), "server": "curious"},
        data={"columns": {name: written(column) for name, column in COLUMNS.items()}, "max_rows": 200},
        statistics=asked if noise != "none" else asked + exact,
        protect={"with": scheme},
        privacy={"noise": noise} | ({"unit": "row", "epsilon": 10.0, "delta": 1e-5} if noise != "none" else {}),
    )
    return potluck.run(plan, FRAMES, out=tmp_path / scheme)


def test_every_protection_opens_the_same_numbers(tmp_path):
    plain, masked = (opened(scheme, tmp_path).document["results"] for scheme in ("clear", "mask"))
    assert masked == plain


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["share", "he", "tee"])
def test_the_other_protections_do_too(scheme, tmp_path):
    plain, found = (opened(one, tmp_path).document["results"] for one in ("clear", scheme))
    assert found == plain


@pytest.mark.usefixtures("repeatable")
def test_a_noised_run_charges_and_shows_what_it_found(tmp_path):
    done = opened("mask", tmp_path, "shared")
    results = done.document["results"]
    assert results["chi2"]["p"] is not None
    assert "yates" not in results["chi2"]
    assert results["anova"]["df"] is None  # nobody has one of the declared values, and the noise hides that
    assert results["gaps"]["rates"]["age"]["missing"]["low"] >= 0  # 0, but for one run in forty
    assert results["top"]["top"][0]["value"] == "-24"
    frames = done.frames
    assert list(frames["welch"].columns) == ["of", "statistic", "df", "p"]
    assert len(frames["correlation"]) == 3
    assert len(frames["baseline"]) == 3 * 6
    prio = results["baseline"]["rows"][0]
    assert all(prio[key]["low"] < prio[key]["value"] < prio[key]["high"] for key in ("n", "mean", "sd", "missing"))
    apart = prio.get("smd")  # noise may leave too little of a variance
    assert apart is None or apart["low"] < apart["value"] < apart["high"]
    page = (done.folder / "report.html").read_text(encoding="utf-8")
    for name, test in (("chi2", "chi2 test"), ("gaps", "undeclared")):
        assert name in page
        assert test.split()[0] in page
