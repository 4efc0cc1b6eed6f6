"""Products of matrices, and tables of vectors: an axis that is summed over is never that of rows."""

from math import prod

from potluck.learning.graph.bound import Bound
from potluck.learning.graph.op import Cost, Op, Outputs, floating, public
from potluck.learning.graph.value import Misfit, Rows, Value, broadcast


def _linear(bound: Bound) -> Outputs:
    value, weight = floating(bound.value("input")), bound.value("weight")
    if weight.rank != 2 or value.rank < 2:
        raise Misfit("input has to have 2 axes or more, and weight 2")
    public(weight, (weight.shape[0], value.shape[-1]), value, "weight")
    public(bound.maybe("bias"), (weight.shape[0],), value, "bias")
    if value.rows and value.rows.axis == value.rank - 1:
        raise Misfit("mixes rows: it sums over the axis of rows")
    return (value.with_shape((*value.shape[:-1], weight.shape[0])),)


def _linear_cost(bound: Bound, out: Outputs) -> Cost:
    return Cost(2 * out[0].size * (bound.value("input").shape[-1] + 1))


def _product(first: Value, second: Value) -> Value:
    """The matrix product of values with 2 axes or more. Raises Misfit."""
    if first.rank < 2 or second.rank < 2:
        raise Misfit("operands have to have 2 axes or more")
    if floating(first, "the first").dtype != second.dtype or first.shape[-1] != second.shape[-2]:
        raise Misfit(f"cannot multiply {first.dtype} {list(first.shape)} and {second.dtype} {list(second.shape)}")
    for value, summed in ((first, first.rank - 1), (second, second.rank - 2)):
        if value.rows and value.rows.axis == summed:
            raise Misfit("mixes rows: it sums over the axis of rows")
    # Rows of an operand at its free axis stand there in the result too, and then the other operand has none.
    if (first.rows and first.rows.axis == first.rank - 2) or (second.rows and second.rows.axis == second.rank - 1):
        if first.rows and second.rows:
            raise Misfit("mixes rows: every row would meet every other", "bring rows to an axis before the last two")
        if first.rank > 2 or second.rank > 2:
            lengths, _ = broadcast([Value(one.dtype, one.shape[:-2]) for one in (first, second)])
        else:
            lengths = ()
        shape = (*lengths, first.shape[-2], second.shape[-1])
        held = first.rows or second.rows
        assert held is not None
        axis = len(shape) - (2 if first.rows else 1)
        return Value(first.dtype, shape, Rows(axis, held.outer, held.inner))
    lengths, rows = broadcast([Value(one.dtype, one.shape[:-2], one.rows) for one in (first, second)])
    return Value(first.dtype, (*lengths, first.shape[-2], second.shape[-1]), rows)


def _matmul(bound: Bound) -> Outputs:
    return (_product(bound.value("self"), bound.value("other")),)


def _matmul_cost(bound: Bound, out: Outputs) -> Cost:
    first, second = bound.value("self"), bound.value("other")
    if min(first.rank, second.rank) == 2:  # torch folds the other one's axes, perhaps in a copy
        laid = sum(one.size for one in (first, second) if one.rank > 2)
    else:  # it lays out operands that it repeats, and keeps them for the gradient
        laid = prod(out[0].shape[:-2]) * (prod(first.shape[-2:]) + prod(second.shape[-2:]))
    return Cost(2 * out[0].size * first.shape[-1], kept=laid)


def _addmm(bound: Bound) -> Outputs:
    value, weight = floating(bound.value("mat1"), "mat1"), bound.value("mat2")
    if value.rank != 2 or weight.rank != 2:
        raise Misfit("mat1 and mat2 have to have 2 axes")
    public(weight, (value.shape[1], weight.shape[1]), value, "mat2")
    public(bound.value("self"), (weight.shape[1],), value, "self")
    if value.rows and value.rows.axis == 1:
        raise Misfit("mixes rows: it sums over the axis of rows")
    return (value.with_shape((value.shape[0], weight.shape[1])),)


def _addmm_cost(bound: Bound, out: Outputs) -> Cost:
    return Cost(2 * out[0].size * (bound.value("mat1").shape[1] + 1))


def _embedding(bound: Bound) -> Outputs:
    weight, indices = floating(bound.value("weight"), "weight"), bound.value("indices")
    if weight.rank != 2 or weight.rows or indices.dtype != "int64":
        raise Misfit("weight has to be a table of 2 axes without rows, and indices int64")
    padding = bound.number("padding_idx", -1)
    if type(padding) is not int or not -1 <= padding < weight.shape[0]:
        raise Misfit("padding_idx has to be a place in the table")
    if bound.flag("scale_grad_by_freq", False):
        raise Misfit("mixes rows: scale_grad_by_freq divides by how often the batch has a word")
    if bound.flag("sparse", False):
        raise Misfit("sparse gradients are not added up")
    return (Value(weight.dtype, (*indices.shape, weight.shape[1]), indices.rows),)


def _embedding_cost(bound: Bound, out: Outputs) -> Cost:
    # The gradient of the table is laid out in full.
    return Cost(4 * out[0].size + bound.value("weight").size)


LINEAR = Op("linear.default", ("input", "weight", "bias"), 2, _linear, _linear_cost)
MATMUL = Op("matmul.default", ("self", "other"), 2, _matmul, _matmul_cost)
ADDMM = Op("addmm.default", ("self", "mat1", "mat2"), 3, _addmm, _addmm_cost)
_TABLE = ("weight", "indices", "padding_idx", "scale_grad_by_freq", "sparse")
EMBEDDING = Op("embedding.default", _TABLE, 2, _embedding, _embedding_cost)
