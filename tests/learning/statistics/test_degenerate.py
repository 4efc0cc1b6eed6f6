"""Rows of which a statistic has hardly anything to say: scipy's, statsmodels' and NumPy's answer on the pooled rows, or
none.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

import potluck

COLUMNS = {
    "x": {"kind": "number", "low": -5, "high": 5, "missing": "drop"},
    "y": {"kind": "number", "low": -5, "high": 5, "missing": "drop"},
    "same": {"kind": "number", "low": 0, "high": 10},
    "none": {"kind": "number", "low": 0, "high": 10, "missing": "drop"},
    "site": {"kind": "category", "values": ["a", "b", "c", "nobody"]},
    "edge": {"kind": "number", "low": -5, "high": 5},
    "two": {"kind": "category", "values": ["u", "v"]},
    "lone": {"kind": "category", "values": ["one", "others"]},
    "event": {"kind": "category", "values": ["0", "1"]},
    "never": {"kind": "category", "values": ["0", "1"]},
    "time": {"kind": "number", "low": 0, "high": 12},
    "count": {"kind": "number", "low": 0, "high": 20},
    "w": {"kind": "number", "low": 0, "high": 3},
}
EXACT = {"value": None, "low": None, "high": None}


def made(n=90):
    draw = np.random.default_rng(4)
    rows = pd.DataFrame({name: draw.normal(size=n).clip(-5, 5) for name in "xy"})
    rows["site"] = np.repeat(["a", "b", "c"], [40, 30, 20])
    return rows.assign(
        same=3.1,
        none=np.nan,
        two=np.where(rows["site"] == "a", "u", "v"),
        edge=np.where(rows["site"] == "a", 1, -1) * (0.1 + rows["x"].abs() / 2),
        lone=np.where(np.arange(n) == 7, "one", "others"),
        event=draw.choice(["0", "1"], n),
        never="0",
        time=draw.integers(0, 12, n),
        count=draw.poisson(1.5, n),
        w=draw.choice([0.0, 1.0, 2.0], n),
    )


def asks(name, word, **keys):
    return {"name": name, "kind": "test", "test": word, **keys}


def fit(name, family, target, *features, **keys):
    return {"name": name, "kind": "regression", "family": family, "target": target, "features": features, **keys}


ASKED = (
    asks("welch", "welch", column="x", by="two"),
    asks("anova", "anova", column="x", by="site"),
    asks("kruskal", "kruskal", column="count", by="site", bins=20),
    asks("chi2", "chi2", columns=["site", "event"]),
    asks("welch_lone", "welch", column="x", by="lone"),
    asks("anova_lone", "anova", column="x", by="lone"),
    asks("rank_lone", "mannwhitney", column="count", by="lone", bins=20),
    asks("welch_never", "welch", column="x", by="never"),
    asks("anova_never", "anova", column="x", by="never"),
    asks("kruskal_never", "kruskal", column="x", by="never"),
    asks("ks_never", "ks", column="x", by="never"),
    asks("chi2_never", "chi2", columns=["two", "never"]),
    asks("welch_same", "welch", column="same", by="two"),
    asks("kruskal_same", "kruskal", column="same", by="two"),
    asks("r_same", "correlation", columns=["x", "y", "same"]),
    asks("rho_same", "spearman", columns=["x", "same"]),
    asks("paired_none", "paired", columns=["x", "none"]),
    {"name": "pca", "kind": "pca", "columns": ["x", "y", "same"]},
    {"name": "pca_none", "kind": "pca", "columns": ["x", "none"]},
    {"name": "mean_none", "kind": "mean", "column": "none"},
    {"name": "variance_none", "kind": "variance", "column": "none"},
    {"name": "half", "kind": "quantile", "column": "count", "q": [0.5], "bins": 20, "by": "site"},
    {"name": "table", "kind": "table1", "columns": ["none", "x", "same"], "by": "lone"},
    {"name": "alive", "kind": "survival", "time": "time", "event": "never", "by": "two", "bins": 12},
    {"name": "curve", "kind": "survival", "time": "time", "event": "event", "by": "two", "bins": 12},
    {"name": "hazard", "kind": "cox", "time": "time", "event": "never", "features": ["x"], "bins": 12},
    {"name": "singular", "kind": "cox", "time": "time", "event": "event", "features": ["x", "same"], "bins": 12},
    fit("by_site", "gaussian", "x", "y", "two"),
    fit("nobody", "gaussian", "x", "y", "site"),
    fit("constant", "binomial", "event", "x", "same"),
    fit("never", "poisson", "count", "x", offset="none"),
    fit("target", "gaussian", "same", "x"),
    fit("weighed", "gaussian", "x", "y", weights="w"),
    fit("weighed_hc0", "poisson", "count", "y", weights="w", errors="hc0"),
    fit("apart", "binomial", "two", "x", "edge", events=["u"]),
)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Each of three groups lies at one site alone."""
    plan = potluck.Plan(
        name="degenerate",
        purpose="rows that say little",
        task="statistics",
        federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={"columns": COLUMNS, "max_rows": 200},
        protect={"with": "clear"},
        privacy={"noise": "none"},
        statistics=ASKED,
    )
    sites = {name: rows.reset_index(drop=True) for name, rows in made().groupby("site")}
    return potluck.run(plan, sites, out=tmp_path_factory.mktemp("degenerate") / "run").document["results"]


