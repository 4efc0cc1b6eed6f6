"""Regressions against statsmodels on the pooled rows, and against known answers on Rossi's rows."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import potluck
from potluck.core.errors import PlanError
from support.learning.rossi import COLUMNS, FEATURES, by_age, rossi

FAMILIES = {"gaussian": sm.families.Gaussian(), "binomial": sm.families.Binomial(), "poisson": sm.families.Poisson()}


def plan(*wanted, columns=COLUMNS, privacy=None, **more):
    return potluck.Plan(
        **{
            "name": "fits",
            "purpose": "regressions",
            "task": "statistics",
            "federation": {"sites": ["a", "b", "c"], "server": "curious"},
            "data": {"columns": columns, "max_rows": 500},
            "protect": {"with": "clear"},
            "privacy": privacy or {"noise": "none"},
            "statistics": [{"kind": "regression", **one} for one in wanted],
        }
        | more
    )


def results(spec, sites, out):
    return potluck.run(spec, sites, out=out).document["results"]


def fit(name, family, target, **more):
    return {"name": name, "family": family, "target": target, "features": list(FEATURES), **more}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Of Rossi's rows at three sites."""
    asked = (
        fit("arrest", "binomial", "arrest"),
        fit("arrest_hc0", "binomial", "arrest", errors="hc0"),
        fit("arrest_by_age", "binomial", "arrest", errors="cluster", cluster="age"),
        fit("rate", "poisson", "arrests", offset="logweek"),
        fit("rate_hc0", "poisson", "arrests", offset="logweek", errors="hc0"),
        fit("week", "gaussian", "week"),
        fit("week_hc0", "gaussian", "week", errors="hc0"),
    )
    return results(plan(*asked), by_age(rossi()), tmp_path_factory.mktemp("rossi") / "run")


@pytest.mark.parametrize(
    ("name", "value", "se"),
    [
        ("arrest", -0.43728283, 0.22853362),
        ("arrest_hc0", -0.43728283, 0.23018259),
        ("arrest_by_age", -0.43728283, 0.24942539),
        ("rate", -0.36626434, 0.19111571),
        ("rate_hc0", -0.36626434, 0.18880198),
        ("week", 2.1593621, 1.19195001),
        ("week_hc0", 2.1593621, 1.20291376),
    ],
)
def test_coefficients_of_rossis_rows_are_the_known_ones(found, name, value, se):
    fin = found[name]["coefficients"]["fin"]
    assert fin["value"] == pytest.approx(value, rel=2e-8)
    assert fin["se"] == pytest.approx(se, rel=3e-8)
    assert fin["low"] == pytest.approx(value - 1.959963985 * se, rel=1e-6)
    assert found[name]["n"] == 432


@pytest.mark.parametrize(
    ("name", "family", "target", "offset"),
    [
        ("arrest", "binomial", "arrest", None),
        ("rate", "poisson", "arrest", "logweek"),
        ("week", "gaussian", "week", None),
    ],
)
def test_all_of_a_fit_is_statsmodels(found, name, family, target, offset):
    rows = rossi()
    model = sm.GLM(
        rows[target],
        sm.add_constant(rows[list(FEATURES)]),
        family=FAMILIES[family],
        offset=rows[offset] if offset else None,
    ).fit(tol=1e-14)
    mine = found[name]
    assert list(mine["coefficients"]) == ["intercept", *FEATURES]
    for ours, theirs in (("value", model.params), ("se", model.bse), ("p", model.pvalues)):
        assert [one[ours] for one in mine["coefficients"].values()] == pytest.approx(theirs.tolist(), rel=1e-7)
    assert mine["loglik"] == pytest.approx(model.llf, rel=1e-10)
    assert mine["deviance"] == pytest.approx(model.deviance, rel=1e-10)
    assert mine["dispersion"] == pytest.approx(model.scale, rel=1e-10)
    ratios = [one.get("ratio") for one in mine["coefficients"].values()]
    assert ratios == ([None] * 8 if family == "gaussian" else pytest.approx(np.exp(model.params).tolist(), rel=1e-7))
    assert ("events" in mine) is (family != "gaussian")
    assert mine["step"] is None if family == "gaussian" else mine["step"] < 1e-9


