"""Meta-analyses against statsmodels on sites' own values and fits, and on the BCG trials."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects

import potluck
from potluck.core.plan import Federation, Statistic
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import GridBlock
from potluck.learning.loops import build
from potluck.learning.statistics.course import Asked
from potluck.learning.statistics.limbs import BITS
from potluck.learning.statistics.pooling.pooled import FINE, LIMBS, Own, numbers
from potluck.learning.statistics.statistics import courses
from potluck.learning.statistics.sums import Part
from support.learning.sums import category, number, stats

COLUMNS = {
    "x": {"kind": "number", "low": 0, "high": 40, "missing": "flag"},
    "g": {"kind": "category", "values": ["no", "yes"]},
    "y": {"kind": "number", "low": -60, "high": 60, "missing": "flag"},
    "many": {"kind": "number", "low": 0, "high": 100, "missing": "flag"},
    "stage": {"kind": "category", "values": ["I", "II", "III"]},
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


def one_site(place, draw):
    """Of its own size, mean, share and slopes."""
    n = 90 + 40 * place
    x = draw.normal(18 + place, 4, n).round(2)
    effect = 0.3 + 0.9 * (place % 3)
    g = draw.uniform(size=n) < 1 / (1 + np.exp(1 - 0.2 * effect * (x - 20)))
    return pd.DataFrame(
        {
            "x": x,
            "g": np.where(g, "yes", "no"),
            "y": (effect * (x - 20) + 4 * effect * g + draw.normal(0, 4, n)).round(2),
            "many": draw.poisson(np.exp(0.05 * x + 0.5 * effect * g)),
            "stage": draw.choice(["I", "II", "III"], n),
        }
    )


def rows(sites=SITES):
    draw = np.random.default_rng(0)
    return {name: one_site(place, draw) for place, name in enumerate(sites)}


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
        pooled_as_theirs(found.document["results"][name], each)
    assert len(found.document["rounds"]) == 3


def pooled_as_theirs(mine, each, sites=6):
    """As statsmodels pools (value, variance) of each site."""
    theirs = combine_effects(*np.array(each).T, method_re="chi2")
    frame = theirs.summary_frame()
    assert theirs.tau2 > 0
    assert mine["Q"] == pytest.approx(theirs.q, rel=1e-8)
    assert mine["tau2"] == pytest.approx(theirs.tau2, rel=1e-8)
    assert mine["I2"] == pytest.approx(theirs.i2, rel=1e-8)
    for ours, row in (("fixed", "fixed effect"), ("random", "random effect")):
        expected = frame.loc[row, ["eff", "sd_eff", "ci_low", "ci_upp"]].tolist()
        assert [mine[ours][key] for key in ("value", "se", "low", "high")] == pytest.approx(expected, rel=1e-8)
    assert mine["sites"] == sites


FITS = {
    "slope": ({"family": "gaussian", "target": "y", "features": ["x", "g"], "column": "x"}, "y ~ x + g", "x"),
    "robust": (
        {"family": "gaussian", "target": "y", "features": ["x", "g"], "column": "g", "errors": "hc0"},
        "y ~ x + g",
        "g[T.yes]",
    ),
    "odds": (
        {"family": "binomial", "target": "g", "events": ["yes"], "features": ["x", "stage"], "column": "x"},
        "yes ~ x + stage",
        "x",
    ),
    "rates": (
        {"family": "poisson", "target": "many", "features": ["x", "g"], "column": "g"},
        "many ~ x + g",
        "g[T.yes]",
    ),
}


def fitted(name, frame):
    """A site's own coefficient and its variance, by statsmodels."""
    asked, formula, term = FITS[name]
    family = getattr(sm.families, asked["family"].capitalize())()
    fit = sm.GLM.from_formula(formula, frame.assign(yes=(frame["g"] == "yes").astype(float)), family=family)
    done = fit.fit(tol=1e-12, tol_criterion="params", maxiter=100, cov_type="HC0" if "errors" in asked else "nonrobust")
    return done.params[term], done.bse[term] ** 2


