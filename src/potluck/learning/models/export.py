"""The same model as a fitted scikit-learn pipeline (an optional package): stock classes, learned attributes set.

The first step is a FunctionTransformer over this package's own encoding, so that raw frames are read alike. A network
of a graph has no stock class: its pipeline is one estimator of this package (`exports.estimators`).
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from potluck.core.errors import UsageError
from potluck.learning.models import layers
from potluck.learning.models.kind import MODELS, Trained

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer


def _names(transformer: "FunctionTransformer", _: object) -> NDArray[np.object_]:
    return np.asarray(transformer.func.__self__.encoding.names, dtype=object)


def pipeline(model: Trained) -> "Pipeline":
    """A fitted pipeline on raw frames: of a graph, an estimator of this package. Raises UsageError: scikit-learn is
    missing, or has no such network or trees."""
    estimator = MODELS.of(model.kind).sklearn
    if estimator is None:
        raise UsageError(f"scikit-learn takes no {model.kind} made elsewhere", hint="use predict and predict_proba")
    try:
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import FunctionTransformer
    except ImportError:
        raise UsageError("scikit-learn is missing", hint="pip install 'potluck[sklearn]'") from None
    if model.graph is not None:
        from potluck.learning.models.exports.estimators import estimator as of_graph

        return Pipeline([("model", of_graph(model))])
    encode = FunctionTransformer(model.features, feature_names_out=_names)
    return Pipeline([("encode", encode), ("model", estimator(model))])


def logistic(model: Trained) -> "BaseEstimator":
    """A logistic regression with the model's coefficients."""
    from sklearn.linear_model import LogisticRegression

    made = LogisticRegression()
    made.classes_ = np.array([0, 1])
    made.coef_, made.intercept_ = model.weights[None, 1:].copy(), np.array([float(model.weights[0])])
    made.n_features_in_, made.n_iter_ = len(model.weights) - 1, np.array([0])
    return made


def ridge(model: Trained) -> "BaseEstimator":
    """A linear regression likewise, in the target's own units."""
    from sklearn.linear_model import Ridge

    intercept, slopes = float(model.weights[0]), model.weights[1:]
    half = (model.target.high - model.target.low) / 2
    made = Ridge()
    made.coef_, made.intercept_ = slopes * half, model.target.low + (intercept + 1) * half
    made.n_features_in_ = len(slopes)
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
