"""Products with a weight, and tables: a row's gradient is a sum of products of what enters and what comes back."""

from math import prod
from typing import TYPE_CHECKING

from potluck.learning.graph.per_row.any_node import any_node
from potluck.learning.graph.per_row.call import Call
from potluck.learning.graph.per_row.pieces import Laid, Outer, Picked, Piece

if TYPE_CHECKING:
    from torch import Tensor


def linear(call: Call) -> Piece:
    """y = x w^T + bias."""
    wide = call.value("weight").shape
    back = call.pulled(1, -1, wide[0])
    if call.argument == "bias":
        return _added(back)
    return Outer(back, call.rows("input", 1, -1, wide[1]), wide)


def addmm(call: Call) -> Piece:
    """y = self + mat1 mat2."""
    wide = call.value("mat2").shape
    back = call.pulled(1, -1, wide[1])
    if call.argument == "self":
        return _added(back)
    return Outer(call.rows("mat1", 1, -1, wide[0]), back, wide)


def matmul(call: Call) -> Piece:
    """y = self other, one of them a weight, [k, n] or a block of it for each block of rows."""
    first = call.argument == "self"
    wide, beside = call.shape, call.value("other" if first else "self").shape
    blocks, lengths = wide[:-2], call.out.shape[:-2]
    if beside[:-2] != lengths or lengths[len(lengths) - len(blocks) :] != blocks:
        return any_node(call)  # one of them is repeated
    rows, back = call.rows("other" if first else "self"), call.pulled()
    sides = (back.mT, rows.mT) if first else (rows, back)
    left, right = (
        one.reshape(call.batch, -1, prod(blocks), *one.shape[-2:]).transpose(1, 2).flatten(2, 3) for one in sides
    )
    return Outer(left, right, wide)


def embedding(call: Call) -> Piece:
    """y = table[indices], but for the place that pads."""
    places = call.rows("indices").reshape(call.batch, -1)
    back = call.pulled().reshape(*places.shape, call.shape[1])
    padding = int(call.number("padding_idx", -1))
    if padding >= 0:
        back = back.masked_fill((places == padding)[..., None], 0.0)
    return Picked(places, back, call.shape)


def _added(back: "Tensor") -> Laid:
    """[b, 1, t, n]: added up over places, if there are several."""
    return Laid(back.flatten(1) if back.shape[2] == 1 else back.sum((1, 2)))
