"""Summaries against statsmodels on the pooled rows in their own units: coefficients to 1e-6, errors to 1e-5."""

import json
import math
import warnings

import numpy as np
import pandas as pd
import pytest

from potluck.core.errors import DataError, UsageError
from potluck.core.plan import Data, Model, PrivacyPlan, Target, Training
from potluck.learning.loops import build
from potluck.learning.models import basis, uncertainty
from potluck.learning.models.model import Model as Trained
from potluck.learning.models.summary import Summary, Term
from potluck.learning.training import newton
from potluck.learning.training.gram import Gram
from support.docs.variants import added
from support.learning.sums import category, frames, make, number, replaced, run

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import statsmodels.api as sm

NEWTON = Training(method="newton", rounds=12)


def told(spec, folder, *given, grid=True):
    """The summary as it is read from a run's folder."""
    outcome = run(build(spec), frames(spec, *given), grid=grid)
    outcome.model.write(folder / "model.json")
    (folder / basis.FILE).write_bytes(outcome.basis.dump())
    return Trained.read(folder / "model.json").summary()


def equal(summary, fit, names):
    """names: statsmodels' name of each of our terms."""
    assert list(summary.terms) == list(names)
    low, high = fit.conf_int().T.to_numpy()
    for place, (mine, theirs) in enumerate(names.items()):
        term, value = summary.terms[mine], fit.params[theirs]
        assert term.value == pytest.approx(value, abs=1e-6 * max(1.0, abs(value))), mine
        assert term.se == pytest.approx(fit.bse[theirs], rel=1e-5), mine
        assert term.low == pytest.approx(low[place], rel=1e-5, abs=1e-5), mine
        assert term.high == pytest.approx(high[place], rel=1e-5, abs=1e-5), mine
        assert term.statistic == pytest.approx(fit.tvalues[theirs], rel=1e-5, abs=1e-6), mine
        assert term.p == pytest.approx(fit.pvalues[theirs], rel=1e-3, abs=1e-9), mine


def affairs():
    data = sm.datasets.fair.load_pandas().data
    data["y"] = (data["affairs"] > 0).astype(int)
    return data.drop(columns="affairs")


def test_the_affairs_data_give_statsmodels_summary(tmp_path):
    """A data set that statsmodels ships, in its own units, split over two sites."""
    data = affairs()
    names = [name for name in data.columns if name != "y"]
    columns = {name: number(float(data[name].min()), float(data[name].max())) for name in names}
    wide = {"age": number(0, 120), "yrs_married": replaced(number(0, 60), unit="years")}
    spec = make(
        data=Data(columns=columns | wide, target=Target(column="y", positive=("1",))),
        model=Model(kind="logistic", l2=0.0),
        training=NEWTON,
    )
    found = told(spec, tmp_path, data.iloc[:3000], data.iloc[3000:])
    fit = sm.Logit(data["y"], sm.add_constant(data[names])).fit(tol=1e-12, disp=0)
    equal(found, fit, {"intercept": "const"} | {name: name for name in names})
    assert (found.n, found.events, found.converged, found.l2) == (6366, 2053, True, 0.0)
    assert found.terms["rate_marriage"].ratio == pytest.approx(math.exp(fit.params["rate_marriage"]))
    assert found.terms["yrs_married"].unit == "years"
    assert found.notes == ()


def test_the_affairs_data_over_six_columns_give_the_known_answer(tmp_path):
    """rate_marriage -.70924721, standard error .03130434, reckoned elsewhere and before."""
    data = affairs()
    names = ["rate_marriage", "age", "yrs_married", "children", "religious", "educ"]
    columns = {name: number(float(data[name].min()), float(data[name].max())) for name in names}
    spec = make(
        data=Data(columns=columns, target=Target(column="y", positive=("1",))),
        model=Model(kind="logistic", l2=0.0),
        training=NEWTON,
    )
    term = told(spec, tmp_path, data.iloc[:3000], data.iloc[3000:]).terms["rate_marriage"]
    assert term.value == pytest.approx(-0.70924721, abs=1e-8)
    assert term.se == pytest.approx(0.03130434, abs=1e-8)


