"""The loss of a network, by what it predicts: one entry for each sort of target, for torch's tensors.

A row's loss is one number whatever it predicts: of next tokens the mean over those that its text has, so that every
row counts the same, however long it is.

The mean is what a step of SGD goes down; sums over rows, and rows that weigh more than others, go by each row's loss.
Both are the same function, but torch's own mean may round its gradient otherwise than a mean of rows does.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from potluck.core.stages import Floats
from potluck.learning.data.mixed import Inputs
from potluck.learning.data.target import Goal, Side
from potluck.learning.data.texts.next_tokens import NONE, following
from potluck.learning.graph.tensors import Array
from potluck.learning.graph.value import DType

if TYPE_CHECKING:
    from torch import Tensor

MOST_LOSS = 32.0
"""In metrics the log-loss of a row or token counts no more: the model gave what came a chance of 1 in 10^14."""
Measured = Callable[["Tensor", "Tensor"], "Tensor"]
"""(margins [b, outputs], target [b], of labels [b, outputs]) -> a loss. Of next tokens: (logits [b, length, tokens],
tokens [b, length])."""


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


def wanted(goal: Goal, rows: Inputs, target: Floats, kind: DType) -> Array:
    """What a loss takes of rows b beside what a network makes of them: their target [b] in the type of its output, or
    next tokens [b, length]."""
    return target.astype(kind) if goal.apart else following(rows, goal.column)


def of_tokens(logits: "Tensor", tokens: "Tensor") -> "Tensor":
    """[b, length] the cross-entropy of each token, 0 where there is none."""
    from torch.nn import functional

    each = functional.cross_entropy(logits.flatten(0, 1), tokens.flatten(), ignore_index=NONE, reduction="none")
    return each.view(tokens.shape)


def _next(logits: "Tensor", tokens: "Tensor") -> "Tensor":
    return of_tokens(logits, tokens).sum(1) / (tokens != NONE).sum(1)


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
    "tokens": Loss(mean=lambda logits, tokens: _next(logits, tokens).mean(), rows=_next),
}
"""Log-loss of two sides, cross-entropy of classes and of next tokens, half the squared error of a number. Of several
labels a row's loss is the mean of their log-losses, so that a batch's is what torch's BCEWithLogitsLoss gives."""