def made(seed=0, n=300):
    draw = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "x": draw.uniform(-3, 12, n).round(2),  # beyond its declared range, to which it is clamped
            "c": draw.choice(["u", "v", "w", "other", ""], n, p=[0.3, 0.3, 0.3, 0.05, 0.05]),
            "h": draw.choice(["no", "yes"], n),
            "w": draw.uniform(0, 2, n).round(2),
        }
    )
    eta = 0.2 * rows["x"].clip(0, 10) - 1 + (rows["c"] == "v") * 0.7 - (rows["h"] == "yes") * 0.5
    rows["y"] = draw.poisson(np.exp(0.5 * eta))
    rows["b"] = np.where(draw.uniform(size=n) < 1 / (1 + np.exp(-eta)), "ill", "well")
    return rows


MADE = {
    "x": {"kind": "number", "low": 0, "high": 10},
    "c": {"kind": "category", "values": ["u", "v", "w"], "reference": "v", "missing": "flag"},
    "h": {"kind": "category", "values": ["no", "yes"]},
    "w": {"kind": "number", "low": 0, "high": 2},
    "y": {"kind": "number", "low": 0, "high": 30},
    "b": {"kind": "category", "values": ["well", "ill"]},
}


@pytest.mark.parametrize(("family", "target"), [("gaussian", "y"), ("binomial", "b"), ("poisson", "y")])
def test_products_references_weights_and_rows_that_are_left_out_are_those_of_statsmodels(family, target, tmp_path):
    rows = made()
    events = {"events": ["ill"]} if target == "b" else {}
    features = ["x", "c", "h", "x:h", "c:h", "x:c"]
    asked = {"family": family, "target": target, "features": features, "weights": "w", **events}
    spec = plan({"name": "plain", **asked}, {"name": "robust", "errors": "hc0", **asked}, columns=MADE)
    sites = {name: rows.iloc[place::3].reset_index(drop=True) for place, name in enumerate("abc")}
    found = results(spec, sites, tmp_path / "run")
    some = rows[rows["c"].isin(["u", "v", "w"])]  # others are no declared value, or none at all
    x, c, h = some["x"].clip(0, 10), {one: (some["c"] == one) * 1.0 for one in "uw"}, (some["h"] == "yes") * 1.0
    design = {"intercept": x * 0 + 1, "x": x, **{f"c={one}": c[one] for one in "uw"}, "h=yes": h, "x:h=yes": x * h}
    design |= {f"c={one}:h=yes": c[one] * h for one in "uw"} | {f"x:c={one}": x * c[one] for one in "uw"}
    y = (some["b"] == "ill") * 1.0 if target == "b" else some["y"]
    model = sm.GLM(y, pd.DataFrame(design), family=FAMILIES[family], var_weights=some["w"]).fit(tol=1e-14)
    mine = found["plain"]["coefficients"]
    assert list(mine) == list(design)
    assert [one["value"] for one in mine.values()] == pytest.approx(model.params.tolist(), rel=1e-7, abs=1e-9)
    assert [one["se"] for one in mine.values()] == pytest.approx(model.bse.tolist(), rel=1e-7)
    assert found["plain"]["deviance"] == pytest.approx(model.deviance, rel=1e-9)
    assert found["plain"]["n"] == len(some) < len(rows)
    # By hand: statsmodels' robust errors take weights for frequencies.
    slope = design_of(design) * (some["w"] * (y - model.fittedvalues)).to_numpy()[:, None]
    bread = np.linalg.inv(model.model.information(model.params, scale=1.0) * -1)
    expected = np.sqrt(np.diag(bread @ (slope.T @ slope) @ bread))
    assert [one["se"] for one in found["robust"]["coefficients"].values()] == pytest.approx(expected.tolist(), rel=1e-6)


def design_of(columns):
    return np.column_stack([one.to_numpy() for one in columns.values()])


def refusal(asked, rows, tmp_path, columns=MADE):
    sites = {name: rows.iloc[place::3].reset_index(drop=True) for place, name in enumerate("abc")}
    one = results(plan({"name": "one", **asked}, columns=columns), sites, tmp_path / "run")["one"]
    assert one["coefficients"] is None
    return one["refused"]