def mixed(rows=900, seed=3):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.uniform(20, 80, rows),
            "stage": rng.choice(["I", "II", "III"], rows, p=[0.5, 0.3, 0.2]),
            "sex": rng.choice(["f", "m"], rows),
        }
    )
    margin = (frame["age"] - 50) / 20 + 0.8 * (frame["stage"] == "III") - 0.5 * (frame["sex"] == "m") - 0.2
    frame["y"] = (rng.random(rows) < 1 / (1 + np.exp(-margin))).astype(int)
    frame["bp"] = 120 + 6 * margin + 5 * rng.normal(size=rows)
    return frame


def columns(**more):
    stage = replaced(category("I", "II", "III"), reference="I")
    sex = replaced(category("f", "m"), reference="f")
    return {"age": replaced(number(0, 120), unit="years"), "stage": stage, "sex": sex} | more


def pooled(frame):
    dummies = {"stage=II": frame["stage"] == "II", "stage=III": frame["stage"] == "III", "sex=m": frame["sex"] == "m"}
    return sm.add_constant(pd.DataFrame({"age": frame["age"]} | dummies).astype(float))


NAMES = {"intercept": "const"} | {name: name for name in ("age", "stage=II", "stage=III", "sex=m")}


def logistic(l2=0.0, **keys):
    data = Data(columns=columns(), target=Target(column="y", positive=("1",)))
    return make(**{"data": data, "model": Model(kind="logistic", l2=l2), "training": NEWTON} | keys)


def test_categories_are_told_against_their_reference(tmp_path):
    frame = mixed()
    found = told(logistic(), tmp_path, frame.iloc[:350], frame.iloc[350:])
    equal(found, sm.Logit(frame["y"], pooled(frame)).fit(tol=1e-12, disp=0), NAMES)
    assert found.terms["stage=III"].against == "I"
    assert "stage=III (against I)" in str(found)
    assert "age (per years)" in str(found)


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_linear_model_is_told_in_the_targets_units(tmp_path, rounds):
    """After one round the squared errors are known at zero weights only, and follow from there."""
    frame = mixed()
    data = Data(columns=columns(bp=number(40, 260)), target=Target(column="bp"))
    spec = logistic(data=data, model=Model(kind="linear", l2=0.0), training=Training(method="newton", rounds=rounds))
    found = told(spec, tmp_path, frame.iloc[:350], frame.iloc[350:])
    fit = sm.OLS(frame["bp"], pooled(frame)).fit()
    equal(found, fit, NAMES)
    assert found.dispersion == pytest.approx(fit.scale, rel=1e-5)
    assert (found.df, found.events, found.terms["age"].ratio) == (895, None, None)


def test_an_odds_ratio_that_a_ridge_shrank_is_said_to_be(tmp_path):
    """The mistake: exp of the defaults' coefficient was read as the odds ratio of one unit."""
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 1, 120)
    frame = pd.DataFrame({"x": x, "y": (rng.random(120) < 1 / (1 + np.exp(-4 * (x - 0.5)))).astype(int)})
    data = Data(columns={"x": number(0, 10)}, target=Target(column="y", positive=("1",)))
    truth = sm.Logit(frame["y"], sm.add_constant(frame[["x"]])).fit(tol=1e-12, disp=0)
    shrunk = told(logistic(1.0, data=data), tmp_path, frame.iloc[:50], frame.iloc[50:])
    plain = told(logistic(0.0, data=data), tmp_path, frame.iloc[:50], frame.iloc[50:])
    assert plain.terms["x"].ratio == pytest.approx(math.exp(truth.params["x"]), rel=1e-6)
    assert shrunk.terms["x"].ratio < 0.7 * plain.terms["x"].ratio
    assert shrunk.terms["x"].se != pytest.approx(truth.bse["x"], rel=0.05)
    (line,) = shrunk.notes
    assert "l2 = 1 shrinks" in line
    assert "not the usual ones" in line
    assert plain.notes == ()


def test_with_a_ridge_errors_are_from_the_curvature_of_what_was_minimised(tmp_path):
    frame = mixed()
    spec = logistic(5.0)
    tables = frames(spec, frame)
    found = told(spec, tmp_path, frame)
    x = np.column_stack([np.ones(900), tables["a"].features])
    mean = 1 / (1 + np.exp(-x @ Trained.read(tmp_path / "model.json").weights))
    gram = (x * (mean * (1 - mean))[:, None]).T @ x + 5 * np.diag([0, 1, 1, 1, 1])
    errors = np.sqrt(np.diag(np.linalg.inv(gram)))[1:] * [1 / 60, 1, 1, 1]
    assert np.allclose([one.se for one in list(found.terms.values())[1:]], errors, rtol=1e-6)


