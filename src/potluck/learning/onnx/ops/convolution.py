"""Convolutions over one, two and three axes, and their transposes."""

from collections.abc import Mapping

from potluck.learning.onnx.call import Call, Say


def _convolution(axes: int, *, transposed: bool) -> Say:
    def say(call: Call) -> tuple[str]:
        padding = call.bound.spatial("padding", axes, 0, 0)
        attributes: dict[str, object] = {
            "kernel_shape": call.value("weight").shape[2:],
            "strides": call.bound.spatial("stride", axes, 1, 1),
            "dilations": call.bound.spatial("dilation", axes, 1, 1),
            "pads": padding * 2,
            "group": call.bound.whole("groups", 1, 1),
        }
        if transposed:
            attributes["output_padding"] = call.bound.spatial("output_padding", axes, 0, 0)
        names = [call.name(one) for one in ("input", "weight", "bias") if call.has(one)]
        return (call.writer.add("ConvTranspose" if transposed else "Conv", names, attributes),)

    return say


SAID: Mapping[str, Say] = {
    f"{word}{axes}d": _convolution(axes, transposed=turned)
    for word, turned in (("conv", False), ("conv_transpose", True))
    for axes in (1, 2, 3)
}
