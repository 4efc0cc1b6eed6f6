"""The same model as a fitted scikit-learn pipeline (an optional package): stock classes, learned attributes set.

Its file, which whoever wants one writes with joblib, opens where Potluck is not installed. A network of a graph has no
stock class: its pipeline is one estimator of this package (`exports.estimators`).
"""

from typing import TYPE_CHECKING

import numpy as np

from potluck.core.errors import UsageError
from potluck.learning.models import layers
from potluck.learning.models.boosted.layout import edged
from potluck.learning.models.kind import MODELS, Trained

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline

INSTALL = "pip install 'potluck[sklearn]'"


def pipeline(model: Trained) -> "Pipeline":
    """A fitted pipeline on raw frames: of a graph, an estimator of this package. Raises UsageError: scikit-learn is
    missing, or has no such network, trees or columns."""
    estimator = MODELS.of(model.kind).sklearn
    if estimator is None:
        hint = 'potluck.export(MODEL, FILE, to="onnx-columns"), or use predict and predict_proba'
        raise UsageError(f"scikit-learn takes no {model.kind} made elsewhere", hint=hint)
    try:
        from sklearn.pipeline import Pipeline
    except ImportError:
        raise UsageError("scikit-learn is missing", hint=INSTALL) from None
    if model.graph is not None:
        from potluck.learning.models.exports.estimators import estimator as of_graph

        return Pipeline([("model", of_graph(model))])
    from potluck.learning.models.exports.stock_columns import columns

    edges = None if model.curves is None else edged(model.curves.bins)
    return Pipeline([("encode", columns(model.encoding, edges)), ("model", estimator(model))])


def straight(model: Trained) -> "BaseEstimator":
    """A linear or logistic model, or curves, which are linear in their bins: in the target's own units."""
    from sklearn.linear_model import LogisticRegression, Ridge

    goal = model.target
    weights = model.weights.reshape(goal.outputs, -1) if model.curves is None else model.curves.weights
    intercepts, slopes = weights[:, 0].copy(), weights[:, 1:].copy()
    if goal.side == "number":
        half = (goal.high - goal.low) / 2
        made = Ridge()
        made.coef_, made.intercept_ = slopes[0] * half, float(goal.low + (intercepts[0] + 1) * half)
    else:
        if len(weights) == 2:  # of two classes scikit-learn holds what the second one has more
            intercepts, slopes = np.diff(intercepts), np.diff(slopes, axis=0)
        made = LogisticRegression()
        made.classes_ = np.array(goal.classes if goal.side == "classes" else [0, 1])
        made.coef_, made.intercept_, made.n_iter_ = slopes, intercepts, np.array([0])
    made.n_features_in_ = slopes.shape[1]
    return made


def perceptron(model: Trained) -> "BaseEstimator":
    """A network with the model's layers. Raises UsageError: scikit-learn has no such activation."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import LabelBinarizer

    assert model.network is not None
    if model.network.activation == "square":
        raise UsageError("scikit-learn has no square activation", hint="use predict and predict_proba")
    parts = [(matrix.copy(), bias.copy()) for matrix, bias in layers.unpacked(model.weights, model.shapes)]
    kind = MLPRegressor if model.target.side == "number" else MLPClassifier
    net = kind(hidden_layer_sizes=model.network.layers, activation=model.network.activation)
    if model.target.side == "number":
        half = (model.target.high - model.target.low) / 2
        matrix, bias = parts[-1]
        parts[-1] = (matrix * half, model.target.low + (bias + 1) * half)
        net.out_activation_ = "identity"
    else:
        known = {"classes": np.array(model.target.classes), "labels": np.eye(model.target.outputs, dtype=np.int64)}
        net._label_binarizer = LabelBinarizer().fit(known.get(model.target.side, np.array([0, 1])))
        if model.target.side == "classes":
            net._label_binarizer.classes_ = known["classes"]  # in the order of the outputs, not sorted
        net.classes_ = net._label_binarizer.classes_
        net.out_activation_ = "softmax" if model.target.side == "classes" else "logistic"
    net.coefs_, net.intercepts_ = [m for m, _ in parts], [b for _, b in parts]
    net.n_layers_, net.n_outputs_ = len(parts) + 1, model.target.outputs
    net.n_features_in_ = len(model.encoding.names)
    return net