def test_a_fit_that_has_not_converged_says_so(tmp_path):
    frame = mixed()
    found = told(logistic(training=Training(method="newton", rounds=2)), tmp_path, frame)
    assert found.converged is False
    assert any("has not converged" in note for note in found.notes)


def test_a_model_without_its_file_gives_coefficients_and_says_what_is_missing(tmp_path):
    frame = mixed()
    found = told(logistic(), tmp_path, frame)
    (tmp_path / basis.FILE).unlink()
    alone = Trained.read(tmp_path / "model.json").summary()
    assert alone.terms["age"].value == found.terms["age"].value
    assert alone.terms["age"].ratio == found.terms["age"].ratio
    assert (alone.terms["age"].se, alone.n, alone.l2, alone.converged) == (None, None, None, None)
    (line,) = alone.notes
    assert "no summary.json" in line


def test_a_file_of_another_model_is_not_used(tmp_path):
    """Control: beside its own model it is."""
    frame = mixed()
    assert told(logistic(), tmp_path, frame).terms["age"].se
    run(build(logistic()), frames(logistic(), mixed(seed=4))).model.write(tmp_path / "model.json")
    found = Trained.read(tmp_path / "model.json").summary()
    assert found.terms["age"].se is None
    assert "of another one" in found.notes[0]


def test_methods_without_a_gram_matrix_and_noise_say_why_there_are_no_errors(tmp_path):
    frame = mixed()
    steps = Training(method="gradient", rounds=3, expected_rows=900)
    found = told(logistic(training=steps), tmp_path, frame)
    assert "gradient opens no Gram matrix" in found.notes[-1]
    assert (found.terms["age"].se, found.l2) == (None, 0.0)
    noise = PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0)
    spec = logistic(training=steps, privacy=noise)
    outcome = run(build(spec), frames(spec, frame), lambda ask, total: (total, np.ones_like(total)))
    assert outcome.basis.sums is None
    outcome.model.write(tmp_path / "model.json")
    (tmp_path / basis.FILE).write_bytes(outcome.basis.dump())
    assert "had noise" in Trained.read(tmp_path / "model.json").summary().notes[-1]


@pytest.mark.slow
def test_weights_of_classes_are_said_since_they_move_the_intercept(tmp_path):
    """By about the logarithm of the weight (King and Zeng 2001, section 4.2)."""
    steps = Training(method="gradient", rounds=400, rate=2.0)
    plain = told(logistic(training=steps), tmp_path, mixed())
    heavy = told(logistic(training=replaced(steps, class_weights={"1": 5.0})), tmp_path, mixed())
    assert heavy.terms["intercept"].value - plain.terms["intercept"].value == pytest.approx(math.log(5), abs=0.3)
    assert any(note.startswith("rows counted by what they are ('1' 5, any other 1)") for note in heavy.notes)
    assert not any("counted by what they are" in note for note in plain.notes)


def test_the_model_file_holds_no_sum(tmp_path):
    """Its bytes are what they are without a summary, and the file beside it names its digest."""
    frame = mixed()
    spec = logistic()
    outcome = run(build(spec), frames(spec, frame), grid=True)
    text = outcome.model.files()[0].decode()
    assert not any(word in text for word in ("gram", "squares", "events", "rows"))
    assert json.loads(outcome.basis.dump())["model"] == outcome.model.digest()


@pytest.mark.parametrize("body", [b"", b"{}", b'{"format": "potluck summary 1"}', b"[" * 100_000])
def test_a_broken_file_is_an_error_and_keeps_nobody_from_scoring(tmp_path, body):
    frame = mixed()
    told(logistic(), tmp_path, frame)
    (tmp_path / basis.FILE).write_bytes(body)
    model = Trained.read(tmp_path / "model.json")
    assert len(model.predict_proba(frame)) == 900
    with pytest.raises(UsageError, match=r"is no summary of a model"):
        model.summary()


def test_levels_that_determine_one_another_are_named_with_the_remedy():
    frame = mixed()
    whole = Data(columns=columns(stage=category("I", "II", "III")), target=Target(column="y", positive=("1",)))
    spec = logistic(data=whole)
    with pytest.raises(DataError) as caught:
        run(build(spec), frames(spec, frame), grid=True)
    assert "intercept, stage=I, stage=II, stage=III determine one another" in caught.value.what
    assert 'data.columns.stage.reference = "I"' in (caught.value.hint or "")