def groups(rows, column, by):
    return [some[column] for _, some in rows.groupby(by)]


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("welch", lambda rows: stats.ttest_ind(*groups(rows, "x", "two"), equal_var=False)),
        ("anova", lambda rows: stats.f_oneway(*groups(rows, "x", "site"))),
        ("kruskal", lambda rows: stats.kruskal(*groups(rows, "count", "site"))),
        ("chi2", lambda rows: stats.chi2_contingency(pd.crosstab(rows["site"], rows["event"]), correction=False)),
        ("anova_lone", lambda rows: stats.f_oneway(*groups(rows, "x", "lone"))),
        (
            "rank_lone",
            lambda rows: stats.mannwhitneyu(*groups(rows, "count", "lone"), method="asymptotic"),
        ),
    ],
)
def test_groups_at_one_site_and_groups_of_one_row_give_scipys_answer(found, name, known):
    theirs = known(made())
    assert found[name]["statistic"] == pytest.approx(theirs.statistic, rel=1e-9)
    assert found[name]["p"] == pytest.approx(theirs.pvalue, rel=1e-9)


@pytest.mark.parametrize(
    "name",
    ["welch_lone", "welch_never", "anova_never", "kruskal_never", "ks_never", "chi2_never", "welch_same",
     "kruskal_same", "rho_same", "paired_none"],
)  # fmt: skip
def test_a_test_of_nothing_says_nothing(found, name):
    assert found[name] == {"statistic": None, "df": None, "p": None}


def test_a_constant_column_takes_nothing_from_the_others(found):
    rows = made()
    matrix, p = found["r_same"]["matrix"], found["r_same"]["p"]
    theirs = stats.pearsonr(rows["x"], rows["y"])
    assert (matrix[0][1], p[0][1]) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-9)
    assert [row[2] for row in matrix] == [row[2] for row in p] == [None, None, None]
    values, axes = np.linalg.eigh(np.cov(rows[["x", "y"]].T / 5, ddof=0))
    assert found["pca"]["explained"] == pytest.approx([*(values[::-1] / values.sum()), 0], abs=1e-9)
    assert np.abs(found["pca"]["components"][0]) == pytest.approx([*np.abs(axes[:, 1]), 0], abs=1e-9)


def test_a_column_that_nobody_has_is_no_number(found):
    assert found["mean_none"] == found["variance_none"] == EXACT
    assert found["pca_none"] == {"components": None, "explained": None}
    line = found["table"]["rows"][0]
    assert (line["n"]["value"], line["missing"]["value"]) == (0, 90)
    assert line["mean"] == line["sd"] == line["median"] == EXACT
    assert "no row counts" in found["never"]["refused"]


def test_a_group_of_one_row_has_a_mean_and_no_deviation(found):
    rows = made()
    _, x, same = found["table"]["by"]["one"]["rows"]
    assert x["mean"]["value"] == pytest.approx(rows["x"][7])
    assert (x["sd"], same["sd"]) == (EXACT, EXACT)
    assert found["table"]["by"]["others"]["rows"][2]["sd"]["value"] == 0
    assert "smd" not in found["table"]["rows"][1]


def test_medians_of_groups_at_one_site_are_theirs_and_of_no_group_none(found):
    rows, by = made(), found["half"]["by"]
    for site in "abc":
        mine = np.sort(rows.query("site == @site")["count"])
        assert by[site]["quantiles"][0]["value"] == mine[int(np.ceil(len(mine) / 2)) - 1]
    assert (by["nobody"]["n"], by["nobody"]["quantiles"][0]["value"]) == (0, None)


def test_where_all_are_censored_all_survive(found):
    alive = found["alive"]
    assert alive["survival"] == alive["low"] == alive["high"] == [1.0] * 12
    assert alive["events"] == [0] * 12
    assert alive["median"]["value"] is None
    assert alive["logrank"] is None or alive["logrank"]["p"] is None
    assert found["hazard"]["coefficients"] is None
    assert "no row that counts has the event" in found["hazard"]["refused"]


def test_the_log_rank_test_of_groups_at_different_sites_is_statsmodels(found):
    rows = made()
    statistic, p = sm.duration.survdiff(rows["time"], rows["event"].astype(int), rows["two"])
    assert (found["curve"]["logrank"]["statistic"], found["curve"]["logrank"]["p"]) == pytest.approx((statistic, p))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("singular", "the fit is singular: same is the same in all rows"),
        ("nobody", "the fit is singular: site=nobody is the same in all rows"),
        ("constant", "the fit is singular: intercept, same determine one another"),
        ("target", "the fit is closer to the rows than the sums are exact"),
        ("apart", "no fit exists: the coefficients of"),
    ],
)
def test_a_fit_that_does_not_exist_is_refused_in_words(found, name, words):
    assert found[name]["coefficients"] is None
    assert words in found[name]["refused"]


def test_a_level_at_one_site_and_weights_of_zero_are_statsmodels(found):
    rows = made()
    theirs = sm.OLS(rows["x"], sm.add_constant(pd.DataFrame({"y": rows["y"], "v": 1.0 * (rows["two"] == "v")}))).fit()
    same(found["by_site"], theirs)
    x = sm.add_constant(rows["y"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the logarithm of a weight of zero
        same(found["weighed"], sm.GLM(rows["x"], x, var_weights=rows["w"]).fit())
    some = rows.query("w > 0")  # statsmodels' robust errors are nan where a weight is zero
    poisson = sm.GLM(some["count"], sm.add_constant(some["y"]), sm.families.Poisson(), var_weights=some["w"])
    same(found["weighed_hc0"], poisson.fit(tol=1e-13, cov_type="HC0"))
    assert found["weighed_hc0"]["n"] == len(rows)


def same(mine, theirs):
    told = mine["coefficients"].values()
    assert [one["value"] for one in told] == pytest.approx(theirs.params.tolist(), rel=1e-7)
    assert [one["se"] for one in told] == pytest.approx(theirs.bse.tolist(), rel=1e-7)
