"""A kind of model as one object: what it predicts, its layers, how its loss falls, what of a plan does not fit it.

A kind is a file in `kinds/` and a line in its table. Keys of its own also take fields of `core.plan.Model`, and a file
of another shape than layers of weights takes fields of `models.model`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Model as Spec
from potluck.core.plan import Plan
from potluck.core.registry import Registry, table
from potluck.core.stages import Floats
from potluck.learning.data.encode import Encoding
from potluck.learning.data.source import Source
from potluck.learning.data.target import Goal, Side
from potluck.learning.models.boosted.curves import Curves
from potluck.learning.models.boosted.forest import Forest
from potluck.learning.models.layers import Shapes, size

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

Slope = Callable[[Floats, Floats, Floats, Floats | None], Sequence[Floats]]
"""(weights [d], features [b, p], target [b], factors [b]) -> the gradient [d] of the mean loss over a batch, in parts
that follow each other: a layer's need not be copied into one vector. factors: of each row's loss; None: all 1."""


class Shape(Protocol):
    """A network's hidden layers and activation."""

    @property
    def layers(self) -> tuple[int, ...]: ...

    @property
    def activation(self) -> str: ...


class Trained(Protocol):
    """What a library's estimator takes of a model: see `models.model.Model`."""

    @property
    def kind(self) -> str: ...

    @property
    def encoding(self) -> Encoding: ...

    @property
    def target(self) -> Goal: ...

    @property
    def weights(self) -> Floats: ...

    @property
    def network(self) -> Shape | None: ...

    @property
    def curves(self) -> Curves | None: ...

    @property
    def graph(self) -> object | None: ...

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]: ...

    def predict(self, frame: Source) -> NDArray[np.generic]: ...

    def predict_proba(self, frame: Source) -> Floats: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How the margin of a model that is linear in its features, or one for each class, becomes the mean it predicts.

    mean, curved: margins [n] -> [n], the mean, and what a row weighs in the Gram matrix, from 0 to `steepest`. Of
    several classes margins [n, K] -> the means [n, K], and [n, K (K + 1) / 2] what it weighs for each two of them,
    whose entries of the Hessian are less than 0 where they differ. Where they take +, -, *, / and rounding alone, every
    machine adds the same bytes to an exact sum. squares: the loss is half the squared error, of a target on [-1, 1];
    else targets and means lie on [0, 1]. odds: margins are logarithms of odds, so that exp of a coefficient is an odds
    ratio.
    """

    mean: Callable[[Floats], Floats]
    curved: Callable[[Floats], Floats]
    steepest: float
    squares: bool = False
    odds: bool = False


def zeros(spec: Spec, shapes: Shapes) -> Floats:
    """No party can steer where the first sums are taken."""
    return np.zeros(size(shapes))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelKind:
    """One kind of model.

    title: in a report. targets: what it may predict.
    link: of a model that is linear in its features, whose weights are the intercept and a coefficient a feature, of
    several classes those of each class in turn; None: it is of another shape.
    deep: its weights are those of hidden layers, with an activation between them. layered: a protection may score with
    it, which takes layers alone. binned: or as with one layer, over the cells in which a row lies.
    initial: the weights [d] that training begins with. slope: the gradient of its loss over a batch; None: it is not
    trained on sums over rows.
    made: of a model that is boosted, and no layers of weights: what the numbers that its training announces come to;
    holds: where in a model file it stands, forest or curves; levels: a round of its training takes a sum for each level
    of `model.depth`.
    check: what of its table of the plan does not fit it. summed: its coefficients are those of a regression, and are
    told with standard errors. sklearn: the estimator with the same predictions; None: there is none.
    """

    title: str
    targets: tuple[Side, ...]
    link: Link | None = None
    deep: bool = False
    layered: bool = True
    binned: bool = False
    initial: Callable[[Spec, Shapes], Floats] = zeros
    slope: Callable[[Spec, Shapes, Goal], Slope] | None = None
    made: Callable[[Plan, Floats], Forest | Curves] | None = None
    holds: str = ""
    levels: bool = False
    check: Callable[[Spec], Iterator[str]] = lambda spec: iter(())
    summed: bool = False
    sklearn: "Callable[[Trained], BaseEstimator] | None" = None

    def hidden(self, spec: Spec) -> tuple[int, ...]:
        """The widths of the hidden layers that a plan's table gives it."""
        return spec.layers if self.deep else ()


MODELS: Registry[ModelKind] = table("model.kind")


def kind_of(plan: Plan) -> ModelKind:
    """The kind of model that a plan names. Raises PlanError: none."""
    return MODELS.of(plan.model.kind if plan.model else None)
