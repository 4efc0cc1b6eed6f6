"""Products with a weight, and tables: a row's gradient is a sum of products of what enters and what comes back."""

from potluck.learning.graph.per_row.any_node import any_node
from potluck.learning.graph.per_row.call import Call
from potluck.learning.graph.per_row.pieces import Laid, Outer, Picked, Piece


def linear(call: Call) -> Piece:
    """y = x w^T + bias."""
    wide = call.value("weight").shape
    back = call.pulled().reshape(call.batch, 1, -1, wide[0])
    if call.argument == "bias":
        return Laid(back.sum((1, 2)))
    return Outer(back, call.rows("input").reshape(call.batch, 1, -1, wide[1]), wide)


def addmm(call: Call) -> Piece:
    """y = self + mat1 mat2."""
    wide = call.value("mat2").shape
    back = call.pulled().reshape(call.batch, 1, -1, wide[1])
    if call.argument == "self":
        return Laid(back.sum((1, 2)))
    return Outer(call.rows("mat1").reshape(call.batch, 1, -1, wide[0]), back, wide)


def matmul(call: Call) -> Piece:
    """y = self other, one of them a weight: [.., k, n] of which every block meets rows of its own, or one [k, n]."""
    first = call.argument == "self"
    wide, beside = call.shape, call.value("other" if first else "self").shape
    blocks, lengths = wide[:-2], call.out.shape[:-2]
    if blocks and not (blocks == lengths == beside[:-2]):
        return any_node(call)  # it is repeated, or repeats
    rows, back = call.rows("other" if first else "self"), call.pulled()
    left, right = (back.mT, rows.mT) if first else (rows, back)
    count = 1
    for size in blocks:
        count *= size
    return Outer(left.reshape(call.batch, count, -1, wide[-2]), right.reshape(call.batch, count, -1, wide[-1]), wide)


def embedding(call: Call) -> Piece:
    """y = table[indices], but for the place that pads."""
    places = call.rows("indices").reshape(call.batch, -1)
    back = call.pulled().reshape(*places.shape, call.shape[1])
    padding = int(call.number("padding_idx", -1))
    if padding >= 0:
        back = back.masked_fill((places == padding)[..., None], 0.0)
    return Picked(places, back, call.shape)
