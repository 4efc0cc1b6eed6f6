"""Pools and resampling. Sizes are known, so windows that are cut off, bins of unequal width and places between pixels
are numbers of the file: no program need round them as torch does."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, prod

import numpy as np
from numpy.typing import NDArray

from potluck.learning.onnx.call import Call, Say


def _ends(call: Call, axes: int, stride: Sequence[int], spread: Sequence[int], argument: str) -> list[int]:
    """Padding after each axis: as much as the last window reaches, which in ceil_mode may be more than is said."""
    kernel, padding = call.bound.spatial("kernel_size", axes, 1), call.bound.spatial(argument, axes, 0, 0)
    before, after = call.value("self").shape[2:], call.made[0].shape[2:]
    reach = [
        (made - 1) * step + gap * (width - 1) + 1 - size - pad
        for size, made, width, step, gap, pad in zip(before, after, kernel, stride, spread, padding, strict=True)
    ]
    return [max(pad, more) for pad, more in zip(padding, reach, strict=True)]


def _stride(call: Call, axes: int) -> tuple[int, ...]:
    return call.bound.spatial("stride" if call.bound.wholes("stride", 1) else "kernel_size", axes, 1)


def _max_pool(axes: int) -> Say:
    def say(call: Call) -> tuple[str]:
        stride, spread = _stride(call, axes), call.bound.spatial("dilation", axes, 1, 1)
        attributes = {
            "kernel_shape": call.bound.spatial("kernel_size", axes, 1),
            "strides": stride,
            "dilations": spread,
            "pads": [*call.bound.spatial("padding", axes, 0, 0), *_ends(call, axes, stride, spread, "padding")],
        }
        return (call.writer.add("MaxPool", (call.name("self"),), attributes),)

    return say


def _avg_pool(axes: int) -> Say:
    """Zeros stand where padding is; then each sum is divided by as many entries as torch counts in its window."""

    def say(call: Call) -> tuple[str]:
        writer, kind = call.writer, call.value("self").dtype
        kernel, stride = call.bound.spatial("kernel_size", axes, 1), _stride(call, axes)
        before, after = call.bound.spatial("padding", axes, 0, 0), _ends(call, axes, stride, (1,) * axes, "padding")
        name = call.name("self")
        if any(before) or any(after):
            name = writer.add("Pad", (name, writer.whole(0, 0, *before, 0, 0, *after)))
        made = writer.add("AveragePool", (name,), {"kernel_shape": kernel, "strides": stride})
        counts = _counted(call, kernel, stride, before)
        if (counts == prod(kernel)).all():
            return (made,)
        return (
            writer.add(
                "Mul",
                (made, writer.constant(np.divide(prod(kernel), counts, dtype=np.float64).astype(kind)[None, None])),
            ),
        )

    return say


def _counted(call: Call, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> NDArray[np.int64]:
    """By place of the result, how many entries torch divides by: padding counts or not, what is beyond it never."""
    whole = call.bound.flag("count_include_pad", True)
    found = np.ones((), np.int64)
    sizes = zip(call.value("self").shape[2:], call.made[0].shape[2:], kernel, stride, padding, strict=True)
    for size, made, width, step, pad in sizes:
        start = np.arange(made) * step - pad
        stop = np.minimum(start + width, size + pad)
        many = stop - start if whole else np.minimum(stop, size) - np.maximum(start, 0)
        found = np.multiply.outer(found, many)
    return found


def _adaptive(axes: int) -> Say:
    """Means over bins, axis by axis."""

    def say(call: Call) -> tuple[str]:
        value, name = call.value("self"), call.name("self")
        for axis, made in enumerate(call.bound.spatial("output_size", axes, 1), 2):
            size = value.shape[axis]
            bins = np.zeros((size, made), value.dtype)
            for place in range(made):
                some = slice(floor(place * size / made), ceil((place + 1) * size / made))
                bins[some, place] = 1 / (some.stop - some.start)
            name = call.writer.along(name, value.rank, axis, bins) if made != size else name
        return (name,)

    return say


def _scales(call: Call, *, corners: bool) -> list[float]:
    """By axis, how far apart two places of the result lie in the input, as torch reckons: in float32."""
    before, after = call.value("input").shape[2:], call.made[0].shape[2:]
    factors = call.bound.numbers("scale_factors")
    if corners:
        pairs = zip(before, after, strict=True)
        return [float(np.float32(size - 1) / np.float32(made - 1)) if made > 1 else 0.0 for size, made in pairs]
    if factors is not None:
        return [float(np.float32(1 / factor)) for factor in factors]
    return [float(np.float32(size) / np.float32(made)) for size, made in zip(before, after, strict=True)]


def _linear(call: Call) -> tuple[str]:
    value, name = call.value("input"), call.name("input")
    corners = call.bound.flag("align_corners", False)
    for axis, scale in enumerate(_scales(call, corners=corners), 2):
        size, made = value.shape[axis], call.made[0].shape[axis]
        places = np.arange(made, dtype=np.float32)
        at = places * np.float32(scale)
        if not corners:
            at = np.maximum((places + np.float32(0.5)) * np.float32(scale) - np.float32(0.5), np.float32(0))
        low = np.minimum(at.astype(np.int64), size - 1)
        high = np.minimum(low + 1, size - 1)
        part = (at - low).astype(value.dtype)
        mixed = np.zeros((size, made), value.dtype)
        np.add.at(mixed, (low, np.arange(made)), 1 - part)
        np.add.at(mixed, (high, np.arange(made)), part)
        name = call.writer.along(name, value.rank, axis, mixed)
    return (name,)


def _nearest(call: Call) -> tuple[str]:
    name = call.name("input")
    for axis, scale in enumerate(_scales(call, corners=False), 2):
        size, made = call.value("input").shape[axis], call.made[0].shape[axis]
        at = np.floor(np.arange(made, dtype=np.float32) * np.float32(scale)).astype(np.int64)
        name = call.writer.add("Gather", (name, call.writer.constant(np.minimum(at, size - 1))), {"axis": axis})
    return (name,)


SAID: Mapping[str, Say] = {
    **{f"max_pool{axes}d": _max_pool(axes) for axes in (1, 2, 3)},
    **{f"avg_pool{axes}d": _avg_pool(axes) for axes in (1, 2, 3)},
    **{f"adaptive_avg_pool{axes}d": _adaptive(axes) for axes in (1, 2, 3)},
    **dict.fromkeys(("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"), _linear),
    **{f"upsample_nearest{axes}d": _nearest for axes in (1, 2, 3)},
}
