"""Norms within one row, and with fixed statistics: means and squares said one by one, as torch computes them."""

from collections.abc import Mapping, Sequence

import numpy as np

from potluck.learning.onnx.call import Call, Say
from potluck.learning.onnx.writer import Writer


def _mean(writer: Writer, name: str, axes: Sequence[int]) -> str:
    return writer.add("ReduceMean", (name, writer.whole(*axes)), {"keepdims": 1})


def _centred(call: Call, name: str, axes: Sequence[int]) -> str:
    """(x - mean) / sqrt(variance + eps) over some axes."""
    writer = call.writer
    off = writer.add("Sub", (name, _mean(writer, name, axes)))
    variance = _mean(writer, writer.add("Mul", (off, off)), axes)
    return writer.add("Div", (off, writer.add("Sqrt", (_more(call, variance),))))


def _more(call: Call, name: str) -> str:
    eps = call.bound.number("eps", 1e-5)
    return call.writer.add("Add", (name, call.writer.number(eps, call.value("input").dtype)))


def _scaled(call: Call, name: str, *, channels: bool) -> tuple[str]:
    """times weight, plus bias. channels: they stand along the second axis, not along the last ones."""
    for argument, op in (("weight", "Mul"), ("bias", "Add")):
        if call.has(argument):
            by = _column(call, argument) if channels else call.name(argument)
            name = call.writer.add(op, (name, by))
    return (name,)


def _column(call: Call, argument: str) -> str:
    """A number a channel, so shaped that it stands along the second axis."""
    return call.writer.shaped(call.name(argument), (-1, *[1] * (call.value("input").rank - 2)))


def _last(call: Call) -> list[int]:
    rank, many = call.value("input").rank, len(call.bound.wholes("normalized_shape", 1))
    return list(range(rank - many, rank))


def _layer(call: Call) -> tuple[str]:
    return _scaled(call, _centred(call, call.name("input"), _last(call)), channels=False)


def _rms(call: Call) -> tuple[str]:
    """torch's eps is that of the type where the node gives none."""
    writer, value, name = call.writer, call.value("input"), call.name("input")
    eps = call.bound.maybe_number("eps")
    least = float(np.finfo(value.dtype).eps) if eps is None else eps
    squares = _mean(writer, writer.add("Mul", (name, name)), _last(call))
    root = writer.add("Sqrt", (writer.add("Add", (squares, writer.number(least, value.dtype))),))
    normed = writer.add("Div", (name, root))
    return (writer.add("Mul", (normed, call.name("weight"))) if call.has("weight") else normed,)


def _group(call: Call) -> tuple[str]:
    shape, groups = call.value("input").shape, call.bound.whole("num_groups", 1)
    normed = _centred(call, call.writer.shaped(call.name("input"), (-1, groups, _each(shape, groups))), (2,))
    return _scaled(call, call.writer.shaped(normed, (-1, *shape[1:])), channels=True)


def _each(shape: Sequence[int], groups: int) -> int:
    return int(np.prod(shape[1:])) // groups


def _instance(call: Call) -> tuple[str]:
    axes = range(2, call.value("input").rank)
    return _scaled(call, _centred(call, call.name("input"), axes), channels=True)


def _batch(call: Call) -> tuple[str]:
    """With statistics that are fixed."""
    writer = call.writer
    off = writer.add("Sub", (call.name("input"), _column(call, "running_mean")))
    spread = writer.add("Sqrt", (_more(call, _column(call, "running_var")),))
    return _scaled(call, writer.add("Div", (off, spread)), channels=True)


SAID: Mapping[str, Say] = {
    "layer_norm": _layer,
    "rms_norm": _rms,
    "group_norm": _group,
    "instance_norm": _instance,
    "batch_norm": _batch,
}
