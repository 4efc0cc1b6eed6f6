"""`potluck.FederatedRegressor`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from potluck.api.estimators.base import Federated
from potluck.api.estimators.plan import Bounds, ranges
from potluck.core.stages import Floats
from potluck.learning.data.target import scores


class FederatedRegressor(RegressorMixin, Federated):  # type: ignore[misc]  # scikit-learn has no types
    """A regressor of scikit-learn that a plan trains over sites, all of which are in this process.

    As `FederatedClassifier`, of a number.

    Args:
        model: A kind of model of `model.kind`: "linear", "additive", "trees".
        protect: As of `FederatedClassifier`, like all others but these.
        epsilon: The same.
        delta: The same.
        noise: The same.
        bounds: The same.
        n_sites: The same.
        l2: The ridge; of "linear" the alpha of scikit-learn's Ridge, on features and target that are scaled to [-1, 1].
        rounds: The same.
        settings: The same.
        ledger: The same.
        target_bounds: The public range (low, high) of what is predicted, which is clamped to it; None: that of the
            rows, with a `PrivacyLeakWarning`.

    Attributes:
        model_: As of `FederatedClassifier`, like all others.

    Examples:
        >>> from sklearn.datasets import make_regression
        >>> import potluck
        >>> X, y = make_regression(90, 4, random_state=0)
        >>> model = potluck.FederatedRegressor(bounds=(-5, 5), target_bounds=(-400, 400))
        >>> model.fit(X, y, sites=["a", "b", "c"] * 30).predict(X[:3]).shape
        (3,)
    """

    def __init__(  # noqa: PLR0913 - the parameters of an estimator are its arguments
        self,
        model: str = "linear",
        *,
        protect: str = "mask",
        epsilon: float | None = None,
        delta: float = 1e-5,
        noise: str = "shared",
        bounds: Bounds | None = None,
        n_sites: int = 3,
        l2: float = 1.0,
        rounds: int | None = None,
        settings: Mapping[str, object] | None = None,
        ledger: str | Path | None = None,
        target_bounds: Sequence[float] | None = None,
    ) -> None:
        super().__init__(
            model, protect=protect, epsilon=epsilon, delta=delta, noise=noise, bounds=bounds, n_sites=n_sites, l2=l2,
            rounds=rounds, settings=settings, ledger=ledger,
        )  # fmt: skip
        self.target_bounds = target_bounds

    def fit(self, X: object, y: object, sites: object = None) -> Self:
        """Train.

        Args:
            X: [n, p] numbers, a frame or an array, without missing ones.
            y: [n] numbers.
            sites: [n] whose row each is; None: they are dealt by turns.

        Returns:
            The estimator.

        Raises:
            ValueError: Rows that scikit-learn refuses, or fewer of them than sites.
            PlanError: A plan that cannot be kept; Refused: a ledger has no epsilon left.
        """
        values, numbers = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        numbers = np.asarray(numbers, dtype=np.float64)
        bounds = self.target_bounds and tuple(self.target_bounds)
        ((low, high),) = ranges(bounds, numbers[:, None], ["the target"])
        return self._fit(values, (numbers, {"kind": "number", "low": low, "high": high}, {}), sites)

    def predict(self, X: object) -> Floats:
        """The number of each row, in its own units.

        Args:
            X: [n, p] as in `fit`.

        Returns:
            [n].

        Raises:
            ValueError: Rows that scikit-learn refuses, or other columns.
        """
        found = self._margins(X)
        return scores(self.model_.target, found)[:, 0]