def test_a_fit_that_does_not_exist_is_refused_in_words(tmp_path):
    rows = made()
    separated = rows.assign(b=np.where(rows["x"] > 5, "ill", "well"))
    asked = {"family": "binomial", "target": "b", "events": ["ill"], "features": ["x", "h"]}
    assert "grow with every round, as where they separate" in refusal(asked, separated, tmp_path / "1")
    twin = rows.assign(z=2 * rows["x"].clip(0, 10) + 1)
    columns = MADE | {"z": {"kind": "number", "low": 1, "high": 21}}
    said = refusal({"family": "gaussian", "target": "y", "features": ["x", "z"]}, twin, tmp_path / "2", columns)
    assert "singular" in said
    assert "x, z determine one another" in said
    said = refusal({"family": "poisson", "target": "y", "features": ["x"]}, rows.assign(y=0), tmp_path / "3")
    assert said
    few = rows[(rows["c"] == "u") & (rows["x"] > 0)][:4]
    assert "no more rows" in refusal(
        {"family": "gaussian", "target": "y", "features": ["x", "h", "w"]}, few, tmp_path / "4"
    )
    assert "no row counts" in refusal(
        {"family": "gaussian", "target": "y", "features": ["c", "h"]},
        rows.assign(c=np.where(rows["h"] == "no", "u", ""), h=np.where(rows["h"] == "no", "?", "yes")),
        tmp_path / "5",
    )
    line = rows.assign(y=rows["x"].clip(0, 10))
    assert "closer to the rows" in refusal(
        {"family": "gaussian", "target": "y", "features": ["x"]}, line, tmp_path / "6"
    )


FAR = {"far": {"kind": "number", "low": 0, "high": 400}, "same": {"kind": "category", "values": ["only"]}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"family": None}, "family: is missing"),
        ({"target": "c"}, "events: some of the values"),
        ({"target": "nothing"}, "target: nothing is not a declared column"),
        ({"family": "poisson"}, "target: b has no numbers"),
        ({"target": "w", "events": []}, "binomial needs numbers from 0 to 1"),
        ({"features": []}, "features: is missing"),
        ({"features": ["x", "b"]}, "features: b is the target"),
        ({"features": ["x:x"]}, "x:x is not one column or two"),
        ({"features": ["x", "x"]}, "a feature is there twice"),
        ({"features": ["x", "same"]}, "features: same has one declared value"),
        ({"features": ["x:same"]}, "features: same has one declared value"),
        ({"features": ["gone"]}, "features: gone is not a declared column"),
        ({"errors": "cluster"}, "cluster: is missing"),
        ({"cluster": "h"}, "cluster: goes with errors"),
        ({"by": "h"}, "by: a regression has one fit"),
        ({"offset": "far"}, "offset: far is added to the linear predictor as it is"),
        ({"weights": "h"}, "weights: h is a category"),
        ({"column": "x"}, "column: a regression does not read it"),
    ],
)
def test_what_does_not_fit_is_an_error_of_check(change, words):
    usual = {"name": "one", "family": "binomial", "target": "b", "events": ["ill"], "features": ["x", "h"]}
    asked = {key: value for key, value in (usual | change).items() if value is not None}
    assert any(words in error for error in potluck.check(plan(asked, columns=MADE | FAR)).errors)


NOISE = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"family": "poisson", "target": "y", "events": []}, "poisson is refused with noise"),
        ({"errors": "hc0"}, "errors: these are not known to hold"),
        ({"weights": "w"}, "weights: its intervals are not known to hold"),
        ({"rounds": 2}, "rounds: this fit takes 3 or more"),
    ],
)
def test_what_nobody_has_shown_to_hold_with_noise_is_refused(change, words):
    asked = {"name": "one", "family": "binomial", "target": "b", "events": ["ill"], "features": ["x"], **change}
    spec = plan(asked, columns=MADE, privacy=NOISE, protect={"with": "mask"})
    assert any(words in error for error in potluck.check(spec).errors)


def test_a_family_that_nobody_knows_is_refused_with_the_known_ones():
    with pytest.raises(PlanError, match="known: gaussian, binomial, poisson"):
        plan({"name": "one", "family": "gamma", "target": "y", "features": ["x"]}, columns=MADE)


def test_rows_of_a_person_go_together_whatever_their_names_are(found, tmp_path):
    """Persons of texts that no plan declares: the same as numbers of a declared column."""
    who = rossi().assign(who=lambda rows: [f"person {age}" for age in rows["age"]])
    asked = fit("arrest_by_age", "binomial", "arrest", errors="cluster", cluster="who")
    spec = plan(asked, data={"columns": COLUMNS, "person": "who", "max_rows": 500})
    assert potluck.check(spec).errors == []
    assert results(spec, by_age(who), tmp_path / "run")["arrest_by_age"] == found["arrest_by_age"]


