"""`potluck.FederatedClassifier`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from potluck.api.estimators.base import Federated
from potluck.api.estimators.plan import Bounds
from potluck.core.stages import Floats
from potluck.learning.data.target import scores
from potluck.learning.models.kinds import MODELS


class FederatedClassifier(ClassifierMixin, Federated):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier of scikit-learn that a plan trains over sites, all of which are in this process.

    `fit` writes a plan (`plan_`), deals the rows to sites and carries the plan out with `potluck.run`. Rows of all
    sites are here, so this tries out what sites would do, and protects nothing from whoever runs it.
    With `epsilon` each `fit` spends it anew, also those of `GridSearchCV` and `cross_val_score`: what they spend adds
    up, in the owners' ledgers where `ledger` names a folder, else nowhere.

    Args:
        model: A kind of model of `model.kind`: "logistic", "additive", "trees".
        protect: The protection of the sums, as `protect.with`: "mask", "clear", "he", "share", "tee".
        epsilon: Of the whole fit, for a row, by adding or removing one; None: no noise.
        delta: Beside it.
        noise: Where noise is drawn if there is an epsilon, as `privacy.noise`; "site" with protect="clear".
        bounds: Public ranges of the features, which are clamped to them: (low, high), each a number or one a column, or
            by column. None: those of the rows, with a `PrivacyLeakWarning`.
        n_sites: To how many sites rows are dealt by turns, where `fit` is not told whose they are.
        l2: The ridge; of "logistic" scikit-learn's C = 1 / l2, on features that are scaled to [-1, 1].
        rounds: As `training.rounds`; None: what a plan has that does not say it.
        settings: More keys of the plan, such as {"training.batch": 256}; they stand over all others.
        ledger: A folder in which the sites' ledgers stay from fit to fit.

    Attributes:
        classes_: The classes, in order.
        model_: The `potluck.Model`, over columns that are called as the features, or x0, x1, ...
        plan_: The `potluck.Plan` that was written.
        run_: The `potluck.Run`, whose folder is gone.
        spent_: Epsilon that this fit spent, by site; None without noise.
        n_features_in_, feature_names_in_: As everywhere in scikit-learn.

    Examples:
        >>> from sklearn.datasets import make_classification
        >>> import potluck
        >>> X, y = make_classification(90, 4, random_state=0)
        >>> model = potluck.FederatedClassifier(bounds=(-5, 5)).fit(X, y, sites=["a", "b", "c"] * 30)
        >>> model.predict(X[:3]).shape
        (3,)
    """

    def __init__(  # noqa: PLR0913 - the parameters of an estimator are its arguments
        self,
        model: str = "logistic",
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
    ) -> None:
        super().__init__(
            model, protect=protect, epsilon=epsilon, delta=delta, noise=noise, bounds=bounds, n_sites=n_sites, l2=l2,
            rounds=rounds, settings=settings, ledger=ledger,
        )  # fmt: skip

    def fit(self, X: object, y: object, sites: object = None) -> Self:
        """Train.

        Args:
            X: [n, p] numbers, a frame or an array, without missing ones.
            y: [n] classes.
            sites: [n] whose row each is; None: they are dealt by turns.

        Returns:
            The estimator.

        Raises:
            ValueError: Rows that scikit-learn refuses, or fewer of them than sites.
            PlanError: A plan that cannot be kept; Refused: a ledger has no epsilon left.
        """
        values, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("a classifier needs rows of two classes or more; these are of one class")
        if len(self.classes_) > 2 and "classes" not in MODELS.of(self.model).targets:
            kinds = ", ".join(word for word, kind in MODELS.entries.items() if "classes" in kind.targets)
            what = f"Only binary classification is supported. The type of the target is multiclass ({self.model})"
            raise ValueError(f"{what}. hint: several classes: {kinds}")
        texts = [str(place) for place in range(len(self.classes_))]
        aim = {"positive": ["1"]} if len(texts) == 2 else {"classes": texts}
        return self._fit(values, (codes, {"kind": "category", "values": texts}, aim), sites)

    def decision_function(self, X: object) -> Floats:
        """Log-odds of the second of two classes [n], or logits of each of several [n, classes].

        Args:
            X: [n, p] as in `fit`.

        Returns:
            The margins.

        Raises:
            ValueError: Rows that scikit-learn refuses, or other columns.
        """
        found = self._margins(X)
        return found[:, 0] if len(self.classes_) == 2 else found

    def predict_proba(self, X: object) -> Floats:
        """Probabilities of the classes, in the order of `classes_`.

        Args:
            X: [n, p] as in `fit`.

        Returns:
            [n, classes].

        Raises:
            ValueError: Rows that scikit-learn refuses, or other columns.
        """
        found = self._margins(X)
        found = scores(self.model_.target, found)
        return np.hstack([1 - found, found]) if len(self.classes_) == 2 else found

    def predict(self, X: object) -> NDArray[Any]:
        """The likeliest class of each row.

        Args:
            X: [n, p] as in `fit`.

        Returns:
            [n] of `classes_`.

        Raises:
            ValueError: Rows that scikit-learn refuses, or other columns.
        """
        found = self.decision_function(X)
        likeliest: NDArray[Any] = self.classes_[(found > 0).astype(int) if found.ndim == 1 else found.argmax(axis=1)]
        return likeliest

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        known = self.model in MODELS.entries
        tags.classifier_tags.multi_class = known and "classes" in MODELS.of(self.model).targets
        return tags
