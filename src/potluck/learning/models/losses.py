"""The loss of a network, by what it predicts: one entry for each sort of target, for torch's tensors.

The mean is what a step of SGD goes down; sums over rows, and rows that weigh more than others, go by each row's loss.
Both are the same function, but torch's own mean may round its gradient otherwise than a mean of rows does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from potluck.learning.data.target import Goal, Side

if TYPE_CHECKING:
    from torch import Tensor

Measured = Callable[["Tensor", "Tensor"], "Tensor"]
"""(margins [b, outputs], target [b], of labels [b, outputs]) -> a loss."""


@dataclass(frozen=True, slots=True)
class Loss:
    """mean: of a batch, a scalar; rows: of each row [b]."""

    mean: Measured
    rows: Measured

    def batch(self, margins: "Tensor", y: "Tensor", factors: "Tensor | None") -> "Tensor":
        """The mean over a batch of each row's loss times its factor [b]; None: all 1."""
        return self.mean(margins, y) if factors is None else (self.rows(margins, y) * factors).mean()

    def total(self, margins: "Tensor", y: "Tensor", factors: "Tensor | None") -> "Tensor":
        """The same, added up."""
        each = self.rows(margins, y)
        return (each if factors is None else each * factors).sum()


def loss_of(goal: Goal) -> Loss:
    """The loss of a target."""
    return LOSSES[goal.side]


def _two(margins: "Tensor", y: "Tensor", reduction: str) -> "Tensor":
    from torch.nn import functional

    return functional.binary_cross_entropy_with_logits(margins[:, 0], y, reduction=reduction)


def _labels(margins: "Tensor", y: "Tensor", reduction: str) -> "Tensor":
    from torch.nn import functional

    found = functional.binary_cross_entropy_with_logits(margins, y, reduction=reduction)
    return found.mean(dim=1) if reduction == "none" else found


def _several(margins: "Tensor", y: "Tensor", reduction: str) -> "Tensor":
    from torch.nn import functional

    return functional.cross_entropy(margins, y.long(), reduction=reduction)


LOSSES: Mapping[Side, Loss] = {
    "binary": Loss(mean=partial(_two, reduction="mean"), rows=partial(_two, reduction="none")),
    "classes": Loss(mean=partial(_several, reduction="mean"), rows=partial(_several, reduction="none")),
    "labels": Loss(mean=partial(_labels, reduction="mean"), rows=partial(_labels, reduction="none")),
    "number": Loss(
        mean=lambda margins, y: ((margins[:, 0] - y) ** 2).mean() / 2,
        rows=lambda margins, y: (margins[:, 0] - y) ** 2 / 2,
    ),
}
"""Log-loss of two sides, cross-entropy of classes, half the squared error of a number. Of several labels a row's loss
is the mean of their log-losses, so that a batch's is what torch's BCEWithLogitsLoss gives."""