def test_pooled_coefficients_are_those_of_statsmodels_fits(tmp_path):
    asked = [{"name": name, "of": "coefficient", **one} for name, (one, *_) in FITS.items()]
    found = potluck.run(plan(*asked), rows(), out=tmp_path / "run")
    clear = potluck.run(plan(*asked, protect={"with": "clear"}), rows(), out=tmp_path / "clear")
    assert clear.document["results"] == found.document["results"]
    for name in FITS:
        mine = found.document["results"][name]
        pooled_as_theirs(mine, [fitted(name, one) for one in rows().values()])
        ratio = mine["random"].get("ratio")
        assert ratio == (pytest.approx(np.exp(mine["random"]["value"])) if name in ("odds", "rates") else None)
    assert len(found.document["rounds"]) == 3


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["share", "he", "tee"])
def test_pooled_coefficients_are_the_same_under_every_protection(scheme, tmp_path):
    asked = {"name": "odds", "of": "coefficient", **FITS["odds"][0]}
    documents = [
        potluck.run(plan(asked, protect={"with": word}), rows(), out=tmp_path / word).document["results"]
        for word in ("clear", scheme)
    ]
    assert documents[0] == documents[1]


def failing():
    """Sites whose fit of g on x and stage comes to nothing, and why."""
    whole = rows()["f"]
    return {
        "few": whole[:12],
        "separated": whole.assign(x=np.where(whole["g"] == "yes", 30.0, 10.0)),
        "the same": whole.assign(x=20.0),
        "one outcome": whole.assign(g="no"),
        "empty": whole.assign(x=None),
    }


@pytest.mark.parametrize(
    "why", [pytest.param(why, marks=[pytest.mark.slow] * (place > 0)) for place, why in enumerate(failing())]
)
def test_a_site_whose_fit_fails_adds_zeros_and_the_others_are_pooled(why, tmp_path):
    held = rows() | {"c": failing()[why]}
    asked = {"name": "odds", "of": "coefficient", **FITS["odds"][0]}
    found = potluck.run(plan(asked), held, out=tmp_path / "run").document["results"]["odds"]
    pooled_as_theirs(found, [fitted("odds", one) for name, one in held.items() if name != "c"], sites=5)


def of_fit(name="slope", **more):
    columns = {"x": number(0, 40, "flag"), "y": number(-60, 60, "flag"), "g": category("no", "yes")}
    one = Statistic(name="one", kind="meta", of="coefficient", rounds=3, **FITS[name][0])
    return stats(columns, one, federation=Federation(sites=tuple(SITES)), **more)


def coded(frame):
    """Columns as a site has them."""
    values = frame.assign(g=(frame["g"] == "yes").astype(float))
    return {name: values[name].to_numpy(dtype=float) for name in ("x", "y", "g")}


def sent(spec, frame, step=1, tau2=0.0):
    """What a site adds, on the coarsest grid that a sum may have."""
    (course,) = courses(spec).values()
    asked = Asked(course, step, np.array([float(step), tau2]) if step else course.start())
    part = GridBlock("one", asked.layout.size, 2.0**-BITS, 1.0)
    return asked.steps(part, coded(frame), clip=False)


def test_the_numbers_of_a_site_do_not_go_by_the_order_of_its_rows():
    frame, spec = rows()["d"], of_fit()
    mixed = frame.sample(frac=1, random_state=1)
    for step, tau2 in ((0, 0.0), (1, 0.0), (2, 1e-3)):
        assert sent(spec, frame, step, tau2).any()
        assert (sent(spec, frame, step, tau2) == sent(spec, mixed, step, tau2)).all()
    assert not any(sent(spec, frame[:12], step).any() for step in range(3))


def test_before_enough_sites_have_an_estimate_nothing_but_their_number_is_opened():
    """Six sites, of which one may collude and one may leave: seven estimates would be needed, and so on."""
    for sites, corrupt, dropouts, counted, enough in (
        (7, 1, 1, 6, False),
        (7, 1, 1, 7, True),
        (6, 0, 0, 4, False),
        (6, 0, 0, 5, True),
    ):
        federation = Federation(sites=tuple("abcdefgh"[:sites]), corrupt=corrupt, dropouts=dropouts)
        spec = stats(
            {"x": number(0, 40)},
            Statistic(name="one", kind="meta", of="mean", column="x", rounds=3),
            federation=federation,
        )
        (course,) = courses(spec).values()
        (block,) = next(build(spec).lead()).blocks
        assert block.size == 1
        lead = course.lead()
        next(lead)
        part = Part(np.array([float(counted)]), np.zeros(1), 2.0**-48)
        if enough:
            assert lead.send(part).tolist() == [1.0, 0.0]
            continue
        with pytest.raises(StopIteration) as ended:
            lead.send(part)
        assert f"{counted} sites have an estimate, and {5 + corrupt + dropouts} are needed" in ended.value.value.refused


