"""Operations that move entries and compute nothing, and sums over axes that are named. The axis of rows is never split,
selected from, or summed over."""

from potluck.learning.graph.bound import Bound
from potluck.learning.graph.op import Cost, Op, Outputs, floating
from potluck.learning.graph.value import Misfit, Rows, Value, broadcast, reshaped

MOST_PARTS = 4_096


def _reshape(bound: Bound) -> Outputs:
    return (reshaped(bound.value("self"), *bound.shape("shape")),)


def _permute(bound: Bound) -> Outputs:
    value, order = bound.value("self"), bound.wholes("dims", 0)
    if sorted(order) != list(range(value.rank)):
        raise Misfit("dims has to name every axis once")
    rows = value.rows and Rows(order.index(value.rows.axis), value.rows.outer, value.rows.inner)
    return (Value(value.dtype, tuple(value.shape[one] for one in order), rows),)


def _expand(bound: Bound) -> Outputs:
    value, (shape, axis) = bound.value("self"), bound.shape("size")
    if len(shape) < value.rank:
        raise Misfit("cannot take axes away")
    if axis is None:
        if value.rows:
            raise Misfit("mixes rows: the axis of rows would get a size of its own")
        made = Value(value.dtype, shape)
    elif value.rows:
        made = Value(value.dtype, shape, Rows(axis, value.rows.outer, value.rows.inner))
    else:  # repeated for each row: whichever row an entry belongs to, it is the same
        made = Value(value.dtype, shape, Rows(axis, 1, shape[axis]))
    if broadcast((value, made)) != (shape, made.rows):
        raise Misfit(f"cannot expand to {list(shape)}")
    return (made,)


def _select(bound: Bound) -> Outputs:
    value = bound.value("self")
    axis, index = bound.axis("dim", value), bound.whole("index", 0)
    if index >= value.shape[axis]:
        raise Misfit("index is beyond the axis")
    return (_without(value, (axis,)),)


def _slice(bound: Bound) -> Outputs:
    value = bound.value("self")
    axis, start, end = bound.axis("dim", value), bound.whole("start", 0), bound.whole("end", 1)
    if not start < end <= value.shape[axis]:
        raise Misfit("start has to be before end, and both within the axis")
    step = bound.whole("step", 1, 1)
    return (_resized(value, axis, -(-(end - start) // step)),)


def _split(bound: Bound) -> Outputs:
    value = bound.value("self")
    axis, sizes = bound.axis("dim", value), bound.wholes("split_sizes", 1)
    if sum(sizes) != value.shape[axis]:
        raise Misfit("split_sizes have to add up to the axis")
    return tuple(_resized(value, axis, size) for size in sizes)


def _unbind(bound: Bound) -> Outputs:
    value = bound.value("self")
    axis = bound.axis("dim", value)
    if value.shape[axis] > MOST_PARTS:
        raise Misfit(f"makes more than {MOST_PARTS} values")
    return (_without(value, (axis,)),) * value.shape[axis]


def _part_cost(bound: Bound, out: Outputs) -> Cost:
    # The gradient of a part is laid out as large as the whole.
    return Cost(bound.value("self").size)


def _cat(bound: Bound) -> Outputs:
    values = bound.values("tensors")
    first = values[0]
    axis = bound.axis("dim", first)
    for one in values[1:]:
        if one.dtype != first.dtype or one.rows != first.rows:
            raise Misfit("joins values of several dtypes, or with rows at different axes", "expand or cast them first")
        if one.rank != first.rank or _resized(one, axis, 1).shape != _resized(first, axis, 1).shape:
            raise Misfit("joins values whose other axes differ")
    return (_resized(first, axis, sum(one.shape[axis] for one in values)),)


def _pad(bound: Bound) -> Outputs:
    value, pads = floating(bound.value("self"), "self"), bound.wholes("pad", 0)
    bound.number("value", 0)
    if not pads or len(pads) % 2 or len(pads) > 2 * value.rank:
        raise Misfit("pad has to have two numbers for each of the last axes")
    shape = list(value.shape)
    for i in range(len(pads) // 2):  # the last axis first
        more = pads[2 * i] + pads[2 * i + 1]
        axis = value.rank - 1 - i
        if more and value.rows and value.rows.axis == axis:
            raise Misfit("mixes rows: it pads the axis of rows")
        shape[axis] += more
    return (value.with_shape(shape),)


def _reduction(run: str) -> Op:
    return Op(run, ("self", "dim", "keepdim"), 2, _along, _along_cost)


def _along(bound: Bound) -> Outputs:
    value = floating(bound.value("self"), "self")
    axes, keep = bound.axes("dim", value), bound.flag("keepdim", False)
    if keep:
        return (value.with_shape([1 if i in axes else size for i, size in enumerate(value.shape)]),)
    return (_without(value, axes),)


def _along_cost(bound: Bound, out: Outputs) -> Cost:
    # The gradient of a largest entry, a length and a variance is made of the whole again.
    return Cost(4 * bound.value("self").size, scratch=2 * bound.value("self").size)


def _spread(bound: Bound) -> Outputs:
    """The variance along axes, over a count less the correction."""
    if bound.number("correction", 1) < 0:
        raise Misfit("correction has to be at least 0")
    return _along(bound)


def _length(bound: Bound) -> Outputs:
    if bound.number("ord", 2) != 2:
        raise Misfit("ord has to be 2", "write other norms with abs, pow and sum")
    bound.absent("dtype")
    return _along(bound)


def _halved(bound: Bound) -> Outputs:
    value = floating(bound.value("self"), "self")
    axis = bound.axis("dim", value)
    if value.shape[axis] % 2:
        raise Misfit("the axis has to be of two halves")
    return (_resized(value, axis, value.shape[axis] // 2),)


def _resized(value: Value, axis: int, size: int) -> Value:
    return value.with_shape([size if i == axis else one for i, one in enumerate(value.shape)])


def _without(value: Value, axes: tuple[int, ...]) -> Value:
    """The value without some axes, none of which is that of rows."""
    rows = value.rows and Rows(
        value.rows.axis - sum(one < value.rows.axis for one in axes), value.rows.outer, value.rows.inner
    )
    return Value(value.dtype, tuple(size for i, size in enumerate(value.shape) if i not in axes), rows)


RESHAPE = Op("reshape.default", ("self", "shape"), 2, _reshape)
PERMUTE = Op("permute.default", ("self", "dims"), 2, _permute)
EXPAND = Op("expand.default", ("self", "size"), 2, _expand)
SELECT = Op("select.int", ("self", "dim", "index"), 3, _select, _part_cost)
SLICE = Op("slice.Tensor", ("self", "dim", "start", "end", "step"), 4, _slice, _part_cost)
SPLIT = Op("split_with_sizes.default", ("self", "split_sizes", "dim"), 3, _split, _part_cost)
UNBIND = Op("unbind.int", ("self", "dim"), 2, _unbind, _part_cost)
PAD = Op("constant_pad_nd.default", ("self", "pad", "value"), 2, _pad)
CAT = Op("cat.default", ("tensors", "dim"), 2, _cat)
MEAN = _reduction("mean.dim")
SUM = _reduction("sum.dim_IntList")
AMAX = _reduction("amax.default")
AMIN = _reduction("amin.default")
VAR = Op("var.correction", ("self", "dim"), 2, _spread, _along_cost, keywords=("correction", "keepdim"))
VECTOR_NORM = Op(
    "linalg_vector_norm.default", ("self", "ord", "dim", "keepdim"), 3, _length, _along_cost, keywords=("dtype",)
)
GLU = Op("glu.default", ("self", "dim"), 2, _halved, _part_cost)