def test_a_level_that_no_row_has_is_named():
    frame = mixed()
    whole = Data(
        columns=columns(stage=replaced(category("I", "II", "III", "IV"), reference="I")),
        target=Target(column="y", positive=("1",)),
    )
    spec = logistic(data=whole)
    with pytest.raises(DataError, match=r"singular: stage=IV is 0 in the training rows"):
        run(build(spec), frames(spec, frame), grid=True)


def separated(frame):
    """Every row of stage III is positive: its odds ratio is infinite."""
    return frame.assign(y=np.where(frame["stage"] == "III", 1, frame["y"]))


@pytest.mark.parametrize("rounds", [6, 12, 25, 60])
def test_separated_classes_are_an_error_that_names_the_coefficient(rounds):
    frame = separated(mixed())
    spec = logistic(training=Training(method="newton", rounds=rounds))
    with pytest.raises(DataError) as caught:
        run(build(spec), frames(spec, frame), grid=True)
    assert "stage=III" in caught.value.what
    assert "separate" in caught.value.what
    assert "model.l2 above 0" in (caught.value.hint or "")


def test_control_without_that_check_an_infinite_odds_ratio_is_a_number(tmp_path, monkeypatch):
    monkeypatch.setattr(newton.Newton, "_growing", lambda self, lengths, step: None)
    found = told(logistic(), tmp_path, separated(mixed()))
    assert found.terms["stage=III"].ratio > 1e4


def test_a_slow_fit_that_exists_is_found_with_more_rounds(tmp_path):
    """Nearly separated: two rows of two thousand keep the odds ratio finite."""
    frame = separated(mixed(2000))
    frame.loc[frame.index[frame["stage"] == "III"][:2], "y"] = 0
    found = told(logistic(training=Training(method="newton", rounds=15)), tmp_path, frame)
    equal(found, sm.Logit(frame["y"], pooled(frame)).fit(tol=1e-12, disp=0, maxiter=100), NAMES)


def test_beside_a_reference_an_undeclared_value_is_missing_and_not_the_reference(tmp_path):
    """The mistake: all zeros would make a stage IV of it a stage I."""
    frame = mixed()
    frame.loc[:8, "stage"] = "IV"
    with pytest.raises(DataError, match=r"column 'stage' has no declared value in 9 rows"):
        frames(logistic(), frame)
    drop = Data(
        columns=columns(stage=replaced(category("I", "II", "III", missing="drop"), reference="I")),
        target=Target(column="y", positive=("1",)),
    )
    spec = logistic(data=drop)
    found = told(spec, tmp_path, frame)
    kept = frame.iloc[9:]
    equal(found, sm.Logit(kept["y"], pooled(kept)).fit(tol=1e-12, disp=0), NAMES)
    model = Trained.read(tmp_path / "model.json")
    assert np.isnan(model.scores(frame)).sum() == 9
    assert model.encoding.names == ("age", "stage=II", "stage=III", "sex=m")


def test_a_name_that_ends_in_a_question_mark_is_of_undeclared_values_too_beside_a_reference(tmp_path):
    frame = mixed()
    frame.loc[:8, "stage"] = "i"
    flagged = category("I", "II", "III", missing="flag")
    for stage, more in ((replaced(flagged, reference="I"), True), (flagged, False)):  # the last: the control
        spec = logistic(l2=1.0, data=Data(columns=columns(stage=stage), target=Target(column="y", positive=("1",))))
        folder = tmp_path / str(more)
        folder.mkdir()
        (note,) = (one for one in told(spec, folder, frame).notes if "ends in ?" in one)
        assert note.startswith("a name that ends in ? is of rows without a value")
        assert note.endswith("beside a reference (stage) also of rows with a value that is not declared") == more