@pytest.mark.parametrize("state", [(3, 0), (1, -1), (2, np.nan), (1, np.inf), (0, 0)])
def test_a_state_that_is_none_of_the_plan_is_refused(state):
    (course,) = courses(of_fit()).values()
    with pytest.raises(Abort) as refused:
        course.layout(max(int(state[0]), 1), np.array(state, dtype=float))
    assert refused.value.cause is Cause.TERMS


OWNS = st.builds(Own, st.floats(-1, 1), st.floats(-66, 4).map(lambda power: 2.0**power), st.just(40))


@given(st.lists(OWNS, min_size=1, max_size=8))
@settings(deadline=None)
def test_sums_of_limbs_on_the_coarsest_grid_are_those_of_fractions(owns):
    """A step of 2^-BITS cuts nothing off but the last limb's end."""
    each = [np.trunc(numbers(1, own, 0.0) / 2.0**-BITS) for own in owns]
    total = np.sum(each, axis=0)[1:].reshape(4, LIMBS)
    exact = [sum(Fraction(int(limb)) / 2 ** (BITS * (place + 1)) for place, limb in enumerate(line)) for line in total]
    weights = [Fraction(FINE / own.variance) for own in owns]
    wanted = [
        sum(weights),
        sum(Fraction(FINE / own.variance * own.value) for own in owns),
        sum(Fraction(FINE / own.variance * own.value**2) for own in owns),
        sum(Fraction((FINE / own.variance) ** 2) for own in owns),
    ]
    finest = Fraction(len(owns), 2 ** (BITS * LIMBS))
    assert all(abs(found - right) <= finest for found, right in zip(exact, wanted, strict=True))
    assert finest / wanted[0] < 1e-12
    assert finest / wanted[3] < 1e-6


@pytest.mark.parametrize(
    "wide", [pytest.param(1e3, marks=pytest.mark.slow), pytest.param(1e6, marks=pytest.mark.slow), 1e9]
)
def test_ranges_far_wider_than_the_numbers_change_no_result(wide, tmp_path):
    """A variance that is small beside the declared range is not taken for a larger one."""
    columns = {**COLUMNS, "x": {"kind": "number", "low": -wide, "high": wide, "missing": "flag"}}
    spec = plan(ASKED[0], data={"columns": columns, "max_rows": 100_000})
    found = potluck.run(spec, rows(), out=tmp_path / "run").document["results"]["mean"]
    theirs = combine_effects(
        *np.array([(one["x"].mean(), one["x"].var() / len(one)) for one in rows().values()]).T, method_re="chi2"
    )
    assert found["tau2"] == pytest.approx(theirs.tau2, rel=1e-4)
    assert found["Q"] == pytest.approx(theirs.q, rel=1e-4)
    assert found["random"]["se"] == pytest.approx(theirs.sd_eff_w_re, rel=1e-4)


BCG = """4 119 11 128|6 300 29 274|3 228 11 209|62 13536 248 12619|33 5036 47 5761|180 1361 372 1079|8 2537 10 619
|505 87886 499 87892|29 7470 45 7232|17 1699 65 1600|186 50448 141 27197|5 2493 3 2338|27 16886 29 17825"""


def test_the_trials_of_the_bcg_vaccine_are_pooled_as_everywhere():
    """Colditz et al. 1994; logarithms of relative risks."""
    a, b, c, d = np.array([one.split() for one in BCG.replace("\n", "").split("|")], float).T
    effects, variances = np.log(a / (a + b) / (c / (c + d))), 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    most = 2.0  # brings all of them to [-1, 1]
    spec = stats(
        {"x": number(-most, most)},
        Statistic(name="one", kind="meta", of="mean", column="x", rounds=3),
        federation=Federation(sites=tuple("abcdefghijklm")),
    )
    (course,) = courses(spec).values()
    lead = course.lead()
    pairs = [*zip(effects / most, variances / most**2, strict=True)]

    def opened(state):
        values = sum(numbers(int(state[0]), Own(t, v, 40), state[1]) for t, v in pairs)
        return Part(values, np.zeros(len(values)), 2.0**-48)

    second = lead.send(opened(lead.send(opened(next(lead)))))
    with pytest.raises(StopIteration) as ended:
        lead.send(opened(second))
    found = ended.value.value
    assert round(found.q, 2) == 152.23  # Viechtbauer 2010, Journal of Statistical Software 36, on these trials
    theirs = combine_effects(effects, variances, method_re="chi2")
    assert found.q == pytest.approx(theirs.q, rel=1e-9)
    assert (found.tau2, found.i2) == pytest.approx((theirs.tau2, theirs.i2), rel=1e-9)
    assert (found.random.value, found.random.se) == pytest.approx((theirs.mean_effect_re, theirs.sd_eff_w_re), rel=1e-9)
    assert found.fixed.value == pytest.approx(theirs.mean_effect_fe, rel=1e-9)


