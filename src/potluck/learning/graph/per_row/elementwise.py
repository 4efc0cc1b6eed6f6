"""Values without rows that meet others entry by entry, or are repeated for each row: what comes back, times what the
value was multiplied with, added up over entries that it was repeated for."""

from typing import TYPE_CHECKING

from potluck.learning.graph.per_row.any_node import any_node
from potluck.learning.graph.per_row.call import Call
from potluck.learning.graph.per_row.pieces import Laid, Piece

if TYPE_CHECKING:
    from torch import Tensor


def added(call: Call) -> Piece:
    """self + alpha other."""
    return _summed(call, call.pulled() * (call.number("alpha", 1) if call.argument == "other" else 1))


def subtracted(call: Call) -> Piece:
    """self - alpha other."""
    return _summed(call, call.pulled() * (-call.number("alpha", 1) if call.argument == "other" else 1))


def multiplied(call: Call) -> Piece:
    """self other."""
    return _summed(call, call.pulled() * _beside(call, "self" if call.argument == "other" else "other"))


def divided(call: Call) -> Piece:
    """self / other."""
    if call.argument == "other":
        return any_node(call)
    return _summed(call, call.pulled() / _beside(call, "other"))


def repeated(call: Call) -> Piece:
    """The same for each row, and along other axes."""
    return _summed(call, call.pulled())


def _beside(call: Call, argument: str) -> "Tensor":
    """The other operand, with as many axes as the result."""
    given = call.rows(argument)
    return given.reshape(call.batch, *[1] * (len(call.out.shape) + 1 - given.dim()), *given.shape[1:])


def _summed(call: Call, each: "Tensor") -> Laid:
    """[b, *shape of the result] -> [b, *shape of the value]."""
    wide = call.shape
    more = each.dim() - 1 - len(wide)
    axes = [*range(1, 1 + more)]
    axes += [i for i in range(1 + more, each.dim()) if wide[i - 1 - more] == 1 != each.shape[i]]
    return Laid((each.sum(axes) if axes else each).reshape(call.batch, *wide))
