"""A network that is a graph as an estimator of scikit-learn: raw rows in, in the plan's columns.

scikit-learn has no such network of its own, so these need Potluck, and torch, wherever they predict. A model is
trained by a plan: as with scikit-learn's own `FrozenEstimator`, `fit` changes nothing, and a clone is the same model.
"""

from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from potluck.core.stages import Floats
from potluck.learning.data.source import Source
from potluck.learning.models.graph_model import refuse
from potluck.learning.models.kind import Trained


class _Frozen(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """model: a `potluck.Model`."""

    def __init__(self, model: Trained) -> None:
        self.model = model

    @property
    def n_features_in_(self) -> int:
        """How many columns it reads."""
        return len(self.model.encoding.fields)

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """Their names."""
        return np.array([one.name for one in self.model.encoding.fields], dtype=object)

    def fit(self, rows: object, target: object = None) -> Self:
        """Nothing: the model is as its plan trained it."""
        return self

    def predict(self, rows: Source) -> NDArray[np.generic]:
        """As `Model.predict`. Raises DataError: a row that cannot be encoded."""
        return self.model.predict(rows)

    def __sklearn_is_fitted__(self) -> bool:
        return True


class NetworkRegressor(RegressorMixin, _Frozen):  # type: ignore[misc]
    """Of a number."""


class NetworkClassifier(ClassifierMixin, _Frozen):  # type: ignore[misc]
    """Of two sides, classes or labels; of these `predict` and `predict_proba` give a column each."""

    @property
    def classes_(self) -> NDArray[np.generic]:
        """In the order of the columns of `predict_proba`."""
        target = self.model.target
        return np.array([0, 1]) if target.side == "binary" else np.array(target.scores)

    def predict_proba(self, rows: Source) -> Floats:
        """As `Model.predict_proba`."""
        return self.model.predict_proba(rows)


def estimator(model: Trained) -> _Frozen:
    """The one for a model's target. Raises UsageError: it predicts no value of a row."""
    refuse(model.target)
    return NetworkRegressor(model) if model.target.side == "number" else NetworkClassifier(model)