def small(*values):
    """A site of two rows."""
    return rows()["a"][:2].assign(x=values)


def test_sites_without_two_rows_are_no_estimates_and_few_are_refused(tmp_path):
    held = rows() | {"a": small(20.0, None)}
    found = potluck.run(plan(ASKED[0]), held, out=tmp_path / "1").document["results"]["mean"]
    assert found["sites"] == 5
    held |= {"b": held["a"]}
    found = potluck.run(plan(ASKED[0]), held, out=tmp_path / "2").document["results"]["mean"]
    assert (found["Q"], found["sites"]) == (None, 4)
    assert "4 sites have an estimate, and 5 are needed" in found["refused"]


@pytest.mark.slow
def test_a_site_whose_numbers_are_all_the_same_is_no_estimate(tmp_path):
    """Two equal rows would have all of the weight, and the pooled value would be theirs."""
    held = rows() | {"a": small(39.0, 39.0)}
    found = potluck.run(plan(ASKED[0]), held, out=tmp_path / "1").document["results"]["mean"]
    others = [(one["x"].mean(), one["x"].var(ddof=1) / len(one)) for name, one in held.items() if name != "a"]
    theirs = combine_effects(*np.array(others).T, method_re="chi2")
    assert (found["sites"], found["fixed"]["value"]) == (5, pytest.approx(theirs.mean_effect_fe, rel=1e-8))
    held["a"] = small(39.0, 38.0)  # a control
    assert potluck.run(plan(ASKED[0]), held, out=tmp_path / "2").document["results"]["mean"]["sites"] == 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"of": None}, "of: is missing: what each site estimates"),
        ({"column": "g"}, "column: g is a category"),
        ({"of": "proportion"}, "column: x is a number"),
        ({"events": ["yes"]}, "events: a mean meta does not read it"),
        ({"of": "proportion", "column": "g", "events": ["maybe"]}, "events: some of the values of g"),
        ({"rounds": 2}, "rounds: this takes 3"),
        ({"by": "g"}, "by: sites are compared"),
    ],
)
def test_what_does_not_fit_is_an_error_of_check(change, words):
    asked = {key: value for key, value in ({**ASKED[0], **change}).items() if value is not None}
    assert any(words in error for error in potluck.check(plan(asked)).errors)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"column": None}, "column: says whose coefficient is pooled. hint: one of features"),
        ({"column": "many"}, "column: says whose coefficient is pooled"),
        ({"column": "stage"}, "column: stage has several coefficients: stage=II, stage=III"),
        ({"features": ["y", "x:y"], "column": "x:y"}, "column: x:y is not a declared column"),
        ({"target": "x"}, "features: x is the target"),
        ({"family": None}, "family: is missing"),
        ({"errors": "cluster"}, "errors: of a site by itself they have few clusters"),
    ],
)
def test_a_coefficient_that_does_not_fit_is_an_error_of_check(change, words):
    asked = {"name": "odds", "of": "coefficient", **FITS["odds"][0], **change}
    asked = {key: value for key, value in asked.items() if value is not None}
    assert any(words in error for error in potluck.check(plan(asked)).errors)


@pytest.mark.slow
def test_a_fit_that_no_site_has_room_for_is_an_error_of_check():
    columns = {**COLUMNS, "many": {"kind": "category", "values": [str(one) for one in range(9000)]}}
    asked = {"name": "odds", "of": "coefficient", **FITS["odds"][0], "features": ["x", "many"]}
    errors = potluck.check(plan(asked, data={"columns": columns, "max_rows": 1000})).errors
    size = 9001  # an intercept, a number, and all values but the reference
    assert any(f"a sum would have {5 + size + size * (size + 1) // 2:,} numbers" in error for error in errors)


def test_four_honest_sites_are_too_few_and_five_are_enough():
    for sites, more in ((SITES[:4], {}), (SITES[:5], {"corrupt": 1}), (SITES[:5], {"dropouts": 1})):
        federation = {"sites": sites, "server": "curious", **more}
        (error,) = potluck.check(plan(ASKED[0], federation=federation)).errors
        assert "of fewer than 5 honest sites the sums give every site's estimate" in error
    assert not potluck.check(plan(ASKED[0], sites=SITES[:5])).errors


def test_noise_is_refused():
    noise = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5}
    assert any("meta is refused with noise" in one for one in potluck.check(plan(ASKED[0], privacy=noise)).errors)