def steep(declared, x, slope, spread, most, rounds=6, n=2000, l2=0.0, max_rows=1_000_000):
    """y = slope (x - mean) + z + noise, and the rows: the better the fit beside what a row might add, the harder."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"x": rng.uniform(*x, n), "z": rng.uniform(0, 1, n)})
    frame["y"] = slope * (frame["x"] - frame["x"].mean()) + frame["z"] + rng.normal(0, spread, n)
    columns = {"x": number(0, declared), "z": number(0, 1), "y": number(-most, most)}
    spec = make(
        data=Data(columns=columns, target=Target(column="y"), max_rows=max_rows),
        model=Model(kind="linear", l2=l2),
        training=Training(method="newton", rounds=rounds),
    )
    return spec, frame


SINGLE = {"intercept": "const", "x": "x", "z": "z"}
EXACT = {
    "moderate": (100, (49.98, 50.02), 400, 1, 60),
    "calibration": (100, (0, 100), 1, 1e-3, 60),
    "fine calibration": (100, (0, 100), 1, 1e-4, 60),
    "income": (1e6, (20000, 60000), 0.001, 0.05, 1000),
}
LOST = {"wide": (1000, (49.9, 50.1), 400, 1, 60), "very wide": (10000, (499.9, 500.1), 400, 1, 60)}


@pytest.mark.parametrize("case", EXACT)
def test_a_close_fits_standard_errors_are_those_of_statsmodels(tmp_path, case):
    """The mistake: what the grid cut off each squared error made standard errors up to four times too small."""
    spec, frame = steep(*EXACT[case])
    found = told(spec, tmp_path, frame.iloc[::2], frame.iloc[1::2])
    fit = sm.OLS(frame["y"], sm.add_constant(frame[["x", "z"]])).fit()
    for mine, theirs in SINGLE.items():
        assert found.terms[mine].se == pytest.approx(fit.bse[theirs], rel=1e-5)
        assert found.terms[mine].p == pytest.approx(fit.pvalues[theirs], rel=1e-3, abs=1e-9)
    assert found.dispersion == pytest.approx(fit.scale, rel=2e-5)


@pytest.mark.parametrize("case", LOST)
def test_standard_errors_that_rounding_could_move_are_refused_with_the_reason(tmp_path, case):
    """They are not known to 1e-5: with narrower ranges or a lower data.max_rows they are."""
    spec, frame = steep(*LOST[case])
    found = told(spec, tmp_path, frame.iloc[::2], frame.iloc[1::2])
    assert all(term.se is None and term.p is None for term in found.terms.values())
    assert any("there are no standard errors: the rounding of the sums" in note for note in found.notes)


def test_what_the_hint_says_gives_refused_standard_errors(tmp_path):
    (declared, reach, *rest) = LOST["wide"]
    spec, frame = steep(declared, reach, *rest, max_rows=1000)
    found = told(spec, tmp_path, frame.iloc[::2], frame.iloc[1::2])
    fit = sm.OLS(frame["y"], sm.add_constant(frame[["x", "z"]])).fit()
    assert found.terms["x"].se == pytest.approx(fit.bse["x"], rel=1e-5)


def test_control_with_the_cut_off_rest_left_out_standard_errors_are_wrong(tmp_path, monkeypatch):
    def cut(squares, grain):
        return np.floor(squares / grain) * grain, np.zeros(len(squares))

    monkeypatch.setattr(newton, "_split", cut)
    spec, frame = steep(*EXACT["fine calibration"])
    found = told(spec, tmp_path, frame.iloc[::2], frame.iloc[1::2])
    fit = sm.OLS(frame["y"], sm.add_constant(frame[["x", "z"]])).fit()
    assert found.terms["x"].se < 0.9 * fit.bse["x"]


def test_control_without_the_bound_a_lost_standard_error_is_told(tmp_path, monkeypatch):
    """Where rounding takes what the bound allows for: half a step of each of 30 rows."""
    monkeypatch.setattr(uncertainty, "EXACT", math.inf)
    steps = Gram.steps
    monkeypatch.setattr(Gram, "steps", lambda self: steps(self) - 15 * np.eye(3, dtype=np.int64))
    spec, frame = steep(*LOST["very wide"])
    found = told(spec, tmp_path, frame.iloc[::2], frame.iloc[1::2])
    fit = sm.OLS(frame["y"], sm.add_constant(frame[["x", "z"]])).fit()
    assert found.terms["x"].se != pytest.approx(fit.bse["x"], rel=1e-5)


@pytest.mark.parametrize("off", [0.0, 1e-18])
def test_rows_that_lie_on_the_model_have_no_standard_error_of_0(tmp_path, off):
    """The mistake: a sum of squares that rounding made negative, or lost, was told as an error of 0."""
    spec, frame = steep(100, (0, 100), 1, off, 60)
    found = told(spec, tmp_path, frame.iloc[::2], frame.iloc[1::2])
    assert {term.se for term in found.terms.values()} == {None}
    assert found.dispersion is None
    assert any("very close to the rows" in note for note in found.notes)


def test_one_round_far_from_its_sums_is_refused_and_two_are_exact(tmp_path):
    spec, frame = steep(*EXACT["moderate"], rounds=1)
    found = told(spec, tmp_path, frame.iloc[::2], frame.iloc[1::2])
    assert found.terms["x"].se is None
    spec, frame = steep(*EXACT["moderate"], rounds=2)
    assert told(spec, tmp_path, frame.iloc[::2], frame.iloc[1::2]).terms["x"].se is not None


def test_a_warning_that_rounding_moves_coefficients_stands_in_the_summary(tmp_path):
    spec, frame = steep(*LOST["very wide"])
    found = told(spec, tmp_path, frame.iloc[::2], frame.iloc[1::2])
    assert any("may move coefficients by" in note for note in found.notes)
    assert any(
        "may move coefficients by" in line for line in json.loads((tmp_path / basis.FILE).read_text())["warnings"]
    )


STOPS = "gradient stops after training.rounds and does not check that it has arrived"


@pytest.mark.slow
def test_odds_ratios_of_a_gradient_that_has_not_arrived_are_said_to_be_near_1(tmp_path):
    """The mistake: three steps' odds ratios, without a ridge and without a word. Control: after enough steps nothing
    is said, and they are those of statsmodels."""
    frame = mixed()
    truth = math.exp(sm.Logit(frame["y"], pooled(frame)).fit(tol=1e-12, disp=0).params["stage=III"])
    spec = logistic(training=Training(method="gradient", rounds=3))
    outcome = run(build(spec), frames(spec, frame), grid=True)
    assert any("has not arrived" in line for line in outcome.warnings)
    found = told(spec, tmp_path, frame)
    assert found.converged is False
    assert any(STOPS in note and "ratios to 1" in note for note in found.notes)
    assert abs(math.log(found.terms["stage=III"].ratio)) < 0.5 * math.log(truth)
    spec = logistic(training=Training(method="gradient", rounds=500, rate=4.0))
    assert run(build(spec), frames(spec, frame), grid=True).warnings == ()
    found = told(spec, tmp_path, frame)
    assert (found.converged, any(STOPS in note for note in found.notes)) == (True, False)
    assert found.terms["stage=III"].ratio == pytest.approx(truth, rel=1e-3)


def test_odds_ratios_of_a_gradient_with_noise_are_said_to_be_near_1_and_noisy(tmp_path):
    noise = PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0)
    spec = logistic(training=Training(method="gradient", rounds=3, expected_rows=900), privacy=noise)
    outcome = run(build(spec), frames(spec, mixed()), lambda ask, total: (total, np.ones_like(total)))
    outcome.model.write(tmp_path / "model.json")
    (tmp_path / basis.FILE).write_bytes(outcome.basis.dump())
    found = Trained.read(tmp_path / "model.json").summary()
    assert found.converged is None
    assert any(STOPS in note for note in found.notes)
    assert "had noise" in found.notes[-1]


def test_a_gradient_on_a_narrow_column_has_not_arrived_however_flat_it_is(tmp_path):
    """A norm alone would say that it has: along a column that fills a tiny part of its range gradients are small."""
    frame = mixed()
    data = Data(columns=columns(age=number(0, 1e5)), target=Target(column="y", positive=("1",)))
    spec = logistic(data=data, training=Training(method="gradient", rounds=60, rate=4.0))
    assert told(spec, tmp_path, frame).converged is False


def test_a_model_of_two_sides_without_odds_is_judged_by_z_and_a_model_of_numbers_by_t():
    """As its p values are: the normal distribution, and Student's."""
    with added("model"):
        heads = {kind: str(empty(kind)).splitlines()[1].split() for kind in ("straight", "linear", "logistic")}
    assert heads["straight"] == ["coefficient", "low", "high", "se", "z", "p"]
    assert heads["linear"] == ["coefficient", "low", "high", "se", "t", "p"]
    assert "z" in heads["logistic"]


def empty(kind):
    """A summary of one coefficient, of which nothing is known."""
    return Summary(kind, kind, "y", {"x": Term(1.0)}, None, None, None, None, None, None, ())
