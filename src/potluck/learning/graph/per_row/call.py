"""One use of a value without rows by a node whose result has rows: what a rule finds each row's gradient from.

Rows come first here: whatever axis they lie along, and whatever stands beside them there, row i of a value is what the
node would have for a batch of that row alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

from potluck.learning.graph.per_row.pieces import Piece
from potluck.learning.graph.schema import Argument, Special
from potluck.learning.graph.steps import Step
from potluck.learning.graph.value import Value

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Call:
    """argument: whose gradient is asked; arguments: the node's, by name; known: of values by name, what is known of
    them; values: their tensors; out: the result; back: its gradient; batch: rows; most: numbers of gradients of one
    weight that may be laid out."""

    step: Step
    argument: str
    arguments: Mapping[str, Argument]
    known: Mapping[str, Value]
    values: "Mapping[str, Tensor]" = field(repr=False)
    out: Value
    back: "Tensor" = field(repr=False)
    batch: int
    train: bool
    most: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the value whose gradient is asked."""
        return self.known[self.name(self.argument)].shape

    def name(self, argument: str) -> str:
        """Of the value that stands in an argument."""
        raw = self.arguments[argument]
        assert isinstance(raw, Special)
        assert raw.v is not None
        return raw.v

    def value(self, argument: str) -> Value:
        """What is known of an argument."""
        return self.known[self.name(argument)]

    def tensor(self, argument: str) -> "Tensor":
        """A value, as the node takes it."""
        return self.values[self.name(argument)]

    def rows(self, argument: str, *shape: int) -> "Tensor":
        """A value with rows: [b, *shape], its own where none is given."""
        return rows_first(self.tensor(argument), self.value(argument), self.batch, shape)

    def pulled(self, *shape: int) -> "Tensor":
        """The gradient of the result: [b, *shape], its own where none is given."""
        return rows_first(self.back, self.out, self.batch, shape)

    def number(self, argument: str, default: float) -> float:
        """A number."""
        raw = self.arguments.get(argument)
        return default if raw is None or isinstance(raw, Special | tuple) else float(raw)

    def spatial(self, argument: str, axes: int, default: int) -> tuple[int, ...]:
        """A whole number for each axis."""
        raw = self.arguments.get(argument)
        if not isinstance(raw, tuple) or not raw:
            return (default,) * axes
        found = tuple(one for one in raw if type(one) is int)
        return found * axes if len(found) == 1 else found


Rule = Callable[[Call], Piece]


def rows_first(tensor: "Tensor", value: Value, batch: int, shape: tuple[int, ...] = ()) -> "Tensor":
    """A value with rows as [b, *shape], which is that of a batch of one row where none is given."""
    rows, wide = value.rows, shape or value.shape
    assert rows is not None
    at = rows.axis
    if rows.outer * prod(tensor.shape[:at]) == 1:  # they are first
        return tensor.reshape(batch, *wide)
    parted = tensor.reshape(*tensor.shape[:at], rows.outer, batch, rows.inner, *tensor.shape[at + 1 :])
    return parted.movedim(at + 1, 0).reshape(batch, *wide)