@pytest.mark.parametrize("max_rows", [10**6, 10**8])
def test_errors_by_cluster_are_the_same_however_many_rows_may_come(max_rows, found, tmp_path):
    """What a cluster adds is divided by the most rows that it may have."""
    asked = fit("arrest_by_age", "binomial", "arrest", errors="cluster", cluster="age")
    spec = plan(asked, data={"columns": COLUMNS, "max_rows": max_rows})
    one = results(spec, by_age(rossi()), tmp_path / "run")["arrest_by_age"]
    for name, mine in one["coefficients"].items():
        assert mine["se"] == pytest.approx(found["arrest_by_age"]["coefficients"][name]["se"], rel=1e-7), name


@pytest.fixture(scope="module")
def visits():
    """Counts of persons who come some times each, at three sites; a tenth of the rows does not say whose it is."""
    draw = np.random.default_rng(5)
    who = draw.integers(0, 90, 400)
    x = draw.normal(0, 1, 400).clip(-4, 4)
    y = draw.poisson(np.exp(0.2 + 0.4 * x + 0.5 * draw.normal(size=90)[who])).clip(0, 60)
    return pd.DataFrame({"x": x, "y": y, "who": np.where(draw.random(400) < 0.1, np.nan, who), "site": who % 3})


def of_visits(rows, high, out, *asked):
    columns = {
        "x": {"kind": "number", "low": -4, "high": 4},
        "y": {"kind": "number", "low": 0, "high": high},
        "who": {"kind": "number", "low": 0, "high": 100, "missing": "drop"},
    }
    spec = plan(*({"family": "poisson", "target": "y", "features": ["x"], **one} for one in asked), columns=columns)
    sites = {name: rows[rows["site"] == place].drop(columns="site") for place, name in enumerate("abc")}
    return results(spec, {name: one.reset_index(drop=True) for name, one in sites.items()}, out)


def test_rows_that_do_not_say_their_cluster_are_left_out_of_its_fit_alone(visits, tmp_path):
    asked = {"name": "by_person", "errors": "cluster", "cluster": "who"}, {"name": "all", "errors": "hc0"}
    found, known = of_visits(visits, 60, tmp_path / "run", *asked), visits.dropna()
    for name, rows, how in (("by_person", known, {"groups": known["who"]}), ("all", visits, None)):
        theirs = sm.GLM(rows["y"], sm.add_constant(rows["x"]), FAMILIES["poisson"]).fit(
            tol=1e-13, cov_type="cluster" if how else "HC0", cov_kwds=how
        )
        assert found[name]["n"] == len(rows)
        assert found[name]["events"] == rows["y"].sum()
        assert found[name]["coefficients"]["x"]["se"] == pytest.approx(theirs.bse["x"], rel=1e-9)


def test_robust_errors_are_right_or_refused_however_wide_counts_are_declared(visits, tmp_path):
    """Where they are refused, those of the model are not: they need no squares of what is left."""
    asked = (
        {"name": "by_person", "errors": "cluster", "cluster": "who"},
        {"name": "hc0", "errors": "hc0"},
        {"name": "model"},
    )
    told = dict[tuple[str, float], list[float]]()
    for high in (60.0, 1e4, 1e6):
        for name, one in of_visits(visits, high, tmp_path / f"{high:g}", *asked).items():
            if one["coefficients"] is None:
                assert "are not sure in sums of so many rows" in one["refused"]
            else:
                told[name, high] = [found["se"] for found in one["coefficients"].values()]
    assert [high for name, high in told if name == "model"] == [60, 1e4, 1e6]
    assert [high for name, high in told if name == "hc0"] == [60, 1e4]
    for (name, _), errors in told.items():
        assert errors == pytest.approx(told[name, 60.0], rel=5e-3), name


def test_an_outcome_that_never_happens_is_said_to(visits, tmp_path):
    one = of_visits(visits.assign(y=0), 60, tmp_path / "run", {"name": "one"})["one"]
    assert (one["coefficients"], one["events"]) == (None, 0)
    assert "every outcome is 0" in one["refused"]
