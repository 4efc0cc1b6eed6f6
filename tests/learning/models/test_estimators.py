"""A network of a graph as an estimator of scikit-learn: the same predictions, in pipelines, clones and scores."""

from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

from sklearn.base import clone, is_classifier, is_regressor
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

from potluck.learning.models.model import model
from support.graph import trained as drawn

pytestmark = pytest.mark.torch


@pytest.fixture(
    params=["classes", "labels", *(pytest.param(one, marks=pytest.mark.slow) for one in ("binary", "number"))]
)
def found(request, tmp_path):
    """A model and rows of its kind."""
    kind = request.param
    plan = drawn.plan(drawn.made(drawn.mlp(drawn.TARGETS[kind][2]), tmp_path / "net.graph"), kind)
    weights = np.concatenate([one.reshape(-1) for one in plan.spec.network.tensors.values()]).astype(np.float64)
    return model(plan.spec, weights), drawn.frames(kind=kind)["a"]


def test_it_predicts_what_the_model_does_and_so_does_a_clone(found):
    whole, frame = found
    pipeline = whole.to_sklearn()
    check_is_fitted(pipeline)
    for one in (pipeline, clone(pipeline), clone(pipeline[0]), clone(pipeline).fit(frame, frame["y"])):
        assert np.array_equal(one.predict(frame), whole.predict(frame))
        if whole.target.side != "number":
            assert np.array_equal(one.predict_proba(frame), whole.predict_proba(frame))
    assert pipeline[0].get_params() == {"model": whole}
    assert pipeline[0].feature_names_in_.tolist() == ["x", "z"]
    assert pipeline[0].n_features_in_ == 2


def test_it_stands_in_a_pipeline_and_is_scored_by_scikit_learn(found):
    whole, frame = found
    rows, side = frame[["x", "z"]], whole.target.side
    target = frame[["y", "v"]].astype(int) if side == "labels" else frame["y"]
    target = target.astype(int) if side == "binary" else target
    pipeline = make_pipeline(FunctionTransformer(lambda x: x[["z", "x"]]), whole.to_sklearn()[0])
    assert np.array_equal(pipeline.predict(rows), whole.predict(rows))
    number = side == "number"
    assert (is_regressor(pipeline), is_classifier(pipeline)) == (number, not number)
    wanted = (r2_score if number else accuracy_score)(target, whole.predict(rows))
    assert pipeline.score(rows, target) == pytest.approx(wanted)
    assert len(cross_val_score(pipeline, rows, target, cv=3)) == 3
    if side in ("binary", "classes"):
        labels = pipeline[-1].classes_[whole.predict_proba(rows).argmax(axis=1)]
        assert np.array_equal(labels, whole.predict(rows))
