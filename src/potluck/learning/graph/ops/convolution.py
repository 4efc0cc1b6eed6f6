"""Convolutions over one, two and three axes, and their transposes. Rows are the first axis; each is convolved alone."""

from math import prod

from potluck.learning.graph.bound import Bound
from potluck.learning.graph.op import Cost, Op, Outputs, batch_first, floating, public
from potluck.learning.graph.value import Misfit


def _convolution(axes: int) -> Op:
    def rule(bound: Bound) -> Outputs:
        value, weight = batch_first(floating(bound.value("input")), axes + 2), bound.value("weight")
        groups = bound.whole("groups", 1, 1)
        if weight.rank != axes + 2 or value.shape[1] % groups or weight.shape[0] % groups:
            raise Misfit(f"weight has to have {axes + 2} axes, and groups have to divide its channels")
        public(weight, (weight.shape[0], value.shape[1] // groups, *weight.shape[2:]), value, "weight")
        public(bound.maybe("bias"), (weight.shape[0],), value, "bias")
        stride, padding = bound.spatial("stride", axes, 1, 1), bound.spatial("padding", axes, 0, 0)
        spread = bound.spatial("dilation", axes, 1, 1)
        sizes = []
        for size, kernel, step, pad, gap in zip(
            value.shape[2:], weight.shape[2:], stride, padding, spread, strict=True
        ):
            sizes.append((size + 2 * pad - gap * (kernel - 1) - 1) // step + 1)
        if min(sizes) < 1:
            raise Misfit("the kernel is larger than its input")
        return (value.with_shape((value.shape[0], weight.shape[0], *sizes)),)

    def cost(bound: Bound, out: Outputs) -> Cost:
        weight = bound.value("weight")
        padded = [
            size + 2 * pad
            for size, pad in zip(bound.value("input").shape[2:], bound.spatial("padding", axes, 0, 0), strict=True)
        ]
        channels = bound.value("input").shape[:2]
        # Where no faster way fits, torch lays out each output's inputs.
        columns = prod(channels) * prod(weight.shape[2:]) * prod(out[0].shape[2:])
        return Cost(2 * out[0].size * (prod(weight.shape[1:]) + 1), scratch=columns + prod(channels) * prod(padded))

    names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    return Op(f"conv{axes}d.default", names, 2, rule, cost)


def _transposed(axes: int, run: str) -> Op:
    def rule(bound: Bound) -> Outputs:
        value, weight = batch_first(floating(bound.value("input")), axes + 2), bound.value("weight")
        groups = bound.whole("groups", 1, 1)
        if weight.rank != axes + 2 or value.shape[1] % groups:
            raise Misfit(f"weight has to have {axes + 2} axes, and groups have to divide the channels")
        public(weight, (value.shape[1], *weight.shape[1:]), value, "weight")
        made = weight.shape[1] * groups
        public(bound.maybe("bias"), (made,), value, "bias")
        stride, padding = bound.spatial("stride", axes, 1, 1), bound.spatial("padding", axes, 0, 0)
        more, spread = bound.spatial("output_padding", axes, 0, 0), bound.spatial("dilation", axes, 1, 1)
        sizes = []
        for i, (size, kernel) in enumerate(zip(value.shape[2:], weight.shape[2:], strict=True)):
            if more[i] >= max(stride[i], spread[i]):
                raise Misfit("output_padding has to be below stride or dilation")
            sizes.append((size - 1) * stride[i] - 2 * padding[i] + spread[i] * (kernel - 1) + more[i] + 1)
        if min(sizes) < 1:
            raise Misfit("padding leaves nothing of the result")
        return (value.with_shape((value.shape[0], made, *sizes)),)

    def cost(bound: Bound, out: Outputs) -> Cost:
        value, weight = bound.value("input"), bound.value("weight")
        each = prod(weight.shape[1:])
        padded = [
            size + 2 * pad for size, pad in zip(out[0].shape[2:], bound.spatial("padding", axes, 0, 0), strict=True)
        ]
        return Cost(
            2 * value.size * each + out[0].size, scratch=value.size * each + prod(out[0].shape[:2]) * prod(padded)
        )

    names = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
    return Op(run, names, 2, rule, cost)


CONV1D, CONV2D, CONV3D = _convolution(1), _convolution(2), _convolution(3)
CONV_TRANSPOSE1D = _transposed(1, "conv_transpose1d.default")
CONV_TRANSPOSE2D = _transposed(2, "conv_transpose2d.input")
CONV_TRANSPOSE3D = _transposed(3, "conv_transpose3d.input")
