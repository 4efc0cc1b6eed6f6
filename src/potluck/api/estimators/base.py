"""What classifier and regressor have in common: parameters, the run, the plan that was written, what was spent."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from potluck.api.estimators.plan import Bounds, carried, dealt, frames, ranges, written
from potluck.api.local.run import run
from potluck.api.plan.grammar import Toml
from potluck.core.errors import UsageError
from potluck.core.stages import Floats
from potluck.learning.data.encode import encode
from potluck.learning.models.export import INSTALL

try:
    from sklearn.base import BaseEstimator
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    raise UsageError("scikit-learn of version 1.6 or newer is missing", hint=INSTALL) from None


class Federated(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Parameters: see `FederatedClassifier`."""

    def __init__(  # noqa: PLR0913 - the parameters of an estimator are its arguments
        self,
        model: str,
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
        self.model = model
        self.protect = protect
        self.epsilon = epsilon
        self.delta = delta
        self.noise = noise
        self.bounds = bounds
        self.n_sites = n_sites
        self.l2 = l2
        self.rounds = rounds
        self.settings = settings
        self.ledger = ledger

    def _fit(self, values: Floats, said: tuple[Any, Toml, Toml], sites: object) -> Self:
        """values [n, p]; said: the target's cells, its column, and what of it is predicted."""
        cells, column, aim = said
        names = self._names()
        target = "target"
        while target in names:
            target += "_"
        whose = dealt(sites, len(values), self.n_sites)
        columns = dict(zip(names, ranges(self.bounds, values, names), strict=True))
        rows = frames(dict(zip(names, values.T, strict=True)), (target, cells), whose)
        self.plan_ = carried(written(self, columns, (target, column, aim), list(rows), len(values)))
        with tempfile.TemporaryDirectory() as folder:
            ledger = self.ledger or Path(folder) / "ledger"
            self.run_ = run(self.plan_, rows, out=Path(folder) / "run", ledger=ledger, quiet=True)
            self.model_ = self.run_.model
        self.spent_ = self.run_.spent
        return self

    def _names(self) -> list[str]:
        """Of the columns in the plan."""
        named = getattr(self, "feature_names_in_", None)
        return list(named) if named is not None else [f"x{place}" for place in range(self.n_features_in_)]

    def _margins(self, rows: object) -> Floats:
        """[n, outputs] of the model."""
        check_is_fitted(self)
        values = validate_data(self, rows, reset=False, dtype=np.float64)
        features = encode(self.model_.encoding, dict(zip(self._names(), values.T, strict=True)))
        return self.model_.margins(features)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.epsilon is not None
        return tags
