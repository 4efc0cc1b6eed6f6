"""Operations that move entries, and sums over axes. In a shape, the axis of rows is as long as what is left."""

from collections.abc import Mapping
from math import prod

from potluck.learning.onnx.call import Call, Say


def _reshape(call: Call) -> tuple[str]:
    shape, axis = call.bound.shape("shape")
    return (call.writer.shaped(call.name("self"), [-1 if i == axis else size for i, size in enumerate(shape)]),)


def _expand(call: Call) -> tuple[str]:
    """ONNX repeats what is 1 long. An axis of rows keeps its length; one without rows becomes as long as the batch."""
    writer, (shape, axis) = call.writer, call.bound.shape("size")
    if axis is None or call.value("self").rows:
        wanted = writer.whole(*(1 if i == axis else size for i, size in enumerate(shape)))
    else:
        parts = (writer.whole(*shape[:axis]), writer.of_batch(shape[axis]), writer.whole(*shape[axis + 1 :]))
        wanted = writer.add("Concat", parts, {"axis": 0})
    return (writer.add("Expand", (call.name("self"), wanted)),)


def _select(call: Call) -> tuple[str]:
    axis, index = call.bound.axis("dim", call.value("self")), call.bound.whole("index", 0)
    return (call.writer.add("Gather", (call.name("self"), call.writer.number(index, "int64")), {"axis": axis}),)


def _slice(call: Call) -> tuple[str]:
    axis = call.bound.axis("dim", call.value("self"))
    ends = (call.bound.whole("start", 0), call.bound.whole("end", 1), axis, call.bound.whole("step", 1, 1))
    return (call.writer.add("Slice", (call.name("self"), *(call.writer.whole(one) for one in ends))),)


def _split(call: Call) -> tuple[str, ...]:
    axis, sizes = call.bound.axis("dim", call.value("self")), call.bound.wholes("split_sizes", 1)
    return call.writer.many("Split", (call.name("self"), call.writer.whole(*sizes)), len(sizes), {"axis": axis})


def _unbind(call: Call) -> tuple[str, ...]:
    axis = call.bound.axis("dim", call.value("self"))
    count = len(call.made)
    parts = call.writer.many("Split", (call.name("self"), call.writer.whole(*[1] * count)), count, {"axis": axis})
    return tuple(call.writer.add("Squeeze", (part, call.writer.whole(axis))) for part in parts)


def _permute(call: Call) -> tuple[str]:
    return (call.writer.turned(call.name("self"), call.bound.wholes("dims", 0)),)


def _cat(call: Call) -> tuple[str]:
    axis = call.bound.axis("dim", call.bound.values("tensors")[0])
    return (call.writer.add("Concat", call.names("tensors"), {"axis": axis}),)


def _pad(call: Call) -> tuple[str]:
    """torch says pads from the last axis on, before and after each."""
    value, pads = call.value("self"), call.bound.wholes("pad", 0)
    before, after = [0] * value.rank, [0] * value.rank
    for i in range(len(pads) // 2):
        axis = value.rank - 1 - i
        before[axis], after[axis] = pads[2 * i], pads[2 * i + 1]
    by = call.writer.number(call.bound.number("value", 0), value.dtype)
    return (call.writer.add("Pad", (call.name("self"), call.writer.whole(*before, *after), by)),)


def _reduced(op: str) -> Say:
    def say(call: Call) -> tuple[str]:
        axes, keep = call.bound.axes("dim", call.value("self")), call.bound.flag("keepdim", False)
        return (call.writer.add(op, (call.name("self"), call.writer.whole(*axes)), {"keepdims": int(keep)}),)

    return say


def _spread(call: Call) -> tuple[str]:
    """The mean of squared distances from the mean, times n over n less the correction."""
    writer, value, name = call.writer, call.value("self"), call.name("self")
    axes, keep = call.bound.axes("dim", value), call.bound.flag("keepdim", False)
    over = writer.whole(*axes)
    apart = writer.add("Sub", (name, writer.add("ReduceMean", (name, over), {"keepdims": 1})))
    added = writer.add("ReduceSumSquare", (apart, over), {"keepdims": int(keep)})
    count = prod(value.shape[axis] for axis in axes) - call.bound.number("correction", 1)
    return (writer.add("Div", (added, writer.number(max(count, 0.0), value.dtype))),)


def _gated(call: Call) -> tuple[str]:
    axis = call.bound.axis("dim", call.value("self"))
    half = call.made[0].shape[axis]
    first, second = call.writer.many("Split", (call.name("self"), call.writer.whole(half, half)), 2, {"axis": axis})
    return (call.writer.add("Mul", (first, call.writer.add("Sigmoid", (second,)))),)


SAID: Mapping[str, Say] = {
    "reshape": _reshape,
    "permute": _permute,
    "expand": _expand,
    "select": _select,
    "slice": _slice,
    "split": _split,
    "unbind": _unbind,
    "pad": _pad,
    "cat": _cat,
    "mean": _reduced("ReduceMean"),
    "sum": _reduced("ReduceSum"),
    "amax": _reduced("ReduceMax"),
    "amin": _reduced("ReduceMin"),
    "var": _spread,
    "linalg_vector_norm": _reduced("ReduceL2"),
    "glu": _gated,
}
