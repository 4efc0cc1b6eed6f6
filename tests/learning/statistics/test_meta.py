"""Meta-analyses against statsmodels on sites' own values, and on the BCG trials."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.meta_analysis import combine_effects

import potluck
from potluck.core.plan import Statistic
from potluck.learning.statistics.kinds.meta import Meta, numbers
from potluck.learning.statistics.sums import Part
from support.learning.sums import number, stats

COLUMNS = {
    "x": {"kind": "number", "low": 0, "high": 40, "missing": "flag"},
    "g": {"kind": "category", "values": ["no", "yes"]},
}
SITES = list("abcdef")


def plan(*wanted, sites=SITES, **more):
    return potluck.Plan(
        **{
            "name": "meta",
            "purpose": "meta",
            "task": "statistics",
            "federation": {"sites": sites, "server": "curious"},
            "data": {"columns": COLUMNS, "max_rows": 100_000},
            "protect": {"with": "mask"},
            "privacy": {"noise": "none"},
            "statistics": [{"kind": "meta", **one} for one in wanted],
        }
        | more
    )


def rows(sites=SITES):
    draw = np.random.default_rng(0)
    return {
        name: pd.DataFrame(
            {
                "x": draw.normal(18 + place, 4, 40 + 30 * place).round(2),
                "g": np.where(draw.uniform(size=40 + 30 * place) < 0.2 + 0.05 * place, "yes", "no"),
            }
        )
        for place, name in enumerate(sites)
    }


ASKED = (
    {"name": "mean", "of": "mean", "column": "x"},
    {"name": "share", "of": "proportion", "column": "g", "events": ["yes"]},
)


def test_pooled_values_are_those_of_statsmodels(tmp_path):
    found = potluck.run(plan(*ASKED), rows(), out=tmp_path / "run")
    every = rows().values()
    means = [(one["x"].mean(), one["x"].var(ddof=1) / len(one)) for one in every]
    shares = []
    for one in every:
        n, yes = len(one), (one["g"] == "yes").sum()
        wide = (yes + 0.5) / (n + 1)
        shares.append((yes / n, wide * (1 - wide) / n))
    for name, each in (("mean", means), ("share", shares)):
        theirs = combine_effects(*np.array(each).T, method_re="chi2")
        frame, mine = theirs.summary_frame(), found.document["results"][name]
        assert mine["Q"] == pytest.approx(theirs.q, rel=1e-8)
        assert mine["tau2"] == pytest.approx(theirs.tau2, rel=1e-8)
        assert mine["I2"] == pytest.approx(theirs.i2, rel=1e-8)
        for ours, row in (("fixed", "fixed effect"), ("random", "random effect")):
            expected = frame.loc[row, ["eff", "sd_eff", "ci_low", "ci_upp"]].tolist()
            assert [mine[ours][key] for key in ("value", "se", "low", "high")] == pytest.approx(expected, rel=1e-8)
        assert mine["sites"] == 6
    assert len(found.document["rounds"]) == 2


BCG = """4 119 11 128|6 300 29 274|3 228 11 209|62 13536 248 12619|33 5036 47 5761|180 1361 372 1079|8 2537 10 619
|505 87886 499 87892|29 7470 45 7232|17 1699 65 1600|186 50448 141 27197|5 2493 3 2338|27 16886 29 17825"""


def test_the_trials_of_the_bcg_vaccine_are_pooled_as_everywhere():
    """Colditz et al. 1994; logarithms of relative risks."""
    a, b, c, d = np.array([one.split() for one in BCG.replace("\n", "").split("|")], float).T
    effects, variances = np.log(a / (a + b) / (c / (c + d))), 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    most = 2.0  # brings all of them to [-1, 1]
    spec = stats({"x": number(-most, most)}, Statistic(name="one", kind="meta", of="mean", column="x", rounds=2))
    lead = Meta(spec, spec.statistics[0]).lead()
    pairs = [*zip(effects / most, variances / most**2, strict=True)]

    def opened(state):
        return Part(sum(numbers(int(state[0]), t, v, state[1]) for t, v in pairs), np.zeros(13), 2.0**-48)

    second = lead.send(opened(next(lead)))
    with pytest.raises(StopIteration) as ended:
        lead.send(opened(second))
    found = ended.value.value
    assert round(found.q, 2) == 152.23  # Viechtbauer 2010, Journal of Statistical Software 36, on these trials
    theirs = combine_effects(effects, variances, method_re="chi2")
    assert found.q == pytest.approx(theirs.q, rel=1e-9)
    assert (found.tau2, found.i2) == pytest.approx((theirs.tau2, theirs.i2), rel=1e-9)
    assert (found.random.value, found.random.se) == pytest.approx((theirs.mean_effect_re, theirs.sd_eff_w_re), rel=1e-9)
    assert found.fixed.value == pytest.approx(theirs.mean_effect_fe, rel=1e-9)


def test_sites_without_two_rows_are_no_estimates_and_few_are_refused(tmp_path):
    held = rows() | {"a": pd.DataFrame({"x": [20.0, None], "g": ["yes", "no"]})}
    found = potluck.run(plan(ASKED[0]), held, out=tmp_path / "1").document["results"]["mean"]
    assert found["sites"] == 5
    held |= {"b": held["a"]}
    found = potluck.run(plan(ASKED[0]), held, out=tmp_path / "2").document["results"]["mean"]
    assert (found["Q"], found["sites"]) == (None, 4)
    assert "fewer than 5 sites" in found["refused"]


def test_a_site_whose_numbers_are_all_the_same_is_no_estimate(tmp_path):
    """Two equal rows would have all of the weight, and the pooled value would be theirs."""
    held = rows() | {"a": pd.DataFrame({"x": [39.0, 39.0], "g": ["yes", "no"]})}
    found = potluck.run(plan(ASKED[0]), held, out=tmp_path / "1").document["results"]["mean"]
    others = [(one["x"].mean(), one["x"].var(ddof=1) / len(one)) for name, one in held.items() if name != "a"]
    theirs = combine_effects(*np.array(others).T, method_re="chi2")
    assert (found["sites"], found["fixed"]["value"]) == (5, pytest.approx(theirs.mean_effect_fe, rel=1e-8))
    held["a"] = pd.DataFrame({"x": [39.0, 38.0], "g": ["yes", "no"]})  # a control
    assert potluck.run(plan(ASKED[0]), held, out=tmp_path / "2").document["results"]["mean"]["sites"] == 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"of": None}, "of: says what each site estimates"),
        ({"column": "g"}, "column: g is a category"),
        ({"of": "proportion"}, "column: x is a number"),
        ({"events": ["yes"]}, "events: a mean has none"),
        ({"of": "proportion", "column": "g", "events": ["maybe"]}, "events: some of the values of g"),
        ({"rounds": 3}, "rounds: this takes 2"),
        ({"by": "g"}, "by: sites are compared"),
    ],
)
def test_what_does_not_fit_is_an_error_of_check(change, words):
    asked = {key: value for key, value in ({**ASKED[0], **change}).items() if value is not None}
    assert any(words in error for error in potluck.check(plan(asked)).errors)


def test_four_honest_sites_are_too_few_and_five_are_enough():
    for sites, more in ((SITES[:4], {}), (SITES[:5], {"corrupt": 1}), (SITES[:5], {"dropouts": 1})):
        federation = {"sites": sites, "server": "curious", **more}
        (error,) = potluck.check(plan(ASKED[0], federation=federation)).errors
        assert "of fewer than 5 honest sites the sums give every site's estimate" in error
    assert not potluck.check(plan(ASKED[0], sites=SITES[:5])).errors


def test_noise_is_refused():
    noise = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5}
    assert any("meta is refused with noise" in one for one in potluck.check(plan(ASKED[0], privacy=noise)).errors)
