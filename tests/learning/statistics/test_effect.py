"""Effects of a treatment against statsmodels' TreatmentEffect on the pooled rows."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.treatment.treatment_effects import TreatmentEffect

import potluck

COLUMNS = {
    "x": {"kind": "number", "low": -4, "high": 4},
    "c": {"kind": "category", "values": ["u", "v", "w"]},
    "t": {"kind": "category", "values": ["no", "yes"]},
    "y": {"kind": "number", "low": -30, "high": 40},
    "b": {"kind": "category", "values": ["well", "ill"]},
}
ASKED = {"kind": "effect", "treatment": "t", "treated": ["yes"], "outcome": "y", "features": ["x", "c"]}


def plan(*wanted, columns=COLUMNS, **more):
    return potluck.Plan(
        **{
            "name": "effects",
            "purpose": "effects",
            "task": "statistics",
            "federation": {"sites": ["a", "b", "c"], "server": "curious"},
            "data": {"columns": columns, "max_rows": 1000},
            "protect": {"with": "mask"},
            "privacy": {"noise": "none"},
            "statistics": [{**ASKED, **one} for one in wanted],
        }
        | more
    )


def rows(n=900, seed=0):
    draw = np.random.default_rng(seed)
    x, c = draw.normal(0, 1, n).clip(-4, 4).round(2), draw.choice(list("uvw"), n)
    given = draw.uniform(size=n) < 1 / (1 + np.exp(-(0.8 * x - 0.5 * (c == "v"))))
    y = (5 + 2 * given + 3 * x + 2 * (c == "w") + given * x + draw.normal(0, 2, n)).round(2)
    ill = draw.uniform(size=n) < 1 / (1 + np.exp(-(x - given)))
    return pd.DataFrame({"x": x, "c": c, "t": np.where(given, "yes", "no"), "y": y, "b": np.where(ill, "ill", "well")})


def results(spec, frame, out):
    sites = {name: frame.iloc[place::3].reset_index(drop=True) for place, name in enumerate("abc")}
    return potluck.run(spec, sites, out=out).document["results"]


def design(frame):
    return sm.add_constant(
        pd.DataFrame({"x": frame["x"], "v": frame["c"] == "v", "w": frame["c"] == "w"}).astype(float)
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    spec = plan(*({"name": method, "method": method} for method in ("ipw", "aipw", "gformula")))
    return results(spec, rows(), tmp_path_factory.mktemp("effects") / "run")


@pytest.mark.parametrize(("method", "theirs"), [("ipw", "ipw"), ("aipw", "aipw"), ("gformula", "ra")])
def test_effects_and_their_errors_are_those_of_statsmodels(found, method, theirs):
    frame = rows()
    x, given = design(frame), (frame["t"] == "yes").astype(int)
    pool = sm.Logit(given, x).fit(disp=0, tol=1e-12)
    made = TreatmentEffect(sm.OLS(frame["y"], x), given.to_numpy(), results_select=pool)
    effect = getattr(made, theirs)().results_gmm
    mine = found[method]
    ours = [mine["ate"]["value"], mine["untreated"]["value"]]
    assert ours == pytest.approx(effect.params[:2].tolist(), rel=1e-6)
    assert [mine["ate"]["se"], mine["untreated"]["se"]] == pytest.approx(effect.bse[:2].tolist(), rel=1e-6)
    assert mine["treated"]["value"] - mine["untreated"]["value"] == pytest.approx(mine["ate"]["value"])
    assert (mine["n"], mine["n_treated"]) == (900, int(given.sum()))
    assert ("overlap" in mine) is (method != "gformula")


@pytest.mark.slow
def test_errors_are_right_or_refused_however_wide_the_outcome_is_declared(found, tmp_path):
    """Beyond that sums of squares hold nothing of what the rows differ by."""
    methods, told = ("ipw", "aipw", "gformula"), []
    for wide in (100, 10_000, 1_000_000):
        y = {"kind": "number", "low": -30 * wide, "high": 40 * wide}
        spec = plan(*({"name": one, "method": one} for one in methods), columns=COLUMNS | {"y": y})
        for name, one in results(spec, rows(), tmp_path / str(wide)).items():
            if one["ate"] is None:
                assert "errors are not sure" in one["refused"]
            else:
                assert one["ate"]["se"] == pytest.approx(found[name]["ate"]["se"], rel=5e-3)
                told.append((name, wide))
    assert told == [("ipw", 100), ("aipw", 100), ("gformula", 100), ("gformula", 10_000)]


def test_overlap_counts_rows_by_their_propensity(found):
    frame = rows()
    propensity = sm.Logit((frame["t"] == "yes").astype(int), design(frame)).fit(disp=0).predict()
    for method in ("ipw", "aipw"):
        overlap = found[method]["overlap"]
        for arm, value in (("treated", "yes"), ("untreated", "no")):
            expected = np.histogram(propensity[frame["t"] == value], bins=np.array(overlap["edges"]))[0]
            assert overlap[arm] == expected.tolist()
        assert overlap["clipped"] == int(((propensity < 0.02) | (propensity > 0.98)).sum())


def by_hand(frame, clip):
    """AIPW of a binary outcome, its error by the spread of what each row adds."""
    x, given = design(frame).to_numpy(), (frame["t"] == "yes").to_numpy()
    y = (frame["b"] == "ill").to_numpy().astype(float)
    e = np.clip(sm.GLM(given.astype(float), x, sm.families.Binomial()).fit().predict(), clip, 1 - clip)
    fits = [sm.GLM(y[one], x[one], sm.families.Binomial()).fit().predict(x) for one in (given, ~given)]
    each = fits[0] + given / e * (y - fits[0]) - fits[1] - ~given / (1 - e) * (y - fits[1])
    return each.mean(), each.std() / np.sqrt(len(y))


def test_an_outcome_that_happens_or_not_has_logistic_models(tmp_path):
    frame = rows(3000)
    one = {"name": "one", "method": "aipw", "outcome": "b", "events": ["ill"], "clip": 0.05}
    mine = results(plan(one), frame, tmp_path / "run")["one"]
    value, error = by_hand(frame, 0.05)
    assert mine["ate"]["value"] == pytest.approx(value, rel=1e-6)
    assert mine["ate"]["se"] == pytest.approx(error, rel=0.01)  # which leaves out that models were fitted
    assert mine["overlap"]["clipped"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ipw", "aipw", "gformula"])
def test_intervals_hold_the_effect_that_rows_were_made_with(method, tmp_path):
    """With the models right: 2 + the mean of x, which is 0."""
    held = 0
    for seed in range(30):
        spec = plan({"name": "one", "method": method}, protect={"with": "clear"})
        one = results(spec, rows(600, seed + 10), tmp_path / str(seed))["one"]["ate"]
        held += one["low"] <= 2 <= one["high"]
    assert held >= 26


def test_what_has_no_answer_is_refused_in_words(tmp_path):
    frame = rows()
    apart = frame.assign(t=np.where(frame["x"] > 0, "yes", "no"))
    one = results(plan({"name": "one", "method": "ipw"}), apart, tmp_path / "1")["one"]
    assert one["ate"] is None
    assert "the model of treatment: " in one["refused"]
    one = results(plan({"name": "one", "method": "gformula"}), frame.assign(t="no"), tmp_path / "2")["one"]
    assert one["ate"] is None
    assert "the model of treated: no row counts" in one["refused"]
    lone = frame.assign(t=np.where(np.arange(len(frame)) == frame["x"].abs().argmin(), "yes", "no"))
    one = results(plan({"name": "one", "method": "ipw", "features": ["x"]}), lone, tmp_path / "3")["one"]
    assert one["ate"] is None
    assert "an arm has 1 rows, and a model 2 coefficients" in one["refused"]


@pytest.mark.slow
def test_outcomes_that_are_close_and_arms_of_two_rows_are_refused_in_words(tmp_path):
    frame = rows()
    close = frame.assign(y=frame["y"].round(0) * 1e-6)
    one = results(plan({"name": "one", "method": "ipw"}), close, tmp_path / "4")["one"]
    assert "the outcomes of an arm differ by so little" in one["refused"]
    few = frame.assign(t=np.where(np.arange(len(frame)) % 450 == 7, "yes", "no"))
    for place, method in enumerate(("gformula", "aipw", "ipw")):
        one = results(plan({"name": "one", "method": method, "features": ["x"]}), few, tmp_path / f"5{place}")["one"]
        assert (one["ate"], "an arm has 2 rows, and a model 2 coefficients" in one["refused"]) == (None, True)


def warned(frame, out, **keys):
    """What a run says beside its result."""
    sites = {name: frame.iloc[place::3].reset_index(drop=True) for place, name in enumerate("abc")}
    return potluck.run(plan({"name": "one", "method": "ipw", **keys}), sites, out=out).document["warnings"]


@pytest.mark.slow
def test_a_run_says_where_arms_do_not_overlap_and_where_weights_are_clipped(tmp_path):
    frame = rows(3000)
    assert not any(line.startswith("one:") for line in warned(frame, tmp_path / "1"))
    draw = np.random.default_rng(1)
    rare = frame.assign(t=np.where(draw.uniform(size=len(frame)) < 0.015, "yes", "no"))
    (clipped,) = (line for line in warned(rare, tmp_path / "2") if line.startswith("one:"))
    assert "of 3000 rows have a propensity beyond clip (0.02)" in clipped
    assert not any(line.startswith("one:") for line in warned(rare, tmp_path / "3", clip=0.001))
    given = draw.uniform(size=len(frame)) < 1 / (1 + np.exp(-6 * frame["x"]))
    apart = frame.assign(t=np.where(given, "yes", "no"))
    assert any("hardly a row of the other arm has" in line for line in warned(apart, tmp_path / "4", clip=1e-3))
    checked = potluck.check(plan({"name": "one", "method": "gformula"})).warnings
    assert any("does not show whether arms overlap" in line for line in checked)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"method": None}, "method: is missing"),
        ({"treatment": "x"}, "treatment: x is a number"),
        ({"treated": ["maybe"]}, "treated: some of the values of t"),
        ({"treated": ["no", "yes"]}, "treated: some of the values of t"),
        ({"outcome": "t"}, "treatment, outcome and features are different columns"),
        ({"features": ["x", "y"]}, "treatment, outcome and features are different columns"),
        ({"events": ["ill"]}, "events: y is a number"),
        ({"outcome": "b", "events": ["dead"]}, "events: some of the values of b"),
        ({"rounds": 1}, "rounds: the models take some"),
        ({"by": "c"}, "by: an effect is of all rows"),
        ({"privacy": True}, "effect is refused with noise"),
    ],
)
def test_what_does_not_fit_is_an_error_of_check(change, words):
    asked = {"name": "one", "method": "ipw", **ASKED, **change}
    noise = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5} if asked.pop("privacy", False) else None
    spec = plan(
        {}, **({"privacy": noise} if noise else {}), statistics=[{k: v for k, v in asked.items() if v is not None}]
    )
    assert any(words in error for error in potluck.check(spec).errors)
